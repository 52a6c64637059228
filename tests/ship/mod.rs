//! The files that ship Sage, read as the programs that use them read them. No container engine is
//! needed. Every rule is also run over texts that break it, so a rule that sees nothing fails.

mod compose;
mod dockerfile;
mod executable;
mod ignore;
mod recipes;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::harness::{Home, finish};

/// What a rule found: each fault says what is wrong and what to do.
#[derive(Debug, Default)]
struct Faults(Vec<String>);

impl Faults {
    fn unless(&mut self, holds: bool, fault: impl Into<String>) {
        if !holds {
            self.0.push(fault.into());
        }
    }
}

/// Holds a file to a rule. Each break is a text of the file and what is put in its place; the rule,
/// or whoever reads the file, must notice it.
#[track_caller]
fn check<T>(
    file: &str,
    read: impl Fn(&str) -> Result<T, String>,
    rule: impl Fn(&T, &mut Faults),
    breaks: &[(&str, &str)],
) {
    let judge = |text: &str| {
        let mut faults = Faults::default();
        match read(text) {
            Ok(parsed) => rule(&parsed, &mut faults),
            Err(error) => faults.0.push(error),
        }
        faults.0
    };
    let text = content(file);
    let faults = judge(&text);
    assert!(faults.is_empty(), "{file}:\n  {}", faults.join("\n  "));
    for (from, to) in breaks {
        assert!(text.contains(from), "{file} has no {from:?} to break");
        let faults = judge(&text.replacen(from, to, 1));
        assert!(!faults.is_empty(), "{from:?} became {to:?}, unnoticed");
    }
}

/// The repository's root.
fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the repository.
#[track_caller]
fn content(file: &str) -> String {
    let path = repository().join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The paths that git knows, from the root; none where this is no checkout.
fn tracked() -> Option<Vec<String>> {
    let list = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(repository())
        .output()
        .ok()?;
    let text = String::from_utf8(list.stdout).unwrap();
    let names = text.split_terminator('\0').map(str::to_owned);
    list.status.success().then(|| names.collect())
}

/// The settings of the real executable, as `sage config --json` tells them.
fn settings() -> Vec<Value> {
    let mut report = Home::new().json(["config", "--json"]);
    serde_json::from_value(report["settings"].take()).unwrap()
}

/// The port that Sage listens on when nobody says anything.
fn default_port() -> String {
    let settings = settings();
    let port = settings.iter().find(|row| row["variable"] == "SAGE_PORT");
    port.unwrap()["default"].as_str().unwrap().to_owned()
}

/// Where a program is, if it is installed.
fn installed(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}

/// Runs a command in the repository and insists on success; returns what it printed, errors last.
#[track_caller]
fn succeed(command: &mut Command) -> String {
    let finished = finish(command.current_dir(repository()));
    assert_eq!(finished.code, 0, "{command:?}: {}", finished.stderr);
    finished.stdout + &finished.stderr
}
