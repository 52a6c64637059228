//! Measures recall on files of the evaluation format (see `docs/recall.md`).
//!
//!     cargo run --release --example recall_eval -- FILE.jsonl…
//!
//! Each line of a file is one store. Every query goes the way that `search` goes: the ranked list
//! after the relevance floor is what counts.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a program for developers"
)]

use std::collections::{BTreeMap, HashMap};

use sage::capture::{Capture, Captured};
use sage::config::{Config, Flags};
use sage::engine::Engine;
use sage::memory::{Filter, Kind, MemoryId, Project, Scope, Timestamp};
use sage::recall::RecallRequest;
use serde::Deserialize;

#[derive(Deserialize)]
struct Conversation {
    name: String,
    documents: Vec<Document>,
    queries: Vec<Query>,
}

#[derive(Deserialize)]
struct Document {
    id: String,
    text: String,
    speaker: Option<String>,
    date: Option<String>,
    session: Option<u64>,
}

#[derive(Deserialize)]
struct Query {
    text: String,
    relevant: Vec<String>,
    category: String,
}

/// Sums over the queries of a category.
#[derive(Default)]
struct Score {
    queries: f64,
    recall: [f64; 3],
    reciprocal: f64,
    gain: f64,
    silent: f64,
}

const CUTS: [usize; 3] = [1, 5, 10];

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    for path in std::env::args().skip(1) {
        runtime.block_on(measure(&path));
    }
}

async fn measure(path: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    let conversations: Vec<Conversation> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mut scores: BTreeMap<String, Score> = BTreeMap::new();
    let (mut unanswerable, mut unanswered) = (0.0, 0.0);
    let mut times_us: Vec<u128> = Vec::new();
    for (index, conversation) in conversations.iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let flags = Flags {
            data_dir: Some(folder.path().to_owned()),
            ..Flags::default()
        };
        let engine = Engine::new(&Config::load(&flags, &|_| None).unwrap());
        let names = load(&engine, conversation).await;
        for query in &conversation.queries {
            let start = std::time::Instant::now();
            let found = search(&engine, &query.text).await;
            times_us.push(start.elapsed().as_micros());
            let found: Vec<&str> = found.iter().map(|id| names[id].as_str()).collect();
            let name = if conversations.len() < 5 {
                &conversation.name
            } else {
                &query.category
            };
            scores
                .entry(name.clone())
                .or_default()
                .add(&found, &query.relevant);
            scores
                .entry("all".to_owned())
                .or_default()
                .add(&found, &query.relevant);
        }
        if conversations.len() > 1 {
            let other = &conversations[(index + 1) % conversations.len()];
            for query in &other.queries {
                unanswerable += 1.0;
                unanswered += f64::from(u8::from(search(&engine, &query.text).await.is_empty()));
            }
        }
    }
    times_us.sort_unstable();
    println!(
        "{path}: p50 {} us, p99 {} us",
        times_us[times_us.len() / 2],
        times_us[times_us.len() * 99 / 100]
    );
    for (name, score) in &scores {
        println!("  {name:24} {}", score.line());
    }
    if unanswerable > 0.0 {
        println!(
            "  silent on another store's questions: {:.1} %",
            100.0 * unanswered / unanswerable
        );
    }
}

async fn load(engine: &Engine, conversation: &Conversation) -> HashMap<MemoryId, String> {
    let project = Project::new("eval");
    let captures: Vec<Capture> = conversation
        .documents
        .iter()
        .map(|document| capture(&project, document))
        .collect();
    let mut names = HashMap::new();
    for (captures, documents) in captures.chunks(256).zip(conversation.documents.chunks(256)) {
        for (outcome, document) in engine
            .capture_all(captures.to_vec())
            .await
            .unwrap()
            .iter()
            .zip(documents)
        {
            if let Captured::Stored { id, .. } | Captured::Known { id } = outcome {
                names.entry(*id).or_insert_with(|| document.id.clone());
            }
        }
    }
    names
}

/// Documents with session and speaker are turns, others notes.
fn capture(project: &Project, document: &Document) -> Capture {
    let text = match &document.speaker {
        Some(speaker) => format!("{speaker}: {}", document.text),
        None => document.text.clone(),
    };
    let turn = document.speaker.is_some() && document.session.is_some();
    let mut capture = match turn {
        true => Capture::turn(project.clone(), &text, "", "eval"),
        false => Capture::note(project.clone(), Kind::Note, &text, "eval"),
    };
    if turn {
        capture.session = document.session.map(|session| session.to_string());
        capture.event = Some(document.id.clone());
    }
    capture.created_at = document.date.as_deref().and_then(parse_date);
    capture
}

/// "1:56 pm on 8 May, 2023" and "2023-12-25".
fn parse_date(words: &str) -> Option<Timestamp> {
    let date = words.rsplit(" on ").next()?.replace(',', "");
    let date = jiff::civil::Date::strptime("%d %B %Y", &date)
        .or_else(|_| jiff::civil::Date::strptime("%Y-%m-%d", &date))
        .ok()?;
    jiff::tz::TimeZone::UTC
        .to_timestamp(date.at(0, 0, 0, 0))
        .ok()
}

async fn search(engine: &Engine, query: &str) -> Vec<MemoryId> {
    let request = RecallRequest {
        query: query.to_owned(),
        scope: Scope::Project(Project::new("eval")),
        filter: Filter::default(),
        limit: 100,
        offset: 0,
    };
    let found = engine.recall(&request).await.unwrap();
    found.hits.into_iter().map(|hit| hit.memory.id).collect()
}

impl Score {
    fn add(&mut self, found: &[&str], relevant: &[String]) {
        let is_relevant = |id: &&str| relevant.iter().any(|wanted| wanted == id);
        let ranks: Vec<usize> = found
            .iter()
            .enumerate()
            .filter(|(_, id)| is_relevant(id))
            .map(|(rank, _)| rank)
            .collect();
        let total = relevant.len() as f64;
        self.queries += 1.0;
        self.silent += f64::from(u8::from(found.is_empty()));
        for (sum, cut) in self.recall.iter_mut().zip(CUTS) {
            *sum += ranks.iter().filter(|rank| **rank < cut).count() as f64 / total;
        }
        self.reciprocal += ranks.first().map_or(0.0, |rank| 1.0 / (*rank as f64 + 1.0));
        let discount = |rank: usize| 1.0 / (rank as f64 + 2.0).log2();
        let ideal: f64 = (0..relevant.len().min(10)).map(discount).sum();
        self.gain += ranks
            .iter()
            .filter(|rank| **rank < 10)
            .map(|rank| discount(*rank))
            .sum::<f64>()
            / ideal;
    }

    fn line(&self) -> String {
        let percent = |sum: f64| 100.0 * sum / self.queries;
        format!(
            "R@1 {:.1} R@5 {:.1} R@10 {:.1} MRR {:.1} nDCG@10 {:.1} silent {:.1} ({} queries)",
            percent(self.recall[0]),
            percent(self.recall[1]),
            percent(self.recall[2]),
            percent(self.reciprocal),
            percent(self.gain),
            percent(self.silent),
            self.queries
        )
    }
}
