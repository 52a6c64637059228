//! What an error of the database means for the person who meets it. Nothing here ever holds the
//! address or the password.

use deadpool_postgres::PoolError;
use tokio_postgres::error::{DbError, SqlState};

use super::db::Failure;
use crate::error::Error;

/// Whether the same transaction, run again, may succeed: it lost a race against another one.
pub(super) fn is_lost_race(error: &tokio_postgres::Error) -> bool {
    matches!(
        error.code(),
        Some(
            &SqlState::UNIQUE_VIOLATION
                | &SqlState::T_R_DEADLOCK_DETECTED
                | &SqlState::T_R_SERIALIZATION_FAILURE
        )
    )
}

/// Whether the connection is gone, or was found unfit: another one may do better.
pub(super) fn is_connection_lost(error: &tokio_postgres::Error) -> bool {
    match error.code() {
        // The schema was changed under a prepared statement.
        Some(&SqlState::FEATURE_NOT_SUPPORTED) => message(error).contains("cached plan"),
        Some(code) => is_away(code),
        None => error.is_closed() || is_io(error),
    }
}

/// Whether the server says that it is starting: it may be there in a moment.
pub(super) fn is_starting(error: &tokio_postgres::Error) -> bool {
    error.code() == Some(&SqlState::CANNOT_CONNECT_NOW)
}

fn is_away(code: &SqlState) -> bool {
    code.code().starts_with("08")
        || matches!(
            *code,
            SqlState::CANNOT_CONNECT_NOW | SqlState::ADMIN_SHUTDOWN | SqlState::CRASH_SHUTDOWN
        )
}

fn is_io(error: &tokio_postgres::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<std::io::Error>())
}

/// What went wrong in a pool that could not hand out a connection.
pub(super) fn no_connection(place: &str, error: PoolError) -> Error {
    match error {
        PoolError::Backend(error) => sql(place, &error),
        PoolError::Timeout(_) => away(place, "it did not let a connection in within its time"),
        other => Error::Internal(format!("PostgreSQL {place}: {other}")),
    }
}

/// What to say when the server is not there.
pub(super) fn away(place: &str, why: &str) -> Error {
    Error::Unavailable(format!(
        "PostgreSQL {place} cannot be reached ({why}); check that it runs. Sage goes on by itself \
         once it does"
    ))
}

/// What to say when the answer did not come in time.
pub(super) fn too_late(place: &str) -> Error {
    Error::Unavailable(format!(
        "PostgreSQL {place} did not answer in time; check that it is well, and try again"
    ))
}

pub(super) fn failure(place: &str, failure: Failure) -> Error {
    match failure {
        Failure::Caller(error) => error,
        Failure::Sql(error) => sql(place, &error),
    }
}

pub(super) fn sql(place: &str, error: &tokio_postgres::Error) -> Error {
    match error.as_db_error() {
        Some(db) => told_by_server(place, db),
        None if error.is_closed() || is_io(error) => away(place, &message(error)),
        None => {
            let text = message(error);
            let parts = ["certificate", "TLS", "tls", "password", "host"];
            match parts.iter().any(|part| text.contains(part)) {
                // About this server and how it was asked, and for somebody to put right.
                true => Error::Store(format!(
                    "PostgreSQL {place} was not let in: {text}; check SAGE_DATABASE_URL, its \
                     sslmode and SAGE_DATABASE_CA_FILE"
                )),
                false => Error::Internal(format!("PostgreSQL {place}: {text}")),
            }
        }
    }
}

/// The library's message with its cause, which it leaves to whoever prints it.
fn message(error: &tokio_postgres::Error) -> String {
    if let Some(db) = error.as_db_error() {
        return db.message().to_owned();
    }
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

fn told_by_server(place: &str, db: &DbError) -> Error {
    let told = db.message();
    let store = |advice: &str| Error::Store(format!("PostgreSQL {place}: {told}; {advice}"));
    match db.code() {
        code if is_away(code) => away(place, told),
        &SqlState::TOO_MANY_CONNECTIONS => Error::Unavailable(format!(
            "PostgreSQL {place} has no connection left ({told}); raise max_connections, or let \
             fewer programs connect"
        )),
        // The third: statements are sent ahead, and one behind a cancelled one is told only this.
        &SqlState::QUERY_CANCELED
        | &SqlState::LOCK_NOT_AVAILABLE
        | &SqlState::IN_FAILED_SQL_TRANSACTION => Error::Unavailable(format!(
            "PostgreSQL {place} did not finish in time ({told}); try again"
        )),
        &SqlState::T_R_DEADLOCK_DETECTED
        | &SqlState::T_R_SERIALIZATION_FAILURE
        | &SqlState::UNIQUE_VIOLATION => Error::Unavailable(format!(
            "PostgreSQL {place}: other writers were always faster ({told}); try again"
        )),
        &SqlState::READ_ONLY_SQL_TRANSACTION => store(
            "this is a replica or was set to read-only, and nothing was saved. Name the primary, \
             or all hosts with target_session_attrs=read-write",
        ),
        &SqlState::DISK_FULL => {
            store("the server's disk is full, and nothing was saved; free some space and repeat it")
        }
        &SqlState::INSUFFICIENT_PRIVILEGE => store(
            "grant the role USAGE on the schema and all rights on its tables and sequences, or \
             let it create the schema itself",
        ),
        &SqlState::INVALID_PASSWORD | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            store("check the user in SAGE_DATABASE_URL, and SAGE_DATABASE_PASSWORD_FILE")
        }
        &SqlState::INVALID_CATALOG_NAME => store("make it, or name another in SAGE_DATABASE_URL"),
        &SqlState::UNDEFINED_TABLE | &SqlState::INVALID_SCHEMA_NAME => {
            store("somebody took the schema away; the next call makes a new one")
        }
        code => Error::Internal(format!(
            "PostgreSQL {place}: {told} (SQLSTATE {})",
            code.code()
        )),
    }
}

/// Whether this connection may only read: what it is connected to may have become a replica, or
/// kept a setting that has gone since.
pub(super) fn is_read_only(error: &tokio_postgres::Error) -> bool {
    error.code() == Some(&SqlState::READ_ONLY_SQL_TRANSACTION)
}

/// Whether somebody took the schema away: a new connection makes it again.
pub(super) fn is_schema_gone(error: &tokio_postgres::Error) -> bool {
    matches!(
        error.code(),
        Some(&SqlState::UNDEFINED_TABLE | &SqlState::INVALID_SCHEMA_NAME)
    )
}
