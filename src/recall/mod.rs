//! The recall path: analyse, candidates, one ranking for every store, abstain, look closer, pack.
//!
//! Each step that computes runs beside the runtime, as the store does: a server answers everybody
//! else meanwhile.

mod asked;
mod condense;
mod context;
pub mod cursor;
mod evidence;
mod extract;
mod inject;
mod look;
mod near;
mod query;
mod rank;
mod rerank;
mod weights;
mod words;

use std::collections::HashMap;
use std::sync::Arc;

use crate::blocking::blocking;
use crate::error::{Error, Result};
use crate::memory::{Filter, Memory, Scope, Timestamp};
use crate::store::{Candidate, Nearest, Store};
use crate::text::{Analyser, has_unspaced};

use asked::{Asked, corrected};
use look::LOOKED_AT;
use near::Near;
use query::ByTerm;
use rerank::RERANKED_MAX;
use weights::Weights;

/// What to look for.
#[derive(Debug, Clone)]
pub struct RecallRequest {
    /// The question, in any words; a whole prompt will do.
    pub query: String,
    /// Where to look.
    pub scope: Scope,
    /// What to leave out.
    pub filter: Filter,
    /// How many hits to return, at most [`HITS_MAX`].
    pub limit: usize,
    /// How many of the best to pass over, for the next page.
    pub offset: usize,
}

/// The most hits that one recall returns: beyond this a reader refines the query.
pub const HITS_MAX: usize = 100;

/// What was found, best first.
#[derive(Debug, Clone)]
pub struct Recall {
    /// The memories, best first.
    pub hits: Vec<Hit>,
    /// Whether more would follow.
    pub more: bool,
    /// Why nothing was found, when nothing was; `None` behind the last page.
    pub silence: Option<Silence>,
    /// What had to be done without, and why, if something had.
    pub degraded: Option<String>,
    /// Words that nothing stored has, each with the stored one that it was taken for.
    pub corrected: Vec<(String, String)>,
}

/// Why a recall returned nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// The scope holds no memories.
    NothingStored,
    /// The query has no word to look for.
    NothingToLookFor,
    /// What was found is too far from the query to be worth reading.
    BelowFloor,
    /// Nobody could tell which project is meant.
    UnknownProject,
    /// Not even the smallest passage found fits the budget.
    OverBudget,
}

impl Silence {
    /// The reason in words, a whole sentence for a reader.
    pub fn reason(self) -> &'static str {
        match self {
            Self::NothingStored => "Nothing is stored here yet.",
            Self::NothingToLookFor => "The query holds no word to look for.",
            Self::BelowFloor => "Nothing stored is relevant to this.",
            Self::OverBudget => "What is relevant does not fit into the token budget.",
            Self::UnknownProject => {
                "No project could be determined, so nothing was searched; \
                 start sage with --project, set CLAUDE_PROJECT_DIR, or over HTTP send the header \
                 Sage-Project-Dir."
            }
        }
    }
}

/// One memory found.
#[derive(Debug, Clone)]
pub struct Hit {
    /// The memory, whole.
    pub memory: Memory,
    /// How well it fits: 1 is the best of this recall, 0 is not at all.
    pub score: f32,
    /// The best passage of it, as a byte range of the memory's text.
    pub passage: std::ops::Range<usize>,
    /// The line of that passage that fits best, shortened, without line breaks. In a context what a
    /// model left of the passage; empty where it is whole.
    pub extract: String,
}

/// What to put before a model.
#[derive(Debug, Clone)]
pub struct ContextRequest {
    /// The question, in any words.
    pub query: String,
    /// Where to look.
    pub scope: Scope,
    /// What to leave out.
    pub filter: Filter,
    /// The budget, in estimated tokens, everything included.
    pub tokens_max: usize,
    /// Whether a model leaves out what the question does not need, if more was found than fits.
    pub condense: bool,
}

/// Remembered material, ready for a model to read.
#[derive(Debug, Clone)]
pub struct Context {
    /// The text, delimited and dated; empty when nothing is relevant.
    pub text: String,
    /// Its estimated size.
    pub tokens: usize,
    /// The memories in it, best first.
    pub hits: Vec<Hit>,
    /// Why it is empty, when it is.
    pub silence: Option<Silence>,
    /// What had to be done without, and why, if something had.
    pub degraded: Option<String>,
}

/// What sort of model tells what is near in meaning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Meaning {
    /// The built-in one, which knows words and not how they stand together.
    Words,
    /// One that reads texts.
    #[default]
    Texts,
}

/// The query as a model sees it.
#[derive(Debug, Clone)]
pub struct Semantic {
    /// The store's own number of the model.
    pub model: i64,
    /// The query's vector.
    pub vector: Arc<[f32]>,
    /// What sort of model it is.
    pub meaning: Meaning,
}

/// What a recall has beside the query's words.
pub struct Aids<Turn> {
    /// The query as a model sees it.
    pub semantic: Option<Semantic>,
    /// Who puts the best in order.
    pub rerank: Option<Rerank>,
    /// The right to compute, given back before a model is waited for.
    pub turn: Turn,
}

pub use condense::Condenser;
pub use evidence::{Evidence, LeftOut};
pub use inject::{Held, InjectRequest, Injected, inject, opening};
pub use rerank::Rerank;

/// What a recall works with, beside what is asked for.
#[derive(Clone, Copy)]
pub struct Means<'a> {
    /// Where memories are.
    pub store: &'a Store,
    /// Makes terms of text.
    pub analyser: &'a Arc<Analyser>,
    /// What has expired by now is left out, and "yesterday" counts from it.
    pub now: Timestamp,
    /// What the ranking does without.
    pub left_out: LeftOut,
}

/// One of the first hits must hold, with its neighbours, at least this share of what the query
/// asks for, rare words weighing more than common ones; else nothing stored is relevant. On
/// conversations it keeps 61 % of foreign questions from an answer and costs 0.9 points of recall at
/// 10 (LoCoMo, November 2026; docs/recall.md has the table).
const RELEVANCE_FLOOR: f64 = 0.3;

/// Hits considered for a context: the default budget has room for about eight of them, and what
/// comes after the first 50 is hardly ever what was asked for.
const CONTEXT_HITS_MAX: usize = 50;

/// Finds memories: candidates from the store, one ranking, the relevance floor, a closer look.
pub async fn recall(
    means: Means<'_>,
    request: &RecallRequest,
    aids: Aids<impl Sized>,
) -> Result<Recall> {
    if request.limit == 0 || request.limit > HITS_MAX {
        return Err(Error::invalid(
            "limit",
            format!("expected 1 to {HITS_MAX}, got {}", request.limit),
        ));
    }
    let analyser = Arc::clone(means.analyser);
    let (scope, filter) = (request.scope.clone(), request.filter.clone());
    let asked = Asked::new(&request.query, scope, filter, &means).await?;
    let (offset, limit) = (request.offset, request.limit);
    let (found, terms) = match aids.rerank {
        // Every page is cut from the same order.
        Some(rerank) if offset < RERANKED_MAX => {
            let end = RERANKED_MAX.max(offset.saturating_add(limit));
            let (mut found, terms) = find(means, asked, aids.semantic, 0, end).await?;
            drop(aids.turn);
            rerank::rerank(&mut found, &request.query, Some(rerank)).await;
            (page(found, offset, limit), terms)
        }
        _ => find(means, asked, aids.semantic, offset, limit).await?,
    };
    blocking(move || Ok(with_extracts(found, terms, &analyser))).await
}

/// Finds memories and packs them into a budget; if more was found than fits, a model may leave out
/// what the question does not need.
pub async fn context(
    means: Means<'_>,
    request: &ContextRequest,
    aids: Aids<impl Sized>,
    condenser: Option<Condenser>,
) -> Result<Context> {
    let (scope, filter) = (request.scope.clone(), request.filter.clone());
    let asked = Asked::new(&request.query, scope.clone(), filter, &means).await?;
    let (mut found, _) = find(means, asked, aids.semantic, 0, CONTEXT_HITS_MAX).await?;
    drop(aids.turn);
    rerank::rerank(&mut found, &request.query, aids.rerank).await;
    let room = context::Room {
        tokens: request.tokens_max,
        units: usize::MAX,
    };
    let pack = |found: Recall| {
        let scope = scope.clone();
        blocking(move || {
            let packed = context::pack(found.hits, &scope, room, found.silence);
            let degraded = found.degraded;
            Ok(Context { degraded, ..packed })
        })
    };
    let Some(condenser) = condenser else {
        return pack(found).await;
    };
    let packed = pack(found.clone()).await?;
    if packed.hits.len() == found.hits.len() {
        return Ok(packed);
    }
    condense::condense(&mut found, &request.query, &condenser).await;
    pack(found).await
}

/// One page of what was found from the first hit on.
fn page(mut found: Recall, offset: usize, limit: usize) -> Recall {
    let end = offset.saturating_add(limit);
    found.more |= found.hits.len() > end;
    found.hits.truncate(end);
    found.hits.drain(..offset.min(found.hits.len()));
    found
}

/// What both share: the hits, without extracts, and the terms that were looked for.
async fn find(
    means: Means<'_>,
    asked: Asked,
    semantic: Option<Semantic>,
    offset: usize,
    limit: usize,
) -> Result<(Recall, Vec<String>)> {
    let meaning = semantic.as_ref().map(|semantic| semantic.meaning);
    let nothing_asked = asked.query.terms.is_empty();
    // Words that nobody would look for tell a table of words nothing either.
    if nothing_asked && meaning != Some(Meaning::Texts) {
        return Ok((Recall::silent(Silence::NothingToLookFor), Vec::new()));
    }
    let is_unspaced = asked.query.terms.iter().any(|term| has_unspaced(term));
    let scope = asked.wanted.scope.clone();
    let Ranked {
        ranking,
        weights,
        degraded,
        corrected,
    } = ranked(means, asked, semantic).await?;
    let silence = match weights.has_anything {
        false => Some(Silence::NothingStored),
        true if means.left_out.keeps(Evidence::Floor) => below_floor(&ranking, nothing_asked),
        true => None,
    };
    if silence.is_some() {
        let silent = Recall {
            silence,
            degraded,
            ..Recall::silent(Silence::NothingStored)
        };
        return Ok((silent, Vec::new()));
    }
    let across_only = meaning == Some(Meaning::Words) && ranking.relevance < RELEVANCE_FLOOR;
    let mut ranked = ranking.memories;
    let rows = |ranked: &[rank::Ranked]| ranked.iter().map(|hit| hit.memory).collect();
    let best = rows(ranked.get(..LOOKED_AT).unwrap_or(&ranked));
    let read = means.store.memories_by_row(scope.clone(), best).await?;
    let mut read: HashMap<i64, Memory> = read.into_iter().collect();
    if across_only && means.left_out.keeps(Evidence::Floor) {
        // The table alone is believed only where the words could not say anything.
        let is_across = |memory: &Memory| has_unspaced(&memory.content.text) != is_unspaced;
        ranked.retain(|hit| read.get(&hit.memory).is_some_and(is_across));
        if ranked.is_empty() {
            let silent = Recall {
                degraded,
                ..Recall::silent(Silence::BelowFloor)
            };
            return Ok((silent, Vec::new()));
        }
    }
    let more = ranked.len() > offset.saturating_add(limit);
    let (analyser, left_out) = (Arc::clone(means.analyser), means.left_out);
    let looking = move || {
        look::look(&mut ranked, &read, &weights, &analyser, left_out);
        let page: Vec<rank::Ranked> = ranked.into_iter().skip(offset).take(limit).collect();
        read.retain(|row, _| page.iter().any(|hit| hit.memory == *row));
        Ok((page, read, weights.query.terms))
    };
    let (page, mut read, terms) = blocking(looking).await?;
    let unread = page.iter().map(|hit| hit.memory);
    let unread: Vec<i64> = unread.filter(|row| !read.contains_key(row)).collect();
    if !unread.is_empty() {
        read.extend(means.store.memories_by_row(scope, unread).await?);
    }
    // One may have been forgotten between ranking and reading.
    let hits = page.into_iter().filter_map(|hit| {
        Some(Hit {
            memory: read.remove(&hit.memory)?,
            score: hit.score as f32,
            passage: hit.range,
            extract: String::new(),
        })
    });
    let found = Recall {
        hits: hits.collect(),
        more,
        silence: None,
        degraded,
        corrected,
    };
    Ok((found, terms))
}

/// Why nothing is said, if what was found is too far from the query.
fn below_floor(ranking: &rank::Ranking, nothing_asked: bool) -> Option<Silence> {
    if ranking.relevance >= RELEVANCE_FLOOR || ranking.stands_out {
        return None;
    }
    Some(match nothing_asked {
        true => Silence::NothingToLookFor,
        false => Silence::BelowFloor,
    })
}

/// What a ranking came to.
struct Ranked {
    ranking: rank::Ranking,
    weights: Weights,
    /// Why the vectors were left out, if they were.
    degraded: Option<String>,
    corrected: Vec<(String, String)>,
}

/// Every memory that shares a term with the query, stands beside one or is near in meaning, best
/// first.
async fn ranked(means: Means<'_>, asked: Asked, semantic: Option<Semantic>) -> Result<Ranked> {
    let (store, analyser, left_out) = (means.store, means.analyser, means.left_out);
    let Asked { query, wanted } = asked;
    let found = store.candidates(wanted.clone()).await?;
    let (query, wanted, mut found, corrected) =
        corrected(store, analyser, query, wanted, found).await?;
    let semantic = semantic.filter(|_| left_out.keeps(Evidence::Meaning));
    let held = words::Held::new(&found);
    let (texts, words) = match semantic {
        Some(semantic) if semantic.meaning == Meaning::Words => (None, Some(semantic)),
        other => (other, None),
    };
    let (near, mut degraded) = match texts {
        None => (Nearest::default(), None),
        Some(Semantic { model, vector, .. }) => {
            match store.nearest(wanted.clone(), model, vector).await {
                Ok(near) => (near, None),
                Err(error) => (Nearest::default(), Some(error.to_string())),
            }
        }
    };
    let (weights, mut passages, near, missing) = blocking(move || {
        let weights = Weights::new(query, &found);
        let near = Near::join(&mut found, near);
        let missing = rank::missing_neighbours(&weights, &found.passages, left_out);
        Ok((weights, found.passages, near, missing))
    })
    .await?;
    let scope = wanted.scope.clone();
    if !missing.is_empty() {
        passages.extend(store.neighbours(wanted.clone(), missing).await?);
    }
    let lengths = store.session_lengths(scope, sessions_of(&passages)).await?;
    let ranking = blocking(move || {
        let lengths = lengths.into_iter().collect();
        let ranking = rank::rank(&weights, &passages, &near, &lengths, left_out);
        Ok((ranking, weights))
    });
    let (mut ranking, weights) = ranking.await?;
    if let Some(semantic) = words {
        match words::ask(store, wanted, semantic, &ranking).await {
            Ok(said) => {
                ranking = blocking(move || {
                    words::weigh(&mut ranking, said, held, left_out);
                    Ok(ranking)
                })
                .await?;
            }
            Err(error) => degraded = Some(error.to_string()),
        }
    }
    Ok(Ranked {
        ranking,
        weights,
        degraded,
        corrected,
    })
}

/// The sessions that passages belong to, each once.
fn sessions_of(passages: &[Candidate]) -> Vec<i64> {
    let places = passages.iter().filter_map(|passage| passage.place);
    let mut sessions: Vec<i64> = places.map(|(session, _)| session).collect();
    sessions.sort_unstable();
    sessions.dedup();
    sessions
}

fn with_extracts(mut found: Recall, terms: Vec<String>, analyser: &Analyser) -> Recall {
    let terms = ByTerm::new(terms.iter().map(String::as_str).zip(0..));
    for hit in &mut found.hits {
        let text = &hit.memory.content.text;
        let passage = text.get(hit.passage.clone()).unwrap_or(text);
        hit.extract = extract::extract(passage, &terms, analyser);
    }
    found
}

impl Recall {
    /// Which words were taken for others, a sentence each.
    pub fn corrections(&self) -> impl Iterator<Item = String> {
        let sentence = |(typed, meant): &(String, String)| {
            format!("Nothing stored has \"{typed}\"; it was taken for \"{meant}\".")
        };
        self.corrected.iter().map(sentence)
    }

    fn silent(silence: Silence) -> Self {
        Self {
            hits: Vec::new(),
            more: false,
            silence: Some(silence),
            degraded: None,
            corrected: Vec::new(),
        }
    }
}
