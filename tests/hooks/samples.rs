//! Every recorded event, twice in a row, by both ways in.

use std::fmt::Write;
use std::fs::File;
use std::io::BufReader;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use sage::claude::transcript::read_turns;
use serde_json::Value;

use super::{Session, kept, run, said};
use crate::harness::{Home, Server, on_every_store};

/// In the order in which a client would tell them.
const EVENTS: [&str; 11] = [
    "SessionStart",
    "UserPromptExpansion",
    "UserPromptSubmit",
    "PreToolUse",
    "PostToolUse",
    "Stop",
    "SubagentStart",
    "SubagentStop",
    "PreCompact",
    "PostCompact",
    "SessionEnd",
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/hooks")
}

fn sample(name: &str) -> Value {
    let text = std::fs::read_to_string(folder().join(format!("{name}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// What differs from run to run becomes a word.
fn masked(text: &str) -> String {
    let words = text.split_inclusive([' ', ']', '\n']).map(|word| {
        let bare = word.trim_end_matches([' ', ']', '\n']);
        let rest = &word[bare.len()..];
        let is_id = bare.len() == 36 && bare.bytes().filter(|byte| *byte == b'-').count() == 4;
        let is_date = bare.trim_start_matches('[').len() == 10 && bare.contains("-1")
            || bare.starts_with("[20");
        match (is_id, is_date) {
            (true, _) => format!("ID{rest}"),
            (_, true) => format!("[DATE{rest}"),
            _ => word.to_owned(),
        }
    });
    words.collect()
}

/// A store that knows something about what the samples ask.
fn prepared(home: &Home) {
    let project = "/home/dev/shop";
    for args in [
        &[
            "remember",
            "--project",
            project,
            "--key",
            "style",
            "Indent with tabs in this shop.",
        ][..],
        &[
            "remember",
            "--project",
            project,
            "The second thing to do: call the recall tool with tabs.",
        ],
        &[
            "remember",
            "--project",
            "/home/dev/other",
            "Recall tabs: this is of another project.",
        ],
    ] {
        home.ok(args);
    }
}

/// Tells all events twice; returns what was answered, masked.
fn replay(tell: impl Fn(&Value) -> Value) -> String {
    let mut answers = String::new();
    for name in EVENTS {
        for round in ["first", "again"] {
            let output = tell(&sample(name));
            let context = output["hookSpecificOutput"]["additionalContext"].as_str();
            let context = context.map_or("nothing".to_owned(), masked);
            let _ = writeln!(answers, "== {name}, {round}\n{context}");
        }
    }
    answers
}

on_every_store!(the_samples_have_golden_answers);
fn the_samples_have_golden_answers(home: Home) {
    prepared(&home);
    let golden = folder().join("golden.txt");
    let answers = replay(|event| said(&run(&home, event, &[])));
    if std::env::var_os("SAGE_BLESS").is_some() {
        std::fs::write(&golden, &answers).unwrap();
    }
    assert_eq!(answers, std::fs::read_to_string(&golden).unwrap());

    let over_http = home.another();
    prepared(&over_http);
    let server = Server::start(&over_http);
    let answers = replay(|event| {
        let reply = server.post("/hooks/claude-code", event);
        reply.is(200).json()
    });
    assert_eq!(answers, std::fs::read_to_string(&golden).unwrap());
    let words = |home: &Home| super::words(home).join("\n--\n");
    assert_eq!(words(&over_http), words(&home));
}

#[test]
fn the_samples_leave_what_they_tell_once() {
    let home = Home::new();
    prepared(&home);
    replay(|event| said(&run(&home, event, &[])));
    let memories = kept(&home);
    let told: Vec<_> = memories[3..]
        .iter()
        .map(|memory| {
            (
                &memory["kind"],
                &memory["tags"],
                memory["content"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(told.len(), 3, "{told:#?}");
    assert!(
        told[0].2.starts_with("please do CALL_TOOL") && told[0].2.contains("FAKE-REPLY tool said")
    );
    assert_eq!(
        (told[1].1[0].as_str(), told[1].2),
        (Some("subagent"), "SUBDONE tool said: hi")
    );
    assert_eq!(
        (told[2].0.as_str(), told[2].2),
        (Some("summary"), "FAKE-REPLY")
    );
    for memory in &memories[3..] {
        assert_eq!(memory["project"], "/home/dev/shop");
    }
}

/// What the client writes into a transcript it has told to hooks before: both come to the same.
#[test]
fn transcripts_told_live_and_imported_are_the_same() {
    for name in [
        "transcript-tools.jsonl",
        "transcript-resume-compact.jsonl",
        "resumed.jsonl",
        "noise.jsonl",
        "blocks.jsonl",
        "chinese.jsonl",
    ] {
        let path = folder().join("../claude").join(name);
        let mut turns = Vec::new();
        let file = BufReader::new(File::open(&path).unwrap());
        read_turns(file, name.trim_end_matches(".jsonl"), &mut |turn| {
            turns.push(turn);
            ControlFlow::Continue(())
        })
        .unwrap();
        let live = Home::new();
        for turn in &turns {
            let dir = turn.cwd.clone().unwrap_or_default();
            let session = Session::new(&live, &turn.session_id, Path::new(&dir));
            session.prompt(&turn.prompt_id, &turn.prompt);
            if !turn.reply.is_empty() {
                session.stop(&turn.prompt_id, &turn.reply);
            }
        }
        for turn in &turns {
            let dir = turn.cwd.clone().unwrap_or_default();
            Session::new(&live, &turn.session_id, Path::new(&dir)).end();
        }
        let imported = Home::new();
        for home in [&imported, &live] {
            home.ok(["import", "claude-code", path.to_str().unwrap()]);
        }
        let turns_of = |home: &Home| {
            let memories = kept(home).into_iter();
            let turns = memories.filter(|memory| memory["kind"] == "turn");
            let mut words: Vec<String> = turns.map(|turn| turn["content"].to_string()).collect();
            words.sort();
            words
        };
        assert_eq!(turns_of(&live), turns_of(&imported), "{name}");
    }
}
