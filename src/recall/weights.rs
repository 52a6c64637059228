//! What each word of a query weighs against what a scope holds: BM25.
//!
//! The formula is that of Robertson and Zaragoza, "The Probabilistic Relevance Framework" (2009),
//! with the never negative inverse document frequency that Lucene uses. The constants were measured
//! in November 2026; docs/recall.md has the tables.

use super::query::Query;
use crate::memory::Kind;
use crate::order::sort_by;
use crate::store::Candidates;

/// BM25's saturation and length normalisation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bm25 {
    k1: f64,
    b: f64,
}

/// Utterances are short, and a longer one is rarely padding: on conversations this is worth 1
/// point of recall at 10 over the usual constants, on code and documents it costs 5.
pub(super) const UTTERANCES: Bm25 = Bm25 { k1: 0.9, b: 0.4 };
/// Nearly the usual constants, for everything that was written to be kept: b of 0.75 finds 0.5
/// points less of code, 0.9 1.5 points less of Chinese diaries.
const DOCUMENTS: Bm25 = Bm25 { k1: 1.2, b: 0.8 };

/// A word that a long query repeats weighs as its count to this power: dialogues as queries gain 4
/// points of recall at 10 in English and 2 in Chinese over not counting, and 3 and 0 over counting
/// in full.
const REPEATS: f64 = 0.5;
/// More repeats are those of a log, and say no more.
const REPEATS_MAX: u32 = 9;

/// How many words a query can ask for at most, when relevance is judged.
const ASKED_MAX: usize = 4;

/// When relevance is judged, a word that was taken for another counts so much of one that is
/// stored: names of strangers often are one letter from a word. At 1 six in a hundred foreign
/// questions more get an answer.
const GUESSED: f64 = 0.5;

/// Among a handful of passages every word is common; relevance is judged as if there were at
/// least so many.
const JUDGED_CORPUS_MIN: u64 = 500;

/// A query, weighed against what the scope holds.
pub(super) struct Weights {
    /// The query, by concepts.
    pub query: Query,
    /// For each concept, its inverse document frequency, more for one that is repeated.
    own: Vec<f64>,
    /// For each concept, how much it says when relevance is judged.
    judged: Vec<f64>,
    /// What the query asks for: the weights of its rarest words, those that nothing has included.
    asked: f64,
    /// The mean length of a passage, by kind.
    mean_length: [f64; 3],
    /// The mean length of a session, in terms.
    pub mean_session: f64,
    /// How many sessions there are.
    pub sessions: f64,
    /// Whether the scope holds anything at all.
    pub has_anything: bool,
}

impl Weights {
    pub fn new(query: Query, found: &Candidates) -> Self {
        let passages: u64 = found.corpus.iter().map(|held| held.passages).sum();
        let mut frequencies = query.concept_frequencies(&found.frequencies);
        // A passage that has several forms of a word was counted for each.
        for frequency in &mut frequencies {
            *frequency = passages.min(*frequency);
        }
        let own = frequencies.iter().zip(&query.counts);
        let own = own.map(|(df, count)| {
            inverse_frequency(passages, *df) * f64::from(*count.min(&REPEATS_MAX)).powf(REPEATS)
        });
        let judged: Vec<f64> = frequencies
            .iter()
            .map(|df| inverse_frequency(passages.max(JUDGED_CORPUS_MIN), *df))
            .collect();
        let turns = found.corpus.first().map_or(0, |held| held.terms);
        Self {
            own: own.collect(),
            asked: asked(&judged),
            judged,
            mean_length: found.corpus.map(|held| ratio(held.terms, held.passages)),
            mean_session: ratio(turns, found.sessions),
            sessions: found.sessions as f64,
            has_anything: passages > 0,
            query,
        }
    }

    /// What a concept weighs.
    pub fn of(&self, concept: usize) -> f64 {
        self.own.get(concept).copied().unwrap_or_default()
    }

    /// BM25 of a passage that holds so much of each concept.
    pub fn passage(&self, kind: Kind, length: u32, held: &[(usize, f64)]) -> f64 {
        let (bm25, mean) = match kind {
            Kind::Turn => (UTTERANCES, self.mean_length[0]),
            Kind::Note => (DOCUMENTS, self.mean_length[1]),
            Kind::Summary => (DOCUMENTS, self.mean_length[2]),
        };
        let scores = held.iter().map(|(concept, count)| {
            self.of(*concept) * saturation(bm25, *count, f64::from(length), mean)
        });
        scores.sum()
    }

    /// Which share of what the query asks for these concepts are, each given once with how far it
    /// counts.
    pub fn coverage(&self, concepts: impl Iterator<Item = (usize, f64)>) -> f64 {
        let held = concepts.filter_map(|(concept, counts)| {
            let guessed = self.query.guessed.contains(&concept);
            let counts = if guessed { counts * GUESSED } else { counts };
            Some(counts * self.judged.get(concept)?)
        });
        let held: f64 = held.sum();
        if self.asked > 0.0 {
            held / self.asked
        } else {
            0.0
        }
    }
}

/// No passage holds all the words of a pasted dialogue, so only the rarest count as asked for.
fn asked(weights: &[f64]) -> f64 {
    let mut rarest = weights.to_vec();
    sort_by(&mut rarest, |a, b| b.total_cmp(a));
    rarest.iter().take(ASKED_MAX).sum()
}

pub(super) fn inverse_frequency(passages: u64, frequency: u64) -> f64 {
    let (passages, frequency) = (passages as f64, frequency as f64);
    (1.0 + (passages - frequency + 0.5).max(0.0) / (frequency + 0.5)).ln()
}

pub(super) fn saturation(bm25: Bm25, count: f64, length: f64, mean: f64) -> f64 {
    let relative = if mean > 0.0 { length / mean } else { 1.0 };
    let norm = bm25.k1 * (1.0 - bm25.b + bm25.b * relative);
    count * (bm25.k1 + 1.0) / (count + norm)
}

fn ratio(sum: u64, count: u64) -> f64 {
    if count == 0 {
        0.0
    } else {
        sum as f64 / count as f64
    }
}
