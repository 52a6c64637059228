//! One ranking for every store: BM25 over the candidates, then the evidence of the conversation
//! around each. Pure arithmetic on what the store gave; the same input gives the same order.
//!
//! The formula of BM25 is that of Robertson and Zaragoza, "The Probabilistic Relevance Framework"
//! (2009), with the never negative inverse document frequency that Lucene uses. The constants were
//! measured in November 2026; docs/recall.md has the tables.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Range;

use crate::memory::Kind;
use crate::store::{Candidate, Candidates, Nearest};

/// BM25's saturation and length normalisation.
#[derive(Debug, Clone, Copy)]
struct Bm25 {
    k1: f64,
    b: f64,
}

/// Utterances are short, and a longer one is rarely padding: on conversations this is worth 1
/// point of recall at 10 over the usual constants, on code and documents it costs 5.
const UTTERANCES: Bm25 = Bm25 { k1: 0.9, b: 0.4 };
/// The usual constants, for everything that was written to be kept.
const DOCUMENTS: Bm25 = Bm25 { k1: 1.2, b: 0.75 };

/// How much of its neighbours' scores a turn gets: an answer often shares no word with the
/// question that it follows. Together worth 3 points of recall at 10 on LoCoMo, 1 on REALTALK.
const FROM_TURN_BEFORE: f64 = 0.3;
/// See [`FROM_TURN_BEFORE`].
const FROM_TURN_AFTER: f64 = 0.2;
/// How much of the best score in its session a turn gets: worth 3.5 points on LoCoMo.
const FROM_BEST_OF_SESSION: f64 = 0.3;
/// The weight of the session taken as one document, beside 1 for the turn: worth 2 points.
const SESSION_WEIGHT: f64 = 0.2;

/// Neighbours are looked up for this many of the best turns. 300 find 0.4 points more and cost
/// three times as many reads.
const EXPANDED_MAX: usize = 100;

/// How many terms a query can ask for at most, when relevance is judged.
const ASKED_TERMS_MAX: usize = 4;

/// Among a handful of passages every word is common; relevance is judged as if there were at
/// least so many.
const JUDGED_CORPUS_MIN: u64 = 500;

/// How many of the first hits tell whether anything relevant was found.
const JUDGED_MAX: usize = 10;

/// How much of a score is nearness in meaning, where a model says how near: on conversations .4 to
/// .5 is best for every model that was measured, and never worse than words alone.
const MEANING_WEIGHT: f64 = 0.5;

/// What was found, in order.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ranking {
    /// Best first.
    pub memories: Vec<Ranked>,
    /// The share of what the query asks for that the best of the first hits hold.
    pub relevance: f64,
    /// Whether one is nearer in meaning than chance explains.
    pub stands_out: bool,
}

/// A memory with the score it reached.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ranked {
    /// The store's own number of the memory.
    pub memory: i64,
    /// That of its best passage.
    pub passage: i64,
    /// Its best passage.
    pub range: Range<usize>,
    /// Higher is better; the best has 1.
    pub score: f64,
}

/// What is near in meaning: 1 for the nearest passage, 0 for the farthest of those that were found.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Near {
    by_passage: HashMap<i64, f64>,
    stands_out: bool,
}

impl Near {
    /// Joins what the vectors found with what the words found.
    pub fn join(found: &mut Candidates, near: Nearest) -> Self {
        let passages: u64 = found.corpus.iter().map(|held| held.passages).sum();
        let stands_out = near.stands_out >= chance(passages);
        let cosines = || near.passages.iter().map(|(_, cosine)| f64::from(*cosine));
        let (least, most) = cosines().fold((f64::MAX, f64::MIN), |(least, most), cosine| {
            (least.min(cosine), most.max(cosine))
        });
        let share = |cosine: f32| match most > least {
            true => (f64::from(cosine) - least) / (most - least),
            false => 1.0,
        };
        let shares = near.passages.iter();
        let by_passage = shares
            .map(|(candidate, cosine)| (candidate.passage, share(*cosine)))
            .collect();
        let known: HashSet<i64> = found.passages.iter().map(|found| found.passage).collect();
        let new = near.passages.into_iter().map(|(candidate, _)| candidate);
        let new = new.filter(|candidate| !known.contains(&candidate.passage));
        found.passages.extend(new);
        found.passages.sort_unstable_by_key(|found| found.passage);
        Self {
            by_passage,
            stands_out,
        }
    }

    fn of(&self, passage: &Candidate) -> f64 {
        self.by_passage
            .get(&passage.passage)
            .copied()
            .unwrap_or_default()
    }

    /// For each memory its nearest passage, and how near it is.
    fn by_memory<'a>(&self, found: &'a [Candidate]) -> HashMap<i64, (f64, &'a Candidate)> {
        let mut nearest: HashMap<i64, (f64, &Candidate)> = HashMap::new();
        if self.by_passage.is_empty() {
            return nearest;
        }
        for passage in found {
            let near = self.of(passage);
            let best = nearest.entry(passage.memory).or_insert((near, passage));
            if near > best.0 {
                *best = (near, passage);
            }
        }
        nearest
    }
}

/// How far the largest of so many normally distributed numbers stands out by chance, in standard
/// deviations: what is farther has one chance in ten or less to be chance.
pub(super) fn chance(count: u64) -> f64 {
    (2.0 * (count.max(CHANCE_COUNT_MIN) as f64).ln()).sqrt()
}

/// Among fewer, chance has as much room as among so many: a background of a handful is a guess.
const CHANCE_COUNT_MIN: u64 = 20;

/// A query, weighed against what the scope holds.
pub(super) struct Weights {
    /// For each term, its inverse document frequency.
    idf: Vec<f64>,
    /// For each term, how much it says when relevance is judged.
    weight: Vec<f64>,
    /// What the query asks for: the weights of its rarest terms, those that nothing has included.
    asked: f64,
    /// The mean length of a passage, by kind.
    mean_length: [f64; 3],
    /// The mean length of a session, in terms, and how many there are.
    mean_session: f64,
    sessions: f64,
}

impl Weights {
    pub fn new(found: &Candidates) -> Self {
        let passages: u64 = found.corpus.iter().map(|held| held.passages).sum();
        let idf: Vec<f64> = found
            .frequencies
            .iter()
            .map(|df| inverse_frequency(passages, *df))
            .collect();
        let weight: Vec<f64> = found
            .frequencies
            .iter()
            .map(|df| inverse_frequency(passages.max(JUDGED_CORPUS_MIN), *df))
            .collect();
        let turns = found.corpus.first().map_or(0, |held| held.terms);
        Self {
            asked: asked(&weight),
            weight,
            idf,
            mean_length: found.corpus.map(|held| ratio(held.terms, held.passages)),
            mean_session: ratio(turns, found.sessions),
            sessions: found.sessions as f64,
        }
    }

    fn passage(&self, passage: &Candidate) -> f64 {
        let (bm25, mean) = match passage.kind {
            Kind::Turn => (UTTERANCES, self.mean_length[0]),
            Kind::Note => (DOCUMENTS, self.mean_length[1]),
            Kind::Summary => (DOCUMENTS, self.mean_length[2]),
        };
        passage
            .matches
            .iter()
            .map(|(term, count)| {
                let idf = self.idf.get(*term).copied().unwrap_or_default();
                idf * saturation(bm25, f64::from(*count), f64::from(passage.length), mean)
            })
            .sum()
    }

    fn coverage<'a>(&self, matches: impl Iterator<Item = &'a (usize, u32)>) -> f64 {
        // In order, because sums of floating point numbers depend on it.
        let terms: BTreeSet<usize> = matches.map(|(term, _)| *term).collect();
        let held: f64 = terms.iter().filter_map(|term| self.weight.get(*term)).sum();
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
    rarest.sort_by(|a, b| b.total_cmp(a));
    rarest.iter().take(ASKED_TERMS_MAX).sum()
}

fn inverse_frequency(passages: u64, frequency: u64) -> f64 {
    let (passages, frequency) = (passages as f64, frequency as f64);
    (1.0 + (passages - frequency + 0.5).max(0.0) / (frequency + 0.5)).ln()
}

fn saturation(bm25: Bm25, count: f64, length: f64, mean: f64) -> f64 {
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

/// Places beside the best turns that are not among the candidates: an answer may lack every word
/// of the question.
pub(super) fn missing_neighbours(weights: &Weights, found: &[Candidate]) -> Vec<(i64, i64)> {
    let mut best = best_passages(weights, found);
    best.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.memory.cmp(&b.memory)));
    best.retain(|memory| memory.kind == Kind::Turn);
    let known: HashSet<(i64, i64)> = best.iter().filter_map(|turn| turn.place).collect();
    let mut missing: Vec<(i64, i64)> = best
        .iter()
        .filter_map(|turn| turn.place)
        .take(EXPANDED_MAX)
        .flat_map(|(session, position)| [(session, position - 1), (session, position + 1)])
        .filter(|place| place.1 >= 0 && !known.contains(place))
        .collect();
    missing.sort_unstable();
    missing.dedup();
    missing
}

/// A memory by its best passage.
struct Best<'a> {
    memory: i64,
    kind: Kind,
    place: Option<(i64, i64)>,
    score: f64,
    passage: &'a Candidate,
}

/// One for each memory, by its number.
fn best_passages<'a>(weights: &Weights, found: &'a [Candidate]) -> Vec<Best<'a>> {
    let mut all: Vec<Best<'a>> = found
        .iter()
        .map(|passage| Best {
            memory: passage.memory,
            kind: passage.kind,
            place: passage.place,
            score: weights.passage(passage),
            passage,
        })
        .collect();
    // The best passage of a memory first, of equal ones the first in the text.
    all.sort_by(|a, b| {
        (a.memory.cmp(&b.memory))
            .then(b.score.total_cmp(&a.score))
            .then(a.passage.range.start.cmp(&b.passage.range.start))
    });
    all.dedup_by_key(|best| best.memory);
    all
}

/// Orders memories, best first. `found` holds the candidates with their neighbours,
/// `session_lengths` the number of terms of each session among them.
pub(super) fn rank(
    weights: &Weights,
    found: &[Candidate],
    near: &Near,
    session_lengths: &HashMap<i64, u64>,
) -> Ranking {
    let around = Around::new(best_passages(weights, found));
    let turns = around.scores();
    let by_session = session_scores(weights, found, session_lengths);
    let session = |memory: &Best<'_>| by_session.get(&memory.place?.0).copied();
    let sessions: Vec<f64> = around
        .best
        .iter()
        .map(|memory| session(memory).unwrap_or_default())
        .collect();

    let (turn_max, session_max) = (largest(&turns), largest(&sessions));
    let mut scores: Vec<f64> = turns
        .iter()
        .zip(&sessions)
        .map(|(own, session)| own / turn_max + SESSION_WEIGHT * session / session_max)
        .collect();
    let nearest = near.by_memory(found);
    if !nearest.is_empty() {
        let most = largest(&scores);
        for (score, memory) in scores.iter_mut().zip(&around.best) {
            let near = nearest.get(&memory.memory).map_or(0.0, |(near, _)| *near);
            *score = (1.0 - MEANING_WEIGHT) * *score / most + MEANING_WEIGHT * near;
        }
    }
    let mut order: Vec<(f64, &Best<'_>)> = scores.into_iter().zip(&around.best).collect();
    order.sort_by(|(a_score, a), (b_score, b)| {
        b_score
            .total_cmp(a_score)
            .then(b.passage.created_ms.cmp(&a.passage.created_ms))
            .then(b.memory.cmp(&a.memory))
    });
    let top = order
        .first()
        .map_or(1.0, |(score, _)| score.max(f64::MIN_POSITIVE));
    Ranking {
        relevance: order
            .iter()
            .take(JUDGED_MAX)
            .map(|(_, memory)| around.coverage(weights, memory))
            .fold(0.0, f64::max),
        stands_out: near.stands_out,
        memories: order
            .into_iter()
            .map(|(score, memory)| {
                let shown = shown(memory, &nearest);
                Ranked {
                    memory: memory.memory,
                    passage: shown.passage,
                    range: shown.range.clone(),
                    score: score / top,
                }
            })
            .collect(),
    }
}

/// The passage that speaks for a memory: the one with the words, else the nearest in meaning.
fn shown<'a>(memory: &Best<'a>, nearest: &HashMap<i64, (f64, &'a Candidate)>) -> &'a Candidate {
    match nearest.get(&memory.memory) {
        Some((_, nearest)) if memory.passage.matches.is_empty() => nearest,
        _ => memory.passage,
    }
}

/// Memories with what stands beside them in their conversations.
struct Around<'a> {
    best: Vec<Best<'a>>,
    /// Turns by place, as indices into `best`.
    by_place: HashMap<(i64, i64), usize>,
}

impl<'a> Around<'a> {
    fn new(best: Vec<Best<'a>>) -> Self {
        let turns = best
            .iter()
            .enumerate()
            .filter(|(_, memory)| memory.kind == Kind::Turn);
        let by_place = turns
            .filter_map(|(index, turn)| Some((turn.place?, index)))
            .collect();
        Self { best, by_place }
    }

    fn beside(&self, turn: &Best<'_>, distance: i64) -> Option<&Best<'a>> {
        let (session, position) = turn.place.filter(|_| turn.kind == Kind::Turn)?;
        self.best
            .get(*self.by_place.get(&(session, position + distance))?)
    }

    /// The score of each memory with what its neighbours and the best of its session give it.
    fn scores(&self) -> Vec<f64> {
        let smoothed = self.best.iter().map(|turn| {
            let score = |distance| self.beside(turn, distance).map_or(0.0, |turn| turn.score);
            turn.score + FROM_TURN_BEFORE * score(-1) + FROM_TURN_AFTER * score(1)
        });
        let mut scores: Vec<f64> = smoothed.collect();
        let mut best_of_session: HashMap<i64, f64> = HashMap::new();
        for (memory, score) in self.best.iter().zip(&scores) {
            if let Some((session, _)) = memory.place {
                let best = best_of_session.entry(session).or_default();
                *best = best.max(*score);
            }
        }
        for (memory, score) in self.best.iter().zip(&mut scores) {
            let session = memory
                .place
                .and_then(|(session, _)| best_of_session.get(&session));
            *score += FROM_BEST_OF_SESSION * session.copied().unwrap_or_default();
        }
        scores
    }

    /// How much of what the query asks for a memory holds with its neighbours; beyond 1 if they
    /// hold more than what counts as asked for.
    fn coverage(&self, weights: &Weights, memory: &Best<'_>) -> f64 {
        let around = [
            self.beside(memory, -1),
            Some(memory),
            self.beside(memory, 1),
        ];
        weights.coverage(
            around
                .into_iter()
                .flatten()
                .flat_map(|memory| &memory.passage.matches),
        )
    }
}

/// Each session taken as one document, as far as the candidates show it: they hold every passage
/// with the rare terms, and the rare terms decide.
fn session_scores(
    weights: &Weights,
    found: &[Candidate],
    lengths: &HashMap<i64, u64>,
) -> BTreeMap<i64, f64> {
    let mut counts: BTreeMap<i64, BTreeMap<usize, f64>> = BTreeMap::new();
    for passage in found {
        if let Some((session, _)) = passage.place {
            let session = counts.entry(session).or_default();
            for (term, count) in &passage.matches {
                *session.entry(*term).or_default() += f64::from(*count);
            }
        }
    }
    let mut holders: HashMap<usize, u64> = HashMap::new();
    for term in counts.values().flat_map(BTreeMap::keys) {
        *holders.entry(*term).or_default() += 1;
    }
    counts
        .into_iter()
        .map(|(session, terms)| {
            let length = lengths.get(&session).copied().unwrap_or_default() as f64;
            let score = terms
                .iter()
                .map(|(term, count)| {
                    let holders = holders.get(term).copied().unwrap_or_default();
                    inverse_frequency(weights.sessions as u64, holders)
                        * saturation(UTTERANCES, *count, length, weights.mean_session)
                })
                .sum();
            (session, score)
        })
        .collect()
}

/// The largest of the scores, never 0, so that one may divide by it.
fn largest(scores: &[f64]) -> f64 {
    let largest = scores.iter().copied().fold(0.0, f64::max);
    if largest > 0.0 { largest } else { 1.0 }
}
