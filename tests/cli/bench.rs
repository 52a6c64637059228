//! `sage bench`: numbers that are right, and nothing left behind.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::parse;
use crate::harness::{Database, Finished, Home, finish, on_every_store};

/// Two people's memories. Of the first one's questions one has its answer in two places, of which
/// one shares no word with it and stands beside nothing.
fn dataset(home: &Home) -> PathBuf {
    let said = |id: &str, speaker: &str, text: &str, session: u64, position: u64| {
        json!({"id": id, "speaker": speaker, "text": text, "session": session,
               "position": position, "date": "1:56 pm on 8 May, 2023"})
    };
    let question = |text: &str, relevant: &[&str], category: &str| json!({"text": text, "relevant": relevant, "category": category});
    let first = json!({
        "name": "first",
        "documents": [
            said("a", "Marta", "The harbour gauge shows the tide", 1, 0),
            said("b", "Ruben", "We paint the lighthouse in October", 2, 0),
            said("c", "Marta", "Yes", 3, 0),
            {"id": "d", "text": "def read_gauge(port):\n    return port.read()"},
        ],
        "queries": [
            question("What does the harbour gauge show?", &["a"], "1"),
            question("When do we paint the lighthouse?", &["b", "c"], "2"),
        ],
    });
    let second = json!({
        "name": "second",
        "documents": [said("e", "Anna", "Bread rises overnight in the cellar", 1, 0)],
        "queries": [question("Where does bread rise overnight?", &["e"], "1")],
    });
    home.file("questions.jsonl", format!("{first}\n{second}\n"))
}

fn bench(home: &Home, args: &[&str], file: &Path) -> Finished {
    let temporary = home.project("tmp");
    let mut command = home.command(["bench", "recall"]);
    command.args(args).arg(file).env("TMPDIR", temporary);
    finish(&mut command)
}

fn left_in_tmp(home: &Home) -> usize {
    std::fs::read_dir(home.project("tmp")).unwrap().count()
}

on_every_store!(what_is_found_is_measured);

fn what_is_found_is_measured(home: Home) {
    let file = dataset(&home);
    let finished = bench(&home, &["--json", "-", "--group", "1,2"], &file);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let report = parse(&finished.stdout);
    let set = &report["sets"]["questions"];
    assert_eq!(set["stores"], 2);
    assert_eq!(set["documents"], 5);
    let turn = &set["levels"]["turn"];
    assert_eq!(turn["1"]["questions"], 2);
    assert_eq!(turn["1"]["r1"], 100.0);
    assert_eq!(turn["2"]["r10"], 50.0);
    assert_eq!(turn["2"]["hit1"], 100.0);
    assert_eq!(turn["all"]["mrr"], 100.0);
    assert_eq!(turn["all"], turn["1,2"]);
    let session = &set["levels"]["session"];
    assert_eq!(session["2"]["r10"], 50.0);
    // Neither knows what the other was asked.
    assert_eq!(set["foreign"]["silent"], 100.0);
    assert!(set["tokens"].as_f64().unwrap() > 10.0);
    assert!(set["index_bytes"].as_u64().unwrap() > 0);
    assert!(set["latency_ms"]["p99"].as_f64().unwrap() > 0.0);
    assert_eq!(left_in_tmp(&home), 0);
    assert!(!home.has_store(), "it touched the store");
    if let Some(database) = home.postgres() {
        assert_eq!(schemas(database), "0");
    }
}

/// How many schemas of measurements there are.
fn schemas(database: &Database) -> String {
    let sql = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'sage_bench%'";
    let count = database.cluster.sql(&database.name, sql);
    count.trim().to_owned()
}

#[test]
fn the_same_data_gives_the_same_numbers_and_worse_ones_fail() {
    let home = Home::new();
    let file = dataset(&home);
    let before = home.path().join("before.json");
    let before = before.to_str().unwrap();
    let table = bench(&home, &["--json", before], &file);
    assert_eq!(table.code, 0, "{}", table.stderr);
    assert!(table.stdout.contains("turn all"), "{}", table.stdout);

    let same = bench(&home, &["--compare", before], &file);
    assert_eq!(same.code, 0, "{}", same.stderr);
    assert!(!same.stdout.contains("turn all r"), "{}", same.stdout);

    // As if a better Sage had measured before.
    let mut report: Value = parse(&std::fs::read_to_string(before).unwrap());
    report["sets"]["questions"]["levels"]["turn"]["all"]["r10"] = json!(99.0);
    let better = home.file("better.json", report.to_string());
    let worse = bench(&home, &["--compare", better.to_str().unwrap()], &file);
    assert_eq!(worse.code, 1, "{}", worse.stdout);
    assert!(
        worse.stdout.contains("turn all r10: 99.0 -> "),
        "{}",
        worse.stdout
    );
}

#[test]
fn what_cannot_be_measured_is_told() {
    let home = Home::new();
    let file = dataset(&home);
    let told = |args: &[&str], code: i32, what: &str| {
        let finished = bench(&home, args, &file);
        assert_eq!(finished.code, code, "{}", finished.stderr);
        assert!(finished.stderr.contains(what), "{}", finished.stderr);
    };
    told(&["--without", "luck"], 2, "neighbours");
    told(&["--store", "postgres"], 2, "SAGE_DATABASE_URL");
    told(&["--store", "paper"], 2, "sqlite or postgres");
    told(&["/nowhere.jsonl"], 1, "/nowhere.jsonl");
    told(&["--compare", "/nowhere.json"], 1, "/nowhere.json");
    let broken = home.file("broken.jsonl", "{\"documents\": []}\n");
    told(
        &[broken.to_str().unwrap()],
        1,
        "line 1: expected a list of queries",
    );
    assert_eq!(home.run(["bench", "recall"]).code, 2);
    assert_eq!(home.run(["bench"]).code, 2);
    assert_eq!(left_in_tmp(&home), 0);
}

on_every_store!(speed_is_measured);

fn speed_is_measured(home: Home) {
    let report = home.json(["bench", "speed", "--size", "30", "--json", "-"]);
    let size = &report["sizes"][0];
    assert_eq!(size["memories"], 30);
    assert!(size["passages"].as_u64().unwrap() >= 230);
    assert!(size["recall_ms"]["p50"].as_f64().unwrap() > 0.0);
    assert!(size["recall_ms"]["p99"].as_f64() >= size["recall_ms"]["p50"].as_f64());
    assert!(!home.has_store(), "it touched the store");
    if let Some(database) = home.postgres() {
        assert_eq!(schemas(database), "0");
    }
    assert_eq!(home.run(["bench", "speed", "--size", "0"]).code, 2);
}
