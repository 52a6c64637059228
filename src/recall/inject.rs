//! What is put before a model without being asked: what fits a prompt, and what a session starts
//! with.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use super::context::{Room, entry, pack};
use super::query::ByTerm;
use super::rerank::rerank;
use super::{Aids, Asked, CONTEXT_HITS_MAX, Context, Hit, Means, Silence, find};
use crate::blocking::blocking;
use crate::error::Result;
use crate::memory::{Filter, Memory, MemoryId, Project, Scope, Timestamp};
use crate::order::sort_by;
use crate::store::trace::{Outcome, Usage};
use crate::text::{Analyser, estimate_tokens, split_passages};

/// A hit this far below the best is left out: whoever did not ask for anything is not to be shown
/// what only just fits. A question that was asked before fits itself best, and its answer scores a
/// fourth of that.
const SCORE_MIN: f32 = 0.15;

/// Words of a reason: the first that prompt and memory share.
const REASON_TERMS_MAX: usize = 8;

/// Hits that the ledger explains when they were not given.
const EXPLAINED_MAX: usize = 20;

/// How far use may move a hit: a memory that every reply used is worth a tenth more, one that none
/// used a twentieth less. It is never more than a nudge, so no memory is buried by it.
const USED_GAIN: f32 = 0.1;
/// See [`USED_GAIN`].
const UNUSED_LOSS: f32 = 0.05;

/// So many prompts count before the first one, as if half of them had been used.
const USE_PRIOR: f32 = 4.0;

/// What to look for, for whom.
#[derive(Debug, Clone)]
pub struct InjectRequest {
    /// The prompt, without what must not be kept.
    pub prompt: String,
    /// Where to look.
    pub project: Project,
    /// What the session has already.
    pub held: Held,
    /// The budget, in estimated tokens.
    pub tokens_max: usize,
    /// The budget, in UTF-16 code units.
    pub units_max: usize,
    /// Whether what replies used before counts.
    pub by_use: bool,
}

/// What a session's context holds, so that it is not repeated.
#[derive(Debug, Clone, Default)]
pub struct Held {
    /// The client's id.
    pub session: String,
    /// When its context was last emptied.
    pub since: Option<Timestamp>,
    /// What it was given since then.
    pub given: HashSet<MemoryId>,
}

impl Held {
    fn has(&self, memory: &Memory) -> bool {
        let is_own = memory.session.as_deref() == Some(self.session.as_str());
        let is_since = self.since.is_none_or(|since| memory.created_at > since);
        self.given.contains(&memory.id) || (is_own && is_since)
    }
}

/// What was found for a prompt, and what becomes of it.
#[derive(Debug, Clone)]
pub struct Injected {
    /// What to give.
    pub context: Context,
    /// Every hit that was given or nearly was, best first, with the words that it shares with the
    /// prompt and its size in tokens.
    pub lines: Vec<(Hit, Outcome, String, usize)>,
}

/// Finds what fits a prompt and is not held already.
pub async fn inject(
    means: Means<'_>,
    request: InjectRequest,
    aids: Aids<impl Sized>,
) -> Result<Injected> {
    let (store, analyser) = (means.store, Arc::clone(means.analyser));
    let scope = Scope::Project(request.project.clone());
    let asked = Asked::new(&request.prompt, scope.clone(), Filter::default(), &means).await?;
    let (mut found, _) = find(means, asked, aids.semantic, 0, CONTEXT_HITS_MAX).await?;
    drop(aids.turn);
    rerank(&mut found, &request.prompt, aids.rerank).await;
    if request.by_use && !found.hits.is_empty() {
        let ids = found.hits.iter().map(|hit| hit.memory.id).collect();
        order_by_use(&mut found.hits, &store.usage(ids).await?);
    }
    let silence = found.silence;
    let degraded = found.degraded;
    let choosing = move || Ok(choose(found.hits, silence, &request, &scope, &analyser));
    let mut chosen = blocking(choosing).await?;
    chosen.context.degraded = degraded;
    Ok(chosen)
}

fn order_by_use(hits: &mut [Hit], usage: &[Usage]) {
    for (hit, usage) in hits.iter_mut().zip(usage) {
        hit.score *= nudge(*usage);
    }
    // Stable: equal ones stay in the order of the ranking.
    sort_by(hits, |a, b| b.score.total_cmp(&a.score));
}

/// What use is worth: a factor close to 1.
fn nudge(usage: Usage) -> f32 {
    let (given, used) = (usage.given as f32, usage.used as f32);
    // From 0, never used, to 1, always used; one half when nobody knows.
    let share = (used + USE_PRIOR / 2.0) / (given + USE_PRIOR);
    let most = if share >= 0.5 { USED_GAIN } else { UNUSED_LOSS };
    1.0 + most * (share - 0.5) * 2.0
}

fn choose(
    hits: Vec<Hit>,
    silence: Option<Silence>,
    request: &InjectRequest,
    scope: &Scope,
    analyser: &Analyser,
) -> Injected {
    let outcome = |hit: &Hit| match () {
        () if request.held.has(&hit.memory) => Outcome::Held,
        () if hit.score < SCORE_MIN => Outcome::Weak,
        () => Outcome::NoRoom,
    };
    let outcomes: Vec<Outcome> = hits.iter().map(outcome).collect();
    let free = hits.iter().zip(&outcomes);
    let free = free.filter(|(_, outcome)| **outcome == Outcome::NoRoom);
    let room = Room {
        tokens: request.tokens_max,
        units: request.units_max,
    };
    let free = free.map(|(hit, _)| hit.clone()).collect();
    let context = pack(free, scope, room, silence);
    let given: HashSet<MemoryId> = context.hits.iter().map(|hit| hit.memory.id).collect();
    let (mut asked, mut seen) = (Vec::new(), HashSet::new());
    analyser.terms(&request.prompt, |term| {
        if seen.insert(term.to_owned()) {
            asked.push(term.to_owned());
        }
    });
    // Named once each, in the order of the prompt.
    let by_term = ByTerm::new(asked.iter().map(String::as_str).zip(0..));
    let lines = hits.into_iter().zip(outcomes).enumerate();
    let lines = lines
        .filter(|(at, (hit, _))| *at < EXPLAINED_MAX || given.contains(&hit.memory.id))
        .map(|(_, (hit, outcome))| {
            let outcome = match given.contains(&hit.memory.id) {
                true => Outcome::Given,
                false => outcome,
            };
            let tokens = estimate_tokens(&entry(&hit, scope));
            let terms = shared_terms(&hit, &asked, &by_term, analyser);
            (hit, outcome, terms, tokens)
        });
    Injected {
        lines: lines.collect(),
        context,
    }
}

fn shared_terms(hit: &Hit, asked: &[String], by_term: &ByTerm<'_>, analyser: &Analyser) -> String {
    let text = &hit.memory.content.text;
    let passage = text.get(hit.passage.clone()).unwrap_or(text);
    let mut there = BTreeSet::new();
    analyser.terms(passage, |term| there.extend(by_term.get(term)));
    let shared = there.into_iter().filter_map(|index| asked.get(index));
    let shared: Vec<&str> = shared.take(REASON_TERMS_MAX).map(String::as_str).collect();
    shared.join(" ")
}

/// Renders what a session starts with, in the order given, leaving out what it holds already.
pub fn opening(
    memories: Vec<Memory>,
    project: &Project,
    held: &Held,
    tokens_max: usize,
    units_max: usize,
) -> Context {
    let free = memories.into_iter().filter(|memory| !held.has(memory));
    let hits = free.map(|memory| {
        let first = split_passages(&memory.content.text).into_iter().next();
        Hit {
            passage: first.unwrap_or(0..memory.content.text.len()),
            memory,
            score: 1.0,
            extract: String::new(),
        }
    });
    let room = Room {
        tokens: tokens_max,
        units: units_max,
    };
    pack(
        hits.collect(),
        &Scope::Project(project.clone()),
        room,
        Some(Silence::NothingStored),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn use_is_a_nudge_and_never_more() {
        let worth = |given, used| nudge(Usage { given, used });
        assert_eq!(worth(0, 0), 1.0);
        assert!(worth(1, 1) > 1.0 && worth(9, 9) > worth(1, 1));
        assert!(worth(1, 0) < 1.0 && worth(9, 0) < worth(1, 0));
        assert!(worth(u64::MAX, u64::MAX) <= 1.0 + USED_GAIN);
        assert!(worth(u64::MAX, 0) >= 1.0 - UNUSED_LOSS);
    }
}
