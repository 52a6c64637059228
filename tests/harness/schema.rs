//! Holds every message of the server against the protocol's own schema of its era.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, OnceLock};

use jsonschema::Validator;
use serde_json::{Value, json};

const MODERN: &str = "2026-07-28";
const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";

/// Remembers what was asked, so that it knows what each answer must look like.
pub struct Checker {
    negotiated: Option<String>,
    last_was_modern: bool,
    asked: HashMap<String, Asked>,
    progress: HashMap<String, Progress>,
    misshapen: HashSet<String>,
}

#[derive(Clone)]
struct Asked {
    method: String,
    version: String,
    progress_token: Option<String>,
}

/// What a request that gave a progress token has been told; dropped with the answer.
struct Progress {
    version: String,
    last: Option<f64>,
}

impl Checker {
    pub fn new() -> Self {
        Self {
            negotiated: None,
            last_was_modern: false,
            asked: HashMap::new(),
            progress: HashMap::new(),
            misshapen: HashSet::new(),
        }
    }

    /// Notes what goes to the server; what is no request is passed over.
    pub fn sent(&mut self, line: &[u8]) {
        match serde_json::from_slice(line) {
            Ok(Value::Array(items)) => items.iter().for_each(|item| self.note(item)),
            Ok(message) => self.note(&message),
            Err(_) => {}
        }
    }

    fn note(&mut self, message: &Value) {
        let id = message["id"].to_string();
        let Some(method) = message["method"].as_str() else {
            let is_response = message.get("result").is_some() || message.get("error").is_some();
            if !is_response {
                self.misshapen.insert(id);
            }
            return;
        };
        let is_modern = message["params"]["_meta"].get(VERSION_KEY).is_some();
        let version = match is_modern {
            true => MODERN.to_owned(),
            false => self.legacy_version(),
        };
        let token = message["params"]["_meta"].get("progressToken");
        let progress_token = token.map(Value::to_string);
        if let Some(token) = progress_token.clone() {
            let version = version.clone();
            self.progress.insert(
                token,
                Progress {
                    version,
                    last: None,
                },
            );
        }
        let method = method.to_owned();
        let asked = Asked {
            method,
            version,
            progress_token,
        };
        self.asked.insert(id, asked);
        self.last_was_modern = is_modern;
    }

    fn legacy_version(&self) -> String {
        self.negotiated.clone().unwrap_or("2025-11-25".to_owned())
    }

    /// Checks what came from the server.
    #[track_caller]
    pub fn received(&mut self, line: &str) {
        let message: Value = serde_json::from_str(line)
            .unwrap_or_else(|error| panic!("stdout holds no JSON ({error}): {line}"));
        match &message {
            Value::Array(items) => {
                assert_eq!(self.legacy_version(), "2025-03-26", "a batch: {line}");
                assert!(!items.is_empty(), "an empty batch");
                items.iter().for_each(|item| self.check(item));
            }
            message => self.check(message),
        }
    }

    #[track_caller]
    fn check(&mut self, message: &Value) {
        let id = message["id"].to_string();
        if message["method"] == "notifications/progress" {
            return self.check_progress(message);
        }
        if message["id"].is_null() {
            return self.check_without_id(message);
        }
        if self.misshapen.contains(&id) {
            assert!(message.get("error").is_some(), "{message}");
            return validate(&self.legacy_version(), "JSONRPCMessage", message);
        }
        let Some(asked) = self.asked.get(&id).cloned() else {
            panic!("an answer to nothing: {message}");
        };
        if let Some(token) = &asked.progress_token {
            self.progress.remove(token);
        }
        let version = asked.version.as_str();
        validate(version, "JSONRPCMessage", message);
        if message.get("error").is_some() {
            if message["error"]["code"] == -32022 {
                validate(version, "UnsupportedProtocolVersionError", message);
            }
            return;
        }
        let result = &message["result"];
        let definition = definition_of(&asked.method);
        validate(version, definition, result);
        assert!(result.get("structuredContent").is_none(), "{message}");
        if version == MODERN {
            let server = &result["_meta"]["io.modelcontextprotocol/serverInfo"];
            assert_eq!(server["name"], "sage", "{message}");
        }
        if asked.method == "initialize" {
            let version = result["protocolVersion"].as_str().unwrap();
            self.negotiated = Some(version.to_owned());
        }
    }

    /// Progress belongs to a request that asked for it and has no answer yet, and it increases.
    #[track_caller]
    fn check_progress(&mut self, message: &Value) {
        let token = message["params"]["progressToken"].to_string();
        let Some(progress) = self.progress.get_mut(&token) else {
            panic!("progress of nothing: {message}");
        };
        validate(&progress.version, "JSONRPCMessage", message);
        validate(&progress.version, "ProgressNotification", message);
        let now = message["params"]["progress"].as_f64();
        assert!(now > progress.last, "no progress: {message}");
        progress.last = now;
    }

    /// Only errors may come without an id: null where JSON-RPC's own rule holds, none at all where
    /// the schema of the version allows that.
    #[track_caller]
    fn check_without_id(&self, message: &Value) {
        let negotiated = self.negotiated.as_deref();
        let wants_null = !self.last_was_modern && negotiated.is_none_or(|v| v <= "2025-06-18");
        assert!(
            message["error"]["code"].is_i64(),
            "an answer to nothing: {message}"
        );
        let id = message.get("id");
        let expected = wants_null.then_some(&Value::Null);
        assert_eq!(id, expected, "the id of {message}");
        let mut with_id = message.clone();
        with_id["id"] = json!(0);
        validate(&self.legacy_version(), "JSONRPCMessage", &with_id);
        if !wants_null {
            validate(MODERN, "JSONRPCMessage", message);
        }
    }
}

fn definition_of(method: &str) -> &'static str {
    match method {
        "initialize" => "InitializeResult",
        "server/discover" => "DiscoverResult",
        "ping" => "EmptyResult",
        "tools/list" => "ListToolsResult",
        "tools/call" => "CallToolResult",
        "resources/list" => "ListResourcesResult",
        "resources/templates/list" => "ListResourceTemplatesResult",
        "resources/read" => "ReadResourceResult",
        "prompts/list" => "ListPromptsResult",
        "prompts/get" => "GetPromptResult",
        "completion/complete" => "CompleteResult",
        other => panic!("{other} has no result"),
    }
}

#[track_caller]
fn validate(version: &str, definition: &str, instance: &Value) {
    let validator = validator(version, definition);
    let errors: Vec<_> = validator
        .iter_errors(instance)
        .map(|error| format!("{error} at {}", error.instance_path()))
        .collect();
    assert!(
        errors.is_empty(),
        "no {definition} of {version}: {errors:?}\n{instance}"
    );
}

/// Compiling a schema takes longer than every test; each is compiled once.
fn validator(version: &str, definition: &str) -> Arc<Validator> {
    type Cache = Mutex<HashMap<(String, String), Arc<Validator>>>;
    static CACHE: OnceLock<Cache> = OnceLock::new();
    let mut cache = CACHE.get_or_init(Cache::default).lock().unwrap();
    let key = (version.to_owned(), definition.to_owned());
    let compiled = cache.entry(key).or_insert_with(|| {
        let path = format!(
            "{}/tests/fixtures/mcp-schema/{version}.json",
            env!("CARGO_MANIFEST_DIR")
        );
        let text = std::fs::read_to_string(&path).unwrap();
        let mut schema: Value = serde_json::from_str(&text).unwrap();
        let place = match schema.get("$defs") {
            Some(_) => "$defs",
            None => "definitions",
        };
        assert!(schema[place].get(definition).is_some(), "{definition}");
        schema["$ref"] = json!(format!("#/{place}/{definition}"));
        Arc::new(jsonschema::validator_for(&schema).unwrap())
    });
    Arc::clone(compiled)
}
