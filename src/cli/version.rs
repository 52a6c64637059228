//! `sage version`: which Sage this is.

use argh::FromArgs;
use serde_json::json;

use super::{Outcome, output};
use crate::error::Result;

/// Print the version of this executable.
#[derive(FromArgs, Default)]
#[argh(
    subcommand,
    name = "version",
    help_triggers("-h", "--help"),
    example = "sage version",
    example = "sage version --json"
)]
pub(super) struct Version {
    /// print JSON: version
    #[argh(switch)]
    json: bool,
}

pub(super) fn run(args: &Version) -> Result<Outcome> {
    let version = env!("CARGO_PKG_VERSION");
    if args.json {
        output::print_json(&json!({ "version": version }))?;
    } else {
        output::print(&format!("sage {version}\n"))?;
    }
    Ok(Outcome::Done)
}
