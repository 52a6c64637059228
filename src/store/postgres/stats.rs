//! Numbers about the store.

use super::db::{Db, Outcome};
use super::list::limit_value;
use super::memories::project_key;
use crate::memory::{Project, Scope};
use crate::store::columns::time_of;
use crate::store::{Counts, Inspection, Stats};

/// What the index says it holds, a row for each project and kind: nothing is counted.
pub(super) async fn count(db: &Db, scope: &Scope) -> Outcome<Counts> {
    let sql = "SELECT coalesce(sum(memories), 0)::bigint, coalesce(sum(passages), 0)::bigint
               FROM holding
               WHERE $1::text IS NULL OR project_id = (SELECT id FROM project WHERE key = $1)";
    let Some(row) = db.row(sql, &[&project_key(scope)]).await? else {
        return Ok(Counts::default());
    };
    Ok(Counts {
        memories: row.try_get::<_, i64>(0)?.unsigned_abs(),
        passages: row.try_get::<_, i64>(1)?.unsigned_abs(),
    })
}

/// The server checks its own pages; nothing is asked of it that would lock others out.
pub(super) async fn inspect(db: &Db) -> Outcome<Inspection> {
    let mut inspection = Inspection::default();
    let sql = "SELECT name, value FROM meta WHERE name IN ('store_id', 'schema_version')";
    for row in db.rows(sql, &[]).await? {
        let value: String = row.try_get(1)?;
        match row.try_get::<_, &str>(0)? {
            "store_id" => inspection.store_id = value,
            _ => inspection.schema = value.parse().unwrap_or_default(),
        }
    }
    Ok(inspection)
}

/// Case is ignored in ASCII only, as in the embedded store.
pub(super) async fn projects(db: &Db, part: &str, limit: usize) -> Outcome<Vec<Project>> {
    let sql = "SELECT p.key FROM project p
               WHERE strpos(lower(p.key), lower($1::text COLLATE \"C\")) > 0
                 AND EXISTS (SELECT 1 FROM holding h WHERE h.project_id = p.id AND h.memories > 0)
               ORDER BY p.key LIMIT $2";
    let rows = db.rows(sql, &[&part, &limit_value(limit)]).await?;
    rows.iter()
        .map(|row| Ok(Project::new(row.try_get::<_, String>(0)?)))
        .collect()
}

pub(super) async fn stats(db: &Db, scope: &Scope) -> Outcome<Stats> {
    db.begin_reading().await?;
    let project = project_key(scope);
    let (mut by_kind, mut passages) = ([0; 3], 0);
    let holdings = db.rows(HOLDINGS, &[&project]).await?;
    for row in &holdings {
        let kind = usize::try_from(row.try_get::<_, i16>(0)?).unwrap_or(usize::MAX);
        if let Some(memories) = by_kind.get_mut(kind) {
            *memories = row.try_get::<_, i64>(1)?.unsigned_abs();
        }
        passages += row.try_get::<_, i64>(2)?.unsigned_abs();
    }
    let superseded: i64 = db.one(SUPERSEDED, &[&project]).await?;
    let sessions: i64 = db.one(SESSIONS, &[&project]).await?;
    let mut projects = Vec::new();
    for row in db.rows(PROJECTS, &[&project]).await? {
        let key: String = row.try_get(0)?;
        projects.push((Project::new(key), row.try_get::<_, i64>(1)?.unsigned_abs()));
    }
    let span = match db.row(SPAN, &[&project]).await? {
        Some(row) => row.try_get::<_, Option<i64>>(0)?.zip(row.try_get(1)?),
        None => None,
    };
    let bytes: i64 = db.one(BYTES, &[]).await?;
    db.commit().await?;
    Ok(Stats {
        by_kind,
        superseded: superseded.unsigned_abs(),
        passages,
        sessions: sessions.unsigned_abs(),
        projects,
        span: span.map(|(first, last)| (time_of(first), time_of(last))),
        store_bytes: bytes.unsigned_abs(),
    })
}

const HOLDINGS: &str = "
    SELECT h.kind, sum(h.memories)::bigint, sum(h.passages)::bigint
    FROM holding h JOIN project p ON p.id = h.project_id
    WHERE $1::text IS NULL OR p.key = $1 GROUP BY h.kind";

const SUPERSEDED: &str = "
    SELECT count(*) FROM memory m JOIN project p ON p.id = m.project_id
    WHERE m.superseded_by IS NOT NULL AND ($1::text IS NULL OR p.key = $1)";

const SESSIONS: &str = "
    SELECT count(DISTINCT x.session_id) FROM share x JOIN project p ON p.id = x.project_id
    WHERE x.memories > 0 AND ($1::text IS NULL OR p.key = $1)";

const PROJECTS: &str = "
    SELECT p.key, sum(h.memories)::bigint AS memories
    FROM holding h JOIN project p ON p.id = h.project_id
    WHERE $1::text IS NULL OR p.key = $1
    GROUP BY p.id, p.key HAVING sum(h.memories) > 0 ORDER BY memories DESC, p.key";

const SPAN: &str = "
    SELECT min(m.created_ms), max(m.created_ms)
    FROM memory m JOIN project p ON p.id = m.project_id
    WHERE m.superseded_by IS NULL AND ($1::text IS NULL OR p.key = $1)";

/// Tables with their indexes and what is stored beside them.
const BYTES: &str = "
    SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = current_schema() AND c.relkind = 'r'";
