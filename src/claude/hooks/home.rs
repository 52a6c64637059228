//! Where a hook brings what it was told: to a server, or to the store itself.

use serde_json::Value;
use tokio::time::timeout;

use super::{Event, Hooks, Spool};
use crate::ask::ask;
use crate::config::{Config, Origin};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::memory::Timestamp;

/// Waiting events that one hook takes in before its own; the next takes more.
const DRAINED_MAX: usize = 32;

/// The part of its time that a hook gives a server to prove that it has the same store: it takes a
/// millisecond or two, and without it the store is asked.
const PROOF_PART: u32 = 5;

/// Tells the server when something happened that comes late, in milliseconds.
pub const AT_HEADER: &str = "sage-event-at";

/// Where a hook belongs. With a server it never opens a store.
pub enum Home<'a> {
    /// A server at `HOST:PORT`, and the token that it may want.
    Server(&'a str, Option<String>),
    /// The store of this machine, and where a server runs that has it open, if one does.
    Store(Hooks<'a>, Option<String>),
}

impl<'a> Home<'a> {
    /// The home that the settings name.
    ///
    /// # Errors
    /// When the token cannot be read.
    pub async fn of(engine: &'a Engine, config: &'a Config) -> Result<Self> {
        match &config.hooks.server {
            Some(address) => Ok(Self::Server(address, config.server.read_token()?)),
            None => {
                let hooks = Hooks::of_command(engine, config);
                Ok(Self::Store(hooks, neighbour(engine, config).await))
            }
        }
    }

    /// Brings an event home and returns what to answer; first those that wait, so that all come in
    /// their order.
    ///
    /// # Errors
    /// When nobody was at home; the event then belongs into the spool.
    pub async fn bring(&self, event: &Event, spool: &Spool) -> Result<Option<String>> {
        self.drain(spool).await?;
        self.tell(event, None).await
    }

    async fn tell(&self, event: &Event, at: Option<Timestamp>) -> Result<Option<String>> {
        match self {
            Self::Server(address, token) => post(address, token.as_deref(), event, at).await,
            Self::Store(hooks, Some(address)) if at.is_none() => {
                match post(address, None, event, None).await {
                    // It may have ended since; if it took the event in, it is known.
                    Err(Error::Unavailable(_)) => hooks.handle(event, None).await,
                    answer => answer,
                }
            }
            Self::Store(hooks, _) => hooks.handle(event, at).await,
        }
    }

    /// Takes in what waits.
    ///
    /// # Errors
    /// When nobody is at home.
    pub async fn drain(&self, spool: &Spool) -> Result<()> {
        let (waiting, _lock) = spool.waiting(DRAINED_MAX)?;
        for waiting in waiting {
            match self.tell(&waiting.event, Some(waiting.at)).await {
                // What the store will never take must not hold up the others.
                Ok(_) | Err(Error::Invalid { .. } | Error::NotFound(_)) => waiting.done()?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Sends an event to a server and returns its answer.
///
/// # Errors
/// When there is none, or it says that it failed.
pub async fn post(
    address: &str,
    token: Option<&str>,
    event: &Event,
    at: Option<Timestamp>,
) -> Result<Option<String>> {
    let failed = |what: String| {
        Error::Unavailable(format!(
            "the server at {address} {what}; check that it runs, or SAGE_SERVER"
        ))
    };
    let mut headers = "Content-Type: application/json\r\n".to_owned();
    if let Some(token) = token {
        headers.push_str(&format!("Authorization: Bearer {token}\r\n"));
    }
    if let Some(at) = at {
        headers.push_str(&format!("{AT_HEADER}: {}\r\n", at.as_millisecond()));
    }
    let body = event.to_value().to_string();
    let answer = ask(address, "POST /hooks/claude-code", &headers, &body).await;
    let answer = answer.map_err(|error| failed(format!("did not answer ({error})")))?;
    match answer.status {
        200 if is_output(&answer.body) => Ok(Some(answer.body)),
        200 | 204 => Ok(None),
        status @ (400 | 413) => Err(Error::invalid(
            "event",
            format!("the server refused it: {status}"),
        )),
        status => Err(failed(format!("answered {status}"))),
    }
}

/// Settings that hold for this process alone: with one of them set, a server that runs without it
/// would do something else.
const OWN_SETTINGS: [&str; 6] = [
    "SAGE_PROJECT",
    "SAGE_REDACT",
    "SAGE_CAPTURE",
    "SAGE_INJECT",
    "SAGE_RANK_BY_USE",
    "SAGE_HOLD_OUT",
];

/// Where a server runs that has this very store open. It has pages and vectors in memory, so it
/// answers sooner than a process that has just begun.
///
/// Any program may listen there, and it would be told every prompt: so it is told nothing before
/// it has named the store's id, which only those know who may read the store anyway. A server that
/// wants a token is not asked, since that would give the token to whoever listens.
async fn neighbour(engine: &Engine, config: &Config) -> Option<String> {
    let is_default = |variable: &&str| config.origin(variable) == Origin::Default;
    if !OWN_SETTINGS.iter().all(is_default) || config.server.has_token() {
        return None;
    }
    let address = config.server.own_address()?;
    let prove = async {
        let answer = ask(&address, "GET /health", "", "").await.ok()?;
        let health: Value = serde_json::from_str(&answer.body).ok()?;
        let id = health.get("store_id")?.as_str()?;
        (engine.inspect(false).await.ok()?.store_id == id).then_some(())
    };
    let patience = config.hooks.deadline / PROOF_PART;
    timeout(patience, prove).await.ok().flatten()?;
    Some(address)
}

/// Half an answer would be shown to the model word by word.
fn is_output(body: &str) -> bool {
    let value: Value = serde_json::from_str(body).unwrap_or_default();
    value.get("hookSpecificOutput").is_some()
}
