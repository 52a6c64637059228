//! Opening, migrating, and saying what is wrong.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior, ffi};

use crate::error::{Error, Result};

/// "SAGE" in ASCII: what `file` and SQLite call an application id.
const APPLICATION_ID: i32 = 0x5341_4745;

/// Each is applied once, in order, in one transaction with the new version number.
const MIGRATIONS: &[&str] = &[
    include_str!("schema/001_start.sql"),
    include_str!("schema/002_expiry.sql"),
    include_str!("schema/003_vectors.sql"),
    include_str!("schema/004_hooks.sql"),
    include_str!("schema/005_sessions.sql"),
];

/// How long a caller waits for the writers of other processes. A transaction holds the lock for
/// milliseconds (an import's for up to a quarter of a second), so only a stopped process reaches it.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a checkpoint waits for readers, who are done in milliseconds.
const CHECKPOINT_PATIENCE: Duration = Duration::from_millis(250);

/// A wait between two tries to get the lock is 1 ms and up to this much more, at random: eight
/// writers then share it evenly, which SQLite's own growing waits do not achieve.
const WAIT_SPREAD_MS: u64 = 8;

/// Page cache of the writing connection, in KiB: what a transaction of an import changes.
const WRITER_CACHE_KIB: i64 = 2 * 1024;

/// Page cache of a reading connection, in KiB. A page that is not in it costs a microsecond, since
/// the system holds the file, and new memory for it costs more: with 2 MiB a hook, which reads each
/// page once, takes 2 of 17 ms longer; with 8 MiB a server under load is 20 MB larger and no faster.
const READER_CACHE_KIB: i64 = 512;

/// The log is cut back to this after a large import, in bytes.
const LOG_BYTES_KEPT: i64 = 8 * 1024 * 1024;

/// Where the database is in its folder.
pub fn database_path(folder: &Path) -> PathBuf {
    folder.join("sage.db")
}

/// Makes what is missing, opens for writing, migrates.
pub(super) fn writer(folder: &Path, path: &Path) -> Result<Connection> {
    make_folder(folder)?;
    let _making = make_file(folder, path)?;
    let mut db = connect(path, WRITER_CACHE_KIB)?;
    let start = Instant::now();
    loop {
        match prepare(&mut db, path) {
            // Two processes that make the same database at once can meet where SQLite does not
            // wait by itself.
            Err(Prepare::Sql(error)) if is_busy(&error) && start.elapsed() < PATIENCE => wait(),
            Err(Prepare::Sql(error)) => return Err(explain(path, &error)),
            Err(Prepare::Refused(error)) => return Err(error),
            Ok(()) => return Ok(db),
        }
    }
}

/// Opens for reading a database that [`writer`] has prepared.
pub(super) fn reader(path: &Path) -> Result<Connection> {
    let db = connect(path, READER_CACHE_KIB)?;
    db.pragma_update(None, "query_only", true)
        .map_err(|error| explain(path, &error))?;
    Ok(db)
}

/// Writes the log back and empties it. Other processes that read or write at the moment may keep
/// part of it alive; then it is left to their checkpoints, since nothing committed can be lost.
pub(super) fn checkpoint(db: &mut Connection) -> rusqlite::Result<()> {
    db.busy_timeout(CHECKPOINT_PATIENCE)?;
    let outcome = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    db.busy_handler(Some(wait_for_lock))?;
    match outcome {
        Err(error) if is_busy(&error) => Ok(()),
        outcome => outcome,
    }
}

fn connect(path: &Path, cache_kib: i64) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || -> rusqlite::Result<Connection> {
        let mut db = Connection::open_with_flags(path, flags)?;
        db.busy_handler(Some(wait_for_lock))?;
        db.pragma_update(None, "foreign_keys", true)?;
        db.pragma_update(None, "synchronous", "FULL")?;
        db.pragma_update(None, "secure_delete", true)?;
        db.pragma_update(None, "temp_store", "MEMORY")?;
        db.pragma_update(None, "cache_size", -cache_kib)?;
        db.pragma_update(None, "journal_size_limit", LOG_BYTES_KEPT)?;
        // Else a statement is compiled anew, which takes longer than running it, whenever a value
        // is bound that could have told the planner something.
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        db.set_prepared_statement_cache_capacity(64);
        Ok(db)
    };
    open().map_err(|error| explain(path, &error))
}

enum Prepare {
    Sql(rusqlite::Error),
    Refused(Error),
}

impl From<rusqlite::Error> for Prepare {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

/// Checks whose database it is and applies the migrations that it lacks.
fn prepare(db: &mut Connection, path: &Path) -> std::result::Result<(), Prepare> {
    // One view of the database: another process may be making it at this moment, and its tables
    // without its application id would look like those of another program.
    let view = db.transaction()?;
    if version(&view, path)? == MIGRATIONS.len() {
        return Ok(());
    }
    drop(view);
    db.pragma_update(None, "journal_mode", "WAL")?;
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have migrated while this one waited for the lock.
    let done = version(&transaction, path)?;
    for (index, migration) in MIGRATIONS.iter().enumerate().skip(done) {
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "user_version", index as i64 + 1)?;
    }
    if done == 0 {
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        let id = uuid::Uuid::now_v7().to_string();
        transaction.execute(
            "INSERT INTO meta (name, value) VALUES ('store_id', ?1)",
            [id],
        )?;
    }
    transaction.commit()?;
    Ok(())
}

/// How many migrations the database has; refuses what is not ours or from a newer Sage.
fn version(db: &Connection, path: &Path) -> std::result::Result<usize, Prepare> {
    let number = |pragma| db.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let (application, version) = (number("application_id")?, number("user_version")?);
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables > 0 && application != i64::from(APPLICATION_ID) {
        return Err(Prepare::Refused(Error::Store(format!(
            "{} is a database of another program; point SAGE_DATA_DIR at another folder",
            path.display()
        ))));
    }
    let version = usize::try_from(version).unwrap_or(usize::MAX);
    if version > MIGRATIONS.len() {
        return Err(Prepare::Refused(Error::Store(format!(
            "{} was written by a newer Sage (its schema is version {version}, this Sage knows up \
             to {}); nothing was touched. Update sage, or point SAGE_DATA_DIR at another folder",
            path.display(),
            MIGRATIONS.len()
        ))));
    }
    Ok(version)
}

/// Which file is at a path: device and inode, which no other file has as long as it is open.
pub(super) fn file_at(path: &Path) -> Option<(u64, u64)> {
    let metadata = path.metadata().ok()?;
    Some((metadata.dev(), metadata.ino()))
}

fn make_folder(folder: &Path) -> Result<()> {
    let made: Vec<&Path> = folder
        .ancestors()
        .take_while(|folder| !folder.is_dir())
        .collect();
    let mut maker = DirBuilder::new();
    maker.recursive(true).mode(0o700);
    // A folder survives a power cut once the folder around it is synced.
    let sync = |folder: &&Path| match folder.parent() {
        Some(parent) if parent.as_os_str().is_empty() => File::open(".")?.sync_all(),
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    };
    let make = || match made.is_empty() {
        true => Ok(()),
        false => maker
            .create(folder)
            .and_then(|()| made.iter().try_for_each(sync)),
    };
    make().map_err(|error| {
        Error::Store(format!(
            "cannot make the data folder {}: {error}; set SAGE_DATA_DIR to a folder that can be \
             written",
            folder.display()
        ))
    })
}

/// Makes the database's file if it is not there. As long as it is empty only one process works on
/// it, the one that holds what this returns until it has made the database.
///
/// SQLite would make the file readable for all; its log and shared memory take the file's mode.
fn make_file(folder: &Path, path: &Path) -> Result<Option<File>> {
    let is_made = || path.metadata().is_ok_and(|metadata| metadata.len() > 0);
    if is_made() {
        return Ok(None);
    }
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::StorageFull => disk_full(path),
        _ => Error::Store(format!(
            "cannot make the database {}: {error}; check who owns the folder, or set \
             SAGE_DATA_DIR to one that can be written",
            path.display()
        )),
    };
    let lock = File::open(folder).map_err(failed)?;
    lock.lock().map_err(failed)?;
    if is_made() {
        return Ok(None);
    }
    let mut maker = OpenOptions::new();
    let made = maker.write(true).create_new(true).mode(0o600).open(path);
    if let Err(error) = made
        && error.kind() != ErrorKind::AlreadyExists
    {
        return Err(failed(error));
    }
    // A log beside an empty file is that of a database which was taken away. Processes that still
    // have that one open go on with its log and shared memory; the new one must not share them.
    for ending in ["-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        match std::fs::remove_file(name) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
    }
    Ok(Some(lock))
}

/// SQLite's question whether to go on waiting for a lock; `tries` counts from 0.
fn wait_for_lock(tries: i32) -> bool {
    // The mean wait is 1 + half the spread; counting tries needs no clock and no memory.
    let waited_ms = u128::from(tries.unsigned_abs()) * u128::from(1 + WAIT_SPREAD_MS / 2);
    let go_on = waited_ms < PATIENCE.as_millis();
    if go_on {
        wait();
    }
    go_on
}

/// Tries again while another process holds a lock for which SQLite does not wait by itself.
pub(super) fn patiently<T>(
    mut attempt: impl FnMut() -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let start = Instant::now();
    loop {
        match attempt() {
            Err(error) if is_busy(&error) && start.elapsed() < PATIENCE => wait(),
            outcome => return outcome,
        }
    }
}

fn wait() {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let spread_ms = u64::from(now.subsec_micros()) % WAIT_SPREAD_MS;
    std::thread::sleep(Duration::from_millis(1 + spread_ms));
}

fn extended_code(error: &rusqlite::Error) -> Option<i32> {
    error.sqlite_error().map(|error| error.extended_code)
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::FileLockingProtocolFailed
        )
    )
}

fn disk_full(path: &Path) -> Error {
    Error::Store(format!(
        "the disk is full: {} could not grow, and what this call brought was not saved; free some \
         space and repeat it",
        path.display()
    ))
}

/// What a database error means for the person who meets it.
pub(super) fn explain(path: &Path, error: &rusqlite::Error) -> Error {
    let path_text = path.display();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => disk_full(path),
        // The shared memory is a file too, and growing it has no other reason to fail.
        _ if extended_code(error) == Some(ffi::SQLITE_IOERR_SHMSIZE) => disk_full(path),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Error::Store(format!(
            "{path_text} cannot be written ({error}); check its permissions, or set SAGE_DATA_DIR \
             to a folder that can be written"
        )),
        Some(ErrorCode::CannotOpen) => Error::Store(format!(
            "{path_text} cannot be opened ({error}); check that its folder is there and can be \
             written, or set SAGE_DATA_DIR to another one"
        )),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Error::Store(format!(
            "{path_text} is damaged ({error}); nothing was changed. Move it away, with the -wal \
             file beside it, and restore a copy, or start anew with `sage import`"
        )),
        Some(ErrorCode::SystemIoFailure) => Error::Store(format!(
            "the disk under {path_text} failed or is full ({error}, SQLite's code {}); what this \
             call brought was not saved",
            extended_code(error).unwrap_or_default()
        )),
        _ if is_busy(error) => Error::Unavailable(format!(
            "another process has kept {path_text} locked for {} seconds; try again",
            PATIENCE.as_secs()
        )),
        _ => Error::Internal(format!("{path_text}: {error}")),
    }
}
