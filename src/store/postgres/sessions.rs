//! Projects, directories and sessions.

use sha2::{Digest, Sha256};
use tokio_postgres::Row;

use super::db::{Db, Failure, Outcome};
use super::list::limit_value;
use super::memories::project_key;
use crate::error::Error;
use crate::memory::{Page, Project, Scope, Session, Timestamp};
use crate::store::columns::{session_title, time_of};
use crate::store::page::{Start, page as cut};
use crate::store::trace::TraceKind;

/// The number of a project, made if it is not there.
pub(super) async fn make_project(db: &Db, project: &Project) -> Outcome<i64> {
    let known = db
        .row("SELECT id FROM project WHERE key = $1", &[&project.key])
        .await?;
    if let Some(row) = known {
        return Ok(row.try_get(0)?);
    }
    // Writers of a project queue, so nobody else makes it meanwhile.
    db.one(
        "INSERT INTO project (key) VALUES ($1) RETURNING id",
        &[&project.key],
    )
    .await
}

/// From now on this directory means this project.
pub(super) async fn learn_directory(db: &Db, path: &str, project: i64) -> Outcome<()> {
    db.run(
        "INSERT INTO directory (digest, path, project_id) VALUES ($1, $2, $3)
         ON CONFLICT (digest) DO UPDATE SET project_id = excluded.project_id
         WHERE directory.project_id <> excluded.project_id",
        &[&digest(path), &path, &project],
    )
    .await?;
    Ok(())
}

fn digest(path: &str) -> Vec<u8> {
    Sha256::digest(path).to_vec()
}

/// The project of a directory: its own, else that of its longest known parent.
pub(super) async fn directory_project(db: &Db, path: &str) -> Outcome<Option<Project>> {
    let parents: Vec<Vec<u8>> = std::path::Path::new(path)
        .ancestors()
        .map(|parent| digest(&parent.to_string_lossy()))
        .collect();
    let longest = db
        .row(
            "SELECT p.key FROM directory d JOIN project p ON p.id = d.project_id
             WHERE d.digest = ANY ($1) ORDER BY octet_length(d.path) DESC LIMIT 1",
            &[&parents],
        )
        .await?;
    match longest {
        Some(row) => Ok(Some(Project::new(row.try_get::<_, String>(0)?))),
        None => Ok(None),
    }
}

/// The number of a session, made and bound to the project if it is not there. One that was only
/// bound for want of proof is bound to the first project that has it.
pub(super) async fn make(db: &Db, project: i64, client_id: &str, at: Timestamp) -> Outcome<i64> {
    db.one(
        "WITH made AS (
             INSERT INTO session (client_id, project_id, started_ms, last_ms)
             VALUES ($1, $2, $3, $3)
             ON CONFLICT (client_id) DO UPDATE SET project_id = CASE
                 WHEN session.project_id = (SELECT id FROM project WHERE key = $4)
                 THEN excluded.project_id ELSE session.project_id END
             RETURNING id),
         shared AS (
             INSERT INTO share (project_id, session_id) SELECT $2, id FROM made
             ON CONFLICT DO NOTHING)
         SELECT id FROM made",
        &[
            &client_id,
            &project,
            &at.as_millisecond(),
            &Project::UNASSIGNED,
        ],
    )
    .await
}

/// Sessions with what one project holds of them: `p` is the project, `s` the session, `x` the
/// project's share of it, and `held` how many memories are meant.
fn select(scope: &Scope) -> String {
    let (from, held) = match scope {
        Scope::Project(_) => (
            "share x JOIN session s ON s.id = x.session_id
             JOIN project p ON p.id = x.project_id AND p.key = $1",
            "x.memories",
        ),
        // The value is named so that its type is known.
        Scope::All => (
            "session s JOIN project p ON p.id = s.project_id AND $1::text IS NULL
             LEFT JOIN share x ON x.session_id = s.id AND x.project_id = p.id",
            "(SELECT coalesce(sum(memories), 0)::bigint FROM share WHERE session_id = s.id)",
        ),
    };
    format!(
        "SELECT s.client_id, p.key, x.title, s.started_ms, s.last_ms, {held},
                (SELECT left(m.content, 400) FROM memory m
                 WHERE m.session_id = s.id AND m.project_id = p.id AND m.superseded_by IS NULL
                 ORDER BY m.position, m.id LIMIT 1),
                s.id
         FROM {from}"
    )
}

fn session(row: &Row) -> Outcome<Session> {
    Ok(Session {
        id: row.try_get(0)?,
        project: Project::new(row.try_get::<_, String>(1)?),
        title: session_title(row.try_get(2)?, row.try_get(6)?),
        started_at: time_of(row.try_get(3)?),
        last_at: time_of(row.try_get(4)?),
        memories: row.try_get::<_, i64>(5)?.unsigned_abs(),
    })
}

pub(super) async fn page(
    db: &Db,
    scope: &Scope,
    limit: usize,
    start: Start,
) -> Outcome<Page<Session>> {
    let sql = format!(
        "{} WHERE (s.last_ms, s.id) < ($2, $3) ORDER BY s.last_ms DESC, s.id DESC LIMIT $4",
        select(scope)
    );
    let rows_max = limit_value(limit.saturating_add(1));
    let found = db
        .rows(
            &sql,
            &[
                &project_key(scope),
                &start.before_ms,
                &start.before_id,
                &rows_max,
            ],
        )
        .await?;
    let mut rows = Vec::with_capacity(found.len());
    for row in &found {
        rows.push((session(row)?, row.try_get(7)?));
    }
    Ok(cut(rows, limit, |(session, id)| Start {
        before_ms: session.last_at.as_millisecond(),
        before_id: *id,
    }))
}

pub(super) async fn by_client_id(
    db: &Db,
    scope: &Scope,
    client_id: &str,
) -> Outcome<Option<Session>> {
    let sql = format!("{} WHERE s.client_id = $2", select(scope));
    let row = db.row(&sql, &[&project_key(scope), &client_id]).await?;
    row.as_ref().map(session).transpose()
}

pub(super) async fn put(
    db: &Db,
    project: &Project,
    client_id: &str,
    title: Option<&str>,
    now: Timestamp,
) -> Outcome<Session> {
    let project_id = make_project(db, project).await?;
    let id = make(db, project_id, client_id, now).await?;
    if title.is_some() {
        db.run(
            "UPDATE share SET title = $3 WHERE project_id = $1 AND session_id = $2",
            &[&project_id, &id, &title],
        )
        .await?;
    }
    let found = by_client_id(db, &Scope::Project(project.clone()), client_id).await?;
    found.ok_or_else(|| {
        Failure::Caller(Error::invalid(
            "session",
            format!("session {client_id} is not of this project"),
        ))
    })
}

pub(super) async fn project(db: &Db, client_id: &str) -> Outcome<Option<Project>> {
    let kind = i16::try_from(TraceKind::Session.number()).unwrap_or_default();
    let row = db
        .row(
            "SELECT coalesce(
                 (SELECT min(project) FROM trace WHERE kind = $2 AND session = $1),
                 (SELECT p.key FROM session s JOIN project p ON p.id = s.project_id
                  WHERE s.client_id = $1))",
            &[&client_id, &kind],
        )
        .await?;
    match row {
        Some(row) => Ok(row.try_get::<_, Option<String>>(0)?.map(Project::new)),
        None => Ok(None),
    }
}

/// How many terms the scope holds of each of these sessions.
pub(super) async fn lengths(db: &Db, scope: &Scope, ids: &[i64]) -> Outcome<Vec<(i64, u64)>> {
    let rows = db
        .rows(
            "SELECT asked.id,
                    (SELECT coalesce(sum(x.terms), 0)::bigint FROM share x
                     WHERE x.session_id = asked.id AND ($2::text IS NULL OR x.project_id =
                         (SELECT id FROM project WHERE key = $2)))
             FROM unnest($1::bigint[]) WITH ORDINALITY AS asked (id, place)
             ORDER BY asked.place",
            &[&ids, &project_key(scope)],
        )
        .await?;
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get::<_, i64>(1)?.unsigned_abs())))
        .collect()
}

/// Deletes projects' parts of sessions when nothing is left of them, and sessions with the last
/// part: one that was given a name stays until it is cleared of it.
pub(super) async fn delete_empty(db: &Db, shares: &[(i64, i64)]) -> Outcome<()> {
    let (projects, sessions): (Vec<i64>, Vec<i64>) = shares.iter().copied().unzip();
    db.run(
        "DELETE FROM share x USING unnest($1::bigint[], $2::bigint[]) AS left_by (project, session)
         WHERE x.project_id = left_by.project AND x.session_id = left_by.session
           AND x.title IS NULL
           AND NOT EXISTS (SELECT 1 FROM memory m
                           WHERE m.session_id = x.session_id AND m.project_id = x.project_id)",
        &[&projects, &sessions],
    )
    .await?;
    db.run(
        "DELETE FROM session s WHERE s.id = ANY ($1)
         AND NOT EXISTS (SELECT 1 FROM share WHERE session_id = s.id)",
        &[&sessions],
    )
    .await?;
    Ok(())
}
