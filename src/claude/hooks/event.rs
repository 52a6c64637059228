//! What Claude Code tells a hook: read leniently, kept within limits.
//!
//! The client adds fields from version to version, so only those that Sage uses are looked at, and
//! one that has another type than expected counts as absent.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::capture::{CONTENT_BYTES_MAX, NAME_BYTES_MAX};
use crate::claude::project::place;
use crate::engine::{Engine, Place};
use crate::error::{Error, Result};
use crate::memory::Project;

/// The longest event that is read, in bytes. A prompt or a reply may be large, and what a tool
/// answered comes along unasked.
pub const EVENT_BYTES_MAX: usize = 8 << 20;

/// The longest path of Linux, and room for a command's first line.
const PATH_BYTES_MAX: usize = 4_096;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A session begins, goes on, or had its context emptied.
    SessionStart,
    /// A prompt is on its way to the model.
    UserPromptSubmit,
    /// A tool is about to be called.
    PreToolUse,
    /// A tool was called.
    PostToolUse,
    /// A tool was called, and failed.
    PostToolUseFailure,
    /// The model is done with a prompt.
    Stop,
    /// A subagent is done.
    SubagentStop,
    /// The context is about to be summarised.
    PreCompact,
    /// The context was summarised.
    PostCompact,
    /// A session ends.
    SessionEnd,
}

impl Kind {
    const ALL: [(Self, &'static str, &'static str); 10] = [
        (Self::SessionStart, "SessionStart", "session-start"),
        (
            Self::UserPromptSubmit,
            "UserPromptSubmit",
            "user-prompt-submit",
        ),
        (Self::PreToolUse, "PreToolUse", "pre-tool-use"),
        (Self::PostToolUse, "PostToolUse", "post-tool-use"),
        (
            Self::PostToolUseFailure,
            "PostToolUseFailure",
            "post-tool-use-failure",
        ),
        (Self::Stop, "Stop", "stop"),
        (Self::SubagentStop, "SubagentStop", "subagent-stop"),
        (Self::PreCompact, "PreCompact", "pre-compact"),
        (Self::PostCompact, "PostCompact", "post-compact"),
        (Self::SessionEnd, "SessionEnd", "session-end"),
    ];

    /// The client's name for it.
    pub fn name(self) -> &'static str {
        let known = Self::ALL.iter().find(|(kind, ..)| *kind == self);
        known.map_or("", |(_, name, _)| name)
    }

    /// The command line's name for it.
    pub fn argument(self) -> &'static str {
        let known = Self::ALL.iter().find(|(kind, ..)| *kind == self);
        known.map_or("", |(.., argument)| argument)
    }

    /// Reads the client's name, or that of the command line.
    pub fn parse(word: &str) -> Option<Self> {
        let mut known = Self::ALL.iter();
        let found = known.find(|(_, name, argument)| *name == word || *argument == word);
        found.map(|(kind, ..)| *kind)
    }

    /// Whether it says something that is worth keeping until a store is there.
    pub fn is_kept(self) -> bool {
        !matches!(self, Self::PreToolUse | Self::PreCompact)
    }
}

/// What may be long: the words of people and models. All of them are cleaned before they are kept.
const TEXTS: [&str; 4] = [
    "prompt",
    "last_assistant_message",
    "compact_summary",
    "command",
];

/// Everything else that Sage looks at, with the bytes that it may have. The last four are Sage's
/// own: what a tool is about, and what the machine of the client knows about the directory.
const NAMES: [(&str, usize); 15] = [
    ("session_id", NAME_BYTES_MAX),
    ("prompt_id", NAME_BYTES_MAX),
    ("agent_id", NAME_BYTES_MAX),
    ("agent_type", NAME_BYTES_MAX),
    ("source", NAME_BYTES_MAX),
    ("tool_name", NAME_BYTES_MAX),
    ("tool_use_id", NAME_BYTES_MAX),
    ("trigger", NAME_BYTES_MAX),
    ("reason", NAME_BYTES_MAX),
    ("cwd", PATH_BYTES_MAX),
    ("transcript_path", PATH_BYTES_MAX),
    ("file", PATH_BYTES_MAX),
    ("sage_path", PATH_BYTES_MAX),
    ("sage_project", NAME_BYTES_MAX),
    ("sage_rules", PATH_BYTES_MAX),
];

/// An event, as far as Sage looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: Kind,
    fields: BTreeMap<&'static str, String>,
}

impl Event {
    /// Reads the JSON of an event. `named` is what the command line calls it, for clients that do
    /// not say it. `None` for events that Sage has no use for.
    ///
    /// # Errors
    /// When it is no event of a session.
    pub fn parse(bytes: &[u8], named: Option<Kind>) -> Result<Option<Self>> {
        let read = serde_json::from_slice::<Map<String, Value>>(bytes);
        let object =
            read.map_err(|error| Error::invalid("event", format!("no JSON object: {error}")))?;
        let kind = match object.get("hook_event_name").and_then(Value::as_str) {
            Some(name) => Kind::parse(name),
            None => named,
        };
        let Some(kind) = kind else {
            return Ok(None);
        };
        let mut event = Self {
            kind,
            fields: BTreeMap::new(),
        };
        for name in TEXTS {
            event.take(name, object.get(name), None);
        }
        for (name, bytes_max) in NAMES {
            event.take(name, object.get(name), Some(bytes_max));
        }
        if let Some(input) = object.get("tool_input") {
            event.take("command", input.get("command"), Some(PATH_BYTES_MAX));
            let file = input
                .get("file_path")
                .or_else(|| input.get("notebook_path"));
            event.take("file", file, Some(PATH_BYTES_MAX));
        }
        match event.session().is_empty() {
            true => Err(Error::invalid("session_id", "missing; expected a text")),
            false => Ok(Some(event)),
        }
    }

    /// Takes a field over. A name that is too long is no name; a text that is loses its end.
    fn take(&mut self, name: &'static str, value: Option<&Value>, bytes_max: Option<usize>) {
        let Some(text) = value
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
        else {
            return;
        };
        let is_text = TEXTS.contains(&name);
        let limit = bytes_max.unwrap_or(CONTENT_BYTES_MAX);
        if is_text || text.len() <= limit {
            let cut = text.get(..text.floor_char_boundary(limit));
            self.fields.insert(name, cut.unwrap_or(text).to_owned());
        }
    }

    /// A field, if it is there and not empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    /// The client's id of the conversation.
    pub fn session(&self) -> &str {
        self.text("session_id").unwrap_or_default()
    }

    /// Takes out of the words what must not be kept, before they go anywhere.
    ///
    /// # Errors
    /// When the work broke off.
    pub async fn clean(&mut self, engine: &Engine) -> Result<()> {
        for name in TEXTS {
            if let Some(text) = self.fields.remove(name) {
                self.fields.insert(name, engine.clean(text).await?);
            }
        }
        Ok(())
    }

    /// Adds what this machine knows about the directory, for a server that cannot see it.
    pub fn locate(&mut self, rules: Option<String>) {
        if let Some(Place {
            path,
            project: Some(project),
        }) = self.place()
        {
            self.fields.insert("sage_path", path);
            self.fields.insert("sage_project", project.key);
        }
        if let Some(rules) = rules {
            self.fields.insert("sage_rules", rules);
        }
    }

    /// Where it happened: what was told about it, else what can be seen from here.
    pub fn place(&self) -> Option<Place> {
        if let (Some(path), Some(project)) = (self.text("sage_path"), self.text("sage_project")) {
            return Some(Place {
                path: path.to_owned(),
                project: Some(Project::new(project)),
            });
        }
        let path = std::path::Path::new(self.text("cwd")?);
        if path.is_absolute() {
            place(path)
        } else {
            None
        }
    }

    /// The event as it goes over the wire and into the spool: [`Event::parse`] reads it back.
    pub fn to_value(&self) -> Value {
        let fields = self.fields.iter();
        let mut object: Map<String, Value> = fields
            .map(|(name, text)| ((*name).to_owned(), Value::from(text.as_str())))
            .collect();
        object.insert("hook_event_name".to_owned(), Value::from(self.kind.name()));
        Value::Object(object)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parse(json: &str) -> Result<Option<Event>> {
        Event::parse(json.as_bytes(), None)
    }

    #[test]
    fn what_has_another_type_is_absent() {
        let json = r#"{"hook_event_name":"Stop","session_id":"s","prompt_id":7,"cwd":null,
            "last_assistant_message":["a"],"new_field":{"x":1}}"#;
        let event = parse(json).unwrap().unwrap();
        assert_eq!(event.to_value().as_object().unwrap().len(), 2);
        assert_eq!(event.session(), "s");
    }

    #[test]
    fn what_is_no_event_of_a_session_is_refused() {
        for json in ["", "{", "[]", "7", r#"{"hook_event_name":"Stop"}"#] {
            assert!(parse(json).is_err(), "{json}");
        }
        assert_eq!(
            parse(r#"{"hook_event_name":"Notification","session_id":"s"}"#),
            Ok(None)
        );
        let unnamed = Event::parse(br#"{"session_id":"s"}"#, Kind::parse("stop"));
        assert_eq!(unnamed.unwrap().unwrap().kind, Kind::Stop);
    }

    #[test]
    fn limits_hold_and_the_wire_form_reads_back() {
        let long = "é".repeat(CONTENT_BYTES_MAX);
        let value = serde_json::json!({"hook_event_name": "UserPromptSubmit", "session_id": "s",
            "prompt": long, "prompt_id": long, "tool_input": {"command": long, "file_path": "/f"}});
        let event = parse(&value.to_string()).unwrap().unwrap();
        assert!(event.text("prompt").unwrap().len() <= CONTENT_BYTES_MAX);
        assert_eq!(event.text("prompt_id"), None);
        assert!(event.text("command").unwrap().len() <= PATH_BYTES_MAX);
        assert_eq!(event.text("file"), Some("/f"));
        assert_eq!(parse(&event.to_value().to_string()).unwrap(), Some(event));
    }
}
