//! `sage import`: brings in what other programs, and other stores, kept.

mod claude_code;
mod predecessor;
mod sage;

use std::path::PathBuf;
use std::time::Duration;

use argh::FromArgs;
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use super::{Outcome, Setup, output};
use crate::error::{Error, Result};
use crate::transfer::import::Summary;

pub(super) use claude_code::first_steps;

/// Bring in past conversations.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "import",
    usage = "SOURCE [OPTIONS] PATH...",
    help_triggers("-h", "--help"),
    example = "sage import claude-code ~/.claude/projects",
    example = "sage import sage memories.jsonl",
    example = "sage import predecessor --from-env OLD_DATABASE_URL",
    note = "Run it as often as you like: what is known already is left alone."
)]
pub(super) struct Import {
    #[argh(subcommand)]
    source: Option<Source>,
}

#[derive(FromArgs)]
#[argh(subcommand)]
enum Source {
    ClaudeCode(claude_code::ClaudeCode),
    Sage(sage::Sage),
    Predecessor(predecessor::Predecessor),
}

impl Import {
    pub(super) fn data_dir(&self) -> &Option<PathBuf> {
        match &self.source {
            Some(Source::ClaudeCode(args)) => &args.data_dir,
            Some(Source::Sage(args)) => &args.data_dir,
            Some(Source::Predecessor(args)) => &args.data_dir,
            None => &None,
        }
    }

    pub(super) fn project(&self) -> Option<&String> {
        match &self.source {
            Some(Source::Predecessor(args)) => args.project.as_ref(),
            _ => None,
        }
    }
}

pub(super) async fn run(args: &Import, setup: &Setup) -> Result<Outcome> {
    match &args.source {
        Some(Source::ClaudeCode(args)) => claude_code::run(args, setup).await,
        Some(Source::Sage(args)) => sage::run(args, setup).await,
        Some(Source::Predecessor(args)) => predecessor::run(args, setup).await,
        None => Err(Error::invalid(
            "import",
            "expected what to import, as in `sage import claude-code ~/.claude/projects`",
        )),
    }
}

/// A line of a summary.
fn row(text: &mut String, name: &str, number: u64, detail: &str) {
    text.push_str(&format!(
        "{}{number:>9}{detail}\n",
        output::pad(name, NAME_COLUMNS)
    ));
}

/// The longest name of a line of a summary, with two blanks behind it.
const NAME_COLUMNS: usize = 19;

/// What became of captured turns.
fn turn_rows(text: &mut String, summary: &Summary) {
    row(text, "turns stored", summary.stored, "");
    row(text, "turns updated", summary.updated, "");
    row(text, "already known", summary.known, "");
    for (refusal, count) in &summary.refused {
        row(text, "not kept", *count, &format!("  {}", refusal.reason()));
    }
    if let Some((count, reason)) = &summary.invalid {
        let reason = format!("  {}", output::clean_line(reason));
        row(text, "not taken", *count, &reason);
    }
    row(text, "secrets taken out", summary.redacted, "");
}

/// The last lines of a summary.
fn close(text: &mut String, elapsed: Duration, interrupted: bool) {
    text.push_str(&format!("It took {:.1} s.\n", elapsed.as_secs_f64()));
    if interrupted {
        text.push_str("Interrupted: all this is kept, and the same command goes on from here.\n");
    }
}

/// What became of captured turns, for scripts.
fn turns_json(summary: &Summary) -> Value {
    let refused = summary.refused.iter();
    let refused = refused.map(|(refusal, count)| (refusal.reason(), *count));
    let invalid = summary.invalid.iter();
    let invalid = invalid.map(|(count, reason)| (reason.as_str(), *count));
    let refused: Vec<Value> = refused
        .chain(invalid)
        .map(|(reason, count)| json!({"reason": reason, "count": count}))
        .collect();
    json!({
        "stored": summary.stored,
        "updated": summary.updated,
        "known": summary.known,
        "refused": refused,
    })
}

/// Done when somebody presses Ctrl-C. From the call on, that alone ends nothing.
pub(in crate::cli) fn interrupted() -> Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())
        .map_err(|error| Error::Internal(format!("Ctrl-C cannot be watched: {error}")))?;
    Ok(async move {
        interrupt.recv().await;
    })
}
