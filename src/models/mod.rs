//! Models behind an OpenAI-compatible API: optional, and never in the way of keeping something.
//!
//! `service` carries requests: connections that are kept, limits, retries, a breaker. `embed` makes
//! vectors with it. A model that is away costs quality and nothing else, so every failure is a
//! value that says what the caller does without.

mod connection;
mod embed;
mod service;

pub use crate::breaker::Circuit;
pub use embed::{BATCH_MAX, EmbedHealth, Embedder, Embedding};
pub use service::Failure;
