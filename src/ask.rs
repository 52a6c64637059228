//! One plain HTTP request to a server nearby, on a connection of its own.

use std::io::{Error, ErrorKind, Result};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a server on another machine may take to be reached.
const CONNECT_PATIENCE: Duration = Duration::from_millis(200);

/// The longest answer that is read: a block of context is far shorter.
const ANSWER_BYTES_MAX: u64 = 256 * 1024;

/// What a server answered.
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// What came behind the head.
    pub(crate) body: String,
}

/// Asks `HOST:PORT`. `line` is method and path, `headers` are whole lines, each with its line end.
/// Only connecting has a time limit of its own.
pub(crate) async fn ask(address: &str, line: &str, headers: &str, body: &str) -> Result<Answer> {
    let connecting = timeout(CONNECT_PATIENCE, TcpStream::connect(address)).await;
    let mut stream = connecting.map_err(|_| Error::from(ErrorKind::TimedOut))??;
    let length = body.len();
    let message = format!(
        "{line} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n\
         {headers}\r\n{body}"
    );
    stream.write_all(message.as_bytes()).await?;
    let mut answer = Vec::new();
    stream
        .take(ANSWER_BYTES_MAX)
        .read_to_end(&mut answer)
        .await?;
    let read = || {
        let answer = String::from_utf8(answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split_ascii_whitespace().nth(1)?;
        Some(Answer {
            status: status.parse().ok()?,
            body: body.to_owned(),
        })
    };
    read().ok_or_else(|| Error::new(ErrorKind::InvalidData, "it speaks no HTTP"))
}
