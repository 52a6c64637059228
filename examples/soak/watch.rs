//! Whether anything grew: the last quarter of the day against the second.

use std::time::Duration;

use crate::machine::{Files, Usage};

/// How things stood at one point, with everybody at rest.
pub struct Sample {
    pub at: Duration,
    /// Of the server that stays.
    pub usage: Usage,
    /// Of the data folder.
    pub files: Files,
    /// Names of events that the store keeps for good, so that a replay brings nothing back.
    pub forgotten_events: u64,
}

/// SQLite closes files late, since closing one would drop its locks on another: a connection's
/// three, and one connection of a client whose end the system has not told yet.
const DESCRIPTORS_GROWTH: f64 = 4.0;

/// One thread passes on work, one writes the log, and six may block: how many of these are still there
/// depends on the last moments of the work, but nearly always it is all.
const THREADS_GROWTH: f64 = 2.0;

/// The store is a database, its log and the log's index at all times.
const FILES_GROWTH: f64 = 0.0;

/// At rest memory wavers, and in short runs on busy machines it still warms up in the last quarter:
/// five connections fill a page cache of 2 MiB each, and the allocator keeps about half as much again
/// until its threads end. In 20 minutes (100,000 operations of this server between the two quarters)
/// a loss of 170 bytes in each is more than that; in two minutes one of 4 kB.
const MEMORY_GROWTH: f64 = 16.0 * 1024.0 * 1024.0;

/// What the server may have in use under load, however slowly it got there.
const RESIDENT_MAX: f64 = 64.0 * 1024.0 * 1024.0;

/// A forget writes the store anew, so that the same memories take the same room but for chance.
const STORE_RATIO: f64 = 1.15;

/// What the name of a forgotten event takes on disk: its session, itself, and the page around it.
const EVENT_BYTES: f64 = 100.0;

/// The log is cut back to 8 MiB, and grows while anybody reads; a forget writes the whole store into
/// it, about as much again. Twice that is out of bounds, however long it was before.
const LOG_BYTES_MAX: f64 = 32.0 * 1024.0 * 1024.0;

/// So many samples make a median.
const SAMPLES_MIN: usize = 3;

/// One series, judged.
pub struct Verdict {
    pub name: &'static str,
    pub second: f64,
    pub last: f64,
    pub limit: f64,
    pub values: Vec<f64>,
}

impl Verdict {
    pub fn has_grown(&self) -> bool {
        self.last > self.limit
    }
}

/// Judges every series; an error where there is too little to judge.
pub fn judge(samples: &[Sample], length: Duration) -> Result<Vec<Verdict>, String> {
    let quarter = |number: u32| {
        let (from, to) = (length * (number - 1) / 4, length * number / 4);
        let all = samples
            .iter()
            .filter(move |s| s.at >= from && (s.at < to || number == 4));
        all.collect::<Vec<_>>()
    };
    let (second, last) = (quarter(2), quarter(4));
    if second.len().min(last.len()) < SAMPLES_MIN {
        return Err(format!(
            "too few samples to judge: {} in the second quarter, {} in the last",
            second.len(),
            last.len()
        ));
    }
    let verdict = |name, of: &dyn Fn(&Sample) -> f64, limit: &dyn Fn(f64) -> f64| {
        let median_of = |part: &[&Sample]| median(part.iter().map(|sample| of(sample)).collect());
        let before = median_of(&second);
        Verdict {
            name,
            second: before,
            last: median_of(&last),
            limit: limit(before),
            values: samples.iter().map(of).collect(),
        }
    };
    let events =
        |part: &[&Sample]| median(part.iter().map(|s| s.forgotten_events as f64).collect());
    let new_events = events(&last) - events(&second);
    Ok(vec![
        verdict("resident bytes", &|s| s.usage.resident as f64, &|b| {
            (b + MEMORY_GROWTH).min(RESIDENT_MAX)
        }),
        verdict("anonymous bytes", &|s| s.usage.anonymous as f64, &|b| {
            b + MEMORY_GROWTH
        }),
        verdict("threads", &|s| s.usage.threads as f64, &|b| {
            b + THREADS_GROWTH
        }),
        verdict("descriptors", &|s| s.usage.descriptors as f64, &|b| {
            b + DESCRIPTORS_GROWTH
        }),
        verdict("files", &|s| s.files.count as f64, &|b| b + FILES_GROWTH),
        verdict("store bytes", &|s| s.files.store_bytes as f64, &|b| {
            b * STORE_RATIO + new_events * EVENT_BYTES
        }),
        verdict("log bytes", &|s| s.files.log_bytes as f64, &|_| {
            LOG_BYTES_MAX
        }),
    ])
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
