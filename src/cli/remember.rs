//! `sage remember`: keeps a note or a summary.

use std::io::Read;

use argh::FromArgs;
use serde_json::json;

use super::select;
use super::{Outcome, Setup, output};
use crate::capture::{Capture, Captured};
use crate::error::{Error, Result};
use crate::memory::time::{self, Direction};
use crate::memory::{Kind, MemoryId, Timestamp};

/// Keep a fact or a decision.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "remember",
    usage = "[OPTIONS] TEXT... | -",
    help_triggers("-h", "--help"),
    example = "sage remember --tag database We use PostgreSQL 17, because of its partitioning.",
    example = "sage remember --key deploy-target --pin The staging server is called amber.",
    example = "git log -1 --format=%B | sage remember --tag release -",
    note = "The text needs no quotes; `-` reads it from stdin.",
    note = "A note with a key takes the place of the project's earlier note with that key.",
    note = "Secrets are taken out before anything is stored; SAGE_REDACT=off keeps them."
)]
pub(super) struct Remember {
    /// what to remember
    #[argh(positional)]
    text: Vec<String>,
    /// note or summary (default note)
    #[argh(option)]
    kind: Option<String>,
    /// a name for the fact: a later note with it takes the place of this one
    #[argh(option)]
    key: Option<String>,
    /// a word to file it under (may be repeated)
    #[argh(option)]
    tag: Vec<String>,
    /// show it first when a session starts
    #[argh(switch)]
    pin: bool,
    /// forget it after this time: 2026-12-31, or from now: 12h, 30d
    #[argh(option)]
    expires: Option<String>,
    /// the id of the memory whose place it takes
    #[argh(option)]
    replaces: Option<String>,
    /// the project it belongs to: its key, or the end of it (default: the current one)
    #[argh(option)]
    pub(super) project: Option<String>,
    /// print JSON: outcome, id, project, superseded, redacted
    #[argh(switch)]
    json: bool,
    /// the folder that holds the store
    #[argh(option)]
    pub(super) data_dir: Option<std::path::PathBuf>,
}

/// The most that is read from stdin, in bytes: far beyond any note, so that a mistaken pipe ends.
const STDIN_BYTES_MAX: u64 = 4 << 20;

pub(super) async fn run(args: &Remember, setup: &Setup) -> Result<Outcome> {
    let text = match args.text.as_slice() {
        [word] if word == "-" => from_stdin()?,
        [word, _, ..] if word == "-" => {
            return Err(Error::invalid(
                "-",
                "expected it alone and last, behind the options",
            ));
        }
        words => select::joined("TEXT", words, "sage remember We deploy on Tuesdays")?,
    };
    let kind = match args.kind.as_deref() {
        None | Some("note") => Kind::Note,
        Some("summary") => Kind::Summary,
        Some(word) => {
            let message = format!("expected note or summary, got \"{word}\"");
            return Err(Error::invalid("--kind", message));
        }
    };
    let expires = |word| time::parse_when("--expires", word, Timestamp::now(), Direction::Forward);
    let replaces = |word: &str| {
        word.parse::<MemoryId>().map_err(|error| match error {
            Error::Invalid { message, .. } => Error::invalid("--replaces", message),
            other => other,
        })
    };
    let (project, directory) = select::project_to_write(setup).await?;
    let key = project.key.clone();
    let capture = Capture {
        directory,
        session: super::place::hints(&setup.config, &super::variable).session,
        tags: args.tag.clone(),
        key: args.key.clone(),
        pinned: args.pin,
        expires_at: args.expires.as_deref().map(expires).transpose()?,
        replaces: args.replaces.as_deref().map(replaces).transpose()?,
        ..Capture::note(project, kind, &text, "cli")
    };
    let captured = setup.engine.capture(capture).await?;
    super::tidy_up(setup).await;
    let report = Report::new(&captured)?;
    if args.json {
        output::print_json(&json!({
            "outcome": report.outcome,
            "id": report.id.to_string(),
            "project": key,
            "superseded": report.superseded.map(|id| id.to_string()),
            "redacted": report.redacted,
        }))?;
    } else {
        output::print(&report.render(&key))?;
    }
    Ok(Outcome::Done)
}

fn from_stdin() -> Result<String> {
    let mut bytes = Vec::new();
    std::io::stdin()
        .lock()
        .take(STDIN_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Error::Io(format!("stdin could not be read: {error}")))?;
    if bytes.len() as u64 > STDIN_BYTES_MAX {
        let limit = output::size(STDIN_BYTES_MAX);
        return Err(Error::invalid(
            "stdin",
            format!("expected at most {limit} of text"),
        ));
    }
    let text =
        String::from_utf8(bytes).map_err(|_| Error::invalid("stdin", "expected UTF-8 text"))?;
    // The last line break belongs to the pipe, not to the note.
    match text.trim_end() {
        "" => Err(Error::invalid("stdin", "expected some words, got nothing")),
        words => Ok(words.to_owned()),
    }
}

/// What became of the text.
struct Report {
    outcome: &'static str,
    id: MemoryId,
    superseded: Option<MemoryId>,
    redacted: u32,
}

impl Report {
    /// A refusal is an error: what was asked for did not happen.
    fn new(captured: &Captured) -> Result<Self> {
        let (outcome, id, superseded, redacted) = match captured {
            Captured::Stored {
                id,
                superseded,
                redacted,
            } => ("stored", *id, *superseded, *redacted),
            Captured::Updated { id, redacted } => ("updated", *id, None, *redacted),
            Captured::Known { id } => ("known", *id, None, 0),
            Captured::Refused(refusal) => {
                let message = format!("not kept: {}", refusal.reason());
                return Err(Error::invalid("TEXT", message));
            }
        };
        Ok(Self {
            outcome,
            id,
            superseded,
            redacted,
        })
    }

    fn render(&self, project: &str) -> String {
        let verb = match self.outcome {
            "known" => "Already known",
            _ => "Remembered",
        };
        let project = output::clean_line(project);
        let mut text = format!("{verb} as {} in {project}.\n", self.id);
        if let Some(id) = self.superseded {
            text.push_str(&format!("It takes the place of {id}.\n"));
        }
        if self.redacted > 0 {
            let spans = output::count(self.redacted.into(), "secret was", "secrets were");
            text.push_str(&format!("{spans} taken out of it.\n"));
        }
        text
    }
}
