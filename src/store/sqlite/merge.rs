//! Taking in what another store handed out.

use rusqlite::{OptionalExtension, Transaction, params};

use super::Failure;
use super::index::{Changes, Standing};
use super::put::{
    KNOWN, Known, by_event, holder_of_key, insert_row, is_forgotten, is_in, keep_the_fuller, known,
    remember_event, same_content,
};
use super::reassign::learn_rule;
use super::sessions::{learn_directory, make, make_project};
use super::traces::put_injection;
use super::vectors::{learn_vector, put_model};
use crate::memory::{Kind, MemoryId, Project};
use crate::order::sort_by_key;
use crate::store::columns::kind_number;
use crate::store::record::{GAP_MAX, Merged, MovedMemory, MovedSession, Record};
use crate::store::{NewMemory, Put};

/// Takes records in, in order; the caller's transaction makes it all or nothing.
pub(super) fn merge(tx: &Transaction<'_>, records: &[Record]) -> Result<Merged, Failure> {
    let mut merge = Merge {
        tx,
        changes: Changes::default(),
        merged: Merged::default(),
    };
    for record in records {
        match record {
            Record::Origin(_) => {}
            Record::Project(project) => {
                make_project(tx, project)?;
            }
            Record::Session(session) => merge.session(session)?,
            Record::Memory(moved) => merge.memory(moved)?,
            Record::Directory { path, project } => merge.directory(path, project)?,
            Record::Forgotten { event } => merge.forgotten(event)?,
            Record::Rule(rule) => merge.merged.rules += learn_rule(tx, rule)? as u64,
            Record::Injection(line) => merge.merged.injections += put_injection(tx, line)? as u64,
            Record::Model { name, dimension } => drop(put_model(tx, name, *dimension)?),
            Record::Vector(moved) => merge.merged.vectors += u64::from(learn_vector(tx, moved)?),
        }
    }
    merge.changes.write(tx)?;
    Ok(merge.merged)
}

/// Empties the store.
pub(super) fn clear(tx: &Transaction<'_>) -> rusqlite::Result<()> {
    tx.execute_batch(
        "INSERT INTO posting (posting) VALUES ('delete-all');
         DELETE FROM passage; DELETE FROM term; DELETE FROM holding; DELETE FROM tag;
         DELETE FROM repeat; DELETE FROM forgotten; DELETE FROM trace; DELETE FROM rule;
         DELETE FROM injection; DELETE FROM memory; DELETE FROM share;
         DELETE FROM session; DELETE FROM directory; DELETE FROM project",
    )
}

struct Merge<'a> {
    tx: &'a Transaction<'a>,
    changes: Changes,
    merged: Merged,
}

impl Merge<'_> {
    fn session(&mut self, moved: &MovedSession) -> rusqlite::Result<()> {
        let tx = self.tx;
        let is_known = tx
            .prepare_cached("SELECT 1 FROM session WHERE client_id = ?1")?
            .exists([&moved.id])?;
        self.merged.sessions += u64::from(!is_known);
        let bound = make_project(tx, &moved.project)?;
        tx.prepare_cached(
            "INSERT INTO session (client_id, project_id, started_ms, last_ms, next_position)
             VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO UPDATE SET
                 started_ms = min(started_ms, excluded.started_ms),
                 last_ms = max(last_ms, excluded.last_ms),
                 next_position = max(next_position, excluded.next_position),
                 project_id = iif(project_id = (SELECT id FROM project WHERE key = ?6),
                                  excluded.project_id, project_id)",
        )?
        .execute(params![
            moved.id,
            bound,
            moved.started_at.as_millisecond(),
            moved.last_at.as_millisecond(),
            moved.next_position,
            Project::UNASSIGNED,
        ])?;
        for (project, title) in &moved.shares {
            let project = make_project(tx, project)?;
            tx.prepare_cached(
                "INSERT INTO share (project_id, session_id, title)
                 VALUES (?1, (SELECT id FROM session WHERE client_id = ?2), ?3)
                 ON CONFLICT DO UPDATE SET title = coalesce(title, excluded.title)",
            )?
            .execute(params![project, moved.id, title])?;
        }
        Ok(())
    }

    fn directory(&mut self, path: &str, project: &Project) -> rusqlite::Result<()> {
        let is_known = self
            .tx
            .prepare_cached("SELECT 1 FROM directory WHERE path = ?1")?
            .exists([path])?;
        if !is_known {
            learn_directory(self.tx, path, make_project(self.tx, project)?)?;
            self.merged.directories += 1;
        }
        Ok(())
    }

    /// An event whose memory is here stays as it is: it was not forgotten here.
    fn forgotten(&mut self, event: &str) -> rusqlite::Result<()> {
        self.merged.events += self
            .tx
            .prepare_cached(
                "INSERT OR IGNORE INTO forgotten (event) SELECT ?1
                 WHERE NOT EXISTS (SELECT 1 FROM memory WHERE event = ?1)
                   AND NOT EXISTS (SELECT 1 FROM repeat WHERE event = ?1)",
            )?
            .execute([event])? as u64;
        Ok(())
    }

    fn memory(&mut self, moved: &MovedMemory) -> rusqlite::Result<()> {
        if let Some(known) = self.by_name(moved.memory.id)? {
            return self.bring_up_to_date(known, moved);
        }
        for event in moved.events() {
            if is_forgotten(self.tx, event)? {
                self.merged.forgotten += 1;
                return Ok(());
            }
        }
        if let Some(event) = &moved.memory.event
            && let Some(known) = by_event(self.tx, event)?
        {
            return self.take_words(known, moved);
        }
        match moved.superseded_by {
            None => self.live(moved),
            Some(successor) => self.version(moved, successor),
        }
    }

    fn by_name(&self, name: MemoryId) -> rusqlite::Result<Option<Known>> {
        self.tx
            .prepare_cached(&format!("SELECT {KNOWN} FROM memory WHERE name = ?1"))?
            .query_row([name.as_bytes()], known)
            .optional()
    }

    /// A memory that is here under its own name.
    fn bring_up_to_date(&mut self, here: Known, moved: &MovedMemory) -> rusqlite::Result<()> {
        let Some(successor) = moved.superseded_by else {
            return self.take_words(here, moved);
        };
        let successor = self.by_name(successor)?;
        let successor = successor.filter(|known| known.standing.project == here.standing.project);
        match successor {
            Some(newer) if here.live && self.head(&newer)? != here.standing.memory => {
                self.supersede(&here.standing, newer.standing.memory)?;
                self.merged.updated += 1;
            }
            _ => self.merged.known += 1,
        }
        Ok(())
    }

    /// The number of the live memory at the end of a chain.
    fn head(&self, known: &Known) -> rusqlite::Result<i64> {
        self.tx
            .prepare_cached(
                "WITH RECURSIVE later (id, next) AS (
                     SELECT id, superseded_by FROM memory WHERE id = ?1
                     UNION
                     SELECT m.id, m.superseded_by FROM memory m JOIN later ON m.id = later.next)
                 SELECT id FROM later WHERE next IS NULL",
            )?
            .query_row([known.standing.memory], |row| row.get(0))
    }

    fn supersede(&mut self, old: &Standing, by: i64) -> rusqlite::Result<()> {
        self.changes.remove(self.tx, old)?;
        self.tx
            .prepare_cached("UPDATE memory SET superseded_by = ?2 WHERE id = ?1")?
            .execute([old.memory, by])?;
        Ok(())
    }

    /// The same memory is here: of two live ones the fuller words win, as when it is captured.
    fn take_words(&mut self, here: Known, moved: &MovedMemory) -> rusqlite::Result<()> {
        let new = &moved.memory;
        let may = moved.superseded_by.is_none() && is_in(self.tx, &here, new)?;
        match may {
            true => match keep_the_fuller(self.tx, &mut self.changes, here, new)? {
                Put::Updated(_) => self.merged.updated += 1,
                _ => self.merged.known += 1,
            },
            false => self.merged.known += 1,
        }
        Ok(())
    }

    fn live(&mut self, moved: &MovedMemory) -> rusqlite::Result<()> {
        let new = &moved.memory;
        let project = make_project(self.tx, &new.project)?;
        let session = self.session_of(project, new)?;
        let mut replaced = Vec::new();
        if let Some(same) = same_content(self.tx, project, session, new)? {
            if new.key.is_none() || same.key == new.key {
                remember_event(self.tx, &same, new)?;
                self.repeats(same.standing.memory, moved)?;
                self.merged.known += 1;
                return Ok(());
            }
            replaced.push(same.standing);
        }
        if let Some(holder) = holder_of_key(self.tx, project, new)? {
            // Of two notes with one key the later one holds.
            if holder.standing.created_ms > new.created_at.as_millisecond() {
                return self.insert(project, session, moved, Some(holder.standing.memory));
            }
            replaced.push(holder.standing);
        }
        let number = self.next_number(moved.versions)?;
        sort_by_key(&mut replaced, |standing| standing.memory);
        replaced.dedup_by_key(|standing| standing.memory);
        for standing in &replaced {
            self.supersede(standing, number)?;
        }
        self.insert(project, session, moved, None)
    }

    fn version(&mut self, moved: &MovedMemory, successor: MemoryId) -> rusqlite::Result<()> {
        let new = &moved.memory;
        let project = make_project(self.tx, &new.project)?;
        let newer = self.by_name(successor)?;
        match newer.filter(|newer| newer.standing.project == project) {
            Some(newer) => {
                let session = self.session_of(project, new)?;
                self.insert(project, session, moved, Some(newer.standing.memory))
            }
            None => {
                self.merged.orphaned += 1;
                Ok(())
            }
        }
    }

    fn session_of(&self, project: i64, new: &NewMemory) -> rusqlite::Result<Option<i64>> {
        let make = |id: &String| make(self.tx, project, id, new.created_at);
        new.session.as_ref().map(make).transpose()
    }

    /// The number after all that were given, with room for a memory's versions below it.
    fn next_number(&self, versions: u32) -> rusqlite::Result<i64> {
        self.tx
            .prepare_cached(
                "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'memory'), 0)
                        + 1 + ?1",
            )?
            .query_row([versions], |row| row.get(0))
    }

    /// A free number below that of the version that took its place.
    fn number_below(&self, successor: i64) -> rusqlite::Result<i64> {
        let free: Option<i64> = self
            .tx
            .prepare_cached(
                "WITH RECURSIVE gap (n) AS (
                     SELECT ?1 - 1
                     UNION ALL
                     SELECT n - 1 FROM gap
                     WHERE n > ?1 - ?2 AND EXISTS (SELECT 1 FROM memory WHERE id = n))
                 SELECT min(n) FROM gap
                 WHERE n > 0 AND NOT EXISTS (SELECT 1 FROM memory WHERE id = n)",
            )?
            .query_row([successor, GAP_MAX], |row| row.get(0))?;
        free.map_or_else(|| self.next_number(0), Ok)
    }

    fn insert(
        &mut self,
        project: i64,
        session: Option<i64>,
        moved: &MovedMemory,
        superseded_by: Option<i64>,
    ) -> rusqlite::Result<()> {
        let new = &moved.memory;
        let number = match superseded_by {
            Some(successor) => self.number_below(successor)?,
            None => self.next_number(moved.versions)?,
        };
        let standing = Standing {
            memory: number,
            project,
            kind: kind_number(new.kind),
            session,
            position: self.place(session, moved)?,
            created_ms: new.created_at.as_millisecond(),
            expires_ms: new.expires_at.map(|at| at.as_millisecond()),
        };
        insert_row(self.tx, &standing, new, superseded_by)?;
        self.repeats(number, moved)?;
        match superseded_by {
            Some(_) => self.merged.history += 1,
            None => {
                self.changes.add(self.tx, &standing, &new.passages)?;
                self.merged.stored += 1;
            }
        }
        Ok(())
    }

    /// Its own place in the session; the next one for a turn whose place another turn has.
    fn place(&self, session: Option<i64>, moved: &MovedMemory) -> rusqlite::Result<i64> {
        let Some(session) = session else {
            return Ok(moved.position);
        };
        let is_turn = moved.memory.kind == Kind::Turn;
        self.tx
            .prepare_cached(
                "UPDATE session SET next_position = CASE
                     WHEN NOT ?3 THEN next_position
                     WHEN EXISTS (SELECT 1 FROM memory WHERE session_id = ?1
                                  AND position = ?2 AND kind = ?4) THEN next_position + 1
                     ELSE max(next_position, ?2 + 1) END
                 WHERE id = ?1
                 RETURNING iif(?3 AND EXISTS (SELECT 1 FROM memory WHERE session_id = ?1
                                              AND position = ?2 AND kind = ?4),
                               next_position - 1, ?2)",
            )?
            .query_row(
                params![session, moved.position, is_turn, kind_number(Kind::Turn)],
                |row| row.get(0),
            )
    }

    fn repeats(&self, memory: i64, moved: &MovedMemory) -> rusqlite::Result<()> {
        for event in &moved.repeats {
            self.tx
                .prepare_cached("INSERT OR IGNORE INTO repeat (event, memory_id) VALUES (?1, ?2)")?
                .execute(params![event, memory])?;
        }
        Ok(())
    }
}
