//! Moves: exports, imports and backups, from either store into either.

mod backup;
mod export;
mod hostile;
mod predecessor;

use std::path::Path;

use sage::capture::Capture;
use sage::config::{Config, Flags};
use sage::engine::{Engine, ForgetRequest, Injection, Noted, Outcome};
use sage::memory::{Filter, Project, Scope, Timestamp};
use sage::recall::{HITS_MAX, RecallRequest};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use crate::harness::{Database, Home, clusters, skipped};
use crate::postgres::parity::{Dice, capture, text};

/// A home's store, asked without the command line.
struct Sage {
    engine: Engine,
    runtime: Runtime,
}

impl Sage {
    fn of(home: &Home) -> Self {
        let flags = Flags {
            data_dir: Some(home.data_dir()),
            ..Flags::default()
        };
        let url = home.postgres().map(Database::url);
        let environment = |name: &str| url.clone().filter(|_| name == "SAGE_DATABASE_URL");
        Self {
            engine: Engine::new(&Config::load(&flags, &environment).unwrap()),
            runtime: Builder::new_current_thread().enable_all().build().unwrap(),
        }
    }

    fn keep(&self, captures: Vec<Capture>) {
        let kept = self.engine.capture_all(captures);
        self.runtime.block_on(kept).unwrap();
    }

    /// Notes that some memories were found for prompts, with every outcome.
    fn note_the_ledger(&self) {
        let all = Filter::default();
        let listed = self.engine.list(&Scope::All, &all, 30, None);
        let found = self.runtime.block_on(listed).unwrap().items;
        let lines = (1..).zip(&found).map(|(rank, memory)| Injection {
            session: format!("session{}", rank % 3),
            prompt: format!("prompt{rank}"),
            memory: memory.id,
            outcome: Outcome::ALL[rank as usize % Outcome::ALL.len()],
            rank,
            // No short decimal says it.
            score: 1.0 / f64::from(rank) + 1e-17,
            tokens: 100 * rank,
            terms: "deploy 索引".to_owned(),
            at: Timestamp::now(),
            used: [None, Some(true), Some(false)][rank as usize % 3],
        });
        let noted = Noted {
            injections: lines.collect(),
            ..Noted::default()
        };
        self.runtime.block_on(self.engine.note(noted)).unwrap();
    }

    /// Ids and scores, to the last bit, of what a search finds.
    fn search(&self, scope: &Scope, query: &str) -> Vec<(String, u32)> {
        let request = RecallRequest {
            query: query.to_owned(),
            scope: scope.clone(),
            filter: Filter::default(),
            limit: HITS_MAX,
            offset: 0,
        };
        let found = self.runtime.block_on(self.engine.recall(&request)).unwrap();
        let hits = found.hits.iter();
        hits.map(|hit| (hit.memory.id.to_string(), hit.score.to_bits()))
            .collect()
    }
}

/// All that a store can hold: turns that grew, keys with history, what has expired, tags, Chinese
/// text, metadata, titles, directories, and what was forgotten.
fn fill(home: &Home, seed: u64) {
    let sage = Sage::of(home);
    let mut dice = Dice(seed);
    let mut captures: Vec<Capture> = (0..300).map(|_| capture(&mut dice)).collect();
    for (number, capture) in (0..).zip(&mut captures) {
        capture.pinned = number % 17 == 0;
        if number % 11 == 0 {
            let object = json!({"z": 1.25e-7, "a": [number, "\u{1b}引号\""]});
            capture.metadata = object.as_object().cloned();
        }
        if number % 13 == 0 {
            capture.directory = Some(format!("/home/somebody/{number}"));
        }
    }
    sage.keep(captures);
    let turn = |event: &str, reply: &str| Capture {
        session: Some("shop-1".to_owned()),
        event: Some(event.to_owned()),
        ..Capture::turn(Project::new("shop"), "水准仪是什么？", reply, "claude-code")
    };
    sage.keep(vec![turn("grows", "A level.")]);
    sage.keep((0..40).map(|_| capture(&mut dice)).collect());
    sage.keep(vec![
        turn("grows", "A level, for heights."),
        turn("again", "A level, for heights."),
    ]);
    let named = sage
        .engine
        .rename_session(&Scope::All, "shop-1", "测量 and levels");
    sage.runtime.block_on(named).unwrap();
    let request = ForgetRequest {
        scope: Scope::Project(Project::new("bakery")),
        ids: Vec::new(),
        filter: Filter {
            tags: vec!["ops".to_owned()],
            ..Filter::default()
        },
    };
    let preview = sage.runtime.block_on(sage.engine.forget_preview(&request));
    let code = preview.unwrap().code;
    let forgotten = sage.runtime.block_on(sage.engine.forget(&request, &code));
    assert!(forgotten.unwrap().memories > 10);
    sage.note_the_ledger();
    for (former, project) in [("old-shop", "shop"), ("older-shop", "old-shop")] {
        let (former, project) = (Project::new(former), Project::new(project));
        let named = sage.engine.alias_project(&former, &project);
        assert_eq!(sage.runtime.block_on(named).unwrap(), 0);
    }
    let bakery = Project::new("bakery");
    let switched = sage.engine.switch_project(&bakery, true);
    sage.runtime.block_on(switched).unwrap();
}

/// The records of an export, without its first and last line, which differ.
#[track_caller]
fn records(home: &Home) -> Vec<String> {
    lines(&home.ok(["export"]))
}

#[track_caller]
pub fn lines(export: &str) -> Vec<String> {
    let lines: Vec<String> = export.lines().map(str::to_owned).collect();
    let (first, last) = (lines.first().unwrap(), lines.last().unwrap());
    assert!(first.starts_with(r#"{"type":"header","format":"sage-export","version":1,"#));
    assert!(last.starts_with(r#"{"type":"end","#), "{last}");
    lines[1..lines.len() - 1].to_vec()
}

#[track_caller]
pub fn import(home: &Home, file: &Path) -> Value {
    home.json(["import", "sage", "--json", file.to_str().unwrap()])
}

/// The same in both, line by line.
#[track_caller]
pub fn same(a: &[String], b: &[String]) {
    for (number, (a, b)) in a.iter().zip(b).enumerate() {
        assert_eq!(a, b, "record {number}");
    }
    assert_eq!(a.len(), b.len());
}

/// Whether two stores answer alike, and find things.
#[track_caller]
fn answer_alike(a: &Home, b: &Home) {
    let (a, b) = (Sage::of(a), Sage::of(b));
    let mut dice = Dice(77);
    let mut found = 0;
    let project = |name: &str| Scope::Project(Project::new(name));
    for scope in [project("shop"), project("Quay"), Scope::All] {
        for _ in 0..25 {
            let query = text(&mut dice);
            let hits = a.search(&scope, &query);
            assert_eq!(hits, b.search(&scope, &query), "{query}");
            found += hits.len();
        }
    }
    assert!(found > 300, "{found}");
}

/// Runs a test on every pair of stores: from the first into the second.
pub fn on_every_pair(test: &str, body: impl Fn(Home, Home)) {
    body(Home::new(), Home::new());
    if clusters().is_empty() {
        return skipped(test, "no PostgreSQL is installed; only SQLite was tried");
    }
    for cluster in clusters() {
        let postgres = || Home::on(Database::new(cluster));
        body(Home::new(), postgres());
        body(postgres(), Home::new());
        body(postgres(), postgres());
    }
}
