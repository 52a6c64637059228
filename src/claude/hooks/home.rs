//! Where a hook brings what it was told: to a server, or to the store itself.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Event, Hooks, Spool};
use crate::config::Config;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::memory::Timestamp;

/// Waiting events that one hook takes in before its own; the next takes more.
const DRAINED_MAX: usize = 32;

/// The longest answer that is read: a block of context is far shorter.
const ANSWER_BYTES_MAX: u64 = 256 * 1024;

/// Tells the server when something happened that comes late, in milliseconds.
pub const AT_HEADER: &str = "sage-event-at";

/// Where a hook belongs. With a server it never opens a store.
pub enum Home<'a> {
    /// A server at `HOST:PORT`, and the token that it may want.
    Server(&'a str, Option<String>),
    /// The store of this machine.
    Store(Hooks<'a>),
}

impl<'a> Home<'a> {
    /// The home that the settings name.
    ///
    /// # Errors
    /// When the token cannot be read.
    pub fn of(engine: &'a Engine, config: &'a Config) -> Result<Self> {
        match &config.hooks.server {
            Some(address) => Ok(Self::Server(address, config.server.read_token()?)),
            None => Ok(Self::Store(Hooks::of_command(engine, config))),
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
            Self::Store(hooks) => hooks.handle(event, at).await,
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

/// How long a server on another machine may take to be reached.
const CONNECT_PATIENCE: Duration = Duration::from_millis(200);

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
    let failed = |what: &str| {
        Error::Unavailable(format!(
            "the server at {address} {what}; check that it runs, or SAGE_SERVER"
        ))
    };
    let body = event.to_value().to_string();
    let mut head = format!(
        "POST /hooks/claude-code HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n",
        body.len()
    );
    if let Some(token) = token {
        head.push_str(&format!("Authorization: Bearer {token}\r\n"));
    }
    if let Some(at) = at {
        head.push_str(&format!("{AT_HEADER}: {}\r\n", at.as_millisecond()));
    }
    let exchange = async {
        let connecting = timeout(CONNECT_PATIENCE, TcpStream::connect(address)).await;
        let mut stream = connecting
            .map_err(|_| failed("is not reached"))?
            .map_err(|error| failed(&format!("is not reached ({error})")))?;
        let message = [head.as_bytes(), b"\r\n", body.as_bytes()].concat();
        let mut answer = Vec::new();
        stream.write_all(&message).await?;
        stream
            .take(ANSWER_BYTES_MAX)
            .read_to_end(&mut answer)
            .await?;
        Ok::<_, Failed>(answer)
    };
    let answer = match exchange.await {
        Ok(answer) => String::from_utf8(answer).map_err(|_| failed("speaks no HTTP"))?,
        Err(Failed::Told(error)) => return Err(error),
        Err(Failed::Broken(error)) => return Err(failed(&format!("broke off ({error})"))),
    };
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .ok_or_else(|| failed("speaks no HTTP"))?;
    let status = head.split_ascii_whitespace().nth(1).unwrap_or_default();
    match status {
        "200" if is_output(body) => Ok(Some(body.to_owned())),
        "200" | "204" => Ok(None),
        "400" | "413" => Err(Error::invalid(
            "event",
            format!("the server refused it: {status}"),
        )),
        status => Err(failed(&format!("answered {status}"))),
    }
}

/// Half an answer would be shown to the model word by word.
fn is_output(body: &str) -> bool {
    let value: Value = serde_json::from_str(body).unwrap_or_default();
    value.get("hookSpecificOutput").is_some()
}

enum Failed {
    Told(Error),
    Broken(std::io::Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Told(error)
    }
}

impl From<std::io::Error> for Failed {
    fn from(error: std::io::Error) -> Self {
        Self::Broken(error)
    }
}
