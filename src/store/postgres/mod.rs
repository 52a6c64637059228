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
mod verbs;

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use sha2::{Digest, Sha256};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{sleep, timeout};

use super::Model;
use crate::blocking::blocking;
use crate::breaker::Breaker;
use crate::config::DatabaseConfig;
use crate::error::{Error, Result};
use crate::memory::{MemoryId, Scope};
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
    /// Has the server asked again at once; tells whether it was left alone.
    pub fn reset(&self) -> bool {
        self.inner.breaker.reset()
    }

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

    /// Takes the schema away, with all in it.
    pub async fn discard(&self) -> Result<()> {
        let sql = &format!("DROP SCHEMA \"{}\" CASCADE", self.inner.schema);
        self.write(&[], |db| async move { db.batch(sql).await })
            .await
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
