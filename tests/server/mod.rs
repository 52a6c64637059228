//! `sage serve`, through the real executable and over real sockets.

mod bystanders;
mod flood;
mod health;
mod life;
mod limits;
mod listening;
mod log;
mod malformed;
mod metrics;
mod orphans;
mod security;
mod token;
mod unix;

use serde_json::Value;

use crate::harness::{Finished, Home, Reply, finish_soon};
use crate::mcp::id_in;

/// As long as a token must be, and of no alphabet in particular.
const TOKEN: &str = "correct-horse_battery.staple~42";

/// What every answer of Sage's own has.
const SECURITY_HEADERS: [(&str, &str); 5] = [
    ("cache-control", "no-store"),
    (
        "content-security-policy",
        "default-src 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// Runs `sage ARGS`, which must not go on as a server.
#[track_caller]
fn run<const N: usize>(home: &Home, args: [&str; N]) -> Finished {
    finish_soon(&mut home.command(args))
}

/// Insists on what every answer has and on what none has.
#[track_caller]
fn is_secure(reply: &Reply) {
    for (name, value) in SECURITY_HEADERS {
        assert_eq!(reply.header(name), Some(value), "{name} in {reply:?}");
    }
    assert!(reply.header("x-request-id").is_some(), "{reply:?}");
    for (name, _) in &reply.headers {
        assert!(!name.starts_with("access-control-"), "{reply:?}");
    }
}

/// Insists on an error in the one shape that errors have; returns its message.
#[track_caller]
fn error_of(reply: &Reply) -> String {
    let value = reply.json();
    let error = &value["error"];
    assert!(error["kind"].is_string(), "{reply:?}");
    error["message"].as_str().unwrap().to_owned()
}

/// A line of the log, where it is JSON.
#[track_caller]
fn event(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("not JSON ({error}): {line}"))
}
