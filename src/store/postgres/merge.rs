//! Taking in what another store handed out.

use tokio_postgres::Row;

use super::db::{Db, Outcome, Values};
use super::index::{Standing, column};
use super::list::kind_column;
use super::memories::name_column;
use super::put::{Batch, KNOWN, Known, known};
use super::reassign::learn_rule;
use super::sessions::learn_directory;
use super::traces::put_injection;
use super::vectors::{known_model, learn_vectors, make_model};
use crate::memory::{Kind, MemoryId, Project};
use crate::order::sort_by_key;
use crate::store::record::{GAP_MAX, Merged, MovedMemory, MovedSession, MovedVector, Record};
use crate::store::{NewMemory, Put};

/// Takes records in, in order; the caller's transaction makes it all or nothing.
pub(super) async fn merge(db: &Db, records: &[Record]) -> Outcome<Merged> {
    let mut merge = Merge {
        batch: Batch::new(db),
        merged: Merged::default(),
    };
    let mut vectors: Vec<&MovedVector> = Vec::new();
    for record in records {
        match record {
            Record::Origin(_) => {}
            Record::Project(project) => {
                merge.batch.project(project).await?;
            }
            Record::Session(session) => merge.session(session).await?,
            Record::Memory(moved) => merge.memory(moved).await?,
            Record::Directory { path, project } => merge.directory(path, project).await?,
            Record::Forgotten { event } => merge.forgotten(event).await?,
            Record::Rule(rule) => merge.merged.rules += learn_rule(db, rule).await?,
            Record::Injection(line) => merge.merged.injections += put_injection(db, line).await?,
            Record::Model { name, dimension } => learn_model(db, name, *dimension).await?,
            Record::Vector(moved) => vectors.push(moved),
        }
    }
    merge.batch.changes.write(db).await?;
    // Their passages are there only now.
    merge.merged.vectors += learn_vectors(db, &vectors).await?;
    Ok(merge.merged)
}

/// The projects that records write to.
pub(super) fn projects(records: &[Record]) -> impl Iterator<Item = &Project> {
    records.iter().flat_map(|record| {
        let (one, shares) = match record {
            Record::Project(project) | Record::Directory { project, .. } => (Some(project), None),
            Record::Memory(moved) => (Some(&moved.memory.project), None),
            Record::Session(session) => (Some(&session.project), Some(&session.shares)),
            Record::Rule(rule) => (Some(&rule.project), None),
            Record::Origin(_)
            | Record::Forgotten { .. }
            | Record::Injection(_)
            | Record::Model { .. }
            | Record::Vector(_) => (None, None),
        };
        let shares = shares.into_iter().flatten().map(|(project, _)| project);
        one.into_iter().chain(shares)
    })
}

/// Keeps every writer out until the transaction ends; readers go on.
pub(super) const LOCK: &str =
    "LOCK TABLE memory, project, directory, session, share, tag, repeat, forgotten, term, passage,
                posting, holding, trace, rule, injection IN SHARE ROW EXCLUSIVE MODE";

/// Empties the store.
pub(super) const CLEAR: &str = "
    DELETE FROM posting; DELETE FROM passage; DELETE FROM term; DELETE FROM holding;
    DELETE FROM tag; DELETE FROM repeat; DELETE FROM forgotten; DELETE FROM trace; DELETE FROM rule;
    DELETE FROM injection; DELETE FROM memory;
    DELETE FROM share; DELETE FROM session; DELETE FROM directory; DELETE FROM project";

async fn learn_model(db: &Db, name: &str, dimension: usize) -> Outcome<()> {
    let dimension = i32::try_from(dimension).unwrap_or(i32::MAX);
    match known_model(db, name, dimension).await? {
        Some(_) => Ok(()),
        None => make_model(db, name, dimension).await,
    }
}

struct Merge<'a> {
    batch: Batch<'a>,
    merged: Merged,
}

impl<'a> Merge<'a> {
    async fn session(&mut self, moved: &'a MovedSession) -> Outcome<()> {
        let bound = self.batch.project(&moved.project).await?;
        let mut shared = Vec::with_capacity(moved.shares.len());
        for (project, _) in &moved.shares {
            shared.push(self.batch.project(project).await?);
        }
        let titles: Vec<Option<&str>> = moved
            .shares
            .iter()
            .map(|(_, title)| title.as_deref())
            .collect();
        let is_new: bool = self
            .batch
            .db
            .one(
                "WITH made AS (
                     INSERT INTO session (client_id, project_id, started_ms, last_ms, next_position)
                     VALUES ($1, $2, $3, $4, $5)
                     ON CONFLICT (client_id) DO UPDATE SET
                         started_ms = least(session.started_ms, excluded.started_ms),
                         last_ms = greatest(session.last_ms, excluded.last_ms),
                         next_position = greatest(session.next_position, excluded.next_position),
                         project_id = CASE
                             WHEN session.project_id = (SELECT id FROM project WHERE key = $6)
                             THEN excluded.project_id ELSE session.project_id END
                     RETURNING id),
                 shared AS (
                     INSERT INTO share (project_id, session_id, title)
                     SELECT part.project, made.id, part.title
                     FROM made, unnest($7::bigint[], $8::text[]) AS part (project, title)
                     ON CONFLICT (project_id, session_id) DO UPDATE
                     SET title = coalesce(share.title, excluded.title))
                 SELECT NOT EXISTS (SELECT 1 FROM session WHERE client_id = $1) FROM made",
                &[
                    &moved.id,
                    &bound,
                    &moved.started_at.as_millisecond(),
                    &moved.last_at.as_millisecond(),
                    &moved.next_position,
                    &Project::UNASSIGNED,
                    &shared,
                    &titles,
                ],
            )
            .await?;
        self.merged.sessions += u64::from(is_new);
        Ok(())
    }

    async fn directory(&mut self, path: &str, project: &'a Project) -> Outcome<()> {
        let sql = "SELECT 1 FROM directory WHERE digest = sha256(convert_to($1, 'UTF8'))";
        if self.batch.db.row(sql, &[&path]).await?.is_none() {
            let project = self.batch.project(project).await?;
            learn_directory(self.batch.db, path, project).await?;
            self.merged.directories += 1;
        }
        Ok(())
    }

    /// An event whose memory is here stays as it is: it was not forgotten here.
    async fn forgotten(&mut self, event: &str) -> Outcome<()> {
        let sql = "INSERT INTO forgotten (event) SELECT $1
                   WHERE NOT EXISTS (SELECT 1 FROM memory WHERE event = $1)
                     AND NOT EXISTS (SELECT 1 FROM repeat WHERE event = $1)
                   ON CONFLICT DO NOTHING";
        self.merged.events += self.batch.db.run(sql, &[&event]).await?;
        Ok(())
    }

    async fn memory(&mut self, moved: &'a MovedMemory) -> Outcome<()> {
        let db = self.batch.db;
        let events: Vec<&String> = moved.events().collect();
        let events: Values<'_> = &[&events];
        let forgotten = "SELECT 1 FROM forgotten WHERE event = ANY ($1) LIMIT 1";
        let (here, forgotten, same_event) = tokio::join!(
            biased;
            self.by_name(moved.memory.id),
            db.row(forgotten, events),
            self.by_event(moved.memory.event.as_deref()),
        );
        if let Some(here) = here? {
            return self.bring_up_to_date(here, moved).await;
        }
        if forgotten?.is_some() {
            self.merged.forgotten += 1;
            return Ok(());
        }
        if let Some(same) = same_event? {
            return self.take_words(same, moved).await;
        }
        match moved.superseded_by {
            None => self.live(moved).await,
            Some(successor) => self.version(moved, successor).await,
        }
    }

    async fn by_name(&self, name: MemoryId) -> Outcome<Option<Known>> {
        let sql = format!("SELECT {KNOWN} FROM memory WHERE name = $1");
        one_known(self.batch.db.row(&sql, &[&name_column(name)]).await?)
    }

    async fn by_event(&self, event: Option<&str>) -> Outcome<Option<Known>> {
        let sql = format!("SELECT {KNOWN} FROM memory WHERE event = $1");
        match event {
            Some(event) => one_known(self.batch.db.row(&sql, &[&event]).await?),
            None => Ok(None),
        }
    }

    /// A memory that is here under its own name.
    async fn bring_up_to_date(&mut self, here: Known, moved: &'a MovedMemory) -> Outcome<()> {
        let Some(successor) = moved.superseded_by else {
            return self.take_words(here, moved).await;
        };
        let successor = self.by_name(successor).await?;
        let successor = successor.filter(|known| known.standing.project == here.standing.project);
        match successor {
            Some(newer) if here.live && self.head(&newer).await? != here.standing.memory => {
                self.supersede(&[here.standing], newer.standing.memory)
                    .await?;
                self.merged.updated += 1;
            }
            _ => self.merged.known += 1,
        }
        Ok(())
    }

    /// The number of the live memory at the end of a chain.
    async fn head(&self, known: &Known) -> Outcome<i64> {
        let sql = "WITH RECURSIVE later (id, next) AS (
                       SELECT id, superseded_by FROM memory WHERE id = $1
                       UNION
                       SELECT m.id, m.superseded_by FROM memory m JOIN later ON m.id = later.next)
                   SELECT id FROM later WHERE next IS NULL";
        self.batch.db.one(sql, &[&known.standing.memory]).await
    }

    async fn supersede(&mut self, old: &[Standing], by: i64) -> Outcome<()> {
        let db = self.batch.db;
        self.batch.changes.remove(db, old).await?;
        let numbers: Vec<i64> = old.iter().map(|standing| standing.memory).collect();
        let sql = "UPDATE memory SET superseded_by = $2 WHERE id = ANY ($1)";
        db.run(sql, &[&numbers, &by]).await?;
        Ok(())
    }

    /// The same memory is here: of two live ones the fuller words win, as when it is captured.
    async fn take_words(&mut self, here: Known, moved: &'a MovedMemory) -> Outcome<()> {
        let new = &moved.memory;
        let is_same_project = self.batch.project(&new.project).await? == here.standing.project;
        let may = moved.superseded_by.is_none() && is_same_project;
        match may {
            true => match self.batch.keep_the_fuller(here, new).await? {
                Put::Updated(_) => self.merged.updated += 1,
                _ => self.merged.known += 1,
            },
            false => self.merged.known += 1,
        }
        Ok(())
    }

    async fn live(&mut self, moved: &'a MovedMemory) -> Outcome<()> {
        let new = &moved.memory;
        let project = self.batch.project(&new.project).await?;
        let session = self.batch.session(new, project).await?;
        let (same, holder) = tokio::join!(
            biased;
            self.batch.same_content(project, session, new),
            self.batch.holder_of_key(project, new),
        );
        let mut replaced = Vec::new();
        if let Some(same) = same? {
            if new.key.is_none() || same.key == new.key {
                self.batch.remember_event(&same, new).await?;
                self.repeats(same.standing.memory, moved).await?;
                self.merged.known += 1;
                return Ok(());
            }
            replaced.push(same.standing);
        }
        if let Some(holder) = holder? {
            // Of two notes with one key the later one holds.
            if holder.standing.created_ms > new.created_at.as_millisecond() {
                let number = self.number_below(holder.standing.memory).await?;
                let newer = Some(holder.standing.memory);
                return self.insert(number, project, session, moved, newer).await;
            }
            replaced.push(holder.standing);
        }
        let number = self.next_number(moved.versions).await?;
        sort_by_key(&mut replaced, |standing| standing.memory);
        replaced.dedup_by_key(|standing| standing.memory);
        if !replaced.is_empty() {
            self.supersede(&replaced, number).await?;
        }
        self.insert(number, project, session, moved, None).await
    }

    async fn version(&mut self, moved: &'a MovedMemory, successor: MemoryId) -> Outcome<()> {
        let new = &moved.memory;
        let project = self.batch.project(&new.project).await?;
        let newer = self.by_name(successor).await?;
        match newer.filter(|newer| newer.standing.project == project) {
            Some(newer) => {
                let session = self.batch.session(new, project).await?;
                let number = self.number_below(newer.standing.memory).await?;
                let newer = Some(newer.standing.memory);
                self.insert(number, project, session, moved, newer).await
            }
            None => {
                self.merged.orphaned += 1;
                Ok(())
            }
        }
    }

    /// The number after all that were given, with room for a memory's versions below it.
    async fn next_number(&self, versions: u32) -> Outcome<i64> {
        let sql = "SELECT max(number) FROM (
                       SELECT nextval('memory_id_seq') FROM generate_series(0, $1::bigint))
                   AS drawn (number)";
        self.batch.db.one(sql, &[&i64::from(versions)]).await
    }

    /// A free number below that of the version that took its place.
    async fn number_below(&self, successor: i64) -> Outcome<i64> {
        let sql = "WITH RECURSIVE gap (n) AS (
                       SELECT $1::bigint - 1
                       UNION ALL
                       SELECT n - 1 FROM gap
                       WHERE n > $1 - $2 AND EXISTS (SELECT 1 FROM memory WHERE id = n))
                   SELECT min(n) FROM gap
                   WHERE n > 0 AND NOT EXISTS (SELECT 1 FROM memory WHERE id = n)";
        let free: Option<i64> = self.batch.db.one(sql, &[&successor, &GAP_MAX]).await?;
        match free {
            Some(number) => Ok(number),
            None => self.next_number(0).await,
        }
    }

    async fn insert(
        &mut self,
        number: i64,
        project: i64,
        session: Option<i64>,
        moved: &'a MovedMemory,
        superseded_by: Option<i64>,
    ) -> Outcome<()> {
        let new = &moved.memory;
        let row = Standing {
            memory: number,
            project,
            kind: kind_column(new.kind),
            session,
            position: moved.position,
            created_ms: new.created_at.as_millisecond(),
            expires_ms: new.expires_at.map(|at| at.as_millisecond()),
        };
        let (position, tagged, repeated) = tokio::join!(
            biased;
            insert_row(self.batch.db, &row, new, superseded_by),
            self.batch.insert_tags(number, &new.tags),
            self.repeats(number, moved),
        );
        tagged?;
        repeated?;
        let standing = Standing {
            position: position?,
            ..row
        };
        match superseded_by {
            Some(_) => self.merged.history += 1,
            None => {
                self.batch.changes.add(standing, &new.passages);
                self.merged.stored += 1;
            }
        }
        Ok(())
    }

    async fn repeats(&self, memory: i64, moved: &MovedMemory) -> Outcome<()> {
        if moved.repeats.is_empty() {
            return Ok(());
        }
        let sql = "INSERT INTO repeat (event, memory_id)
                   SELECT event, $2 FROM unnest($1::text[]) AS event ON CONFLICT DO NOTHING";
        self.batch.db.run(sql, &[&moved.repeats, &memory]).await?;
        Ok(())
    }
}

fn one_known(row: Option<Row>) -> Outcome<Option<Known>> {
    row.as_ref().map(known).transpose()
}

/// Writes the memory's row and returns its place in the session: its own, or the next one for a
/// turn whose place another turn has.
async fn insert_row(
    db: &Db,
    row: &Standing,
    new: &NewMemory,
    superseded_by: Option<i64>,
) -> Outcome<i64> {
    let is_turn = new.kind == Kind::Turn;
    db.one(
        "WITH taken AS (
             SELECT $4 AND EXISTS (SELECT 1 FROM memory WHERE session_id = $3
                                   AND position = $17 AND kind = $5) AS is_taken),
         place AS (
             UPDATE session SET next_position = CASE
                 WHEN NOT $4 THEN next_position
                 WHEN is_taken THEN next_position + 1
                 ELSE greatest(next_position, $17 + 1) END
             FROM taken WHERE id = $3
             RETURNING CASE WHEN is_taken THEN next_position - 1 ELSE $17 END AS position)
         INSERT INTO memory (id, project_id, session_id, kind, pinned, created_ms, expires_ms, name,
                             key, source, event, content_hash, metadata, reply_start, content,
                             position, superseded_by)
         VALUES ($1, $2, $3, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
                 coalesce((SELECT position FROM place), $17), $18)
         RETURNING position",
        &[
            &row.memory,
            &row.project,
            &row.session,
            &is_turn,
            &row.kind,
            &new.pinned,
            &row.created_ms,
            &row.expires_ms,
            &name_column(new.id),
            &new.key,
            &new.source,
            &new.event,
            &new.content_hash.as_slice(),
            &new.metadata,
            &new.content.reply_start.map(column),
            &new.content.text,
            &row.position,
            &superseded_by,
        ],
    )
    .await
}
