//! Handing out all that a scope holds.
//!
//! Page by page within one view of the data, since the client library reads an answer whole.

use std::collections::HashMap;

use super::db::{Db, Outcome};
use super::memories::{NUMBER, SELECT, memory, project_key};
use super::stats;
use crate::memory::{Project, Scope};
use crate::store::columns::time_of;
use crate::store::record::{
    Chunk, MovedMemory, MovedSession, Origin, PROJECT_EVENT, Record, Sink, newest_first,
    project_events,
};

/// Whoever reads an export may be slow: a pipe, a person. The view is held for that long.
pub(super) const LONG_LIMITS: &str =
    "SET LOCAL statement_timeout = '1h'; SET LOCAL idle_in_transaction_session_timeout = '1h'";

/// Small rows of a page.
const ROWS: i64 = 1_000;

/// Memories of a page: 16 MB where all are as large as can be.
const MEMORIES: usize = 64;

/// Whether somebody still takes what comes.
type Taken = Outcome<bool>;

pub(super) async fn export(db: &Db, scope: &Scope, sink: &Sink) -> Outcome<()> {
    db.begin_reading().await?;
    db.batch(LONG_LIMITS).await?;
    let mut export = Export {
        db,
        scope,
        sink,
        chunk: Chunk::default(),
    };
    if export.all().await? {
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
    async fn all(&mut self) -> Taken {
        let origin = Origin {
            store: "postgres",
            store_id: self
                .db
                .one("SELECT value FROM meta WHERE name = 'store_id'", &[])
                .await?,
            memories: stats::count(self.db, self.scope).await?.memories,
        };
        Ok(self.give(Record::Origin(origin)).await
            && self.projects().await?
            && self.sessions().await?
            && self.memories().await?
            && self.directories().await?
            && self.forgotten().await?)
    }

    async fn give(&mut self, record: Record) -> bool {
        match self.chunk.push(record) {
            Some(full) => self.sink.send(full).await.is_ok(),
            None => true,
        }
    }

    async fn projects(&mut self) -> Taken {
        let sql = "SELECT id, key FROM project
                   WHERE id > $2 AND ($1::text IS NULL OR key = $1) ORDER BY id LIMIT $3";
        let mut last = 0_i64;
        loop {
            let rows = self
                .db
                .rows(sql, &[&project_key(self.scope), &last, &ROWS])
                .await?;
            for row in &rows {
                last = row.try_get(0)?;
                let project = Project::new(row.try_get::<_, String>(1)?);
                if !self.give(Record::Project(project)).await {
                    return Ok(false);
                }
            }
            if rows.is_empty() {
                return Ok(true);
            }
        }
    }

    /// Sessions; one project sees nothing of the others that have a part in one.
    async fn sessions(&mut self) -> Taken {
        let sql = "SELECT s.id, s.client_id, coalesce($1::text, p.key), s.started_ms, s.last_ms,
                       s.next_position,
                       ARRAY(SELECT p.key FROM share x JOIN project p ON p.id = x.project_id
                             WHERE x.session_id = s.id AND ($1 IS NULL OR p.key = $1)
                             ORDER BY p.key),
                       ARRAY(SELECT x.title FROM share x JOIN project p ON p.id = x.project_id
                             WHERE x.session_id = s.id AND ($1 IS NULL OR p.key = $1)
                             ORDER BY p.key)
                   FROM session s JOIN project p ON p.id = s.project_id
                   WHERE s.id > $2 AND ($1 IS NULL OR EXISTS (
                       SELECT 1 FROM share WHERE session_id = s.id
                       AND project_id = (SELECT id FROM project WHERE key = $1)))
                   ORDER BY s.id LIMIT $3";
        let mut last = 0_i64;
        loop {
            let rows = self
                .db
                .rows(sql, &[&project_key(self.scope), &last, &ROWS])
                .await?;
            for row in &rows {
                last = row.try_get(0)?;
                let (keys, titles): (Vec<String>, Vec<Option<String>>) =
                    (row.try_get(6)?, row.try_get(7)?);
                let session = MovedSession {
                    id: row.try_get(1)?,
                    project: Project::new(row.try_get::<_, String>(2)?),
                    started_at: time_of(row.try_get(3)?),
                    last_at: time_of(row.try_get(4)?),
                    next_position: row.try_get(5)?,
                    shares: keys.into_iter().map(Project::new).zip(titles).collect(),
                };
                if !self.give(Record::Session(session)).await {
                    return Ok(false);
                }
            }
            if rows.is_empty() {
                return Ok(true);
            }
        }
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

    async fn directories(&mut self) -> Taken {
        let sql = "SELECT d.path, p.key FROM directory d JOIN project p ON p.id = d.project_id
                   WHERE d.path > $2 AND ($1::text IS NULL OR p.key = $1)
                   ORDER BY d.path LIMIT $3";
        let mut last = String::new();
        loop {
            let rows = self
                .db
                .rows(sql, &[&project_key(self.scope), &last, &ROWS])
                .await?;
            for row in &rows {
                last = row.try_get(0)?;
                let record = Record::Directory {
                    path: last.clone(),
                    project: Project::new(row.try_get::<_, String>(1)?),
                };
                if !self.give(record).await {
                    return Ok(false);
                }
            }
            if rows.is_empty() {
                return Ok(true);
            }
        }
    }

    async fn forgotten(&mut self) -> Taken {
        let own = self.scope.project().map(project_events);
        let sql = "SELECT event FROM forgotten
                   WHERE event > $2 AND ($1::text IS NULL OR NOT starts_with(event, $4)
                       OR starts_with(event, $1))
                   ORDER BY event LIMIT $3";
        let mut last = String::new();
        loop {
            let rows = self
                .db
                .rows(sql, &[&own, &last, &ROWS, &PROJECT_EVENT])
                .await?;
            for row in &rows {
                last = row.try_get(0)?;
                let record = Record::Forgotten {
                    event: last.clone(),
                };
                if !self.give(record).await {
                    return Ok(false);
                }
            }
            if rows.is_empty() {
                return Ok(true);
            }
        }
    }
}
