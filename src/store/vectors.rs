//! What the verbs about vectors take and give.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::Candidate;
use crate::memory::Timestamp;

/// A model whose vectors the store holds, or waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// The store's own number of it; a later one is larger.
    pub id: i64,
    /// What its service calls it.
    pub name: String,
    /// How many numbers a vector has.
    pub dimension: usize,
    /// Passages that still wait for a vector.
    pub waiting: u64,
}

/// A vector that a passage brings along, because making it takes no time. It is kept together with
/// the passage where the store knows the model.
#[derive(Debug, Clone)]
pub struct OwnVector {
    /// The model's name.
    pub model: &'static str,
    /// Its length is 1, or 0 where the model knows no word of the passage.
    pub numbers: Vec<f32>,
}

/// What somebody has taken on.
#[derive(Debug, Clone, Default)]
pub struct Claim {
    /// Stands for this claim.
    pub holder: i64,
    /// Nothing where there is nothing to do now.
    pub work: Vec<Work>,
    /// When there may be more, if others hold what waits.
    pub next: Option<Timestamp>,
}

/// A passage that waits for a vector.
#[derive(Debug, Clone)]
pub struct Work {
    /// The store's own number of it.
    pub passage: i64,
    /// Its words.
    pub text: String,
    /// Stands for the words.
    pub digest: [u8; 16],
    /// Whether another passage with the same words has a vector already.
    pub is_known: bool,
}

/// What became of a passage that was claimed.
#[derive(Debug, Clone)]
pub struct Embedded {
    /// The store's own number of it.
    pub passage: i64,
    /// Stands for its words.
    pub digest: [u8; 16],
    /// Its vector.
    pub made: Made,
}

/// Where a vector comes from.
#[derive(Debug, Clone)]
pub enum Made {
    /// A model made it; its length is 1.
    New(Arc<[f32]>),
    /// Another passage with the same words has it.
    Same,
}

/// The passages nearest to a query.
#[derive(Debug, Clone, Default)]
pub struct Nearest {
    /// Each with the cosine of its vector and the query's, ordered by passage.
    pub passages: Vec<(Candidate, f32)>,
    /// How far the nearest stands out from what is near the query by chance, in standard
    /// deviations.
    pub stands_out: f64,
}

/// Stands for the words of a passage.
pub(super) fn digest(text: &str) -> [u8; 16] {
    let whole: [u8; 32] = Sha256::digest(text).into();
    whole.first_chunk().copied().unwrap_or_default()
}

/// A number for a claim that no other claim has.
pub(super) fn new_holder() -> i64 {
    let (high, low) = uuid::Uuid::new_v4().as_u64_pair();
    (high ^ low).cast_signed() | 1
}
