//! A client of our own, which says over HTTP whatever a test wants said.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};

use super::PATIENCE;

/// A request in the making.
#[derive(Debug, Clone)]
pub struct Ask {
    pub method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

impl Ask {
    pub fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: vec![("Host".to_owned(), "localhost".to_owned())],
            body: None,
        }
    }

    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    pub fn post(target: &str, body: &Value) -> Self {
        Self::new("POST", target)
            .header("Content-Type", "application/json")
            .body(body.to_string())
    }

    /// A call of a tool in the protocol of 2026-07-28, which needs no session.
    pub fn tool(name: &str, arguments: Value) -> Self {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
            "name": name, "arguments": arguments, "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {}}}});
        Self::post("/mcp", &body)
            .header("MCP-Protocol-Version", "2026-07-28")
            .header("Mcp-Method", "tools/call")
            .header("Mcp-Name", name)
            .header("Sage-Project", "acme/shop")
    }

    /// Adds a header; a second one of the same name comes beside the first.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Leaves a header out.
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        self
    }

    pub fn host(self, host: &str) -> Self {
        self.without("Host").header("Host", host)
    }

    pub fn token(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// The request as it goes over the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(body) = &self.body {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(self.body.as_deref().unwrap_or_default());
        bytes
    }
}

/// An answer.
#[derive(Clone)]
pub struct Reply {
    pub status: u16,
    /// Names in lower case, in the order in which they came.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    /// The only value of a header.
    #[track_caller]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(n, _)| n == name);
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} is there twice: {self:?}");
        value
    }

    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {self:?}"))
    }

    /// Insists on a status.
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start: String = String::from_utf8_lossy(&self.body)
            .chars()
            .take(500)
            .collect();
        write!(f, "{} {:?} {start:?}", self.status, self.headers)
    }
}

/// The text in a tool's answer, which must be a success.
#[track_caller]
pub fn text_of_tool(reply: &Reply) -> String {
    assert_eq!(reply.status, 200, "{reply:?}");
    let result = reply.json()["result"].clone();
    assert!(result["isError"] != json!(true), "{result}");
    result["content"][0]["text"].as_str().unwrap().to_owned()
}

trait Wire: Read + Write + Send {
    fn close_write(&self);
}

impl Wire for TcpStream {
    fn close_write(&self) {
        let _ = self.shutdown(Shutdown::Write);
    }
}

impl Wire for UnixStream {
    fn close_write(&self) {
        let _ = self.shutdown(Shutdown::Write);
    }
}

/// One connection that stays open until it is dropped. Waiting for bytes ends after [`PATIENCE`].
pub struct Connection {
    wire: Box<dyn Wire>,
    unread: Vec<u8>,
}

impl Connection {
    #[track_caller]
    pub fn tcp(address: &str) -> Self {
        Self::try_tcp(address).unwrap()
    }

    /// The same, unless nobody listens there.
    pub fn try_tcp(address: &str) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        let wire = Box::new(stream);
        let unread = Vec::new();
        Ok(Self { wire, unread })
    }

    #[track_caller]
    pub fn unix(path: &std::path::Path) -> Self {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        let wire = Box::new(stream);
        let unread = Vec::new();
        Self { wire, unread }
    }

    #[track_caller]
    pub fn send(&mut self, bytes: &[u8]) {
        self.wire.write_all(bytes).unwrap();
    }

    /// Sends what the server still takes; says whether that was all.
    pub fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.wire.write_all(bytes).is_ok()
    }

    /// Says that nothing more comes.
    pub fn close_write(&mut self) {
        self.wire.close_write();
    }

    /// The next answer, whole.
    #[track_caller]
    pub fn reply(&mut self) -> Reply {
        self.try_reply().expect("the server answers")
    }

    /// The same; `None` when the connection ends before the answer does.
    #[track_caller]
    pub fn try_reply(&mut self) -> Option<Reply> {
        let mut reply = self.try_head_reply()?;
        let has_body = reply.status >= 200 && ![204, 304].contains(&reply.status);
        if has_body {
            let length = reply.header("content-length").unwrap().parse().unwrap();
            while self.unread.len() < length {
                if !self.fill() {
                    return None;
                }
            }
            reply.body = self.unread.drain(..length).collect();
        }
        Some(reply)
    }

    /// The next answer, where it has no body whatever its length says: that to HEAD.
    #[track_caller]
    pub fn head_reply(&mut self) -> Reply {
        self.try_head_reply().expect("the server answers")
    }

    /// The same; `None` when the connection ends first.
    #[track_caller]
    pub fn try_head_reply(&mut self) -> Option<Reply> {
        let end = loop {
            let end = self.unread.windows(4).position(|four| four == b"\r\n\r\n");
            match end {
                Some(end) => break end,
                None if self.fill() => {}
                None => return None,
            }
        };
        let head: Vec<u8> = self.unread.drain(..end + 4).collect();
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        let headers = lines.map(|line| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_ascii_lowercase(), value.trim().to_owned())
        });
        Some(Reply {
            status: status.parse().unwrap(),
            headers: headers.collect(),
            body: Vec::new(),
        })
    }

    /// Reads to the end of the connection: whether the server closed it without saying more.
    #[track_caller]
    pub fn is_closed(&mut self) -> bool {
        self.unread.is_empty() && !self.fill()
    }

    /// Waits for more bytes; `false` at the end. A reset is an end as well.
    #[track_caller]
    fn fill(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        loop {
            match self.wire.read(&mut buffer) {
                Ok(count) => {
                    self.unread.extend_from_slice(&buffer[..count]);
                    return count > 0;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return false,
                Err(error) => panic!("the server does not answer: {error}"),
            }
        }
    }
}
