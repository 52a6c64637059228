//! A connection in use, and its transactions.

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use deadpool_postgres::Object;
use tokio_postgres::types::{FromSql, ToSql};
use tokio_postgres::{Row, SimpleQueryMessage};

use crate::error::Error;

/// What a verb on a connection gives.
pub(super) type Outcome<T> = std::result::Result<T, Failure>;

/// Why a verb gave up: the caller's fault, or the database's.
#[derive(Debug)]
pub(super) enum Failure {
    Caller(Error),
    Sql(tokio_postgres::Error),
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Sql(error)
    }
}

/// The values of a statement.
pub(super) type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A connection of the pool. It goes back there when it is dropped, unless that happens in the
/// middle of something: then it is closed, which ends its transaction.
pub(super) struct Db {
    object: Option<Object>,
    in_the_middle: AtomicBool,
}

/// One view of the data for several statements.
const BEGIN_READING: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

impl Db {
    /// Takes a connection over; one that is new is in the middle of its making.
    pub fn new(object: Object, is_new: bool) -> Self {
        Self {
            object: Some(object),
            in_the_middle: AtomicBool::new(is_new),
        }
    }

    fn object(&self) -> Outcome<&Object> {
        let gone = || Failure::Caller(Error::Internal("a connection is gone".to_owned()));
        self.object.as_ref().ok_or_else(gone)
    }

    /// Runs statements that give nothing, in one round trip.
    pub async fn batch(&self, sql: &str) -> Outcome<()> {
        Ok(self.object()?.batch_execute(sql).await?)
    }

    /// Runs a statement without values, unprepared: for what is asked once a connection.
    pub async fn simple(&self, sql: &str) -> Outcome<Vec<SimpleQueryMessage>> {
        Ok(self.object()?.simple_query(sql).await?)
    }

    /// All rows of a statement, which is prepared once a connection.
    pub async fn rows(&self, sql: &str, values: Values<'_>) -> Outcome<Vec<Row>> {
        let object = self.object()?;
        let statement = object.prepare_cached(sql).await?;
        Ok(object.query(&statement, values).await?)
    }

    /// The only row of a statement, if it has one.
    pub async fn row(&self, sql: &str, values: Values<'_>) -> Outcome<Option<Row>> {
        Ok(self.rows(sql, values).await?.into_iter().next())
    }

    /// The first column of the only row of a statement.
    pub async fn one<T: for<'a> FromSql<'a>>(&self, sql: &str, values: Values<'_>) -> Outcome<T> {
        let none = || Failure::Caller(Error::Internal(format!("no row from: {sql}")));
        let row = self.row(sql, values).await?.ok_or_else(none)?;
        Ok(row.try_get(0)?)
    }

    /// How many rows a statement changed.
    pub async fn run(&self, sql: &str, values: Values<'_>) -> Outcome<u64> {
        let object = self.object()?;
        let statement = object.prepare_cached(sql).await?;
        Ok(object.execute(&statement, values).await?)
    }

    /// Begins something that must be whole: until [`Db::is_whole`] the connection is not used for
    /// anything else.
    pub fn begins(&self) {
        self.in_the_middle.store(true, Ordering::Relaxed);
    }

    /// What was begun is done.
    pub fn is_whole(&self) {
        self.in_the_middle.store(false, Ordering::Relaxed);
    }

    /// From now until [`Db::commit`] all statements see the same data.
    pub async fn begin_reading(&self) -> Outcome<()> {
        self.begins();
        self.batch(BEGIN_READING).await
    }

    /// Begins to write, when the turn has come for each of these locks, which must ascend so that
    /// no two writers wait for each other.
    pub async fn begin_writing(&self, locks: &[i64]) -> Outcome<()> {
        self.begins();
        // Statements after the locks see what those had committed who held them before.
        let mut sql = "BEGIN ISOLATION LEVEL READ COMMITTED".to_owned();
        for lock in locks {
            // Writing to a string does not fail.
            let _ = write!(sql, "; SELECT pg_advisory_xact_lock({lock})");
        }
        self.batch(&sql).await
    }

    /// Makes what was written last. A server that has to wait for its standby calls the commit a
    /// success when its time is over, so this one has no end.
    pub async fn commit_writing(&self) -> Outcome<()> {
        self.batch("SET LOCAL statement_timeout = 0; COMMIT")
            .await?;
        self.is_whole();
        Ok(())
    }

    /// Ends what was begun.
    pub async fn commit(&self) -> Outcome<()> {
        self.batch("COMMIT").await?;
        self.is_whole();
        Ok(())
    }

    /// Takes back what was written; if that fails, closing the connection does it.
    pub async fn roll_back(&self) {
        if self.batch("ROLLBACK").await.is_ok() {
            self.is_whole();
        }
    }
}

impl Drop for Db {
    fn drop(&mut self) {
        if self.in_the_middle.load(Ordering::Relaxed)
            && let Some(object) = self.object.take()
        {
            drop(Object::take(object));
        }
    }
}
