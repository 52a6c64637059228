//! MCP over Streamable HTTP: the core that stdio carries, in both generations of the protocol.
//!
//! Which rules hold is decided request by request, as the specification of 2026-07-28 says
//! (<https://modelcontextprotocol.io/specification>): by the version in the body, else by the
//! header. Modern requests stand alone. Legacy ones belong to a session that `initialize` opened.
//! An answer is plain JSON, or a stream of events where the request has something to tell before it
//! is answered. Sage has nothing to say unasked, so GET is not offered. A modern request is called
//! off by closing its answer; a legacy one cannot be called off over HTTP: `notifications/cancelled`
//! is taken, as the specification wants, and changes nothing.

mod legacy;
mod modern;
mod stream;

use std::sync::Arc;

use hyper::header::{HeaderMap, HeaderName};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};

use super::Server;
use super::reply::{self, Reply};
use crate::mcp::Answer;
use crate::mcp::eras::{LEGACY, version_in};
use crate::mcp::rpc::{self, Fault, Item, Message, NoId};

const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// Parsing takes about 10 ms a megabyte; larger messages get a thread of their own for it.
const PARSED_AT_ONCE_BYTES: usize = 64 * 1024;

/// Answers one message, or ends a session.
pub async fn answer(server: &Arc<Server>, head: &Parts, body: Vec<u8>) -> Reply {
    let names_modern = names_modern(&head.headers);
    if head.method == Method::DELETE {
        return match names_modern {
            true => modern::no_sessions(),
            false => legacy::end_session(server, &head.headers),
        };
    }
    match parse(body).await {
        Message::One(Item::Request(request))
            if names_modern || version_in(&request.params).is_some() =>
        {
            modern::answer(server, &head.headers, request).await
        }
        Message::One(Item::Notification { .. } | Item::Response) if names_modern => {
            reply::empty(StatusCode::ACCEPTED)
        }
        Message::One(Item::Broken { id, fault }) if names_modern => {
            refuse(&Answer::refusal(id.as_ref(), NoId::Absent, &fault))
        }
        Message::Batch(_) if names_modern => {
            let message = "this version has no batches; send one object a message";
            let fault = Fault::new(rpc::INVALID_REQUEST, message);
            refuse(&Answer::refusal(None, NoId::Absent, &fault))
        }
        message => legacy::answer(server, &head.headers, message).await,
    }
}

/// Whether the header names a version that is not a legacy one.
fn names_modern(headers: &HeaderMap) -> bool {
    let named = headers.get(VERSION).map(|value| value.as_bytes());
    named.is_some_and(|version| !LEGACY.iter().any(|legacy| legacy.as_bytes() == version))
}

async fn parse(body: Vec<u8>) -> Message {
    if body.len() <= PARSED_AT_ONCE_BYTES {
        return Message::read(&body);
    }
    let parsing = tokio::task::spawn_blocking(move || Message::read(&body));
    parsing.await.unwrap_or_else(|_| {
        Message::One(Item::Broken {
            id: None,
            fault: Fault::new(rpc::INTERNAL_ERROR, "the message could not be read"),
        })
    })
}

/// A message that does not keep the rules.
fn refuse(answer: &Answer) -> Reply {
    reply::whole(StatusCode::BAD_REQUEST, reply::JSON, answer.line.clone())
}
