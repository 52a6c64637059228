//! `sage stats`: how much is remembered, and where.

use argh::FromArgs;
use serde_json::json;

use super::json::ScopeJson;
use super::output::{self, Style};
use super::select;
use super::{Outcome, Setup};
use crate::engine::{Stats, Usage};
use crate::error::Result;
use crate::memory::json::ProjectJson;
use crate::memory::{Kind, time};

/// Count what is remembered, and tell where it is.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "stats",
    usage = "[OPTIONS]",
    help_triggers("-h", "--help"),
    example = "sage stats",
    example = "sage stats --all --json",
    note = "Looks in the current project if it holds memories, else in all of them."
)]
pub(super) struct ShowStats {
    /// only this project: its key, or the end of it
    #[argh(option)]
    pub(super) project: Option<String>,
    /// in all projects
    #[argh(switch)]
    all: bool,
    /// tell how often replies used what hooks gave, and what was held out (SAGE_HOLD_OUT)
    #[argh(switch)]
    benefit: bool,
    /// print JSON: scope, memories by kind, superseded, passages, sessions, projects, oldest,
    /// newest, store, store_bytes
    #[argh(switch)]
    json: bool,
    /// the folder that holds the store
    #[argh(option)]
    pub(super) data_dir: Option<std::path::PathBuf>,
}

pub(super) async fn run(args: &ShowStats, setup: &Setup) -> Result<Outcome> {
    let reach = select::reach(setup, args.all).await?;
    if args.benefit {
        return benefit(args, &reach, setup).await;
    }
    let stats = setup.engine.stats(&reach.scope).await?;
    let store = setup.engine.status().await.store;
    if !args.json {
        reach.tell();
        output::print(&render(&stats, &store, &setup.style))?;
        return Ok(Outcome::Done);
    }
    let [turns, notes, summaries] = stats.by_kind;
    let projects: Vec<ProjectJson> = stats
        .projects
        .iter()
        .map(|(project, memories)| ProjectJson::new(project, *memories))
        .collect();
    output::print_json(&json!({
        "scope": ScopeJson::new(&reach),
        "memories": {"turn": turns, "note": notes, "summary": summaries},
        "superseded": stats.superseded,
        "passages": stats.passages,
        "sessions": stats.sessions,
        "projects": projects,
        "oldest": stats.span.map(|(oldest, _)| oldest.to_string()),
        "newest": stats.span.map(|(_, newest)| newest.to_string()),
        "store": store,
        "store_bytes": stats.store_bytes,
    }))?;
    Ok(Outcome::Done)
}

/// Memories that were given, and those that would have been: of each, how many stand in the reply.
/// The difference is what the giving did.
async fn benefit(args: &ShowStats, reach: &select::Reach, setup: &Setup) -> Result<Outcome> {
    let [given, held_out] = setup.engine.benefit(&reach.scope).await?;
    let share = |usage: Usage| match usage.given {
        0 => None,
        all => Some(usage.used as f64 / all as f64),
    };
    let difference = share(given).zip(share(held_out)).map(|(a, b)| a - b);
    if args.json {
        let value = |usage: Usage| json!({"memories": usage.given, "used": usage.used});
        output::print_json(&json!({
            "scope": ScopeJson::new(reach),
            "given": value(given),
            "held_out": value(held_out),
            "difference": difference,
        }))?;
        return Ok(Outcome::Done);
    }
    reach.tell();
    let line = |name: &str, usage: Usage| {
        let percent =
            share(usage).map_or(String::new(), |share| format!(", {:.1} %", share * 100.0));
        let name = setup.style.dim(&output::pad(name, 10));
        format!(
            "{name}  {} memories, {} in the reply{percent}\n",
            usage.given, usage.used
        )
    };
    let mut text = line("given", given) + &line("held out", held_out);
    text.push_str(&match difference {
        Some(difference) => format!("Giving them made {:+.1} points.\n", difference * 100.0),
        None => {
            "There is nothing to compare yet; SAGE_HOLD_OUT=5 holds some prompts out.\n".to_owned()
        }
    });
    output::print(&text)?;
    Ok(Outcome::Done)
}

/// How many projects are listed: the largest matter, JSON has them all.
const PROJECTS_SHOWN: usize = 20;

fn render(stats: &Stats, store: &str, style: &Style) -> String {
    let mut text = String::new();
    let mut row = |name: &str, value: &str| {
        let name = style.dim(&output::pad(name, 10));
        text.push_str(&format!("{name}  {}\n", output::clean_line(value)));
    };
    for (kind, number) in Kind::ALL.iter().zip(stats.by_kind) {
        let name = match kind {
            Kind::Turn => "turns",
            Kind::Note => "notes",
            Kind::Summary => "summaries",
        };
        row(name, &number.to_string());
    }
    row("superseded", &stats.superseded.to_string());
    row("passages", &stats.passages.to_string());
    row("sessions", &stats.sessions.to_string());
    if let Some((oldest, newest)) = stats.span {
        row(
            "span",
            &format!("{} to {}", time::date(oldest), time::date(newest)),
        );
    }
    row(
        "store",
        &format!("{store}, {}", output::size(stats.store_bytes)),
    );
    if !stats.projects.is_empty() {
        text.push_str(&format!("\n{}\n", style.dim("projects, largest first")));
    }
    for (project, memories) in stats.projects.iter().take(PROJECTS_SHOWN) {
        text.push_str(&format!(
            "{memories:>8}  {}\n",
            output::clean_line(&project.key)
        ));
    }
    if let Some(more @ 1..) = stats.projects.len().checked_sub(PROJECTS_SHOWN) {
        text.push_str(&format!("          and {more} more\n"));
    }
    text
}
