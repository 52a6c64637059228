//! The best hits once more, in the order of a model that reads them.

use std::time::Instant;

use super::{Hit, Recall};
use crate::models::Reranker;
use crate::order::sort_by;

/// So many of the best are read. It is what services are usually given, and takes them some hundred
/// milliseconds; no service was at hand to measure more or fewer.
pub(super) const RERANKED_MAX: usize = 50;

/// A reranker, and how long it may take.
#[derive(Clone)]
pub struct Rerank {
    /// Who puts in order.
    pub model: Reranker,
    /// What comes later is left out.
    pub until: Instant,
}

/// Puts the first hits in the model's order. Without an answer they stay in theirs, and the recall
/// says why. What a floor keeps out stays out: a model only orders what was found.
pub(super) async fn rerank(found: &mut Recall, query: &str, with: Option<Rerank>) {
    // What was said again by another stays behind all others.
    let first = found.hits.iter().take(RERANKED_MAX);
    let count = first.take_while(|hit| hit.score > 0.0).count();
    // One hit has no order.
    let Some(Rerank { model, until }) = with.filter(|_| count > 1) else {
        return;
    };
    let texts = found.hits.iter().take(count).map(passage_of).collect();
    let patience = until.saturating_duration_since(Instant::now());
    match model.scores(query, texts, patience).await {
        Ok(scores) => order(&mut found.hits, &scores),
        Err(failure) => {
            let why = failure.message().to_owned();
            found.degraded.get_or_insert(why);
        }
    }
}

fn passage_of(hit: &Hit) -> String {
    let text = &hit.memory.content.text;
    text.get(hit.passage.clone()).unwrap_or(text).to_owned()
}

/// The scores of the ranking go to the hits in their new order: they say how a place compares with
/// the best one, and a model's numbers have a scale of their own.
fn order(hits: &mut [Hit], scores: &[f64]) {
    let (first, _) = hits.split_at_mut(scores.len().min(hits.len()));
    let former: Vec<f32> = first.iter().map(|hit| hit.score).collect();
    let mut order: Vec<(f64, Hit)> = scores.iter().copied().zip(first.iter().cloned()).collect();
    // Stable: equal ones stay in the order of the ranking.
    sort_by(&mut order, |(a, _), (b, _)| b.total_cmp(a));
    for ((slot, (_, hit)), score) in first.iter_mut().zip(order).zip(former) {
        *slot = Hit { score, ..hit };
    }
}
