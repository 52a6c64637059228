//! `sage serve`: HTTP/1.1 for MCP clients, scripts, and whoever watches over it.
//!
//! A connection is served by hyper (`connection`), every request goes through `routes`, which asks
//! the `guard`, keeps the `limits`, and hands it to one of `mcp`, `health` and `metrics`.

mod api;
mod body;
mod caller;
mod connection;
mod connections;
mod exposition;
mod guard;
mod health;
mod hooks;
mod limits;
mod listen;
mod log;
mod mcp;
mod metrics;
mod neighbour;
mod reply;
mod rest;
mod routes;
mod sessions;
mod signals;
mod tasks;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use self::connections::Connections;
use self::guard::Guard;
use self::limits::Limits;
use self::listen::{Listener, Stream};
use self::log::Log;
use self::metrics::Metrics;
use self::rest::rest_after;
use self::sessions::Sessions;
use self::signals::Signals;
use crate::claude::hooks::Spool;
use crate::config::{Config, HooksConfig, LogLevel};
use crate::engine::Engine;
use crate::error::Result;
use crate::mcp::Mcp;

pub use self::limits::BLOCKING_THREADS_MAX;
pub use self::rest::BLOCKING_THREAD_REST;

/// From the first signal on, requests in progress may take this long.
const DRAIN: Duration = Duration::from_millis(4_500);

/// Then the store is closed, within this; together they stay below the 5 s that whoever sent the
/// signal counts on.
const CLOSE: Duration = Duration::from_millis(400);

/// After an accept that failed, because descriptors ran out for instance, others get time to end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What all requests share.
pub struct Server {
    engine: Arc<Engine>,
    mcp: Mcp,
    project: Option<String>,
    context_tokens: usize,
    hooks: HooksConfig,
    spool: Spool,
    store: String,
    guard: Guard,
    limits: Limits,
    connections: Arc<Connections>,
    sessions: Sessions,
    metrics: Metrics,
    log: Log,
    /// Told whenever a request that may take memory begins.
    work: Notify,
    started: Instant,
}

/// What a person wants to know at the start.
pub struct Announcement {
    /// Where the server listens, in words.
    pub listeners: Vec<String>,
    /// The start of a URL that leads to it, if it can be reached by one.
    pub url: Option<String>,
    /// Which store it uses.
    pub store: String,
    /// Whether callers need the token.
    pub wants_token: bool,
}

/// How the server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// In good order.
    Done,
    /// A second signal cut it short.
    Cut,
}

/// Serves until a signal comes. `announce` is called once, when the server can be reached; it says
/// whether it told somebody.
pub async fn run(
    engine: Arc<Engine>,
    config: &Config,
    announce: impl FnOnce(&Announcement) -> Result<bool>,
) -> Result<End> {
    // First of all: a signal during the start ends the start.
    let mut signals = Signals::listen()?;
    let guard = Guard::new(&config.server)?;
    let is_guarded = guard.wants_token() || config.server.allow_insecure_bind;
    let listeners = listen::open(&config.server.listen, is_guarded).await?;

    let server = Arc::new(Server {
        mcp: Mcp::new(Arc::clone(&engine), config.context_tokens),
        project: config.project.clone(),
        context_tokens: config.context_tokens,
        hooks: config.hooks.clone(),
        spool: hooks::spool(config),
        store: engine.store_name(),
        guard,
        engine,
        limits: Limits::new(),
        connections: Connections::new(),
        sessions: Sessions::default(),
        metrics: Metrics::default(),
        log: Log::new(config.server.log_level, config.server.log_format)?,
        work: Notify::new(),
        started: Instant::now(),
    });
    let announcement = server.announcement(&listeners);
    if !announce(&announcement)? {
        server.tell_start(&announcement);
    }

    let (stop, stopped) = watch::channel(false);
    let accepting: Vec<_> = listeners
        .into_iter()
        .map(|listener| tokio::spawn(accept(Arc::clone(&server), listener, stopped.clone())))
        .collect();
    if server.spool.is_there() {
        let draining = Arc::clone(&server);
        tokio::spawn(async move { hooks::drain(&draining).await });
    }
    let resting = Arc::clone(&server);
    tokio::spawn(async move { rest_after(&resting).await });
    let worker = Arc::clone(&server);
    let making = tokio::spawn(async move { worker.engine.keep_making_vectors(true).await });
    let signal = signals.next().await;
    let fields = [("signal", json!(signal))];
    server.log.event(LogLevel::Info, "stopping", &fields);
    accepting.iter().for_each(|task| task.abort());
    making.abort();
    // Nobody listens any more only if no connection was ever made.
    let _ = stop.send(true);
    let end = tokio::select! {
        () = server.end() => End::Done,
        _ = signals.next() => End::Cut,
    };
    server.log.flush();
    Ok(end)
}

async fn accept(server: Arc<Server>, listener: Listener, stopped: watch::Receiver<bool>) {
    let is_local = listener.is_local();
    loop {
        match listener.accept().await {
            Ok(stream) => server.take_in(stream, is_local, &stopped),
            Err(error) => {
                let fields = [("error", json!(error.to_string()))];
                server.log.event(LogLevel::Error, "accept failed", &fields);
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

impl Server {
    fn take_in(self: &Arc<Self>, stream: Stream, is_local: bool, stopped: &watch::Receiver<bool>) {
        match self.connections.enter() {
            Some(place) => {
                let server = Arc::clone(self);
                let stopped = stopped.clone();
                tokio::spawn(connection::serve(server, stream, is_local, place, stopped));
            }
            None => {
                let server = Arc::clone(self);
                tokio::spawn(async move {
                    // Beyond these the stream is just closed: descriptors are few.
                    if let Ok(_place) = server.limits.turned_away.try_acquire() {
                        connection::turn_away(stream).await;
                    }
                });
            }
        }
    }

    /// Lets requests in progress finish, then closes the store.
    async fn end(&self) {
        let is_drained = timeout(DRAIN, self.connections.all_closed()).await.is_ok();
        if !is_drained {
            let fields = [("connections", json!(self.connections.open()))];
            self.log.event(LogLevel::Warn, "requests cut off", &fields);
        }
        // What was acknowledged is durable without it.
        let problem = match timeout(CLOSE, self.engine.close()).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("it took too long".to_owned()),
        };
        if let Some(problem) = problem {
            let fields = [("error", json!(problem))];
            self.log
                .event(LogLevel::Warn, "log not written back", &fields);
        }
        self.log.event(LogLevel::Info, "stopped", &[]);
    }

    fn announcement(&self, listeners: &[Listener]) -> Announcement {
        Announcement {
            listeners: listeners.iter().map(ToString::to_string).collect(),
            url: listeners.iter().find_map(Listener::url),
            store: self.store.clone(),
            wants_token: self.guard.wants_token(),
        }
    }

    fn tell_start(&self, announcement: &Announcement) {
        self.log.event(
            LogLevel::Info,
            "listening",
            &[
                ("at", json!(announcement.listeners.join(", "))),
                ("store", json!(announcement.store)),
                ("version", json!(env!("CARGO_PKG_VERSION"))),
                ("token", json!(announcement.wants_token)),
            ],
        );
    }
}
