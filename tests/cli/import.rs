//! Claude Code's transcripts become memories.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;

use serde_json::{Value, json};

use super::{ids, json_in, parse, run_in, text};
use crate::harness::{Home, eventually};

/// A session with so many turns, each with words that no other has.
pub(super) fn transcript(session: &str, cwd: &str, turns: usize) -> String {
    (1..=turns).map(|n| turn(session, cwd, n)).collect()
}

/// The two lines of a turn.
fn turn(session: &str, cwd: &str, n: usize) -> String {
    let second = n % 60;
    let prompt = json!({
        "type": "user", "uuid": format!("{session}-u{n}"), "promptId": format!("{session}-p{n}"),
        "sessionId": session, "cwd": cwd, "isSidechain": false,
        "timestamp": format!("2026-11-03T12:00:{second:02}.000Z"),
        "message": {"role": "user", "content": format!("How is gadget{n} of {session} built?")},
    });
    let reply = json!({
        "type": "assistant", "uuid": format!("{session}-a{n}"), "sessionId": session, "cwd": cwd,
        "message": {"id": format!("{session}-m{n}"), "role": "assistant", "content": [
            {"type": "text", "text": format!("Take widget{n}, and fasten it with two screws.")}]},
    });
    format!("{prompt}\n{reply}\n")
}

fn import(home: &Home, path: &str) -> Value {
    home.json(["import", "claude-code", "--json", path])
}

fn all_turns(home: &Home) -> u64 {
    let stats = home.json(["stats", "--all", "--json"]);
    stats["memories"]["turn"].as_u64().unwrap()
}

#[test]
fn a_folder_of_transcripts_is_imported_once() {
    let home = Home::new();
    let shop = home.project("shop");
    home.file("history/-shop/one.jsonl", transcript("one", text(&shop), 3));
    home.file(
        "history/-gone/two.jsonl",
        transcript("two", "/nowhere/gone", 2),
    );
    home.file("history/-gone/notes.txt", "no transcript");
    let folder = home.path().join("history");

    let first = import(&home, text(&folder));
    assert_eq!(
        first["files"],
        json!({"found": 2, "read": 2, "unreadable": []})
    );
    let turns = json!({"stored": 5, "updated": 0, "known": 0, "refused": []});
    assert_eq!(first["turns"], turns);
    assert_eq!(first["broken_lines"], json!({"reasons": [], "first": []}));
    assert_eq!(first["redacted"], 0);
    assert_eq!(first["interrupted"], false);
    assert!(
        first["seconds"]
            .as_f64()
            .is_some_and(|seconds| seconds > 0.0),
        "{first}"
    );

    let answer = json_in(&home, &shop, &["search", "--json", "gadget2", "widget2"]);
    let hit = &answer["hits"][0];
    assert_eq!(hit["prompt"], "How is gadget2 of one built?", "{answer}");
    assert_eq!(hit["reply"], "Take widget2, and fasten it with two screws.");
    assert_eq!(hit["session"], "one");
    assert_eq!(hit["source"], "claude-code");
    assert_eq!(hit["created_at"], "2026-11-03T12:00:02Z");
    assert_eq!(hit["project"], text(&shop));
    let gone = home.json(["list", "--json", "--project", "/nowhere/gone"]);
    assert_eq!(ids(&gone["memories"]).len(), 2);
    assert_eq!(
        home.json(["sessions", "--all", "--json"])["sessions"]
            .as_array()
            .unwrap()
            .len(),
        2
    );

    let second = import(&home, text(&folder));
    let turns = json!({"stored": 0, "updated": 0, "known": 5, "refused": []});
    assert_eq!(second["turns"], turns);
    assert_eq!(all_turns(&home), 5);
}

#[test]
fn the_summary_is_for_people_too() {
    let home = Home::new();
    let file = home.file("one.jsonl", transcript("one", "/nowhere/shop", 3));
    let finished = home.run(["import", "claude-code", text(&file)]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    assert!(
        finished.stderr.starts_with("importing 1 file, "),
        "{}",
        finished.stderr
    );
    assert!(!finished.stderr.contains('\r'), "{:?}", finished.stderr);
    let row = finished
        .stdout
        .lines()
        .find(|line| line.starts_with("turns stored"));
    assert!(
        row.is_some_and(|row| row.ends_with(" 3")),
        "{}",
        finished.stdout
    );
}

#[test]
fn a_session_may_move_between_projects() {
    let home = Home::new();
    let moved = turn("one", "/nowhere/a", 1) + &turn("one", "/nowhere/b", 2);
    let file = home.file("one.jsonl", moved);
    assert_eq!(import(&home, text(&file))["turns"]["stored"], 2);
    for (project, n) in [("/nowhere/a", 1), ("/nowhere/b", 2)] {
        let list = home.json(["list", "--json", "--project", project]);
        let content = list["memories"][0]["content"].as_str().unwrap();
        assert!(content.contains(&format!("gadget{n} ")), "{content}");
        assert_eq!(ids(&list["memories"]).len(), 1);
    }
}

#[test]
fn what_grew_is_updated_and_what_is_new_is_added() {
    let home = Home::new();
    let file = home.file("one.jsonl", transcript("one", "/nowhere/shop", 2));
    import(&home, text(&file));
    let more = json!({
        "type": "assistant", "uuid": "later", "sessionId": "one",
        "message": {"id": "later", "role": "assistant", "content": [
            {"type": "text", "text": "And paint it green."}]},
    });
    let grown = transcript("one", "/nowhere/shop", 2) + &format!("{more}\n");
    home.file("one.jsonl", grown + &turn("one", "/nowhere/shop", 3));
    let turns = import(&home, text(&file))["turns"].clone();
    assert_eq!(
        turns,
        json!({"stored": 1, "updated": 1, "known": 1, "refused": []})
    );
    assert_eq!(all_turns(&home), 3);
    let answer = home.json(["search", "--all", "--json", "paint", "green"]);
    assert!(
        answer["hits"][0]["reply"]
            .as_str()
            .unwrap()
            .ends_with("paint it green."),
        "{answer}"
    );
}

#[test]
fn what_says_nothing_is_refused_with_a_reason() {
    let home = Home::new();
    let trivial = json!({"type": "user", "uuid": "u", "promptId": "p", "sessionId": "one",
                         "message": {"role": "user", "content": "ok"}});
    let file = home.file("one.jsonl", format!("{trivial}\n"));
    let refused = import(&home, text(&file))["turns"]["refused"].clone();
    assert_eq!(refused[0]["count"], 1, "{refused}");
    assert!(refused[0]["reason"].is_string(), "{refused}");
}

#[test]
fn broken_lines_are_named_and_cost_nothing_else() {
    let home = Home::new();
    let mut bytes = transcript("one", "/nowhere/shop", 2).into_bytes();
    bytes.extend(b"{\"type\": \"user\", \n\xff\xfe\n");
    bytes.extend(turn("one", "/nowhere/shop", 3).into_bytes());
    let file = home.file("one.jsonl", bytes);
    let summary = import(&home, text(&file));
    assert_eq!(summary["turns"]["stored"], 3);
    let first = &summary["broken_lines"]["first"];
    assert_eq!(
        (&first[0]["line"], &first[1]["line"]),
        (&json!(5), &json!(6)),
        "{summary}"
    );
    assert_eq!(first[0]["path"], text(&file));
    let reasons = summary["broken_lines"]["reasons"].as_array().unwrap();
    let count: u64 = reasons
        .iter()
        .map(|reason| reason["count"].as_u64().unwrap())
        .sum();
    assert_eq!(count, 2, "{summary}");
    let page = home.ok(["import", "claude-code", text(&file)]);
    assert!(page.contains(&format!("{}:5: ", text(&file))), "{page}");
}

#[test]
fn what_cannot_be_read_is_told_and_passed_over() {
    let home = Home::new();
    let file = home.file("one.jsonl", transcript("one", "/nowhere/shop", 1));
    let missing = home.path().join("missing");
    let args = [
        "import",
        "claude-code",
        "--json",
        text(&missing),
        text(&file),
    ];
    let summary = home.json(args);
    assert_eq!(summary["turns"]["stored"], 1);
    assert_eq!(summary["files"]["unreadable"][0]["path"], text(&missing));

    let nothing = home.run(["import", "claude-code", text(&missing)]);
    assert_eq!(nothing.code, 1);
    assert!(
        nothing.stdout.contains(text(&missing)),
        "{}",
        nothing.stdout
    );
    assert!(
        nothing.stderr.contains("nothing could be read"),
        "{}",
        nothing.stderr
    );
    let empty = home.run(["import", "claude-code", text(&home.project("empty"))]);
    assert_eq!(empty.code, 1);
    assert!(empty.stderr.contains("no transcripts"), "{}", empty.stderr);
}

#[test]
fn without_a_path_the_usual_folder_is_suggested() {
    let home = Home::new();
    let unknown = home.run(["import", "claude-code"]);
    assert_eq!(unknown.code, 2);
    let folder = home.project(".claude/projects");
    let known = home.run(["import", "claude-code"]);
    assert_eq!(known.code, 2);
    let command = format!("sage import claude-code {}", text(&folder));
    assert!(!unknown.stderr.contains(&command), "{}", unknown.stderr);
    assert!(known.stderr.contains(&command), "{}", known.stderr);
}

#[test]
fn an_interrupted_import_goes_on_where_it_was() {
    const TURNS: usize = 300;
    let home = Home::new();
    // A pipe stands for a transcript that takes long to read: it holds the import in the middle.
    let pipe = home.path().join("one.jsonl");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let (done, wait) = channel::<()>();
    let writer = std::thread::spawn({
        let pipe = pipe.clone();
        move || {
            let mut file = File::options().write(true).open(pipe).unwrap();
            let text = transcript("one", "/nowhere/shop", TURNS);
            file.write_all(text.as_bytes()).unwrap();
            // Until the test is through with the import.
            let _ = wait.recv();
        }
    });
    let mut command = home.command(["import", "claude-code", "--json", text(&pipe)]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    assert!(line.starts_with("importing 1 file"), "{line}");
    eventually("the first batch", || (all_turns(&home) > 0).then_some(()));
    let kill = ["-INT", &child.id().to_string()];
    assert!(Command::new("kill").args(kill).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    drop(done);
    writer.join().unwrap();

    assert_eq!(output.status.code(), Some(130));
    let summary = parse(&String::from_utf8(output.stdout).unwrap());
    assert_eq!(summary["interrupted"], true);
    let stored = summary["turns"]["stored"].as_u64().unwrap();
    assert!((1..TURNS as u64).contains(&stored), "{summary}");
    assert_eq!(all_turns(&home), stored);

    let file = home.file("again/one.jsonl", transcript("one", "/nowhere/shop", TURNS));
    let turns = import(&home, text(&file))["turns"].clone();
    assert_eq!(turns["known"], stored);
    assert_eq!(turns["stored"], TURNS as u64 - stored);
    assert_eq!(all_turns(&home), TURNS as u64);
}

#[test]
fn ten_thousand_turns_are_all_there() {
    let home = Home::new();
    for session in 0..10 {
        let session = format!("s{session}");
        let text = transcript(&session, "/nowhere/shop", 1_000);
        home.file(&format!("history/{session}.jsonl"), text);
    }
    let folder = home.path().join("history");
    let summary = import(&home, text(&folder));
    assert_eq!(summary["turns"]["stored"], 10_000, "{summary}");
    assert_eq!(summary["files"]["read"], 10);
    assert_eq!(all_turns(&home), 10_000);
    let found = run_in(&home, home.path(), &["search", "--all", "gadget777 of s7"]);
    assert!(found.stdout.contains("gadget777 of s7"), "{}", found.stdout);
}
