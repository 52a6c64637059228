//! Keeping memories.
//!
//! Most memories of a batch are new. What the store may know of them is asked once, for all; only those
//! that it does know are looked at one by one.

use std::collections::{HashMap, HashSet};

use tokio_postgres::Row;

use super::db::{Db, Failure, Outcome, Values};
use super::index::{Changes, Standing, column};
use super::list::kind_column;
use super::memories::{name, name_column};
use super::rows::Rows;
use super::sessions;
use crate::error::Error;
use crate::memory::{Kind, MemoryId, Project};
use crate::order::sort_by_key;
use crate::store::{NewMemory, Put};

/// Keeps memories in order; the caller's transaction makes it all or nothing.
pub(super) async fn put(db: &Db, memories: &[NewMemory]) -> Outcome<Vec<Put>> {
    let mut batch = Batch::new(db);
    batch.seen = Seen::ask(db, memories).await?;
    let mut outcomes = Vec::with_capacity(memories.len());
    for (index, new) in memories.iter().enumerate() {
        let left = memories.len() - index;
        outcomes.push(batch.put_one(new, left).await?);
    }
    batch.write_rows().await?;
    batch.changes.write(db).await?;
    Ok(outcomes)
}

/// What a transaction has learned, so that it asks once.
pub(super) struct Batch<'a> {
    pub db: &'a Db,
    pub changes: Changes<'a>,
    rows: Rows<'a>,
    seen: Seen,
    projects: HashMap<&'a str, i64>,
    directories: HashMap<&'a str, i64>,
    sessions: HashMap<(&'a str, i64), i64>,
    /// Numbers of memories that were not given away yet, the next one last.
    numbers: Vec<i64>,
}

/// What the store, or an earlier memory of the batch, may have of a batch.
#[derive(Default)]
struct Seen {
    events: HashSet<String>,
    hashes: HashSet<Vec<u8>>,
    keys: HashSet<String>,
}

impl Seen {
    async fn ask(db: &Db, memories: &[NewMemory]) -> Outcome<Self> {
        let events: Vec<&str> = memories
            .iter()
            .filter_map(|new| new.event.as_deref())
            .collect();
        let keys: Vec<&str> = memories
            .iter()
            .filter_map(|new| new.key.as_deref())
            .collect();
        let projects: Vec<&str> = memories
            .iter()
            .map(|new| new.project.key.as_str())
            .collect();
        let hashes: Vec<&[u8]> = memories
            .iter()
            .map(|new| new.content_hash.as_slice())
            .collect();
        let (asked_events, asked_hashes, asked_keys): (Values<'_>, Values<'_>, Values<'_>) =
            (&[&events], &[&hashes], &[&projects, &keys]);
        let (events, hashes, keys) = tokio::join!(
            biased;
            db.rows(
                "SELECT event FROM memory WHERE event = ANY ($1)
                 UNION ALL SELECT event FROM forgotten WHERE event = ANY ($1)",
                asked_events,
            ),
            db.rows(
                "SELECT content_hash FROM memory
                 WHERE content_hash = ANY ($1) AND superseded_by IS NULL",
                asked_hashes,
            ),
            db.rows(
                "SELECT key FROM memory
                 WHERE project_id IN (SELECT id FROM project WHERE key = ANY ($1))
                   AND key = ANY ($2) AND superseded_by IS NULL",
                asked_keys,
            ),
        );
        let mut seen = Self::default();
        for row in &events? {
            seen.events.insert(row.try_get(0)?);
        }
        for row in &hashes? {
            seen.hashes.insert(row.try_get(0)?);
        }
        for row in &keys? {
            seen.keys.insert(row.try_get(0)?);
        }
        Ok(seen)
    }

    /// Whether a memory may be there already, or take the place of one; from now on it is.
    fn may_have(&mut self, new: &NewMemory) -> bool {
        let event = new.event.as_ref();
        let is_known_event = event.is_some_and(|event| !self.events.insert(event.clone()));
        let is_known_hash = !self.hashes.insert(new.content_hash.to_vec());
        let key = new.key.as_ref();
        let is_known_key = key.is_some_and(|key| !self.keys.insert(key.clone()));
        is_known_event || is_known_hash || is_known_key || new.replaces.is_some()
    }
}

/// A memory that is there already.
pub(super) struct Known {
    pub name: MemoryId,
    pub standing: Standing,
    pub key: Option<String>,
    content_bytes: usize,
    pub live: bool,
}

pub(super) const KNOWN: &str = "id, project_id, kind, session_id, position, created_ms, expires_ms,
                     name, key, octet_length(content), superseded_by IS NULL";

pub(super) fn known(row: &Row) -> Outcome<Known> {
    let content_bytes: i32 = row.try_get(9)?;
    Ok(Known {
        standing: Standing::read(row)?,
        name: name(row.try_get(7)?),
        key: row.try_get(8)?,
        content_bytes: usize::try_from(content_bytes).unwrap_or_default(),
        live: row.try_get(10)?,
    })
}

impl<'a> Batch<'a> {
    pub fn new(db: &'a Db) -> Self {
        Self {
            db,
            changes: Changes::default(),
            rows: Rows::default(),
            seen: Seen::default(),
            projects: HashMap::new(),
            directories: HashMap::new(),
            sessions: HashMap::new(),
            numbers: Vec::new(),
        }
    }

    /// Keeps one; so many are left with it.
    async fn put_one(&mut self, new: &'a NewMemory, left: usize) -> Outcome<Put> {
        if !self.seen.may_have(new) {
            let project = self.project(&new.project).await?;
            self.learn_directory(new, project).await?;
            let session = self.session(new, project).await?;
            self.insert(project, session, new, &[], left).await?;
            return Ok(Put::Stored { superseded: None });
        }
        self.write_rows().await?;
        if let Some(event) = &new.event
            && let Some(outcome) = self.put_event(event, new).await?
        {
            return Ok(outcome);
        }
        let project = self.project(&new.project).await?;
        self.learn_directory(new, project).await?;
        let mut replaced = self.replaced_by_name(project, new).await?;
        let session = self.session(new, project).await?;
        let (same, holder) = tokio::join!(
            biased;
            self.same_content(project, session, new),
            self.holder_of_key(project, new),
        );
        let (same, holder) = (same?, holder?);
        if let Some(same) = same {
            let has_key = new.key.is_none() || same.key == new.key;
            if has_key && new.replaces.is_none() {
                self.remember_event(&same, new).await?;
                return self.add_marks(&same, new).await;
            }
            // The same words under a new key, or in the place of others: still one memory.
            replaced.push(same);
        }
        replaced.extend(holder);
        sort_by_key(&mut replaced, |known| known.standing.memory);
        replaced.dedup_by_key(|known| known.standing.memory);
        self.insert(project, session, new, &replaced, left).await?;
        Ok(Put::Stored {
            superseded: new.replaces.or(replaced.last().map(|known| known.name)),
        })
    }

    /// Whoever looks at memories one by one must find those that came before.
    async fn write_rows(&mut self) -> Outcome<()> {
        self.rows.write(self.db, &mut self.changes).await
    }

    /// What becomes of a memory whose event was kept or forgotten before.
    async fn put_event(&mut self, event: &str, new: &'a NewMemory) -> Outcome<Option<Put>> {
        let by_event = format!(
            "SELECT {KNOWN}, (SELECT key FROM project WHERE id = project_id)
             FROM memory WHERE event = $1"
        );
        let event: Values<'_> = &[&event];
        let (forgotten, kept) = tokio::join!(
            biased;
            self.db.row("SELECT 1 FROM forgotten WHERE event = $1", event),
            self.db.row(&by_event, event),
        );
        if forgotten?.is_some() {
            return Ok(Some(Put::Forgotten));
        }
        let Some(row) = kept? else {
            return Ok(None);
        };
        let known = known(&row)?;
        // One event is one memory, where it was kept first; nobody writes into it from another
        // project.
        if row.try_get::<_, &str>(11)? == new.project.key {
            return self.keep_the_fuller(known, new).await.map(Some);
        }
        Ok(Some(Put::Known(known.name)))
    }

    pub async fn project(&mut self, project: &'a Project) -> Outcome<i64> {
        let key = project.key.as_str();
        if let Some(id) = self.projects.get(key) {
            return Ok(*id);
        }
        let id = sessions::make_project(self.db, project).await?;
        self.projects.insert(key, id);
        Ok(id)
    }

    async fn learn_directory(&mut self, new: &'a NewMemory, project: i64) -> Outcome<()> {
        if let Some(path) = new.directory.as_deref()
            && self.directories.insert(path, project) != Some(project)
        {
            sessions::learn_directory(self.db, path, project).await?;
        }
        Ok(())
    }

    pub async fn session(&mut self, new: &'a NewMemory, project: i64) -> Outcome<Option<i64>> {
        let Some(client_id) = new.session.as_deref() else {
            return Ok(None);
        };
        if let Some(id) = self.sessions.get(&(client_id, project)) {
            return Ok(Some(*id));
        }
        let id = sessions::make(self.db, project, client_id, new.created_at).await?;
        self.sessions.insert((client_id, project), id);
        Ok(Some(id))
    }

    /// The same words by another event: whoever forgets them means that one too.
    pub async fn remember_event(&self, same: &Known, new: &NewMemory) -> Outcome<()> {
        if let Some(event) = &new.event {
            self.db
                .run(
                    "INSERT INTO repeat (event, memory_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                    &[event, &same.standing.memory],
                )
                .await?;
        }
        Ok(())
    }

    /// The same words: of a turn in the same conversation, of a note anywhere in the project.
    pub async fn same_content(
        &self,
        project: i64,
        session: Option<i64>,
        new: &NewMemory,
    ) -> Outcome<Option<Known>> {
        let is_turn = new.kind == Kind::Turn;
        let sql = format!(
            "SELECT {KNOWN} FROM memory
             WHERE content_hash = $1 AND superseded_by IS NULL AND project_id = $2 AND kind = $3
               AND (NOT $4::boolean OR session_id IS NOT DISTINCT FROM $5) AND content = $6
             ORDER BY id LIMIT 1"
        );
        let hash = new.content_hash.as_slice();
        let row = self
            .db
            .row(
                &sql,
                &[
                    &hash,
                    &project,
                    &kind_column(new.kind),
                    &is_turn,
                    &session,
                    &new.content.text,
                ],
            )
            .await?;
        row.as_ref().map(known).transpose()
    }

    pub async fn holder_of_key(&self, project: i64, new: &NewMemory) -> Outcome<Option<Known>> {
        let Some(key) = &new.key else { return Ok(None) };
        let sql = format!(
            "SELECT {KNOWN} FROM memory
             WHERE project_id = $1 AND key = $2 AND superseded_by IS NULL"
        );
        let row = self.db.row(&sql, &[&project, key]).await?;
        row.as_ref().map(known).transpose()
    }

    /// The memory that the caller named to be replaced.
    async fn replaced_by_name(&self, project: i64, new: &NewMemory) -> Outcome<Vec<Known>> {
        let Some(name) = new.replaces else {
            return Ok(Vec::new());
        };
        let sql = format!("SELECT {KNOWN} FROM memory WHERE name = $1 AND project_id = $2");
        let row = self.db.row(&sql, &[&name_column(name), &project]).await?;
        match row.as_ref().map(known).transpose()? {
            Some(known) if known.live => Ok(vec![known]),
            Some(_) => Err(Failure::Caller(Error::invalid(
                "id",
                format!("{name} was updated before; update the memory that took its place"),
            ))),
            None => Err(Failure::Caller(Error::NotFound(format!(
                "there is no memory {name} in project {}",
                new.project.key
            )))),
        }
    }

    /// The same turn came again: more words replace fewer, in place.
    pub async fn keep_the_fuller(&mut self, known: Known, new: &'a NewMemory) -> Outcome<Put> {
        if !known.live || new.content.text.len() <= known.content_bytes {
            return Ok(Put::Known(known.name));
        }
        self.changes.remove(self.db, &[known.standing]).await?;
        // Its passages are found by the date they were prepared with.
        let standing = Standing {
            created_ms: new.created_at.as_millisecond(),
            ..known.standing
        };
        self.db
            .run(
                "UPDATE memory SET content = $2, reply_start = $3, content_hash = $4,
                        created_ms = $5, metadata = coalesce($6, metadata) WHERE id = $1",
                &[
                    &standing.memory,
                    &new.content.text,
                    &new.content.reply_start.map(column),
                    &new.content_hash.as_slice(),
                    &standing.created_ms,
                    &new.metadata,
                ],
            )
            .await?;
        self.changes.add(standing, &new.passages);
        Ok(Put::Updated(known.name))
    }

    /// The same words came again, perhaps with a tag, a pin or an expiry that they did not have.
    async fn add_marks(&mut self, same: &Known, new: &NewMemory) -> Outcome<Put> {
        let memory = same.standing.memory;
        let mut changed = self.insert_tags(memory, &new.tags).await?;
        if new.pinned {
            let sql = "UPDATE memory SET pinned = true WHERE id = $1 AND NOT pinned";
            changed += self.db.run(sql, &[&memory]).await?;
        }
        let created_ms = new.created_at.as_millisecond();
        let has_expired = same.standing.expires_ms.is_some_and(|at| at <= created_ms);
        // What is said again after its time holds again, for as long as is said now.
        if has_expired || new.expires_at.is_some() {
            let expires_ms = new.expires_at.map(|at| at.as_millisecond());
            let sql = "UPDATE memory SET expires_ms = $2
                       WHERE id = $1 AND expires_ms IS DISTINCT FROM $2";
            changed += self.db.run(sql, &[&memory, &expires_ms]).await?;
            self.changes.expire(self.db, memory, expires_ms).await?;
        }
        Ok(if changed > 0 {
            Put::Updated(same.name)
        } else {
            Put::Known(same.name)
        })
    }

    pub async fn insert_tags(&self, memory: i64, tags: &[String]) -> Outcome<u64> {
        if tags.is_empty() {
            return Ok(0);
        }
        self.db
            .run(
                "INSERT INTO tag (tag, memory_id) SELECT tag, $2 FROM unnest($1::text[]) AS tag
                 ON CONFLICT DO NOTHING",
                &[&tags, &memory],
            )
            .await
    }

    /// The next number; the first call takes one for each memory that may still need one.
    async fn number(&mut self, left: usize) -> Outcome<i64> {
        if self.numbers.is_empty() {
            let sql = "SELECT nextval('memory_id_seq') FROM generate_series(1, $1::bigint)";
            for row in self.db.rows(sql, &[&(left as i64)]).await? {
                self.numbers.push(row.try_get(0)?);
            }
            self.numbers.sort_unstable();
            self.numbers.reverse();
        }
        self.numbers.pop().ok_or_else(|| {
            Failure::Caller(Error::Internal("the database gave no numbers".to_owned()))
        })
    }

    async fn insert(
        &mut self,
        project: i64,
        session: Option<i64>,
        new: &'a NewMemory,
        replaced: &[Known],
        left: usize,
    ) -> Outcome<()> {
        let memory = self.number(left).await?;
        if !replaced.is_empty() {
            let standings: Vec<Standing> = replaced.iter().map(|known| known.standing).collect();
            self.changes.remove(self.db, &standings).await?;
            let numbers: Vec<i64> = standings.iter().map(|standing| standing.memory).collect();
            let sql = "UPDATE memory SET superseded_by = $2 WHERE id = ANY ($1)";
            self.db.run(sql, &[&numbers, &memory]).await?;
        }
        let row = Standing {
            memory,
            project,
            kind: kind_column(new.kind),
            session,
            position: 0,
            created_ms: new.created_at.as_millisecond(),
            expires_ms: new.expires_at.map(|at| at.as_millisecond()),
        };
        self.rows.push(row, new);
        Ok(())
    }
}
