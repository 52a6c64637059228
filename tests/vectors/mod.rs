//! Search by meaning, with a model behind an API.

mod condensing;
mod failures;
mod finding;
mod models;
mod moves;
mod pgvector;
mod reranking;
mod upgrade;

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Ask, Embedder, Home, Mood, Server, eventually};

/// A server whose vectors this service makes.
fn serve(home: &Home, embedder: &Embedder, more: &[(&str, &str)]) -> Server {
    let variables = embedder.variables();
    let own = variables
        .iter()
        .map(|(name, value)| (*name, value.as_str()));
    let all: Vec<(&str, &str)> = own.chain(more.iter().copied()).collect();
    Server::with(home, &all)
}

fn remember(server: &Server, text: &str) {
    let said = server.tool("remember", json!({"content": text}));
    assert!(said.contains("Kept as"), "{said}");
}

/// What `/health/detailed` says about vectors.
fn vectors(server: &Server) -> Value {
    server.get("/health/detailed").json()["vectors"].clone()
}

/// Waits until nothing waits for a vector.
#[track_caller]
fn all_made(server: &Server) {
    eventually("all vectors", || {
        (vectors(server)["passages_waiting"] == json!(0)).then_some(())
    });
}

/// What a search answers, whole.
fn search(server: &Server, query: &str) -> Value {
    let query = query
        .bytes()
        .map(|byte| format!("%{byte:02x}"))
        .collect::<String>();
    let ask = Ask::get(&format!("/api/search?query={query}&project=acme/shop"));
    server.ask(&ask).is(200).json()
}

/// The texts that a search finds, best first.
fn found(server: &Server, query: &str) -> Vec<String> {
    let found = search(server, query);
    let hits = found["hits"].as_array().unwrap().iter();
    hits.map(|hit| hit["memory"]["content"].as_str().unwrap().to_owned())
        .collect()
}

/// Memories that have nothing to do with what the tests ask for.
const OTHERS: &[&str] = &[
    "The release train leaves every second Tuesday at noon",
    "Log lines carry the request number and the tenant",
    "Anna prefers tabs in Makefiles and spaces elsewhere",
    "Kafka topics are named after the service that owns them",
    "The staging cluster runs in Frankfurt on three nodes",
    "Feature flags expire after ninety days without a review",
    "Rust edition 2024 came with the October upgrade",
    "Database migrations are forward only and never edited",
    "The mobile team speaks to the gateway over gRPC",
    "Unit tests must not sleep or touch the network",
    "Invoices are rendered with Typst instead of LaTeX",
    "The cache keeps sessions for twenty minutes",
];

/// What any service can do to those who ask it.
const FAILURES: [Mood; 8] = [
    Mood::Status(401, None),
    Mood::Status(429, Some(1)),
    Mood::Status(500, None),
    Mood::Slow(Duration::from_secs(3)),
    Mood::Drip,
    Mood::Garbage,
    Mood::Close,
    Mood::Flood,
];

/// Checks what Sage does about each of those, and about what only this kind of service can do; each
/// in a home of its own, all at once.
fn whatever_it_does(home: &Home, beside: &[Mood], check: fn(&Home, &Mood)) {
    let moods: Vec<&Mood> = FAILURES.iter().chain(beside).collect();
    let homes: Vec<Home> = moods.iter().map(|_| home.another()).collect();
    std::thread::scope(|scope| {
        for (home, mood) in homes.iter().zip(moods) {
            scope.spawn(move || check(home, mood));
        }
    });
}
