//! Whether Compose itself takes the files: the old one what is cut down for it, the present one the
//! files as they are.

use std::process::Command;

use super::super::{content, installed, repository};
use super::keys::entries;
use super::{EMBEDDED, FILES, REMOTE, WITH_DATABASE};
use crate::harness::{
    Home, UNKNOWN_TO_COMPOSE_1, finish, for_compose_1, parse_compose, skipped, tell,
};

/// A command with nothing in its environment that a compose file could take up.
fn clean(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env_clear().current_dir(repository());
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

/// The files that are used together.
const SETS: &[&[&str]] = &[&[WITH_DATABASE], &[EMBEDDED], &[EMBEDDED, REMOTE]];

#[test]
fn the_old_compose_takes_what_is_cut_down() {
    let version = |program: &str| finish(clean(program).arg("--version")).stdout;
    if installed("docker-compose").is_none() || !version("docker-compose").contains("version 1.") {
        return skipped(
            "the_old_compose_takes_what_is_cut_down",
            "there is no docker-compose 1; apt-get install docker-compose",
        );
    }
    let home = Home::new();
    let taken = |files: &[&str], cut: fn(&str) -> String| {
        let mut compose = clean("docker-compose");
        compose.arg("--project-directory").arg(repository());
        for name in files {
            compose.arg("-f").arg(home.file(name, cut(&content(name))));
        }
        finish(compose.args(["config", "--quiet"]))
    };
    for files in SETS {
        let finished = taken(files, for_compose_1);
        let advice = "add what it names to UNKNOWN_TO_COMPOSE_1";
        assert_eq!(finished.code, 0, "{files:?}: {}{advice}", finished.stderr);
        let whole = taken(files, str::to_owned);
        assert_ne!(whole.code, 0, "{files:?}: cut nothing, it is taken whole");
    }
}

#[test]
fn only_what_is_named_is_cut() {
    for file in FILES {
        let before = parse_compose(&content(file)).unwrap();
        let after = parse_compose(&for_compose_1(&content(file))).unwrap();
        for lost in lost(&before, &after) {
            let like = |path: &str| {
                let (path, lost) = (path.split('.'), lost.split('.'));
                path.clone().count() == lost.clone().count()
                    && path
                        .zip(lost)
                        .all(|(name, found)| name == "*" || name == found)
            };
            let named = UNKNOWN_TO_COMPOSE_1.iter().any(|(path, _)| like(path));
            assert!(named, "{file}: {lost} is gone");
        }
    }
    let reduced = for_compose_1(
        "name: a\nservices: {s: {image: i, name: n, depends_on: {t: {restart: true, condition: c}},\
         healthcheck: {start_interval: 1s, interval: 2s}, restart: always}}",
    );
    let wanted = "services: {s: {image: i, name: n, depends_on: {t: {condition: c}},\
                  healthcheck: {interval: 2s}, restart: always}}";
    assert_eq!(parse_compose(&reduced), parse_compose(wanted));
}

/// The paths of `before` that `after` has not.
fn lost(before: &serde_json::Value, after: &serde_json::Value) -> Vec<String> {
    let mut paths = Vec::new();
    for (key, value) in entries(before) {
        match after.get(key) {
            None => paths.push(key.clone()),
            Some(other) => paths.extend(
                lost(value, other)
                    .iter()
                    .map(|rest| format!("{key}.{rest}")),
            ),
        }
    }
    paths
}

#[test]
fn the_present_compose_takes_the_files() {
    let there = installed("docker").is_some()
        && finish(clean("docker").args(["compose", "version"])).code == 0;
    if !there {
        // Nothing depends on it: the strict model says the same.
        return tell("note: there is no Compose v2 to ask about the compose files");
    }
    for files in SETS {
        let mut compose = clean("docker");
        compose.arg("compose");
        for file in *files {
            compose.args(["-f", file]);
        }
        let finished = finish(compose.args(["config", "--quiet"]));
        assert_eq!(finished.code, 0, "{files:?}: {}", finished.stderr);
        assert_eq!(finished.stderr, "", "{files:?}");
    }
}
