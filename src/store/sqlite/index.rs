//! Keeping the index: terms, passages, postings, and the counts that go with them.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{OptionalExtension, Transaction, params};

use super::vectors;
use crate::order::sort;
use crate::store::{Forgotten, NewPassage, vector};

/// What a transaction changes in the counts, gathered so that a common term is written once a
/// transaction and not once a passage.
#[derive(Default)]
pub(super) struct Changes {
    term_ids: HashMap<i64, HashMap<String, i64>>,
    passages_by_term: BTreeMap<i64, i64>,
    holdings: BTreeMap<(i64, i64), Holding>,
    /// The model that passages bring vectors of, once it was looked up.
    own_model: Option<Option<i64>>,
}

#[derive(Default)]
struct Holding {
    memories: i64,
    passages: i64,
    terms: i64,
}

/// Where a memory stands, as the index repeats it.
pub(super) struct Standing {
    pub memory: i64,
    pub project: i64,
    pub kind: i64,
    pub session: Option<i64>,
    pub position: i64,
    pub created_ms: i64,
    pub expires_ms: Option<i64>,
}

impl Changes {
    /// Makes a memory findable.
    pub fn add(
        &mut self,
        tx: &Transaction<'_>,
        standing: &Standing,
        passages: &[NewPassage],
    ) -> rusqlite::Result<()> {
        let mut terms = 0;
        for passage in passages {
            self.add_passage(tx, standing, passage)?;
            terms += i64::from(passage.length);
        }
        let holding = self
            .holdings
            .entry((standing.project, standing.kind))
            .or_default();
        holding.memories += 1;
        holding.passages += passages.len() as i64;
        holding.terms += terms;
        change_share(tx, standing, 1, terms)
    }

    fn add_passage(
        &mut self,
        tx: &Transaction<'_>,
        standing: &Standing,
        passage: &NewPassage,
    ) -> rusqlite::Result<()> {
        let mut pairs = Vec::with_capacity(passage.terms.len());
        for (term, count) in &passage.terms {
            pairs.push((self.term_id(tx, standing.project, term)?, *count));
        }
        sort(&mut pairs);
        let mut words = String::with_capacity(pairs.len() * 4);
        for (id, _) in &pairs {
            *self.passages_by_term.entry(*id).or_default() += 1;
            push_posting_word(&mut words, *id);
            words.push(' ');
        }
        tx.prepare_cached(
            "INSERT INTO passage (memory_id, start, end, project_id, kind, session_id, position,
                                  created_ms, expires_ms, length, terms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute(params![
            standing.memory,
            passage.range.start as i64,
            passage.range.end as i64,
            standing.project,
            standing.kind,
            standing.session,
            standing.position,
            standing.created_ms,
            standing.expires_ms,
            passage.length,
            vector::encode(&pairs),
        ])?;
        let number = tx.last_insert_rowid();
        tx.prepare_cached("INSERT INTO posting (rowid, terms) VALUES (?1, ?2)")?
            .execute(params![number, words])?;
        if let Some(own) = &passage.vector {
            let model = match self.own_model {
                Some(known) => known,
                None => *self.own_model.insert(vectors::own_model(tx, own)?),
            };
            if let Some(model) = model {
                vectors::put_own(tx, model, number, standing.project, own)?;
            }
        }
        Ok(())
    }

    /// Takes a memory out of the index; its words stay in the memory. Returns what it had there.
    pub fn remove(
        &mut self,
        tx: &Transaction<'_>,
        standing: &Standing,
    ) -> rusqlite::Result<Forgotten> {
        let mut select =
            tx.prepare_cached("SELECT id, length, terms FROM passage WHERE memory_id = ?1")?;
        let mut rows = select.query([standing.memory])?;
        let (mut passages, mut terms) = (Vec::new(), 0);
        let mut removed = Forgotten::default();
        while let Some(row) = rows.next()? {
            passages.push(row.get::<_, i64>(0)?);
            terms += row.get::<_, i64>(1)?;
            for (id, _) in vector::decode(row.get_ref(2)?.as_blob()?) {
                *self.passages_by_term.entry(id).or_default() -= 1;
                removed.index_entries += 1;
            }
        }
        for passage in &passages {
            tx.prepare_cached("DELETE FROM posting WHERE rowid = ?1")?
                .execute([passage])?;
            removed.vectors += tx
                .prepare_cached("SELECT count(*) FROM code WHERE passage_id = ?1")?
                .query_row([passage], |row| row.get::<_, i64>(0))?
                .unsigned_abs();
        }
        tx.prepare_cached("DELETE FROM passage WHERE memory_id = ?1")?
            .execute([standing.memory])?;
        let holding = self
            .holdings
            .entry((standing.project, standing.kind))
            .or_default();
        holding.memories -= 1;
        holding.passages -= passages.len() as i64;
        holding.terms -= terms;
        change_share(tx, standing, -1, -terms)?;
        removed.passages = passages.len() as u64;
        Ok(removed)
    }

    /// Writes the counts. Terms that no passage has any more are deleted, so that no word of a
    /// forgotten memory stays behind.
    pub fn write(self, tx: &Transaction<'_>) -> rusqlite::Result<()> {
        for (id, change) in &self.passages_by_term {
            tx.prepare_cached("UPDATE term SET passages = passages + ?2 WHERE id = ?1")?
                .execute(params![id, change])?;
            // Not only below zero: a word may come and go within one transaction.
            if *change <= 0 {
                tx.prepare_cached("DELETE FROM term WHERE id = ?1 AND passages <= 0")?
                    .execute([id])?;
            }
        }
        for ((project, kind), change) in &self.holdings {
            tx.prepare_cached(
                "INSERT INTO holding (project_id, kind, memories, passages, terms)
                 VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT DO UPDATE SET memories = memories + excluded.memories,
                     passages = passages + excluded.passages, terms = terms + excluded.terms",
            )?
            .execute(params![
                project,
                kind,
                change.memories,
                change.passages,
                change.terms
            ])?;
        }
        Ok(())
    }

    fn term_id(&mut self, tx: &Transaction<'_>, project: i64, term: &str) -> rusqlite::Result<i64> {
        let known = self.term_ids.get(&project).and_then(|ids| ids.get(term));
        if let Some(id) = known {
            return Ok(*id);
        }
        let known = tx
            .prepare_cached("SELECT id FROM term WHERE term = ?1 AND project_id = ?2")?
            .query_row(params![term, project], |row| row.get(0))
            .optional()?;
        let id = match known {
            Some(id) => id,
            None => tx
                .prepare_cached("INSERT INTO term (term, project_id, passages) VALUES (?1, ?2, 0)")?
                .insert(params![term, project])?,
        };
        self.term_ids
            .entry(project)
            .or_default()
            .insert(term.to_owned(), id);
        Ok(id)
    }
}

/// Counts a memory that came to a session's share of a project (1), or went (-1). The first and the
/// last one change how many sessions the project has.
fn change_share(
    tx: &Transaction<'_>,
    standing: &Standing,
    memories: i64,
    terms: i64,
) -> rusqlite::Result<()> {
    let Some(session) = standing.session else {
        return Ok(());
    };
    let held: Option<i64> = tx
        .prepare_cached(
            "UPDATE share SET memories = memories + ?3, terms = terms + ?4
             WHERE project_id = ?1 AND session_id = ?2 RETURNING memories",
        )?
        .query_row(params![standing.project, session, memories, terms], |row| {
            row.get(0)
        })
        .optional()?;
    if held == Some(memories.max(0)) {
        tx.prepare_cached("UPDATE project SET sessions = sessions + ?2 WHERE id = ?1")?
            .execute(params![standing.project, memories])?;
    }
    Ok(())
}

/// A term's id as a word of the posting table: base 36, so that FTS5 takes it for a plain word.
pub(super) fn push_posting_word(words: &mut String, id: i64) {
    let mut digits = [0_u8; 13];
    let mut rest = id.unsigned_abs();
    let mut used = 0;
    for digit in &mut digits {
        *digit = b"0123456789abcdefghijklmnopqrstuvwxyz"
            .get((rest % 36) as usize)
            .copied()
            .unwrap_or(b'0');
        rest /= 36;
        used += 1;
        if rest == 0 {
            break;
        }
    }
    words.extend(
        digits
            .iter()
            .take(used)
            .rev()
            .map(|digit| char::from(*digit)),
    );
}

#[cfg(test)]
mod tests {
    #[test]
    fn posting_words_are_base_36() {
        let mut words = String::new();
        for id in [0, 35, 36, i64::MAX] {
            super::push_posting_word(&mut words, id);
            words.push(' ');
        }
        assert_eq!(words, "0 z 10 1y2p0ij32e8e7 ");
    }
}
