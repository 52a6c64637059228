//! `sage export`: writes all that is remembered as JSON lines.

use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::Path;
use std::time::Duration;

use argh::FromArgs;
use serde_json::{Value, json};

use super::import::interrupted;
use super::progress::Progress;
use super::{Outcome, Setup, output, select};
use crate::error::{Error, Result};
use crate::transfer::export::{Exported, export};
use crate::transfer::file::NewFile;

/// Write all that is remembered as JSON lines, to be read by `sage import sage` and by others.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "export",
    usage = "[OPTIONS] [FILE]",
    help_triggers("-h", "--help"),
    example = "sage export memories.jsonl",
    example = "sage export --project shop | gzip > shop.jsonl.gz",
    example = "sage export | SAGE_DATABASE_URL_FILE=new.url sage import sage -",
    note = "It is the state of one moment, whatever others write meanwhile.",
    note = "docs/export.md describes the format. A project's export tells nothing of others."
)]
pub(super) struct Export {
    /// where to; stdout without it, or with -
    #[argh(positional)]
    file: Option<String>,
    /// of this project: its key, or the end of it
    #[argh(option)]
    pub(super) project: Option<String>,
    /// of all projects, as without --project
    #[argh(switch)]
    all: bool,
    /// vectors too, which are made anew otherwise
    #[argh(switch)]
    with_vectors: bool,
    /// print what was written as JSON: file, records, bytes, sha256, seconds
    #[argh(switch)]
    json: bool,
    /// the folder that holds the store
    #[argh(option)]
    pub(super) data_dir: Option<std::path::PathBuf>,
}

pub(super) async fn run(args: &Export, setup: &Setup) -> Result<Outcome> {
    let file = args.file.as_deref().filter(|file| *file != "-");
    if args.json && file.is_none() {
        return Err(Error::invalid(
            "--json",
            "the export itself goes to stdout and is JSON; name a FILE for it",
        ));
    }
    let scope = select::reach_widely(setup, args.all).await?;
    let with_vectors = args.with_vectors;
    let stop = interrupted()?;
    let mut progress = Progress::new();
    let mut show = |done: &Exported| tell(&mut progress, done);
    let Some(file) = file else {
        let mut out = BufWriter::new(UntilClosed(io::stdout().lock()));
        let exported = export(
            &setup.engine,
            &scope,
            with_vectors,
            &mut out,
            stop,
            &mut show,
        )
        .await;
        progress.clear();
        return exported.map(|exported| outcome(&exported));
    };
    let mut out = NewFile::create(Path::new(file))?;
    let exported = export(
        &setup.engine,
        &scope,
        with_vectors,
        &mut out,
        stop,
        &mut show,
    )
    .await;
    progress.clear();
    let exported = exported?;
    if !exported.interrupted {
        out.finish()?;
    }
    conclude(file, &exported, progress.elapsed(), args.json)
}

/// Shows how far an export is.
pub(super) fn tell(progress: &mut Progress, done: &Exported) {
    progress.count(done.memories(), done.memories_total, "memories");
}

/// Tells what was written to a file.
pub(super) fn conclude(
    file: &str,
    exported: &Exported,
    elapsed: Duration,
    as_json: bool,
) -> Result<Outcome> {
    if exported.interrupted {
        output::note("Interrupted: nothing was written.");
    } else if as_json {
        output::print_json(&report(file, exported, elapsed))?;
    } else {
        let count = |name| exported.records.get(name).copied().unwrap_or_default();
        output::print(&format!(
            "{} of {} and {}, {}, in {:.1} s: {}\n",
            output::count(exported.memories(), "memory", "memories"),
            output::count(count("project"), "project", "projects"),
            output::count(count("session"), "session", "sessions"),
            output::size(exported.bytes),
            elapsed.as_secs_f64(),
            output::clean_line(file),
        ))?;
    }
    Ok(outcome(exported))
}

fn report(file: &str, exported: &Exported, elapsed: Duration) -> Value {
    json!({
        "file": file,
        "records": exported.records,
        "bytes": exported.bytes,
        "sha256": exported.sha256,
        "seconds": elapsed.as_secs_f64(),
    })
}

fn outcome(exported: &Exported) -> Outcome {
    match exported.interrupted {
        true => Outcome::Interrupted,
        false => Outcome::Done,
    }
}

/// A pipe whose reader may go away: it has read enough, and that is success.
struct UntilClosed<W>(W);

impl<W: Write> Write for UntilClosed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write(bytes) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(bytes.len()),
            written => written,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0.flush() {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            flushed => flushed,
        }
    }
}
