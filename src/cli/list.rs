//! `sage list`: memories, newest first.

use argh::FromArgs;
use serde::Serialize;

use super::json::ScopeJson;
use super::output::{self, Style};
use super::select::{self, FilterWords};
use super::{Outcome, Setup};
use crate::engine::PAGE_MAX;
use crate::error::Result;
use crate::memory::json::MemoryJson;
use crate::memory::{Memory, time};

/// List memories, newest first.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "list",
    usage = "[OPTIONS]",
    help_triggers("-h", "--help"),
    example = "sage list --kind note --limit 50",
    example = "sage list --all --after 7d --json",
    note = "Looks in the current project if it holds memories, else in all of them.",
    note = "Times: 2026-11-03, 2026-11-03T14:00Z, or back from now: 12h, 30d, 6w (UTC)."
)]
pub(super) struct List {
    /// only this kind: turn, note or summary (may be repeated: any of them)
    #[argh(option)]
    kind: Vec<String>,
    /// only what has this tag (may be repeated: all of them)
    #[argh(option)]
    tag: Vec<String>,
    /// only this conversation
    #[argh(option)]
    session: Option<String>,
    /// only what was said at this time or later
    #[argh(option)]
    after: Option<String>,
    /// only what was said before this time
    #[argh(option)]
    before: Option<String>,
    /// how many to show, at most (default 20)
    #[argh(option)]
    limit: Option<usize>,
    /// go on where a former list ended
    #[argh(option)]
    cursor: Option<String>,
    /// only this project: its key, or the end of it
    #[argh(option)]
    pub(super) project: Option<String>,
    /// from all projects
    #[argh(switch)]
    all: bool,
    /// print JSON: scope, memories, next (the cursor of what follows)
    #[argh(switch)]
    json: bool,
    /// the folder that holds the store
    #[argh(option)]
    pub(super) data_dir: Option<std::path::PathBuf>,
}

/// What fits on a screen, a line each.
pub(super) const LIMIT_DEFAULT: usize = 20;

pub(super) async fn run(args: &List, setup: &Setup) -> Result<Outcome> {
    let limit = select::limit(args.limit, LIMIT_DEFAULT, PAGE_MAX)?;
    let filter = select::filter(&FilterWords {
        kinds: &args.kind,
        tags: &args.tag,
        session: args.session.as_deref(),
        after: args.after.as_deref(),
        before: args.before.as_deref(),
    })?;
    let reach = select::reach(setup, args.all).await?;
    let page = setup
        .engine
        .list(&reach.scope, &filter, limit, args.cursor.as_deref())
        .await?;
    if args.json {
        output::print_json(&ListJson {
            scope: ScopeJson::new(&reach),
            memories: page.items.iter().map(MemoryJson::new).collect(),
            next: page.next.as_deref(),
        })?;
        return Ok(Outcome::Done);
    }
    reach.tell();
    let text: String = page
        .items
        .iter()
        .map(|memory| line(memory, &setup.style))
        .collect();
    output::print(&text)?;
    match page.next {
        Some(cursor) => output::note(&format!("go on with --cursor {cursor}")),
        None if !page.items.is_empty() => {}
        None if filter.is_empty() => output::note(&super::import::first_steps()),
        None => output::note("Nothing stored answers to these filters."),
    }
    Ok(Outcome::Done)
}

/// One line: what it is, and how it begins.
pub(super) fn line(memory: &Memory, style: &Style) -> String {
    let date = time::date(memory.created_at);
    let kind = output::pad(memory.kind.name(), 7);
    let project = style.line(memory.project.name(), 0);
    let id = memory.id.to_string();
    let columns = output::width(&project) + date.len() + kind.len() + id.len() + 8;
    let extract = style.line(&memory.content.text, columns);
    format!(
        "{}  {kind}  {project}  {}  {extract}\n",
        style.bold(&date),
        style.dim(&id)
    )
}

#[derive(Serialize)]
struct ListJson<'a> {
    scope: ScopeJson<'a>,
    /// Newest first.
    memories: Vec<MemoryJson<'a>>,
    /// For `--cursor`; null at the end of the list.
    next: Option<&'a str>,
}
