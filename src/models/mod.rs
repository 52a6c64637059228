//! Models: one that is part of the executable (`builtin`), and others behind an OpenAI-compatible
//! API, which are optional and never in the way of keeping something.
//!
//! `service` carries requests: connections that are kept, limits, retries, a breaker. With it `embed`
//! makes vectors, `rerank` puts passages in order and `chat` says which lines answer a question. A
//! model that is away costs quality and nothing else, so every failure is a value that says what the
//! caller does without.

mod budget;
mod builtin;
mod chat;
mod connection;
mod embed;
mod rerank;
mod service;

pub use crate::breaker::Circuit;
pub use builtin::{builtin, builtin_query_vector, builtin_vector};
pub use chat::Chooser;
pub use embed::{BATCH_MAX, Embedder, Embedding};
pub use rerank::Reranker;
pub use service::{Failure, ServiceHealth};
