//! `sage bench`: what Sage finds, and how fast, measured on stores of its own.

mod dataset;
mod recall;
mod report;
mod score;
mod speed;
mod throwaway;
mod words;

use std::time::Duration;

use argh::FromArgs;
use serde_json::{Value, json};

use super::{Outcome, Setup, output};
use crate::error::{Error, Result};

/// Measure what is found, or how fast.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "bench",
    usage = "recall DATASET... | speed",
    help_triggers("-h", "--help"),
    example = "sage bench recall questions.jsonl",
    example = "sage bench speed --size 1000",
    note = "It works on stores of its own, which it removes; yours are not touched."
)]
pub(super) struct Bench {
    #[argh(subcommand)]
    what: Option<What>,
}

#[derive(FromArgs)]
#[argh(subcommand)]
enum What {
    Recall(recall::Recall),
    Speed(speed::Speed),
}

pub(super) async fn run(args: &Bench, setup: &Setup) -> Result<Outcome> {
    match &args.what {
        Some(What::Recall(args)) => recall::run(args, setup).await,
        Some(What::Speed(args)) => speed::run(args, setup).await,
        None => Err(Error::invalid(
            "bench",
            "expected what to measure, as in `sage bench speed`; see `sage bench --help`",
        )),
    }
}

/// The median and the 99th percentile, in milliseconds.
fn percentiles(times: &mut [Duration]) -> Value {
    times.sort_unstable();
    let at = |percent: usize| {
        let place = times.len() * percent / 100;
        let time = times.get(place).or(times.last()).copied();
        hundredths(time.unwrap_or_default().as_secs_f64() * 1e3)
    };
    json!({"p50": at(50), "p99": at(99)})
}

/// Rounded to two places: more are noise.
fn hundredths(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

/// A number of a report, 0 where it is not there.
fn number(report: &Value, pointer: &str) -> f64 {
    let found = report.pointer(pointer).and_then(Value::as_f64);
    found.unwrap_or_default()
}

/// Prints a report, or writes it to a file.
fn deliver(report: &Value, file: &str) -> Result<()> {
    match file {
        "-" => output::print_json(report),
        file => std::fs::write(file, format!("{report:#}\n"))
            .map_err(|error| Error::Io(format!("{file} cannot be written: {error}"))),
    }
}
