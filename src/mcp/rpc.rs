//! JSON-RPC 2.0 (<https://www.jsonrpc.org/specification>): bytes to messages, answers to lines.

use serde_json::{Map, Number, Value, json};

use crate::error::Error;

/// A JSON object.
pub type Object = Map<String, Value>;

/// What a caller sent: one thing, or several at once.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// One thing.
    One(Item),
    /// An array; whether that is allowed is the era's business.
    Batch(Vec<Item>),
}

/// One thing that a caller sent.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// It wants an answer.
    Request(Request),
    /// It wants none.
    Notification {
        /// What happened.
        method: String,
        /// The details.
        params: Object,
    },
    /// An answer to a question that Sage never asks.
    Response,
    /// Neither; answered with the fault.
    Broken {
        /// The id, where one could be read.
        id: Option<Id>,
        /// What is wrong with it.
        fault: Fault,
    },
}

/// A request.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Comes back with the answer.
    pub id: Id,
    /// What to do.
    pub method: String,
    /// With what; empty when absent.
    pub params: Object,
}

/// The name of a request. MCP forbids null; fractions would not survive other parsers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Id {
    /// A text.
    Text(String),
    /// A whole number of at most 64 bits.
    Number(Number),
}

impl Id {
    /// Reads an id; `None` for everything that is not one.
    pub fn read(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self::Text(text.clone())),
            Value::Number(number) if number.is_i64() || number.is_u64() => {
                Some(Self::Number(number.clone()))
            }
            _ => None,
        }
    }

    /// The id as it came.
    pub fn to_value(&self) -> Value {
        match self {
            Self::Text(text) => Value::String(text.clone()),
            Self::Number(number) => Value::Number(number.clone()),
        }
    }
}

/// The error of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// One of the constants below.
    pub code: i64,
    /// One line for people.
    pub message: String,
    /// Details for programs.
    pub data: Option<Value>,
}

/// The bytes are no JSON.
pub const PARSE_ERROR: i64 = -32700;
/// The JSON is no request.
pub const INVALID_REQUEST: i64 = -32600;
/// There is no such method.
pub const METHOD_NOT_FOUND: i64 = -32601;
/// The parameters do not fit the method.
pub const INVALID_PARAMS: i64 = -32602;
/// Sage failed.
pub const INTERNAL_ERROR: i64 = -32603;
/// A resource is missing; legacy eras only (2026-07-28 uses [`INVALID_PARAMS`]).
pub const RESOURCE_NOT_FOUND: i64 = -32002;
/// The headers do not say what the body says (2026-07-28, HTTP).
pub const HEADER_MISMATCH: i64 = -32020;
/// The protocol version of a request is not served (2026-07-28).
pub const UNSUPPORTED_VERSION: i64 = -32022;

impl Fault {
    /// A fault without data.
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            data: None,
        }
    }

    /// The same with details for programs.
    pub fn with(mut self, data: Value) -> Self {
        self.data = Some(data);
        self
    }

    /// The parameters do not fit the method.
    pub fn params(message: impl Into<String>) -> Self {
        Self::new(INVALID_PARAMS, message)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let code = match error {
            Error::Invalid { .. } | Error::NotFound(_) => INVALID_PARAMS,
            Error::Store(_) | Error::Unavailable(_) | Error::Io(_) | Error::Internal(_) => {
                INTERNAL_ERROR
            }
        };
        Self::new(code, error.to_string())
    }
}

impl Message {
    /// Reads one message. Linear in `bytes`; serde_json refuses nesting beyond 128 levels, so the
    /// stack is safe whatever comes.
    pub fn read(bytes: &[u8]) -> Self {
        match serde_json::from_slice(bytes) {
            Ok(Value::Array(items)) if items.is_empty() => {
                Self::One(broken(None, "an empty batch holds no request"))
            }
            Ok(Value::Array(items)) => Self::Batch(items.into_iter().map(read_item).collect()),
            Ok(value) => Self::One(read_item(value)),
            Err(error) => Self::One(Item::Broken {
                id: None,
                fault: Fault::new(PARSE_ERROR, format!("not readable as JSON: {error}")),
            }),
        }
    }
}

fn read_item(value: Value) -> Item {
    let Value::Object(mut object) = value else {
        return broken(None, "expected a JSON object");
    };
    let id_value = object.remove("id");
    let id = id_value.as_ref().and_then(Id::read);
    if object.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return broken(id, "jsonrpc: expected \"2.0\"");
    }
    let method = match object.remove("method") {
        Some(Value::String(method)) => method,
        Some(_) => return broken(id, "method: expected a text"),
        None if object.contains_key("result") || object.contains_key("error") => {
            return Item::Response;
        }
        None => return broken(id, "method: missing"),
    };
    if id_value.is_some() && id.is_none() {
        return broken(None, "id: expected a text or a whole number");
    }
    let params = match object.remove("params") {
        Some(Value::Object(params)) => params,
        // Some clients write out an absent value as null.
        None | Some(Value::Null) => Object::new(),
        Some(Value::Array(_)) => {
            let fault = Fault::params("params: expected an object, not a list");
            return Item::Broken { id, fault };
        }
        Some(_) => return broken(id, "params: expected an object"),
    };
    match id {
        Some(id) => Item::Request(Request { id, method, params }),
        None => Item::Notification { method, params },
    }
}

fn broken(id: Option<Id>, message: &str) -> Item {
    Item::Broken {
        id,
        fault: Fault::new(INVALID_REQUEST, message),
    }
}

/// The answer to a request that worked, as one line.
pub fn answer(id: &Id, result: Value) -> String {
    json!({"jsonrpc": "2.0", "id": id.to_value(), "result": result}).to_string()
}

/// What wants no answer, as one line.
pub fn notification(method: &str, params: Value) -> String {
    json!({"jsonrpc": "2.0", "method": method, "params": params}).to_string()
}

/// What stands for an id that could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoId {
    /// `null`, as JSON-RPC says; the schemas up to 2025-06-18 leave no better choice.
    Null,
    /// No id at all, as the schemas from 2025-11-25 on want it.
    Absent,
}

/// The answer to a request that failed, as one line.
pub fn refusal(id: Option<&Id>, no_id: NoId, fault: &Fault) -> String {
    let mut error = json!({"code": fault.code, "message": fault.message});
    if let (Some(data), Some(error)) = (&fault.data, error.as_object_mut()) {
        error.insert("data".to_owned(), data.clone());
    }
    match (id, no_id) {
        (Some(id), _) => json!({"jsonrpc": "2.0", "id": id.to_value(), "error": error}),
        (None, NoId::Null) => json!({"jsonrpc": "2.0", "id": null, "error": error}),
        (None, NoId::Absent) => json!({"jsonrpc": "2.0", "error": error}),
    }
    .to_string()
}

/// The answers to a batch as one line; nothing when nothing in it wanted an answer.
pub fn answer_batch(answers: &[String]) -> Option<String> {
    (!answers.is_empty()).then(|| format!("[{}]", answers.join(",")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    fn one(text: &str) -> Item {
        match Message::read(text.as_bytes()) {
            Message::One(item) => item,
            Message::Batch(_) => panic!("a batch: {text}"),
        }
    }

    #[track_caller]
    fn check_broken(text: &str, code: i64, id: Option<Id>) {
        match one(text) {
            Item::Broken { id: got, fault } => {
                assert_eq!((fault.code, got), (code, id), "{text}");
                assert!(!fault.message.contains('\n'));
            }
            other => panic!("{text} was read as {other:?}"),
        }
    }

    #[test]
    fn what_is_no_request_says_why() {
        for text in ["", "{", "nul", "{\"a\":\u{0}}", "{} {}", "\"\\ud800\""] {
            check_broken(text, PARSE_ERROR, None);
        }
        for text in ["1", "null", "\"x\"", "[]", "{}", r#"{"jsonrpc":"2.0"}"#] {
            check_broken(text, INVALID_REQUEST, None);
        }
        let seven = Some(Id::Number(7.into()));
        for text in [
            r#"{"id":7,"method":"ping"}"#,
            r#"{"jsonrpc":"1.0","id":7,"method":"ping"}"#,
            r#"{"jsonrpc":2.0,"id":7,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":7,"method":3}"#,
            r#"{"jsonrpc":"2.0","id":7}"#,
            r#"{"jsonrpc":"2.0","id":7,"method":"ping","params":3}"#,
        ] {
            check_broken(text, INVALID_REQUEST, seven.clone());
        }
        check_broken(
            r#"{"jsonrpc":"2.0","id":7,"method":"ping","params":[1]}"#,
            INVALID_PARAMS,
            seven,
        );
        for id in ["null", "1.5", "1e300", "true", "[]", "{}"] {
            let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
            check_broken(&text, INVALID_REQUEST, None);
        }
    }

    #[test]
    fn ids_come_back_as_they_came() {
        for id in ["1", "-1", "18446744073709551615", "\"1\"", "\"\""] {
            let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
            let Item::Request(request) = one(&text) else {
                panic!("no request: {text}");
            };
            let line = answer(&request.id, json!({}));
            assert!(line.contains(&format!("\"id\":{id}")), "{line}");
        }
    }

    #[test]
    fn responses_and_notifications_are_told_apart() {
        assert_eq!(
            one(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#),
            Item::Response
        );
        assert_eq!(
            one(r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":""}}"#),
            Item::Response
        );
        assert_eq!(
            one(r#"{"jsonrpc":"2.0","method":"x","params":null}"#),
            Item::Notification {
                method: "x".to_owned(),
                params: Object::new()
            }
        );
    }

    #[test]
    fn deep_nesting_is_an_error_not_a_crash() {
        let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
        assert!(matches!(
            Message::read(&deep),
            Message::One(Item::Broken { fault, .. }) if fault.code == PARSE_ERROR
        ));
    }

    #[test]
    fn an_unread_id_is_null_or_absent() {
        let fault = Fault::new(PARSE_ERROR, "x");
        let line = refusal(None, NoId::Null, &fault);
        assert!(line.contains("\"id\":null"), "{line}");
        let line = refusal(None, NoId::Absent, &fault);
        assert!(!line.contains("\"id\""), "{line}");
    }
}
