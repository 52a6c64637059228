//! Input that is too much or no text is refused in words, and nothing of it is kept.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use serde_json::json;

use super::consistency::check_store as check;
use super::{PROJECT, server};
use crate::harness::{Client, Era, Finished, Home, finish, finish_with_input, on_every_store};

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
    if home.has_store() {
        let db = check(home);
        assert_eq!(db.number("SELECT count(*) FROM memory"), 0);
        assert_eq!(db.number("SELECT count(*) FROM tag"), 0);
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

on_every_store!(a_hundred_megabytes_on_stdin);
fn a_hundred_megabytes_on_stdin(home: Home) {
    refused(
        &home,
        &remember_from_stdin(&home, &words(100 << 20)),
        &["stdin", "at most"],
    );
}

on_every_store!(the_longest_memory_and_one_byte_more);
fn the_longest_memory_and_one_byte_more(home: Home) {
    let finished = remember_from_stdin(&home, &words(CONTENT_BYTES_MAX + 1));
    refused(&home, &finished, &["content", "262144"]);
    let finished = remember_from_stdin(&home, &words(CONTENT_BYTES_MAX));
    assert_eq!(finished.code, 0, "{finished:?}");
    let db = check(&home);
    let sql = "SELECT octet_length(content) FROM memory";
    assert!(db.number(sql) as usize > CONTENT_BYTES_MAX - 10);
}

on_every_store!(bytes_that_are_no_text);
fn bytes_that_are_no_text(home: Home) {
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

on_every_store!(nothing_but_blanks_or_nul_bytes);
fn nothing_but_blanks_or_nul_bytes(home: Home) {
    for input in [&b""[..], b" \n\t\r\n", b"\0\0\0", b"\0 \0"] {
        let finished = remember_from_stdin(&home, input);
        refused(&home, &finished, &[]);
    }
}

on_every_store!(nul_bytes_among_words_are_taken_out);
fn nul_bytes_among_words_are_taken_out(home: Home) {
    assert_eq!(remember_from_stdin(&home, b"quar\0tz is\0 a stone").code, 0);
    let found = home.ok(["search", "--project", PROJECT, "quartz"]);
    assert!(found.contains("quartz is a stone"), "{found}");
    check(&home);
}

on_every_store!(ten_thousand_tags_and_huge_names);
fn ten_thousand_tags_and_huge_names(home: Home) {
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

on_every_store!(the_server_refuses_the_same_and_goes_on);
fn the_server_refuses_the_same_and_goes_on(home: Home) {
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
    assert_eq!(check(&home).number("SELECT count(*) FROM memory"), 1);
    if home.postgres().is_none() {
        let bytes = super::bytes_of(&home.data_dir());
        assert!(!bytes.contains("ge\u{0}m"), "a NUL byte in a tag");
    }
}

on_every_store!(a_turn_that_is_too_long_loses_its_middle);
fn a_turn_that_is_too_long_loses_its_middle(home: Home) {
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
    let db = check(&home);
    let bytes = db.number("SELECT octet_length(content) FROM memory");
    assert!(bytes as usize <= CONTENT_BYTES_MAX, "{bytes}");
}
