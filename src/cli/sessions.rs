//! `sage sessions`: conversations, the latest first.

use argh::FromArgs;
use serde::Serialize;

use super::json::ScopeJson;
use super::list::LIMIT_DEFAULT;
use super::output::{self, Style};
use super::select;
use super::{Outcome, Setup};
use crate::engine::PAGE_MAX;
use crate::error::Result;
use crate::memory::json::SessionJson;
use crate::memory::{Session, time};

/// List conversations, the latest first.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "sessions",
    usage = "[OPTIONS]",
    help_triggers("-h", "--help"),
    example = "sage sessions --limit 5",
    example = "sage sessions --project shop --json",
    note = "Looks in the current project if it holds memories, else in all of them.",
    note = "`sage list --session ID` shows what a conversation holds."
)]
pub(super) struct Sessions {
    /// how many to show, at most (default 20)
    #[argh(option)]
    limit: Option<usize>,
    /// go on where a former list ended
    #[argh(option)]
    cursor: Option<String>,
    /// only this project: its key, or the end of it
    #[argh(option)]
    pub(super) project: Option<String>,
    /// of all projects
    #[argh(switch)]
    all: bool,
    /// print JSON: scope, sessions, next (the cursor of what follows)
    #[argh(switch)]
    json: bool,
    /// the folder that holds the store
    #[argh(option)]
    pub(super) data_dir: Option<std::path::PathBuf>,
}

pub(super) async fn run(args: &Sessions, setup: &Setup) -> Result<Outcome> {
    let limit = select::limit(args.limit, LIMIT_DEFAULT, PAGE_MAX)?;
    let reach = select::reach(setup, args.all).await?;
    let page = setup
        .engine
        .sessions(&reach.scope, limit, args.cursor.as_deref())
        .await?;
    if args.json {
        output::print_json(&SessionsJson {
            scope: ScopeJson::new(&reach),
            sessions: page.items.iter().map(SessionJson::new).collect(),
            next: page.next.as_deref(),
        })?;
        return Ok(Outcome::Done);
    }
    reach.tell();
    let text: String = page
        .items
        .iter()
        .map(|session| line(session, &setup.style))
        .collect();
    output::print(&text)?;
    match page.next {
        Some(cursor) => output::note(&format!("go on with --cursor {cursor}")),
        None if page.items.is_empty() => output::note("No conversation is stored here yet."),
        None => {}
    }
    Ok(Outcome::Done)
}

fn line(session: &Session, style: &Style) -> String {
    let last = time::date_time(session.last_at);
    let project = style.line(session.project.name(), 0);
    let memories = output::pad(&output::count(session.memories, "memory", "memories"), 12);
    let id = style.line(&session.id, 0);
    let columns = [&last, &project, &memories, &id].map(|part| output::width(part) + 2);
    let title = session.title.as_deref().unwrap_or("(no title)");
    format!(
        "{}  {project}  {memories}  {}  {}\n",
        style.bold(&last),
        style.dim(&id),
        style.line(title, columns.iter().sum())
    )
}

#[derive(Serialize)]
struct SessionsJson<'a> {
    scope: ScopeJson<'a>,
    /// The latest first.
    sessions: Vec<SessionJson<'a>>,
    /// For `--cursor`; null at the end of the list.
    next: Option<&'a str>,
}
