//! The domain: memories, sessions, projects, and what a caller may say about them. Pure.

mod filter;
mod id;
pub mod json;
pub mod time;

pub use filter::{Filter, Page, Scope, Selection, Which};
pub use id::MemoryId;
pub use jiff::Timestamp;

use crate::error::{Error, Result};

/// What sort of thing is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A prompt with its reply.
    Turn,
    /// A fact or decision that somebody stated.
    Note,
    /// What a session was about.
    Summary,
}

impl Kind {
    /// Every kind, in the order in which people read them.
    pub const ALL: [Self; 3] = [Self::Turn, Self::Note, Self::Summary];

    /// The word used in tools, JSON and the schema.
    pub fn name(self) -> &'static str {
        match self {
            Self::Turn => "turn",
            Self::Note => "note",
            Self::Summary => "summary",
        }
    }

    /// Reads the word back; `field` names the argument in the error.
    pub fn parse(field: &str, word: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == word)
            .ok_or_else(|| {
                Error::invalid(
                    field,
                    format!("expected turn, note or summary, got \"{word}\""),
                )
            })
    }
}

/// The words of a memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The whole text; for a turn the prompt, a blank line, then the reply.
    pub text: String,
    /// Where the reply begins in `text`, in bytes; only turns with a reply have one.
    pub reply_start: Option<usize>,
}

impl Content {
    /// Plain text: a note or a summary.
    pub fn plain(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            reply_start: None,
        }
    }

    /// A prompt and its reply; either may be empty.
    pub fn turn(prompt: &str, reply: &str) -> Self {
        let (prompt, reply) = (prompt.trim(), reply.trim());
        if reply.is_empty() {
            return Self::plain(prompt);
        }
        let gap = if prompt.is_empty() { "" } else { "\n\n" };
        let text = [prompt, gap, reply].concat();
        Self {
            reply_start: Some(prompt.len() + gap.len()),
            text,
        }
    }

    /// The prompt of a turn, or the whole of anything else.
    pub fn prompt(&self) -> &str {
        self.split().0
    }

    /// The reply of a turn, if it has one.
    pub fn reply(&self) -> Option<&str> {
        self.split().1
    }

    fn split(&self) -> (&str, Option<&str>) {
        match self
            .reply_start
            .and_then(|at| self.text.split_at_checked(at))
        {
            Some((prompt, reply)) => (prompt.trim_end(), Some(reply)),
            None => (&self.text, None),
        }
    }
}

/// One thing remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memory {
    /// Its name for ever.
    pub id: MemoryId,
    /// The project it belongs to.
    pub project: Project,
    /// The client's id of the conversation it came from.
    pub session: Option<String>,
    /// What sort of thing it is.
    pub kind: Kind,
    /// Its words, after redaction.
    pub content: Content,
    /// Words to file it under, lower case, sorted.
    pub tags: Vec<String>,
    /// At most one live note of a project has a given key.
    pub key: Option<String>,
    /// Shown first when a session starts.
    pub pinned: bool,
    /// By which way it came: `claude-code`, `mcp`, `api`, `cli`, `import`.
    pub source: String,
    /// When it was said.
    pub created_at: Timestamp,
    /// After this it is no longer recalled.
    pub expires_at: Option<Timestamp>,
    /// The memory that took its place; such a one is history and is not recalled.
    pub superseded_by: Option<MemoryId>,
    /// What the caller attached, as a JSON object.
    pub metadata: Option<String>,
}

/// The isolation boundary.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Project {
    /// Its identity: `github.com/acme/shop`, a path, or [`Project::UNASSIGNED`].
    pub key: String,
}

impl Project {
    /// Where a write goes whose project nobody could prove.
    pub const UNASSIGNED: &'static str = "unassigned";

    /// A project by its identity.
    pub fn new(key: impl Into<String>) -> Self {
        Self { key: key.into() }
    }

    /// The project without proof.
    pub fn unassigned() -> Self {
        Self::new(Self::UNASSIGNED)
    }

    /// Whether this is the project without proof.
    pub fn is_unassigned(&self) -> bool {
        self.key == Self::UNASSIGNED
    }

    /// The short name for people: the last part of the identity.
    pub fn name(&self) -> &str {
        let short = self
            .key
            .trim_end_matches('/')
            .rsplit('/')
            .next()
            .unwrap_or_default();
        if short.is_empty() { &self.key } else { short }
    }
}

/// One conversation of the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The client's id.
    pub id: String,
    /// The project it is bound to.
    pub project: Project,
    /// A name somebody gave it, else its first prompt shortened.
    pub title: Option<String>,
    /// When its first memory was said.
    pub started_at: Timestamp,
    /// When its last memory was said.
    pub last_at: Timestamp,
    /// How many live memories it holds.
    pub memories: u64,
}
