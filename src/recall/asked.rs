//! The question: taken apart, and mended where it holds a slip.

use std::sync::Arc;

use super::Means;
use super::query::{Query, one_slip_away};
use crate::blocking::blocking;
use crate::error::Result;
use crate::memory::{Filter, Scope};
use crate::store::{CandidateQuery, Candidates, Store};
use crate::text::Analyser;

/// Of a longer query, a pasted log for instance, only the first part is looked at.
const QUERY_BYTES_MAX: usize = 64 * 1024;

/// A question as the ranking and as the stores take it.
pub(super) struct Asked {
    /// For the ranking.
    pub query: Query,
    /// For the stores.
    pub wanted: CandidateQuery,
}

impl Asked {
    pub async fn new(text: &str, scope: Scope, filter: Filter, means: &Means<'_>) -> Result<Self> {
        let part = text.get(..text.floor_char_boundary(QUERY_BYTES_MAX));
        let part = part.unwrap_or(text).to_owned();
        let (analyser, now, left_out) = (Arc::clone(means.analyser), means.now, means.left_out);
        let taking_apart = move || Ok(Query::new(&part, &analyser, now, left_out));
        let query = blocking(taking_apart).await?;
        Ok(Self {
            wanted: CandidateQuery {
                scope,
                filter,
                terms: query.terms.clone(),
                now: means.now,
            },
            query,
        })
    }
}

/// Words that nothing stored has are taken for stored ones that are one slip away, and the
/// candidates are those of the corrected query.
pub(super) async fn corrected(
    store: &Store,
    analyser: &Arc<Analyser>,
    mut query: Query,
    mut wanted: CandidateQuery,
    found: Candidates,
) -> Result<(Query, CandidateQuery, Candidates, Vec<(String, String)>)> {
    let mut corrected = Vec::new();
    let unknown = query.unknown_words(&found.frequencies).into_iter();
    let unknown: Vec<(usize, String)> = unknown.map(|(at, word)| (at, word.to_owned())).collect();
    for (concept, typed) in unknown {
        let others = one_slip_away(&typed, analyser);
        let terms = others.iter().map(|(term, _)| term.clone());
        let known = CandidateQuery {
            terms: terms.collect(),
            ..wanted.clone()
        };
        let frequencies = store.frequencies(known).await?;
        let best = frequencies.iter().zip(&others);
        // The commonest; of equally common ones the first in the alphabet.
        let best = best.filter(|(frequency, _)| **frequency > 0);
        let best = best.max_by_key(|(frequency, word)| (**frequency, std::cmp::Reverse(*word)));
        if let Some((_, (term, meant))) = best {
            query.correct(concept, term);
            corrected.push((typed, meant.clone()));
        }
    }
    if corrected.is_empty() {
        return Ok((query, wanted, found, corrected));
    }
    wanted.terms.clone_from(&query.terms);
    let found = store.candidates(wanted.clone()).await?;
    Ok((query, wanted, found, corrected))
}
