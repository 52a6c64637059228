//! `POST /hooks/claude-code`: what the client tells without starting a process.

use std::sync::Arc;

use hyper::StatusCode;
use hyper::http::request::Parts;
use serde_json::json;
use tokio::time::timeout;

use super::Server;
use super::reply::{self, Reply};
use crate::claude::hooks::{AT_HEADER, Event, Home, Hooks, Spool};
use crate::config::LogLevel;
use crate::error::Result;
use crate::memory::Timestamp;

/// Answers one event: with what the client is to read, or with an empty object. Whatever happens,
/// the client gets its answer in time; what then is not kept yet goes on without it.
pub async fn answer(server: &Arc<Server>, head: &Parts, body: &[u8]) -> Reply {
    let event = match Event::parse(body, None) {
        Ok(Some(event)) => event,
        Ok(None) => return reply::json(StatusCode::OK, &json!({})),
        Err(error) => return reply::failure(&error),
    };
    // Somebody brings what had to wait: nobody waits for the answer, and it must be true.
    let at = head
        .headers
        .get(AT_HEADER)
        .and_then(|value| value.to_str().ok());
    let at = at.and_then(|at| Timestamp::from_millisecond(at.parse().ok()?).ok());
    let shared = Arc::clone(server);
    let work = tokio::spawn(async move {
        let _place = shared.limits.unstoppable().await;
        take_in(&shared, event, at).await
    });
    let outcome = match at {
        Some(_) => Ok(work.await),
        None => timeout(server.hooks.deadline, work).await,
    };
    match outcome {
        Ok(Ok(Ok(Some(text)))) => reply::whole(StatusCode::OK, reply::JSON, text),
        Ok(Ok(Err(error))) => reply::failure(&error),
        Ok(Ok(Ok(None))) => reply::json(StatusCode::OK, &json!({})),
        Ok(Err(_)) => {
            let failed = "Sage failed on this event, please report it";
            reply::error(StatusCode::INTERNAL_SERVER_ERROR, "internal", failed)
        }
        Err(_) => {
            server.engine.count_degraded();
            reply::json(StatusCode::OK, &json!({}))
        }
    }
}

/// Takes an event in. Without a store it waits on disk, where there is one; only what came late
/// goes back to whoever kept it until now.
async fn take_in(
    server: &Server,
    mut event: Event,
    at: Option<Timestamp>,
) -> Result<Option<String>> {
    event.clean(&server.engine).await?;
    let error = match at {
        Some(_) => return hooks(server).handle(&event, at).await,
        None => match Home::Store(hooks(server), None)
            .bring(&event, &server.spool)
            .await
        {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        },
    };
    if !error.is_usage() && event.kind.is_kept() {
        server.spool.add(&event, Timestamp::now())?;
        let fields = [("error", json!(error.to_string()))];
        server
            .log
            .event(LogLevel::Warn, "event kept for later", &fields);
        return Ok(None);
    }
    Err(error)
}

fn hooks(server: &Server) -> Hooks<'_> {
    Hooks::of_server(&server.engine, &server.hooks, server.project.as_deref())
}

/// Takes in what waits since a time without a server or a store.
pub async fn drain(server: &Server) {
    if let Err(error) = Home::Store(hooks(server), None).drain(&server.spool).await {
        let fields = [("error", json!(error.to_string()))];
        server.log.event(LogLevel::Warn, "events wait", &fields);
    }
}

/// Where a server keeps events for later: where the commands of its machine do.
pub fn spool(config: &crate::config::Config) -> Spool {
    Spool::new(&config.data_dir, None)
}
