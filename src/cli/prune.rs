//! `sage prune`: deletes what is old, or what its time is up for, after showing how much.

use argh::FromArgs;
use serde_json::{Value, json};

use super::import::interrupted;
use super::progress::Progress;
use super::select::{self, FilterWords};
use super::{Outcome, Setup, confirm, output};
use crate::engine::{Forgotten, Group, Pruned, Survey};
use crate::error::{Error, Result};
use crate::memory::{Kind, Selection, Timestamp, Which, time};

/// Delete old memories for good, after showing how many.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "prune",
    usage = "--older-than WHEN [OPTIONS] | --expired [OPTIONS]",
    help_triggers("-h", "--help"),
    example = "sage prune --older-than 90d --kind turn --dry-run",
    example = "sage prune --older-than 2025-01-01 --superseded --all --yes",
    note = "It looks in the current project only, unless --project or --all says otherwise. What a
memory had superseded goes with it.",
    note = "Without a terminal to ask on, nothing is deleted unless --yes is given.",
    note = "Ctrl-C stops in good order, and the same command goes on from there."
)]
pub(super) struct Prune {
    /// said before this time: 2025-01-01, or back from now: 12h, 90d, 26w
    #[argh(option)]
    older_than: Option<String>,
    /// only earlier versions, of which the latest stays
    #[argh(switch)]
    superseded: bool,
    /// what has expired and was not deleted yet; servers do that by themselves
    #[argh(switch)]
    expired: bool,
    /// of this kind: turn, note or summary (may be repeated: any of them)
    #[argh(option)]
    kind: Vec<String>,
    /// with this tag (may be repeated: all of them)
    #[argh(option)]
    tag: Vec<String>,
    /// pinned memories and notes with a key too, which are kept otherwise
    #[argh(switch)]
    include_pinned: bool,
    /// only show what would go
    #[argh(switch)]
    dry_run: bool,
    /// do not ask
    #[argh(switch)]
    yes: bool,
    /// in this project: its key, or the end of it
    #[argh(option)]
    pub(super) project: Option<String>,
    /// in all projects
    #[argh(switch)]
    all: bool,
    /// print JSON: preview (memories, oldest, newest, groups, kept), pruned (memories, passages,
    /// index_entries, vectors; null if nothing was), interrupted
    #[argh(switch)]
    json: bool,
    /// the folder that holds the store
    #[argh(option)]
    pub(super) data_dir: Option<std::path::PathBuf>,
}

pub(super) async fn run(args: &Prune, setup: &Setup) -> Result<Outcome> {
    let selection = selection(args, setup).await?;
    let survey = setup.engine.prune_preview(&selection).await?;
    if !args.json {
        output::print(&render(&survey))?;
    }
    if args.dry_run || survey.groups.is_empty() || !(args.yes || agreed(args, &survey)?) {
        if args.json {
            output::print_json(&report(&survey, None))?;
        }
        return Ok(Outcome::Done);
    }
    let pruned = prune(&selection, total(&survey), setup).await?;
    if args.json {
        output::print_json(&report(&survey, Some(&pruned)))?;
    } else {
        output::print(&format!("Deleted for good: {}.\n", pruned.forgotten))?;
    }
    if !pruned.interrupted {
        return Ok(Outcome::Done);
    }
    output::note("Interrupted: the same command goes on from here.");
    Ok(Outcome::Interrupted)
}

async fn selection(args: &Prune, setup: &Setup) -> Result<Selection> {
    let which = match (args.expired, args.superseded, args.include_pinned) {
        (false, false, false) => Which::Unmarked,
        (false, false, true) => Which::Live,
        (false, true, false) => Which::Superseded,
        (true, false, false) => Which::Expired,
        _ => {
            return Err(Error::invalid(
                "prune",
                "give one of --expired, --superseded and --include-pinned: what has expired and \
                 earlier versions go even if they are pinned",
            ));
        }
    };
    if args.older_than.is_none() && which != Which::Expired {
        return Err(Error::invalid(
            "--older-than",
            "say how old it must be, as in `sage prune --older-than 90d --dry-run`",
        ));
    }
    let filter = select::filter(&FilterWords {
        kinds: &args.kind,
        tags: &args.tag,
        ..FilterWords::default()
    })?;
    let now = Timestamp::now();
    let older_than = |word| time::parse_when("--older-than", word, now, time::Direction::Back);
    let before = args.older_than.as_deref().map(older_than).transpose()?;
    let reach = select::reach_strictly(setup, args.all).await?;
    reach.tell();
    Ok(Selection {
        scope: reach.scope,
        filter: crate::memory::Filter { before, ..filter },
        which,
        now,
    })
}

async fn prune(selection: &Selection, memories: u64, setup: &Setup) -> Result<Pruned> {
    let stop = interrupted()?;
    let mut line = Progress::new();
    let mut show = |gone: &Forgotten| line.count(gone.memories, memories, "memories");
    let pruned = setup.engine.prune(selection, stop, &mut show).await;
    line.clear();
    pruned
}

fn agreed(args: &Prune, survey: &Survey) -> Result<bool> {
    let json = args.json.then(|| report(survey, None));
    confirm::agreed("Delete them?", "deleted", json.as_ref())
}

fn total(survey: &Survey) -> u64 {
    survey.groups.iter().map(|group| group.memories).sum()
}

/// When the oldest and the newest of them was said.
fn span(survey: &Survey) -> Option<(Timestamp, Timestamp)> {
    let spans = || survey.groups.iter().map(|group| group.span);
    spans()
        .map(|span| span.0)
        .min()
        .zip(spans().map(|span| span.1).max())
}

/// How many projects are listed; JSON has them all.
const PROJECTS_SHOWN: usize = 20;

fn render(survey: &Survey) -> String {
    let mut text = match span(survey) {
        None => "There is nothing to delete.\n".to_owned(),
        Some((oldest, newest)) => format!(
            "This deletes {} for good, earlier versions included, said {} to {}:\n",
            output::count(total(survey), "memory", "memories"),
            time::date(oldest),
            time::date(newest),
        ),
    };
    let projects: Vec<&[Group]> = survey
        .groups
        .chunk_by(|left, right| left.project == right.project)
        .collect();
    for groups in projects.iter().take(PROJECTS_SHOWN) {
        let kinds: Vec<String> = groups.iter().map(counted).collect();
        let key = groups.first().map_or("", |group| &group.project.key);
        let key = output::clean_line(key);
        text.push_str(&format!("  {}  {key}\n", kinds.join(", ")));
    }
    if let Some(more @ 1..) = projects.len().checked_sub(PROJECTS_SHOWN) {
        text.push_str(&format!("  and {more} more projects\n"));
    }
    if survey.pinned + survey.keyed > 0 {
        text.push_str(&format!(
            "Kept: {} pinned, {} with a key; --include-pinned takes them too.\n",
            output::count(survey.pinned, "memory", "memories"),
            output::count(survey.keyed, "note", "notes"),
        ));
    }
    text
}

fn counted(group: &Group) -> String {
    let (one, many) = match group.kind {
        Kind::Turn => ("turn", "turns"),
        Kind::Note => ("note", "notes"),
        Kind::Summary => ("summary", "summaries"),
    };
    output::count(group.memories, one, many)
}

fn report(survey: &Survey, pruned: Option<&Pruned>) -> Value {
    let groups: Vec<Value> = survey
        .groups
        .iter()
        .map(|group| {
            json!({
                "project": group.project.key,
                "kind": group.kind.name(),
                "memories": group.memories,
                "oldest": group.span.0.to_string(),
                "newest": group.span.1.to_string(),
            })
        })
        .collect();
    let span = span(survey);
    json!({
        "preview": {
            "memories": total(survey),
            "oldest": span.map(|(oldest, _)| oldest.to_string()),
            "newest": span.map(|(_, newest)| newest.to_string()),
            "groups": groups,
            "kept": {"pinned": survey.pinned, "keyed": survey.keyed},
        },
        "pruned": pruned.map(|pruned| pruned.forgotten),
        "interrupted": pruned.is_some_and(|pruned| pruned.interrupted),
    })
}
