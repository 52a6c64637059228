//! 2024-11-05 to 2025-11-25: `initialize` opens a session, and everything else belongs to one.

use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderName};

use super::stream::{self, Departure, Handled};
use super::{VERSION, refuse};
use crate::mcp::eras::{LEGACY, Spoken};
use crate::mcp::notices::Notices;
use crate::mcp::rpc::{self, Fault, Id, Item, Message, NoId, Request};
use crate::mcp::{Answer, Caller};
use crate::server::reply::{self, Reply};
use crate::server::{Server, caller};

const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");

/// Answers one message.
pub(super) async fn answer(server: &Arc<Server>, headers: &HeaderMap, message: Message) -> Reply {
    if let Message::One(Item::Request(request)) = &message
        && request.method == "initialize"
    {
        return open_session(server, headers, request.clone()).await;
    }
    let refused = |status, problem| no_session(status, headers, id_of(&message), problem);
    let caller = match session_id(headers) {
        None => return refused(StatusCode::BAD_REQUEST, "missing; initialize gives one"),
        Some(id) => match server.sessions.find(id) {
            Some(caller) => caller,
            // Tells clients to initialise again.
            None => return refused(StatusCode::NOT_FOUND, "unknown or ended"),
        },
    };
    let unfolded = server.mcp.unfold(&caller, message);
    if unfolded.is_batch {
        return answer_batch(server, caller, unfolded.items).await;
    }
    let Some(item) = unfolded.items.into_iter().next() else {
        return reply::empty(StatusCode::ACCEPTED);
    };
    let status = match item {
        Item::Broken { .. } => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    };
    // A client of these versions that goes away has not called its request off.
    match stream::handle(server, caller, item, headers, Departure::ChangesNothing).await {
        Handled::Answer(answer) => reply::whole(status, reply::JSON, answer.line),
        Handled::Stream(reply) => reply,
        Handled::Nothing => reply::empty(StatusCode::ACCEPTED),
    }
}

async fn answer_batch(server: &Arc<Server>, caller: Arc<Caller>, items: Vec<Item>) -> Reply {
    let lines = stream::handle_batch(server, caller, items).await;
    match rpc::answer_batch(&lines) {
        Some(line) => reply::whole(StatusCode::OK, reply::JSON, line),
        None => reply::empty(StatusCode::ACCEPTED),
    }
}

async fn open_session(server: &Arc<Server>, headers: &HeaderMap, request: Request) -> Reply {
    let hints = match caller::hints(server, headers).await {
        Ok(hints) => hints,
        Err(error) => {
            let fault = Fault::from(error);
            return refuse(&Answer::refusal(Some(&request.id), NoId::Absent, &fault));
        }
    };
    let caller = Arc::new(Caller::new(hints));
    let item = Item::Request(request);
    let quiet = Notices::none();
    let Some(answer) = server.mcp.handle(&caller, &item, &quiet).await else {
        return reply::empty(StatusCode::ACCEPTED);
    };
    if answer.fault.is_some() {
        return refuse(&answer);
    }
    let mut reply = reply::whole(StatusCode::OK, reply::JSON, answer.line);
    reply::set(&mut reply, SESSION_ID, &server.sessions.open(caller));
    reply
}

fn session_id(headers: &HeaderMap) -> Option<&str> {
    headers.get(SESSION_ID)?.to_str().ok()
}

/// What an answer to the whole message refers to.
fn id_of(message: &Message) -> Option<&Id> {
    match message {
        Message::One(Item::Request(request)) => Some(&request.id),
        Message::One(Item::Broken { id, .. }) => id.as_ref(),
        _ => None,
    }
}

fn no_session(status: StatusCode, headers: &HeaderMap, id: Option<&Id>, problem: &str) -> Reply {
    let fault = Fault::new(rpc::INVALID_REQUEST, format!("Mcp-Session-Id: {problem}"));
    let line = rpc::refusal(id, no_id(headers), &fault);
    reply::whole(status, reply::JSON, line)
}

/// Without a session only the header tells which version somebody speaks.
fn no_id(headers: &HeaderMap) -> NoId {
    let named = headers.get(VERSION).map(|value| value.as_bytes());
    let version = LEGACY.into_iter().find(|v| Some(v.as_bytes()) == named);
    version.map_or(Spoken::Unknown, Spoken::Legacy).no_id()
}

pub(super) fn end_session(server: &Server, headers: &HeaderMap) -> Reply {
    match session_id(headers) {
        None => {
            let problem = "missing; it names the session to end";
            no_session(StatusCode::BAD_REQUEST, headers, None, problem)
        }
        Some(id) if server.sessions.end(id) => reply::empty(StatusCode::NO_CONTENT),
        Some(_) => no_session(StatusCode::NOT_FOUND, headers, None, "unknown or ended"),
    }
}
