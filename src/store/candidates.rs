//! The candidate rule, one for every store.
//!
//! The terms of the query are taken rarest first. Each brings the passages that were stored last
//! (of those that the filter lets through), until [`POSTINGS_MAX`] passages were taken in all; a
//! passage taken for two terms counts twice. The
//! union is scored exactly, with every term of the query, by its stored term vectors. So a query
//! costs the same on a thousand passages and on a million, and a common word ("test") only
//! decides among what the rare ones brought.

use std::ops::Range;

use super::vector;
use crate::memory::{Filter, Kind, Scope, Timestamp};
use crate::order::sort;

/// How many passages a query may take from the index: 1,000 cost about 3 ms in the embedded
/// store, and recall is the same with 1,000, with 4,000 and with all of them (docs/recall.md).
pub const POSTINGS_MAX: usize = 500;

/// A query has at most this many different terms; of a longer one, a pasted log for instance, the
/// rarest count. Fewer lose what paragraph-long Chinese queries look for.
pub const TERMS_MAX: usize = 64;

/// What to look for.
#[derive(Debug, Clone)]
pub struct CandidateQuery {
    /// Where.
    pub scope: Scope,
    /// Among what.
    pub filter: Filter,
    /// Different terms, in any order.
    pub terms: Vec<String>,
    /// What has expired by now is left out.
    pub now: Timestamp,
}

/// What was found, and what a ranking must know about the whole.
#[derive(Debug, Clone, Default)]
pub struct Candidates {
    /// For each term of the query, in how many passages of the scope it occurs.
    pub frequencies: Vec<u64>,
    /// For each kind, in the order of [`Kind::ALL`], what the scope holds.
    pub corpus: [Corpus; 3],
    /// How many sessions the scope has; one that moved counts in each of its projects.
    pub sessions: u64,
    /// The passages, ordered by `passage`.
    pub passages: Vec<Candidate>,
}

/// How much of a kind there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Corpus {
    /// Passages.
    pub passages: u64,
    /// Terms in them, repeats included.
    pub terms: u64,
}

/// One passage that a ranking weighs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The store's own number of the passage; a later one is larger.
    pub passage: i64,
    /// The store's own number of its memory.
    pub memory: i64,
    /// Where it stands in the memory's text, in bytes.
    pub range: Range<usize>,
    /// The kind of the memory.
    pub kind: Kind,
    /// The store's own number of the session, and the memory's place in it.
    pub place: Option<(i64, i64)>,
    /// When the memory was said, in Unix milliseconds.
    pub created_ms: i64,
    /// How many terms the passage has, repeats included.
    pub length: u32,
    /// Which terms of the query occur (their index in the query) and how often.
    pub matches: Vec<(usize, u32)>,
}

/// The terms to take passages of, given in how many each occurs: rarest first, by place in the
/// query where two are equally rare; terms that nothing has are left out.
pub fn rarest_first(frequencies: &[u64]) -> Vec<usize> {
    let mut order: Vec<(u64, usize)> = frequencies
        .iter()
        .enumerate()
        .map(|(term, frequency)| (*frequency, term))
        .filter(|(frequency, _)| *frequency > 0)
        .collect();
    sort(&mut order);
    order
        .into_iter()
        .take(TERMS_MAX)
        .map(|(_, term)| term)
        .collect()
}

/// Which terms of the query a passage has and how often, from its term vector and the ids that the
/// query's terms have, ascending: walked side by side.
pub(super) fn matches(vector: &[u8], by_id: &[(i64, usize)]) -> Vec<(usize, u32)> {
    let mut found = Vec::new();
    let mut pairs = vector::decode(vector);
    let (mut held, mut wanted) = (pairs.next(), by_id);
    while let (Some((id, count)), [(term, index), others @ ..]) = (held, wanted) {
        let order = id.cmp(term);
        if order.is_eq() {
            found.push((*index, count));
        }
        if order.is_ge() {
            wanted = others;
        }
        if order.is_le() {
            held = pairs.next();
        }
    }
    sort(&mut found);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_matched_by_id() {
        let held = vector::encode(&[(2, 1), (5, 3), (6, 1), (900, 2)]);
        let wanted = [(1, 4), (5, 2), (7, 0), (900, 1), (901, 3)];
        assert_eq!(matches(&held, &wanted), [(1, 2), (2, 3)]);
        assert_eq!(matches(&held, &wanted[..1]), []);
        assert_eq!(matches(&held, &[]), []);
        assert_eq!(matches(&[], &wanted), []);
    }

    #[test]
    fn rare_terms_come_first_and_unknown_ones_not_at_all() {
        assert_eq!(rarest_first(&[50, 0, 3, 50]), [2, 0, 3]);
        assert_eq!(rarest_first(&[1; 100]).len(), TERMS_MAX);
        assert!(rarest_first(&[]).is_empty());
    }
}
