//! Making a new connection fit for use: its settings, and a schema that this Sage knows.

use tokio_postgres::SimpleQueryMessage;
use tokio_postgres::error::SqlState;

use super::db::{Db, Failure, Outcome};
use super::explain::is_schema_gone;
use super::lock_number;
use crate::error::Error;

/// Each is applied once, in order, in one transaction with the new version number.
const MIGRATIONS: &[&str] = &[
    include_str!("schema/001_start.sql"),
    include_str!("schema/002_expiry.sql"),
    include_str!("schema/003_vectors.sql"),
    include_str!("schema/004_hooks.sql"),
    include_str!("schema/005_sessions.sql"),
];

/// The limits of a session: a statement of Sage's takes milliseconds, a batch of an import up to a
/// second. Whoever waits longer for a lock, or for a disk, gets an answer all the same. A process
/// that was stopped in the middle must not hold up others for ever.
const LIMITS: &str = "SET statement_timeout = '30s'; SET lock_timeout = '20s';
    SET idle_in_transaction_session_timeout = '60s'; SET jit = off;";

/// All joins here go from few rows to many by an index. Before it has statistics, and for the
/// arrays of a large batch, the planner would rather read whole posting lists into a hash.
const PLANS: &str = "SET enable_hashjoin = off; SET enable_mergejoin = off;";

/// Sets a connection up, and checks the schema or makes it.
pub(super) async fn prepare(db: &Db, schema: &str, place: &str) -> Outcome<()> {
    // What is told as saved must survive a power cut, whatever the server's default is.
    let session = format!(
        "SET search_path = \"{schema}\", pg_temp; {LIMITS} {PLANS}
         SELECT set_config('synchronous_commit', 'on', false)
         WHERE current_setting('synchronous_commit') = 'off'"
    );
    db.batch(&session).await?;
    let version = match version(db).await {
        Ok(version) => version,
        Err(Failure::Sql(error)) if is_schema_gone(&error) => 0,
        Err(failure) => return Err(failure),
    };
    if version < MIGRATIONS.len() {
        migrate(db, schema, place).await?;
    } else {
        refuse_newer(version, place)?;
    }
    Ok(())
}

/// How many migrations the schema has.
async fn version(db: &Db) -> Outcome<usize> {
    let rows = db
        .simple("SELECT value FROM meta WHERE name = 'schema_version'")
        .await?;
    Ok(number(&rows).unwrap_or_default())
}

fn number(rows: &[SimpleQueryMessage]) -> Option<usize> {
    text(rows)?.parse().ok()
}

fn text(rows: &[SimpleQueryMessage]) -> Option<String> {
    rows.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    })
}

fn refuse_newer(version: usize, place: &str) -> Outcome<()> {
    if version <= MIGRATIONS.len() {
        return Ok(());
    }
    Err(Failure::Caller(Error::Store(format!(
        "PostgreSQL {place} was written by a newer Sage (its schema is version {version}, this \
         Sage knows up to {}); nothing was touched. Update sage, or set SAGE_DATABASE_SCHEMA to \
         another schema",
        MIGRATIONS.len()
    ))))
}

/// Applies the migrations that the schema lacks. Of several processes one does it, and the others
/// wait.
async fn migrate(db: &Db, schema: &str, place: &str) -> Outcome<()> {
    db.begin_writing(&[lock_number(&[schema])]).await?;
    let rows = db.simple("SHOW server_encoding").await?;
    if text(&rows).is_none_or(|encoding| encoding != "UTF8") {
        return Err(Failure::Caller(Error::Store(format!(
            "PostgreSQL {place}: the database is not in UTF8; make one with \
             CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
        ))));
    }
    // Asked in this way no right to create anything is needed where all is there.
    let there = format!(
        "SELECT (to_regnamespace('\"{schema}\"') IS NOT NULL)::int
              + (to_regclass('\"{schema}\".meta') IS NOT NULL)::int"
    );
    let there = number(&db.simple(&there).await?).unwrap_or_default();
    if there == 0 {
        db.batch(&format!("CREATE SCHEMA \"{schema}\"")).await?;
    }
    let done = if there == 2 { version(db).await? } else { 0 };
    refuse_newer(done, place)?;
    for migration in MIGRATIONS.iter().skip(done) {
        db.batch(migration).await.map_err(|failure| match failure {
            Failure::Sql(error) if error.code() == Some(&SqlState::DUPLICATE_TABLE) => {
                Failure::Caller(Error::Store(format!(
                    "PostgreSQL {place} holds tables of another program; set SAGE_DATABASE_SCHEMA \
                     to another schema"
                )))
            }
            failure => failure,
        })?;
    }
    let id = uuid::Uuid::now_v7();
    db.batch(&format!(
        "INSERT INTO meta (name, value) VALUES ('store_id', '{id}') ON CONFLICT DO NOTHING;
         INSERT INTO meta (name, value) VALUES ('schema_version', '{version}')
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        version = MIGRATIONS.len()
    ))
    .await?;
    db.commit().await
}
