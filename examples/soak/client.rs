//! A tiny HTTP/1.1 client that breaks nothing when the other side goes away.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

/// Longer than the server's own limit of 30 s for a request: whoever waits longer has found a hang.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// The two generations of the protocol, as clients name them.
const MODERN: &str = "2026-07-28";
const LEGACY: &str = "2025-11-25";

/// Why something was not done.
#[derive(Debug)]
pub enum Trouble {
    /// The other side is away, or says that it cannot now. Allowed while it is being ended.
    Away(String),
    /// The answer is not what it must be. Never allowed.
    Wrong(String),
}

impl Trouble {
    /// The same for an answer that was looked at.
    pub fn wrong<T>(what: impl Into<String>) -> Result<T, Self> {
        Err(Self::Wrong(what.into()))
    }
}

/// One request.
pub struct Ask {
    head: String,
    body: String,
}

impl Ask {
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    pub fn delete(target: &str) -> Self {
        Self::new("DELETE", target)
    }

    pub fn post(target: &str, body: &Value) -> Self {
        Self::new("POST", target).json(body)
    }

    pub fn put(target: &str, body: &Value) -> Self {
        Self::new("PUT", target).json(body)
    }

    fn new(method: &str, target: &str) -> Self {
        Self {
            head: format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n"),
            body: String::new(),
        }
    }

    fn json(mut self, body: &Value) -> Self {
        self.body = body.to_string();
        let length = self.body.len().to_string();
        self.header("Content-Type", "application/json")
            .header("Content-Length", &length)
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.head.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    /// A call of a tool in the modern protocol, which needs no session.
    pub fn modern_tool(name: &str, arguments: &Value, project: &str, session: &str) -> Self {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
            "name": name, "arguments": arguments, "_meta": {
                "io.modelcontextprotocol/protocolVersion": MODERN,
                "io.modelcontextprotocol/clientCapabilities": {}}}});
        Self::post("/mcp", &body)
            .header("MCP-Protocol-Version", MODERN)
            .header("Mcp-Method", "tools/call")
            .header("Mcp-Name", name)
            .header("Sage-Project", project)
            .header("Sage-Session", session)
    }

    /// The handshake of the legacy protocol; the answer's header names the session.
    pub fn legacy_start(project: &str, session: &str) -> Self {
        Self::post("/mcp", &initialize(1))
            .header("Sage-Project", project)
            .header("Sage-Session", session)
    }

    /// A message within a session of the legacy protocol.
    pub fn legacy(body: &Value, session: &str) -> Self {
        Self::post("/mcp", body)
            .header("MCP-Protocol-Version", LEGACY)
            .header("Mcp-Session-Id", session)
    }

    fn bytes(&self) -> Vec<u8> {
        [self.head.as_bytes(), b"\r\n", self.body.as_bytes()].concat()
    }
}

/// The first message of the legacy protocol.
pub fn initialize(id: u64) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "initialize", "params": {
        "protocolVersion": LEGACY, "capabilities": {},
        "clientInfo": {"name": "soak", "version": "1"}}})
}

/// What follows its answer.
pub fn initialized() -> Value {
    json!({"jsonrpc": "2.0", "method": "notifications/initialized"})
}

/// A call of a tool in the legacy protocol.
pub fn legacy_tool(id: u64, name: &str, arguments: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call",
           "params": {"name": name, "arguments": arguments}})
}

/// The text that a tool answered with, which must be a success.
pub fn text_of_tool(message: &Value) -> Result<String, Trouble> {
    let result = message.get("result").unwrap_or(&Value::Null);
    let text = result.pointer("/content/0/text").and_then(Value::as_str);
    match (text, result.get("isError")) {
        (Some(text), None) => Ok(text.to_owned()),
        _ => Trouble::wrong(format!("the tool failed: {message}")),
    }
}

/// One answer.
pub struct Answer {
    pub status: u16,
    /// Of the legacy protocol.
    pub session: Option<String>,
    body: Vec<u8>,
}

impl Answer {
    /// Insists on one of these statuses. 503 means that the other side cannot now.
    pub fn expect(self, statuses: &[u16]) -> Result<Self, Trouble> {
        if statuses.contains(&self.status) {
            return Ok(self);
        }
        let told: String = String::from_utf8_lossy(&self.body)
            .chars()
            .take(400)
            .collect();
        let problem = format!("status {}: {told}", self.status);
        match self.status {
            503 => Err(Trouble::Away(problem)),
            _ => Err(Trouble::Wrong(problem)),
        }
    }

    /// The body of a success.
    pub fn json(self) -> Result<Value, Trouble> {
        let answer = self.expect(&[200, 201])?;
        serde_json::from_slice(&answer.body)
            .map_err(|error| Trouble::Wrong(format!("the answer is no JSON: {error}")))
    }
}

/// A connection, kept open between requests.
pub struct Wire(BufReader<TcpStream>);

impl Wire {
    pub fn open(address: SocketAddr) -> Result<Self, Trouble> {
        let connect = || {
            let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            Ok(Self(BufReader::new(stream)))
        };
        connect().map_err(|error| away("could not connect", &error))
    }

    /// Sends a request and reads the whole answer.
    pub fn exchange(&mut self, ask: &Ask) -> Result<Answer, Trouble> {
        self.send(&ask.bytes())?;
        self.answer().map_err(|error| away("no answer", &error))
    }

    /// Sends a part of a request, from nothing at all to everything.
    pub fn send_part(&mut self, ask: &Ask, per_mille: usize) -> Result<(), Trouble> {
        let bytes = ask.bytes();
        let length = bytes.len() * per_mille / 1_000;
        self.send(bytes.get(..length).unwrap_or_default())
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        let sent = self.0.get_mut().write_all(bytes);
        sent.map_err(|error| away("could not send", &error))
    }

    fn answer(&mut self) -> std::io::Result<Answer> {
        let broken = |what: &str| std::io::Error::other(format!("{what} in the answer"));
        let status = self.line()?;
        let status = status.split(' ').nth(1).and_then(|word| word.parse().ok());
        let mut answer = Answer {
            status: status.ok_or_else(|| broken("no status"))?,
            session: None,
            body: Vec::new(),
        };
        let mut length = 0;
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => {
                    length = value.trim().parse().map_err(|_| broken("no length"))?;
                }
                "transfer-encoding" => return Err(broken("chunks")),
                "mcp-session-id" => answer.session = Some(value.trim().to_owned()),
                _ => {}
            }
        }
        answer.body = vec![0; length];
        self.0.read_exact(&mut answer.body)?;
        Ok(answer)
    }

    fn line(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        match self.0.read_line(&mut line)? {
            0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line.trim_end().to_owned()),
        }
    }
}

fn away(what: &str, error: &std::io::Error) -> Trouble {
    Trouble::Away(format!("{what}: {error}"))
}
