//! Handing out all that a scope holds.
//!
//! Page by page within one view of the data, since the client library reads an answer whole.

use std::collections::HashMap;

use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, ToSql};

use super::bits::Bits;
use super::db::{Db, Outcome};
use super::memories::{NUMBER, SELECT, memory, name, project_key};
use super::{stats, traces};
use crate::memory::{Project, Scope};
use crate::store::columns::time_of;
use crate::store::record::{
    Chunk, MovedMemory, MovedSession, MovedVector, Origin, PROJECT_EVENT, Record, Sink,
    newest_first, project_events,
};
use crate::store::trace::ProjectRule;

/// Whoever reads an export may be slow: a pipe, a person. The view is held for that long.
pub(super) const LONG_LIMITS: &str =
    "SET LOCAL statement_timeout = '1h'; SET LOCAL idle_in_transaction_session_timeout = '1h'";

/// Small rows of a page.
const ROWS: i64 = 1_000;

/// Memories of a page: 16 MB where all are as large as can be.
const MEMORIES: usize = 64;

/// Whether somebody still takes what comes.
type Taken = Outcome<bool>;

pub(super) async fn export(db: &Db, scope: &Scope, with_vectors: bool, sink: &Sink) -> Outcome<()> {
    db.begin_reading().await?;
    db.batch(LONG_LIMITS).await?;
    let mut export = Export {
        db,
        scope,
        sink,
        chunk: Chunk::default(),
    };
    if export.all(with_vectors).await? {
        // The last ones: whether somebody takes them changes nothing any more.
        let _ = sink.send(export.chunk.take()).await;
    }
    db.commit().await
}

struct Export<'a> {
    db: &'a Db,
    scope: &'a Scope,
    sink: &'a Sink,
    chunk: Chunk,
}

impl Export<'_> {
    async fn all(&mut self, with_vectors: bool) -> Taken {
        let origin = Origin {
            store: "postgres",
            store_id: self
                .db
                .one("SELECT value FROM meta WHERE name = 'store_id'", &[])
                .await?,
            memories: stats::count(self.db, self.scope).await?.memories,
        };
        let key = project_key(self.scope);
        let own = self.scope.project().map(project_events);
        let forgotten = forgotten_sql();
        Ok(self.give(Record::Origin(origin)).await
            // Known before there are passages, none of them waits for a vector that comes later.
            && (!with_vectors || self.pages(MODELS, key, 0_i64, model).await?)
            && self.pages(PROJECTS, key, 0_i64, project).await?
            && self.pages(SESSIONS, key, 0_i64, session).await?
            && self.memories().await?
            && self.pages(DIRECTORIES, key, String::new(), directory).await?
            && self.pages(&forgotten, own.as_deref(), String::new(), event).await?
            && self.pages(RULES, key, String::new(), rule).await?
            && self.pages(&injections_sql(), key, 0_i64, injection).await?
            && (!with_vectors || self.vectors().await?))
    }

    async fn give(&mut self, record: Record) -> bool {
        match self.chunk.push(record) {
            Some(full) => self.sink.send(full).await.is_ok(),
            None => true,
        }
    }

    /// Hands out what a statement selects, page by page. Its parameters are what it belongs to, the
    /// last column of the last row before, by which it goes, and how many rows a page has.
    async fn pages<K: ToSql + Sync + for<'a> FromSql<'a>>(
        &mut self,
        sql: &str,
        of: Option<&str>,
        mut last: K,
        record: fn(&Row) -> Outcome<Record>,
    ) -> Taken {
        loop {
            let rows = self.db.rows(sql, &[&of, &last, &ROWS]).await?;
            for row in &rows {
                last = row.try_get(row.len() - 1)?;
                if !self.give(record(row)?).await {
                    return Ok(false);
                }
            }
            if rows.is_empty() {
                return Ok(true);
            }
        }
    }

    /// The vectors of one model after the other.
    async fn vectors(&mut self) -> Taken {
        for row in self
            .db
            .rows("SELECT id FROM model ORDER BY id", &[])
            .await?
        {
            let sql = vectors_sql(row.try_get(0)?);
            let key = project_key(self.scope);
            if !self.pages(&sql, key, 0_i64, vector).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Live memories in the order of their passages, each with its history behind it.
    async fn memories(&mut self) -> Taken {
        // Numbers of another project's passages may stand between those of one memory.
        let sql = "SELECT p.id, p.memory_id,
                          p.id = (SELECT min(id) FROM passage WHERE memory_id = p.memory_id)
                   FROM passage p
                   WHERE p.id > $2 AND ($1::text IS NULL
                       OR p.project_id = (SELECT id FROM project WHERE key = $1))
                   ORDER BY p.id LIMIT $3";
        let mut last = 0_i64;
        loop {
            let rows = self
                .db
                .rows(sql, &[&project_key(self.scope), &last, &ROWS])
                .await?;
            let mut heads = Vec::new();
            for row in &rows {
                last = row.try_get(0)?;
                if row.try_get(2)? {
                    heads.push(row.try_get(1)?);
                }
            }
            for heads in heads.chunks(MEMORIES) {
                if !self.with_history(heads).await? {
                    return Ok(false);
                }
            }
            if rows.is_empty() {
                return Ok(true);
            }
        }
    }

    async fn with_history(&mut self, heads: &[i64]) -> Taken {
        let rows = self
            .db
            .rows(
                "WITH RECURSIVE chain (head, id, successor) AS (
                     SELECT superseded_by, id, superseded_by FROM memory
                     WHERE superseded_by = ANY ($1)
                     UNION
                     SELECT chain.head, m.id, m.superseded_by FROM memory m
                     JOIN chain ON m.superseded_by = chain.id)
                 SELECT head, id, successor FROM chain",
                &[&heads],
            )
            .await?;
        let mut superseded: HashMap<i64, Vec<(i64, i64)>> = HashMap::new();
        for row in &rows {
            let of_head = superseded.entry(row.try_get(0)?).or_default();
            of_head.push((row.try_get(1)?, row.try_get(2)?));
        }
        let mut live = self.read(heads).await?;
        for head in heads {
            let versions = superseded.remove(head).unwrap_or_default();
            let Some(mut moved) = live.remove(head) else {
                continue;
            };
            moved.versions = u32::try_from(versions.len()).unwrap_or(u32::MAX);
            if !self.give(Record::Memory(moved)).await {
                return Ok(false);
            }
            for numbers in newest_first(*head, versions).chunks(MEMORIES) {
                let mut read = self.read(numbers).await?;
                for number in numbers {
                    if let Some(moved) = read.remove(number)
                        && !self.give(Record::Memory(moved)).await
                    {
                        return Ok(false);
                    }
                }
            }
        }
        Ok(true)
    }

    /// Memories by number, with their events.
    async fn read(&self, numbers: &[i64]) -> Outcome<HashMap<i64, Box<MovedMemory>>> {
        let sql = format!("{SELECT} WHERE m.id = ANY ($1)");
        let repeats = "SELECT memory_id, event FROM repeat WHERE memory_id = ANY ($1)
                       ORDER BY event";
        let mut found = HashMap::with_capacity(numbers.len());
        for row in self.db.rows(&sql, &[&numbers]).await? {
            let moved = MovedMemory::new(memory(&row)?, row.try_get(15)?, row.try_get(16)?);
            found.insert(row.try_get(NUMBER)?, Box::new(moved));
        }
        for row in self.db.rows(repeats, &[&numbers]).await? {
            if let Some(moved) = found.get_mut(&row.try_get(0)?) {
                moved.repeats.push(row.try_get(1)?);
            }
        }
        Ok(found)
    }
}

const PROJECTS: &str = "SELECT key, id FROM project
    WHERE id > $2 AND ($1::text IS NULL OR key = $1) ORDER BY id LIMIT $3";

fn project(row: &Row) -> Outcome<Record> {
    Ok(Record::Project(Project::new(row.try_get::<_, String>(0)?)))
}

/// Sessions; one project sees nothing of the others that have a part in one.
const SESSIONS: &str =
    "SELECT s.client_id, coalesce($1::text, p.key), s.started_ms, s.last_ms, s.next_position,
            ARRAY(SELECT p.key FROM share x JOIN project p ON p.id = x.project_id
                  WHERE x.session_id = s.id AND ($1 IS NULL OR p.key = $1) ORDER BY p.key),
            ARRAY(SELECT x.title FROM share x JOIN project p ON p.id = x.project_id
                  WHERE x.session_id = s.id AND ($1 IS NULL OR p.key = $1) ORDER BY p.key),
            s.id
     FROM session s JOIN project p ON p.id = s.project_id
     WHERE s.id > $2 AND ($1 IS NULL OR EXISTS (
         SELECT 1 FROM share WHERE session_id = s.id
         AND project_id = (SELECT id FROM project WHERE key = $1)))
     ORDER BY s.id LIMIT $3";

fn session(row: &Row) -> Outcome<Record> {
    let (keys, titles): (Vec<String>, Vec<Option<String>>) = (row.try_get(5)?, row.try_get(6)?);
    Ok(Record::Session(MovedSession {
        id: row.try_get(0)?,
        project: Project::new(row.try_get::<_, String>(1)?),
        started_at: time_of(row.try_get(2)?),
        last_at: time_of(row.try_get(3)?),
        next_position: row.try_get(4)?,
        shares: keys.into_iter().map(Project::new).zip(titles).collect(),
    }))
}

const DIRECTORIES: &str =
    "SELECT p.key, d.path FROM directory d JOIN project p ON p.id = d.project_id
     WHERE d.path > $2 AND ($1::text IS NULL OR p.key = $1) ORDER BY d.path LIMIT $3";

fn directory(row: &Row) -> Outcome<Record> {
    Ok(Record::Directory {
        project: Project::new(row.try_get::<_, String>(0)?),
        path: row.try_get(1)?,
    })
}

/// Of one project those that name no other.
fn forgotten_sql() -> String {
    format!(
        "SELECT event FROM forgotten
         WHERE event > $2 AND ($1::text IS NULL OR NOT starts_with(event, '{PROJECT_EVENT}')
             OR starts_with(event, $1))
         ORDER BY event LIMIT $3"
    )
}

fn event(row: &Row) -> Outcome<Record> {
    Ok(Record::Forgotten {
        event: row.try_get(0)?,
    })
}

/// One project's export names no other, so it has no rule that makes it another one.
const RULES: &str = "SELECT alias, is_off, project FROM rule
    WHERE project > $2 AND ($1::text IS NULL OR alias = $1 OR (project = $1 AND alias IS NULL))
    ORDER BY project LIMIT $3";

fn rule(row: &Row) -> Outcome<Record> {
    Ok(Record::Rule(ProjectRule {
        alias: row.try_get::<_, Option<String>>(0)?.map(Project::new),
        is_off: row.try_get(1)?,
        project: Project::new(row.try_get::<_, String>(2)?),
    }))
}

fn injections_sql() -> String {
    format!(
        "SELECT {}, i.id FROM injection i JOIN memory m ON m.id = i.memory_id
         WHERE i.id > $2 AND ($1::text IS NULL
             OR m.project_id = (SELECT id FROM project WHERE key = $1))
         ORDER BY i.id LIMIT $3",
        traces::INJECTION
    )
}

fn injection(row: &Row) -> Outcome<Record> {
    Ok(Record::Injection(Box::new(traces::injection(row)?)))
}

const MODELS: &str = "SELECT name, dimension, id FROM model
    WHERE id > $2 AND ($1::text IS NULL OR EXISTS (
        SELECT 1 FROM embedding WHERE model_id = model.id
        AND project_id = (SELECT id FROM project WHERE key = $1)))
    ORDER BY id LIMIT $3";

fn model(row: &Row) -> Outcome<Record> {
    Ok(Record::Model {
        name: row.try_get(0)?,
        dimension: usize::try_from(row.try_get::<_, i32>(1)?).unwrap_or_default(),
    })
}

fn vectors_sql(model: i64) -> String {
    format!(
        "SELECT m.name, p.start_byte, o.name, e.digest, e.code, e.levels, e.passage_id
         FROM embedding e JOIN model o ON o.id = e.model_id
         JOIN passage p ON p.id = e.passage_id JOIN memory m ON m.id = p.memory_id
         WHERE e.model_id = {model} AND e.passage_id > $2 AND ($1::text IS NULL
             OR e.project_id = (SELECT id FROM project WHERE key = $1))
         ORDER BY e.passage_id LIMIT $3"
    )
}

fn vector(row: &Row) -> Outcome<Record> {
    let digest: &[u8] = row.try_get(3)?;
    let code: Bits = row.try_get(4)?;
    Ok(Record::Vector(Box::new(MovedVector {
        memory: name(row.try_get(0)?),
        start: usize::try_from(row.try_get::<_, i32>(1)?).unwrap_or_default(),
        model: row.try_get(2)?,
        dimension: code.count,
        digest: digest.first_chunk().copied().unwrap_or_default(),
        code: code.bytes,
        levels: row.try_get(5)?,
    })))
}
