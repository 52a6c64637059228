//! The shared store: a schema of a PostgreSQL database, for any number of processes and machines.
//!
//! Each process has a few connections, made when they are needed and kept. A connection brings its
//! schema up to date before it is used, so that nothing is asked twice and a server that was not
//! there at the start is found when it is. Nothing runs between calls.
//!
//! Writers of one project queue in an advisory lock, so that passage numbers grow in the order of
//! the commits: the newest chunk of a posting list is the last one. Readers wait for nobody.

mod bits;
mod candidates;
mod chunk;
mod db;
mod explain;
mod export;
mod forget;
mod index;
mod list;
mod memories;
mod merge;
mod moves;
mod nearest;
mod open;
mod postings;
pub mod predecessor;
mod put;
mod reassign;
mod retention;
mod rows;
mod sessions;
mod stats;
mod taking;
mod target;
mod tls;
mod traces;
mod vectors;

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use sha2::{Digest, Sha256};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{sleep, timeout};

use super::page::Start;
use super::trace::{Injection, Noted, ProjectRule, Trace, TraceQuery, Usage};
use super::{
    Candidate, CandidateQuery, Candidates, Claim, Counts, Embedded, Forgotten, Model, Nearest,
    NewMemory, NewPassage, Put, Stats,
};
use crate::blocking::blocking;
use crate::breaker::Breaker;
use crate::config::DatabaseConfig;
use crate::error::{Error, Result};
use crate::memory::Timestamp;
use crate::memory::{Filter, Memory, MemoryId, Page, Project, Scope, Selection, Session};
use db::{Db, Failure, Outcome};
use target::Target;

/// Connections of a process. Recalls run as many at once as there are cores, and writers of a
/// project one after the other, so more would wait at the server; each costs it about 10 MB, and a
/// server allows 100 by default.
const CONNECTIONS_MAX: usize = 8;

/// One of them is for health and the like, which must not wait for the others.
const TURNS: usize = CONNECTIONS_MAX - 1;

/// How long a call waits for one of the connections.
const TURN_PATIENCE: Duration = Duration::from_secs(5);

/// What a new connection may take beyond its hosts' own patience: TLS and the password.
const GREETING_PATIENCE: Duration = Duration::from_secs(1);

/// How long the first settings of a connection may take; another process may be making the schema.
const PREPARE_PATIENCE: Duration = Duration::from_secs(10);

/// How long a call waits for a server that is starting, and how often it looks.
const START_PATIENCE: Duration = Duration::from_secs(2);
const START_PAUSE: Duration = Duration::from_millis(50);

/// How long an answer may take. The server ends a statement before that; what reaches this is a
/// server, or a network, that says nothing any more.
const READ_PATIENCE: Duration = Duration::from_secs(35);
const WRITE_PATIENCE: Duration = Duration::from_secs(120);

/// How long calls fail at once when nobody is let in, at first and at most.
const PAUSE_MIN: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// How often a call is tried when its connection broke or others were faster.
const TRIES_MAX: u32 = 10;

/// An open PostgreSQL store; clones share it.
#[derive(Clone)]
pub struct Postgres {
    inner: Arc<Inner>,
}

struct Inner {
    pool: Pool,
    turns: Semaphore,
    breaker: Breaker,
    schema: String,
    place: String,
}

impl Postgres {
    /// Reads the settings and the files that they name. The server is asked at the first call.
    pub async fn open(settings: DatabaseConfig) -> Result<Self> {
        blocking(move || {
            let target = Target::load(&settings)?;
            let tls = tls::Tls::new(&target)?;
            let config = ManagerConfig {
                recycling_method: RecyclingMethod::Fast,
            };
            let hosts = u32::try_from(target.config.get_hosts().len()).unwrap_or(u32::MAX);
            let each = target.config.get_connect_timeout().copied();
            let create = each.unwrap_or_default() * hosts + GREETING_PATIENCE;
            let (place, schema) = (target.place(), target.schema);
            let pool = Pool::builder(Manager::from_config(target.config, tls, config))
                .max_size(CONNECTIONS_MAX)
                .runtime(Runtime::Tokio1)
                .wait_timeout(Some(TURN_PATIENCE))
                .create_timeout(Some(create))
                .build()
                .map_err(|error| Error::Internal(format!("PostgreSQL {place}: {error}")))?;
            let inner = Inner {
                pool,
                turns: Semaphore::new(TURNS),
                breaker: Breaker::new(PAUSE_MIN, PAUSE_MAX),
                schema,
                place,
            };
            Ok(Self {
                inner: Arc::new(inner),
            })
        })
        .await
    }

    /// Host, database and schema in words, without secrets; touches nothing but the settings' files.
    pub fn describe(settings: &DatabaseConfig) -> String {
        match Target::load(settings) {
            Ok(target) => target.place(),
            Err(_) => "with settings that cannot be read".to_owned(),
        }
    }

    /// A connection that is fit for use. Making one ends even when its caller gives up: it may take
    /// longer than a probe waits, and the next one must find what this one began.
    async fn connect(&self) -> Result<Db> {
        let store = self.clone();
        let connecting = tokio::spawn(async move { store.connect_to_the_end().await });
        let broken = |error| Err(Error::Internal(format!("connecting broke off: {error}")));
        connecting.await.unwrap_or_else(broken)
    }

    async fn connect_to_the_end(&self) -> Result<Db> {
        let start = Instant::now();
        loop {
            let attempt = self.inner.breaker.enter(Instant::now())?;
            let error = match self.try_to_connect().await {
                Ok(db) => {
                    attempt.succeeded();
                    return Ok(db);
                }
                Err(Attempt::Starting(_)) if start.elapsed() < START_PATIENCE => {
                    drop(attempt);
                    sleep(START_PAUSE).await;
                    continue;
                }
                Err(Attempt::Starting(error) | Attempt::Failed(error)) => error,
            };
            attempt.failed(&error, Instant::now());
            return Err(error);
        }
    }

    async fn try_to_connect(&self) -> std::result::Result<Db, Attempt> {
        let place = &self.inner.place;
        let object = self.inner.pool.get().await.map_err(|error| {
            let is_starting = matches!(
                &error,
                deadpool_postgres::PoolError::Backend(error) if explain::is_starting(error)
            );
            Attempt::new(is_starting, explain::no_connection(place, error))
        })?;
        let is_new = Object::metrics(&object).recycle_count == 0;
        let db = Db::new(object, is_new);
        if is_new {
            let prepared = timeout(
                PREPARE_PATIENCE,
                open::prepare(&db, &self.inner.schema, place),
            );
            match prepared.await {
                Ok(Ok(())) => db.is_whole(),
                Ok(Err(failure)) => {
                    let is_starting = matches!(&failure, Failure::Sql(error) if explain::is_connection_lost(error));
                    let error = explain::failure(place, failure);
                    return Err(Attempt::new(is_starting, error));
                }
                Err(_) => return Err(Attempt::Failed(explain::too_late(place))),
            }
        }
        Ok(db)
    }

    async fn turn(&self) -> Result<SemaphorePermit<'_>> {
        let place = &self.inner.place;
        match timeout(TURN_PATIENCE, self.inner.turns.acquire()).await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(Error::Unavailable(format!(
                "all {TURNS} connections to PostgreSQL {place} are busy; try again"
            ))),
        }
    }

    async fn read<T: Send, F: Future<Output = Outcome<T>> + Send>(
        &self,
        verb: impl Fn(Arc<Db>) -> F + Sync,
    ) -> Result<T> {
        let _turn = self.turn().await?;
        self.read_at_once(verb).await
    }

    /// Reads without waiting for others to finish. Reading again changes nothing, so a connection
    /// that broke is replaced.
    async fn read_at_once<T: Send, F: Future<Output = Outcome<T>> + Send>(
        &self,
        verb: impl Fn(Arc<Db>) -> F + Sync,
    ) -> Result<T> {
        let slot = Slot::default();
        self.within(READ_PATIENCE, self.try_reading(&|db| slot.fill(verb(db))))
            .await?;
        slot.take()
    }

    async fn try_reading(&self, verb: &Verb<'_>) -> Result<()> {
        let mut tries = 1;
        loop {
            let db = Arc::new(self.connect().await?);
            match verb(Arc::clone(&db)).await {
                Ok(()) => return Ok(()),
                Err(Failure::Sql(error)) if tries < TRIES_MAX && self.may_reconnect(&error) => {
                    db.begins();
                }
                Err(failure) => return Err(explain::failure(&self.inner.place, failure)),
            }
            tries += 1;
        }
    }

    /// Writes in one transaction, which has these locks. One that lost a race against others, or
    /// its connection before it was to be committed, has left nothing and is run again.
    async fn write<T: Send, F: Future<Output = Outcome<T>> + Send>(
        &self,
        locks: &[i64],
        verb: impl Fn(Arc<Db>) -> F + Sync,
    ) -> Result<T> {
        let _turn = self.turn().await?;
        let slot = Slot::default();
        self.within(
            WRITE_PATIENCE,
            self.try_writing(locks, &|db| slot.fill(verb(db))),
        )
        .await?;
        slot.take()
    }

    async fn try_writing(&self, locks: &[i64], verb: &Verb<'_>) -> Result<()> {
        let place = &self.inner.place;
        let mut tries = 1;
        loop {
            let db = Arc::new(self.connect().await?);
            let outcome = match db.begin_writing(locks).await {
                Ok(()) => verb(Arc::clone(&db)).await,
                Err(failure) => Err(failure),
            };
            let failure = match outcome {
                Ok(()) => match db.commit_writing().await {
                    Ok(()) => return Ok(()),
                    Err(failure) => unknown_fate(place, failure)?,
                },
                Err(failure) => failure,
            };
            match failure {
                Failure::Sql(error) if tries < TRIES_MAX && explain::is_lost_race(&error) => {
                    db.roll_back().await;
                }
                Failure::Sql(error) if tries < TRIES_MAX && self.may_reconnect(&error) => {}
                failure => {
                    match &failure {
                        // The next call connects anew.
                        Failure::Sql(error) if explain::is_read_only(error) => self.let_go(),
                        _ => db.roll_back().await,
                    }
                    return Err(explain::failure(place, failure));
                }
            }
            tries += 1;
        }
    }

    async fn within(
        &self,
        patience: Duration,
        work: impl Future<Output = Result<()>> + Send,
    ) -> Result<()> {
        let late = |_| Err(explain::too_late(&self.inner.place));
        timeout(patience, work).await.unwrap_or_else(late)
    }

    /// Whether new connections may do what this one could not. Then the idle ones go, they have
    /// most likely met the same.
    fn may_reconnect(&self, error: &tokio_postgres::Error) -> bool {
        let may = explain::is_connection_lost(error) || explain::is_schema_gone(error);
        if may {
            self.let_go();
        }
        may
    }

    /// Gives a model its index, as far as the server and the rights there allow it. Without one all
    /// works but searching many passages.
    async fn make_index(&self, model: &Model) -> Result<()> {
        let has_index = |db: Arc<Db>| async move { vectors::has_index(&db, model.id).await };
        if self.read(has_index).await? {
            return Ok(());
        }
        let extension = |db: Arc<Db>| async move { vectors::extension(&db).await };
        let mut found = self.read(extension).await?;
        if found.is_none() {
            let making = self.write(&[], |db| async move { vectors::make_extension(&db).await });
            if vectors::is_done(making.await)? {
                found = self.read(extension).await?;
            }
        }
        if let Some(extension) = found.filter(vectors::Extension::is_enough) {
            let extension = &extension;
            let making = self.write(&[], |db| async move {
                vectors::make_index(&db, model, extension).await
            });
            vectors::is_done(making.await)?;
        }
        Ok(())
    }

    /// Closes the connections that nobody uses.
    fn let_go(&self) {
        self.inner.pool.retain(|_, _| false);
    }

    /// The locks of the projects that memories of a scope are in, in their order.
    async fn locks_of(&self, scope: &Scope, ids: &[MemoryId]) -> Result<Vec<i64>> {
        let projects = match scope.project() {
            Some(project) => vec![project.key.clone()],
            None => {
                self.read(|db| async move { forget::projects(&db, ids).await })
                    .await?
            }
        };
        let locks: BTreeSet<i64> = projects.iter().map(|key| self.project_lock(key)).collect();
        Ok(locks.into_iter().collect())
    }

    fn project_lock(&self, project: &str) -> i64 {
        lock_number(&[&self.inner.schema, project])
    }
}

/// A verb that leaves its result in a [`Slot`], so that trying it again and again stands in the
/// executable once and not for each type of result.
type Verb<'a> =
    dyn Fn(Arc<Db>) -> Pin<Box<dyn Future<Output = Outcome<()>> + Send + 'a>> + Sync + 'a;

/// Where the result of a verb goes.
struct Slot<T>(Mutex<Option<T>>);

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T: Send> Slot<T> {
    fn fill<'a>(
        &'a self,
        verb: impl Future<Output = Outcome<T>> + Send + 'a,
    ) -> Pin<Box<dyn Future<Output = Outcome<()>> + Send + 'a>> {
        Box::pin(async move {
            let value = verb.await?;
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
            Ok(())
        })
    }

    fn take(self) -> Result<T> {
        let value = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        value.ok_or_else(|| Error::Internal("a verb had no result".to_owned()))
    }
}

/// How a try to connect ended that gave no connection.
enum Attempt {
    /// The server is starting, or was shut down at this moment, which some do to start again.
    Starting(Error),
    Failed(Error),
}

impl Attempt {
    fn new(is_starting: bool, error: Error) -> Self {
        match is_starting {
            true => Self::Starting(error),
            false => Self::Failed(error),
        }
    }
}

/// Of a commit whose connection broke nobody knows whether it was made. The caller is told, who may
/// repeat it: the same event, and the same words, are one memory.
fn unknown_fate(place: &str, failure: Failure) -> Result<Failure> {
    match failure {
        Failure::Sql(error) if explain::is_connection_lost(&error) => {
            Err(Error::Unavailable(format!(
                "the connection to PostgreSQL {place} broke in the moment of saving, which may or \
                 may not have been done; repeat it, what is there already is not kept twice"
            )))
        }
        failure => Ok(failure),
    }
}

/// The number of an advisory lock: all of a database share them.
fn lock_number(names: &[&str]) -> i64 {
    let mut hash = Sha256::new_with_prefix("sage");
    for name in names {
        hash.update([0]);
        hash.update(name);
    }
    let digest: [u8; 32] = hash.finalize().into();
    let first = digest.first_chunk().copied().unwrap_or_default();
    i64::from_be_bytes(first)
}

/// The verbs of [`super::Store`], whose documentation is theirs.
#[allow(missing_docs, reason = "documented once, in the contract")]
impl Postgres {
    pub async fn put(&self, new: Vec<NewMemory>) -> Result<Vec<Put>> {
        let locks: BTreeSet<i64> = new
            .iter()
            .map(|memory| self.project_lock(&memory.project.key))
            .collect();
        let locks: Vec<i64> = locks.into_iter().collect();
        let new = &new;
        self.write(&locks, |db| async move { put::put(&db, new).await })
            .await
    }

    pub async fn candidates(&self, query: CandidateQuery) -> Result<Candidates> {
        let query = &query;
        self.read(|db| async move { candidates::candidates(&db, query).await })
            .await
    }

    pub async fn neighbours(
        &self,
        query: CandidateQuery,
        places: Vec<(i64, i64)>,
    ) -> Result<Vec<Candidate>> {
        let (query, places) = (&query, &places);
        self.read(|db| async move { candidates::neighbours(&db, query, places).await })
            .await
    }

    pub async fn put_model(&self, name: String, dimension: usize) -> Result<Model> {
        let (name, dimension) = (&name, i32::try_from(dimension).unwrap_or(i32::MAX));
        let known = |db: Arc<Db>| async move { vectors::known_model(&db, name, dimension).await };
        let model = match self.read(known).await? {
            Some(model) => model,
            None => {
                self.write(&[], |db| async move {
                    vectors::make_model(&db, name, dimension).await
                })
                .await?;
                self.read(known).await?.ok_or_else(|| {
                    Error::Unavailable(format!("the model {name} was forgotten at once"))
                })?
            }
        };
        self.make_index(&model).await?;
        Ok(model)
    }

    pub async fn models(&self) -> Result<Vec<Model>> {
        self.read_at_once(|db| async move { vectors::models(&db).await })
            .await
    }

    pub async fn forget_model(&self, model: i64) -> Result<()> {
        self.write(
            &[],
            |db| async move { vectors::forget_model(&db, model).await },
        )
        .await
    }

    pub async fn claim(
        &self,
        model: i64,
        limit: usize,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Claim> {
        self.write(&[], |db| async move {
            vectors::claim(&db, model, limit, now, until).await
        })
        .await
    }

    pub async fn put_vectors(&self, model: i64, holder: i64, made: Vec<Embedded>) -> Result<u64> {
        let made = &made;
        self.write(&[], |db| async move {
            vectors::put_vectors(&db, model, holder, made).await
        })
        .await
    }

    pub async fn give_back(
        &self,
        model: i64,
        holder: i64,
        passages: Vec<i64>,
        until: Timestamp,
    ) -> Result<()> {
        let passages = &passages;
        self.write(&[], |db| async move {
            vectors::give_back(&db, model, holder, passages, until).await
        })
        .await
    }

    pub async fn nearest(
        &self,
        query: CandidateQuery,
        model: i64,
        vector: Arc<[f32]>,
    ) -> Result<Nearest> {
        let (query, vector) = (&query, &vector);
        self.read(|db| async move { nearest::nearest(&db, query, model, vector).await })
            .await
    }

    pub async fn vector_problem(&self) -> Result<Option<String>> {
        self.read_at_once(|db| async move { vectors::problem(&db).await })
            .await
    }

    pub async fn session_lengths(&self, scope: Scope, ids: Vec<i64>) -> Result<Vec<(i64, u64)>> {
        let (scope, ids) = (&scope, &ids);
        self.read(|db| async move { sessions::lengths(&db, scope, ids).await })
            .await
    }

    pub async fn memories_by_row(
        &self,
        scope: Scope,
        rows: Vec<i64>,
    ) -> Result<Vec<(i64, Memory)>> {
        let (scope, rows) = (&scope, &rows);
        self.read(|db| async move { memories::by_row(&db, scope, rows).await })
            .await
    }

    pub async fn memories(&self, scope: Scope, ids: Vec<MemoryId>) -> Result<Vec<Memory>> {
        let (scope, ids) = (&scope, &ids);
        self.read(|db| async move { memories::by_name(&db, scope, ids).await })
            .await
    }

    pub async fn history(&self, scope: Scope, id: MemoryId) -> Result<Vec<Memory>> {
        let scope = &scope;
        self.read(|db| async move { memories::history(&db, scope, id).await })
            .await
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
        let (scope, filter) = (&scope, &filter);
        self.read(|db| async move { list::list(&db, scope, filter, now, limit, start).await })
            .await
    }

    pub async fn select(&self, selection: Selection, limit: usize) -> Result<Vec<MemoryId>> {
        let selection = &selection;
        self.read(|db| async move { list::select(&db, selection, limit).await })
            .await
    }

    pub async fn forget(&self, selection: Selection, ids: Vec<MemoryId>) -> Result<Forgotten> {
        let locks = self.locks_of(&selection.scope, &ids).await?;
        let (selection, ids) = (&selection, &ids);
        self.write(&locks, |db| async move {
            forget::forget(&db, selection, ids).await
        })
        .await
    }

    pub async fn sessions(
        &self,
        scope: Scope,
        limit: usize,
        cursor: Option<String>,
    ) -> Result<Page<Session>> {
        let start = Start::parse(cursor.as_deref())?;
        let scope = &scope;
        self.read(|db| async move { sessions::page(&db, scope, limit, start).await })
            .await
    }

    pub async fn session(&self, scope: Scope, id: String) -> Result<Option<Session>> {
        let (scope, id) = (&scope, &id);
        self.read(|db| async move { sessions::by_client_id(&db, scope, id).await })
            .await
    }

    pub async fn put_session(
        &self,
        project: Project,
        id: String,
        title: Option<String>,
        now: Timestamp,
    ) -> Result<Session> {
        let lock = self.project_lock(&project.key);
        let (project, id) = (&project, &id);
        let title = title.as_deref();
        self.write(&[lock], |db| async move {
            sessions::put(&db, project, id, title, now).await
        })
        .await
    }

    pub async fn session_project(&self, id: String) -> Result<Option<Project>> {
        let id = &id;
        self.read(|db| async move { sessions::project(&db, id).await })
            .await
    }

    pub async fn directory_project(&self, path: String) -> Result<Option<Project>> {
        let path = &path;
        self.read(|db| async move { sessions::directory_project(&db, path).await })
            .await
    }

    pub async fn projects(&self, part: String, limit: usize) -> Result<Vec<Project>> {
        let part = &part;
        self.read(|db| async move { stats::projects(&db, part, limit).await })
            .await
    }

    pub async fn count(&self, scope: Scope) -> Result<Counts> {
        let scope = &scope;
        self.read_at_once(|db| async move { stats::count(&db, scope).await })
            .await
    }

    pub async fn stats(&self, scope: Scope) -> Result<Stats> {
        let scope = &scope;
        self.read(|db| async move { stats::stats(&db, scope).await })
            .await
    }

    pub async fn note(&self, noted: Noted, now: Timestamp) -> Result<()> {
        let project = noted.directory.as_ref().map(|(_, project)| &project.key);
        let locks: Vec<i64> = project
            .map(|key| self.project_lock(key))
            .into_iter()
            .collect();
        let noted = &noted;
        self.write(
            &locks,
            |db| async move { traces::note(&db, noted, now).await },
        )
        .await
    }

    pub async fn traces(&self, query: TraceQuery) -> Result<Vec<Trace>> {
        let query = &query;
        self.read(|db| async move { traces::find(&db, query).await })
            .await
    }

    pub async fn injections(
        &self,
        scope: Scope,
        session: Option<String>,
        memory: Option<MemoryId>,
        limit: usize,
    ) -> Result<Vec<Injection>> {
        let (scope, session) = (&scope, session.as_deref());
        self.read(|db| async move { traces::injections(&db, scope, session, memory, limit).await })
            .await
    }

    pub async fn usage(&self, ids: Vec<MemoryId>) -> Result<Vec<Usage>> {
        let ids = &ids;
        self.read(|db| async move { traces::usage(&db, ids).await })
            .await
    }

    pub async fn benefit(&self, scope: Scope) -> Result<[Usage; 2]> {
        let scope = &scope;
        self.read(|db| async move { traces::benefit(&db, scope).await })
            .await
    }

    pub async fn event_memory(&self, event: String) -> Result<Option<Memory>> {
        let event = &event;
        self.read(|db| async move { traces::event_memory(&db, event).await })
            .await
    }

    pub async fn project_rules(&self) -> Result<Vec<ProjectRule>> {
        self.read(|db| async move { reassign::rules(&db).await })
            .await
    }

    pub async fn put_project_rule(&self, rule: ProjectRule) -> Result<()> {
        let lock = self.project_lock(&rule.project.key);
        let rule = &rule;
        self.write(
            &[lock],
            |db| async move { reassign::put_rule(&db, rule).await },
        )
        .await
    }

    pub async fn reassign(
        &self,
        moved: Vec<(MemoryId, Vec<NewPassage>)>,
        from: Project,
        to: Project,
    ) -> Result<u64> {
        let keys = [&from.key, &to.key];
        let locks: BTreeSet<i64> = keys.iter().map(|key| self.project_lock(key)).collect();
        let locks: Vec<i64> = locks.into_iter().collect();
        let (moved, from, to) = (&moved, &from, &to);
        self.write(&locks, |db| async move {
            reassign::reassign(&db, moved, from, to).await
        })
        .await
    }

    pub async fn opening(
        &self,
        project: Project,
        now: Timestamp,
        notes_max: usize,
        summaries_max: usize,
    ) -> Result<Vec<Memory>> {
        let project = &project;
        self.read(
            |db| async move { traces::opening(&db, project, now, notes_max, summaries_max).await },
        )
        .await
    }

    /// There is no log to write back: the server does that.
    pub async fn checkpoint(&self) -> Result<()> {
        Ok(())
    }
}
