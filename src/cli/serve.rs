//! `sage serve`: the server, until a signal ends it.

use std::io::IsTerminal;
use std::sync::Arc;

use argh::FromArgs;

use super::{Outcome, Setup, output};
use crate::claude::install::shell_word;
use crate::error::Result;
use crate::server::{self, Announcement, End};

/// Serve MCP, health, metrics and a JSON API over HTTP. `sage` alone does the same.
#[derive(FromArgs, Default)]
#[argh(
    subcommand,
    name = "serve",
    usage = "[OPTIONS]",
    help_triggers("-h", "--help"),
    example = "sage serve",
    example = "sage serve --listen 127.0.0.1:8080 --listen unix:/run/user/1000/sage.sock",
    note = "It ends at Ctrl-C or SIGTERM, after what is in progress; a second one ends it at once.",
    note = "Beyond this machine it listens only with a token: SAGE_TOKEN_FILE or SAGE_TOKEN."
)]
pub(super) struct Serve {
    /// where to listen, HOST:PORT or unix:/PATH; may be repeated (default: 127.0.0.1:17800)
    #[argh(option)]
    pub(super) listen: Vec<String>,
    /// the project of calls that name none
    #[argh(option)]
    pub(super) project: Option<String>,
    /// the folder that holds the store
    #[argh(option)]
    pub(super) data_dir: Option<std::path::PathBuf>,
}

pub(super) async fn run(setup: &Setup) -> Result<Outcome> {
    let style = &setup.style;
    let announce = |announcement: &Announcement| {
        if !std::io::stdout().is_terminal() {
            return Ok(false);
        }
        output::print(&banner(announcement, &|text| style.bold(text)))?;
        Ok(true)
    };
    let end = server::run(Arc::clone(&setup.engine), &setup.config, announce).await?;
    Ok(match end {
        End::Done => Outcome::Done,
        End::Cut => Outcome::Interrupted,
    })
}

/// What a person at a terminal sees at the start.
fn banner(announcement: &Announcement, bold: &dyn Fn(&str) -> String) -> String {
    let mut text = format!(
        "{} listens at {}\nMemories are kept in {}\n",
        bold(concat!("Sage ", env!("CARGO_PKG_VERSION"))),
        output::clean_line(&announcement.listeners.join(", ")),
        output::clean_line(&announcement.store),
    );
    let program = shell_word(&executable());
    text.push_str("\nConnect Claude Code, with hooks and tools:\n");
    text.push_str(&match &announcement.url {
        Some(url) => format!("  {program} install claude-code --via http --server {url}\n"),
        None => format!("  {program} install claude-code\n"),
    });
    text.push_str("\nOr its tools alone, in every project over stdio, or in this one over HTTP:\n");
    text.push_str(&format!(
        "  claude mcp add --scope user sage -- {program} mcp\n"
    ));
    if let Some(url) = &announcement.url {
        let token = match announcement.wants_token {
            true => " --header \"Authorization: Bearer $SAGE_TOKEN\"",
            false => "",
        };
        text.push_str(&format!(
            "  claude mcp add --transport http sage {url}/mcp \
             --header \"Sage-Project-Dir: $PWD\"{token}\n"
        ));
    }
    text.push_str("\nCtrl-C ends it. `sage --help` shows the commands.\n");
    text
}

/// How a shell finds this program.
fn executable() -> String {
    std::env::current_exe().map_or_else(|_| "sage".to_owned(), |path| path.display().to_string())
}
