//! The stable shapes of memories, sessions and projects in JSON, the same on every surface that
//! speaks it. Fields are added, never renamed or taken away; times are UTC in RFC 3339; what is
//! not known is null.

use serde::Serialize;
use serde_json::Value;

use super::{Kind, Memory, Project, Session};

/// A memory, whole.
#[derive(Serialize)]
pub struct MemoryJson<'a> {
    id: String,
    /// The project's key.
    project: &'a str,
    /// The client's id of the conversation.
    session: Option<&'a str>,
    /// `turn`, `note` or `summary`.
    kind: &'static str,
    /// The whole text; of a turn the prompt, a blank line, and the reply.
    content: &'a str,
    /// The prompt of a turn.
    prompt: Option<&'a str>,
    /// The reply of a turn.
    reply: Option<&'a str>,
    tags: &'a [String],
    key: Option<&'a str>,
    pinned: bool,
    source: &'a str,
    created_at: String,
    expires_at: Option<String>,
    /// The id of the memory that took its place.
    superseded_by: Option<String>,
    /// The JSON object that the writer attached.
    metadata: Option<Value>,
}

impl<'a> MemoryJson<'a> {
    /// The view of `memory`.
    pub fn new(memory: &'a Memory) -> Self {
        let turn = memory.kind == Kind::Turn;
        Self {
            id: memory.id.to_string(),
            project: &memory.project.key,
            session: memory.session.as_deref(),
            kind: memory.kind.name(),
            content: &memory.content.text,
            prompt: turn.then(|| memory.content.prompt()),
            reply: memory.content.reply(),
            tags: &memory.tags,
            key: memory.key.as_deref(),
            pinned: memory.pinned,
            source: &memory.source,
            created_at: memory.created_at.to_string(),
            expires_at: memory.expires_at.map(|time| time.to_string()),
            superseded_by: memory.superseded_by.map(|id| id.to_string()),
            metadata: memory
                .metadata
                .as_deref()
                // The store holds what was given; what is not JSON is shown as text, not hidden.
                .map(|text| serde_json::from_str(text).unwrap_or_else(|_| text.into())),
        }
    }
}

/// One conversation.
#[derive(Serialize)]
pub struct SessionJson<'a> {
    id: &'a str,
    /// The project's key.
    project: &'a str,
    title: Option<&'a str>,
    started_at: String,
    last_at: String,
    /// How many live memories it holds.
    memories: u64,
}

impl<'a> SessionJson<'a> {
    /// The view of `session`.
    pub fn new(session: &'a Session) -> Self {
        Self {
            id: &session.id,
            project: &session.project.key,
            title: session.title.as_deref(),
            started_at: session.started_at.to_string(),
            last_at: session.last_at.to_string(),
            memories: session.memories,
        }
    }
}

/// A project with the number of its live memories.
#[derive(Serialize)]
pub struct ProjectJson<'a> {
    key: &'a str,
    /// The last part of the key.
    name: &'a str,
    memories: u64,
}

impl<'a> ProjectJson<'a> {
    /// The view of `project`, which holds this many live memories.
    pub fn new(project: &'a Project, memories: u64) -> Self {
        Self {
            key: &project.key,
            name: project.name(),
            memories,
        }
    }
}
