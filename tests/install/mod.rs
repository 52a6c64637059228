//! Setting Claude Code up and taking that back: its files, as people keep them.

mod client;
mod files;
mod plugin;
mod print;
mod properties;
mod working;

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::harness::{Finished, Home, finish};

/// `sage ARGS` on a machine whose `PATH` has nothing but what a test puts there, in a project.
pub fn sage(home: &Home, args: &[&str]) -> Command {
    let mut command = home.command(args);
    command
        .env("PATH", home.path().join("bin"))
        .current_dir(home.project("shop"));
    command
}

#[track_caller]
pub fn run(home: &Home, args: &[&str]) -> Finished {
    finish(&mut sage(home, args))
}

#[track_caller]
pub fn ok(home: &Home, args: &[&str]) -> Finished {
    let finished = run(home, args);
    assert_eq!(finished.code, 0, "{args:?}: {}", finished.stderr);
    finished
}

pub fn settings(home: &Home) -> PathBuf {
    home.path().join(".claude/settings.json")
}

/// Comments out, commas before a bracket out: what is left is JSON.
#[track_caller]
pub fn plain(text: &str) -> Value {
    let (mut out, mut rest) = (String::new(), text.trim_start_matches('\u{feff}'));
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '"' => {
                let mut escaped = false;
                let end = rest[1..].find(|c| {
                    let is_end = c == '"' && !escaped;
                    escaped = c == '\\' && !escaped;
                    is_end
                });
                end.unwrap() + 2
            }
            '/' if rest.starts_with("//") => {
                rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
                continue;
            }
            '/' if rest.starts_with("/*") => {
                rest = &rest[rest[2..].find("*/").unwrap() + 4..];
                continue;
            }
            '}' | ']' => {
                let kept = out.trim_end();
                let kept = kept.strip_suffix(',').unwrap_or(kept).len();
                out.truncate(kept);
                1
            }
            c => c.len_utf8(),
        };
        out.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {text}"))
}
