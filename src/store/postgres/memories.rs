//! Reading memories.

use std::collections::HashMap;

use tokio_postgres::Row;
use uuid::Uuid;

use super::db::{Db, Outcome};
use crate::memory::{Content, Memory, MemoryId, Project, Scope};
use crate::store::columns::{kind_of, time_of};

/// Every memory with what belongs to it, to be followed by conditions on `m`, `p` and `s`.
pub(super) const SELECT: &str = "
    SELECT m.name, p.key, s.client_id, m.kind, m.content, m.reply_start, m.key, m.pinned, m.source,
           m.created_ms, m.expires_ms, successor.name, m.metadata,
           ARRAY(SELECT tag FROM tag WHERE memory_id = m.id ORDER BY tag), m.id,
           m.position, m.event
    FROM memory m
    JOIN project p ON p.id = m.project_id
    LEFT JOIN session s ON s.id = m.session_id
    LEFT JOIN memory successor ON successor.id = m.superseded_by";

/// Which column of [`SELECT`] is the store's own number.
pub(super) const NUMBER: usize = 14;

/// A name from its column.
pub(super) fn name(column: Uuid) -> MemoryId {
    MemoryId::from_bytes(column.into_bytes())
}

/// A name as its column holds it.
pub(super) fn name_column(name: MemoryId) -> Uuid {
    Uuid::from_bytes(*name.as_bytes())
}

/// A row of [`SELECT`].
pub(super) fn memory(row: &Row) -> Outcome<Memory> {
    let reply_start: Option<i32> = row.try_get(5)?;
    Ok(Memory {
        id: name(row.try_get(0)?),
        project: Project::new(row.try_get::<_, String>(1)?),
        session: row.try_get(2)?,
        kind: kind_of(i64::from(row.try_get::<_, i16>(3)?)),
        content: Content {
            text: row.try_get(4)?,
            reply_start: reply_start.and_then(|at| usize::try_from(at).ok()),
        },
        key: row.try_get(6)?,
        pinned: row.try_get(7)?,
        source: row.try_get(8)?,
        created_at: time_of(row.try_get(9)?),
        expires_at: row.try_get::<_, Option<i64>>(10)?.map(time_of),
        superseded_by: row.try_get::<_, Option<Uuid>>(11)?.map(name),
        metadata: row.try_get(12)?,
        tags: row.try_get(13)?,
    })
}

/// The key of the scope's project, where it is one.
pub(super) fn project_key(scope: &Scope) -> Option<&str> {
    scope.project().map(|project| project.key.as_str())
}

/// A row of [`SELECT`], if the scope holds it. The database is not asked for the project: before it
/// has statistics it takes a project for small, and would read all of it to find a few rows.
fn memory_in(row: &Row, scope: &Scope) -> Outcome<Option<Memory>> {
    let memory = memory(row)?;
    let is_in = project_key(scope).is_none_or(|key| key == memory.project.key);
    Ok(is_in.then_some(memory))
}

pub(super) async fn by_row(db: &Db, scope: &Scope, numbers: &[i64]) -> Outcome<Vec<(i64, Memory)>> {
    let sql = format!("{SELECT} WHERE m.id = ANY ($1) AND m.superseded_by IS NULL");
    let mut found: HashMap<i64, Memory> = HashMap::new();
    for row in db.rows(&sql, &[&numbers]).await? {
        if let Some(memory) = memory_in(&row, scope)? {
            found.insert(row.try_get(NUMBER)?, memory);
        }
    }
    let in_order = numbers.iter();
    Ok(in_order
        .filter_map(|number| Some((*number, found.get(number)?.clone())))
        .collect())
}

pub(super) async fn by_name(db: &Db, scope: &Scope, names: &[MemoryId]) -> Outcome<Vec<Memory>> {
    let sql = format!("{SELECT} WHERE m.name = ANY ($1)");
    let columns: Vec<Uuid> = names.iter().map(|name| name_column(*name)).collect();
    let mut found: HashMap<MemoryId, Memory> = HashMap::new();
    for row in db.rows(&sql, &[&columns]).await? {
        if let Some(memory) = memory_in(&row, scope)? {
            found.insert(memory.id, memory);
        }
    }
    let in_order = names.iter();
    Ok(in_order
        .filter_map(|name| found.get(name).cloned())
        .collect())
}

pub(super) async fn history(db: &Db, scope: &Scope, name: MemoryId) -> Outcome<Vec<Memory>> {
    let sql = format!(
        "WITH RECURSIVE
         later (id) AS (
             SELECT id FROM memory WHERE name = $1
             UNION
             SELECT m.superseded_by FROM memory m JOIN later ON m.id = later.id
             WHERE m.superseded_by IS NOT NULL),
         chain (id) AS (
             SELECT id FROM later
             UNION
             SELECT m.id FROM memory m JOIN chain ON m.superseded_by = chain.id)
         {SELECT} WHERE m.id = ANY (ARRAY(SELECT id FROM chain)) ORDER BY m.id"
    );
    let rows = db.rows(&sql, &[&name_column(name)]).await?;
    let read = rows.iter().map(|row| memory_in(row, scope));
    read.filter_map(Result::transpose).collect()
}
