//! Handing an item to the core, and what comes back: an answer, or events and then an answer.
//!
//! Events are server-sent events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>)
//! without ids: a stream that broke off is not taken up again.

use std::sync::Arc;
use std::time::Instant;

use hyper::body::Bytes;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName};
use hyper::{Response, StatusCode};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use crate::mcp::notices::Notices;
use crate::mcp::rpc::{Id, Item};
use crate::mcp::{Answer, Caller, Mcp};
use crate::server::Server;
use crate::server::body;
use crate::server::reply::{self, Reply};
use crate::server::tasks::AbortOnDrop;

const EVENTS: &str = "text/event-stream";

/// Asks proxies not to hold events back.
const UNBUFFERED: (HeaderName, &str) = (HeaderName::from_static("x-accel-buffering"), "no");

/// What it means that a client goes away before it has its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Departure {
    /// The request is called off.
    Cancels,
    /// It is carried out all the same.
    ChangesNothing,
}

/// What came of an item.
pub(super) enum Handled {
    /// The answer.
    Answer(Answer),
    /// A reply that tells events, and the answer at its end.
    Stream(Reply),
    /// Nothing was asked.
    Nothing,
}

/// Has the core answer an item, on a task of its own: what breaks down there is answered too.
pub(super) async fn handle(
    server: &Arc<Server>,
    caller: Arc<Caller>,
    item: Item,
    headers: &HeaderMap,
    departure: Departure,
) -> Handled {
    let id = id_of(&item);
    let (notices, mut told) = match takes_events(headers) {
        true => {
            let (sender, told) = unbounded_channel();
            (Notices::to(sender), Some(told))
        }
        false => (Notices::none(), None),
    };
    let place = match departure {
        Departure::Cancels => None,
        Departure::ChangesNothing => server.limits.unstoppable().await,
    };
    let shared = Arc::clone(server);
    let work = tokio::spawn(async move {
        let _place = place;
        measured(&shared, &caller, &item, &notices).await
    });
    let abort = (departure == Departure::Cancels).then(|| AbortOnDrop(work.abort_handle()));
    // The channel closes when the work is done.
    let first = match &mut told {
        Some(told) => told.recv().await,
        None => None,
    };
    match (first, told) {
        (Some(first), Some(told)) => Handled::Stream(stream(first, told, work, id, abort)),
        _ => finished(work, id)
            .await
            .map_or(Handled::Nothing, Handled::Answer),
    }
}

/// Has the core answer the items of a batch one after the other. A batch has no way to tell anything
/// before its answer, and is carried out whole even when its caller goes away.
pub(super) async fn handle_batch(
    server: &Arc<Server>,
    caller: Arc<Caller>,
    items: Vec<Item>,
) -> Vec<String> {
    let place = server.limits.unstoppable().await;
    let server = Arc::clone(server);
    let work = tokio::spawn(async move {
        let _place = place;
        let mut lines = Vec::new();
        for item in items {
            let id = id_of(&item);
            let (server, caller) = (Arc::clone(&server), Arc::clone(&caller));
            // A task each, so that one that breaks down leaves the others their answers.
            let work =
                tokio::spawn(
                    async move { measured(&server, &caller, &item, &Notices::none()).await },
                );
            lines.extend(finished(work, id).await.map(|answer| answer.line));
        }
        lines
    });
    work.await.unwrap_or_default()
}

async fn measured(
    server: &Server,
    caller: &Caller,
    item: &Item,
    notices: &Notices,
) -> Option<Answer> {
    let start = Instant::now();
    let answer = server.mcp.handle(caller, item, notices).await;
    if let (Some(tool), Some(answer)) = (Mcp::tool_of(item), &answer) {
        let took = start.elapsed();
        server.metrics.tool(tool, answer.has_failed, took);
    }
    answer
}

async fn finished(work: JoinHandle<Option<Answer>>, id: Option<Id>) -> Option<Answer> {
    match work.await {
        Ok(answer) => answer,
        Err(_) => id.as_ref().map(Mcp::broke_down),
    }
}

fn id_of(item: &Item) -> Option<Id> {
    match item {
        Item::Request(request) => Some(request.id.clone()),
        _ => None,
    }
}

/// Whether the client says that it reads events.
fn takes_events(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter();
    let mut lists = accepted.filter_map(|value| value.to_str().ok());
    lists.any(|list| list.contains(EVENTS))
}

fn stream(
    first: String,
    told: UnboundedReceiver<String>,
    work: JoinHandle<Option<Answer>>,
    id: Option<Id>,
    abort: Option<AbortOnDrop>,
) -> Reply {
    let (events, body) = unbounded_channel();
    tokio::spawn(async move {
        // Without a reader this ends, and with it, where departure cancels, the work.
        let _abort = abort;
        let _ = forward(first, told, work, id, &events).await;
    });
    let mut reply = Response::new(body::Answer::events(body));
    *reply.status_mut() = StatusCode::OK;
    reply::set(&mut reply, CONTENT_TYPE, EVENTS);
    let (name, value) = UNBUFFERED;
    reply::set(&mut reply, name, value);
    reply
}

/// Sends everything told, then the answer; an error says that nobody reads any more.
async fn forward(
    first: String,
    mut told: UnboundedReceiver<String>,
    work: JoinHandle<Option<Answer>>,
    id: Option<Id>,
    events: &UnboundedSender<Bytes>,
) -> Result<(), Gone> {
    send(events, &first)?;
    while let Some(line) = told.recv().await {
        send(events, &line)?;
    }
    match finished(work, id).await {
        Some(answer) => send(events, &answer.line),
        None => Ok(()),
    }
}

/// The reader of a stream has gone away.
struct Gone;

/// A message is one line of JSON, so it is one line of data.
fn send(events: &UnboundedSender<Bytes>, line: &str) -> Result<(), Gone> {
    let event = format!("event: message\ndata: {line}\n\n");
    events.send(Bytes::from(event)).map_err(|_| Gone)
}
