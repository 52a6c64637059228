//! `sage show`: memories in full.

use argh::FromArgs;
use serde::Serialize;
use serde_json::json;

use super::output::{self, Style};
use super::select;
use super::{Outcome, Setup};
use crate::error::{Error, Result};
use crate::memory::json::MemoryJson;
use crate::memory::{Kind, Memory, MemoryId, time};

/// Print memories in full, with their history.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "show",
    usage = "[OPTIONS] ID...",
    help_triggers("-h", "--help"),
    example = "sage show 0190b5c0-7e11-7c3a-9d5e-2f6f3c1a8b42",
    example = "sage show --json 0190b5c0-7e11-7c3a-9d5e-2f6f3c1a8b42"
)]
pub(super) struct Show {
    /// ids, as `sage search` and `sage list` print them
    #[argh(positional)]
    id: Vec<String>,
    /// only if they are in this project: its key, or the end of it
    #[argh(option)]
    pub(super) project: Option<String>,
    /// print JSON: memories, each with its history
    #[argh(switch)]
    json: bool,
    /// the folder that holds the store
    #[argh(option)]
    pub(super) data_dir: Option<std::path::PathBuf>,
}

pub(super) async fn run(args: &Show, setup: &Setup) -> Result<Outcome> {
    let ids = ids(&args.id)?;
    let scope = select::scope_of_ids(setup).await?;
    let memories = setup.engine.memories(&scope, &ids).await?;
    let mut shown = Vec::with_capacity(memories.len());
    for memory in &memories {
        let history = setup.engine.history(&scope, memory.id).await?;
        shown.push((memory, history));
    }
    if args.json {
        let memories: Vec<ShownJson> = shown.iter().map(ShownJson::new).collect();
        output::print_json(&json!({ "memories": memories }))?;
    } else {
        let texts: Vec<String> = shown
            .iter()
            .map(|(memory, history)| render(memory, history, &setup.style))
            .collect();
        output::print(&texts.join("\n"))?;
    }
    let missing: Vec<String> = ids
        .iter()
        .filter(|id| memories.iter().all(|memory| memory.id != **id))
        .map(MemoryId::to_string)
        .collect();
    if missing.is_empty() {
        return Ok(Outcome::Done);
    }
    Err(Error::NotFound(format!(
        "there is no memory {}; `sage search` and `sage list` show ids",
        missing.join(", ")
    )))
}

/// Reads ids from the command line; at least one.
pub(super) fn ids(words: &[String]) -> Result<Vec<MemoryId>> {
    if words.is_empty() {
        return Err(Error::invalid(
            "ID",
            "expected ids, as `sage search` and `sage list` print them",
        ));
    }
    words.iter().map(|word| word.parse()).collect()
}

fn render(memory: &Memory, history: &[Memory], style: &Style) -> String {
    let mut text = String::new();
    let mut row = |name: &str, value: &str| {
        let name = style.dim(&output::pad(name, 9));
        text.push_str(&format!("{name}  {}\n", output::clean_line(value)));
    };
    row("id", &memory.id.to_string());
    row("kind", memory.kind.name());
    row("project", &memory.project.key);
    row(
        "said",
        &format!("{} UTC", time::date_time(memory.created_at)),
    );
    if let Some(session) = &memory.session {
        row("session", session);
    }
    row("source", &memory.source);
    if !memory.tags.is_empty() {
        row("tags", &memory.tags.join(", "));
    }
    if let Some(key) = &memory.key {
        row("key", key);
    }
    if memory.pinned {
        row("pinned", "yes");
    }
    if let Some(time) = memory.expires_at {
        row("expires", &format!("{} UTC", time::date_time(time)));
    }
    if let Some(metadata) = &memory.metadata {
        row("metadata", metadata);
    }
    if let Some(id) = memory.superseded_by {
        row("replaced", &format!("by {id}"));
    }
    text.push('\n');
    text.push_str(&body(memory, style));
    if history.len() > 1 {
        text.push_str(&format!("\n{}\n", style.dim("history, oldest first")));
        for version in history {
            text.push_str(&version_line(version, memory.id, style));
        }
    }
    text
}

fn body(memory: &Memory, style: &Style) -> String {
    if memory.kind != Kind::Turn {
        return output::clean_text(memory.content.text.trim_end()) + "\n";
    }
    let mut text = format!("{}\n", style.bold("Prompt"));
    text.push_str(&output::clean_text(memory.content.prompt().trim_end()));
    if let Some(reply) = memory.content.reply() {
        text.push_str(&format!("\n\n{}\n", style.bold("Reply")));
        text.push_str(&output::clean_text(reply.trim_end()));
    }
    text + "\n"
}

fn version_line(version: &Memory, shown: MemoryId, style: &Style) -> String {
    let mark = if version.id == shown { '>' } else { ' ' };
    let start = format!(
        "{mark} {}  {}  ",
        time::date(version.created_at),
        version.id
    );
    let extract = style.line(&version.content.text, output::width(&start));
    format!("{start}{extract}\n")
}

#[derive(Serialize)]
struct ShownJson<'a> {
    #[serde(flatten)]
    memory: MemoryJson<'a>,
    /// Every version of it, itself included, oldest first.
    history: Vec<MemoryJson<'a>>,
}

impl<'a> ShownJson<'a> {
    fn new((memory, history): &'a (&'a Memory, Vec<Memory>)) -> Self {
        Self {
            memory: MemoryJson::new(memory),
            history: history.iter().map(MemoryJson::new).collect(),
        }
    }
}
