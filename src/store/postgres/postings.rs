//! Posting lists: read from the newest end, no further than they are needed, and grown there.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tokio_postgres::Row;

use super::chunk;
use super::db::{Db, Outcome};
use crate::order::sort_by_key;

/// The posting list of a term in one project, read from its newest end.
pub(super) struct List {
    term_id: i64,
    /// How many passages are not read yet.
    unread: u64,
    /// All that is not read yet is below this.
    below: i64,
    /// What was read and not taken yet, the newest last.
    read: Vec<i64>,
}

impl List {
    /// The list of a term that this many passages have.
    pub fn new(term_id: i64, passages: u64) -> Self {
        Self {
            term_id,
            unread: passages,
            below: i64::MAX,
            read: Vec::new(),
        }
    }
}

/// The lists of a word, one a project, as one list.
pub(super) struct Lists(pub Vec<List>);

impl Lists {
    /// Whether nothing is left to read.
    pub fn is_read(&self) -> bool {
        self.unread() == 0
    }

    /// How many passages are left to read.
    pub fn unread(&self) -> u64 {
        self.0.iter().map(|list| list.unread).sum()
    }

    /// What was read, newest first, as far as nothing that is not read yet can come between.
    pub fn newest(&mut self) -> Vec<i64> {
        let unread = self.0.iter().filter(|list| list.unread > 0);
        let from = unread.map(|list| list.below).max().unwrap_or(i64::MIN);
        let mut numbers = Vec::new();
        for list in &mut self.0 {
            let first = list.read.partition_point(|number| *number < from);
            numbers.extend(list.read.drain(first..));
        }
        numbers.sort_unstable();
        numbers.reverse();
        numbers
    }
}

/// Reads at least `wanted` more passages of each of these words, or to the end of their lists; in
/// one round trip, unless many passages were forgotten.
pub(super) async fn read_more(db: &Db, words: &mut [(&mut Lists, usize)]) -> Outcome<()> {
    let (mut terms, mut below, mut chunks) = (Vec::new(), Vec::new(), Vec::new());
    for (lists, wanted) in words.iter() {
        for list in lists.0.iter().filter(|list| list.unread > 0) {
            let wanted = (*wanted as u64).min(list.unread);
            terms.push(list.term_id);
            below.push(list.below);
            // The newest chunk may have been begun just now.
            chunks.push((wanted / chunk::PASSAGES_MAX as u64) as i64 + 2);
        }
    }
    let rows = db.rows(CHUNKS, &[&terms, &below, &chunks]).await?;
    let mut found: HashMap<i64, Vec<(i64, Vec<i64>)>> = HashMap::with_capacity(terms.len());
    for row in &rows {
        let first: i64 = row.try_get(1)?;
        let passages = chunk::decode(first, row.try_get(2)?);
        found
            .entry(row.try_get(0)?)
            .or_default()
            .push((first, passages));
    }
    let asked: HashMap<i64, i64> = terms.into_iter().zip(chunks).collect();
    for list in words.iter_mut().flat_map(|(lists, _)| &mut lists.0) {
        let Some(asked) = asked.get(&list.term_id) else {
            continue;
        };
        let mut chunks = found.remove(&list.term_id).unwrap_or_default();
        sort_by_key(&mut chunks, |(first, _)| *first);
        if let Some((oldest, _)) = chunks.first() {
            list.below = *oldest;
        }
        let is_end = (chunks.len() as i64) < *asked;
        let mut read: Vec<i64> = chunks
            .into_iter()
            .flat_map(|(_, numbers)| numbers)
            .collect();
        list.unread = match is_end {
            true => 0,
            false => list.unread.saturating_sub(read.len() as u64),
        };
        read.append(&mut list.read);
        list.read = read;
    }
    Ok(())
}

const CHUNKS: &str = "
    SELECT asked.term_id, c.first_passage, c.passages
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS asked (term_id, below, chunks)
    CROSS JOIN LATERAL (
        SELECT first_passage, passages FROM posting
        WHERE posting.term_id = asked.term_id AND first_passage < asked.below
        ORDER BY first_passage DESC LIMIT asked.chunks) c";

/// Rows of `posting` that are written.
#[derive(Default)]
struct Chunks {
    term: Vec<i64>,
    first: Vec<i64>,
    passages: Vec<Vec<u8>>,
}

impl Chunks {
    fn push(&mut self, term: i64, first: i64, passages: &[i64]) {
        self.term.push(term);
        self.first.push(first);
        self.passages.push(chunk::encode(first, passages));
    }

    async fn insert(&self, db: &Db) -> Outcome<u64> {
        let sql = "INSERT INTO posting (term_id, first_passage, passages)
                   SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[])";
        self.write(db, sql).await
    }

    async fn update(&self, db: &Db) -> Outcome<u64> {
        let sql = "UPDATE posting SET passages = new.passages
                   FROM unnest($1::bigint[], $2::bigint[], $3::bytea[])
                        AS new (term_id, first_passage, passages)
                   WHERE posting.term_id = new.term_id
                     AND posting.first_passage = new.first_passage";
        self.write(db, sql).await
    }

    async fn delete(&self, db: &Db) -> Outcome<u64> {
        let sql = "DELETE FROM posting
                   USING unnest($1::bigint[], $2::bigint[], $3::bytea[])
                         AS old (term_id, first_passage, passages)
                   WHERE posting.term_id = old.term_id
                     AND posting.first_passage = old.first_passage";
        self.write(db, sql).await
    }

    async fn write(&self, db: &Db, sql: &str) -> Outcome<u64> {
        match self.term.is_empty() {
            true => Ok(0),
            false => {
                db.run(sql, &[&self.term, &self.first, &self.passages])
                    .await
            }
        }
    }
}

/// Appends passages, ascending and above all that are there, to the lists of terms.
pub(super) async fn append(db: &Db, postings: BTreeMap<i64, Vec<i64>>) -> Outcome<()> {
    let terms: Vec<i64> = postings.keys().copied().collect();
    let rows = db
        .rows(
            "SELECT asked.id, newest.first_passage, newest.passages
             FROM unnest($1::bigint[]) AS asked (id)
             CROSS JOIN LATERAL (
                 SELECT first_passage, passages FROM posting WHERE term_id = asked.id
                 ORDER BY first_passage DESC LIMIT 1) newest",
            &[&terms],
        )
        .await?;
    let mut newest = HashMap::with_capacity(rows.len());
    for row in &rows {
        let first: i64 = row.try_get(1)?;
        let passages = chunk::decode(first, row.try_get(2)?);
        newest.insert(row.try_get::<_, i64>(0)?, (first, passages));
    }
    let (mut grown, mut begun) = (Chunks::default(), Chunks::default());
    for (term, mut passages) in postings {
        if let Some((first, mut held)) = newest.remove(&term) {
            let room = chunk::PASSAGES_MAX
                .saturating_sub(held.len())
                .min(passages.len());
            if room > 0 {
                held.extend(passages.drain(..room));
                grown.push(term, first, &held);
            }
        }
        for stretch in passages.chunks(chunk::PASSAGES_MAX) {
            if let Some(first) = stretch.first() {
                begun.push(term, *first, stretch);
            }
        }
    }
    let (updated, inserted) = tokio::join!(biased; grown.update(db), begun.insert(db));
    updated?;
    inserted?;
    Ok(())
}

/// Takes passages out of the lists of terms. What is pruned lies together, so most of it is in the
/// chunk of the newest passage of each term and in those just before: that is looked up a term, and what
/// lies elsewhere once more a passage.
pub(super) async fn take_out(db: &Db, gone: &BTreeMap<i64, BTreeSet<i64>>) -> Outcome<()> {
    let mut left = gone.clone();
    let (mut terms, mut newest, mut counts) = (Vec::new(), Vec::new(), Vec::new());
    for (term, passages) in gone {
        terms.push(*term);
        newest.push(passages.last().copied().unwrap_or_default());
        // Beside the first chunk there is at most one that is not full of them.
        let most = passages.len().min(2 + passages.len() / chunk::PASSAGES_MAX);
        counts.push(most as i64);
    }
    let rows = db.rows(CHUNKS_FROM, &[&terms, &newest, &counts]).await?;
    take_out_of(db, &rows, &mut left).await?;
    let (mut terms, mut places) = (Vec::new(), Vec::new());
    for (term, passages) in &left {
        terms.extend(passages.iter().map(|_| *term));
        places.extend(passages.iter().copied());
    }
    if terms.is_empty() {
        return Ok(());
    }
    let rows = db.rows(CHUNKS_OF, &[&terms, &places]).await?;
    take_out_of(db, &rows, &mut left).await
}

/// The newest chunks of terms that begin at a passage or before it, so many of each.
const CHUNKS_FROM: &str = "
    SELECT asked.term_id, c.first_passage, c.passages
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS asked (term_id, passage, chunks)
    CROSS JOIN LATERAL (
        SELECT first_passage, passages FROM posting
        WHERE posting.term_id = asked.term_id AND first_passage <= asked.passage
        ORDER BY first_passage DESC LIMIT asked.chunks) c";

/// The chunks that hold these passages of these terms, each once.
const CHUNKS_OF: &str = "
    SELECT held.term_id, held.first_passage, held.passages
    FROM (SELECT DISTINCT gone.term_id, (
              SELECT first_passage FROM posting
              WHERE posting.term_id = gone.term_id AND first_passage <= gone.passage
              ORDER BY first_passage DESC LIMIT 1) AS first_passage
          FROM unnest($1::bigint[], $2::bigint[]) AS gone (term_id, passage)) AS place
    JOIN posting held ON held.term_id = place.term_id
                     AND held.first_passage = place.first_passage";

/// Writes chunks anew without passages that are to go, and strikes those off.
async fn take_out_of(
    db: &Db,
    rows: &[Row],
    left: &mut BTreeMap<i64, BTreeSet<i64>>,
) -> Outcome<()> {
    let (mut shrunk, mut emptied) = (Chunks::default(), Chunks::default());
    for row in rows {
        let (term, first): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
        let Some(gone) = left.get_mut(&term) else {
            continue;
        };
        let mut held = chunk::decode(first, row.try_get(2)?);
        let before = held.len();
        held.retain(|passage| !gone.remove(passage));
        match held.len() {
            0 => emptied.push(term, first, &[]),
            after if after < before => shrunk.push(term, first, &held),
            _ => {}
        }
    }
    let (updated, deleted) = tokio::join!(biased; shrunk.update(db), emptied.delete(db));
    updated?;
    deleted?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(unread: u64, below: i64, read: &[i64]) -> List {
        List {
            unread,
            below,
            read: read.to_vec(),
            ..List::new(1, 0)
        }
    }

    #[test]
    fn nothing_is_taken_that_something_unread_may_come_before() {
        let mut lists = Lists(vec![
            list(9, 50, &[51, 90]),
            list(9, 70, &[70, 80]),
            list(0, 5, &[6, 75]),
        ]);
        assert_eq!(lists.newest(), [90, 80, 75, 70]);
        assert!(lists.newest().is_empty());
        lists.0[1].unread = 0;
        assert_eq!(lists.newest(), [51]);
        lists.0[0].unread = 0;
        assert_eq!(lists.newest(), [6]);
        assert!(lists.is_read());
    }
}
