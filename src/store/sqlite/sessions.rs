//! Projects, directories and sessions.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::Failure;
use crate::error::Error;
use crate::memory::{Kind, Page, Project, Scope, Session, Timestamp};
use crate::store::columns::{session_title, time_of};
use crate::store::page::{Start, page as cut};
use crate::store::trace::TraceKind;

/// The number of a project, made if it is not there.
pub(super) fn make_project(tx: &Transaction<'_>, project: &Project) -> rusqlite::Result<i64> {
    let known = tx
        .prepare_cached("SELECT id FROM project WHERE key = ?1")?
        .query_row([&project.key], |row| row.get(0))
        .optional()?;
    match known {
        Some(id) => Ok(id),
        None => tx
            .prepare_cached("INSERT INTO project (key) VALUES (?1)")?
            .insert([&project.key]),
    }
}

/// From now on this directory means this project.
pub(super) fn learn_directory(
    tx: &Transaction<'_>,
    path: &str,
    project: i64,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO directory (path, project_id) VALUES (?1, ?2)
         ON CONFLICT DO UPDATE SET project_id = excluded.project_id
         WHERE project_id <> excluded.project_id",
    )?
    .execute(params![path, project])?;
    Ok(())
}

/// The project of a directory: its own, else that of its longest known parent.
pub(super) fn directory_project(db: &Connection, path: &str) -> rusqlite::Result<Option<Project>> {
    let mut select = db.prepare_cached(
        "SELECT p.key FROM directory d JOIN project p ON p.id = d.project_id WHERE d.path = ?1",
    )?;
    for parent in std::path::Path::new(path).ancestors() {
        let found = select
            .query_row([parent.to_string_lossy()], |row| row.get::<_, String>(0))
            .optional()?;
        if let Some(key) = found {
            return Ok(Some(Project::new(key)));
        }
    }
    Ok(None)
}

/// The number of a session, made and bound to the project if it is not there. One that was only
/// bound for want of proof is bound to the first project that has it.
pub(super) fn make(
    tx: &Transaction<'_>,
    project: i64,
    client_id: &str,
    at: Timestamp,
) -> rusqlite::Result<i64> {
    let known = tx
        .prepare_cached("SELECT id FROM session WHERE client_id = ?1")?
        .query_row([client_id], |row| row.get(0))
        .optional()?;
    let id = match known {
        Some(id) => id,
        None => tx
            .prepare_cached(
                "INSERT INTO session (client_id, project_id, started_ms, last_ms)
                 VALUES (?1, ?2, ?3, ?3)",
            )?
            .insert(params![client_id, project, at.as_millisecond()])?,
    };
    tx.prepare_cached(
        "UPDATE session SET project_id = ?2
         WHERE id = ?1 AND project_id = (SELECT id FROM project WHERE key = ?3)",
    )?
    .execute(params![id, project, Project::UNASSIGNED])?;
    tx.prepare_cached("INSERT OR IGNORE INTO share (project_id, session_id) VALUES (?1, ?2)")?
        .execute([project, id])?;
    Ok(id)
}

/// The place of a memory that was said at `at`. Turns take one place after the other; anything
/// else stands before the next turn. 0 without a session.
pub(super) fn take_place(
    tx: &Transaction<'_>,
    session: Option<i64>,
    kind: Kind,
    at: Timestamp,
) -> rusqlite::Result<i64> {
    let Some(session) = session else { return Ok(0) };
    let places = i64::from(kind == Kind::Turn);
    tx.prepare_cached(
        "UPDATE session SET next_position = next_position + ?3,
             started_ms = min(started_ms, ?2), last_ms = max(last_ms, ?2)
         WHERE id = ?1 RETURNING next_position - ?3",
    )?
    .query_row(params![session, at.as_millisecond(), places], |row| {
        row.get(0)
    })
}

/// Sessions as one project sees them, or, where ?1 is null, as they are bound.
const SELECT: &str = "
    SELECT s.client_id, p.key,
           (SELECT title FROM share WHERE session_id = s.id AND project_id = p.id),
           s.started_ms, s.last_ms,
           (SELECT coalesce(sum(memories), 0) FROM share
            WHERE session_id = s.id AND (?1 IS NULL OR project_id = p.id)),
           (SELECT substr(m.content, 1, 400) FROM memory m
            WHERE m.session_id = s.id AND m.project_id = p.id AND m.superseded_by IS NULL
            ORDER BY m.position LIMIT 1),
           s.id
    FROM session s JOIN project p
      ON (?1 IS NULL AND p.id = s.project_id)
      OR (p.key = ?1 AND EXISTS (SELECT 1 FROM share WHERE project_id = p.id AND session_id = s.id))";

fn session(row: &Row<'_>) -> rusqlite::Result<Session> {
    let given: Option<String> = row.get(2)?;
    let first: Option<String> = row.get(6)?;
    Ok(Session {
        id: row.get(0)?,
        project: Project::new(row.get::<_, String>(1)?),
        title: session_title(given, first),
        started_at: time_of(row.get(3)?),
        last_at: time_of(row.get(4)?),
        memories: row.get::<_, i64>(5)?.unsigned_abs(),
    })
}

pub(super) fn page(
    db: &Connection,
    scope: &Scope,
    limit: usize,
    start: Start,
) -> rusqlite::Result<Page<Session>> {
    let project = scope.project().map(|project| project.key.as_str());
    let rows: Vec<(Session, i64)> = db
        .prepare_cached(&format!(
            "{SELECT} WHERE (s.last_ms, s.id) < (?2, ?3)
             ORDER BY s.last_ms DESC, s.id DESC LIMIT ?4"
        ))?
        .query_map(
            params![
                project,
                start.before_ms,
                start.before_id,
                limit.saturating_add(1) as i64
            ],
            |row| Ok((session(row)?, row.get(7)?)),
        )?
        .collect::<rusqlite::Result<_>>()?;
    Ok(cut(rows, limit, |(session, id)| Start {
        before_ms: session.last_at.as_millisecond(),
        before_id: *id,
    }))
}

pub(super) fn by_client_id(
    db: &Connection,
    scope: &Scope,
    client_id: &str,
) -> rusqlite::Result<Option<Session>> {
    let project = scope.project().map(|project| project.key.as_str());
    db.prepare_cached(&format!("{SELECT} WHERE s.client_id = ?2"))?
        .query_row(params![project, client_id], session)
        .optional()
}

pub(super) fn put(
    tx: &Transaction<'_>,
    project: &Project,
    client_id: &str,
    title: Option<&str>,
    now: Timestamp,
) -> Result<Session, Failure> {
    let project_id = make_project(tx, project)?;
    let id = make(tx, project_id, client_id, now)?;
    if let Some(title) = title {
        tx.prepare_cached("UPDATE share SET title = ?3 WHERE project_id = ?1 AND session_id = ?2")?
            .execute(params![project_id, id, title])?;
    }
    let found = by_client_id(tx, &Scope::Project(project.clone()), client_id)?;
    found.ok_or_else(|| {
        Failure::Caller(Error::invalid(
            "session",
            format!("session {client_id} is not of this project"),
        ))
    })
}

pub(super) fn project(db: &Connection, client_id: &str) -> rusqlite::Result<Option<Project>> {
    db.prepare_cached(
        "SELECT project FROM trace WHERE kind = ?2 AND session = ?1
         UNION ALL
         SELECT p.key FROM session s JOIN project p ON p.id = s.project_id WHERE s.client_id = ?1
         LIMIT 1",
    )?
    .query_row(params![client_id, TraceKind::Session.number()], |row| {
        row.get::<_, String>(0).map(Project::new)
    })
    .optional()
}

/// How many terms the scope holds of each of these sessions.
pub(super) fn lengths(
    db: &Connection,
    scope: &Scope,
    ids: &[i64],
) -> rusqlite::Result<Vec<(i64, u64)>> {
    let project = scope.project().map(|project| project.key.as_str());
    let mut select = db.prepare_cached(
        "SELECT coalesce(sum(x.terms), 0) FROM share x JOIN project p ON p.id = x.project_id
         WHERE x.session_id = ?1 AND (?2 IS NULL OR p.key = ?2)",
    )?;
    ids.iter()
        .map(|id| {
            let terms: i64 = select.query_row(params![id, project], |row| row.get(0))?;
            Ok((*id, terms.unsigned_abs()))
        })
        .collect()
}

/// Deletes a project's part of a session when nothing is left of it, and the session with the last
/// part: one that was given a name stays until it is cleared of it.
pub(super) fn delete_empty(
    tx: &Transaction<'_>,
    project: i64,
    session: i64,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "DELETE FROM share WHERE project_id = ?1 AND session_id = ?2 AND title IS NULL
         AND NOT EXISTS (SELECT 1 FROM memory WHERE session_id = ?2 AND project_id = ?1)",
    )?
    .execute([project, session])?;
    tx.prepare_cached(
        "DELETE FROM session WHERE id = ?1
         AND NOT EXISTS (SELECT 1 FROM share WHERE session_id = ?1)",
    )?
    .execute([session])?;
    Ok(())
}
