//! `sage` alone: what it is, for somebody who meets it for the first time.

use super::{Outcome, output};
use crate::config::Config;
use crate::error::Result;

pub(super) fn run(config: &Config) -> Result<Outcome> {
    let data_dir = config.data_dir.display().to_string();
    output::print(&format!(
        "Sage gives Claude Code a long-term memory: it keeps what was said and decided, and
finds it again in milliseconds. Nothing leaves this machine.

Three commands to try:
  sage import claude-code ~/.claude/projects
      remembers your past conversations
  sage search how did we fix the login timeout
      finds what was said, by any words
  claude mcp add --scope user sage -- sage mcp
      lets Claude Code remember and recall

Memories are kept in {}
`sage --help` shows all commands.
",
        output::clean_line(&data_dir)
    ))?;
    Ok(Outcome::Done)
}
