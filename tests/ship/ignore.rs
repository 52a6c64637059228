//! What `.dockerignore` lets into a build: an allow-list of what the Dockerfile copies.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use super::dockerfile::{Dockerfile, FILE};
use super::{Faults, check, content, repository, tracked};
use crate::harness::{Home, finish, skipped};

const IGNORE: &str = ".dockerignore";

/// The sources and the table of words (1.1 MB) alone, without what `just dist` and cargo make.
const BYTES_MAX: u64 = 3_200_000;

/// What no build may see, as the start of a path.
const KEPT_OUT: &[&str] = &[".ci", ".git", "docs", "fuzz", "secrets", "shared", "tests"];

/// The lines of a `.dockerignore`. The last that matches a path, or a folder above it, decides.
#[derive(Debug)]
pub(super) struct Patterns(Vec<Pattern>);

#[derive(Debug)]
struct Pattern {
    /// Begins with `!`: lets through.
    allows: bool,
    shape: Shape,
}

/// The patterns that are in use; others are refused rather than guessed.
#[derive(Debug)]
enum Shape {
    /// `*`: every name at the top.
    Top,
    /// `**/name`: this name, at any depth.
    Anywhere(String),
    /// A path from the top.
    Path(String),
}

impl Patterns {
    pub fn parse(text: &str) -> Result<Self, String> {
        let lines = text.lines().map(str::trim);
        lines
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(Pattern::parse)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether the builder gets to see a path.
    pub fn lets_through(&self, path: &str) -> bool {
        let ends = path.match_indices('/').map(|(end, _)| end);
        let prefixes: Vec<&str> = ends.chain([path.len()]).map(|end| &path[..end]).collect();
        let matches = |pattern: &&Pattern| prefixes.iter().any(|prefix| pattern.matches(prefix));
        let decides = self.0.iter().rev().find(matches);
        decides.is_none_or(|pattern| pattern.allows)
    }
}

impl Pattern {
    fn parse(line: &str) -> Result<Self, String> {
        let (allows, text) = match line.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, line),
        };
        let path = text.trim_matches('/');
        let plain = |text: &str| {
            let parts = text.split('/').all(|part| !matches!(part, "" | "." | ".."));
            parts && !text.contains(['*', '?', '[', '\\', '!'])
        };
        let shape = match path.strip_prefix("**/") {
            Some(name) if plain(name) && !name.contains('/') => Shape::Anywhere(name.to_owned()),
            None if path == "*" => Shape::Top,
            None if plain(path) => Shape::Path(path.to_owned()),
            _ => return Err(format!("{line}: write a path, * or **/name")),
        };
        Ok(Self { allows, shape })
    }

    /// Whether it is about exactly this path.
    fn matches(&self, path: &str) -> bool {
        match &self.shape {
            Shape::Top => !path.contains('/'),
            Shape::Anywhere(name) => path.rsplit('/').next() == Some(name),
            Shape::Path(own) => own == path,
        }
    }
}

#[test]
fn it_is_an_allow_list() {
    let file = Dockerfile::parse(&content(FILE)).unwrap();
    let copies = file.stages.iter().flat_map(|stage| stage.all("COPY"));
    let sources: BTreeSet<String> = copies
        .filter(|copy| copy.flag("from").is_none())
        .flat_map(|copy| copy.paths().0)
        .map(|source| source.trim_end_matches('/').to_owned())
        .collect();
    check(
        IGNORE,
        Patterns::parse,
        |patterns, faults| {
            let first = patterns.0.first();
            let all = first.is_some_and(|it| matches!(it.shape, Shape::Top) && !it.allows);
            faults.unless(all, "begin with *, which keeps everything out");
            for pattern in patterns.0.iter().skip(1) {
                allowed(pattern, &sources, faults);
            }
        },
        &[
            ("*\n!.cargo", "!.cargo"),
            ("!src", "!src\n!tests"),
            ("!src", "!src\n!README.md"),
            ("!src", "!src\nsrc/cli"),
            ("!src", "!src/**"),
            ("!src", "!s?c"),
            ("!src", "!*"),
            ("**/target", "!**/target"),
        ],
    );
}

/// A line after the first: lets in something that is copied, or cuts out what is made by building.
fn allowed(pattern: &Pattern, sources: &BTreeSet<String>, faults: &mut Faults) {
    match &pattern.shape {
        Shape::Path(path) if pattern.allows => {
            let inside = format!("{path}/");
            let copied = |source: &String| source == path || source.starts_with(&inside);
            faults.unless(
                sources.iter().any(copied),
                format!("!{path}: {FILE} copies nothing of it"),
            );
        }
        Shape::Anywhere(name) if !pattern.allows => {
            faults.unless(
                name == "target",
                format!("**/{name}: name what to let in instead"),
            );
        }
        shape => faults.unless(false, format!("{shape:?}: name a path to let in, with !")),
    }
}

#[test]
fn only_sources_come_in() {
    let Some(files) = tracked() else {
        return skipped("only_sources_come_in", "this is not a git checkout");
    };
    check(
        IGNORE,
        Patterns::parse,
        |patterns, faults| {
            let mut bytes = 0;
            for file in files.iter().filter(|file| patterns.lets_through(file)) {
                let top = file.split('/').next().unwrap();
                faults.unless(!KEPT_OUT.contains(&top), format!("keep {file} out"));
                bytes += std::fs::metadata(repository().join(file)).map_or(0, |it| it.len());
            }
            faults.unless(bytes < BYTES_MAX, format!("{bytes} bytes: let in less"));
            for file in ["Cargo.lock", "src/main.rs", "tools/dist", "image/passwd"] {
                faults.unless(patterns.lets_through(file), format!("let {file} in"));
            }
            for file in [
                ".git/config",
                ".env",
                "secrets/database_url",
                "target/debug/sage",
            ] {
                faults.unless(!patterns.lets_through(file), format!("keep {file} out"));
            }
            let deeper = "healthcheck/target/release/healthcheck";
            faults.unless(!patterns.lets_through(deeper), format!("keep {deeper} out"));
        },
        &[
            ("*\n!.cargo", "!.cargo"),
            ("!src", "!src\n!docs"),
            ("!src\n", ""),
            ("!tools/dist\n", ""),
            ("**/target", ""),
            ("!image", "image"),
        ],
    );
}

#[test]
fn what_comes_in_is_a_package() {
    let Some(files) = tracked() else {
        return skipped("what_comes_in_is_a_package", "this is not a git checkout");
    };
    let patterns = Patterns::parse(&content(IGNORE)).unwrap();
    let home = Home::new();
    let context = home.project("context");
    for file in files.iter().filter(|file| patterns.lets_through(file)) {
        let target = context.join(file);
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(repository().join(file), target).unwrap();
    }
    // Before it compiles anything, cargo looks for every target that the manifest names.
    let complaint = asks_for_nothing(&context);
    let advice = "let in what the manifest names, see .dockerignore";
    assert!(
        complaint.contains("no bin target named"),
        "{complaint}{advice}"
    );
    std::fs::remove_file(context.join("benches/memory.rs")).unwrap();
    let complaint = asks_for_nothing(&context);
    assert!(
        complaint.contains("can't find `memory` bench"),
        "{complaint}"
    );
}

/// What cargo says when it is asked for an executable that does not exist.
fn asks_for_nothing(package: &Path) -> String {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--offline", "--locked", "--bin", "nothing"]);
    cargo
        .current_dir(package)
        .env("CARGO_TARGET_DIR", package.join("target"));
    finish(&mut cargo).stderr
}

#[test]
fn the_last_match_decides() {
    let patterns = Patterns::parse("# all\n*\n!/a/\n!b/c\na/d\n**/e\n!a/e/f\n").unwrap();
    for (path, through) in [
        ("a", true),
        ("a/x", true),
        ("a/d", false),
        ("a/d/x", false),
        ("b", false),
        ("b/x", false),
        ("b/c", true),
        ("b/c/x/y", true),
        ("b/c/e", false),
        ("e", false),
        ("a/e/x", false),
        ("a/e/f", true),
        ("ax", false),
        ("x/a", false),
    ] {
        assert_eq!(patterns.lets_through(path), through, "{path}");
    }
    for unknown in [
        "a*", "!a?", "[ab]", "a/**", "**/a/b", "../a", "a//b", "!!a", "/",
    ] {
        assert!(Patterns::parse(unknown).is_err(), "{unknown}");
    }
}
