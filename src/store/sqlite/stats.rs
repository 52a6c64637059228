//! Numbers about the store.

use rusqlite::{Connection, params};

use crate::memory::{Project, Scope};
use crate::store::columns::time_of;
use crate::store::{Counts, Inspection, Stats};

/// What the index says it holds, a row for each project and kind: nothing is counted.
pub(super) fn count(db: &Connection, scope: &Scope) -> rusqlite::Result<Counts> {
    let project = scope.project().map(|project| project.key.as_str());
    db.prepare_cached(
        "SELECT coalesce(sum(memories), 0), coalesce(sum(passages), 0) FROM holding
         WHERE ?1 IS NULL OR project_id = (SELECT id FROM project WHERE key = ?1)",
    )?
    .query_row([project], |row| {
        Ok(Counts {
            memories: row.get::<_, i64>(0)?.unsigned_abs(),
            passages: row.get::<_, i64>(1)?.unsigned_abs(),
        })
    })
}

/// Damages that are told: the first ones say enough.
const DAMAGE_MAX: i64 = 5;

pub(super) fn inspect(db: &Connection, is_thorough: bool) -> rusqlite::Result<Inspection> {
    let id = "SELECT value FROM meta WHERE name = 'store_id'";
    let mut inspection = Inspection {
        store_id: db.prepare_cached(id)?.query_row([], |row| row.get(0))?,
        schema: db.pragma_query_value(None, "user_version", |row| row.get(0))?,
        damage: Vec::new(),
    };
    if is_thorough {
        let mut check = db.prepare(&format!("PRAGMA quick_check({DAMAGE_MAX})"))?;
        let lines = check.query_map([], |row| row.get::<_, String>(0))?;
        inspection.damage = lines.collect::<rusqlite::Result<_>>()?;
        inspection.damage.retain(|line| line != "ok");
    }
    Ok(inspection)
}

pub(super) fn projects(
    db: &Connection,
    part: &str,
    limit: usize,
) -> rusqlite::Result<Vec<Project>> {
    db.prepare_cached(
        "SELECT p.key FROM project p
         WHERE instr(lower(p.key), lower(?1)) > 0
           AND EXISTS (SELECT 1 FROM holding h WHERE h.project_id = p.id AND h.memories > 0)
         ORDER BY p.key LIMIT ?2",
    )?
    .query_map(params![part, limit as i64], |row| {
        row.get::<_, String>(0).map(Project::new)
    })?
    .collect()
}

pub(super) fn stats(db: &Connection, scope: &Scope) -> rusqlite::Result<Stats> {
    let project = scope.project().map(|project| project.key.as_str());
    let mut by_kind = [0; 3];
    let mut passages = 0;
    let mut select = db.prepare_cached(
        "SELECT h.kind, sum(h.memories), sum(h.passages)
         FROM holding h JOIN project p ON p.id = h.project_id
         WHERE ?1 IS NULL OR p.key = ?1 GROUP BY h.kind",
    )?;
    let mut rows = select.query([project])?;
    while let Some(row) = rows.next()? {
        let kind = usize::try_from(row.get::<_, i64>(0)?).unwrap_or(usize::MAX);
        if let Some(memories) = by_kind.get_mut(kind) {
            *memories = row.get::<_, i64>(1)?.unsigned_abs();
        }
        passages += row.get::<_, i64>(2)?.unsigned_abs();
    }
    let number = |sql: &str| -> rusqlite::Result<u64> {
        db.prepare_cached(sql)?
            .query_row([project], |row| row.get::<_, i64>(0))
            .map(i64::unsigned_abs)
    };
    let superseded = number(
        "SELECT count(*) FROM memory m JOIN project p ON p.id = m.project_id
         WHERE m.superseded_by IS NOT NULL AND (?1 IS NULL OR p.key = ?1)",
    )?;
    let sessions = number(
        "SELECT count(DISTINCT x.session_id) FROM share x JOIN project p ON p.id = x.project_id
         WHERE x.memories > 0 AND (?1 IS NULL OR p.key = ?1)",
    )?;
    let projects = db
        .prepare_cached(
            "SELECT p.key, sum(h.memories) AS memories
             FROM holding h JOIN project p ON p.id = h.project_id
             WHERE ?1 IS NULL OR p.key = ?1
             GROUP BY p.id HAVING memories > 0 ORDER BY memories DESC, p.key",
        )?
        .query_map([project], |row| {
            Ok((
                Project::new(row.get::<_, String>(0)?),
                row.get::<_, i64>(1)?.unsigned_abs(),
            ))
        })?
        .collect::<rusqlite::Result<_>>()?;
    let span: (Option<i64>, Option<i64>) = db
        .prepare_cached(
            "SELECT min(m.created_ms), max(m.created_ms)
             FROM memory m JOIN project p ON p.id = m.project_id
             WHERE m.superseded_by IS NULL AND (?1 IS NULL OR p.key = ?1)",
        )?
        .query_row([project], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let bytes: i64 = db.query_row(
        "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
        [],
        |row| row.get(0),
    )?;
    Ok(Stats {
        by_kind,
        superseded,
        passages,
        sessions,
        projects,
        span: span
            .0
            .zip(span.1)
            .map(|(first, last)| (time_of(first), time_of(last))),
        store_bytes: bytes.unsigned_abs(),
    })
}
