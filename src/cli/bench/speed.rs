//! `sage bench speed`: how long keeping and finding take, on made-up memories.

use std::fmt::Write;
use std::pin::pin;
use std::time::{Duration, Instant};

use argh::FromArgs;
use serde_json::{Value, json};

use super::throwaway::Throwaway;
use super::words::Words;
use super::{deliver, hundredths, number, percentiles};
use crate::capture::Capture;
use crate::cli::import::interrupted;
use crate::cli::progress::Progress;
use crate::cli::{Outcome, Setup, output};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::memory::{Filter, Project, Scope};
use crate::recall::{ContextRequest, RecallRequest};

/// Measure how fast it is: keep and find made-up memories.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "speed",
    usage = "[OPTIONS]",
    help_triggers("-h", "--help"),
    example = "sage bench speed",
    example = "sage bench speed --size 1000 --size 50000 --json -",
    note = "The memories are turns of 30 to 230 words as unevenly frequent as in prose, always the \
            same. Queries are drawn by frequency, which is the worst case."
)]
pub(super) struct Speed {
    /// how many memories (may be repeated; default 1000, 10000 and 100000)
    #[argh(option)]
    size: Vec<usize>,
    /// write the report as JSON to this file; - is stdout
    #[argh(option)]
    json: Option<String>,
    /// sqlite or postgres (default: as configured)
    #[argh(option)]
    store: Option<String>,
}

/// What is measured where nobody says how many.
const SIZES: [usize; 3] = [1_000, 10_000, 100_000];

/// Beyond this the made-up words say nothing new, and filling takes hours.
const SIZE_MAX: usize = 10_000_000;

/// Turns of one transaction while a store is filled.
const BATCH: usize = 256;

/// Turns kept one by one: each waits for the disk.
const SINGLES: usize = 200;

/// Recalls, and contexts: the 99th percentile is that of ten.
const QUERIES: usize = 1_000;

pub(super) async fn run(args: &Speed, setup: &Setup) -> Result<Outcome> {
    let sizes = match args.size.as_slice() {
        [] => &SIZES,
        sizes => sizes,
    };
    if sizes.iter().any(|size| !(1..=SIZE_MAX).contains(size)) {
        let what = format!("expected 1 to {SIZE_MAX} memories");
        return Err(Error::invalid("--size", what));
    }
    let mut stop = pin!(interrupted()?);
    let mut reports = Vec::new();
    for (index, size) in sizes.iter().enumerate() {
        let store = Throwaway::new(setup, args.store.as_deref(), index)?;
        let ended = tokio::select! {
            ended = measure(&store.engine, *size) => Some(ended),
            () = &mut stop => None,
        };
        store.discard().await?;
        let Some(report) = ended else {
            return Ok(Outcome::Interrupted);
        };
        let report = report?;
        if args.json.as_deref() != Some("-") {
            output::print(&row(&report, index == 0))?;
        }
        reports.push(report);
    }
    if let Some(file) = &args.json {
        let version = env!("CARGO_PKG_VERSION");
        deliver(&json!({"version": version, "sizes": reports}), file)?;
    }
    Ok(Outcome::Done)
}

async fn measure(engine: &Engine, size: usize) -> Result<Value> {
    let mut progress = Progress::new();
    let mut words = Words::new(42);
    for start in (0..size).step_by(BATCH) {
        let turns = start..size.min(start + BATCH);
        let turns = turns.map(|turn| made_up(&mut words, turn)).collect();
        engine.capture_all(turns).await?;
        progress.count(start as u64, size as u64, "memories");
    }
    let filled = progress.elapsed().as_secs_f64();
    let (mut captures, mut recalls, mut contexts) = (Vec::new(), Vec::new(), Vec::new());
    for turn in size..size + SINGLES {
        let turn = made_up(&mut words, turn);
        captures.push(timed(engine.capture(turn)).await?);
    }
    for _ in 0..QUERIES {
        let request = RecallRequest {
            query: words.text(5, 12),
            scope: scope(),
            filter: Filter::default(),
            limit: 10,
            offset: 0,
        };
        recalls.push(timed(engine.recall(&request)).await?);
        let request = ContextRequest {
            query: words.text(5, 12),
            scope: scope(),
            filter: Filter::default(),
            tokens_max: engine.context_tokens(),
            condense: false,
        };
        contexts.push(timed(engine.context(&request)).await?);
        progress.count(recalls.len() as u64, QUERIES as u64, "recalls");
    }
    engine.close().await?;
    let stats = engine.stats(&Scope::All).await?;
    progress.clear();
    Ok(json!({
        "memories": size,
        "passages": stats.passages,
        "filled_per_second": hundredths(size as f64 / filled),
        "capture_ms": percentiles(&mut captures),
        "recall_ms": percentiles(&mut recalls),
        "context_ms": percentiles(&mut contexts),
        "store_bytes": stats.store_bytes,
    }))
}

async fn timed<T>(call: impl Future<Output = Result<T>>) -> Result<Duration> {
    let start = Instant::now();
    call.await?;
    Ok(start.elapsed())
}

fn project() -> Project {
    Project::new("bench")
}

fn scope() -> Scope {
    Scope::Project(project())
}

/// A turn of a session of twenty.
fn made_up(words: &mut Words, turn: usize) -> Capture {
    let (prompt, reply) = (words.text(10, 60), words.text(20, 170));
    let mut capture = Capture::turn(project(), &prompt, &reply, "bench");
    capture.session = Some(format!("session-{}", turn / 20));
    capture.event = Some(turn.to_string());
    capture
}

/// A line of the table, the first with the heading.
fn row(report: &Value, is_first: bool) -> String {
    let mut text = match is_first {
        true => format!(
            "{:>9}{:>13}{:>17}{:>17}{:>17}{:>11}\n{:>9}{:>13}{:>17}{:>17}{:>17}\n",
            "memories",
            "filled",
            "capture",
            "recall",
            "context",
            "store",
            "",
            "a second",
            "p50/p99 ms",
            "p50/p99 ms",
            "p50/p99 ms"
        ),
        false => String::new(),
    };
    let _ = write!(
        text,
        "{:>9}{:>13.0}",
        number(report, "/memories"),
        number(report, "/filled_per_second")
    );
    for what in ["capture_ms", "recall_ms", "context_ms"] {
        let of = |part: &str| number(report, &format!("/{what}/{part}"));
        let pair = format!("{:.1}/{:.1}", of("p50"), of("p99"));
        let _ = write!(text, "{pair:>17}");
    }
    let size = output::size(number(report, "/store_bytes") as u64);
    let _ = writeln!(text, "{size:>11}");
    text
}
