//! `sage search`: finds memories and shows the line of each that fits best.

use argh::FromArgs;
use serde::Serialize;

use super::json::ScopeJson;
use super::output::{self, Style};
use super::select::{self, FilterWords, Reach};
use super::{Outcome, Setup, highlight};
use crate::error::Result;
use crate::memory::json::MemoryJson;
use crate::memory::{Filter, Scope, time};
use crate::recall::{HITS_MAX, Hit, Recall, RecallRequest, Silence};

/// Find what was said or decided, by any words.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "search",
    usage = "[OPTIONS] QUERY...",
    help_triggers("-h", "--help"),
    example = "sage search how did we fix the login timeout",
    example = "sage search --kind note --after 30d --limit 3 database choice",
    note = "Looks in the current project if it holds memories, else in all of them.",
    note = "Times: 2026-11-03, 2026-11-03T14:00Z, or back from now: 12h, 30d, 6w (UTC).",
    note = "The query needs no quotes; one with a dash in front goes behind `--`."
)]
pub(super) struct Search {
    /// what to look for, in any words
    #[argh(positional)]
    query: Vec<String>,
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
    /// how many to show, at most (default 10)
    #[argh(option)]
    limit: Option<usize>,
    /// only this project: its key, or the end of it
    #[argh(option)]
    pub(super) project: Option<String>,
    /// in all projects
    #[argh(switch)]
    all: bool,
    /// print JSON: scope, hits (score, extract, and the memory), more, silence,
    /// degraded, corrected (word typed, word taken)
    #[argh(switch)]
    json: bool,
    /// the folder that holds the store
    #[argh(option)]
    pub(super) data_dir: Option<std::path::PathBuf>,
}

/// What fits on a screen: two lines a hit.
const LIMIT_DEFAULT: usize = 10;

pub(super) async fn run(args: &Search, setup: &Setup) -> Result<Outcome> {
    let query = select::joined("QUERY", &args.query, "sage search login timeout")?;
    let limit = select::limit(args.limit, LIMIT_DEFAULT, HITS_MAX)?;
    let filter = select::filter(&FilterWords {
        kinds: &args.kind,
        tags: &args.tag,
        session: args.session.as_deref(),
        after: args.after.as_deref(),
        before: args.before.as_deref(),
    })?;
    let reach = select::reach(setup, args.all).await?;
    let request = RecallRequest {
        query,
        scope: reach.scope.clone(),
        filter,
        limit,
        offset: 0,
    };
    let recall = setup.engine.recall(&request).await?;
    if args.json {
        output::print_json(&SearchJson::new(&reach, &recall))?;
        return Ok(Outcome::Done);
    }
    reach.tell();
    let text: String = recall
        .hits
        .iter()
        .map(|hit| render(hit, &request.query, &setup.style))
        .collect();
    output::print(&text)?;
    tell_degraded(recall.degraded.as_deref());
    recall.corrections().for_each(|line| output::note(&line));
    if let Some(silence) = recall.silence {
        output::note(silence.reason());
        output::note(&advice(silence, &reach, &request.filter, setup).await?);
    } else if recall.more {
        output::note(&format!("there is more; --limit goes up to {HITS_MAX}"));
    }
    Ok(Outcome::Done)
}

/// Says what the answer had to do without.
pub(super) fn tell_degraded(degraded: Option<&str>) {
    if let Some(reason) = degraded {
        output::note(&format!("searched by words alone: {reason}"));
    }
}

/// What to try when nothing was found, as a sentence.
pub(super) async fn advice(
    silence: Silence,
    reach: &Reach,
    filter: &Filter,
    setup: &Setup,
) -> Result<String> {
    let narrow = if filter.is_empty() {
        ""
    } else {
        " with fewer filters or"
    };
    Ok(match (silence, &reach.scope) {
        (Silence::NothingStored, _) if setup.engine.status().await.memories == Some(0) => {
            super::import::first_steps()
        }
        (Silence::NothingToLookFor, _) => {
            "Try the words that the text itself would use.".to_owned()
        }
        (_, Scope::Project(_)) => format!("Try again{narrow} with other words, or with --all."),
        (_, Scope::All) => format!("Try again{narrow} with other words."),
    })
}

/// Two lines: what it is, and what it says.
fn render(hit: &Hit, query: &str, style: &Style) -> String {
    const INDENT: usize = 4;
    let memory = &hit.memory;
    let extract: String = highlight::stretches(&style.line(&hit.extract, INDENT), query)
        .into_iter()
        .map(|(text, marked)| if marked { style.bold(&text) } else { text })
        .collect();
    format!(
        "{}  {}  {}  {:.2}  {}\n{}{extract}\n",
        style.bold(&time::date(memory.created_at)),
        output::pad(memory.kind.name(), 7),
        style.line(memory.project.name(), 0),
        hit.score,
        style.dim(&memory.id.to_string()),
        " ".repeat(INDENT),
    )
}

#[derive(Serialize)]
struct SearchJson<'a> {
    scope: ScopeJson<'a>,
    /// Best first.
    hits: Vec<HitJson<'a>>,
    /// Whether a higher limit would show more.
    more: bool,
    /// Why there are no hits, as a sentence; null where there are some.
    silence: Option<&'static str>,
    /// Why vectors had no part in it, where they should have; else null.
    degraded: Option<&'a str>,
    /// Words that nothing stored has, each with the one that it was taken for.
    corrected: &'a [(String, String)],
}

#[derive(Serialize)]
pub(super) struct HitJson<'a> {
    /// 1 is the best of this search, 0 is not at all.
    score: f32,
    /// The line that fits best.
    extract: &'a str,
    #[serde(flatten)]
    memory: MemoryJson<'a>,
}

impl<'a> HitJson<'a> {
    pub(super) fn new(hit: &'a Hit) -> Self {
        Self {
            score: hit.score,
            extract: &hit.extract,
            memory: MemoryJson::new(&hit.memory),
        }
    }
}

impl<'a> SearchJson<'a> {
    fn new(reach: &'a Reach, recall: &'a Recall) -> Self {
        Self {
            scope: ScopeJson::new(reach),
            hits: recall.hits.iter().map(HitJson::new).collect(),
            more: recall.more,
            silence: recall.silence.map(Silence::reason),
            degraded: recall.degraded.as_deref(),
            corrected: &recall.corrected,
        }
    }
}
