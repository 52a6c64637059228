//! Capture, recall and context on stores of 1,000, 10,000 and 100,000 memories.
//!
//!     cargo bench                       all sizes (the largest takes minutes to fill)
//!     cargo bench -- /10k               one size
//!
//! The memories are made up, but always the same: turns of 30 to 230 words whose frequencies fall
//! as words do in prose, in sessions of 20 turns, in one project.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a program for developers"
)]

#[path = "../src/cli/bench/words.rs"]
mod words;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use sage::capture::Capture;
use sage::config::{Config, Flags};
use sage::engine::Engine;
use sage::memory::{Filter, Project, Scope};
use sage::recall::{ContextRequest, RecallRequest};
use tokio::runtime::Runtime;

use words::Words;

const SIZES: [(&str, usize); 3] = [("1k", 1_000), ("10k", 10_000), ("100k", 100_000)];

/// Turns of one transaction while a store is filled.
const BATCH: usize = 256;

struct Filled {
    engine: Engine,
    words: Words,
    _folder: tempfile::TempDir,
}

fn project() -> Project {
    Project::new("github.com/acme/shop")
}

fn fill(runtime: &Runtime, size: usize) -> Filled {
    let folder = tempfile::tempdir().unwrap();
    let flags = Flags {
        data_dir: Some(folder.path().to_owned()),
        ..Flags::default()
    };
    let engine = Engine::new(&Config::load(&flags, &|_| None).unwrap());
    let mut words = Words::new(42);
    for start in (0..size).step_by(BATCH) {
        let turns = (start..size.min(start + BATCH))
            .map(|turn| made_up(&mut words, turn))
            .collect();
        runtime.block_on(engine.capture_all(turns)).unwrap();
    }
    Filled {
        engine,
        words,
        _folder: folder,
    }
}

fn made_up(words: &mut Words, turn: usize) -> Capture {
    let (prompt, reply) = (words.text(10, 60), words.text(20, 170));
    let mut capture = Capture::turn(project(), &prompt, &reply, "bench");
    capture.session = Some(format!("session-{}", turn / 20));
    capture.event = Some(turn.to_string());
    capture
}

fn benches(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let filter = std::env::args().skip(1).find(|word| word.starts_with('/'));
    for (name, size) in SIZES {
        if filter
            .as_deref()
            .is_some_and(|filter| filter != format!("/{name}"))
        {
            continue;
        }
        let Filled {
            engine,
            mut words,
            _folder,
        } = fill(&runtime, size);
        let mut next = size;
        criterion.bench_function(&format!("capture/{name}"), |bencher| {
            bencher.iter(|| {
                next += 1;
                let turn = made_up(&mut words, next);
                runtime.block_on(engine.capture(black_box(turn))).unwrap()
            });
        });
        criterion.bench_function(&format!("recall/{name}"), |bencher| {
            bencher.iter(|| {
                runtime
                    .block_on(engine.recall(&recall(&mut words)))
                    .unwrap()
            });
        });
        criterion.bench_function(&format!("context/{name}"), |bencher| {
            bencher.iter(|| {
                runtime
                    .block_on(engine.context(&context(&mut words)))
                    .unwrap()
            });
        });
        percentiles(&runtime, &engine, &mut words, name);
    }
}

/// Criterion tells means; a person waits for the slowest.
fn percentiles(runtime: &Runtime, engine: &Engine, words: &mut Words, name: &str) {
    let mut times_us: Vec<u128> = (0..1_000)
        .map(|_| {
            let request = recall(words);
            let start = std::time::Instant::now();
            runtime.block_on(engine.recall(&request)).unwrap();
            start.elapsed().as_micros()
        })
        .collect();
    times_us.sort_unstable();
    let at = |share: usize| {
        times_us
            .get(times_us.len() * share / 100)
            .copied()
            .unwrap_or_default()
    };
    let stats = runtime.block_on(engine.stats(&Scope::All)).unwrap();
    println!(
        "recall/{name}: p50 {} us, p99 {} us; store {} MB, {} passages, peak memory {}",
        at(50),
        at(99),
        stats.store_bytes / 1_000_000,
        stats.passages,
        peak_memory()
    );
}

fn recall(words: &mut Words) -> RecallRequest {
    RecallRequest {
        query: words.text(5, 12),
        scope: Scope::Project(project()),
        filter: Filter::default(),
        limit: 10,
        offset: 0,
    }
}

fn context(words: &mut Words) -> ContextRequest {
    ContextRequest {
        query: words.text(5, 12),
        scope: Scope::Project(project()),
        filter: Filter::default(),
        tokens_max: 1_000,
        condense: false,
    }
}

fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or_else(|| "unknown".to_owned(), |size| size.trim().to_owned())
}

criterion_group!(all, benches);
criterion_main!(all);
