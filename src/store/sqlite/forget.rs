//! Deleting for good.

use std::collections::BTreeSet;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Transaction, ffi, params_from_iter};
use uuid::Uuid;

use super::index::Changes;
use super::list::selected;
use super::put::standing;
use super::{open, sessions};
use crate::memory::{MemoryId, Selection};
use crate::store::Forgotten;

/// Deletes those of these memories that a selection holds.
pub(super) fn forget(
    tx: &Transaction<'_>,
    selection: &Selection,
    names: &[MemoryId],
) -> rusqlite::Result<Forgotten> {
    let chosen = selected(selection);
    let mut select = tx.prepare_cached(&format!(
        "SELECT m.id FROM memory m WHERE {} AND m.name = ?",
        chosen.sql
    ))?;
    let mut memories = Vec::with_capacity(names.len());
    for name in names {
        let name = Value::Blob(name.as_bytes().to_vec());
        let values = chosen.values.iter().cloned().chain([name]);
        let memory = select
            .query_row(params_from_iter(values), |row| row.get::<_, i64>(0))
            .optional()?;
        memories.extend(memory);
    }
    forget_rows(tx, &memories)
}

/// Deletes memories with all that they superseded: a superseded version left behind would be what
/// was to be forgotten.
fn forget_rows(tx: &Transaction<'_>, memories: &[i64]) -> rusqlite::Result<Forgotten> {
    let mut changes = Changes::default();
    let mut forgotten = Forgotten::default();
    let mut shares = BTreeSet::new();
    for memory in memories {
        shares.extend(forget_chain(tx, &mut changes, *memory, &mut forgotten)?);
    }
    if forgotten.memories == 0 {
        return Ok(forgotten);
    }
    changes.write(tx)?;
    for (project, session) in shares {
        sessions::delete_empty(tx, project, session)?;
    }
    // Each time another mark, so that nobody takes away one that was set meanwhile.
    tx.prepare_cached(
        "INSERT INTO meta (name, value) VALUES ('traces', ?1)
         ON CONFLICT DO UPDATE SET value = excluded.value",
    )?
    .execute([Uuid::now_v7().to_string()])?;
    Ok(forgotten)
}

/// The mark that memories were deleted since the database was written anew. It is in the database,
/// so that whoever comes next makes up for a process that died in between.
pub(super) fn traces(db: &Connection) -> rusqlite::Result<Option<String>> {
    db.prepare_cached("SELECT value FROM meta WHERE name = 'traces'")?
        .query_row([], |row| row.get(0))
        .optional()
}

/// Leaves no copy of a forgotten word in the files. SQLite overwrites what it deletes
/// (`secure_delete`), but not what it leaves behind when it moves rows between pages, so the
/// database is written anew: 0.6 seconds for 100 MB, in which other writers wait. The log has
/// the words until it is emptied, so this waits for other readers and fails if they stay.
pub(super) fn erase_traces(db: &Connection) -> rusqlite::Result<()> {
    let Some(mark) = traces(db)? else {
        return Ok(());
    };
    write_anew(db)?;
    db.execute(
        "DELETE FROM meta WHERE name = 'traces' AND value = ?1",
        [mark],
    )?;
    Ok(())
}

fn write_anew(db: &Connection) -> rusqlite::Result<()> {
    // In memory, as other temporary things are, this would take as much of it as the file is long.
    db.execute_batch("PRAGMA temp_store = FILE")?;
    let written = db.execute_batch("VACUUM");
    db.execute_batch("PRAGMA temp_store = MEMORY")?;
    written?;
    // It waits for readers and writers, but not while another process does the same: then it gives
    // up at once.
    open::patiently(|| {
        match db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))? {
            true => Err(rusqlite::Error::SqliteFailure(
                ffi::Error::new(ffi::SQLITE_BUSY),
                None,
            )),
            false => Ok(()),
        }
    })
}

/// Deletes a memory with its history; returns the projects and sessions they were of.
fn forget_chain(
    tx: &Transaction<'_>,
    changes: &mut Changes,
    newest: i64,
    forgotten: &mut Forgotten,
) -> rusqlite::Result<Vec<(i64, i64)>> {
    let chain: Vec<_> = tx
        .prepare_cached(
            "WITH RECURSIVE chain (id) AS (
                 VALUES (?1)
                 UNION
                 SELECT m.id FROM memory m JOIN chain ON m.superseded_by = chain.id)
             SELECT id, project_id, kind, session_id, position, created_ms, expires_ms,
                    superseded_by IS NULL
             FROM memory WHERE id IN chain",
        )?
        .query_map([newest], |row| Ok((standing(row)?, row.get::<_, bool>(7)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (standing, live) in &chain {
        if *live {
            *forgotten += changes.remove(tx, standing)?;
        }
        tx.prepare_cached(
            "INSERT OR IGNORE INTO forgotten (event)
             SELECT event FROM memory WHERE id = ?1 AND event IS NOT NULL
             UNION SELECT event FROM repeat WHERE memory_id = ?1",
        )?
        .execute([standing.memory])?;
    }
    for (standing, _) in &chain {
        tx.prepare_cached("DELETE FROM memory WHERE id = ?1")?
            .execute([standing.memory])?;
        forgotten.memories += 1;
    }
    Ok(chain
        .iter()
        .filter_map(|(standing, _)| Some((standing.project, standing.session?)))
        .collect())
}
