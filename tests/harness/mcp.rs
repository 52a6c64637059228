//! A client that speaks MCP over stdio with the real executable, line by line.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};

use serde_json::{Value, json};

use super::PATIENCE;
use super::schema::Checker;

/// Which generation of the protocol the client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Era {
    /// `initialize` first; the version that the client asks for.
    Legacy(&'static str),
    /// 2026-07-28: every request says its version.
    Modern,
}

/// A running `sage mcp`.
pub struct Client {
    pub era: Era,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    checker: Checker,
    next_id: u64,
}

impl Client {
    /// Starts the command (from `Home::command(["mcp"])`); legacy clients shake hands.
    pub fn start(mut command: Command, era: Era) -> Self {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in stdout.lines() {
                if sender.send(line.unwrap()).is_err() {
                    break;
                }
            }
        });
        let stdin = child.stdin.take();
        let mut client = Self {
            era,
            child,
            stdin,
            lines,
            checker: Checker::new(),
            next_id: 1,
        };
        if let Era::Legacy(version) = era {
            client.request(
                "initialize",
                json!({"protocolVersion": version, "capabilities": {},
                       "clientInfo": {"name": "test", "version": "1"}}),
            );
            client.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        }
        client
    }

    /// Writes one message.
    pub fn send(&mut self, message: &Value) {
        self.send_line(&message.to_string());
    }

    /// Writes one line as it is.
    pub fn send_line(&mut self, line: &str) {
        self.send_bytes(format!("{line}\n").as_bytes());
    }

    /// Writes bytes as they are.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        bytes
            .split(|byte| *byte == b'\n')
            .for_each(|line| self.checker.sent(line));
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(bytes).unwrap();
        stdin.flush().unwrap();
    }

    /// The next line from the server, as it is; it keeps to the schema of its era.
    #[track_caller]
    pub fn line(&mut self) -> String {
        let line = self
            .lines
            .recv_timeout(PATIENCE)
            .expect("the server answers");
        self.checker.received(&line);
        line
    }

    /// The next message from the server.
    #[track_caller]
    pub fn receive(&mut self) -> Value {
        let line = self.line();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("not JSON ({error}): {line}"))
    }

    /// Sends a request and returns the whole reply.
    #[track_caller]
    pub fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.next_id;
        self.next_id += 1;
        let message = self.message(id, method, params);
        self.send(&message);
        let reply = self.receive();
        assert_eq!(reply["id"], id, "a reply to another request: {reply}");
        reply
    }

    /// A request in the client's era.
    pub fn message(&self, id: u64, method: &str, mut params: Value) -> Value {
        if self.era == Era::Modern {
            params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
            params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
        }
        json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
    }

    /// Calls a tool and returns its text; insists that it worked.
    #[track_caller]
    pub fn tool(&mut self, name: &str, arguments: Value) -> String {
        let reply = self.request("tools/call", json!({"name": name, "arguments": arguments}));
        let result = &reply["result"];
        assert!(result["isError"] != json!(true), "the tool failed: {reply}");
        text_of(result)
    }

    /// Calls a tool that must fail, and returns its text.
    #[track_caller]
    pub fn tool_error(&mut self, name: &str, arguments: Value) -> String {
        let reply = self.request("tools/call", json!({"name": name, "arguments": arguments}));
        let result = &reply["result"];
        assert_eq!(
            result["isError"],
            json!(true),
            "the tool did not fail: {reply}"
        );
        text_of(result)
    }

    /// Closes stdin, as a client does when it goes away.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Whether the server still runs.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends the server by the end of its input; returns how it ended and the lines it still wrote.
    pub fn end(mut self) -> (ExitStatus, Vec<String>) {
        self.stdin = None;
        let status = self.child.wait().unwrap();
        let rest: Vec<String> = self.lines.iter().collect();
        rest.iter().for_each(|line| self.checker.received(line));
        (status, rest)
    }

    /// Waits for a server that was told to end while its input is still open.
    pub fn wait(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Ends the server as a crash would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn text_of(result: &Value) -> String {
    let parts = result["content"].as_array().unwrap();
    parts
        .iter()
        .map(|part| part["text"].as_str().unwrap())
        .collect::<Vec<_>>()
        .join("\n")
}
