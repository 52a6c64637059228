//! `sage import sage`: takes in what `sage export` wrote, from whichever store.

use std::fs::File;
use std::io::{BufRead, BufReader, stdin};
use std::time::Duration;

use argh::FromArgs;
use serde_json::{Value, json};

use super::{close, interrupted, row};
use crate::cli::progress::Progress;
use crate::cli::{Outcome, Setup, output};
use crate::error::{Error, Result};
use crate::transfer::import::sage::{SageSummary, read_pieces, take_in};
use crate::transfer::reading::{Doubt, ReadExport};

/// Take in what `sage export` or `sage backup` wrote.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "sage",
    usage = "[OPTIONS] FILE",
    help_triggers("-h", "--help"),
    example = "sage import sage memories.jsonl",
    example = "ssh other sage export | sage import sage -",
    note = "It adds to what is here: ids, history, sessions and projects stay as they were, and what
is known already is left alone, so it may be repeated.",
    note = "What was forgotten here stays forgotten.",
    note = "Ctrl-C stops in good order, and the same command goes on from there."
)]
pub(super) struct Sage {
    /// an export, or - for stdin
    #[argh(positional)]
    file: String,
    /// print the summary as JSON: memories, sessions, directories, forgotten_events,
    /// rules, injections, vectors, unknown_records, interrupted, seconds
    #[argh(switch)]
    json: bool,
    /// the folder that holds the store
    #[argh(option)]
    pub(super) data_dir: Option<std::path::PathBuf>,
}

pub(super) async fn run(args: &Sage, setup: &Setup) -> Result<Outcome> {
    let stop = interrupted()?;
    let (input, bytes_total) = open(&args.file)?;
    let mut progress = Progress::new();
    let taken = take_in(&setup.engine, read_pieces(input)?, stop, &mut |summary| {
        progress.show(summary.bytes_read, bytes_total, &|seconds| {
            let rate = summary.records as f64 / seconds;
            format!("{} records  {rate:.0}/s", summary.records)
        });
    })
    .await;
    progress.clear();
    crate::cli::tidy_up(setup).await;
    let summary = taken.map_err(|error| match error {
        Error::Io(message) => Error::Io(format!("{}: {message}", shown(&args.file))),
        other => other,
    })?;
    match args.json {
        true => output::print_json(&summary_json(&summary, progress.elapsed()))?,
        false => output::print(&render(&summary, progress.elapsed()))?,
    }
    let doubt = summary.read.as_ref().and_then(|read| read.doubt);
    match doubt {
        _ if summary.interrupted => Ok(Outcome::Interrupted),
        None => Ok(Outcome::Done),
        Some(Doubt::CutOff) => Err(Error::Io(format!(
            "{} is cut off: its last line is missing. What it held was taken in; import a whole \
             one to have the rest",
            shown(&args.file)
        ))),
        Some(Doubt::Changed) => {
            output::note(&format!(
                "sage: {} was changed after it was written: its checksum is another. What it held \
                 was taken in",
                shown(&args.file)
            ));
            Ok(Outcome::Done)
        }
    }
}

fn shown(file: &str) -> String {
    match file {
        "-" => "stdin".to_owned(),
        file => output::clean_line(file),
    }
}

/// The input, and how large it is where that is known.
fn open(file: &str) -> Result<(Box<dyn BufRead + Send>, u64)> {
    if file == "-" {
        return Ok((Box::new(BufReader::new(stdin())), 0));
    }
    let unreadable = |error: std::io::Error| Error::Io(format!("{}: {error}", shown(file)));
    let opened = File::open(file).map_err(unreadable)?;
    let bytes = opened.metadata().map_err(unreadable)?.len();
    Ok((Box::new(BufReader::new(opened)), bytes))
}

fn render(summary: &SageSummary, elapsed: Duration) -> String {
    let merged = &summary.merged;
    let mut text = String::new();
    row(&mut text, "memories added", merged.stored, "");
    row(&mut text, "history added", merged.history, "");
    row(&mut text, "memories updated", merged.updated, "");
    row(&mut text, "already known", merged.known, "");
    let mut some = |name: &str, number: u64, detail: &str| {
        if number > 0 {
            row(&mut text, name, number, detail);
        }
    };
    some("not kept", merged.forgotten, "  it was forgotten here");
    some(
        "not kept",
        merged.orphaned,
        "  history of what was left out",
    );
    some("sessions added", merged.sessions, "");
    some("directories added", merged.directories, "");
    some(
        "forgotten events",
        merged.events,
        "  stay forgotten from now on",
    );
    some("projects' rules", merged.rules, "");
    some("ledger lines", merged.injections, "");
    some("vectors", merged.vectors, "");
    for (name, count) in unknown(summary) {
        let name = output::clean_line(name);
        let why = format!("  records of type \"{name}\", which this Sage does not know");
        some("passed over", *count, &why);
    }
    close(&mut text, elapsed, summary.interrupted);
    text
}

fn unknown(summary: &SageSummary) -> impl Iterator<Item = (&String, &u64)> {
    let read: Option<&ReadExport> = summary.read.as_ref();
    read.into_iter().flat_map(|read| &read.unknown)
}

fn summary_json(summary: &SageSummary, elapsed: Duration) -> Value {
    let merged = &summary.merged;
    let unknown: Vec<Value> = unknown(summary)
        .map(|(name, count)| json!({"type": name, "count": count}))
        .collect();
    json!({
        "memories": {
            "stored": merged.stored,
            "history": merged.history,
            "updated": merged.updated,
            "known": merged.known,
            "forgotten": merged.forgotten,
            "orphaned": merged.orphaned,
        },
        "sessions": merged.sessions,
        "directories": merged.directories,
        "forgotten_events": merged.events,
        "rules": merged.rules,
        "injections": merged.injections,
        "vectors": merged.vectors,
        "unknown_records": unknown,
        "interrupted": summary.interrupted,
        "seconds": elapsed.as_secs_f64(),
    })
}
