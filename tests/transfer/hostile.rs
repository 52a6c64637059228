//! Exports that are cut off, damaged, of another time, or made to hurt.

use serde_json::{Value, json};

use super::{fill, import, lines, records};
use crate::harness::{Finished, Home, on_every_store};
use crate::store::check_store;

const HEADER: &str = r#"{"type":"header","format":"sage-export","version":1}"#;

/// An export of these lines, with an end that says nothing true.
fn export(lines: &[&str]) -> String {
    let end = r#"{"type":"end","records":{},"sha256":"0"}"#;
    [&[HEADER], lines, &[end]].concat().join("\n") + "\n"
}

fn run(home: &Home, content: &str) -> Finished {
    let file = home.file("import.jsonl", content);
    home.run(["import", "sage", "--json", file.to_str().unwrap()])
}

fn note(id: u32, fields: &Value) -> String {
    let note = json!({
        "type": "memory", "id": format!("01890000-0000-7000-8000-{id:012}"), "project": "shop",
        "kind": "note", "content": format!("Note {id}."), "source": "cli",
        "created_at": "2026-05-01T14:03:00Z",
    });
    with(note, fields)
}

/// A line of these fields, of which `more` takes the place.
fn with(mut line: Value, more: &Value) -> String {
    let more = more.as_object().unwrap().clone();
    line.as_object_mut().unwrap().extend(more);
    line.to_string()
}

/// The vector of the first note, of four numbers.
fn vector(more: &Value) -> String {
    let line = json!({
        "type": "vector", "memory": "01890000-0000-7000-8000-000000000001", "start": 0,
        "model": "m", "dimension": 4, "digest": "AAAAAAAAAAAAAAAAAAAAAA==", "code": "8A==",
        "levels": "AACAPwAAAAAAAAA=",
    });
    with(line, more)
}

/// A line of the ledger, about the first note.
fn injection(more: &Value) -> String {
    let line = json!({
        "type": "injection", "session": "s", "prompt": "p",
        "memory": "01890000-0000-7000-8000-000000000001", "outcome": "given", "rank": 1,
        "score": "0.5", "tokens": 9, "terms": "note", "at": "2026-05-01T14:03:00Z",
    });
    with(line, more)
}

on_every_store!(what_belongs_to_nothing_here_is_left_out);
fn what_belongs_to_nothing_here_is_left_out(home: Home) {
    let model = r#"{"type":"model","name":"m","dimension":4}"#;
    let rule = |project: &str, alias: &str| {
        json!({"type": "rule", "project": project, "alias": alias}).to_string()
    };
    let lines = [
        vector(&json!({})),
        injection(&json!({})),
        model.to_owned(),
        note(1, &json!({})),
        // Of other words, and of a model that nobody has.
        vector(&json!({})),
        vector(&json!({"model": "n"})),
        injection(&json!({})),
        injection(&json!({})),
        // Names for names, which would lead in circles.
        rule("a", "b"),
        rule("b", "a"),
        rule("b", "c"),
        rule("c", "a"),
        rule("a", "c"),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let finished = run(&home, &export(&lines));
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let summary: Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(summary["vectors"], 0);
    assert_eq!(summary["injections"], 1);
    assert_eq!(summary["rules"], 1);
    check_store(&home);
}

on_every_store!(a_broken_line_is_named_and_what_came_before_stays);
fn a_broken_line_is_named_and_what_came_before_stays(home: Home) {
    let deep = format!(r#"{{"type":"later","a":{}"#, "[".repeat(100_000));
    let long = format!(r#"{{"type":"later","a":"{}"}}"#, "x".repeat(33 << 20));
    let cases = [
        (note(2, &json!({"created_at": "yesterday"})), "created_at"),
        (note(2, &json!({"id": "2"})), "id"),
        (note(2, &json!({"content": "  "})), "content"),
        (note(2, &json!({"content": "a\u{0}b"})), "NUL"),
        (note(2, &json!({"content": "x".repeat(300_000)})), "262144"),
        (
            note(2, &json!({"content": "数据", "reply_start": 1})),
            "reply_start",
        ),
        (note(2, &json!({"kind": "dream"})), "kind"),
        (note(2, &json!({"position": -1})), "position"),
        (note(2, &json!({"position": u64::MAX})), "position"),
        (note(2, &json!({"versions": 4_000_000_000_u64})), "versions"),
        (note(2, &json!({"project": null})), "project"),
        (note(2, &json!({"session": "s".repeat(10_000)})), "session"),
        (note(2, &json!({"tags": [1]})), "tags"),
        (vector(&json!({"code": "AAAA"})), "code"),
        (vector(&json!({"levels": "!"})), "levels"),
        (vector(&json!({"levels": "AADAfwAAAAAAAAA="})), "scale"),
        (vector(&json!({"dimension": 1_u64 << 40})), "dimension"),
        (injection(&json!({"outcome": "dreamt"})), "outcome"),
        (injection(&json!({"score": "NaN"})), "score"),
        (injection(&json!({"rank": 1_u64 << 40})), "rank"),
        (injection(&json!({"memory": null})), "memory"),
        (r#"{"type":"rule","off":true}"#.to_owned(), "project"),
        ("[1]".to_owned(), "object"),
        ("{}".to_owned(), "type"),
        (r#"{"type":"memory""#.to_owned(), "cut off"),
        ("no JSON".to_owned(), "no JSON"),
        (HEADER.to_owned(), "second header"),
        (deep, "recursion"),
        (long, "33554432"),
    ];
    for (number, (line, word)) in (10..).zip(&cases) {
        let good = note(number, &json!({}));
        let finished = run(&home, &export(&[&good, line]));
        let stderr = &finished.stderr;
        assert_eq!(finished.code, 1, "{word}: {stderr}");
        assert!(
            stderr.contains("line 3: ") && stderr.contains(word),
            "{word}: {stderr}"
        );
        assert!(
            stderr.contains("import.jsonl") && stderr.len() < 500,
            "{stderr}"
        );
    }
    let kept = home.json(["list", "--all", "--limit", "100", "--json"]);
    let kept = kept["memories"].as_array().unwrap().len();
    assert_eq!(kept, cases.len());
    check_store(&home);
}

on_every_store!(what_is_no_export_changes_nothing);
fn what_is_no_export_changes_nothing(home: Home) {
    let newer = HEADER.replace(":1}", ":2}");
    for (content, word) in [
        ("", "empty"),
        ("\n", "line 1"),
        ("hello\n", "line 1"),
        (
            r#"{"type":"header","format":"other","version":1}"#,
            "sage-export",
        ),
        (&newer, "version 2"),
        (&note(1, &json!({})), "header"),
    ] {
        let finished = run(&home, content);
        assert_eq!(finished.code, 1, "{content}: {}", finished.stderr);
        assert!(finished.stderr.contains(word), "{}", finished.stderr);
        assert!(
            finished.stderr.contains("nothing was taken in"),
            "{}",
            finished.stderr
        );
    }
    let missing = home.run(["import", "sage", "missing.jsonl"]);
    assert!(
        missing.stderr.contains("missing.jsonl"),
        "{}",
        missing.stderr
    );
}

on_every_store!(a_file_that_was_cut_off_or_changed_is_told);
fn a_file_that_was_cut_off_or_changed_is_told(home: Home) {
    fill(&home, 3);
    let whole = home.ok(["export"]);
    let cut: Vec<&str> = whole.lines().collect();
    let cut = cut[..cut.len() - 1].join("\n") + "\n";
    let other = home.another();
    let finished = run(&other, &cut);
    assert_eq!(finished.code, 1);
    assert!(finished.stderr.contains("cut off"), "{}", finished.stderr);
    same_records(&home, &other);

    // Wherever it was cut, the rest comes with the whole, and in its place.
    let whole_file = home.file("whole.jsonl", &whole);
    let lines: Vec<&str> = whole.lines().collect();
    for at in [lines.len() / 4, lines.len() / 2, lines.len() - 3] {
        let other = home.another();
        run(&other, &(lines[..at].join("\n") + "\n"));
        check_store(&other);
        import(&other, &whole_file);
        check_store(&other);
        same_records(&home, &other);
    }

    let changed = whole.replacen("deploy", "destroy", 1);
    let finished = run(&home.another(), &changed);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    assert!(finished.stderr.contains("checksum"), "{}", finished.stderr);
}

#[track_caller]
fn same_records(a: &Home, b: &Home) {
    super::same(&records(a), &records(b));
}

on_every_store!(records_of_later_versions_are_passed_over_and_counted);
fn records_of_later_versions_are_passed_over_and_counted(home: Home) {
    fill(&home, 4);
    let whole = home.ok(["export"]);
    let mut all: Vec<String> = whole.lines().map(str::to_owned).collect();
    all.insert(
        5,
        r#"{"type":"dream","memory":"x","values":[0.5]}"#.to_owned(),
    );
    all.insert(
        9,
        r#"{"type":"dream","memory":"y","values":[0.25]}"#.to_owned(),
    );
    all[2] = all[2].replacen('{', r#"{"of_a_later_version":{"a":1},"#, 1);
    let file = home.file("later.jsonl", all.join("\n") + "\n");
    let other = home.another();
    let summary = import(&other, &file);
    assert_eq!(
        summary["unknown_records"],
        json!([{"type": "dream", "count": 2}])
    );
    super::same(&lines(&whole), &records(&other));
    let told = home.ok(["import", "sage", file.to_str().unwrap()]);
    assert!(
        told.contains("\"dream\", which this Sage does not know"),
        "{told}"
    );
}

on_every_store!(history_without_its_end_and_circles_are_left_out);
fn history_without_its_end_and_circles_are_left_out(home: Home) {
    let id = |n: u32| format!("01890000-0000-7000-8000-{n:012}");
    let by = |n: u32, extra: Value| {
        let mut fields = json!({"superseded_by": id(n)});
        let extra = extra.as_object().unwrap().clone();
        fields.as_object_mut().unwrap().extend(extra);
        fields
    };
    let lines = [
        note(1, &by(9, json!({}))),
        note(2, &by(2, json!({}))),
        note(3, &json!({"versions": 2})),
        note(4, &by(3, json!({}))),
        note(5, &by(3, json!({"project": "other"}))),
        // A live one that its own history is said to have replaced.
        note(3, &by(4, json!({}))),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let finished = run(&home, &export(&lines));
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let summary: Value = serde_json::from_str(&finished.stdout).unwrap();
    let expected = json!({"stored": 1, "history": 1, "updated": 0, "known": 1, "forgotten": 0,
                          "orphaned": 3});
    assert_eq!(summary["memories"], expected);
    check_store(&home);
    assert_eq!(
        home.json(["search", "--all", "--json", "Note 3"])["hits"][0]["id"],
        id(3)
    );
}
