//! What the soak tells: a line now and then, a table at the end, JSON for programs.

use std::time::Duration;

use serde_json::{Value, json};

use crate::day::Day;
use crate::stage::lock;
use crate::watch::Verdict;

/// A line about how far it is.
pub fn progress(day: &Day, elapsed: Duration) -> String {
    let tally = lock(&day.stage.tally);
    let sum = |of: &dyn Fn(&crate::stage::Kind) -> u64| tally.kinds.values().map(of).sum::<u64>();
    let live: usize = day.books.iter().map(|book| lock(book).live()).sum();
    let usage = day.samples.last().map(|sample| {
        let usage = sample.usage;
        format!(
            ", {} resident, {} descriptors, {} on disk",
            mebibytes(usage.resident as f64),
            usage.descriptors,
            mebibytes((sample.files.store_bytes + sample.files.log_bytes) as f64)
        )
    });
    format!(
        "{:4} s: {} operations, {live} memories, {} restarts, {} errors{}",
        elapsed.as_secs(),
        sum(&|kind| kind.took.len() as u64),
        day.starts.len().saturating_sub(1),
        sum(&|kind| kind.errors) + day.problems.len() as u64,
        usage.unwrap_or_default()
    )
}

/// Everything as a table.
pub fn table(day: &Day, verdicts: &[Verdict]) -> String {
    let tally = lock(&day.stage.tally);
    let mut text = format!(
        "{:<16}{:>10}{:>10}{:>10}{:>13}{:>8}\n",
        "work", "done", "p50 ms", "p99 ms", "interrupted", "errors"
    );
    for (name, kind) in &tally.kinds {
        let mut took = kind.took.clone();
        text.push_str(&format!(
            "{name:<16}{:>10}{:>10.2}{:>10.2}{:>13}{:>8}\n",
            took.len(),
            percentile(&mut took, 50),
            percentile(&mut took, 99),
            kind.interrupted,
            kind.errors
        ));
    }
    for (name, times) in [("start", &day.starts), ("end", &day.ends)] {
        let mut took = micros(times);
        text.push_str(&format!(
            "{name:<16}{:>10}{:>10.2}{:>10.2}\n",
            took.len(),
            percentile(&mut took, 50),
            percentile(&mut took, 99)
        ));
    }
    text.push_str(&format!(
        "\n{} servers killed, {} memories compared after restarts\n\n",
        day.kills, day.compared
    ));
    text.push_str(&format!(
        "{:<18}{:>14}{:>14}{:>14}\n",
        "at rest", "2nd quarter", "last quarter", "limit"
    ));
    for verdict in verdicts {
        let shown = |number: f64| match verdict.name.ends_with("bytes") {
            true => mebibytes(number),
            false => format!("{number:.0}"),
        };
        text.push_str(&format!(
            "{:<18}{:>14}{:>14}{:>14}{}\n",
            verdict.name,
            shown(verdict.second),
            shown(verdict.last),
            shown(verdict.limit),
            if verdict.has_grown() { "  GREW" } else { "" }
        ));
        if verdict.has_grown() {
            let values: Vec<_> = verdict.values.iter().map(|value| shown(*value)).collect();
            text.push_str(&format!("    {}\n", values.join(", ")));
        }
    }
    text
}

/// The same for programs. Times are in milliseconds, sizes in bytes.
pub fn json(day: &Day, verdicts: &[Verdict], failures: &[String]) -> Value {
    let tally = lock(&day.stage.tally);
    let kinds: Vec<_> = tally
        .kinds
        .iter()
        .map(|(name, kind)| {
            let mut took = kind.took.clone();
            json!({"work": name, "done": took.len(), "p50_ms": percentile(&mut took, 50),
                   "p99_ms": percentile(&mut took, 99), "interrupted": kind.interrupted,
                   "errors": kind.errors})
        })
        .collect();
    let series: Vec<_> = verdicts
        .iter()
        .map(|v| {
            json!({"name": v.name, "second_quarter": v.second, "last_quarter": v.last,
                   "limit": v.limit, "has_grown": v.has_grown(), "values": v.values})
        })
        .collect();
    let at: Vec<_> = day.samples.iter().map(|s| s.at.as_secs_f64()).collect();
    json!({"seconds": day.length.as_secs(), "work": kinds, "sampled_at_s": at, "series": series,
           "starts": day.starts.len(), "ends": day.ends.len(), "kills": day.kills,
           "compared": day.compared, "passed": failures.is_empty(), "failures": failures})
}

fn micros(times: &[Duration]) -> Vec<u32> {
    let micros = times.iter().map(|time| u32::try_from(time.as_micros()));
    micros.map(|time| time.unwrap_or(u32::MAX)).collect()
}

/// In milliseconds.
fn percentile(took: &mut [u32], percent: usize) -> f64 {
    took.sort_unstable();
    let at = took.len().saturating_sub(1) * percent / 100;
    f64::from(took.get(at).copied().unwrap_or_default()) / 1e3
}

fn mebibytes(bytes: f64) -> String {
    format!("{:.1} MiB", bytes / f64::from(1 << 20))
}
