//! Reading posting lists, newest first, no further than they are needed.

use std::collections::HashMap;

use super::chunk;
use super::db::{Db, Outcome};

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
        numbers.sort_unstable_by(|a, b| b.cmp(a));
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
        chunks.sort_unstable_by_key(|(first, _)| *first);
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
