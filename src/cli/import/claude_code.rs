//! `sage import claude-code`: brings in Claude Code's transcripts.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use argh::FromArgs;
use serde_json::{Value, json};

use super::{close, interrupted, row, turn_rows, turns_json};
use crate::cli::{Outcome, Setup, output, progress, variable};
use crate::error::{Error, Result};
use crate::transfer::import::claude_code::{self, Plan};
use crate::transfer::import::{NAMED_MAX, Summary, store_batches};

/// Bring in Claude Code's transcripts.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "claude-code",
    usage = "[OPTIONS] PATH...",
    help_triggers("-h", "--help"),
    example = "sage import claude-code ~/.claude/projects",
    example = "sage import claude-code --json session.jsonl",
    note = "Each turn goes to the project of the directory that it was said in.",
    note = "Run it as often as you like: what is known already is left alone.",
    note = "Ctrl-C stops in good order, and the same command goes on from there.",
    note = "Claude Code deletes its transcripts after about a month."
)]
pub(super) struct ClaudeCode {
    /// files, or folders to search for *.jsonl
    #[argh(positional)]
    path: Vec<PathBuf>,
    /// print the summary as JSON: files, turns, redacted, broken_lines, interrupted, seconds
    #[argh(switch)]
    json: bool,
    /// the folder that holds the store
    #[argh(option)]
    pub(super) data_dir: Option<PathBuf>,
}

/// What to do with an empty store.
pub(in crate::cli) fn first_steps() -> String {
    let folder = history().map_or_else(
        || "~/.claude/projects".to_owned(),
        |folder| output::clean_line(&folder.display().to_string()),
    );
    format!(
        "Nothing is stored yet. `sage import claude-code {folder}` brings in past conversations, \
         `sage remember TEXT` keeps a fact."
    )
}

/// The folder where Claude Code keeps its transcripts, if it is there.
fn history() -> Option<PathBuf> {
    let given = |name| variable(name).filter(|value| !value.is_empty());
    let base = given("CLAUDE_CONFIG_DIR")
        .map(PathBuf::from)
        .or_else(|| Some(Path::new(&given("HOME")?).join(".claude")))?;
    Some(base.join("projects")).filter(|folder| folder.is_dir())
}

pub(super) async fn run(args: &ClaudeCode, setup: &Setup) -> Result<Outcome> {
    if args.path.is_empty() {
        let folder = history().map_or_else(
            || "expected files or folders with transcripts".to_owned(),
            |folder| {
                let folder = folder.display();
                format!(
                    "expected files or folders; yours are in `sage import claude-code {folder}`"
                )
            },
        );
        return Err(Error::invalid("PATH", folder));
    }
    // Before the first word on the terminal, so that nobody can be too quick.
    let stop = interrupted()?;
    let started = Instant::now();
    let plan = claude_code::plan(&args.path);
    if plan.files.is_empty() && plan.unreadable.is_empty() {
        return Err(Error::NotFound(
            "there are no transcripts (*.jsonl) in there; Claude Code keeps them in \
             ~/.claude/projects"
                .to_owned(),
        ));
    }
    let mut progress = Progress::new(&plan);
    let files_found = plan.files.len() as u64;
    let batches = claude_code::read(plan.files)?;
    let stored = store_batches(&setup.engine, batches, stop, &mut |summary| {
        progress.show(summary);
    })
    .await;
    progress.clear();
    crate::cli::tidy_up(setup).await;
    let mut summary = stored?;
    let files_ended = summary.files_read + summary.unreadable.len() as u64;
    if !summary.interrupted && files_ended < files_found {
        let message = format!("reading stopped after {files_ended} of {files_found} files");
        return Err(Error::Internal(message));
    }
    summary.unreadable.splice(0..0, plan.unreadable);
    conclude(args, &summary, files_found, started.elapsed())
}

fn conclude(
    args: &ClaudeCode,
    summary: &Summary,
    files_found: u64,
    elapsed: Duration,
) -> Result<Outcome> {
    if args.json {
        output::print_json(&summary_json(summary, files_found, elapsed))?;
    } else {
        output::print(&render(summary, files_found, elapsed))?;
    }
    if summary.interrupted {
        return Ok(Outcome::Interrupted);
    }
    if summary.files_read == 0 && summary.turns() == 0 {
        return Err(Error::Io("nothing could be read".to_owned()));
    }
    Ok(Outcome::Done)
}

/// The line that shows how far an import is.
struct Progress {
    line: progress::Progress,
    files_total: u64,
    bytes_total: u64,
}

impl Progress {
    fn new(plan: &Plan) -> Self {
        let files_total = plan.files.len() as u64;
        if files_total > 0 {
            let files = output::count(files_total, "file", "files");
            output::note(&format!("importing {files}, {}", output::size(plan.bytes)));
        }
        Self {
            line: progress::Progress::new(),
            files_total,
            bytes_total: plan.bytes,
        }
    }

    fn show(&mut self, summary: &Summary) {
        let files_total = self.files_total;
        let files_done = summary.files_read + summary.unreadable.len() as u64;
        self.line
            .show(summary.bytes_read, self.bytes_total, &|seconds| {
                let turns = summary.turns();
                let rate = turns as f64 / seconds;
                format!("{files_done}/{files_total} files  {turns} turns  {rate:.0}/s")
            });
    }

    fn clear(&self) {
        self.line.clear();
    }
}

fn render(summary: &Summary, files_found: u64, elapsed: Duration) -> String {
    let mut text = String::new();
    let of_files = format!(" of {files_found}");
    row(&mut text, "files", summary.files_read, &of_files);
    turn_rows(&mut text, summary);
    for (reason, count) in &summary.broken {
        row(&mut text, "broken lines", *count, &format!("  {reason}"));
    }
    let name = |path: &Path| output::clean_line(&path.display().to_string());
    for (path, line, reason) in &summary.broken_first {
        text.push_str(&format!("  {}:{line}: {reason}\n", name(path)));
    }
    for (path, reason) in summary.unreadable.iter().take(NAMED_MAX) {
        let reason = output::clean_line(reason);
        text.push_str(&format!("could not be read: {}: {reason}\n", name(path)));
    }
    if let Some(more @ 1..) = summary.unreadable.len().checked_sub(NAMED_MAX) {
        text.push_str(&format!("could not be read: {more} more\n"));
    }
    close(&mut text, elapsed, summary.interrupted);
    text
}

fn summary_json(summary: &Summary, files_found: u64, elapsed: Duration) -> Value {
    let name = |path: &Path| path.display().to_string();
    let unreadable: Vec<Value> = summary
        .unreadable
        .iter()
        .map(|(path, reason)| json!({"path": name(path), "reason": reason}))
        .collect();
    let reasons: Vec<Value> = summary
        .broken
        .iter()
        .map(|(reason, count)| json!({"reason": reason, "count": count}))
        .collect();
    let first: Vec<Value> = summary
        .broken_first
        .iter()
        .map(|(path, line, reason)| json!({"path": name(path), "line": line, "reason": reason}))
        .collect();
    json!({
        "files": {"found": files_found, "read": summary.files_read, "unreadable": unreadable},
        "turns": turns_json(summary),
        "redacted": summary.redacted,
        "broken_lines": {"reasons": reasons, "first": first},
        "interrupted": summary.interrupted,
        "seconds": elapsed.as_secs_f64(),
    })
}
