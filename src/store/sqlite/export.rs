//! Handing out all that a scope holds.

use rusqlite::{Connection, params};

use super::memories::{SELECT, memory};
use super::{stats, traces};
use crate::memory::{MemoryId, Project, Scope};
use crate::store::columns::time_of;
use crate::store::record::{
    Chunk, MovedMemory, MovedSession, MovedVector, Origin, PROJECT_EVENT, Record, Sink,
    newest_first, project_events,
};
use crate::store::trace::ProjectRule;

/// Whether somebody still takes what comes.
type Taken = rusqlite::Result<bool>;

pub(super) fn export(
    db: &Connection,
    scope: &Scope,
    with_vectors: bool,
    sink: &Sink,
) -> rusqlite::Result<()> {
    let mut export = Export {
        db,
        project: scope.project(),
        with_vectors,
        sink,
        chunk: Chunk::default(),
    };
    if export.all()? {
        // The last ones: whether somebody takes them changes nothing any more.
        let _ = sink.blocking_send(export.chunk.take());
    }
    Ok(())
}

/// An export in the view of the transaction that it runs in.
struct Export<'a> {
    db: &'a Connection,
    project: Option<&'a Project>,
    with_vectors: bool,
    sink: &'a Sink,
    chunk: Chunk,
}

impl Export<'_> {
    fn all(&mut self) -> Taken {
        let scope = self.project.cloned().map_or(Scope::All, Scope::Project);
        let origin = Origin {
            store: "sqlite",
            store_id: self.db.query_row(
                "SELECT value FROM meta WHERE name = 'store_id'",
                [],
                |row| row.get(0),
            )?,
            memories: stats::count(self.db, &scope)?.memories,
        };
        Ok(self.give(Record::Origin(origin))
            // Known before there are passages, none of them waits for a vector that comes later.
            && (!self.with_vectors || self.models()?)
            && self.projects()?
            && self.sessions()?
            && self.memories()?
            && self.directories()?
            && self.forgotten()?
            && self.rules()?
            && self.injections()?
            && (!self.with_vectors || self.vectors()?))
    }

    fn give(&mut self, record: Record) -> bool {
        match self.chunk.push(record) {
            Some(full) => self.sink.blocking_send(full).is_ok(),
            None => true,
        }
    }

    fn key(&self) -> Option<&str> {
        self.project.map(|project| project.key.as_str())
    }

    fn projects(&mut self) -> Taken {
        let mut select = self
            .db
            .prepare("SELECT key FROM project WHERE ?1 IS NULL OR key = ?1 ORDER BY id")?;
        let mut rows = select.query([self.key()])?;
        while let Some(row) = rows.next()? {
            if !self.give(Record::Project(Project::new(row.get::<_, String>(0)?))) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Sessions; one project sees nothing of the others that have a part in one.
    fn sessions(&mut self) -> Taken {
        let mut select = self.db.prepare(
            "SELECT s.id, s.client_id, coalesce(?1, p.key), s.started_ms, s.last_ms, s.next_position
             FROM session s JOIN project p ON p.id = s.project_id
             WHERE ?1 IS NULL OR EXISTS (
                 SELECT 1 FROM share WHERE session_id = s.id
                 AND project_id = (SELECT id FROM project WHERE key = ?1))
             ORDER BY s.id",
        )?;
        let mut shares = self.db.prepare(
            "SELECT p.key, x.title FROM share x JOIN project p ON p.id = x.project_id
             WHERE x.session_id = ?1 AND (?2 IS NULL OR p.key = ?2) ORDER BY p.key",
        )?;
        let mut rows = select.query([self.key()])?;
        while let Some(row) = rows.next()? {
            let shares = shares
                .query_map(params![row.get::<_, i64>(0)?, self.key()], |row| {
                    Ok((Project::new(row.get::<_, String>(0)?), row.get(1)?))
                })?
                .collect::<rusqlite::Result<_>>()?;
            let session = MovedSession {
                id: row.get(1)?,
                project: Project::new(row.get::<_, String>(2)?),
                started_at: time_of(row.get(3)?),
                last_at: time_of(row.get(4)?),
                next_position: row.get(5)?,
                shares,
            };
            if !self.give(Record::Session(session)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Live memories in the order of their passages, each with its history behind it.
    fn memories(&mut self) -> Taken {
        let mut indexed = self.db.prepare(
            "SELECT memory_id FROM passage
             WHERE ?1 IS NULL OR project_id = (SELECT id FROM project WHERE key = ?1) ORDER BY id",
        )?;
        let mut rows = indexed.query([self.key()])?;
        let mut before = None;
        while let Some(row) = rows.next()? {
            // The passages of a memory are made together, so they follow each other.
            let number = Some(row.get::<_, i64>(0)?);
            if number != before && !self.memory_with_history(row.get(0)?)? {
                return Ok(false);
            }
            before = number;
        }
        Ok(true)
    }

    fn memory_with_history(&mut self, head: i64) -> Taken {
        let superseded: Vec<(i64, i64)> = self
            .db
            .prepare_cached(
                "WITH RECURSIVE chain (id, successor) AS (
                     SELECT id, superseded_by FROM memory WHERE superseded_by = ?1
                     UNION
                     SELECT m.id, m.superseded_by FROM memory m
                     JOIN chain ON m.superseded_by = chain.id)
                 SELECT id, successor FROM chain",
            )?
            .query_map([head], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?;
        let versions = u32::try_from(superseded.len()).unwrap_or(u32::MAX);
        let moved = self.memory(head, versions)?;
        let mut taken = self.give(moved);
        for version in newest_first(head, superseded) {
            if !taken {
                break;
            }
            let moved = self.memory(version, 0)?;
            taken = self.give(moved);
        }
        Ok(taken)
    }

    fn memory(&self, number: i64, versions: u32) -> rusqlite::Result<Record> {
        let mut moved = self
            .db
            .prepare_cached(&format!("{SELECT} WHERE m.id = ?1"))?
            .query_row([number], |row| {
                Ok(MovedMemory::new(memory(row)?, row.get(15)?, row.get(16)?))
            })?;
        moved.versions = versions;
        moved.repeats = self
            .db
            .prepare_cached("SELECT event FROM repeat WHERE memory_id = ?1 ORDER BY event")?
            .query_map([number], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        Ok(Record::Memory(Box::new(moved)))
    }

    fn directories(&mut self) -> Taken {
        let mut select = self.db.prepare(
            "SELECT d.path, p.key FROM directory d JOIN project p ON p.id = d.project_id
             WHERE ?1 IS NULL OR p.key = ?1 ORDER BY d.path",
        )?;
        let mut rows = select.query([self.key()])?;
        while let Some(row) = rows.next()? {
            let record = Record::Directory {
                path: row.get(0)?,
                project: Project::new(row.get::<_, String>(1)?),
            };
            if !self.give(record) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn forgotten(&mut self) -> Taken {
        let own = self.project.map(project_events);
        let mut select = self.db.prepare(
            "SELECT event FROM forgotten
             WHERE ?1 IS NULL OR substr(event, 1, length(?2)) <> ?2
                OR substr(event, 1, length(?1)) = ?1
             ORDER BY event",
        )?;
        let mut rows = select.query(params![own, PROJECT_EVENT])?;
        while let Some(row) = rows.next()? {
            if !self.give(Record::Forgotten { event: row.get(0)? }) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// One project's export names no other, so it has no rule that makes it another one.
    fn rules(&mut self) -> Taken {
        let mut select = self.db.prepare(
            "SELECT project, alias, is_off FROM rule
             WHERE ?1 IS NULL OR alias = ?1 OR (project = ?1 AND alias IS NULL)
             ORDER BY project",
        )?;
        let mut rows = select.query([self.key()])?;
        while let Some(row) = rows.next()? {
            let record = Record::Rule(ProjectRule {
                project: Project::new(row.get::<_, String>(0)?),
                alias: row.get::<_, Option<String>>(1)?.map(Project::new),
                is_off: row.get(2)?,
            });
            if !self.give(record) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn injections(&mut self) -> Taken {
        let mut select = self.db.prepare(&format!(
            "SELECT {} FROM injection i JOIN memory m ON m.id = i.memory_id
             WHERE ?1 IS NULL OR m.project_id = (SELECT id FROM project WHERE key = ?1)
             ORDER BY i.id",
            traces::INJECTION
        ))?;
        let mut rows = select.query([self.key()])?;
        while let Some(row) = rows.next()? {
            let line = Box::new(traces::injection(row)?);
            if !self.give(Record::Injection(line)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn models(&mut self) -> Taken {
        let mut select = self.db.prepare(
            "SELECT name, dimension FROM model
             WHERE ?1 IS NULL OR EXISTS (SELECT 1 FROM code WHERE model_id = model.id
                 AND project_id = (SELECT id FROM project WHERE key = ?1))
             ORDER BY id",
        )?;
        let mut rows = select.query([self.key()])?;
        while let Some(row) = rows.next()? {
            let record = Record::Model {
                name: row.get(0)?,
                dimension: row.get::<_, u32>(1)? as usize,
            };
            if !self.give(record) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn vectors(&mut self) -> Taken {
        let mut select = self.db.prepare(
            "SELECT m.name, p.start, o.name, o.dimension, c.digest, c.bits, v.levels
             FROM code c JOIN vector v ON v.code_id = c.id JOIN model o ON o.id = c.model_id
             JOIN passage p ON p.id = c.passage_id JOIN memory m ON m.id = p.memory_id
             WHERE ?1 IS NULL OR c.project_id = (SELECT id FROM project WHERE key = ?1)
             ORDER BY c.model_id, c.passage_id",
        )?;
        let mut rows = select.query([self.key()])?;
        while let Some(row) = rows.next()? {
            let record = Record::Vector(Box::new(MovedVector {
                memory: MemoryId::from_bytes(row.get(0)?),
                start: row.get::<_, u32>(1)? as usize,
                model: row.get(2)?,
                dimension: row.get::<_, u32>(3)? as usize,
                digest: row.get(4)?,
                code: row.get(5)?,
                levels: row.get(6)?,
            }));
            if !self.give(record) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
