//! What was forgotten, private or secret is not in the files, not even as bytes between the rows.

use serde_json::json;

use super::consistency::check;
use super::pipe::{call, saves};
use super::rules::{import, transcript_turn};
use super::{PROJECT, bytes_of, connect, number};
use crate::harness::{Home, finish};

/// Words that occur in one turn only and come in no order, so that every page of an index splits.
pub fn word(n: u64) -> String {
    let mut hash = (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let letters = std::iter::repeat_with(|| {
        hash = hash.rotate_left(11);
        char::from(b'a' + (hash % 26) as u8)
    });
    letters.take(8).chain("quartz".chars()).collect()
}

/// Turns of very different lengths, so that pages split and cells move.
fn long_turns(count: u64) -> String {
    (0..count)
        .map(|n| {
            let filler =
                "The quick gateway answers again and again. ".repeat((n * 37 % 120) as usize);
            let prompt = format!("What about {}?", word(n));
            let reply = format!("{filler} That was {} indeed. {filler}", word(n));
            transcript_turn("s", &format!("p{n}"), &prompt, &reply)
        })
        .collect()
}

/// The memories' names, oldest first, as people write them.
fn ids(home: &Home) -> Vec<String> {
    let db = check(&home.database());
    let mut select = db
        .prepare("SELECT lower(hex(name)) FROM memory ORDER BY id")
        .unwrap();
    let names = select.query_map([], |row| row.get::<_, String>(0)).unwrap();
    names.map(|name| hyphenated(&name.unwrap())).collect()
}

fn hyphenated(hex: &str) -> String {
    let parts: Vec<_> = [(0, 8), (8, 12), (12, 16), (16, 20), (20, 32)]
        .map(|(start, end)| &hex[start..end])
        .into();
    parts.join("-")
}

/// Forgets every third memory, in two calls: the second finds what the first left behind.
fn forget_every_third(home: &Home) -> Vec<usize> {
    let ids = ids(home);
    let third: Vec<_> = (0..ids.len()).step_by(3).collect();
    for half in third.chunks(third.len() / 2) {
        let mut args = vec!["forget", "--all", "--yes"];
        args.extend(half.iter().map(|n| ids[*n].as_str()));
        home.ok(&args);
    }
    let db = check(&home.database());
    let left = number(&db, "SELECT count(*) FROM memory") as usize;
    assert_eq!(left, ids.len() - third.len());
    third
}

/// Which of these words are still among the bytes of the files.
pub fn still_there(home: &Home, words: impl Iterator<Item = u64>) -> Vec<u64> {
    let bytes = bytes_of(&home.data_dir());
    words.filter(|n| bytes.contains(&word(*n))).collect()
}

#[test]
fn forgotten_words_are_not_in_the_files() {
    const TURNS: u64 = 300;
    let home = Home::in_memory();
    let lines = long_turns(TURNS);
    assert_eq!(import(&home, &lines)["stored"], TURNS);
    assert!(
        bytes_of(&home.data_dir()).contains(&word(0)),
        "the search for bytes works"
    );
    let forgotten = forget_every_third(&home);
    let words = || forgotten.iter().map(|n| *n as u64);
    assert_eq!(still_there(&home, words()), Vec::<u64>::new());
    assert!(
        bytes_of(&home.data_dir()).contains(&word(1)),
        "the others stay"
    );
    assert_eq!(import(&home, &lines)["refused"][0]["count"], 100);
    assert_eq!(still_there(&home, words()), Vec::<u64>::new());
}

#[test]
fn forgotten_keys_and_tags_are_not_in_the_files() {
    const NOTES: u64 = 600;
    let home = Home::in_memory();
    let mut pipe = connect(&home, "s");
    // A note, its key and its tag have a word each.
    let notes: Vec<_> = (0..NOTES)
        .map(|n| {
            let content = format!("The answer to question {n} is {}.", word(3 * n));
            let (key, tag) = (word(3 * n + 1), word(3 * n + 2));
            let note = json!({"content": content, "key": key, "tags": [tag, "all"]});
            call(n, "remember", note)
        })
        .collect();
    pipe.exchange(&notes, |answer| !answer.is_error);
    pipe.end();
    let forgotten = forget_every_third(&home);
    let words = forgotten
        .iter()
        .flat_map(|n| (0..3).map(move |part| 3 * *n as u64 + part));
    assert_eq!(still_there(&home, words), Vec::<u64>::new());
}

#[test]
fn forgotten_words_are_gone_while_others_write() {
    let home = Home::in_memory();
    let mut pipe = connect(&home, "s");
    let note = json!({"content": format!("The hint is {}.", word(1)), "tags": [word(2)]});
    let id = crate::mcp::id_in(&pipe.ask(call(1, "remember", note)).text);
    let mut request = json!({"ids": [id]});
    let mut other = connect(&home, "other");
    other.exchange(&saves("other", 0..1), |answer| !answer.is_error);
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            other.exchange(&saves("other", 1..200), |answer| {
                assert!(!answer.is_error, "{answer:?}");
                true
            });
        });
        let preview = pipe.ask(call(2, "forget", request.clone()));
        request["confirm"] = json!(crate::mcp::quoted_in(&preview.text));
        let done = pipe.ask(call(3, "forget", request));
        assert!(!done.is_error, "{done:?}");
        for n in [1, 2] {
            assert!(
                !bytes_of(&home.data_dir()).contains(&word(n)),
                "while both are open"
            );
        }
        writing.join().unwrap();
    });
    pipe.end();
    other.end();
    let db = check(&home.database());
    assert_eq!(number(&db, "SELECT count(*) FROM memory"), 200);
    for n in [1, 2] {
        assert!(
            !bytes_of(&home.data_dir()).contains(&word(n)),
            "after both have ended"
        );
    }
}

/// Each forget empties the log, which one process at a time can do.
#[test]
fn several_processes_forget_at_once() {
    const PROCESSES: u64 = 4;
    const FORGETS: u64 = 32;
    let home = Home::in_memory();
    std::thread::scope(|scope| {
        for process in 0..PROCESSES {
            let home = &home;
            scope.spawn(move || {
                let mut pipe = connect(home, &format!("s{process}"));
                for n in 0..FORGETS {
                    let hint = word(process * FORGETS + n);
                    let note = json!({"content": format!("The hint is {hint}.")});
                    let id = crate::mcp::id_in(&pipe.ask(call(3 * n, "remember", note)).text);
                    let mut request = json!({"ids": [id]});
                    let preview = pipe.ask(call(3 * n + 1, "forget", request.clone()));
                    request["confirm"] = json!(crate::mcp::quoted_in(&preview.text));
                    let done = pipe.ask(call(3 * n + 2, "forget", request));
                    assert!(!done.is_error, "{done:?}");
                }
                pipe.end();
            });
        }
    });
    assert_eq!(
        still_there(&home, 0..PROCESSES * FORGETS),
        Vec::<u64>::new()
    );
    let db = check(&home.database());
    assert_eq!(number(&db, "SELECT count(*) FROM memory"), 0);
}

#[test]
fn words_of_a_replaced_turn_are_not_in_the_files() {
    let home = Home::new();
    let turn = |reply: &str| transcript_turn("s", "p1", "Which stone is it?", reply);
    import(&home, &turn(&format!("It is {}.", word(1))));
    import(
        &home,
        &turn("No, it is another one; I had mixed them up, and am sorry for it."),
    );
    let id = home.json(["list", "--all", "--json"])["memories"][0]["id"].clone();
    home.ok(["forget", "--all", "--yes", id.as_str().unwrap()]);
    assert!(!bytes_of(&home.data_dir()).contains(&word(1)));
}

/// A key of a well-known shape, put together here so that no scanner finds one in this file.
fn secret() -> String {
    ["AKIA", "Q7R2ZT5LKVW3XN4P"].concat()
}

#[test]
fn secrets_and_private_text_never_reach_the_files() {
    let home = Home::new();
    let (secret, private) = (secret(), word(3));
    let mixed = format!("Use {secret} here, <private>and {private} there</private>, please.");
    let mut pipe = connect(&home, "s");
    let metadata = json!({"note": mixed, "deep": {"list": [mixed]}});
    for (n, (tool, arguments)) in [
        (
            "remember",
            json!({"content": mixed, "tags": [secret, mixed], "key": mixed}),
        ),
        (
            "save_conversation",
            json!({"user_prompt": mixed, "assistant_response": mixed, "metadata": metadata}),
        ),
        (
            "manage_session",
            json!({"action": "create", "session": "t", "title": mixed}),
        ),
        (
            "manage_session",
            json!({"action": "rename", "session": "t", "title": mixed}),
        ),
        ("search_memory", json!({"query": mixed})),
        ("get_context", json!({"query": mixed})),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = pipe.ask(call(n as u64, tool, arguments));
        assert!(!answer.is_error, "{tool}: {answer:?}");
    }
    let check_files = |when: &str| {
        for word in [&secret, &secret.to_lowercase(), &private] {
            assert!(!bytes_of(&home.data_dir()).contains(word), "{word} {when}");
        }
    };
    check_files("while the server runs");
    pipe.end();
    import(&home, &transcript_turn("imported", "p1", &mixed, &mixed));
    let more = format!("{mixed} And again: {mixed}");
    import(&home, &transcript_turn("imported", "p1", &mixed, &more));
    home.ok([
        "remember",
        "--project",
        PROJECT,
        "--tag",
        &secret,
        "--key",
        &mixed,
        &mixed,
    ]);
    check_files("at last");
    assert!(
        bytes_of(&home.data_dir()).contains("[private]"),
        "the rest of it is there"
    );
    check(&home.database());
}

#[test]
fn private_text_is_taken_out_even_where_secrets_are_kept() {
    let home = Home::new();
    let text = format!("Use {} here, <private>not {}</private>.", secret(), word(3));
    let mut command = home.command(["remember", "--project", PROJECT, &text]);
    assert_eq!(finish(command.env("SAGE_REDACT", "off")).code, 0);
    assert!(bytes_of(&home.data_dir()).contains(&secret()));
    assert!(!bytes_of(&home.data_dir()).contains(&word(3)));
}
