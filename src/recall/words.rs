//! The built-in model's say in a ranking. It knows words and not how they stand together, so it
//! weighs what the query's own words have found. It finds things by itself only where those find
//! little, as in another language. Whether anything is relevant is for the query's own words to say:
//! to a table of words, questions that have no answer are nearly as near as others.

use std::collections::{HashMap, HashSet};

use super::Semantic;
use super::evidence::{Evidence, LeftOut};
use super::near::{MEANING_WEIGHT, chance, with_session};
use super::rank::{Ranked, Ranking};
use crate::error::Result;
use crate::order::{sort_by, sort_by_key};
use crate::store::{CandidateQuery, Candidates, Nearest, Store};

/// So many of the best by words are weighed. 200 find as much (within 0.1 points of recall at 10), for
/// twice the rows.
const WEIGHED_MAX: usize = 100;

/// Below this relevance everything stored is compared. Questions that share only common characters
/// or words with what is stored stay below.
const SCANNED_BELOW: f64 = 0.5;

/// What shares no word with the query is found from this cosine on, which one passage in ten at
/// random reaches.
const ALONE_MIN: f32 = 0.4;

/// The same where nothing stored has any word of the query: it may be in another language, and what
/// is meant then mostly has a cosine of 0.24 to 0.7, what is not up to 0.28 (tests/recall/across.rs).
/// Only what is in another script is then returned.
const FOREIGN_MIN: f32 = 0.26;

/// How far the nearest must then stand out, as a share of what chance explains.
const FOREIGN_CHANCE_SHARE: f64 = 0.3;

/// How much the scope holds that the query's words say something about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    passages: u64,
    /// Nothing has any word of the query.
    is_foreign: bool,
}

impl Held {
    pub fn new(found: &Candidates) -> Self {
        Self {
            passages: found.corpus.iter().map(|held| held.passages).sum(),
            is_foreign: found.frequencies.iter().all(|held| *held == 0),
        }
    }
}

/// What the store says about nearness: the cosines of what the words found, and what else is near.
pub(super) struct Said {
    cosines: Vec<(i64, f32)>,
    beyond: Nearest,
}

/// Cosines closer together than this are hardly different: the nearest of a handful is not 1 and the
/// farthest 0. In a store of some size the best 100 span more.
const SPAN_MIN: f32 = 0.5;

/// Asks the store.
pub(super) async fn ask(
    store: &Store,
    query: CandidateQuery,
    semantic: Semantic,
    ranking: &Ranking,
) -> Result<Said> {
    let Semantic { model, vector, .. } = semantic;
    let best = ranking.memories.iter().take(WEIGHED_MAX);
    let best = best.map(|ranked| ranked.passage).collect();
    let cosines = store.similarities(model, vector.clone(), best).await?;
    let beyond = match ranking.relevance < SCANNED_BELOW {
        true => store.nearest(query, model, vector).await?,
        false => Nearest::default(),
    };
    Ok(Said { cosines, beyond })
}

/// Weighs anew.
pub(super) fn weigh(ranking: &mut Ranking, said: Said, held: Held, left_out: LeftOut) {
    let least_alone = match held.is_foreign {
        true => FOREIGN_MIN,
        false => ALONE_MIN,
    };
    let known: HashSet<i64> = ranking.memories.iter().map(|found| found.memory).collect();
    let Said { cosines, beyond } = said;
    let (reached, stands_out) = (
        FOREIGN_CHANCE_SHARE * chance(held.passages),
        beyond.stands_out,
    );
    let mut alone: HashMap<i64, (f32, Ranked)> = HashMap::new();
    for (passage, cosine) in beyond.passages {
        let is_better = alone
            .get(&passage.memory)
            .is_none_or(|(best, _)| cosine > *best);
        if cosine >= least_alone && is_better && !known.contains(&passage.memory) {
            let ranked = Ranked {
                memory: passage.memory,
                passage: passage.passage,
                place: None,
                range: passage.range,
                may_have_pair: passage.matches.len() > 1,
                score: 0.0,
                own: 0.0,
            };
            alone.insert(passage.memory, (cosine, ranked));
        }
    }
    ranking.stands_out = held.is_foreign && !alone.is_empty() && stands_out >= reached;

    let mut cosines: HashMap<i64, f32> = cosines.into_iter().collect();
    let mut alone: Vec<(f32, Ranked)> = alone.into_values().collect();
    sort_by_key(&mut alone, |(_, ranked)| -ranked.memory);
    for (cosine, ranked) in alone {
        cosines.insert(ranked.passage, cosine);
        ranking.memories.push(ranked);
    }
    let nearness = nearness(&ranking.memories, &cosines, left_out);
    let scores = ranking.memories.iter().map(|found| found.score);
    let top = scores.fold(f64::MIN_POSITIVE, f64::max);
    for (found, near) in ranking.memories.iter_mut().zip(nearness) {
        found.score = (1.0 - MEANING_WEIGHT) * found.score + MEANING_WEIGHT * top * near;
    }
    // Of equal ones the first stays first.
    sort_by(&mut ranking.memories, |a, b| b.score.total_cmp(&a.score));
}

/// How near each is, from 1 for the nearest on, with its session; 0 for what has no cosine.
fn nearness(memories: &[Ranked], cosines: &HashMap<i64, f32>, left_out: LeftOut) -> Vec<f64> {
    let (least, most) = cosines
        .values()
        .fold((f32::MAX, f32::MIN), |(least, most), cosine| {
            (least.min(*cosine), most.max(*cosine))
        });
    let span = (most - least).max(SPAN_MIN);
    let own = |found: &Ranked| {
        let cosine = cosines.get(&found.passage);
        cosine.map_or(0.0, |cosine| 1.0 - f64::from((most - cosine) / span))
    };
    let own: Vec<f64> = memories.iter().map(own).collect();
    match left_out.keeps(Evidence::Session) {
        true => with_session(&own, memories.iter().map(|found| found.place)),
        false => own,
    }
}
