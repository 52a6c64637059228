//! The embedded store: one SQLite database, shared by any number of processes.
//!
//! Each process has one writing connection behind a lock and a few reading ones. Those who wait for
//! the lock need no thread, so that any number of writers leaves readers the threads they need, and
//! readers wait for nobody. Writers of different processes queue in SQLite's own lock: every write
//! is an immediate transaction, and `open` installs the patience to wait for it.

mod candidates;
mod codes;
mod export;
mod forget;
mod index;
mod list;
mod memories;
mod merge;
mod nearest;
mod open;
mod put;
mod reassign;
mod retention;
mod sessions;
mod stats;
mod traces;
mod vectors;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{Mutex as AsyncMutex, Semaphore};

use super::page::Start;
use super::trace::{Injection, Noted, ProjectRule, Trace, TraceQuery, Usage};
use super::{
    Candidate, CandidateQuery, Candidates, Claim, Counts, Embedded, Feed, Feeding, Forgotten,
    Inspection, Merged, Model, Nearest, NewMemory, NewPassage, Put, Record, Sink, Stats,
    broken_feed, refuse_to_replace,
};
use crate::blocking::blocking;
use crate::error::{Error, Result};
use crate::memory::Timestamp;
use crate::memory::{Filter, Memory, MemoryId, Page, Project, Scope, Selection, Session};

pub use open::database_path;

/// Reading connections at once, and kept open between calls. More readers than cores gain nothing,
/// each costs up to 2 MB with its cache, and opening one takes longer than most reads.
const READERS_MAX: usize = 4;

/// An open embedded store; clones share it.
#[derive(Clone)]
pub struct Sqlite {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    /// Which file the connections have open.
    file: Option<(u64, u64)>,
    writer: Arc<AsyncMutex<Connection>>,
    readers: Mutex<Vec<Connection>>,
    reading: Arc<Semaphore>,
    codes: nearest::SharedCodes,
}

impl Sqlite {
    /// Opens the database in this folder; makes the folder and the database if they are not there,
    /// and brings an older schema up to date.
    pub async fn open(folder: PathBuf) -> Result<Self> {
        blocking(move || {
            let path = database_path(&folder);
            let writer = open::writer(&folder, &path)?;
            let file = open::file_at(&path);
            Ok(Self {
                inner: Arc::new(Inner {
                    path,
                    file,
                    writer: Arc::new(AsyncMutex::new(writer)),
                    readers: Mutex::default(),
                    reading: Arc::new(Semaphore::new(READERS_MAX)),
                    codes: nearest::SharedCodes::default(),
                }),
            })
        })
        .await
    }

    /// Whether the database is still the file at its path. One that was moved away or deleted
    /// would take what is written to it along.
    pub fn is_in_place(&self) -> bool {
        self.inner.file.is_some() && self.inner.file == open::file_at(&self.inner.path)
    }

    async fn read<T: Send + 'static>(
        &self,
        verb: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        let turn = Arc::clone(&self.inner.reading).acquire_owned().await;
        self.read_at_once(move |db| {
            // Held for as long as the connection is in use, also when nobody waits any more.
            let _turn = turn;
            verb(db)
        })
        .await
    }

    /// Reads without waiting for others to finish: for what is over in microseconds.
    async fn read_at_once<T: Send + 'static>(
        &self,
        verb: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        let inner = self.inner.clone();
        blocking(move || {
            let mut value = None;
            let mut verb = Some(verb);
            inner.with_reader(&mut |db| {
                value = verb.take().map(|verb| verb(db)).transpose()?;
                Ok(())
            })?;
            had_a_result(value)
        })
        .await
    }

    async fn write<T: Send + 'static>(
        &self,
        verb: impl FnOnce(&Transaction<'_>) -> std::result::Result<T, Failure> + Send + 'static,
    ) -> Result<T> {
        self.writing(move |writer, path| {
            let mut value = None;
            let mut verb = Some(verb);
            in_a_transaction(writer, path, &mut |transaction| {
                value = verb.take().map(|verb| verb(transaction)).transpose()?;
                Ok(())
            })?;
            had_a_result(value)
        })
        .await
    }

    /// Hands the writing connection, and the path for what goes wrong, to `work` when its turn has
    /// come.
    async fn writing<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection, &Path) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let inner = self.inner.clone();
        let mut writer = Arc::clone(&inner.writer).lock_owned().await;
        blocking(move || work(&mut writer, &inner.path)).await
    }
}

impl Inner {
    /// Lends a connection to a verb, which leaves its result where it wants: so this stands in the
    /// executable once and not for each verb, and so does [`in_a_transaction`].
    fn with_reader(&self, verb: &mut dyn FnMut(&Connection) -> rusqlite::Result<()>) -> Result<()> {
        let idle = lock(&self.readers).pop();
        let reader = match idle {
            Some(reader) => reader,
            None => open::reader(&self.path)?,
        };
        // One view of the database for the whole verb, whatever others commit meanwhile.
        let outcome = reader
            .unchecked_transaction()
            .and_then(|transaction| verb(&transaction))
            .map_err(|error| open::explain(&self.path, &error));
        let mut readers = lock(&self.readers);
        if readers.len() < READERS_MAX && reader.is_autocommit() {
            readers.push(reader);
        }
        outcome
    }
}

fn in_a_transaction(
    writer: &mut Connection,
    path: &Path,
    verb: &mut dyn FnMut(&Transaction<'_>) -> std::result::Result<(), Failure>,
) -> Result<()> {
    let explain = |error: rusqlite::Error| open::explain(path, &error);
    let transaction = writer
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(explain)?;
    verb(&transaction).map_err(|failure| match failure {
        Failure::Caller(error) => error,
        Failure::Sql(error) => explain(error),
    })?;
    transaction.commit().map_err(explain)
}

fn had_a_result<T>(value: Option<T>) -> Result<T> {
    value.ok_or_else(|| Error::Internal("a verb had no result".to_owned()))
}

/// Why a writing verb gave up: the caller's fault, or the database's.
enum Failure {
    Caller(Error),
    Sql(rusqlite::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Caller(error)
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

/// A thread that panicked with the lock held left a list of connections, whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The verbs of [`super::Store`], whose documentation is theirs.
#[allow(missing_docs, reason = "documented once, in the contract")]
impl Sqlite {
    pub async fn put(&self, new: Vec<NewMemory>) -> Result<Vec<Put>> {
        self.write(move |tx| put::put(tx, &new)).await
    }

    pub async fn candidates(&self, query: CandidateQuery) -> Result<Candidates> {
        self.read(move |db| candidates::candidates(db, &query))
            .await
    }

    pub async fn frequencies(&self, query: CandidateQuery) -> Result<Vec<u64>> {
        self.read(move |db| candidates::frequencies(db, &query))
            .await
    }

    pub async fn neighbours(
        &self,
        query: CandidateQuery,
        places: Vec<(i64, i64)>,
    ) -> Result<Vec<Candidate>> {
        self.read(move |db| candidates::neighbours(db, &query, &places))
            .await
    }

    pub async fn put_model(&self, name: String, dimension: usize) -> Result<Model> {
        self.write(move |tx| vectors::put_model(tx, &name, dimension))
            .await
    }

    pub async fn models(&self) -> Result<Vec<Model>> {
        self.read_at_once(vectors::models).await
    }

    pub async fn forget_model(&self, model: i64) -> Result<()> {
        self.write(move |tx| vectors::forget_model(tx, model)).await
    }

    pub async fn claim(
        &self,
        model: i64,
        limit: usize,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Claim> {
        self.write(move |tx| vectors::claim(tx, model, limit, now, until))
            .await
    }

    pub async fn put_vectors(&self, model: i64, holder: i64, made: Vec<Embedded>) -> Result<u64> {
        self.write(move |tx| vectors::put_vectors(tx, model, holder, &made))
            .await
    }

    pub async fn give_back(
        &self,
        model: i64,
        holder: i64,
        passages: Vec<i64>,
        until: Timestamp,
    ) -> Result<()> {
        self.write(move |tx| vectors::give_back(tx, model, holder, &passages, until))
            .await
    }

    pub async fn nearest(
        &self,
        query: CandidateQuery,
        model: i64,
        vector: Arc<[f32]>,
    ) -> Result<Nearest> {
        let codes = Arc::clone(&self.inner.codes);
        self.read(move |db| nearest::nearest(db, &codes, &query, model, &vector))
            .await
    }

    pub async fn similarities(
        &self,
        model: i64,
        vector: Arc<[f32]>,
        passages: Vec<i64>,
    ) -> Result<Vec<(i64, f32)>> {
        self.read(move |db| nearest::similarities(db, model, &vector, &passages))
            .await
    }

    /// Nothing is missing here.
    pub async fn vector_problem(&self, _of_service: bool) -> Result<Option<String>> {
        Ok(None)
    }

    pub async fn session_lengths(&self, scope: Scope, ids: Vec<i64>) -> Result<Vec<(i64, u64)>> {
        self.read(move |db| sessions::lengths(db, &scope, &ids))
            .await
    }

    pub async fn memories_by_row(
        &self,
        scope: Scope,
        rows: Vec<i64>,
    ) -> Result<Vec<(i64, Memory)>> {
        self.read(move |db| memories::by_row(db, &scope, &rows))
            .await
    }

    pub async fn memories(&self, scope: Scope, ids: Vec<MemoryId>) -> Result<Vec<Memory>> {
        self.read(move |db| memories::by_name(db, &scope, &ids))
            .await
    }

    pub async fn history(&self, scope: Scope, id: MemoryId) -> Result<Vec<Memory>> {
        self.read(move |db| memories::history(db, &scope, id)).await
    }

    pub async fn list(
        &self,
        scope: Scope,
        filter: Filter,
        now: Timestamp,
        limit: usize,
        cursor: Option<String>,
    ) -> Result<Page<Memory>> {
        let start = Start::parse(cursor.as_deref())?;
        self.read(move |db| list::list(db, &scope, &filter, now, limit, start))
            .await
    }

    pub async fn select(&self, selection: Selection, limit: usize) -> Result<Vec<MemoryId>> {
        self.read(move |db| list::select(db, &selection, limit))
            .await
    }

    pub async fn forget(&self, selection: Selection, ids: Vec<MemoryId>) -> Result<Forgotten> {
        self.write(move |tx| Ok(forget::forget(tx, &selection, &ids)?))
            .await
    }

    pub async fn sessions(
        &self,
        scope: Scope,
        limit: usize,
        cursor: Option<String>,
    ) -> Result<Page<Session>> {
        let start = Start::parse(cursor.as_deref())?;
        self.read(move |db| sessions::page(db, &scope, limit, start))
            .await
    }

    pub async fn session(&self, scope: Scope, id: String) -> Result<Option<Session>> {
        self.read(move |db| sessions::by_client_id(db, &scope, &id))
            .await
    }

    pub async fn put_session(
        &self,
        project: Project,
        id: String,
        title: Option<String>,
        now: Timestamp,
    ) -> Result<Session> {
        self.write(move |tx| sessions::put(tx, &project, &id, title.as_deref(), now))
            .await
    }

    pub async fn session_project(&self, id: String) -> Result<Option<Project>> {
        self.read(move |db| sessions::project(db, &id)).await
    }

    pub async fn directory_project(&self, path: String) -> Result<Option<Project>> {
        self.read(move |db| sessions::directory_project(db, &path))
            .await
    }

    pub async fn projects(&self, part: String, limit: usize) -> Result<Vec<Project>> {
        self.read(move |db| stats::projects(db, &part, limit)).await
    }

    pub async fn count(&self, scope: Scope) -> Result<Counts> {
        self.read_at_once(move |db| stats::count(db, &scope)).await
    }

    pub async fn stats(&self, scope: Scope) -> Result<Stats> {
        self.read(move |db| stats::stats(db, &scope)).await
    }

    pub async fn inspect(&self, is_thorough: bool) -> Result<Inspection> {
        self.read_at_once(move |db| stats::inspect(db, is_thorough))
            .await
    }

    pub async fn note(&self, noted: Noted, now: Timestamp) -> Result<()> {
        self.write(move |tx| Ok(traces::note(tx, &noted, now)?))
            .await
    }

    pub async fn traces(&self, query: TraceQuery) -> Result<Vec<Trace>> {
        self.read(move |db| traces::find(db, &query)).await
    }

    pub async fn injections(
        &self,
        scope: Scope,
        session: Option<String>,
        memory: Option<MemoryId>,
        limit: usize,
    ) -> Result<Vec<Injection>> {
        self.read(move |db| traces::injections(db, &scope, session.as_deref(), memory, limit))
            .await
    }

    pub async fn usage(&self, ids: Vec<MemoryId>) -> Result<Vec<Usage>> {
        self.read(move |db| traces::usage(db, &ids)).await
    }

    pub async fn benefit(&self, scope: Scope) -> Result<[Usage; 2]> {
        self.read(move |db| traces::benefit(db, &scope)).await
    }

    pub async fn event_memory(&self, event: String) -> Result<Option<Memory>> {
        self.read(move |db| traces::event_memory(db, &event)).await
    }

    pub async fn project_rules(&self) -> Result<Vec<ProjectRule>> {
        self.read(reassign::rules).await
    }

    pub async fn put_project_rule(&self, rule: ProjectRule) -> Result<()> {
        self.write(move |tx| Ok(reassign::put_rule(tx, &rule)?))
            .await
    }

    pub async fn reassign(
        &self,
        moved: Vec<(MemoryId, Vec<NewPassage>)>,
        from: Project,
        to: Project,
    ) -> Result<u64> {
        self.write(move |tx| Ok(reassign::reassign(tx, &moved, &from, &to)?))
            .await
    }

    pub async fn opening(
        &self,
        project: Project,
        now: Timestamp,
        notes_max: usize,
        summaries_max: usize,
    ) -> Result<Vec<Memory>> {
        self.read(move |db| traces::opening(db, &project, now, notes_max, summaries_max))
            .await
    }

    pub async fn export(&self, scope: Scope, with_vectors: bool, sink: Sink) -> Result<()> {
        self.read(move |db| export::export(db, &scope, with_vectors, &sink))
            .await
    }

    pub async fn merge(&self, records: Vec<Record>) -> Result<Merged> {
        self.write(move |tx| merge::merge(tx, &records)).await
    }

    pub async fn replace(&self, mut feed: Feeding, anyway: bool) -> Result<Merged> {
        self.write(move |tx| {
            let held = stats::count(tx, &Scope::All)?.memories;
            refuse_to_replace(held, anyway)?;
            merge::clear(tx)?;
            let mut merged = Merged::default();
            loop {
                match feed.blocking_recv() {
                    Some(Feed::Records(records)) => merged.add(&merge::merge(tx, &records)?),
                    Some(Feed::End) => return Ok(merged),
                    None => return Err(broken_feed().into()),
                }
            }
        })
        .await
    }

    pub async fn checkpoint(&self) -> Result<()> {
        self.writing(|writer, path| {
            open::checkpoint(writer).map_err(|error| open::explain(path, &error))
        })
        .await
    }
}
