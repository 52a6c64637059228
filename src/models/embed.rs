//! Vectors of texts.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::service::{Failure, Patience, Service, ServiceHealth, in_time};
use crate::config::{DIMENSION_MAX, ModelsConfig};
use crate::error::Result;
use crate::text::estimate_tokens;

/// Texts in one request: what every service takes, and more would not be faster.
pub const BATCH_MAX: usize = 32;

/// Queries that are being embedded at once. Beyond them a query goes without.
const QUERIES_MAX: usize = 4;

/// Of a longer query the model sees the beginning; most models read no more anyway.
const QUERY_BYTES_MAX: usize = 8 * 1024;

/// Vectors of the latest queries: a page of a search, and what a hook asks twice.
const REMEMBERED_MAX: usize = 32;

/// A vector of length 1.
pub type Embedding = Arc<[f32]>;

/// Makes vectors; clones share everything.
#[derive(Clone)]
pub struct Embedder {
    inner: Arc<Inner>,
}

struct Inner {
    service: Service,
    model: String,
    asked_dimension: Option<usize>,
    queries: Semaphore,
    remembered: Mutex<VecDeque<(String, String, Embedding)>>,
}

#[derive(Serialize)]
struct Question<'a> {
    model: &'a str,
    input: &'a [&'a str],
    encoding_format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<usize>,
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Item>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Item {
    index: Option<usize>,
    embedding: Vec<f32>,
}

#[derive(Deserialize)]
struct Usage {
    total_tokens: Option<u64>,
}

impl Embedder {
    /// The one of the settings, if they name one. Reads the files that they name; asks nobody.
    pub fn load(config: &ModelsConfig) -> Result<Option<Self>> {
        let Some(url) = &config.embed.url else {
            return Ok(None);
        };
        let inner = Inner {
            service: Service::new(&config.embed, url, "/embeddings")?,
            model: config.embed.model.clone(),
            asked_dimension: config.dimension,
            queries: Semaphore::new(QUERIES_MAX),
            remembered: Mutex::default(),
        };
        Ok(Some(Self {
            inner: Arc::new(inner),
        }))
    }

    /// What the service calls the model.
    pub fn model(&self) -> &str {
        &self.inner.model
    }

    /// How many numbers a vector is to have, where the settings say so.
    pub fn asked_dimension(&self) -> Option<usize> {
        self.inner.asked_dimension
    }

    /// How long the service is to be left alone.
    pub fn pause(&self) -> Duration {
        self.inner.service.pause()
    }

    /// Has the service asked again at once; tells whether it was left alone.
    pub fn reset(&self) -> bool {
        self.inner.service.reset()
    }

    /// How the service is.
    pub fn health(&self) -> ServiceHealth {
        self.inner.service.health()
    }

    /// Vectors of texts, at most [`BATCH_MAX`], in their order, of the configured model; of
    /// `dimension` numbers, where that is known.
    pub async fn embed(
        &self,
        texts: &[&str],
        dimension: Option<usize>,
    ) -> std::result::Result<Vec<Embedding>, Failure> {
        let model = &self.inner.model;
        self.inner
            .ask(model, texts, dimension, Patience::Several)
            .await
    }

    /// The vector of a query by a model of the service, if it comes in time. What comes later is
    /// kept for the next time.
    pub async fn embed_query(
        &self,
        text: &str,
        model: &str,
        dimension: usize,
        patience: Duration,
    ) -> std::result::Result<Embedding, Failure> {
        let part = text.get(..text.floor_char_boundary(QUERY_BYTES_MAX));
        let (text, model) = (part.unwrap_or(text).to_owned(), model.to_owned());
        if let Some(known) = self.inner.remembered(&text, &model, dimension) {
            return Ok(known);
        }
        let inner = Arc::clone(&self.inner);
        let asking = async move {
            let busy =
                || Failure::Away("too many queries wait for the embedding service".to_owned());
            let _turn = inner.queries.try_acquire().map_err(|_| busy())?;
            let texts = [text.as_str()];
            let vectors = inner.ask(&model, &texts, Some(dimension), Patience::One);
            let vector = vectors.await?.pop().ok_or_else(busy)?;
            inner.remember(text, model, Arc::clone(&vector));
            Ok(vector)
        };
        in_time(self.inner.service.names(), patience, asking).await
    }
}

impl Inner {
    async fn ask(
        &self,
        model: &str,
        texts: &[&str],
        dimension: Option<usize>,
        patience: Patience,
    ) -> std::result::Result<Vec<Embedding>, Failure> {
        let estimate: usize = texts.iter().map(|text| estimate_tokens(text)).sum();
        let question = Question {
            model,
            input: texts,
            encoding_format: "float",
            dimensions: self.asked_dimension,
        };
        let count = texts.len();
        let read = |bytes: &[u8]| read_answer(bytes, count, dimension);
        self.service.post(&question, estimate, patience, read).await
    }

    fn remembered(&self, text: &str, model: &str, dimension: usize) -> Option<Embedding> {
        let remembered = self.remembered.lock();
        let remembered = remembered.unwrap_or_else(PoisonError::into_inner);
        let mut known = remembered.iter();
        known
            .find(|(t, m, vector)| t == text && m == model && vector.len() == dimension)
            .map(|(_, _, vector)| Arc::clone(vector))
    }

    fn remember(&self, text: String, model: String, vector: Embedding) {
        let remembered = self.remembered.lock();
        let mut remembered = remembered.unwrap_or_else(PoisonError::into_inner);
        remembered.truncate(REMEMBERED_MAX - 1);
        remembered.push_front((text, model, vector));
    }
}

/// Checks everything about an answer before anybody relies on it: a vector is never invented.
fn read_answer(
    bytes: &[u8],
    count: usize,
    dimension: Option<usize>,
) -> std::result::Result<(Vec<Embedding>, Option<u64>), String> {
    let answer: Answer = serde_json::from_slice(bytes)
        .map_err(|_| "what it answered is no list of vectors".to_owned())?;
    if answer.data.len() != count {
        let got = answer.data.len();
        return Err(format!("it was asked for {count} vectors and gave {got}"));
    }
    let mut vectors: Vec<Option<Embedding>> = vec![None; count];
    let wanted = dimension.or(answer.data.first().map(|item| item.embedding.len()));
    for (place, item) in answer.data.into_iter().enumerate() {
        let got = item.embedding.len();
        if wanted != Some(got) || got == 0 || got > DIMENSION_MAX {
            let wanted = wanted.unwrap_or_default();
            return Err(format!(
                "it gave a vector of {got} numbers where {wanted} were expected; \
                 SAGE_EMBED_DIMS says how many there are to be"
            ));
        }
        let vector = unit(item.embedding).ok_or("it gave a vector that is none")?;
        let slot = vectors.get_mut(item.index.unwrap_or(place));
        *slot.ok_or("it numbered its vectors wrongly")? = Some(vector);
    }
    let vectors: Option<Vec<_>> = vectors.into_iter().collect();
    let vectors = vectors.ok_or("it gave two vectors for one text")?;
    Ok((vectors, answer.usage.and_then(|usage| usage.total_tokens)))
}

/// The same direction with length 1; nothing if there is no direction.
fn unit(mut vector: Vec<f32>) -> Option<Embedding> {
    let square: f64 = vector.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
    let length = square.sqrt();
    if !length.is_finite() || length < f64::from(f32::MIN_POSITIVE) {
        return None;
    }
    for x in &mut vector {
        *x = (f64::from(*x) / length) as f32;
    }
    Some(vector.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, count: usize, dimension: Option<usize>) -> Option<Vec<Vec<f32>>> {
        let (vectors, _) = read_answer(text.as_bytes(), count, dimension).ok()?;
        Some(vectors.iter().map(|vector| vector.to_vec()).collect())
    }

    #[test]
    fn an_answer_is_taken_in_the_order_it_names_and_at_length_one() {
        let text = r#"{"data": [{"index": 1, "embedding": [0, 2]}, {"index": 0, "embedding": [3, 4]}],
                       "usage": {"total_tokens": 7, "prompt_tokens": 7}, "object": "list"}"#;
        let expected = vec![vec![0.6, 0.8], vec![0.0, 1.0]];
        assert_eq!(read(text, 2, None), Some(expected));
    }

    #[test]
    fn whatever_is_wrong_with_an_answer_is_noticed() {
        for (text, count, dimension) in [
            ("", 1, None),
            ("[]", 1, None),
            (r#"{"data": []}"#, 1, None),
            (
                r#"{"data": [{"embedding": [1]}, {"embedding": [1]}]}"#,
                1,
                None,
            ),
            (r#"{"data": [{"embedding": [1, 2]}]}"#, 1, Some(3)),
            (r#"{"data": [{"embedding": []}]}"#, 1, None),
            (r#"{"data": [{"embedding": [0, 0]}]}"#, 1, None),
            (r#"{"data": [{"embedding": [1e39, 0]}]}"#, 1, None),
            (r#"{"data": [{"embedding": ["1"]}]}"#, 1, None),
            (r#"{"data": [{"index": 5, "embedding": [1]}]}"#, 1, None),
            (
                r#"{"data": [{"index": 0, "embedding": [1]}, {"index": 0, "embedding": [1]}]}"#,
                2,
                None,
            ),
            (
                r#"{"data": [{"embedding": [1]}, {"embedding": [1, 2]}]}"#,
                2,
                None,
            ),
        ] {
            assert_eq!(read(text, count, dimension), None, "{text}");
        }
    }
}
