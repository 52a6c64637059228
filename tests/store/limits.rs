//! Input that is too much or no text is refused in words, and nothing of it is kept.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use serde_json::json;

use super::consistency::check;
use super::{PROJECT, number, server};
use crate::harness::{Client, Era, Finished, Home, finish, finish_with_input};

/// What one memory holds at most.
const CONTENT_BYTES_MAX: usize = 256 * 1024;

fn remember_from_stdin(home: &Home, input: &[u8]) -> Finished {
    let mut command = home.command(["remember", "--project", PROJECT, "-"]);
    finish_with_input(&mut command, input)
}

/// A wrong call: exit code 2, one line that names what was wrong, nothing stored.
#[track_caller]
fn refused(home: &Home, finished: &Finished, words: &[&str]) {
    assert_eq!(finished.code, 2, "{finished:?}");
    assert_eq!(finished.stdout, "");
    assert_eq!(finished.stderr.lines().count(), 1, "{}", finished.stderr);
    assert!(
        finished.stderr.len() < 400,
        "{} bytes",
        finished.stderr.len()
    );
    for word in words {
        assert!(
            finished.stderr.contains(word),
            "{word}: {}",
            finished.stderr
        );
    }
    if home.database().exists() {
        let db = check(&home.database());
        assert_eq!(number(&db, "SELECT count(*) FROM memory"), 0);
        assert_eq!(number(&db, "SELECT count(*) FROM tag"), 0);
    }
}

fn words(bytes: usize) -> Vec<u8> {
    b"quartz and beryl "
        .iter()
        .copied()
        .cycle()
        .take(bytes)
        .collect()
}

#[test]
fn a_hundred_megabytes_on_stdin() {
    let home = Home::new();
    refused(
        &home,
        &remember_from_stdin(&home, &words(100 << 20)),
        &["stdin", "at most"],
    );
}

#[test]
fn the_longest_memory_and_one_byte_more() {
    let home = Home::new();
    let finished = remember_from_stdin(&home, &words(CONTENT_BYTES_MAX + 1));
    refused(&home, &finished, &["content", "262144"]);
    let finished = remember_from_stdin(&home, &words(CONTENT_BYTES_MAX));
    assert_eq!(finished.code, 0, "{finished:?}");
    let db = check(&home.database());
    let sql = "SELECT length(CAST(content AS BLOB)) FROM memory";
    assert!(number(&db, sql) as usize > CONTENT_BYTES_MAX - 10);
}

#[test]
fn bytes_that_are_no_text() {
    let home = Home::new();
    for input in [&b"caf\xe9 closed"[..], b"\xff\xfe", b"half \xf0\x9f\x92"] {
        refused(&home, &remember_from_stdin(&home, input), &["UTF-8"]);
    }
    for args in [
        [&b"remember"[..], b"caf\xe9"],
        [b"remember", b"--key=\xff"],
        [b"search", b"\xf0\x9f\x92"],
    ] {
        let finished = home.run(args.map(OsStr::from_bytes));
        refused(&home, &finished, &["UTF-8"]);
    }
}

#[test]
fn nothing_but_blanks_or_nul_bytes() {
    let home = Home::new();
    for input in [&b""[..], b" \n\t\r\n", b"\0\0\0", b"\0 \0"] {
        let finished = remember_from_stdin(&home, input);
        refused(&home, &finished, &[]);
    }
}

#[test]
fn nul_bytes_among_words_are_taken_out() {
    let home = Home::new();
    assert_eq!(remember_from_stdin(&home, b"quar\0tz is\0 a stone").code, 0);
    let found = home.ok(["search", "--project", PROJECT, "quartz"]);
    assert!(found.contains("quartz is a stone"), "{found}");
    check(&home.database());
}

#[test]
fn ten_thousand_tags_and_huge_names() {
    let home = Home::new();
    let mut args = vec![
        "remember".to_owned(),
        "--project".to_owned(),
        PROJECT.to_owned(),
    ];
    for n in 0..10_000 {
        args.extend(["--tag".to_owned(), format!("tag{n}")]);
    }
    args.push("A note on quartz.".to_owned());
    refused(&home, &home.run(&args), &["tags", "10000"]);
    let huge = "k".repeat(100_000);
    for (flag, field) in [
        ("--key", "key"),
        ("--tag", "tags"),
        ("--project", "project"),
    ] {
        let mut command = home.command(["remember", flag, &huge]);
        if flag != "--project" {
            command.args(["--project", PROJECT]);
        }
        command.arg("A note on quartz.");
        refused(&home, &finish(&mut command), &[field, "512"]);
    }
}

#[test]
fn the_server_refuses_the_same_and_goes_on() {
    let home = Home::new();
    let mut client = Client::start(server(&home, "s"), Era::Modern);
    let long = String::from_utf8(words(CONTENT_BYTES_MAX + 1)).unwrap();
    let tags: Vec<String> = (0..10_000).map(|n| format!("tag{n}")).collect();
    let note = "A note on quartz.";
    for (arguments, field) in [
        (json!({"content": long}), "content"),
        (json!({"content": note, "tags": tags}), "tags"),
        (json!({"content": note, "key": "k".repeat(100_000)}), "key"),
        (json!({"content": note, "tags": ["t".repeat(513)]}), "tags"),
    ] {
        let text = client.tool_error("remember", arguments);
        assert!(
            text.starts_with(&format!("{field}: expected at most")),
            "{text}"
        );
        assert!(text.len() < 400, "{} bytes", text.len());
    }
    let metadata = json!({"user_prompt": "What is quartz?", "assistant_response": "A stone.",
        "metadata": {"a": "m".repeat(20_000)}});
    let text = client.tool_error("save_conversation", metadata);
    assert!(text.starts_with("metadata: expected at most"), "{text}");

    let nul = json!({"content": "quar\u{0}tz", "key": "st\u{0}one", "tags": ["ge\u{0}m"]});
    client.tool("remember", nul);
    let found = client.tool("search_memory", json!({"query": "quartz"}));
    assert!(found.contains("quartz"), "{found}");
    client.end();
    assert_eq!(
        number(&check(&home.database()), "SELECT count(*) FROM memory"),
        1
    );
    assert!(
        !super::bytes_of(&home.data_dir()).contains("ge\u{0}m"),
        "a NUL byte in a tag"
    );
}

#[test]
fn a_turn_that_is_too_long_loses_its_middle() {
    let home = Home::new();
    let mut client = Client::start(server(&home, "s"), Era::Modern);
    let long = String::from_utf8(words(2 * CONTENT_BYTES_MAX)).unwrap();
    let reply = format!("It began with onyx. {long} It ended with opal.");
    client.tool(
        "save_conversation",
        json!({"user_prompt": "What happened?", "assistant_response": reply}),
    );
    for word in ["onyx", "opal"] {
        crate::mcp::id_in(&client.tool("search_memory", json!({"query": word})));
    }
    client.end();
    let db = check(&home.database());
    let bytes = number(&db, "SELECT length(CAST(content AS BLOB)) FROM memory");
    assert!(bytes as usize <= CONTENT_BYTES_MAX, "{bytes}");
}
