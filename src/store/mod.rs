//! Where memories live: one enum over the stores, and the contract that both keep.
//!
//! # The contract
//!
//! - A verb either did all it says, durably, or nothing. What it returns as stored survives a
//!   power cut.
//! - Any number of processes may use a store at once; a caller may wait, but is never told to.
//! - A memory is *live* until another supersedes it. Only live memories are counted, listed and
//!   recalled; superseded ones are history and read by name. One whose time is up is neither
//!   listed nor recalled from that moment, and counts until it is deleted.
//! - Candidates come from the rule in [`candidates`], the same in every store, and ranking happens
//!   elsewhere, so that the same data gives the same answers whatever the store.
//! - Lists have a total order; a cursor is only meaningful to the list it came from.

pub mod candidates;
mod columns;
mod page;
pub mod postgres;
mod quantised;
mod record;
mod retention;
pub mod sqlite;
pub mod trace;
mod vector;
pub mod vectors;

use std::borrow::Cow;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;

pub use candidates::{Candidate, CandidateQuery, Candidates};
pub use record::{Chunk, Feed, Feeding, Merged, MovedMemory, MovedSession, MovedVector, Origin};
pub use record::{Record, Sink};
pub use retention::{Due, Forgotten, Group, Survey};
pub use vectors::{Claim, Embedded, Made, Model, Nearest, OwnVector, Work};

use crate::config::Config;
use crate::error::{Error, Result};
use crate::memory::{Content, Filter, Kind, Memory, MemoryId, Page, Project, Scope};
use crate::memory::{Selection, Session, Timestamp};
use trace::{Injection, Noted, ProjectRule, Trace, TraceQuery, Usage};

/// An open store.
#[derive(Clone)]
pub enum Store {
    /// The embedded store: one SQLite database in a folder.
    Sqlite(sqlite::Sqlite),
    /// The shared store: a schema of a PostgreSQL database.
    Postgres(postgres::Postgres),
}

/// A memory that is ready to be kept: redacted, admitted, analysed.
#[derive(Debug, Clone)]
pub struct NewMemory {
    /// Its name, if it turns out to be new.
    pub id: MemoryId,
    /// Where it belongs; made if it is not there.
    pub project: Project,
    /// The client's id of its conversation; made if it is not there.
    pub session: Option<String>,
    /// The directory it was said in; from now on that directory means this project.
    pub directory: Option<String>,
    /// What sort of thing it is.
    pub kind: Kind,
    /// Its words.
    pub content: Content,
    /// Stands for the words where equality is all that matters.
    pub content_hash: [u8; 16],
    /// Sorted, lower case.
    pub tags: Vec<String>,
    /// Supersedes the project's live memory with the same key.
    pub key: Option<String>,
    /// Shown first when a session starts.
    pub pinned: bool,
    /// By which way it came.
    pub source: Cow<'static, str>,
    /// When it was said.
    pub created_at: Timestamp,
    /// When it stops being live.
    pub expires_at: Option<Timestamp>,
    /// A JSON object.
    pub metadata: Option<String>,
    /// The idempotency key of the event; at most one memory of the store has it.
    pub event: Option<String>,
    /// The live memory of the same project whose place it takes.
    pub replaces: Option<MemoryId>,
    /// What is indexed.
    pub passages: Vec<NewPassage>,
}

/// A stretch of a memory with its terms.
#[derive(Debug, Clone)]
pub struct NewPassage {
    /// Where it stands in the text, in bytes.
    pub range: Range<usize>,
    /// How many terms it has, repeats included.
    pub length: u32,
    /// Each different term with the number of times it occurs.
    pub terms: Vec<(String, u32)>,
    /// What the built-in model makes of it, if there is one.
    pub vector: Option<OwnVector>,
}

/// What became of a memory handed to [`Store::put`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is new.
    Stored {
        /// The memory whose place it took; of several, the one that was named, else the newest.
        superseded: Option<MemoryId>,
    },
    /// The same event was kept with fewer words, or the same words with fewer marks.
    Updated(MemoryId),
    /// Nothing changed.
    Known(MemoryId),
    /// The event had been forgotten on purpose.
    Forgotten,
}

/// How much a scope holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Live memories.
    pub memories: u64,
    /// Their indexed passages.
    pub passages: u64,
}

/// Numbers about a scope.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Live memories by kind, in the order of [`Kind::ALL`].
    pub by_kind: [u64; 3],
    /// Memories kept as history.
    pub superseded: u64,
    /// Indexed passages.
    pub passages: u64,
    /// Sessions with memories.
    pub sessions: u64,
    /// Projects with their number of live memories, largest first.
    pub projects: Vec<(Project, u64)>,
    /// When the oldest and the newest live memory were said.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Size on disk, in bytes.
    pub store_bytes: u64,
}

/// Which store this is, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inspection {
    /// What no other store has.
    pub store_id: String,
    /// How many migrations it has.
    pub schema: u32,
    /// What is damaged, in the database's own words; empty where nothing is.
    pub damage: Vec<String>,
}

/// Says no to replacing memories, unless somebody said that it is meant.
fn refuse_to_replace(held: u64, anyway: bool) -> Result<()> {
    match held == 0 || anyway {
        true => Ok(()),
        false => Err(Error::invalid(
            "--force",
            format!(
                "the store holds {held} memories, which a restore would replace; nothing was \
                 touched. `sage backup FILE` keeps them first, `sage import sage FILE` adds the \
                 backup's to them, and --force replaces them"
            ),
        )),
    }
}

/// A feed that stopped before its end: whoever fed it says why.
fn broken_feed() -> Error {
    Error::Io("reading stopped before the end, and nothing was replaced".to_owned())
}

/// A verb on its way. Boxed, its code stands in the executable once and not in each caller, which is
/// 0.2 MB.
fn boxed<'a, T>(
    verb: impl Future<Output = Result<T>> + Send + 'a,
) -> Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>> {
    Box::pin(verb)
}

/// Hands a verb to whichever store is open. One line a verb, so that a new store shows at once
/// which verbs it lacks.
macro_rules! verbs {
    ($(
        $(#[$doc:meta])*
        $verb:ident($($name:ident: $type:ty),*) -> $out:ty;
    )*) => {
        impl Store {
            $(
                $(#[$doc])*
                pub async fn $verb(&self, $($name: $type),*) -> Result<$out> {
                    match self {
                        Self::Sqlite(store) => boxed(store.$verb($($name),*)).await,
                        Self::Postgres(store) => boxed(store.$verb($($name),*)).await,
                    }
                }
            )*
        }
    };
}

verbs! {
    /// Keeps memories, in order, in one transaction. An error keeps none of them.
    put(memories: Vec<NewMemory>) -> Vec<Put>;
    /// The passages among which a ranking looks, by the rule in [`candidates`].
    candidates(query: CandidateQuery) -> Candidates;
    /// In how many passages of the scope each term of a query occurs.
    frequencies(query: CandidateQuery) -> Vec<u64>;
    /// Turns at these places of these sessions, as candidates of the same query, filter included.
    neighbours(query: CandidateQuery, places: Vec<(i64, i64)>) -> Vec<Candidate>;
    /// How many terms the scope holds of each of these sessions.
    session_lengths(scope: Scope, sessions: Vec<i64>) -> Vec<(i64, u64)>;
    /// The model by that name whose vectors have so many numbers, made known if it is not: from
    /// then on every passage waits for a vector of it.
    put_model(name: String, dimension: usize) -> Model;
    /// Every model that is known, the newest first.
    models() -> Vec<Model>;
    /// Forgets a model with its vectors.
    forget_model(model: i64) -> ();
    /// Takes passages that wait for a vector, the newest first, at most `limit`; until then nobody
    /// else gets them.
    claim(model: i64, limit: usize, now: Timestamp, until: Timestamp) -> Claim;
    /// Keeps the vectors that the holder of a claim has made; returns how many. Those whose passage
    /// has gone meanwhile, or that somebody else has claimed, are dropped.
    put_vectors(model: i64, holder: i64, made: Vec<Embedded>) -> u64;
    /// Gives claimed passages back; nobody gets them before `until`.
    give_back(model: i64, holder: i64, passages: Vec<i64>, until: Timestamp) -> ();
    /// The passages whose vectors of a model are nearest to that of the query, as candidates of it.
    nearest(query: CandidateQuery, model: i64, vector: Arc<[f32]>) -> Nearest;
    /// The cosines of these passages' vectors of a model and that of the query, each with its passage;
    /// those that have no vector are left out.
    similarities(model: i64, vector: Arc<[f32]>, passages: Vec<i64>) -> Vec<(i64, f32)>;
    /// What holds vectors back, in words, if something does.
    vector_problem(of_service: bool) -> Option<String>;
    /// Live memories by the store's own numbers, in the order asked; those that are gone or
    /// outside the scope are left out.
    memories_by_row(scope: Scope, rows: Vec<i64>) -> Vec<(i64, Memory)>;
    /// Memories by name, in the order asked; those outside the scope are left out.
    memories(scope: Scope, ids: Vec<MemoryId>) -> Vec<Memory>;
    /// The memory with all that it superseded and was superseded by, oldest first.
    history(scope: Scope, id: MemoryId) -> Vec<Memory>;
    /// Live memories, newest first.
    list(scope: Scope, filter: Filter, now: Timestamp, limit: usize, cursor: Option<String>) -> Page<Memory>;
    /// Names of the memories that a selection holds, oldest first, at most `limit`.
    select(selection: Selection, limit: usize) -> Vec<MemoryId>;
    /// Deletes those of these memories that the selection holds at this moment for good, with what
    /// they superseded, their index entries and the words only they used; their events stay known
    /// so that a replay does not bring them back. Traces and space are left to `reclaim`.
    forget(selection: Selection, ids: Vec<MemoryId>) -> Forgotten;
    /// What a selection holds, counted as `forget` would delete it.
    survey(selection: Selection) -> Survey;
    /// What there is to do when nobody asks for anything. Cheap.
    due() -> Due;
    /// After so many memories were deleted: makes their space free for others, where that is worth
    /// it, and leaves no trace of them in files that are Sage's own.
    reclaim(memories: u64) -> ();
    /// Sessions, the latest first.
    sessions(scope: Scope, limit: usize, cursor: Option<String>) -> Page<Session>;
    /// One session by the client's id.
    session(scope: Scope, id: String) -> Option<Session>;
    /// Makes a session without memories; a known one gets the title, if one is given.
    put_session(project: Project, id: String, title: Option<String>, now: Timestamp) -> Session;
    /// The project a session is bound to.
    session_project(id: String) -> Option<Project>;
    /// The project of a directory: its own, else that of its longest known parent.
    directory_project(path: String) -> Option<Project>;
    /// Projects with live memories whose identity contains `part`, by identity, at most `limit`.
    projects(part: String, limit: usize) -> Vec<Project>;
    /// How much a scope holds. Cheap, it does not count: to be asked several times a second.
    count(scope: Scope) -> Counts;
    /// Numbers about a scope.
    stats(scope: Scope) -> Stats;
    /// Which store this is and, if that is asked for, whether it is sound; that reads all of it.
    inspect(is_thorough: bool) -> Inspection;
    /// Notes what a hook leaves behind, and lets go of what is too old. A trace or a line of the
    /// ledger that is there already stays as it is.
    note(noted: Noted, now: Timestamp) -> ();
    /// Traces, the oldest first.
    traces(query: TraceQuery) -> Vec<Trace>;
    /// The ledger's lines about a session, about a memory, or about both; the newest first.
    injections(scope: Scope, session: Option<String>, memory: Option<MemoryId>, limit: usize) -> Vec<Injection>;
    /// What the ledger says about each of these memories, in the order asked.
    usage(ids: Vec<MemoryId>) -> Vec<Usage>;
    /// How what was given and what was held out for comparison fared.
    benefit(scope: Scope) -> [Usage; 2];
    /// The memory that the event with this key made.
    event_memory(event: String) -> Option<Memory>;
    /// What was decided about projects, by identity.
    project_rules() -> Vec<ProjectRule>;
    /// Decides about a project. What was another name for it follows to what it is now.
    put_project_rule(rule: ProjectRule) -> ();
    /// Moves live memories of one project to another, each with its passages and its history;
    /// those that are not there are left out. Returns how many. A key that the other project has
    /// stays with its own.
    reassign(moved: Vec<(MemoryId, Vec<NewPassage>)>, from: Project, to: Project) -> u64;
    /// What a session starts with: notes that are pinned, then those with a key, then summaries,
    /// each the newest first.
    opening(project: Project, now: Timestamp, notes_max: usize, summaries_max: usize) -> Vec<Memory>;
    /// Hands out all that a scope holds, with its vectors if they are wanted, as it is at one moment,
    /// in the order of [`Record`]. Ends early when nobody takes it any more.
    export(scope: Scope, with_vectors: bool, sink: Sink) -> ();
    /// Takes in what another store handed out, in order, in one transaction: what is here already
    /// stays, and gains at most words that it lacked or a version that took its place.
    merge(records: Vec<Record>) -> Merged;
    /// Puts what it is fed with in the place of all that is here, in one transaction, if the feed
    /// comes to its end. A store that holds memories refuses, unless it is told to.
    replace(feed: Feeding, anyway: bool) -> Merged;
    /// Writes what is in the log back into the database.
    checkpoint() -> ();
}

impl Store {
    /// Opens the store that the settings name, making or migrating it if need be.
    pub async fn open(config: &Config) -> Result<Self> {
        if config.database.is_set() {
            let opened = postgres::Postgres::open(config.database.clone()).await;
            return opened.map(Self::Postgres);
        }
        sqlite::Sqlite::open(config.data_dir.clone())
            .await
            .map(Self::Sqlite)
    }

    /// Takes a schema away with all in it; an embedded store goes with its folder.
    pub async fn discard(&self) -> Result<()> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(store) => boxed(store.discard()).await,
        }
    }

    /// Whether it is still what the settings name; if not, it must be dropped and opened again.
    pub fn is_in_place(&self) -> bool {
        match self {
            Self::Sqlite(store) => store.is_in_place(),
            // A server that was replaced is met by each new connection.
            Self::Postgres(_) => true,
        }
    }

    /// Has a server asked again at once; tells whether it was left alone.
    pub fn reset(&self) -> bool {
        match self {
            // Nothing keeps it from its file.
            Self::Sqlite(_) => false,
            Self::Postgres(store) => store.reset(),
        }
    }

    /// Which store, and where: one line for people.
    pub fn describe(config: &Config) -> String {
        if config.database.is_set() {
            return format!(
                "postgres {}",
                postgres::Postgres::describe(&config.database)
            );
        }
        format!(
            "sqlite {}",
            sqlite::database_path(&config.data_dir).display()
        )
    }
}
