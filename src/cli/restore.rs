//! `sage restore`: puts a backup in the place of what is stored.

use std::path::Path;

use argh::FromArgs;
use serde_json::json;

use super::progress::Progress;
use super::{Outcome, Setup, output};
use crate::error::Result;
use crate::transfer::backup::{open, restore};

/// Put a backup in the place of all that is stored.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "restore",
    usage = "[OPTIONS] FILE",
    help_triggers("-h", "--help"),
    example = "sage restore sage-backup.jsonl",
    example = "SAGE_DATABASE_URL_FILE=new.url sage restore sage-backup.jsonl",
    note = "A store that holds memories is left alone unless --force says to replace them. What was
forgotten after the backup comes back with it.",
    note = "The file is checked first, and then all of it is put in place at once: if anything goes
wrong, the store is as it was. Whoever wants to write meanwhile waits."
)]
pub(super) struct Restore {
    /// what `sage backup`, or `sage export` of all projects, wrote
    #[argh(positional)]
    file: String,
    /// replace the memories that are stored
    #[argh(switch)]
    force: bool,
    /// print what was restored as JSON: memories, history, sessions, vectors, seconds
    #[argh(switch)]
    json: bool,
    /// the folder that holds the store
    #[argh(option)]
    pub(super) data_dir: Option<std::path::PathBuf>,
}

pub(super) async fn run(args: &Restore, setup: &Setup) -> Result<Outcome> {
    let backup = open(Path::new(&args.file)).await?;
    let header = backup.read.header.clone();
    let total = backup.read.lines;
    for (name, count) in &backup.read.unknown {
        let name = output::clean_line(name);
        let records = output::count(*count, "record", "records");
        output::note(&format!(
            "sage: passing over {records} of type \"{name}\", which this Sage does not know"
        ));
    }
    let mut progress = Progress::new();
    let restored = restore(&setup.engine, backup, args.force, &mut |records| {
        progress.count(records, total, "records");
    })
    .await;
    progress.clear();
    let merged = restored?;
    super::tidy_up(setup).await;
    let seconds = progress.elapsed().as_secs_f64();
    if args.json {
        output::print_json(&json!({
            "memories": merged.stored,
            "history": merged.history,
            "sessions": merged.sessions,
            "vectors": merged.vectors,
            "seconds": seconds,
        }))?;
    } else {
        output::print(&format!(
            "Restored in {seconds:.1} s, as of {}: {} and {}.\n",
            output::clean_line(&header.exported_at),
            output::count(merged.stored, "memory", "memories"),
            output::count(merged.sessions, "session", "sessions"),
        ))?;
    }
    Ok(Outcome::Done)
}
