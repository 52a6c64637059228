//! How a store grows: loads made-up memories and measures recall, saving, and both at once.
//!
//!     cargo build --release --bins && cargo run --release --example scale -- --passages 10000,100000
//!
//! In a folder of TMPDIR, or in a database that `--database-url` names. English and Chinese; words are as unevenly
//! frequent as in prose, so some occur in nearly every passage. The store is loaded in this process,
//! as an import does it, and asked through `sage serve`, as clients do it.
#![allow(clippy::indexing_slicing, reason = "a program for developers")]

mod load;
mod measure;
mod server;
#[path = "../../src/cli/bench/words.rs"]
mod words;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use argh::FromArgs;
use serde_json::{Value, json};

/// Measure Sage on stores of several sizes.
#[derive(FromArgs)]
struct Options {
    /// sizes, ascending, separated by commas (default 10000,100000)
    #[argh(option, default = "\"10000,100000\".to_owned()")]
    passages: String,
    /// the executable (default: `sage` beside this program's folder)
    #[argh(option)]
    sage: Option<PathBuf>,
    /// a PostgreSQL database, empty or begun by this program, instead of the embedded store
    #[argh(option)]
    database_url: Option<String>,
    /// how long each measurement goes on, in seconds (default 10)
    #[argh(option, default = "10")]
    seconds: u64,
    /// print the result as JSON
    #[argh(switch)]
    json: bool,
}

/// What was measured at one size.
struct Row {
    passages: u64,
    memories: u64,
    loaded_a_second: f64,
    readings: measure::Readings,
    store_bytes: u64,
}

fn main() -> ExitCode {
    let options: Options = argh::from_env();
    match run(&options) {
        Ok(rows) => {
            if options.json {
                println!("{}", as_json(&rows));
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("scale: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(options: &Options) -> Result<Vec<Row>, String> {
    let sizes: Result<Vec<u64>, _> = options.passages.split(',').map(str::parse).collect();
    let sizes = sizes.map_err(|error| format!("--passages: {error}"))?;
    let executable = match &options.sage {
        Some(path) => path.clone(),
        None => beside().ok_or("there is no sage beside this program; name one with --sage")?,
    };
    let folder = tempfile::Builder::new().prefix("sage-scale-").tempdir();
    let folder = folder.map_err(|error| format!("no temporary folder: {error}"))?;
    let mut loader = load::Loader::new(folder.path(), options.database_url.as_deref())?;
    let mut rows = Vec::new();
    for size in sizes {
        let loaded_a_second = loader.fill(size)?;
        let server =
            server::Server::start(&executable, folder.path(), options.database_url.as_deref())?;
        let length = Duration::from_secs(options.seconds);
        let readings = measure::measure(&server, length)?;
        drop(server);
        let (memories, passages, store_bytes) = loader.size()?;
        let row = Row {
            passages,
            memories,
            loaded_a_second,
            readings,
            store_bytes,
        };
        if !options.json {
            print_row(&row);
        }
        rows.push(row);
    }
    Ok(rows)
}

fn beside() -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    let sage = own.parent()?.parent()?.join("sage");
    sage.is_file().then_some(sage)
}

/// How busy the machine was: what is measured on a busy one is too slow.
fn load_average() -> String {
    let told = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    told.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// One after the other: the larger ones take long.
fn print_row(row: &Row) {
    println!(
        "{} passages of {} memories; loaded at {:.0} passages a second; store {:.0} MB, server {:.1} MB; \
         load average {}; milliseconds, p50 / p99:",
        row.passages,
        row.memories,
        row.loaded_a_second,
        megabytes(row.store_bytes),
        megabytes(row.readings.resident_bytes),
        load_average(),
    );
    for (name, times) in row.readings.all() {
        println!(
            "  {name:<24} {:>8.2} / {:>8.2}   {:>7} calls, {:.0} a second",
            times.percentile(50),
            times.percentile(99),
            times.count(),
            times.rate()
        );
    }
}

fn as_json(rows: &[Row]) -> Value {
    let rows = rows.iter().map(|row| {
        let times = row.readings.all().map(|(name, times)| {
            let figures = json!({"p50_ms": times.percentile(50), "p99_ms": times.percentile(99),
                                 "calls": times.count(), "a_second": times.rate()});
            (name.to_owned(), figures)
        });
        json!({"passages": row.passages, "memories": row.memories,
               "loaded_a_second": row.loaded_a_second, "store_bytes": row.store_bytes,
               "resident_bytes": row.readings.resident_bytes,
               "times": times.collect::<serde_json::Map<_, _>>()})
    });
    json!({"rows": rows.collect::<Vec<_>>(), "load_average": load_average()})
}
