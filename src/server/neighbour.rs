//! Who has the port, when it is taken.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use crate::ask::ask;
use crate::error::Error;

/// A Sage answers in a millisecond; whoever needs longer stays unknown.
const PATIENCE: Duration = Duration::from_millis(500);

/// What to tell a person whose address is taken.
pub async fn explain_taken(address: SocketAddr) -> Error {
    let who = match timeout(PATIENCE, health(address)).await {
        Ok(Some(health)) => name(&health),
        _ => None,
    };
    let port = address.port();
    Error::Io(match who {
        Some(who) => format!(
            "{address} is taken by {who}, which serves already; \
             stop it, or start this one with --listen at another port"
        ),
        None => format!(
            "{address} is taken by another program (`ss -ltnp sport = :{port}` names it); \
             stop it, or start Sage with --listen at another port"
        ),
    })
}

/// "another Sage (0.1.0, sqlite /home/me/.local/share/sage)".
fn name(health: &Value) -> Option<String> {
    let text = |member| health.get(member).and_then(Value::as_str);
    let is_sage = health.get("status").is_some() && health.get("database").is_some();
    let (Some(version), Some(store)) = (text("version"), text("store")) else {
        // Without its token it tells no more.
        return is_sage.then(|| "probably another Sage".to_owned());
    };
    let clean = |text: &str| -> String {
        let chars = text.chars().filter(|c| !c.is_control());
        chars.take(200).collect()
    };
    Some(format!(
        "another Sage ({}, {})",
        clean(version),
        clean(store)
    ))
}

async fn health(address: SocketAddr) -> Option<Value> {
    let answer = ask(&address.to_string(), "GET /health", "", "")
        .await
        .ok()?;
    serde_json::from_str(&answer.body).ok()
}
