//! Answers: their status, their type, and the headers that every one of them has.

use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use super::body::Answer;
use crate::error::Error;

/// An answer.
pub type Reply = Response<Answer>;

/// The media type of JSON.
pub const JSON: &str = "application/json";

/// When to come back to a server that is too busy, or whose store is away: long enough to help,
/// short enough not to be noticed.
const RETRY_AFTER_S: u64 = 1;

/// Answers hold memories: nothing may keep them, frame them, guess their type, or pass their
/// address on.
const SECURITY_HEADERS: [(HeaderName, &str); 5] = [
    (CACHE_CONTROL, "no-store"),
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'",
    ),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// An answer of some type.
pub fn whole(status: StatusCode, media_type: &'static str, body: String) -> Reply {
    let mut reply = Response::new(Answer::whole(body));
    *reply.status_mut() = status;
    set(&mut reply, CONTENT_TYPE, media_type);
    reply
}

/// A JSON value.
pub fn json(status: StatusCode, value: &Value) -> Reply {
    whole(status, JSON, value.to_string())
}

/// No body at all.
pub fn empty(status: StatusCode) -> Reply {
    let mut reply = Response::new(Answer::whole(String::new()));
    *reply.status_mut() = status;
    reply
}

/// `{"error":{"kind","message"}}`, the same shape everywhere.
pub fn error(status: StatusCode, kind: &str, message: &str) -> Reply {
    let value = json!({"error": {"kind": kind, "message": message}});
    let mut reply = json(status, &value);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        reply
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
    }
    reply
}

/// What a failure means over HTTP.
pub fn failure(failed: &Error) -> Reply {
    let status = match failed {
        Error::Invalid { .. } => StatusCode::BAD_REQUEST,
        Error::NotFound(_) => StatusCode::NOT_FOUND,
        Error::Store(_) | Error::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        Error::Io(_) | Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let mut reply = error(status, failed.kind(), &failed.to_string());
    if status.is_server_error() {
        reply.extensions_mut().insert(Cause(failed.to_string()));
    }
    reply
}

/// What made the server fail; goes to the log with the request. It speaks of files and settings,
/// never of memories.
#[derive(Debug, Clone)]
pub struct Cause(pub String);

/// Puts a header on an answer; a value that no header can carry is left out.
pub fn set(reply: &mut Reply, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        reply.headers_mut().insert(name, value);
    }
}

/// Puts on what every answer has.
pub fn secure(reply: &mut Reply) {
    for (name, value) in SECURITY_HEADERS {
        set(reply, name, value);
    }
}
