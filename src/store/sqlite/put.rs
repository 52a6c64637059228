//! Keeping memories.

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::index::{Changes, Standing};
use super::memories::ROW;
use super::{Failure, sessions};
use crate::error::Error;
use crate::memory::{Kind, MemoryId};
use crate::order::sort_by_key;
use crate::store::columns::kind_number;
use crate::store::{NewMemory, Put};

type Outcome<T> = std::result::Result<T, Failure>;

/// Keeps memories in order; the caller's transaction makes it all or nothing.
pub(super) fn put(tx: &Transaction<'_>, memories: &[NewMemory]) -> Outcome<Vec<Put>> {
    let mut changes = Changes::default();
    let mut outcomes = Vec::with_capacity(memories.len());
    for new in memories {
        outcomes.push(put_one(tx, &mut changes, new)?);
    }
    changes.write(tx)?;
    Ok(outcomes)
}

fn put_one(tx: &Transaction<'_>, changes: &mut Changes, new: &NewMemory) -> Outcome<Put> {
    if let Some(event) = &new.event {
        if is_forgotten(tx, event)? {
            return Ok(Put::Forgotten);
        }
        if let Some(known) = by_event(tx, event)? {
            // One event is one memory, where it was kept first; nobody writes into it from another
            // project.
            return match is_in(tx, &known, new)? {
                true => Ok(keep_the_fuller(tx, changes, known, new)?),
                false => Ok(Put::Known(known.name)),
            };
        }
    }
    let project = sessions::make_project(tx, &new.project)?;
    if let Some(directory) = &new.directory {
        sessions::learn_directory(tx, directory, project)?;
    }
    let mut replaced = replaced_by_name(tx, project, new)?;
    let session = match &new.session {
        Some(id) => Some(sessions::make(tx, project, id, new.created_at)?),
        None => None,
    };
    if let Some(same) = same_content(tx, project, session, new)? {
        let has_key = new.key.is_none() || same.key == new.key;
        if has_key && new.replaces.is_none() {
            remember_event(tx, &same, new)?;
            return Ok(add_marks(tx, &same, new)?);
        }
        // The same words under a new key, or in the place of others: still one memory.
        replaced.push(same);
    }
    replaced.extend(holder_of_key(tx, project, new)?);
    sort_by_key(&mut replaced, |known| known.standing.memory);
    replaced.dedup_by_key(|known| known.standing.memory);
    insert(tx, changes, project, session, new, &replaced)?;
    Ok(Put::Stored {
        superseded: new.replaces.or(replaced.last().map(|known| known.name)),
    })
}

/// A memory that is there already.
pub(super) struct Known {
    pub name: MemoryId,
    pub standing: Standing,
    pub key: Option<String>,
    content_bytes: usize,
    pub live: bool,
}

pub(super) const KNOWN: &str = "id, project_id, kind, session_id, position, created_ms, expires_ms,
                     name, key, length(CAST(content AS BLOB)), superseded_by IS NULL";

pub(super) fn known(row: &Row<'_>) -> rusqlite::Result<Known> {
    Ok(Known {
        standing: standing(row)?,
        name: MemoryId::from_bytes(row.get(7)?),
        key: row.get(8)?,
        content_bytes: row.get::<_, i64>(9)?.unsigned_abs() as usize,
        live: row.get(10)?,
    })
}

/// The first seven columns of [`KNOWN`].
pub(super) fn standing(row: &Row<'_>) -> rusqlite::Result<Standing> {
    Ok(Standing {
        memory: row.get(0)?,
        project: row.get(1)?,
        kind: row.get(2)?,
        session: row.get(3)?,
        position: row.get(4)?,
        created_ms: row.get(5)?,
        expires_ms: row.get(6)?,
    })
}

/// Whether what is there belongs to the project of what comes.
pub(super) fn is_in(
    tx: &Transaction<'_>,
    known: &Known,
    new: &NewMemory,
) -> rusqlite::Result<bool> {
    tx.prepare_cached("SELECT 1 FROM project WHERE id = ?1 AND key = ?2")?
        .exists(params![known.standing.project, new.project.key])
}

pub(super) fn is_forgotten(tx: &Transaction<'_>, event: &str) -> rusqlite::Result<bool> {
    tx.prepare_cached("SELECT 1 FROM forgotten WHERE event = ?1")?
        .exists([event])
}

pub(super) fn by_event(tx: &Transaction<'_>, event: &str) -> rusqlite::Result<Option<Known>> {
    tx.prepare_cached(&format!("SELECT {KNOWN} FROM memory WHERE event = ?1"))?
        .query_row([event], known)
        .optional()
}

/// The same words by another event: whoever forgets them means that one too.
pub(super) fn remember_event(
    tx: &Transaction<'_>,
    same: &Known,
    new: &NewMemory,
) -> rusqlite::Result<()> {
    if let Some(event) = &new.event {
        tx.prepare_cached("INSERT OR IGNORE INTO repeat (event, memory_id) VALUES (?1, ?2)")?
            .execute(params![event, same.standing.memory])?;
    }
    Ok(())
}

/// The same words: of a turn in the same conversation, of a note anywhere in the project.
pub(super) fn same_content(
    tx: &Transaction<'_>,
    project: i64,
    session: Option<i64>,
    new: &NewMemory,
) -> rusqlite::Result<Option<Known>> {
    let session = if new.kind == Kind::Turn {
        session
    } else {
        None
    };
    tx.prepare_cached(&format!(
        "SELECT {KNOWN} FROM memory
         WHERE content_hash = ?1 AND superseded_by IS NULL AND project_id = ?2 AND kind = ?3
           AND (?3 <> {turn} OR session_id IS ?4) AND content = ?5
         ORDER BY id LIMIT 1",
        turn = kind_number(Kind::Turn),
    ))?
    .query_row(
        params![
            new.content_hash,
            project,
            kind_number(new.kind),
            session,
            new.content.text
        ],
        known,
    )
    .optional()
}

pub(super) fn holder_of_key(
    tx: &Transaction<'_>,
    project: i64,
    new: &NewMemory,
) -> rusqlite::Result<Option<Known>> {
    tx.prepare_cached(&format!(
        "SELECT {KNOWN} FROM memory
         WHERE project_id = ?1 AND key = ?2 AND superseded_by IS NULL"
    ))?
    .query_row(params![project, new.key], known)
    .optional()
}

/// The memory that the caller named to be replaced.
fn replaced_by_name(tx: &Transaction<'_>, project: i64, new: &NewMemory) -> Outcome<Vec<Known>> {
    let Some(name) = new.replaces else {
        return Ok(Vec::new());
    };
    let found = tx
        .prepare_cached(&format!(
            "SELECT {KNOWN} FROM memory WHERE name = ?1 AND project_id = ?2"
        ))?
        .query_row(params![name.as_bytes(), project], known)
        .optional()?;
    match found {
        Some(known) if known.live => Ok(vec![known]),
        Some(_) => Err(Failure::Caller(Error::invalid(
            "id",
            format!("{name} was updated before; update the memory that took its place"),
        ))),
        None => Err(Failure::Caller(Error::NotFound(format!(
            "there is no memory {name} in project {}",
            new.project.key
        )))),
    }
}

/// The same turn came again: more words replace fewer, in place.
pub(super) fn keep_the_fuller(
    tx: &Transaction<'_>,
    changes: &mut Changes,
    known: Known,
    new: &NewMemory,
) -> rusqlite::Result<Put> {
    if !known.live || new.content.text.len() <= known.content_bytes {
        return Ok(Put::Known(known.name));
    }
    changes.remove(tx, &known.standing)?;
    // Its passages are found by the date they were prepared with.
    let created_ms = new.created_at.as_millisecond();
    let standing = Standing {
        created_ms,
        ..known.standing
    };
    tx.prepare_cached(
        "UPDATE memory SET content = ?2, reply_start = ?3, content_hash = ?4, created_ms = ?5,
             metadata = coalesce(?6, metadata)
         WHERE id = ?1",
    )?
    .execute(params![
        known.standing.memory,
        new.content.text,
        new.content.reply_start.map(|at| at as i64),
        new.content_hash,
        standing.created_ms,
        new.metadata,
    ])?;
    changes.add(tx, &standing, &new.passages)?;
    Ok(Put::Updated(known.name))
}

/// The same words came again, perhaps with a tag, a pin or an expiry that they did not have.
fn add_marks(tx: &Transaction<'_>, same: &Known, new: &NewMemory) -> rusqlite::Result<Put> {
    let memory = same.standing.memory;
    let mut changed = insert_tags(tx, memory, &new.tags)?;
    if new.pinned {
        changed += tx
            .prepare_cached("UPDATE memory SET pinned = 1 WHERE id = ?1 AND pinned = 0")?
            .execute([memory])?;
    }
    let created_ms = new.created_at.as_millisecond();
    let has_expired = same.standing.expires_ms.is_some_and(|at| at <= created_ms);
    // What is said again after its time holds again, for as long as is said now.
    if has_expired || new.expires_at.is_some() {
        let expires = params![memory, new.expires_at.map(|at| at.as_millisecond())];
        changed += tx
            .prepare_cached(
                "UPDATE memory SET expires_ms = ?2 WHERE id = ?1 AND expires_ms IS NOT ?2",
            )?
            .execute(expires)?;
        tx.prepare_cached("UPDATE passage SET expires_ms = ?2 WHERE memory_id = ?1")?
            .execute(expires)?;
    }
    Ok(if changed > 0 {
        Put::Updated(same.name)
    } else {
        Put::Known(same.name)
    })
}

fn insert(
    tx: &Transaction<'_>,
    changes: &mut Changes,
    project: i64,
    session: Option<i64>,
    new: &NewMemory,
    replaced: &[Known],
) -> rusqlite::Result<()> {
    let memory: i64 = tx
        .prepare_cached(
            "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'memory'), 0) + 1",
        )?
        .query_row([], |row| row.get(0))?;
    for known in replaced {
        changes.remove(tx, &known.standing)?;
        tx.prepare_cached("UPDATE memory SET superseded_by = ?2 WHERE id = ?1")?
            .execute(params![known.standing.memory, memory])?;
    }
    let standing = Standing {
        memory,
        project,
        kind: kind_number(new.kind),
        session,
        position: sessions::take_place(tx, session, new.kind, new.created_at)?,
        created_ms: new.created_at.as_millisecond(),
        expires_ms: new.expires_at.map(|at| at.as_millisecond()),
    };
    insert_row(tx, &standing, new, None)?;
    changes.add(tx, &standing, &new.passages)
}

/// Writes a memory's row and its tags.
pub(super) fn insert_row(
    tx: &Transaction<'_>,
    standing: &Standing,
    new: &NewMemory,
    superseded_by: Option<i64>,
) -> rusqlite::Result<()> {
    tx.prepare_cached(&format!(
        "INSERT INTO memory ({ROW})
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?17, ?10, ?11, ?12, ?13, ?14, ?15, ?16)"
    ))?
    .execute(params![
        standing.memory,
        new.id.as_bytes(),
        standing.project,
        standing.session,
        standing.position,
        standing.kind,
        new.pinned,
        standing.created_ms,
        standing.expires_ms,
        new.key,
        new.source,
        new.event,
        new.content_hash,
        new.metadata,
        new.content.reply_start.map(|at| at as i64),
        new.content.text,
        superseded_by,
    ])?;
    insert_tags(tx, standing.memory, &new.tags)?;
    Ok(())
}

fn insert_tags(tx: &Transaction<'_>, memory: i64, tags: &[String]) -> rusqlite::Result<usize> {
    let mut added = 0;
    for tag in tags {
        added += tx
            .prepare_cached("INSERT OR IGNORE INTO tag (tag, memory_id) VALUES (?1, ?2)")?
            .execute(params![tag, memory])?;
    }
    Ok(added)
}
