//! Rows of new memories, written many at once: a batch of an import costs as many round trips as one.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::db::{Db, Outcome};
use super::index::{Changes, Standing, column};
use super::memories::name_column;
use crate::memory::Kind;
use crate::store::NewMemory;

/// Memories that have their numbers, and no rows yet.
#[derive(Default)]
pub(super) struct Rows<'a>(Vec<(Standing, &'a NewMemory)>);

/// What memories change of a session.
struct Growth {
    turns: i64,
    first_ms: i64,
    last_ms: i64,
}

impl<'a> Rows<'a> {
    /// Adds a memory; its place in the session is not known yet.
    pub fn push(&mut self, row: Standing, new: &'a NewMemory) {
        self.0.push((row, new));
    }

    /// Writes them all, and hands them to the index.
    pub async fn write(&mut self, db: &Db, changes: &mut Changes<'a>) -> Outcome<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let mut rows = std::mem::take(&mut self.0);
        place(db, &mut rows).await?;
        let (inserted, tagged) = tokio::join!(biased; insert(db, &rows), insert_tags(db, &rows));
        inserted?;
        tagged?;
        for (row, new) in rows {
            changes.add(row, &new.passages);
        }
        Ok(())
    }
}

/// Gives each its place in its session. Turns take one place after the other; anything else stands
/// before the next turn. 0 without a session.
async fn place(db: &Db, rows: &mut [(Standing, &NewMemory)]) -> Outcome<()> {
    let mut growths: BTreeMap<i64, Growth> = BTreeMap::new();
    for (row, new) in rows.iter() {
        let Some(session) = row.session else { continue };
        let growth = growths.entry(session).or_insert(Growth {
            turns: 0,
            first_ms: row.created_ms,
            last_ms: row.created_ms,
        });
        growth.turns += i64::from(new.kind == Kind::Turn);
        growth.first_ms = growth.first_ms.min(row.created_ms);
        growth.last_ms = growth.last_ms.max(row.created_ms);
    }
    if growths.is_empty() {
        return Ok(());
    }
    let sessions: Vec<i64> = growths.keys().copied().collect();
    let turns: Vec<i64> = growths.values().map(|growth| growth.turns).collect();
    let first: Vec<i64> = growths.values().map(|growth| growth.first_ms).collect();
    let last: Vec<i64> = growths.values().map(|growth| growth.last_ms).collect();
    let grown = db
        .rows(
            "UPDATE session SET next_position = next_position + new.turns,
                    started_ms = least(started_ms, new.first),
                    last_ms = greatest(last_ms, new.last)
             FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])
                  AS new (id, turns, first, last)
             WHERE session.id = new.id RETURNING session.id, next_position - new.turns",
            &[&sessions, &turns, &first, &last],
        )
        .await?;
    let mut next: BTreeMap<i64, i64> = BTreeMap::new();
    for row in &grown {
        next.insert(row.try_get(0)?, row.try_get(1)?);
    }
    for (row, new) in rows.iter_mut() {
        if let Some(next) = row.session.and_then(|session| next.get_mut(&session)) {
            row.position = *next;
            *next += i64::from(new.kind == Kind::Turn);
        }
    }
    Ok(())
}

/// The memories' rows, column by column.
async fn insert(db: &Db, rows: &[(Standing, &NewMemory)]) -> Outcome<()> {
    let numbers: Vec<i64> = rows.iter().map(|(row, _)| row.memory).collect();
    let projects: Vec<i64> = rows.iter().map(|(row, _)| row.project).collect();
    let sessions: Vec<Option<i64>> = rows.iter().map(|(row, _)| row.session).collect();
    let positions: Vec<i64> = rows.iter().map(|(row, _)| row.position).collect();
    let kinds: Vec<i16> = rows.iter().map(|(row, _)| row.kind).collect();
    let pinned: Vec<bool> = rows.iter().map(|(_, new)| new.pinned).collect();
    let created: Vec<i64> = rows.iter().map(|(row, _)| row.created_ms).collect();
    let expires: Vec<Option<i64>> = rows.iter().map(|(row, _)| row.expires_ms).collect();
    let names: Vec<Uuid> = rows.iter().map(|(_, new)| name_column(new.id)).collect();
    let keys: Vec<Option<&str>> = rows.iter().map(|(_, new)| new.key.as_deref()).collect();
    let sources: Vec<&str> = rows.iter().map(|(_, new)| new.source.as_ref()).collect();
    let events: Vec<Option<&str>> = rows.iter().map(|(_, new)| new.event.as_deref()).collect();
    let hashes: Vec<&[u8]> = rows
        .iter()
        .map(|(_, new)| new.content_hash.as_slice())
        .collect();
    let metadata: Vec<Option<&str>> = rows
        .iter()
        .map(|(_, new)| new.metadata.as_deref())
        .collect();
    let replies: Vec<Option<i32>> = rows
        .iter()
        .map(|(_, new)| new.content.reply_start.map(column))
        .collect();
    let texts: Vec<&str> = rows
        .iter()
        .map(|(_, new)| new.content.text.as_str())
        .collect();
    db.run(
        "INSERT INTO memory (id, project_id, session_id, position, kind, pinned, created_ms,
                             expires_ms, name, key, source, event, content_hash, metadata,
                             reply_start, content)
         SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[],
                              $5::smallint[], $6::boolean[], $7::bigint[], $8::bigint[],
                              $9::uuid[], $10::text[], $11::text[], $12::text[], $13::bytea[],
                              $14::text[], $15::integer[], $16::text[])",
        &[
            &numbers, &projects, &sessions, &positions, &kinds, &pinned, &created, &expires,
            &names, &keys, &sources, &events, &hashes, &metadata, &replies, &texts,
        ],
    )
    .await?;
    Ok(())
}

async fn insert_tags(db: &Db, rows: &[(Standing, &NewMemory)]) -> Outcome<()> {
    let (mut tags, mut memories): (Vec<&str>, Vec<i64>) = (Vec::new(), Vec::new());
    for (row, new) in rows {
        tags.extend(new.tags.iter().map(String::as_str));
        memories.resize(tags.len(), row.memory);
    }
    if !tags.is_empty() {
        db.run(
            "INSERT INTO tag (tag, memory_id) SELECT * FROM unnest($1::text[], $2::bigint[])
             ON CONFLICT DO NOTHING",
            &[&tags, &memories],
        )
        .await?;
    }
    Ok(())
}
