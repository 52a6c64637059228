//! The capture path: validate, redact, strip, admit, split, hand to the store.

mod prepare;
pub mod redact;

pub use prepare::{
    CONTENT_BYTES_MAX, METADATA_BYTES_MAX, NAME_BYTES_MAX, Prepared, TAGS_MAX, clean, event_key,
    index, is_only_marks, normal_tags, passages_of, prepare,
};

use crate::memory::{Content, Kind, Memory, MemoryId, Project, Timestamp};

/// Something to remember, as a way in hands it over.
#[derive(Debug, Clone)]
pub struct Capture {
    /// Where it belongs.
    pub project: Project,
    /// The client's id of the conversation, if there is one.
    pub session: Option<String>,
    /// The directory it was said in, where that proves the project: later calls from there follow.
    pub directory: Option<String>,
    /// What sort of thing it is.
    pub kind: Kind,
    /// Its words, as they came.
    pub content: Content,
    /// Words to file it under.
    pub tags: Vec<String>,
    /// Takes the place of the project's earlier note with the same key.
    pub key: Option<String>,
    /// Shown first when a session starts.
    pub pinned: bool,
    /// By which way it came.
    pub source: &'static str,
    /// When it was said; now, if nobody knows.
    pub created_at: Option<Timestamp>,
    /// After this it is no longer recalled.
    pub expires_at: Option<Timestamp>,
    /// A JSON object that the caller attached.
    pub metadata: Option<serde_json::Map<String, serde_json::Value>>,
    /// What makes the event unique within its session (a prompt id), so that a replay changes nothing.
    pub event: Option<String>,
    /// The memory whose place it takes.
    pub replaces: Option<MemoryId>,
}

impl Capture {
    /// A turn of a conversation.
    pub fn turn(project: Project, prompt: &str, reply: &str, source: &'static str) -> Self {
        Self::new(project, Kind::Turn, Content::turn(prompt, reply), source)
    }

    /// A note or a summary.
    pub fn note(project: Project, kind: Kind, text: &str, source: &'static str) -> Self {
        Self::new(project, kind, Content::plain(text), source)
    }

    /// Takes the place of a memory: what an update does not say stays as it was.
    pub fn take_place_of(&mut self, former: &Memory) {
        self.replaces = Some(former.id);
        self.key.clone_from(&former.key);
        self.tags.clone_from(&former.tags);
        self.pinned = former.pinned;
        self.expires_at = former.expires_at;
        let metadata = former.metadata.as_deref();
        self.metadata = metadata.and_then(|text| serde_json::from_str(text).ok());
    }

    fn new(project: Project, kind: Kind, content: Content, source: &'static str) -> Self {
        Self {
            project,
            session: None,
            directory: None,
            kind,
            content,
            tags: Vec::new(),
            key: None,
            pinned: false,
            source,
            created_at: None,
            expires_at: None,
            metadata: None,
            event: None,
            replaces: None,
        }
    }
}

/// What became of a capture. Anything but `Refused` is durable when it is returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Captured {
    /// A new memory.
    Stored {
        /// Its name.
        id: MemoryId,
        /// The memory whose place it took, kept as history.
        superseded: Option<MemoryId>,
        /// How many secrets and private spans were taken out.
        redacted: u32,
    },
    /// The same turn had been kept with fewer words; it now has these.
    Updated {
        /// Its name.
        id: MemoryId,
        /// How many secrets and private spans were taken out.
        redacted: u32,
    },
    /// It was there already; nothing changed.
    Known {
        /// Its name.
        id: MemoryId,
    },
    /// Not worth keeping, and why.
    Refused(Refusal),
}

/// Why something was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Refusal {
    /// No words at all.
    Empty,
    /// Nothing was left after injected and private text was taken out.
    NothingOfItsOwn,
    /// A turn that says nothing: "ok", "continue", with no reply.
    Trivial,
    /// Somebody had it forgotten; a replay does not bring it back.
    Forgotten,
}

impl Refusal {
    /// Every refusal, in the order in which a capture meets them.
    pub const ALL: [Self; 4] = [
        Self::Empty,
        Self::NothingOfItsOwn,
        Self::Trivial,
        Self::Forgotten,
    ];

    /// A short stable name for metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::NothingOfItsOwn => "nothing_of_its_own",
            Self::Trivial => "trivial",
            Self::Forgotten => "forgotten",
        }
    }

    /// The reason in words, to follow "not kept: ".
    pub fn reason(self) -> &'static str {
        match self {
            Self::Empty => "it has no words",
            Self::NothingOfItsOwn => "only private or injected text was in it",
            Self::Trivial => "it says nothing worth finding again",
            Self::Forgotten => "it was forgotten on purpose",
        }
    }
}
