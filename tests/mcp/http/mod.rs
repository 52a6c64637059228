//! The same surface over HTTP: what the transport adds to it.

mod headers;
mod legacy;
mod load;
mod modern;
mod projects;

use std::collections::VecDeque;

use serde_json::{Value, json};

use crate::harness::{Ask, Checker, Era, Reply, Server};

const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
const MODERN: &str = "2026-07-28";

/// A client over HTTP. Whatever message comes back keeps to the schema of its era.
pub struct Http<'a> {
    pub server: &'a Server,
    era: Era,
    /// Sent with everything.
    headers: Vec<(String, String)>,
    /// The session that `initialize` opened.
    pub session: Option<String>,
    version: Option<String>,
    checker: Checker,
    /// The messages that came back and were not looked at yet.
    pub heard: VecDeque<Value>,
    next_id: u64,
}

impl<'a> Http<'a> {
    /// One that has said nothing yet; `headers` go with everything that it says.
    pub fn silent(server: &'a Server, headers: &[(&str, &str)]) -> Self {
        let headers = headers
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        Self {
            server,
            era: Era::Modern,
            headers: headers.collect(),
            session: None,
            version: None,
            checker: Checker::new(),
            heard: VecDeque::new(),
            next_id: 1,
        }
    }

    /// One of an era; legacy clients shake hands.
    #[track_caller]
    fn start(server: &'a Server, era: Era, headers: &[(&str, &str)]) -> Self {
        let mut client = Self::silent(server, headers);
        client.era = era;
        if let Era::Legacy(version) = era {
            client.initialize(version);
        }
        client
    }

    /// One of an era that works on the project `acme/shop`.
    #[track_caller]
    fn in_shop(server: &'a Server, era: Era) -> Self {
        Self::start(server, era, &[("Sage-Project", "acme/shop")])
    }

    /// Opens a session, and leaves behind the one that it had.
    #[track_caller]
    fn initialize(&mut self, version: &str) -> Reply {
        self.session = None;
        self.version = None;
        let params = json!({"protocolVersion": version, "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"}});
        let reply = self
            .post(&message(0, "initialize", params).to_string())
            .is(200);
        self.heard.clear();
        let note = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        self.post(&note.to_string()).is(202);
        reply
    }

    /// The HTTP request that carries a body in its era.
    fn ask(&self, body: &str) -> Ask {
        let value: Value = serde_json::from_str(body).unwrap_or_default();
        let mut ask = Ask::new("POST", "/mcp")
            .header("Content-Type", "application/json")
            .header("Accept", "application/json, text/event-stream");
        for (name, value) in &self.headers {
            ask = ask.header(name, value);
        }
        if let Some(version) = value["params"]["_meta"][VERSION_KEY].as_str() {
            ask = ask.header("MCP-Protocol-Version", version);
            ask = ask.header("Mcp-Method", value["method"].as_str().unwrap());
            let name = ["name", "uri"]
                .iter()
                .find_map(|n| value["params"][n].as_str());
            if let Some(name) = name {
                ask = ask.header("Mcp-Name", name);
            }
        } else {
            if let Some(session) = &self.session {
                ask = ask.header("Mcp-Session-Id", session);
            }
            if let Some(version) = &self.version {
                ask = ask.header("MCP-Protocol-Version", version);
            }
        }
        ask.body(body)
    }

    /// Sends a body with the headers that belong to it, whatever it is.
    #[track_caller]
    pub fn post(&mut self, body: &str) -> Reply {
        let ask = self.ask(body);
        self.send(ask, body)
    }

    /// Sends `ask`, which carries `body`.
    #[track_caller]
    fn send(&mut self, ask: Ask, body: &str) -> Reply {
        self.checker.sent(body.as_bytes());
        let reply = self.server.ask(&ask);
        if reply.status == 202 {
            assert!(reply.body.is_empty(), "{reply:?}");
            return reply;
        }
        assert_eq!(reply.header("content-type"), Some("application/json"));
        self.checker.received(reply.text());
        let message = reply.json();
        if let Some(session) = reply.header("mcp-session-id") {
            self.session = Some(session.to_owned());
            let version = message["result"]["protocolVersion"].as_str();
            self.version = version.map(str::to_owned);
        }
        self.heard.push_back(message);
        reply
    }

    /// Sends a request and returns the answer with its status.
    #[track_caller]
    fn answer(&mut self, method: &str, params: Value) -> (u16, Value) {
        let id = self.next_id;
        self.next_id += 1;
        let body = self.message(id, method, params).to_string();
        let status = self.post(&body).status;
        let message = self.heard.pop_back().expect("an answer");
        assert_eq!(message["id"], id, "{message}");
        (status, message)
    }

    /// Sends a request that must work, and returns its result.
    #[track_caller]
    fn request(&mut self, method: &str, params: Value) -> Value {
        let (status, message) = self.answer(method, params);
        assert_eq!(status, 200, "{message}");
        let result = message.get("result").cloned();
        result.unwrap_or_else(|| panic!("{method}: {message}"))
    }

    /// A request in the client's era.
    fn message(&self, id: u64, method: &str, params: Value) -> Value {
        match self.era {
            Era::Modern => modern_message(id, method, params),
            Era::Legacy(_) => message(id, method, params),
        }
    }

    /// Calls a tool and returns its text; insists that it worked.
    #[track_caller]
    fn tool(&mut self, name: &str, arguments: Value) -> String {
        let result = self.request("tools/call", json!({"name": name, "arguments": arguments}));
        assert_eq!(result.get("isError"), None, "{result}");
        result["content"][0]["text"].as_str().unwrap().to_owned()
    }
}

fn message(id: u64, method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

fn modern_message(id: u64, method: &str, mut params: Value) -> Value {
    params["_meta"] = json!({VERSION_KEY: MODERN,
        "io.modelcontextprotocol/clientCapabilities": {}});
    message(id, method, params)
}

/// Insists on a status and the code of an error.
#[track_caller]
fn refused(reply: &Reply, status: u16, code: i64) -> Value {
    assert_eq!(reply.status, status, "{reply:?}");
    let error = reply.json()["error"].clone();
    assert_eq!(error["code"], code, "{reply:?}");
    error
}
