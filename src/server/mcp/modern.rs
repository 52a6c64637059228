//! 2026-07-28: every request stands alone, and its headers repeat what its body says.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use hyper::header::{ALLOW, HeaderMap, HeaderName};
use serde_json::Value;

use super::stream::{self, Departure, Handled};
use super::{VERSION, refuse};
use crate::mcp::eras::{Era, VERSION_KEY, version_in};
use crate::mcp::rpc::{self, Fault, Item, NoId, Request};
use crate::mcp::{Answer, Caller};
use crate::server::reply::{self, Reply};
use crate::server::{Server, caller};

const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// Answers one request.
pub(super) async fn answer(server: &Arc<Server>, headers: &HeaderMap, request: Request) -> Reply {
    let refused = |fault: &Fault| refuse(&Answer::refusal(Some(&request.id), NoId::Absent, fault));
    if let Err(fault) = check_headers(headers, &request) {
        return refused(&fault);
    }
    if let Err(fault) = Era::of(&request) {
        return refused(&fault);
    }
    let hints = match caller::hints(server, headers).await {
        Ok(hints) => hints,
        Err(error) => return refused(&error.into()),
    };
    let caller = Arc::new(Caller::new(hints));
    let item = Item::Request(request);
    // Who closes the answer calls the request off.
    match stream::handle(server, caller, item, headers, Departure::Cancels).await {
        Handled::Answer(answer) => {
            let status = match answer.fault {
                Some(rpc::METHOD_NOT_FOUND) => StatusCode::NOT_FOUND,
                _ => StatusCode::OK,
            };
            reply::whole(status, reply::JSON, answer.line)
        }
        Handled::Stream(reply) => reply,
        Handled::Nothing => reply::empty(StatusCode::ACCEPTED),
    }
}

/// The headers must say what the body says, so that whoever stands between can trust them.
fn check_headers(headers: &HeaderMap, request: &Request) -> Result<(), Fault> {
    let version = version_in(&request.params).ok_or_else(|| {
        Fault::params(format!(
            "_meta[\"{VERSION_KEY}\"]: missing; expected a text"
        ))
    })?;
    // A version that is no text is refused later, in its own words.
    if let Some(version) = version.as_str() {
        check_header(headers, &VERSION, version)?;
    }
    check_header(headers, &METHOD, &request.method)?;
    let member = match request.method.as_str() {
        "tools/call" | "prompts/get" => "name",
        "resources/read" => "uri",
        _ => return Ok(()),
    };
    match request.params.get(member).and_then(Value::as_str) {
        Some(name) => check_header(headers, &NAME, name),
        // Without it the request is refused for that.
        None => Ok(()),
    }
}

fn check_header(headers: &HeaderMap, name: &HeaderName, expected: &str) -> Result<(), Fault> {
    let mut values = headers.get_all(name).iter();
    let (value, second) = (values.next(), values.next());
    let mismatch = |problem: &str| {
        let message = format!("{name}: {problem}; expected what the body says");
        Err(Fault::new(rpc::HEADER_MISMATCH, message))
    };
    match value.map(|value| value.to_str().map(|value| decode(value.trim()))) {
        None => mismatch("missing"),
        Some(_) if second.is_some() => mismatch("given twice"),
        Some(Ok(Some(value))) if value == expected => Ok(()),
        Some(Ok(Some(_))) => mismatch("differs from the body"),
        Some(_) => mismatch("unreadable"),
    }
}

/// A value as it stands, or wrapped as `=?base64?…?=` where it could not stand in a header.
fn decode(value: &str) -> Option<String> {
    let wrapped = value
        .strip_prefix("=?base64?")
        .and_then(|rest| rest.strip_suffix("?="));
    match wrapped {
        Some(encoded) => String::from_utf8(STANDARD.decode(encoded).ok()?).ok(),
        None => Some(value.to_owned()),
    }
}

pub(super) fn no_sessions() -> Reply {
    let message = "this version has no sessions; there is nothing to delete";
    let mut reply = reply::error(StatusCode::METHOD_NOT_ALLOWED, "invalid", message);
    reply::set(&mut reply, ALLOW, "POST");
    reply
}
