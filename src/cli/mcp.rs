//! `sage mcp`: the tools of Sage for a client that speaks MCP over stdio.

use std::sync::Arc;

use argh::FromArgs;

use super::{Outcome, Setup, place, variable};
use crate::error::Result;

/// Serve MCP on stdin and stdout: what Claude Code starts.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "mcp",
    usage = "[OPTIONS]",
    help_triggers("-h", "--help"),
    example = "claude mcp add --scope user sage -- sage mcp",
    example = "claude mcp add --scope user sage -- sage mcp --data-dir ~/memories",
    note = "It ends when its stdin ends."
)]
pub(super) struct Mcp {
    /// the project of every call (default: decided by session and directory)
    #[argh(option)]
    pub(super) project: Option<String>,
    /// the folder that holds the store
    #[argh(option)]
    pub(super) data_dir: Option<std::path::PathBuf>,
}

pub(super) async fn run(setup: &Setup) -> Result<Outcome> {
    let hints = place::hints(&setup.config, &variable);
    // The store is not touched before the client asks for something.
    let worker = Arc::clone(&setup.engine);
    tokio::spawn(async move { worker.keep_making_vectors(false).await });
    let engine = Arc::clone(&setup.engine);
    crate::mcp::stdio::serve(engine, hints, setup.config.context_tokens).await?;
    Ok(Outcome::Done)
}
