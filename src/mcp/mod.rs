//! The Model Context Protocol: one core that turns a message into a reply, with no transport in it.
//!
//! A transport reads a [`rpc::Message`], has it unfolded by [`Mcp::unfold`], hands every item to
//! [`Mcp::handle`], and sends what comes back. Two generations of the protocol are served side by
//! side, request by request: see [`eras`].

pub mod arguments;
mod completion;
pub mod eras;
#[cfg(feature = "conformance-fixtures")]
mod fixtures;
mod handoff;
pub mod notices;
mod prompts;
mod render;
mod resources;
pub mod rpc;
pub mod stdio;
pub mod tools;

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use self::eras::{Caching, Era, Spoken};
use self::notices::Notices;
use self::rpc::{Fault, Item, Message, Object, Request};
use crate::engine::{Engine, ProjectHints};

/// What tells a model when to look and what to keep. Clients show it with every conversation and
/// cut it at 2,000 characters.
const INSTRUCTIONS: &str = include_str!("instructions.txt");

/// The MCP surface over an engine.
pub struct Mcp {
    engine: Arc<Engine>,
    context_tokens: usize,
}

/// Who calls: what is known about where they stand, and what they said before.
pub struct Caller {
    hints: ProjectHints,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    spoken: Spoken,
    session: Option<String>,
}

impl Caller {
    /// A caller who has said nothing yet.
    pub fn new(hints: ProjectHints) -> Self {
        Self {
            hints,
            state: Mutex::default(),
        }
    }

    /// The session that writes belong to: the one switched to, else the client's own.
    fn session(&self) -> Option<String> {
        let switched = self.with_state(|state| state.session.clone());
        switched.or_else(|| self.hints.session.clone())
    }

    fn switch_session(&self, id: &str) {
        self.with_state(|state| state.session = Some(id.to_owned()));
    }

    fn spoken(&self) -> Spoken {
        self.with_state(|state| state.spoken)
    }

    fn speaks(&self, spoken: Spoken) {
        self.with_state(|state| state.spoken = spoken);
    }

    /// A panic elsewhere leaves the state whole: each change is one assignment.
    fn with_state<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A message after the rules on batches.
pub struct Unfolded {
    /// What it holds, in order.
    pub items: Vec<Item>,
    /// Whether the answers go back as an array.
    pub is_batch: bool,
}

/// The answer to one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The message, without the end of its line.
    pub line: String,
    /// The code of the fault, if it is one: a transport may have a status for it.
    pub fault: Option<i64>,
    /// Whether what was asked for did not happen: a fault, or a tool that says so.
    pub has_failed: bool,
}

impl Answer {
    fn result(id: &rpc::Id, result: Value) -> Self {
        Self {
            has_failed: result.get("isError") == Some(&Value::Bool(true)),
            line: rpc::answer(id, result),
            fault: None,
        }
    }

    /// A request that failed.
    pub fn refusal(id: Option<&rpc::Id>, no_id: rpc::NoId, fault: &Fault) -> Self {
        Self {
            line: rpc::refusal(id, no_id, fault),
            fault: Some(fault.code),
            has_failed: true,
        }
    }
}

impl Mcp {
    /// A surface over `engine`; `context_tokens` is the budget of a context when nobody names one.
    pub fn new(engine: Arc<Engine>, context_tokens: usize) -> Self {
        Self {
            engine,
            context_tokens,
        }
    }

    /// Takes a message apart. Only 2025-03-26 knows batches; elsewhere one is a broken request.
    pub fn unfold(&self, caller: &Caller, message: Message) -> Unfolded {
        match message {
            Message::One(item) => Unfolded {
                items: vec![item],
                is_batch: false,
            },
            Message::Batch(items) if caller.spoken() == Spoken::Legacy(eras::WITH_BATCHES) => {
                Unfolded {
                    items: items.into_iter().map(without_initialize).collect(),
                    is_batch: true,
                }
            }
            Message::Batch(_) => Unfolded {
                items: vec![Item::Broken {
                    id: None,
                    fault: Fault::new(
                        rpc::INVALID_REQUEST,
                        "batches belong to protocol version 2025-03-26; send one object a message",
                    ),
                }],
                is_batch: false,
            },
        }
    }

    /// Whether answering this may have to wait for the store; everything else is answered at once.
    pub fn waits(item: &Item) -> bool {
        const WAITING: [&str; 5] = [
            "tools/call",
            "resources/list",
            "resources/read",
            "prompts/get",
            "completion/complete",
        ];
        matches!(item, Item::Request(request) if WAITING.contains(&request.method.as_str()))
    }

    /// The tool that an item calls, as far as Sage knows it by name.
    pub fn tool_of(item: &Item) -> Option<&'static str> {
        match item {
            Item::Request(request) if request.method == "tools/call" => {
                let name = request.params.get("name").and_then(Value::as_str);
                Some(name.and_then(tools::name_of).unwrap_or("(unknown)"))
            }
            _ => None,
        }
    }

    /// Answers one item, or does not, where nothing is expected. What the request has to tell
    /// before goes to `notices`; only what [`Mcp::waits`] for tells anything.
    pub async fn handle(&self, caller: &Caller, item: &Item, notices: &Notices) -> Option<Answer> {
        match item {
            Item::Request(request) => Some(match self.answer(caller, request, notices).await {
                Ok(result) => Answer::result(&request.id, result),
                Err(fault) => Answer::refusal(Some(&request.id), rpc::NoId::Absent, &fault),
            }),
            Item::Broken { id, fault } => {
                let no_id = caller.spoken().no_id();
                Some(Answer::refusal(id.as_ref(), no_id, fault))
            }
            // Cancellation is the transport's business: only it knows what is in flight.
            Item::Notification { .. } | Item::Response => None,
        }
    }

    /// The answer to a request whose handling broke down.
    pub fn broke_down(id: &rpc::Id) -> Answer {
        let fault = Fault::new(
            rpc::INTERNAL_ERROR,
            "Sage failed on this request, please report it; other requests are not affected",
        );
        Answer::refusal(Some(id), rpc::NoId::Absent, &fault)
    }

    async fn answer(
        &self,
        caller: &Caller,
        request: &Request,
        #[cfg_attr(
            not(feature = "conformance-fixtures"),
            expect(unused_variables, reason = "only fixtures take long enough to tell")
        )]
        notices: &Notices,
    ) -> Result<Value, Fault> {
        let era = Era::of(request)?;
        let (caching, result) = match (era, request.method.as_str()) {
            #[cfg(feature = "conformance-fixtures")]
            _ if fixtures::have(request) => fixtures::answer(request, notices).await?,
            (Era::Legacy, "initialize") => (Caching::Without, initialize(caller, &request.params)),
            (Era::Legacy, "ping") => (Caching::Without, json!({})),
            (Era::Modern, "server/discover") => (Caching::Fixed, discover()),
            (_, "tools/list") => (Caching::Fixed, only_page(&request.params, tools::list())?),
            (_, "tools/call") => (
                Caching::Without,
                tools::call(self, caller, &request.params).await?,
            ),
            (_, "prompts/list") => (Caching::Fixed, only_page(&request.params, prompts::list())?),
            (_, "prompts/get") => (
                Caching::Without,
                prompts::get(self, caller, &request.params).await?,
            ),
            (_, "resources/templates/list") => (
                Caching::Fixed,
                only_page(&request.params, resources::templates())?,
            ),
            (_, "resources/list") => (
                Caching::Memories,
                resources::list(self, caller, &request.params).await?,
            ),
            (_, "resources/read") => (
                Caching::Memories,
                resources::read(self, caller, era, &request.params).await?,
            ),
            (_, "completion/complete") => (
                Caching::Without,
                completion::complete(self, caller, &request.params).await?,
            ),
            (_, method) => return Err(unknown_method(method)),
        };
        #[cfg(feature = "conformance-fixtures")]
        let result = fixtures::join(request, result);
        if era == Era::Modern {
            caller.speaks(Spoken::Modern);
        }
        match result {
            Value::Object(result) => Ok(eras::dress(era, caching, result)),
            _ => Err(Fault::new(rpc::INTERNAL_ERROR, "a result is no object")),
        }
    }
}

fn initialize(caller: &Caller, params: &Object) -> Value {
    let version = eras::negotiate(params.get("protocolVersion").and_then(Value::as_str));
    caller.speaks(Spoken::Legacy(version));
    json!({
        "protocolVersion": version,
        "capabilities": eras::capabilities(),
        "serverInfo": eras::server_info(),
        "instructions": INSTRUCTIONS,
    })
}

fn discover() -> Value {
    json!({
        "supportedVersions": eras::supported_versions(),
        "capabilities": eras::capabilities(),
        "instructions": INSTRUCTIONS,
    })
}

/// A list that fits one page gives out no cursor, so every cursor is a wrong one.
fn only_page(params: &Object, list: Value) -> Result<Value, Fault> {
    match params.get("cursor") {
        None | Some(Value::Null) => Ok(list),
        Some(_) => Err(Fault::params(
            "cursor: unknown; this list has one page, ask without a cursor",
        )),
    }
}

/// A member of the parameters that must be a text.
fn param_text<'a>(params: &'a Object, name: &str) -> Result<&'a str, Fault> {
    match params.get(name) {
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(Fault::params(format!("{name}: expected a text"))),
        None => Err(Fault::params(format!("{name}: missing; expected a text"))),
    }
}

fn without_initialize(item: Item) -> Item {
    match item {
        Item::Request(request) if request.method == "initialize" => Item::Broken {
            id: Some(request.id),
            fault: Fault::new(rpc::INVALID_REQUEST, "initialize cannot be part of a batch"),
        },
        other => other,
    }
}

fn unknown_method(method: &str) -> Fault {
    let shown: String = method.chars().take(60).collect();
    Fault::new(
        rpc::METHOD_NOT_FOUND,
        format!("unknown method \"{}\"", shown.escape_debug()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_are_short_enough_for_every_client() {
        assert!(INSTRUCTIONS.chars().count() < 1_500);
        assert!(INSTRUCTIONS.is_ascii());
    }
}
