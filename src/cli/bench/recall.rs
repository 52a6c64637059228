//! `sage bench recall`: asks questions whose answers are known.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::pin::pin;
use std::time::{Duration, Instant};

use argh::FromArgs;
use serde_json::{Map, Value, json};

use super::dataset::{Dataset, Line, Query};
use super::score::Score;
use super::throwaway::Throwaway;
use super::{deliver, hundredths, percentiles, report};
use crate::capture::{Capture, Captured};
use crate::cli::import::interrupted;
use crate::cli::progress::Progress;
use crate::cli::{Outcome, Setup, output};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::memory::{Filter, Memory, MemoryId, Project, Scope};
use crate::recall::{ContextRequest, LeftOut, RecallRequest};

/// Measure what is found: ask questions whose answers are known.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "recall",
    usage = "[OPTIONS] DATASET...",
    help_triggers("-h", "--help"),
    example = "sage bench recall locomo.jsonl cosqa.jsonl --json before.json",
    example = "sage bench recall locomo.jsonl cosqa.jsonl --compare before.json",
    note = "docs/recall.md describes the files, a store a line, and the measures.",
    note = "What counts is the ranked list behind a context, before it is packed. Documents with a \
            session and a speaker are turns, others notes.",
    note = "A line is also asked the questions of the next line, which it cannot answer."
)]
pub(super) struct Recall {
    /// files with documents and questions, a store a line
    #[argh(positional)]
    dataset: Vec<String>,
    /// write the report as JSON to this file; - is stdout
    #[argh(option)]
    json: Option<String>,
    /// print what differs from this report, and fail where it is worse
    #[argh(option)]
    compare: Option<String>,
    /// also report these categories together, as in 1,2,3,4 (may be repeated)
    #[argh(option)]
    group: Vec<String>,
    /// rank without this evidence (may be repeated); an unknown word lists them
    #[argh(option)]
    without: Vec<String>,
    /// sqlite or postgres (default: as configured)
    #[argh(option)]
    store: Option<String>,
}

pub(super) async fn run(args: &Recall, setup: &Setup) -> Result<Outcome> {
    if args.dataset.is_empty() {
        let what = "expected a file with questions; see `sage bench recall --help`";
        return Err(Error::invalid("DATASET", what));
    }
    let former = args.compare.as_deref().map(report::read).transpose()?;
    let left_out = LeftOut::parse(&args.without)?;
    let sets = args.dataset.iter().map(|path| Dataset::read(path));
    let sets = sets.collect::<Result<Vec<_>>>()?;
    let mut stop = pin!(interrupted()?);
    let mut run = Run {
        progress: Progress::new(),
        done: 0,
        total: sets.iter().map(asked).sum(),
        groups: &args.group,
    };
    let mut reports = Map::new();
    let mut stores = 0;
    for set in &sets {
        let mut tally = Tally::default();
        for (index, line) in set.lines.iter().enumerate() {
            let mut store = Throwaway::new(setup, args.store.as_deref(), stores)?;
            stores += 1;
            store.engine.leave_out(left_out);
            let foreign = foreign(set, index);
            let ended = tokio::select! {
                ended = run.line(&store.engine, line, foreign, &mut tally) => Some(ended),
                () = &mut stop => None,
            };
            store.discard().await?;
            match ended {
                Some(ended) => ended?,
                None => {
                    run.progress.clear();
                    return Ok(Outcome::Interrupted);
                }
            }
        }
        reports.insert(set.name.clone(), tally.json(set));
    }
    run.progress.clear();
    let report = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "without": args.without,
        "sets": reports,
    });
    if let Some(file) = &args.json {
        deliver(&report, file)?;
    }
    if args.json.as_deref() != Some("-") {
        output::print(&report::table(&report))?;
    }
    let Some(former) = former else {
        return Ok(Outcome::Done);
    };
    let (text, is_worse) = report::compare(&former, &report);
    match args.json.as_deref() {
        Some("-") => output::note(text.trim_end()),
        _ => output::print(&text)?,
    }
    Ok(if is_worse {
        Outcome::Worse
    } else {
        Outcome::Done
    })
}

/// The questions of the next line: this one does not hold their answers.
fn foreign(set: &Dataset, index: usize) -> &[Query] {
    let next = set.lines.iter().cycle().nth(index + 1);
    let next = next.filter(|_| set.lines.len() > 1);
    next.map_or(&[], |line| &line.queries)
}

/// How many questions a set asks, each a second time where there are several lines.
fn asked(set: &Dataset) -> u64 {
    let questions: usize = set.lines.iter().map(|line| line.queries.len()).sum();
    questions as u64 * (1 + u64::from(set.lines.len() > 1))
}

/// How far the whole run is.
struct Run<'a> {
    progress: Progress,
    done: u64,
    total: u64,
    groups: &'a [String],
}

/// What a set came to.
#[derive(Default)]
struct Tally {
    /// By level and category.
    scores: BTreeMap<&'static str, BTreeMap<String, Score>>,
    foreign: Score,
    tokens: usize,
    times: Vec<Duration>,
    index_bytes: u64,
}

/// Documents of one transaction while a store is filled.
const BATCH: usize = 256;

/// As many as are considered for a context.
const HITS: usize = 50;

impl Run<'_> {
    async fn line(
        &mut self,
        engine: &Engine,
        line: &Line,
        foreign: &[Query],
        tally: &mut Tally,
    ) -> Result<()> {
        let project = Project::new("bench");
        let scope = Scope::Project(project.clone());
        let names = load(engine, line, &project).await?;
        tally.index_bytes += engine.stats(&scope).await?.store_bytes;
        for query in &line.queries {
            let hits = ranked(engine, &scope, &query.text).await?;
            self.count(query, &hits, line, &names, tally);
            let request = ContextRequest {
                query: query.text.clone(),
                scope: scope.clone(),
                filter: Filter::default(),
                tokens_max: engine.context_tokens(),
                condense: false,
            };
            let start = Instant::now();
            let context = engine.context(&request).await?;
            tally.times.push(start.elapsed());
            tally.tokens += context.tokens;
            self.told();
        }
        for query in foreign {
            let hits = ranked(engine, &scope, &query.text).await?;
            tally.foreign.add(&vec![false; hits.len()], 1);
            self.told();
        }
        Ok(())
    }

    fn told(&mut self) {
        self.done += 1;
        self.progress.count(self.done, self.total, "questions");
    }

    /// Counts the answer to a question, by memory, and by session where the answer was said in one.
    fn count(
        &self,
        query: &Query,
        hits: &[Memory],
        line: &Line,
        names: &HashMap<&str, MemoryId>,
        tally: &mut Tally,
    ) {
        let relevant: HashSet<&str> = query.relevant.iter().map(String::as_str).collect();
        let wanted: HashSet<MemoryId> = relevant
            .iter()
            .filter_map(|name| names.get(name).copied())
            .collect();
        let found: Vec<bool> = hits
            .iter()
            .map(|memory| wanted.contains(&memory.id))
            .collect();
        // What was not kept cannot be found, and is missed all the same.
        let missing = relevant
            .iter()
            .filter(|name| !names.contains_key(*name))
            .count();
        let mut add = |level, found: &[bool], relevant| {
            let scores = tally.scores.entry(level).or_default();
            let groups = self.groups.iter();
            let groups = groups.filter(|group| group.split(',').any(|one| one == query.category));
            for category in groups.map(String::as_str).chain(["all", &query.category]) {
                let score = scores.entry(category.to_owned()).or_default();
                score.add(found, relevant);
            }
        };
        add("turn", &found, wanted.len() + missing);
        let turns = line.documents.iter().filter(|document| document.is_turn());
        let said = turns.filter(|turn| relevant.contains(turn.id.as_str()));
        let sessions: HashSet<String> = said
            .filter_map(|turn| Some(turn.session?.to_string()))
            .collect();
        if sessions.is_empty() {
            return;
        }
        let met = hits.iter().filter_map(|memory| memory.session.as_ref());
        let mut seen = HashSet::new();
        let found: Vec<bool> = met
            .filter(|session| seen.insert(*session))
            .map(|session| sessions.contains(session))
            .collect();
        add("session", &found, sessions.len());
    }
}

/// Fills a store, and tells which memory each document became.
async fn load<'a>(
    engine: &Engine,
    line: &'a Line,
    project: &Project,
) -> Result<HashMap<&'a str, MemoryId>> {
    let mut names = HashMap::new();
    for documents in line.documents.chunks(BATCH) {
        let captures: Vec<Capture> = documents.iter().map(|one| one.capture(project)).collect();
        let kept = engine.capture_all(captures).await?;
        for (captured, document) in kept.iter().zip(documents) {
            if let Captured::Stored { id, .. }
            | Captured::Known { id }
            | Captured::Updated { id, .. } = captured
            {
                names.insert(document.id.as_str(), *id);
            }
        }
    }
    if engine.vector_status().await.is_some() {
        engine.reindex(|_, _| {}).await?;
    }
    // Written back, so that its size is what it will be.
    engine.close().await?;
    Ok(names)
}

/// What is considered for a context, best first.
async fn ranked(engine: &Engine, scope: &Scope, query: &str) -> Result<Vec<Memory>> {
    let request = RecallRequest {
        query: query.to_owned(),
        scope: scope.clone(),
        filter: Filter::default(),
        limit: HITS,
        offset: 0,
    };
    let found = engine.recall(&request).await?;
    Ok(found.hits.into_iter().map(|hit| hit.memory).collect())
}

impl Tally {
    fn json(mut self, set: &Dataset) -> Value {
        let documents: usize = set.lines.iter().map(|line| line.documents.len()).sum();
        let questions: usize = set.lines.iter().map(|line| line.queries.len()).sum();
        let levels = self.scores.iter().map(|(level, scores)| {
            let scores = scores.iter();
            let scores = scores.map(|(category, score)| (category.clone(), score.json()));
            ((*level).to_owned(), Value::Object(scores.collect()))
        });
        let foreign = match self.foreign.questions > 0.0 {
            true => self.foreign.json(),
            false => Value::Null,
        };
        json!({
            "stores": set.lines.len(),
            "documents": documents,
            "questions": questions,
            "levels": Value::Object(levels.collect()),
            "foreign": foreign,
            "tokens": hundredths(self.tokens as f64 / questions.max(1) as f64),
            "latency_ms": percentiles(&mut self.times),
            "index_bytes": self.index_bytes,
        })
    }
}
