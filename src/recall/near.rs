//! Nearness in meaning, as far as vectors tell.

use std::collections::{HashMap, HashSet};

use crate::order::sort_by_key;
use crate::store::{Candidate, Candidates, Nearest};

/// What is near in meaning: 1 for the nearest passage, 0 for the farthest of those that were found.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Near {
    by_passage: HashMap<i64, f64>,
    /// Whether one is nearer than chance explains.
    pub stands_out: bool,
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
        sort_by_key(&mut found.passages, |found| found.passage);
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
    pub fn by_memory<'a>(&self, found: &'a [Candidate]) -> HashMap<i64, (f64, &'a Candidate)> {
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

/// How much of a score is nearness in meaning. With the table, questions about code find 1 point less of
/// recall at 10 at .35; with a small model, what is found by association is 3 points less at .35, and
/// LoCoMo finds 0.5 to 1 less at .5 (docs/recall.md).
pub(super) const MEANING_WEIGHT: f64 = 0.45;

/// How much of a turn's nearness is that of the nearest in its session, which tells what the
/// conversation is about. Without it LoCoMo's questions find up to 1 point less of recall at 10 and 1 to 3
/// of the order, with the built-in table and with a model (docs/recall.md).
const FROM_SESSION: f64 = 0.5;

/// How near memories are with their sessions, where they have one; `places` are those of the turns.
pub(super) fn with_session(
    own: &[f64],
    places: impl Iterator<Item = Option<(i64, i64)>> + Clone,
) -> Vec<f64> {
    let sessions = places.map(|place| Some(place?.0));
    let mut nearest: HashMap<i64, f64> = HashMap::new();
    for (session, near) in sessions.clone().zip(own) {
        if let Some(session) = session {
            let best = nearest.entry(session).or_default();
            *best = best.max(*near);
        }
    }
    let best = |session: Option<i64>| nearest.get(&session?).copied();
    own.iter()
        .zip(sessions)
        .map(|(near, session)| near + FROM_SESSION * (best(session).unwrap_or(*near) - near))
        .collect()
}

/// How far the largest of so many normally distributed numbers stands out by chance, in standard
/// deviations: what is farther has one chance in ten or less to be chance.
pub(super) fn chance(count: u64) -> f64 {
    (2.0 * (count.max(CHANCE_COUNT_MIN) as f64).ln()).sqrt()
}

/// Among fewer, chance has as much room as among so many: a background of a handful is a guess.
const CHANCE_COUNT_MIN: u64 = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_nearer_where_its_session_is_about_the_matter() {
        let places = [Some((1, 0)), Some((1, 7)), Some((2, 0)), None];
        let near = with_session(&[0.2, 0.8, 0.2, 0.2], places.into_iter());
        assert_eq!(near, [0.5, 0.8, 0.2, 0.2]);
    }
}
