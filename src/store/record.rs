//! What is moved from one store to another, record by record.
//!
//! A store hands out all it holds in an order in which every prefix can be taken in: what a record
//! names comes before it. A memory comes before its history, newest first, so that a version finds
//! the one that took its place; live memories come in the order of their passages, since that
//! decides which candidates a recall takes.

use std::borrow::Cow;

use tokio::sync::mpsc::{Receiver, Sender};

use super::NewMemory;
use super::quantised;
use super::trace::{Injection, ProjectRule};
use crate::memory::{Memory, MemoryId, Project, Timestamp};
use crate::order::sort_by_key;

/// One thing that a store holds.
#[derive(Debug, Clone)]
pub enum Record {
    /// What the records are taken from: always the first of an export, passed over when taken in.
    Origin(Origin),
    /// A project, whether it holds memories or not.
    Project(Project),
    /// A session.
    Session(MovedSession),
    /// A memory, live or history.
    Memory(Box<MovedMemory>),
    /// Which project a directory means.
    Directory {
        /// The directory.
        path: String,
        /// What it means.
        project: Project,
    },
    /// An event whose memory was forgotten on purpose.
    Forgotten {
        /// The event's idempotency key.
        event: String,
    },
    /// What somebody decided about a project.
    Rule(ProjectRule),
    /// A line of the ledger.
    Injection(Box<Injection>),
    /// A model, before its vectors.
    Model {
        /// What its service calls it.
        name: String,
        /// How many numbers a vector has.
        dimension: usize,
    },
    /// The vector of a passage.
    Vector(Box<MovedVector>),
}

/// The store that records come from, at the moment of the export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// `sqlite` or `postgres`.
    pub store: &'static str,
    /// Made once with the store, so that two can be told apart.
    pub store_id: String,
    /// Live memories in the scope, as many as progress is measured by.
    pub memories: u64,
}

/// A session with what each project holds of it.
#[derive(Debug, Clone)]
pub struct MovedSession {
    /// The client's id.
    pub id: String,
    /// The project it is bound to.
    pub project: Project,
    /// When its first memory was said.
    pub started_at: Timestamp,
    /// When its last memory was said.
    pub last_at: Timestamp,
    /// The place of its next turn.
    pub next_position: i64,
    /// The projects that have a part in it, with the title it has there.
    pub shares: Vec<(Project, Option<String>)>,
}

/// A memory with what no caller sees of it.
#[derive(Debug, Clone)]
pub struct MovedMemory {
    /// All that a new memory has. Hash and passages follow from the words: an export leaves them
    /// empty, and whoever takes the record in makes them anew.
    pub memory: NewMemory,
    /// Its place in the session.
    pub position: i64,
    /// The memory that took its place, which came before it.
    pub superseded_by: Option<MemoryId>,
    /// How many versions it superseded in all: they follow it, and their numbers go below its own.
    pub versions: u32,
    /// Further events that brought the same words.
    pub repeats: Vec<String>,
}

impl MovedMemory {
    /// What a store has read, as it moves.
    pub(super) fn new(memory: Memory, position: i64, event: Option<String>) -> Self {
        Self {
            position,
            superseded_by: memory.superseded_by,
            versions: 0,
            repeats: Vec::new(),
            memory: NewMemory {
                id: memory.id,
                project: memory.project,
                session: memory.session,
                directory: None,
                kind: memory.kind,
                content: memory.content,
                content_hash: [0; 16],
                tags: memory.tags,
                key: memory.key,
                pinned: memory.pinned,
                source: Cow::Owned(memory.source),
                created_at: memory.created_at,
                expires_at: memory.expires_at,
                metadata: memory.metadata,
                event,
                replaces: None,
                passages: Vec::new(),
            },
        }
    }

    /// Every event that would bring it again.
    pub(super) fn events(&self) -> impl Iterator<Item = &String> {
        self.memory.event.iter().chain(&self.repeats)
    }
}

/// A passage's vector in its stored form, which both stores have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedVector {
    /// The memory.
    pub memory: MemoryId,
    /// Where the passage begins in the memory's text, in bytes.
    pub start: usize,
    /// The model that made it.
    pub model: String,
    /// How many numbers it has.
    pub dimension: usize,
    /// Stands for the passage's words: it is the vector of no others.
    pub digest: [u8; 16],
    /// One bit a number.
    pub code: Vec<u8>,
    /// A scale and 14 bits a number.
    pub levels: Vec<u8>,
}

impl MovedVector {
    /// How long the code of so many numbers is.
    pub fn code_bytes(dimension: usize) -> usize {
        dimension.div_ceil(8)
    }

    /// How long the levels of so many numbers are.
    pub fn levels_bytes(dimension: usize) -> usize {
        quantised::row_bytes(dimension)
    }

    /// Whether similarities to it are numbers.
    pub fn has_a_scale(&self) -> bool {
        quantised::scale(&self.levels).is_some_and(|scale| scale.is_finite() && scale > 0.0)
    }
}

/// What became of records that a store took in. What is not counted was there already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Merged {
    /// New live memories.
    pub stored: u64,
    /// New history.
    pub history: u64,
    /// Memories that were there with fewer words, or live where the records know what took their
    /// place.
    pub updated: u64,
    /// Memories that were there, by name, event or words.
    pub known: u64,
    /// Memories that had been forgotten here on purpose.
    pub forgotten: u64,
    /// History of memories that were not taken in.
    pub orphaned: u64,
    /// New sessions.
    pub sessions: u64,
    /// Directories that were not known.
    pub directories: u64,
    /// Forgotten events that were not known.
    pub events: u64,
    /// Rules about projects that had none.
    pub rules: u64,
    /// New lines of the ledger.
    pub injections: u64,
    /// New vectors.
    pub vectors: u64,
}

impl Merged {
    /// Adds what became of further records.
    pub fn add(&mut self, more: &Self) {
        self.stored += more.stored;
        self.history += more.history;
        self.updated += more.updated;
        self.known += more.known;
        self.forgotten += more.forgotten;
        self.orphaned += more.orphaned;
        self.sessions += more.sessions;
        self.directories += more.directories;
        self.events += more.events;
        self.rules += more.rules;
        self.injections += more.injections;
        self.vectors += more.vectors;
    }

    /// The memories that these records were, history included.
    pub fn memories(&self) -> u64 {
        self.stored + self.history + self.updated + self.known + self.forgotten + self.orphaned
    }
}

/// What [`super::Store::replace`] is fed with.
#[derive(Debug)]
pub enum Feed {
    /// Some more.
    Records(Vec<Record>),
    /// That was all, and it was sound: without this nothing is replaced.
    End,
}

/// The stream that [`super::Store::replace`] is fed by.
pub type Feeding = Receiver<Feed>;

/// Where an export goes, a few hundred records at a time. Dropping the other end stops it.
pub type Sink = Sender<Vec<Record>>;

/// The most records on their way at a time, and the text and vectors in them, in bytes; the last may go
/// beyond.
/// A chunk is also what one transaction takes in: see the import's batches.
pub const CHUNK_RECORDS_MAX: usize = 256;
/// See [`CHUNK_RECORDS_MAX`].
pub const CHUNK_BYTES: usize = 1 << 20;

/// Records that gather until they are worth sending.
#[derive(Default)]
pub struct Chunk {
    records: Vec<Record>,
    bytes: usize,
}

impl Chunk {
    /// Adds one; gives all back when it is time to send them.
    pub fn push(&mut self, record: Record) -> Option<Vec<Record>> {
        self.bytes += match &record {
            Record::Memory(moved) => moved.memory.content.text.len(),
            Record::Vector(moved) => moved.code.len() + moved.levels.len(),
            _ => 0,
        };
        self.records.push(record);
        let full = self.records.len() >= CHUNK_RECORDS_MAX || self.bytes >= CHUNK_BYTES;
        full.then(|| self.take())
    }

    /// What has gathered.
    pub fn take(&mut self) -> Vec<Record> {
        self.bytes = 0;
        std::mem::take(&mut self.records)
    }
}

/// A forgotten event without a session carries its project (see `capture::prepare`). An export of
/// one project leaves those of others out; those with a session say nothing to anybody.
pub(super) const PROJECT_EVENT: &str = "project ";

/// The beginning of the events that one project's memories have without a session.
pub(super) fn project_events(project: &Project) -> String {
    format!("{PROJECT_EVENT}{}:{}/", project.key.len(), project.key)
}

/// How many numbers below its successor's a version looks for a free one. They were left free for
/// it; what is not found so near was given to others meanwhile.
pub(super) const GAP_MAX: i64 = 64;

/// A memory's versions by the store's numbers, in an order in which each comes after the one that
/// took its place, else the newest first.
pub(super) fn newest_first(head: i64, mut superseded: Vec<(i64, i64)>) -> Vec<i64> {
    // By successor, then by number.
    sort_by_key(&mut superseded, |(number, successor)| (*successor, *number));
    let mut ready = std::collections::BinaryHeap::from([head]);
    let mut order = Vec::with_capacity(superseded.len());
    while let Some(number) = ready.pop() {
        if number != head {
            order.push(number);
        }
        let start = superseded.partition_point(|(_, successor)| *successor < number);
        let of_it = superseded.iter().skip(start);
        ready.extend(
            of_it
                .take_while(|(_, successor)| *successor == number)
                .map(|(version, _)| *version),
        );
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_follow_what_took_their_place() {
        assert!(newest_first(10, vec![]).is_empty());
        assert_eq!(newest_first(10, vec![(8, 9), (9, 10), (7, 10)]), [9, 8, 7]);
        // A number out of order does not come before its successor.
        assert_eq!(newest_first(3, vec![(9, 2), (2, 3)]), [2, 9]);
    }
}
