//! The command line, as a person or a script meets it.

mod basics;
mod bench;
mod forget;
mod import;
mod memories;
mod prune;
mod scope;
mod terminal;

use std::path::Path;

use serde_json::Value;

use crate::harness::{Finished, Home, finish};

/// Runs `sage ARGS` as Claude Code would in a project. The working directory would not do: where
/// the tests run in a container, it is never a project.
fn run_in(home: &Home, project: &Path, args: &[&str]) -> Finished {
    finish(home.command(args).env("CLAUDE_PROJECT_DIR", project))
}

/// The same, insisting on success; returns what it printed.
#[track_caller]
fn ok_in(home: &Home, project: &Path, args: &[&str]) -> String {
    let finished = run_in(home, project, args);
    assert_eq!(finished.code, 0, "stderr: {}", finished.stderr);
    finished.stdout
}

#[track_caller]
fn json_in(home: &Home, project: &Path, args: &[&str]) -> Value {
    parse(&ok_in(home, project, args))
}

#[track_caller]
fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("not JSON ({error}): {text}"))
}

/// Keeps a note in a project and returns its id.
#[track_caller]
fn remember(home: &Home, project: &Path, args: &[&str]) -> String {
    let args = [&["remember", "--json"], args].concat();
    let report = json_in(home, project, &args);
    report["id"].as_str().unwrap().to_owned()
}

/// The ids in a list of memories or hits.
fn ids(list: &Value) -> Vec<&str> {
    let items = list.as_array().unwrap();
    items
        .iter()
        .map(|item| item["id"].as_str().unwrap())
        .collect()
}

/// A path as text.
fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
