//! `sage import`: brings in what other programs kept.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use argh::FromArgs;
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use super::progress::{Progress, clock};
use super::{Outcome, Setup, output, variable};
use crate::error::{Error, Result};
use crate::transfer::import::claude_code::{self, Plan};
use crate::transfer::import::{NAMED_MAX, Summary, store_batches};

/// Bring in past conversations.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "import",
    usage = "SOURCE [OPTIONS] PATH...",
    help_triggers("-h", "--help"),
    example = "sage import claude-code ~/.claude/projects",
    example = "sage import claude-code --json session.jsonl",
    note = "Run it as often as you like: what is known already is left alone."
)]
pub(super) struct Import {
    #[argh(subcommand)]
    source: Option<Source>,
}

#[derive(FromArgs)]
#[argh(subcommand)]
enum Source {
    ClaudeCode(ClaudeCode),
}

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
struct ClaudeCode {
    /// files, or folders to search for *.jsonl
    #[argh(positional)]
    path: Vec<PathBuf>,
    /// print the summary as JSON: files, turns, redacted, broken_lines, interrupted, seconds
    #[argh(switch)]
    json: bool,
    /// the folder that holds the store
    #[argh(option)]
    data_dir: Option<PathBuf>,
}

impl Import {
    pub(super) fn data_dir(&self) -> &Option<PathBuf> {
        match &self.source {
            Some(Source::ClaudeCode(args)) => &args.data_dir,
            None => &None,
        }
    }
}

pub(super) async fn run(args: &Import, setup: &Setup) -> Result<Outcome> {
    match &args.source {
        Some(Source::ClaudeCode(args)) => import_claude_code(args, setup).await,
        None => Err(Error::invalid(
            "import",
            "expected what to import, as in `sage import claude-code ~/.claude/projects`",
        )),
    }
}

/// What to do with an empty store.
pub(super) fn first_steps() -> String {
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

async fn import_claude_code(args: &ClaudeCode, setup: &Setup) -> Result<Outcome> {
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
    let mut interrupt = signal(SignalKind::interrupt())
        .map_err(|error| Error::Internal(format!("Ctrl-C cannot be watched: {error}")))?;
    let started = Instant::now();
    let plan = claude_code::plan(&args.path);
    if plan.files.is_empty() && plan.unreadable.is_empty() {
        return Err(Error::NotFound(
            "there are no transcripts (*.jsonl) in there; Claude Code keeps them in \
             ~/.claude/projects"
                .to_owned(),
        ));
    }
    let mut progress = Shown::new(&plan, started);
    let files_found = plan.files.len() as u64;
    let batches = claude_code::read(plan.files)?;
    let stop = async {
        interrupt.recv().await;
    };
    let stored = store_batches(&setup.engine, batches, stop, &mut |summary| {
        progress.show(summary);
    })
    .await;
    progress.line.clear();
    super::tidy_up(setup).await;
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

/// How far an import is of what there is to do.
struct Shown {
    line: Progress,
    files_total: u64,
    bytes_total: u64,
}

impl Shown {
    fn new(plan: &Plan, started: Instant) -> Self {
        let files_total = plan.files.len() as u64;
        if files_total > 0 {
            let files = output::count(files_total, "file", "files");
            output::note(&format!("importing {files}, {}", output::size(plan.bytes)));
        }
        Self {
            line: Progress::new(started),
            files_total,
            bytes_total: plan.bytes,
        }
    }

    fn show(&mut self, summary: &Summary) {
        let (files_total, bytes_total) = (self.files_total, self.bytes_total);
        self.line.show(&|seconds| {
            let rate = summary.turns() as f64 / seconds.max(0.001);
            let bytes_left = bytes_total.saturating_sub(summary.bytes_read) as f64;
            let seconds_left = seconds * bytes_left / (summary.bytes_read as f64).max(1.0);
            let files_done = summary.files_read + summary.unreadable.len() as u64;
            format!(
                "{files_done}/{files_total} files  {} turns  {rate:.0}/s  {} left",
                summary.turns(),
                clock(seconds_left),
            )
        });
    }
}

fn render(summary: &Summary, files_found: u64, elapsed: Duration) -> String {
    let mut text = String::new();
    let mut row = |name: &str, number: u64, detail: &str| {
        text.push_str(&format!("{}{number:>9}{detail}\n", output::pad(name, 18)));
    };
    row("files", summary.files_read, &format!(" of {files_found}"));
    row("turns stored", summary.stored, "");
    row("turns updated", summary.updated, "");
    row("already known", summary.known, "");
    for (refusal, count) in &summary.refused {
        row("not kept", *count, &format!("  {}", refusal.reason()));
    }
    if let Some((count, reason)) = &summary.invalid {
        row(
            "not taken",
            *count,
            &format!("  {}", output::clean_line(reason)),
        );
    }
    row("secrets taken out", summary.redacted, "");
    for (reason, count) in &summary.broken {
        row("broken lines", *count, &format!("  {reason}"));
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
    text.push_str(&format!("It took {:.1} s.\n", elapsed.as_secs_f64()));
    if summary.interrupted {
        text.push_str("Interrupted: all this is kept, and the same command goes on from here.\n");
    }
    text
}

fn summary_json(summary: &Summary, files_found: u64, elapsed: Duration) -> Value {
    let name = |path: &Path| path.display().to_string();
    let refused: Vec<Value> = summary
        .refused
        .iter()
        .map(|(refusal, count)| json!({"reason": refusal.reason(), "count": count}))
        .chain(
            summary
                .invalid
                .iter()
                .map(|(count, reason)| json!({"reason": reason, "count": count})),
        )
        .collect();
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
        "turns": {
            "stored": summary.stored,
            "updated": summary.updated,
            "known": summary.known,
            "refused": refused,
        },
        "redacted": summary.redacted,
        "broken_lines": {"reasons": reasons, "first": first},
        "interrupted": summary.interrupted,
        "seconds": elapsed.as_secs_f64(),
    })
}
