//! `sage reindex`: makes the vectors that are missing, while somebody watches.

use std::io::IsTerminal;

use argh::FromArgs;
use serde_json::json;

use super::{Outcome, Setup, output};
use crate::error::Result;

/// Make the vectors that are missing.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "reindex",
    usage = "[OPTIONS]",
    help_triggers("-h", "--help"),
    example = "sage reindex",
    example = "sage reindex --prune",
    note = "A server does the same beside its work; this does it now, for instance after an import \
            or when SAGE_EMBED_MODEL was changed.",
    note = "What has a vector keeps it: after a failure or Ctrl-C the same command goes on.",
    note = "Vectors of a former model answer until the new one has nearly all; --prune deletes them \
            at the end."
)]
pub(super) struct Reindex {
    /// afterwards delete the vectors of other models
    #[argh(switch)]
    prune: bool,
    /// print JSON: made, pruned
    #[argh(switch)]
    json: bool,
    /// the folder that holds the store
    #[argh(option)]
    pub(super) data_dir: Option<std::path::PathBuf>,
}

pub(super) async fn run(args: &Reindex, setup: &Setup) -> Result<Outcome> {
    let is_watched = std::io::stderr().is_terminal();
    let told = |made: u64, waiting: u64| {
        if is_watched {
            output::write_stderr(&format!("\r{made} made, {waiting} to go\x1b[K"));
        }
    };
    let outcome = setup.engine.reindex(told).await;
    if is_watched {
        output::write_stderr("\r\x1b[K");
    }
    let made = outcome?;
    let pruned = match args.prune {
        true => setup.engine.prune_models().await?,
        false => 0,
    };
    super::tidy_up(setup).await;
    if args.json {
        output::print_json(&json!({"made": made, "pruned": pruned}))?;
        return Ok(Outcome::Done);
    }
    let mut text = format!("{} made\n", output::count(made, "vector", "vectors"));
    if args.prune {
        let models = output::count(pruned as u64, "other model", "other models");
        text.push_str(&format!("{models} deleted\n"));
    }
    output::print(&text)?;
    Ok(Outcome::Done)
}
