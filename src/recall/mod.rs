//! The recall path: analyse, candidates, one ranking for every store, abstain, pack.
//!
//! Each step that computes runs beside the runtime, as the store does: a server answers everybody
//! else meanwhile.

mod context;
pub mod cursor;
mod extract;
mod inject;
mod rank;
mod rerank;
mod words;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::blocking::blocking;
use crate::error::{Error, Result};
use crate::memory::{Filter, Memory, Scope, Timestamp};
use crate::store::{Candidate, CandidateQuery, Nearest, Store};
use crate::text::{Analyser, has_unspaced};

use rerank::RERANKED_MAX;

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
    /// The line of that passage that fits best, shortened, without line breaks; empty in a context.
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

pub use rerank::Rerank;

pub use inject::{Held, InjectRequest, Injected, inject, opening};

/// Of a longer query, a pasted log for instance, only the first part is looked at.
const QUERY_BYTES_MAX: usize = 64 * 1024;

/// Of those that are looked up, the rarest 64 bring candidates; looking up costs microseconds each.
const QUERY_TERMS_MAX: usize = 2_000;

/// One of the first hits must hold, with its neighbours, at least this share of what the query
/// asks for, rare terms weighing more than common ones; else nothing stored is relevant. On
/// conversations it keeps 52 % of foreign questions from an answer and costs 0.6 points of recall at
/// 10 (LoCoMo, November 2026; docs/recall.md has the table).
const RELEVANCE_FLOOR: f64 = 0.28;

/// Hits considered for a context: the default budget has room for about eight of them, and what
/// comes after the first 50 is hardly ever what was asked for.
const CONTEXT_HITS_MAX: usize = 50;

/// Finds memories: candidates from the store, one ranking, the relevance floor.
pub async fn recall(
    store: &Store,
    analyser: &Arc<Analyser>,
    request: &RecallRequest,
    aids: Aids<impl Sized>,
    now: Timestamp,
) -> Result<Recall> {
    if request.limit == 0 || request.limit > HITS_MAX {
        return Err(Error::invalid(
            "limit",
            format!("expected 1 to {HITS_MAX}, got {}", request.limit),
        ));
    }
    let (scope, filter) = (request.scope.clone(), request.filter.clone());
    let query = candidate_query(&request.query, scope, filter, analyser, now).await?;
    let terms = query.terms.clone();
    let (offset, limit) = (request.offset, request.limit);
    let found = match aids.rerank {
        // Every page is cut from the same order.
        Some(rerank) if offset < RERANKED_MAX => {
            let end = RERANKED_MAX.max(offset.saturating_add(limit));
            let mut found = find(store, query, aids.semantic, 0, end).await?;
            drop(aids.turn);
            rerank::rerank(&mut found, &request.query, Some(rerank)).await;
            page(found, offset, limit)
        }
        _ => find(store, query, aids.semantic, offset, limit).await?,
    };
    let analyser = Arc::clone(analyser);
    blocking(move || Ok(with_extracts(found, terms, &analyser))).await
}

/// Finds memories and packs them into a budget.
pub async fn context(
    store: &Store,
    analyser: &Arc<Analyser>,
    request: &ContextRequest,
    aids: Aids<impl Sized>,
    now: Timestamp,
) -> Result<Context> {
    let (scope, filter) = (request.scope.clone(), request.filter.clone());
    let query = candidate_query(&request.query, scope.clone(), filter, analyser, now).await?;
    let mut found = find(store, query, aids.semantic, 0, CONTEXT_HITS_MAX).await?;
    drop(aids.turn);
    rerank::rerank(&mut found, &request.query, aids.rerank).await;
    let tokens_max = request.tokens_max;
    let degraded = found.degraded;
    let room = context::Room {
        tokens: tokens_max,
        units: usize::MAX,
    };
    let packing = move || Ok(context::pack(found.hits, &scope, room, found.silence));
    let packed = blocking(packing).await?;
    Ok(Context { degraded, ..packed })
}

/// One page of what was found from the first hit on.
fn page(mut found: Recall, offset: usize, limit: usize) -> Recall {
    let end = offset.saturating_add(limit);
    found.more |= found.hits.len() > end;
    found.hits.truncate(end);
    found.hits.drain(..offset.min(found.hits.len()));
    found
}

/// What both share: the hits, without extracts.
async fn find(
    store: &Store,
    query: CandidateQuery,
    semantic: Option<Semantic>,
    offset: usize,
    limit: usize,
) -> Result<Recall> {
    // Words that nobody would look for tell a table of words nothing either.
    let reads_texts = |semantic: &Semantic| semantic.meaning == Meaning::Texts;
    if query.terms.is_empty() && !semantic.as_ref().is_some_and(reads_texts) {
        return Ok(Recall::silent(Silence::NothingToLookFor));
    }
    let scope = query.scope.clone();
    let nothing_asked = query.terms.is_empty();
    let is_unspaced = query.terms.iter().any(|term| has_unspaced(term));
    let meaning = semantic.as_ref().map(|semantic| semantic.meaning);
    let reads_words = meaning == Some(Meaning::Words);
    let (ranking, degraded) = ranking(store, query, semantic).await?;
    let silent = |silence| {
        Ok(Recall {
            degraded: degraded.clone(),
            ..Recall::silent(silence)
        })
    };
    let Some(ranking) = ranking else {
        return silent(Silence::NothingStored);
    };
    if ranking.relevance < RELEVANCE_FLOOR && !ranking.stands_out {
        return silent(match nothing_asked {
            true => Silence::NothingToLookFor,
            false => Silence::BelowFloor,
        });
    }
    let relevance = ranking.relevance;
    let more = ranking.memories.len() > offset.saturating_add(limit);
    let wanted: Vec<rank::Ranked> = ranking
        .memories
        .into_iter()
        .skip(offset)
        .take(limit)
        .collect();
    let rows = wanted.iter().map(|hit| hit.memory).collect();
    let memories = store.memories_by_row(scope, rows).await?;
    // One may have been forgotten between ranking and reading, so they are joined by number.
    let mut wanted: HashMap<i64, rank::Ranked> =
        wanted.into_iter().map(|hit| (hit.memory, hit)).collect();
    let across_only = reads_words && relevance < RELEVANCE_FLOOR;
    let hits: Vec<Hit> = memories
        .into_iter()
        .filter_map(|(row, memory)| {
            // The table alone is believed only where the words could not say anything.
            if across_only && has_unspaced(&memory.content.text) == is_unspaced {
                return None;
            }
            let hit = wanted.remove(&row)?;
            let (score, passage) = (hit.score as f32, hit.range);
            Some(Hit {
                memory,
                score,
                passage,
                extract: String::new(),
            })
        })
        .collect();
    if across_only && hits.is_empty() {
        return silent(Silence::BelowFloor);
    }
    Ok(Recall {
        hits,
        more,
        silence: None,
        degraded,
    })
}

/// Every memory that shares a term with the query, stands beside one or is near in meaning, best
/// first; `None` when the scope holds nothing at all. Second is why the vectors were left out, if
/// they were.
async fn ranking(
    store: &Store,
    query: CandidateQuery,
    semantic: Option<Semantic>,
) -> Result<(Option<rank::Ranking>, Option<String>)> {
    let scope = query.scope.clone();
    let mut found = store.candidates(query.clone()).await?;
    if found.corpus.iter().all(|held| held.passages == 0) {
        return Ok((None, None));
    }
    let held = words::Held::new(&found);
    let (texts, words) = match semantic {
        Some(semantic) if semantic.meaning == Meaning::Words => (None, Some(semantic)),
        other => (other, None),
    };
    let (near, mut degraded) = match texts {
        None => (Nearest::default(), None),
        Some(Semantic { model, vector, .. }) => {
            match store.nearest(query.clone(), model, vector).await {
                Ok(near) => (near, None),
                Err(error) => (Nearest::default(), Some(error.to_string())),
            }
        }
    };
    let (weights, mut passages, near, missing) = blocking(move || {
        let weights = rank::Weights::new(&found);
        let near = rank::Near::join(&mut found, near);
        let missing = rank::missing_neighbours(&weights, &found.passages);
        Ok((weights, found.passages, near, missing))
    })
    .await?;
    if !missing.is_empty() {
        passages.extend(store.neighbours(query.clone(), missing).await?);
    }
    let lengths = store.session_lengths(scope, sessions_of(&passages)).await?;
    let ranked = blocking(move || {
        let lengths = lengths.into_iter().collect();
        Ok(rank::rank(&weights, &passages, &near, &lengths))
    });
    let mut ranking = ranked.await?;
    if let Some(semantic) = words {
        match words::ask(store, query, semantic, &ranking).await {
            Ok(said) => {
                ranking = blocking(move || {
                    words::weigh(&mut ranking, said, held);
                    Ok(ranking)
                })
                .await?;
            }
            Err(error) => degraded = Some(error.to_string()),
        }
    }
    Ok((Some(ranking), degraded))
}

/// The sessions that passages belong to, each once.
fn sessions_of(passages: &[Candidate]) -> Vec<i64> {
    let places = passages.iter().filter_map(|passage| passage.place);
    let mut sessions: Vec<i64> = places.map(|(session, _)| session).collect();
    sessions.sort_unstable();
    sessions.dedup();
    sessions
}

/// The question as a store takes it.
async fn candidate_query(
    text: &str,
    scope: Scope,
    filter: Filter,
    analyser: &Arc<Analyser>,
    now: Timestamp,
) -> Result<CandidateQuery> {
    let part = text.get(..text.floor_char_boundary(QUERY_BYTES_MAX));
    let part = part.unwrap_or(text).to_owned();
    let analyser = Arc::clone(analyser);
    let terms = blocking(move || Ok(different_terms(&part, &analyser))).await?;
    Ok(CandidateQuery {
        scope,
        filter,
        terms,
        now,
    })
}

fn different_terms(text: &str, analyser: &Analyser) -> Vec<String> {
    let mut terms: Vec<String> = Vec::new();
    let mut seen = HashSet::new();
    analyser.terms(text, |term| {
        if terms.len() < QUERY_TERMS_MAX && seen.insert(term.to_owned()) {
            terms.push(term.to_owned());
        }
    });
    terms
}

fn with_extracts(mut found: Recall, terms: Vec<String>, analyser: &Analyser) -> Recall {
    let terms: HashMap<String, usize> = terms.into_iter().zip(0..).collect();
    for hit in &mut found.hits {
        let text = &hit.memory.content.text;
        let passage = text.get(hit.passage.clone()).unwrap_or(text);
        hit.extract = extract::extract(passage, &terms, analyser);
    }
    found
}

impl Recall {
    fn silent(silence: Silence) -> Self {
        Self {
            hits: Vec::new(),
            more: false,
            silence: Some(silence),
            degraded: None,
        }
    }
}
