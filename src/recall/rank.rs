//! One ranking for every store: BM25 over the candidates, then the evidence of the conversation
//! around each and of the times that the query names. Pure arithmetic on what the store gave; the
//! same input gives the same order. `look` then reads the best.
//!
//! The constants were measured in November 2026; docs/recall.md has the tables.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::evidence::{Evidence, LeftOut};
use super::near::{MEANING_WEIGHT, Near, with_session};
use super::weights::{UTTERANCES, Weights, inverse_frequency, saturation};
use crate::memory::{Kind, Timestamp};
use crate::order::{sort, sort_by};
use crate::store::Candidate;
use crate::text::Span;

/// How much of its neighbours' scores a turn gets, by distance: an answer often shares no word
/// with the question that it follows. The nearest are worth 3 points of recall at 10 on LoCoMo and
/// 1 on REALTALK, those beyond 1 more.
const FROM_NEIGHBOURS: [(i64, f64); 4] = [(-1, 0.3), (1, 0.2), (-2, 0.1), (2, 0.1)];
/// How much of the best score in its session a turn gets: worth 3.5 points on LoCoMo.
const FROM_BEST_OF_SESSION: f64 = 0.3;
/// The weight of the session taken as one document, beside 1 for the turn: worth 2 points.
const SESSION_WEIGHT: f64 = 0.2;

/// Neighbours are looked up for this many of the best turns, up to four each; 50 find no more.
const EXPANDED_MAX: usize = 25;

/// How many of the first hits tell whether anything relevant was found.
const JUDGED_MAX: usize = 10;

/// Of so many of the best it is told whether they hold words that the query has side by side; of
/// what comes later hardly any is looked at, and a pasted log has thousands of pairs.
const PAIRS_KNOWN_MAX: usize = 100;

/// When relevance is judged, a word in a turn beside counts so much of one in the turn itself: at the
/// same silence on foreign questions half a point of recall at 10 more than at 1.
const HELD_BESIDE: f64 = 0.7;

/// What a memory gains that was said at a time which the query names: worth half a point of recall
/// at 10 on LoCoMo, where one question in ten names one; beyond that words lose too much.
const AT_THE_TIME: f64 = 0.2;
/// What happened is told within days; after so many a memory gains nothing from it.
const TOLD_WITHIN_DAYS: i32 = 8;

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
    /// The store's own number of its session, and its place there.
    pub place: Option<(i64, i64)>,
    /// Its best passage.
    pub range: Range<usize>,
    /// Whether that may hold two words which the query has side by side.
    pub may_have_pair: bool,
    /// Higher is better. The best by words alone has about 1.5.
    pub score: f64,
    /// What its own words are worth, beside those of the best: at most 1.
    pub own: f64,
}

/// A memory by its best passage.
struct Best<'a> {
    memory: i64,
    kind: Kind,
    place: Option<(i64, i64)>,
    score: f64,
    /// The concepts that it holds, and how much of each.
    held: Vec<(usize, f64)>,
    passage: &'a Candidate,
}

impl Best<'_> {
    /// Its session and its place there, if it is a turn.
    fn turn(&self) -> Option<(i64, i64)> {
        self.place.filter(|_| self.kind == Kind::Turn)
    }
}

/// Places beside the best turns that are not among the candidates: an answer may lack every word
/// of the question.
pub(super) fn missing_neighbours(
    weights: &Weights,
    found: &[Candidate],
    left_out: LeftOut,
) -> Vec<(i64, i64)> {
    if !left_out.keeps(Evidence::Neighbours) {
        return Vec::new();
    }
    let mut best = best_passages(weights, found);
    sort_by(&mut best, |a, b| {
        b.score.total_cmp(&a.score).then(a.memory.cmp(&b.memory))
    });
    best.retain(|memory| memory.kind == Kind::Turn);
    let known: HashSet<(i64, i64)> = best.iter().filter_map(|turn| turn.place).collect();
    let beside = |(session, position): (i64, i64)| {
        FROM_NEIGHBOURS.map(|(distance, _)| (session, position + distance))
    };
    let mut missing: Vec<(i64, i64)> = best
        .iter()
        .filter_map(|turn| turn.place)
        .take(EXPANDED_MAX)
        .flat_map(beside)
        .filter(|place| place.1 >= 0 && !known.contains(place))
        .collect();
    sort(&mut missing);
    missing.dedup();
    missing
}

/// One for each memory, by its number.
fn best_passages<'a>(weights: &Weights, found: &'a [Candidate]) -> Vec<Best<'a>> {
    let mut all: Vec<Best<'a>> = found
        .iter()
        .map(|passage| {
            let held = weights.query.concepts(&passage.matches);
            Best {
                memory: passage.memory,
                kind: passage.kind,
                place: passage.place,
                score: weights.passage(passage.kind, passage.length, &held),
                held,
                passage,
            }
        })
        .collect();
    // The best passage of a memory first, of equal ones the first in the text.
    sort_by(&mut all, |a, b| {
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
    left_out: LeftOut,
) -> Ranking {
    let around = Around::new(best_passages(weights, found));
    let turns = around.scores(left_out);
    let by_session = match left_out.keeps(Evidence::Session) {
        true => session_scores(weights, found, session_lengths),
        false => BTreeMap::new(),
    };
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
    if !weights.query.spans.is_empty() {
        for (score, memory) in scores.iter_mut().zip(&around.best) {
            let said = day_of(memory.passage.created_ms);
            *score += AT_THE_TIME * timeliness(&weights.query.spans, said);
        }
    }
    let nearest = near.by_memory(found);
    if !nearest.is_empty() {
        let most = largest(&scores);
        let own = |memory: &Best<'_>| nearest.get(&memory.memory).map_or(0.0, |(near, _)| *near);
        let mut near: Vec<f64> = around.best.iter().map(own).collect();
        if left_out.keeps(Evidence::Session) {
            near = with_session(&near, around.best.iter().map(Best::turn));
        }
        for (score, near) in scores.iter_mut().zip(near) {
            *score = (1.0 - MEANING_WEIGHT) * *score + MEANING_WEIGHT * most * near;
        }
    }
    let mut order: Vec<(f64, &Best<'_>)> = scores.into_iter().zip(&around.best).collect();
    sort_by(&mut order, |(a_score, a), (b_score, b)| {
        b_score
            .total_cmp(a_score)
            .then(b.passage.created_ms.cmp(&a.passage.created_ms))
            .then(b.memory.cmp(&a.memory))
    });
    let judged = order.iter().take(JUDGED_MAX);
    let has_pair = |shown: &Candidate| {
        let held = weights.query.concepts(&shown.matches);
        weights.query.has_pair(&held)
    };
    Ranking {
        relevance: judged
            .map(|(_, memory)| around.coverage(weights, memory))
            .fold(0.0, f64::max),
        stands_out: near.stands_out,
        memories: order
            .into_iter()
            .enumerate()
            .map(|(place, (score, memory))| {
                let shown = shown(memory, &nearest);
                Ranked {
                    memory: memory.memory,
                    passage: shown.passage,
                    place: memory.turn(),
                    range: shown.range.clone(),
                    may_have_pair: place >= PAIRS_KNOWN_MAX || has_pair(shown),
                    score,
                    own: memory.score / turn_max,
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

/// The day of a time, in UTC.
pub(super) fn day_of(milliseconds: i64) -> Date {
    let at = Timestamp::from_millisecond(milliseconds).unwrap_or_default();
    TimeZone::UTC.to_datetime(at).date()
}

/// From 1 for what was said at a time that is meant to 0; what was said before it, of something to
/// come, counts half the days.
fn timeliness(spans: &[Span], said: Date) -> f64 {
    let behind = |gap: i32| if gap < 0 { gap.saturating_mul(-2) } else { gap };
    let gaps = spans.iter().map(|span| behind(span.gap(said)));
    let days = gaps.min().unwrap_or(TOLD_WITHIN_DAYS).min(TOLD_WITHIN_DAYS);
    1.0 - f64::from(days) / f64::from(TOLD_WITHIN_DAYS)
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
    fn scores(&self, left_out: LeftOut) -> Vec<f64> {
        let shares: &[(i64, f64)] = match left_out.keeps(Evidence::Neighbours) {
            true => &FROM_NEIGHBOURS,
            false => &[],
        };
        let smoothed = self.best.iter().map(|turn| {
            shares.iter().fold(turn.score, |sum, (distance, share)| {
                let score = self.beside(turn, *distance).map_or(0.0, |turn| turn.score);
                sum + share * score
            })
        });
        let mut scores: Vec<f64> = smoothed.collect();
        if !left_out.keeps(Evidence::Session) {
            return scores;
        }
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

    /// How much of what the query asks for a memory holds with the turns beside it; beyond 1 if
    /// they hold more than what counts as asked for.
    fn coverage(&self, weights: &Weights, memory: &Best<'_>) -> f64 {
        // In order, because sums of floating point numbers depend on it.
        let mut held: BTreeMap<usize, f64> = BTreeMap::new();
        let beside = [self.beside(memory, -1), self.beside(memory, 1)];
        for (concept, _) in beside.into_iter().flatten().flat_map(|turn| &turn.held) {
            held.insert(*concept, HELD_BESIDE);
        }
        held.extend(memory.held.iter().map(|(concept, _)| (*concept, 1.0)));
        weights.coverage(held.into_iter())
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
            for (concept, count) in weights.query.concepts(&passage.matches) {
                *session.entry(concept).or_default() += count;
            }
        }
    }
    let mut holders: HashMap<usize, u64> = HashMap::new();
    for concept in counts.values().flat_map(BTreeMap::keys) {
        *holders.entry(*concept).or_default() += 1;
    }
    counts
        .into_iter()
        .map(|(session, concepts)| {
            let length = lengths.get(&session).copied().unwrap_or_default() as f64;
            let score = concepts
                .iter()
                .map(|(concept, count)| {
                    let holders = holders.get(concept).copied().unwrap_or_default();
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
