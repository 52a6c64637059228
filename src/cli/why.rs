//! `sage why`: what was put before the model, what was held back, and the reasons.

use argh::FromArgs;
use serde_json::{Value, json};

use super::output::{self, Style};
use super::select;
use super::{Outcome, Setup};
use crate::engine::Injection;
use crate::error::Result;
use crate::memory::{Memory, MemoryId, Scope, time};
use crate::text::one_line;

/// Explain what was given to the model and what was not: of a memory, a session, or a question.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "why",
    usage = "[OPTIONS] MEMORY | SESSION | QUERY...",
    help_triggers("-h", "--help"),
    example = "sage why 0190b5c0-7e11-7c3a-9d5e-2f6f3c1a8b42",
    example = "sage why which port does the staging server use",
    note = "Of a question it tells what a new session would be given now, in the current project.",
    note = "A line: when, what became of it, rank, score, tokens, whether the reply used it, the words shared."
)]
pub(super) struct Why {
    /// the id of a memory or of a session, or the words of a question
    #[argh(positional)]
    what: Vec<String>,
    /// only this project: its key, or the end of it
    #[argh(option)]
    pub(super) project: Option<String>,
    /// print JSON: lines
    #[argh(switch)]
    json: bool,
    /// the folder that holds the store
    #[argh(option)]
    pub(super) data_dir: Option<std::path::PathBuf>,
}

/// Lines that are shown: the newest tell most.
const LINES_MAX: usize = 100;

pub(super) async fn run(args: &Why, setup: &Setup) -> Result<Outcome> {
    let words = select::joined("QUERY", &args.what, "sage why which port")?;
    let scope = select::scope_of_ids(setup).await?;
    let engine = &setup.engine;
    let lines = match (words.parse::<MemoryId>(), args.what.len()) {
        // A session may be named like a memory.
        (Ok(id), 1) => {
            let of_memory = engine.injections(&scope, None, Some(id), LINES_MAX).await?;
            match of_memory.is_empty() {
                true => {
                    engine
                        .injections(&scope, Some(&words), None, LINES_MAX)
                        .await?
                }
                false => of_memory,
            }
        }
        (_, 1) => {
            engine
                .injections(&scope, Some(&words), None, LINES_MAX)
                .await?
        }
        _ => Vec::new(),
    };
    let lines = match lines.is_empty() && words.parse::<MemoryId>().is_err() {
        true => {
            let project = select::project_to_read(setup).await?;
            output::note(&output::clean_line(&format!("in {}", project.key)));
            engine.explain(&words, &project).await?
        }
        false => lines,
    };
    let ids: Vec<MemoryId> = lines.iter().map(|line| line.memory).collect();
    let memories = engine.memories(&Scope::All, &ids).await?;
    if args.json {
        let lines: Vec<Value> = lines.iter().map(value).collect();
        output::print_json(&json!({"lines": lines}))?;
        return Ok(Outcome::Done);
    }
    let text: String = lines
        .iter()
        .map(|line| {
            let memory = memories.iter().find(|memory| memory.id == line.memory);
            render(line, memory, &setup.style)
        })
        .collect();
    output::print(&text)?;
    if lines.is_empty() {
        output::note("Nothing was given or held back: no hook has found it, or nothing fits.");
    }
    Ok(Outcome::Done)
}

fn value(line: &Injection) -> Value {
    json!({
        "session": line.session,
        "prompt": line.prompt,
        "memory": line.memory.to_string(),
        "outcome": line.outcome.reason(),
        "rank": line.rank,
        "score": line.score,
        "tokens": line.tokens,
        "terms": line.terms,
        "at": line.at.to_string(),
        "used": line.used,
    })
}

fn render(line: &Injection, memory: Option<&Memory>, style: &Style) -> String {
    let used = match line.used {
        Some(true) => ", used",
        Some(false) => ", not used",
        None => "",
    };
    let terms = match line.terms.as_str() {
        "" => String::new(),
        terms => format!(", shares: {}", output::clean_line(terms)),
    };
    let words = memory.map_or("", |memory| memory.content.text.as_str());
    format!(
        "{}  {}{used}; rank {}, score {:.2}, {} tokens{terms}\n    {}  {}\n",
        style.bold(&time::date_time(line.at)),
        line.outcome.reason(),
        line.rank,
        line.score,
        line.tokens,
        style.dim(&line.memory.to_string()),
        output::clean_line(&one_line(words, WORDS_CHARS_MAX)),
    )
}

/// Characters of a memory: enough to recognise it.
const WORDS_CHARS_MAX: usize = 100;
