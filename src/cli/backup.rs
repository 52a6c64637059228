//! `sage backup`: all that is remembered in one file that was proven readable.

use std::path::Path;

use argh::FromArgs;

use super::import::interrupted;
use super::progress::Progress;
use super::{Outcome, Setup, export};
use crate::error::Result;
use crate::transfer::backup::backup;

/// Write all that is remembered to a file, and read it back before it counts.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "backup",
    usage = "[OPTIONS] FILE",
    help_triggers("-h", "--help"),
    example = "sage backup sage-backup.jsonl",
    example = "sage backup --json /mnt/backups/sage.jsonl",
    note = "Others may go on writing: it holds the state of one moment, with a checksum.",
    note = "A file of that name is replaced when the new one is whole. Only you can read it.",
    note = "`sage restore FILE` puts it back, into either store."
)]
pub(super) struct Backup {
    /// where to
    #[argh(positional)]
    file: String,
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

pub(super) async fn run(args: &Backup, setup: &Setup) -> Result<Outcome> {
    let stop = interrupted()?;
    let mut progress = Progress::new();
    let path = Path::new(&args.file);
    let written = backup(&setup.engine, path, args.with_vectors, stop, &mut |done| {
        export::tell(&mut progress, done);
    })
    .await;
    progress.clear();
    export::conclude(&args.file, &written?, progress.elapsed(), args.json)
}
