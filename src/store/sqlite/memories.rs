//! Reading memories.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::memory::{Content, Memory, MemoryId, Project, Scope};
use crate::store::columns::{kind_of, time_of};

/// The columns of the memory table, in the order of its definition.
pub(super) const ROW: &str = "id, name, project_id, session_id, position, kind, pinned, created_ms,
    expires_ms, superseded_by, key, source, event, content_hash, metadata, reply_start, content";

/// Every memory with what belongs to it, to be followed by conditions on `m`, `p` and `s`.
pub(super) const SELECT: &str = "
    SELECT m.name, p.key, s.client_id, m.kind, m.content, m.reply_start, m.key, m.pinned, m.source,
           m.created_ms, m.expires_ms, successor.name, m.metadata,
           (SELECT group_concat(tag, ' ' ORDER BY tag) FROM tag WHERE memory_id = m.id), m.id,
           m.position, m.event
    FROM memory m
    JOIN project p ON p.id = m.project_id
    LEFT JOIN session s ON s.id = m.session_id
    LEFT JOIN memory successor ON successor.id = m.superseded_by";

/// A row of [`SELECT`].
pub(super) fn memory(row: &Row<'_>) -> rusqlite::Result<Memory> {
    let reply_start: Option<i64> = row.get(5)?;
    let tags: Option<String> = row.get(13)?;
    Ok(Memory {
        id: MemoryId::from_bytes(row.get(0)?),
        project: Project::new(row.get::<_, String>(1)?),
        session: row.get(2)?,
        kind: kind_of(row.get(3)?),
        content: Content {
            text: row.get(4)?,
            reply_start: reply_start.and_then(|at| usize::try_from(at).ok()),
        },
        tags: tags
            .unwrap_or_default()
            .split_whitespace()
            .map(str::to_owned)
            .collect(),
        key: row.get(6)?,
        pinned: row.get(7)?,
        source: row.get(8)?,
        created_at: time_of(row.get(9)?),
        expires_at: row.get::<_, Option<i64>>(10)?.map(time_of),
        superseded_by: row
            .get::<_, Option<[u8; 16]>>(11)?
            .map(MemoryId::from_bytes),
        metadata: row.get(12)?,
    })
}

pub(super) fn by_row(
    db: &Connection,
    scope: &Scope,
    rows: &[i64],
) -> rusqlite::Result<Vec<(i64, Memory)>> {
    let project = scope.project().map(|project| project.key.as_str());
    let mut select = db.prepare_cached(&format!(
        "{SELECT} WHERE m.id = ?1 AND m.superseded_by IS NULL AND (?2 IS NULL OR p.key = ?2)"
    ))?;
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let memory = select.query_row(params![row, project], memory).optional()?;
        found.extend(memory.map(|memory| (*row, memory)));
    }
    Ok(found)
}

pub(super) fn by_name(
    db: &Connection,
    scope: &Scope,
    names: &[MemoryId],
) -> rusqlite::Result<Vec<Memory>> {
    let project = scope.project().map(|project| project.key.as_str());
    let mut select = db.prepare_cached(&format!(
        "{SELECT} WHERE m.name = ?1 AND (?2 IS NULL OR p.key = ?2)"
    ))?;
    let mut found = Vec::with_capacity(names.len());
    for name in names {
        found.extend(
            select
                .query_row(params![name.as_bytes(), project], memory)
                .optional()?,
        );
    }
    Ok(found)
}

pub(super) fn history(
    db: &Connection,
    scope: &Scope,
    name: MemoryId,
) -> rusqlite::Result<Vec<Memory>> {
    let project = scope.project().map(|project| project.key.as_str());
    db.prepare_cached(&format!(
        "WITH RECURSIVE
         later (id) AS (
             SELECT id FROM memory WHERE name = ?1
             UNION
             SELECT m.superseded_by FROM memory m JOIN later ON m.id = later.id
             WHERE m.superseded_by IS NOT NULL),
         chain (id) AS (
             SELECT id FROM later
             UNION
             SELECT m.id FROM memory m JOIN chain ON m.superseded_by = chain.id)
         {SELECT} WHERE m.id IN chain AND (?2 IS NULL OR p.key = ?2) ORDER BY m.id"
    ))?
    .query_map(params![name.as_bytes(), project], memory)?
    .collect()
}
