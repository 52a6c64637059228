//! What hooks leave behind: traces for later hooks, and the ledger of injections.

use crate::memory::{MemoryId, Project, Timestamp};

/// What one hook leaves for another that comes later, perhaps to another process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// What it is.
    pub kind: TraceKind,
    /// The client's id of the conversation.
    pub session: String,
    /// Tells it from others of its kind and session; the first of a name stays.
    pub name: String,
    /// Where it belongs.
    pub project: Project,
    /// When it came.
    pub at: Timestamp,
    /// What there is to know.
    pub value: String,
}

/// The kinds of traces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TraceKind {
    /// A prompt that waits for its reply; its name is the prompt's id.
    Prompt,
    /// A file touched or a command run; its name begins with the prompt's id.
    Deed,
    /// A call of a tool that was announced; its name is that of the call.
    Call,
    /// The client emptied the session's context.
    Emptied,
    /// The project that the session is bound to, with the rules that hold in it.
    Session,
}

impl TraceKind {
    /// The number that stands for it in the schema.
    pub(super) fn number(self) -> i64 {
        self as i64
    }

    /// How long such a trace is kept, in milliseconds. A call follows its announcement at once; a
    /// prompt waits for the next session of its project.
    pub(super) fn kept_ms(self) -> i64 {
        match self {
            Self::Call => 10 * MINUTE_MS,
            _ => 30 * 24 * 60 * MINUTE_MS,
        }
    }
}

const MINUTE_MS: i64 = 60_000;

/// Traces of a kind and session: more than a conversation of a day leaves, little enough that
/// nothing grows without end. What comes beyond is not noted.
pub(super) const TRACES_MAX: i64 = 1_000;

/// How long the ledger goes back, in milliseconds: half a year.
pub(super) const LEDGER_MS: i64 = 183 * 24 * 60 * MINUTE_MS;

/// Which traces are meant: all that fit what is said.
#[derive(Debug, Clone)]
pub struct TraceQuery {
    /// Of this kind.
    pub kind: TraceKind,
    /// Of this session.
    pub session: Option<String>,
    /// With this name.
    pub name: Option<String>,
    /// Of this project.
    pub project: Option<Project>,
}

impl TraceQuery {
    /// Those of one session.
    pub fn of(kind: TraceKind, session: &str) -> Self {
        Self {
            kind,
            session: Some(session.to_owned()),
            name: None,
            project: None,
        }
    }

    /// Those with this name, of any session.
    pub fn named(kind: TraceKind, name: &str) -> Self {
        Self {
            kind,
            session: None,
            name: Some(name.to_owned()),
            project: None,
        }
    }

    /// Those of a project.
    pub fn in_project(kind: TraceKind, project: &Project) -> Self {
        Self {
            kind,
            session: None,
            name: None,
            project: Some(project.clone()),
        }
    }
}

/// A line of the ledger: what became of a memory that was found for a prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct Injection {
    /// The conversation.
    pub session: String,
    /// The prompt's id; for the start of a session a word with its time.
    pub prompt: String,
    /// What was found.
    pub memory: MemoryId,
    /// Whether it was given.
    pub outcome: Outcome,
    /// Its place among what was found, from 1.
    pub rank: u32,
    /// How well it fits: 1 is the best.
    pub score: f64,
    /// What it costs, estimated.
    pub tokens: u32,
    /// The words that prompt and memory share.
    pub terms: String,
    /// When.
    pub at: Timestamp,
    /// Whether the reply used it, when that is known.
    pub used: Option<bool>,
}

/// What became of a memory that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The client got it.
    Given,
    /// It would have been given, but this prompt was chosen to go without.
    HeldOut,
    /// The session has it already.
    Held,
    /// It did not fit into the budget.
    NoRoom,
    /// It fits the prompt far less well than the best.
    Weak,
}

impl Outcome {
    /// Every outcome, in the order of its numbers in the schema.
    pub const ALL: [Self; 5] = [
        Self::Given,
        Self::HeldOut,
        Self::Held,
        Self::NoRoom,
        Self::Weak,
    ];

    /// The number that stands for it in the schema.
    pub(super) fn number(self) -> i64 {
        self as i64
    }

    /// The outcome that a number of the schema stands for.
    pub(super) fn of(number: i64) -> Self {
        let index = usize::try_from(number).unwrap_or(usize::MAX);
        Self::ALL.get(index).copied().unwrap_or(Self::Given)
    }

    /// The name that stands for it in an export.
    pub fn name(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::HeldOut => "held_out",
            Self::Held => "held",
            Self::NoRoom => "no_room",
            Self::Weak => "weak",
        }
    }

    /// The outcome of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }

    /// In words, for people.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::HeldOut => "held out for comparison",
            Self::Held => "not repeated: the session had it already",
            Self::NoRoom => "no room in the budget",
            Self::Weak => "too weak beside the best",
        }
    }
}

/// What a hook wants noted, all or nothing.
#[derive(Debug, Clone, Default)]
pub struct Noted {
    /// New traces.
    pub traces: Vec<Trace>,
    /// Traces that have served: kind, session, and how their names begin.
    pub served: Vec<(TraceKind, String, String)>,
    /// From now on this directory means this project.
    pub directory: Option<(String, Project)>,
    /// New lines of the ledger.
    pub injections: Vec<Injection>,
    /// Whether replies used what was given: session, prompt, memory.
    pub used: Vec<(String, String, MemoryId, bool)>,
}

impl Noted {
    /// Whether there is nothing to note.
    pub fn is_empty(&self) -> bool {
        self.traces.is_empty()
            && self.served.is_empty()
            && self.directory.is_none()
            && self.injections.is_empty()
            && self.used.is_empty()
    }
}

/// What somebody decided about a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectRule {
    /// By the identity that a directory or a caller gives.
    pub project: Project,
    /// The project that it is in truth.
    pub alias: Option<Project>,
    /// Whether hooks leave it alone.
    pub is_off: bool,
}

/// Projects with rules: a person has tens. Beyond it the first by name hold.
pub(super) const RULES_MAX: i64 = 1_000;

/// What the ledger says about a memory in all sessions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// How often it was given to a prompt whose reply is known.
    pub given: u64,
    /// How often the reply used it.
    pub used: u64,
}
