//! The order of passages, by a model that reads each together with the question.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::service::{Failure, Patience, Service, ServiceHealth, in_time};
use crate::config::ModelsConfig;
use crate::error::Result;
use crate::text::estimate_tokens;

/// Queries whose passages are being put in order at once. Beyond them a query goes without.
const QUERIES_MAX: usize = 4;

/// Of a longer query the model sees the beginning; most models read no more anyway.
const QUERY_BYTES_MAX: usize = 8 * 1024;

/// Puts passages in order; clones share everything.
#[derive(Clone)]
pub struct Reranker {
    inner: Arc<Inner>,
}

struct Inner {
    service: Service,
    model: String,
    queries: Semaphore,
}

/// The shape that Jina, Cohere, SiliconFlow and others take.
#[derive(Serialize)]
struct Question<'a> {
    model: &'a str,
    query: &'a str,
    documents: &'a [String],
    top_n: usize,
    return_documents: bool,
}

#[derive(Deserialize)]
struct Answer {
    results: Vec<Item>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Item {
    index: usize,
    relevance_score: f64,
}

#[derive(Deserialize)]
struct Usage {
    total_tokens: Option<u64>,
}

impl Reranker {
    /// The one of the settings, if they name one. Reads the files that they name; asks nobody.
    pub fn load(config: &ModelsConfig) -> Result<Option<Self>> {
        let Some(url) = &config.rerank.url else {
            return Ok(None);
        };
        let inner = Inner {
            service: Service::new(&config.rerank, url, "/rerank")?,
            model: config.rerank.model.clone(),
            queries: Semaphore::new(QUERIES_MAX),
        };
        Ok(Some(Self {
            inner: Arc::new(inner),
        }))
    }

    /// What the service calls the model.
    pub fn model(&self) -> &str {
        &self.inner.model
    }

    /// Has the service asked again at once; tells whether it was left alone.
    pub fn reset(&self) -> bool {
        self.inner.service.reset()
    }

    /// How the service is.
    pub fn health(&self) -> ServiceHealth {
        self.inner.service.health()
    }

    /// How well each text answers the query, in their order, if that comes in time. Higher is
    /// better; what the numbers mean beyond that is the model's own.
    pub async fn scores(
        &self,
        query: &str,
        texts: Vec<String>,
        patience: Duration,
    ) -> std::result::Result<Vec<f64>, Failure> {
        let part = query.get(..query.floor_char_boundary(QUERY_BYTES_MAX));
        let query = part.unwrap_or(query).to_owned();
        let inner = Arc::clone(&self.inner);
        let asking = async move { inner.ask(&query, &texts).await };
        in_time(self.inner.service.names(), patience, asking).await
    }
}

impl Inner {
    async fn ask(&self, query: &str, texts: &[String]) -> std::result::Result<Vec<f64>, Failure> {
        let turn = self.queries.try_acquire();
        let _turn = turn.map_err(|_| {
            Failure::Away("too many queries wait for the reranking service".to_owned())
        })?;
        let question = Question {
            model: &self.model,
            query,
            documents: texts,
            top_n: texts.len(),
            return_documents: false,
        };
        // A service reads the question once for each text.
        let words: usize = texts.iter().map(|text| estimate_tokens(text)).sum();
        let estimate = words + estimate_tokens(query) * texts.len();
        let read = |bytes: &[u8]| read_answer(bytes, texts.len());
        (self.service)
            .post(&question, estimate, Patience::One, read)
            .await
    }
}

/// Checks everything about an answer before anybody relies on it.
fn read_answer(bytes: &[u8], count: usize) -> std::result::Result<(Vec<f64>, Option<u64>), String> {
    let answer: Answer = serde_json::from_slice(bytes)
        .map_err(|_| "what it answered is no list of scores".to_owned())?;
    let mut scores: Vec<Option<f64>> = vec![None; count];
    for item in answer.results {
        let slot = scores.get_mut(item.index).filter(|slot| slot.is_none());
        *slot.ok_or("it numbered its scores wrongly")? = Some(item.relevance_score);
    }
    let scores: Option<Vec<f64>> = scores.into_iter().collect();
    let scores = scores.ok_or("it gave fewer scores than it was asked for")?;
    Ok((scores, answer.usage.and_then(|usage| usage.total_tokens)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_in_the_order_it_names_and_nothing_else_is() {
        let text = r#"{"results": [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": -2}],
                       "usage": {"total_tokens": 12}, "model": "any"}"#;
        let read = |text: &str, count| read_answer(text.as_bytes(), count).ok();
        assert_eq!(read(text, 2), Some((vec![-2.0, 0.9], Some(12))));
        for (text, count) in [
            (text, 1),
            (text, 3),
            ("", 1),
            (r#"{"results": []}"#, 1),
            (r#"{"results": [{"index": 0}]}"#, 1),
            (
                r#"{"results": [{"index": 0, "relevance_score": "high"}]}"#,
                1,
            ),
            (
                r#"{"results": [{"index": 0, "relevance_score": 1}, {"index": 0, "relevance_score": 2}]}"#,
                2,
            ),
        ] {
            assert_eq!(read(text, count), None, "{text}");
        }
    }
}
