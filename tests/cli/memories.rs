//! Keeping, finding and reading memories.

use serde_json::{Value, json};

use super::{ids, json_in, ok_in, parse, remember, run_in, text};
use crate::harness::{Home, finish_with_input};

const DATABASE: &str = "We use PostgreSQL 17 because of its partitioning.";

#[test]
fn what_is_remembered_is_found() {
    let home = Home::new();
    let shop = home.project("shop");
    let said = ok_in(&home, &shop, &["remember", "--tag", "database", DATABASE]);
    assert!(said.starts_with("Remembered as "), "{said}");
    assert!(said.contains(text(&shop)), "{said}");

    // A query needs no quotes, and options may follow it.
    let found = run_in(
        &home,
        &shop,
        &["search", "postgresql", "partitioning", "--limit", "3"],
    );
    assert_eq!(found.code, 0, "{}", found.stderr);
    let id = said.split(' ').nth(2).unwrap();
    let mut lines = found.stdout.lines();
    let head = lines.next().unwrap();
    for part in ["note", "shop", "1.00", id] {
        assert!(head.contains(part), "no {part} in {head}");
    }
    assert_eq!(lines.next().unwrap().trim(), DATABASE);
    assert_eq!(lines.next(), None);
    assert!(
        found.stderr.contains(&format!("in {}", text(&shop))),
        "{}",
        found.stderr
    );
}

#[test]
fn search_answers_in_json() {
    let home = Home::new();
    let shop = home.project("shop");
    let args = [
        "--tag", "db", "--tag", "choice", "--key", "database", "--pin", DATABASE,
    ];
    let id = remember(&home, &shop, &args);
    let answer = json_in(&home, &shop, &["search", "--json", "postgresql"]);
    assert_eq!(
        answer["scope"],
        json!({"project": text(&shop), "decided_by": "environment"})
    );
    assert_eq!(answer["more"], false);
    assert_eq!(answer["silence"], Value::Null);
    assert_eq!(ids(&answer["hits"]), [id.as_str()]);
    let hit = &answer["hits"][0];
    assert!(
        hit["score"].as_f64().is_some_and(|score| score > 0.0),
        "{hit}"
    );
    assert_eq!(hit["extract"], DATABASE);
    assert_eq!(hit["content"], DATABASE);
    assert_eq!(hit["kind"], "note");
    assert_eq!(hit["project"], text(&shop));
    assert_eq!(hit["tags"], json!(["choice", "db"]));
    assert_eq!(hit["key"], "database");
    assert_eq!(hit["pinned"], true);
    assert_eq!(hit["source"], "cli");
    assert!(hit["created_at"].as_str().unwrap().ends_with('Z'), "{hit}");
    for absent in [
        "session",
        "expires_at",
        "superseded_by",
        "metadata",
        "prompt",
        "reply",
    ] {
        assert_eq!(hit.get(absent), Some(&Value::Null), "{absent}");
    }
}

#[test]
fn text_may_come_from_stdin() {
    let home = Home::new();
    let shop = home.project("shop");
    let mut command = home.command(["remember", "--json", "--kind", "summary", "-"]);
    command.env("CLAUDE_PROJECT_DIR", &shop);
    let finished = finish_with_input(&mut command, b"We fixed\nthe login timeout.\n");
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let id = parse(&finished.stdout)["id"].clone();
    let shown = json_in(&home, &shop, &["show", "--json", id.as_str().unwrap()]);
    assert_eq!(
        shown["memories"][0]["content"],
        "We fixed\nthe login timeout."
    );
    assert_eq!(shown["memories"][0]["kind"], "summary");

    let late = run_in(&home, &shop, &["remember", "-", "--tag", "late"]);
    assert_eq!(late.code, 2);
    assert!(late.stderr.contains("alone and last"), "{}", late.stderr);
    for input in [&b" \n"[..], b"caf\xe9"] {
        let mut command = home.command(["remember", "-"]);
        let finished = finish_with_input(&mut command, input);
        assert_eq!(finished.code, 2, "{}", finished.stderr);
    }
}

#[test]
fn remembering_twice_is_remembering_once() {
    let home = Home::new();
    let shop = home.project("shop");
    let id = remember(&home, &shop, &[DATABASE]);
    let again = json_in(&home, &shop, &["remember", "--json", DATABASE]);
    assert_eq!(again["outcome"], "known");
    assert_eq!(again["id"], id);
}

#[test]
fn private_text_is_not_kept() {
    let home = Home::new();
    let shop = home.project("shop");
    let note = "The vault code is <private>open sesame</private> until Friday.";
    let report = json_in(&home, &shop, &["remember", "--json", note]);
    assert_eq!(report["redacted"], 1, "{report}");
    let shown = ok_in(&home, &shop, &["show", report["id"].as_str().unwrap()]);
    assert!(shown.contains("The vault code"), "{shown}");
    assert!(!shown.contains("sesame"), "{shown}");

    for text in [
        "<private>all of it</private>",
        "<private>a</private><private>b</private>",
    ] {
        let refused = run_in(&home, &shop, &["remember", text]);
        assert_eq!(refused.code, 2, "{text}");
        assert!(refused.stderr.contains("not kept"), "{}", refused.stderr);
        assert_eq!(refused.stdout, "");
    }
}

#[test]
fn a_key_supersedes_and_history_stays() {
    let home = Home::new();
    let shop = home.project("shop");
    let old = remember(
        &home,
        &shop,
        &["--key", "staging", "Staging is called amber."],
    );
    let report = json_in(
        &home,
        &shop,
        &[
            "remember",
            "--json",
            "--key",
            "staging",
            "Staging is called birch.",
        ],
    );
    assert_eq!(report["superseded"], old);
    let new = report["id"].as_str().unwrap();

    let listed = json_in(&home, &shop, &["list", "--json"]);
    assert_eq!(ids(&listed["memories"]), [new]);
    let shown = json_in(&home, &shop, &["show", "--json", &old]);
    let memory = &shown["memories"][0];
    assert_eq!(memory["superseded_by"], new);
    assert_eq!(ids(&memory["history"]), [old.as_str(), new]);
    let page = ok_in(&home, &shop, &["show", &old]);
    assert!(page.contains("history, oldest first"), "{page}");
    assert!(page.contains("amber") && page.contains("birch"), "{page}");

    let last = remember(
        &home,
        &shop,
        &["--replaces", new, "Staging is called cedar."],
    );
    let listed = json_in(&home, &shop, &["list", "--json"]);
    assert_eq!(ids(&listed["memories"]), [last.as_str()]);
}

#[test]
fn wrong_words_about_a_note_are_told() {
    let home = Home::new();
    let shop = home.project("shop");
    for (args, field) in [
        (["--expires", "2001-01-01"], "--expires"),
        (["--expires", "whenever"], "--expires"),
        (["--kind", "turn"], "--kind"),
        (["--replaces", "that one"], "--replaces"),
    ] {
        let args = [&["remember"], &args[..], &["text"]].concat();
        let finished = run_in(&home, &shop, &args);
        assert_eq!(finished.code, 2, "{args:?}: {}", finished.stderr);
        assert!(
            finished.stderr.starts_with(&format!("sage: {field}: ")),
            "{}",
            finished.stderr
        );
    }
    assert_eq!(
        json_in(&home, &shop, &["stats", "--json"])["memories"]["note"],
        0
    );
}

#[test]
fn show_tells_what_is_missing_after_what_is_there() {
    let home = Home::new();
    let shop = home.project("shop");
    let id = remember(&home, &shop, &[DATABASE]);
    let missing = "0190b5c0-7e11-7c3a-9d5e-2f6f3c1a8b42";
    let finished = run_in(&home, &shop, &["show", &id, missing]);
    assert_eq!(finished.code, 1);
    assert!(finished.stdout.contains(DATABASE), "{}", finished.stdout);
    assert!(finished.stderr.contains(missing), "{}", finished.stderr);
    assert!(!finished.stderr.contains(&id), "{}", finished.stderr);
    let error = run_in(&home, &shop, &["show", "--json", missing]);
    assert_eq!(parse(&error.stderr)["error"]["kind"], "not_found");
}

#[test]
fn lists_are_filtered_and_go_on() {
    let home = Home::new();
    let shop = home.project("shop");
    let mut all: Vec<String> = (0..5)
        .map(|n| {
            remember(
                &home,
                &shop,
                &["--tag", "many", &format!("Fact number {n} of many.")],
            )
        })
        .collect();
    remember(
        &home,
        &shop,
        &["--kind", "summary", "A session about something else."],
    );
    all.reverse();

    let mut seen = Vec::new();
    let mut cursor: Option<String> = None;
    for _ in 0..3 {
        let mut args = vec!["list", "--json", "--tag", "many", "--limit", "2"];
        if let Some(cursor) = &cursor {
            args.extend(["--cursor", cursor]);
        }
        let page = json_in(&home, &shop, &args);
        seen.extend(ids(&page["memories"]).into_iter().map(str::to_owned));
        cursor = page["next"].as_str().map(str::to_owned);
    }
    assert_eq!(seen, all);
    assert_eq!(cursor, None);

    let notes = run_in(&home, &shop, &["list", "--kind", "summary"]);
    assert_eq!(notes.stdout.lines().count(), 1, "{}", notes.stdout);
    assert!(
        notes.stdout.contains("A session about something else."),
        "{}",
        notes.stdout
    );
    let none = run_in(&home, &shop, &["list", "--before", "2001-01-01"]);
    assert_eq!((none.code, none.stdout.as_str()), (0, ""));
    assert!(
        none.stderr.contains("Nothing stored answers"),
        "{}",
        none.stderr
    );
    let more = run_in(&home, &shop, &["list", "--limit", "2"]);
    assert!(more.stderr.contains("--cursor "), "{}", more.stderr);
}

#[test]
fn stats_count() {
    let home = Home::new();
    let shop = home.project("shop");
    remember(&home, &shop, &["One fact about payments."]);
    remember(&home, &shop, &["--key", "k", "Another fact about taxes."]);
    remember(&home, &shop, &["--key", "k", "A newer fact about taxes."]);
    remember(
        &home,
        &shop,
        &["--kind", "summary", "A session about payments."],
    );
    let stats = json_in(&home, &shop, &["stats", "--json"]);
    assert_eq!(
        stats["memories"],
        json!({"turn": 0, "note": 2, "summary": 1})
    );
    assert_eq!(stats["superseded"], 1);
    assert!(
        stats["passages"].as_u64().is_some_and(|count| count >= 3),
        "{stats}"
    );
    assert_eq!(
        stats["projects"],
        json!([{"key": text(&shop), "name": "shop", "memories": 3}])
    );
    assert!(
        stats["oldest"].is_string() && stats["newest"].is_string(),
        "{stats}"
    );
    assert!(
        stats["store"]
            .as_str()
            .unwrap()
            .contains(text(&home.data_dir())),
        "{stats}"
    );
    assert!(
        stats["store_bytes"].as_u64().is_some_and(|bytes| bytes > 0),
        "{stats}"
    );
    let page = ok_in(&home, &shop, &["stats"]);
    assert!(
        page.contains(text(&home.data_dir())) && page.contains(text(&shop)),
        "{page}"
    );
}

#[test]
fn sessions_are_those_of_the_client() {
    let home = Home::new();
    let shop = home.project("shop");
    let mut command = home.command(["remember", DATABASE]);
    command.env("CLAUDE_PROJECT_DIR", &shop);
    command.env("CLAUDE_CODE_SESSION_ID", "session-1");
    assert_eq!(crate::harness::finish(&mut command).code, 0);
    let answer = json_in(&home, &shop, &["sessions", "--json"]);
    let session = &answer["sessions"][0];
    assert_eq!(session["id"], "session-1", "{answer}");
    assert_eq!(session["project"], text(&shop));
    assert_eq!(session["memories"], 1);
    assert_eq!(answer["next"], Value::Null);
    let page = ok_in(&home, &shop, &["sessions"]);
    assert!(
        page.contains("session-1") && page.contains("1 memory"),
        "{page}"
    );
    let listed = json_in(&home, &shop, &["list", "--session", "session-1", "--json"]);
    assert_eq!(listed["memories"].as_array().unwrap().len(), 1);
}

#[test]
fn context_is_what_a_model_would_read() {
    let home = Home::new();
    let shop = home.project("shop");
    let id = remember(&home, &shop, &[DATABASE]);
    let context = ok_in(&home, &shop, &["context", "postgresql", "partitioning"]);
    assert!(context.contains(DATABASE), "{context}");
    let answer = json_in(
        &home,
        &shop,
        &["context", "--json", "--tokens=500", "postgresql"],
    );
    assert_eq!(ids(&answer["hits"]), [id.as_str()]);
    assert!(
        answer["text"].as_str().unwrap().contains(DATABASE),
        "{answer}"
    );
    assert!(
        answer["tokens"]
            .as_u64()
            .is_some_and(|tokens| (1..=500).contains(&tokens))
    );

    let nothing = run_in(&home, &shop, &["context", "zebra", "crossing"]);
    assert_eq!((nothing.code, nothing.stdout.as_str()), (0, ""));
    assert!(
        nothing.stderr.contains("Nothing stored is relevant"),
        "{}",
        nothing.stderr
    );
}

#[test]
fn silence_is_explained() {
    let home = Home::new();
    let shop = home.project("shop");
    let empty = run_in(&home, &shop, &["search", "anything"]);
    assert_eq!((empty.code, empty.stdout.as_str()), (0, ""));
    assert!(
        empty.stderr.contains("sage import claude-code"),
        "{}",
        empty.stderr
    );
    assert!(
        run_in(&home, &shop, &["list"])
            .stderr
            .contains("sage import claude-code")
    );

    remember(&home, &shop, &[DATABASE]);
    let nothing = run_in(&home, &shop, &["search", "zebra", "crossing"]);
    assert_eq!((nothing.code, nothing.stdout.as_str()), (0, ""));
    assert!(
        nothing.stderr.contains("Nothing stored is relevant"),
        "{}",
        nothing.stderr
    );
    assert!(nothing.stderr.contains("--all"), "{}", nothing.stderr);
    let answer = json_in(&home, &shop, &["search", "--json", "zebra"]);
    assert_eq!(answer["hits"], json!([]));
    assert!(answer["silence"].is_string(), "{answer}");
    let wordless = run_in(&home, &shop, &["search", "--", "-?!"]);
    assert!(
        wordless.stderr.contains("no word to look for"),
        "{}",
        wordless.stderr
    );
}
