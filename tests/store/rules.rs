//! What comes again, what takes another's place, what has its time: the rules about content.

use serde_json::{Value, json};

use super::PROJECT;
use super::consistency::check_store as check;
use crate::harness::{Home, on_every_store};

const CWD: &str = "/nowhere/shop";

/// A turn as a transcript of Claude Code has it.
pub struct Said<'a> {
    pub session: &'a str,
    pub prompt_id: &'a str,
    pub cwd: &'a str,
    pub at: &'a str,
    pub prompt: &'a str,
    pub reply: &'a str,
}

impl Said<'_> {
    /// Its two lines.
    pub fn lines(&self) -> String {
        let Self {
            session,
            prompt_id,
            cwd,
            at,
            prompt,
            reply,
        } = self;
        let user = json!({
            "type": "user", "uuid": format!("{prompt_id}-u"), "promptId": prompt_id,
            "sessionId": session, "cwd": cwd, "isSidechain": false, "timestamp": at,
            "message": {"role": "user", "content": prompt},
        });
        let assistant = json!({
            "type": "assistant", "uuid": format!("{prompt_id}-a"), "sessionId": session,
            "cwd": cwd,
            "message": {"id": format!("{prompt_id}-m"), "role": "assistant",
                        "content": [{"type": "text", "text": reply}]},
        });
        format!("{user}\n{assistant}\n")
    }
}

/// The lines of a turn where neither its place nor its time matters.
pub fn transcript_turn(session: &str, prompt_id: &str, prompt: &str, reply: &str) -> String {
    let said = Said {
        session,
        prompt_id,
        cwd: CWD,
        at: "2026-11-03T12:00:00.000Z",
        prompt,
        reply,
    };
    said.lines()
}

/// Imports these lines as one transcript, and returns what became of the turns.
#[track_caller]
pub fn import(home: &Home, lines: &str) -> Value {
    let file = home.file("history/session.jsonl", lines);
    let summary = home.json(["import", "claude-code", "--json", file.to_str().unwrap()]);
    summary["turns"].clone()
}

/// What an import says about its turns.
pub fn turns(stored: u64, updated: u64, known: u64) -> Value {
    json!({"stored": stored, "updated": updated, "known": known, "refused": []})
}

/// The memories of all projects that a search finds.
#[track_caller]
pub fn found(home: &Home, query: &str) -> Vec<Value> {
    let answer = home.json(["search", "--all", "--json", query]);
    answer["hits"].as_array().unwrap().clone()
}

/// All memories, the newest first.
#[track_caller]
pub fn listed(home: &Home) -> Vec<Value> {
    let answer = home.json(["list", "--all", "--json", "--limit", "500"]);
    answer["memories"].as_array().unwrap().clone()
}

/// Keeps a note and returns the report.
#[track_caller]
pub fn remember(home: &Home, args: &[&str]) -> Value {
    home.json([&["remember", "--json", "--project", PROJECT], args].concat())
}

const PROMPT: &str = "Which stone is on the ring?";

on_every_store!(the_fuller_turn_wins_in_place);
fn the_fuller_turn_wins_in_place(home: Home) {
    let turn = |reply| transcript_turn("s", "p1", PROMPT, reply);
    assert_eq!(import(&home, &turn("It is a sapphire.")), turns(1, 0, 0));
    let id = listed(&home)[0]["id"].clone();
    assert_eq!(import(&home, &turn("It is a sapphire.")), turns(0, 0, 1));

    let fuller = "No, I was wrong about that: it is a tourmaline.";
    assert_eq!(import(&home, &turn(fuller)), turns(0, 1, 0));
    for shorter in ["It is a sapphire.", "Both.", "It is a tourmaline, I think."] {
        assert_eq!(import(&home, &turn(shorter)), turns(0, 0, 1));
    }
    let memories = listed(&home);
    assert_eq!(memories.len(), 1);
    assert_eq!(memories[0]["id"], id);
    assert_eq!(memories[0]["reply"], fuller);
    assert_eq!(found(&home, "tourmaline").len(), 1);
    assert_eq!(found(&home, "sapphire"), Vec::<Value>::new());
    check(&home);
}

on_every_store!(the_fuller_turn_wins_within_a_batch);
fn the_fuller_turn_wins_within_a_batch(home: Home) {
    for (first, second) in [
        ("It is a sapphire.", "Wrong: a tourmaline, green as grass."),
        ("Wrong: a tourmaline, green as grass.", "It is a sapphire."),
    ] {
        let home = home.another();
        let turn = |reply| transcript_turn("s", "p1", PROMPT, reply);
        // A session that was resumed has its turns in two files, which one batch holds.
        let folder = home.path().join("history");
        home.file("history/a.jsonl", turn(first));
        home.file("history/b.jsonl", turn(second));
        home.ok(["import", "claude-code", folder.to_str().unwrap()]);
        check(&home);
        assert_eq!(listed(&home).len(), 1);
        assert_eq!(found(&home, "tourmaline").len(), 1);
        assert_eq!(found(&home, "sapphire"), Vec::<Value>::new());
    }
}

on_every_store!(the_same_words_in_a_session_are_one_memory);
fn the_same_words_in_a_session_are_one_memory(home: Home) {
    let reply = "It is a sapphire.";
    let twice = transcript_turn("s", "p1", PROMPT, reply)
        + &transcript_turn("s", "p2", PROMPT, reply)
        + &transcript_turn("other", "p1", PROMPT, reply);
    assert_eq!(import(&home, &twice), turns(2, 0, 1));
    assert_eq!(import(&home, &twice), turns(0, 0, 3));
    check(&home);
}

on_every_store!(a_key_goes_there_and_back_again);
fn a_key_goes_there_and_back_again(home: Home) {
    let (a, b) = (
        "The staging server is called amber.",
        "The staging server is called beryl.",
    );
    let keep = |text| remember(&home, &["--key", "staging", text]);
    let first = keep(a);
    let second = keep(b);
    assert_eq!(second["superseded"], first["id"]);
    let third = keep(a);
    assert_eq!(third["outcome"], "stored", "{third}");
    assert_eq!(third["superseded"], second["id"]);
    assert_ne!(third["id"], first["id"]);
    assert_eq!(keep(a)["outcome"], "known");
    check(&home);

    let hits = found(&home, "staging server");
    assert_eq!(hits.len(), 1);
    assert_eq!(hits[0]["id"], third["id"]);
    for report in [&first, &second, &third] {
        let shown = home.ok(["show", report["id"].as_str().unwrap()]);
        for other in [&first, &second, &third] {
            assert!(shown.contains(other["id"].as_str().unwrap()), "{shown}");
        }
        assert!(shown.contains(a) && shown.contains(b), "{shown}");
    }
    home.ok(["forget", "--all", "--yes", third["id"].as_str().unwrap()]);
    let db = check(&home);
    assert_eq!(
        db.number("SELECT count(*) FROM memory"),
        0,
        "history goes too"
    );
}

on_every_store!(what_has_expired_is_not_recalled_and_may_come_back);
fn what_has_expired_is_not_recalled_and_may_come_back(home: Home) {
    let text = "The freeze of the topaz branch holds.";
    let first = remember(&home, &["--expires", "1h", text]);
    assert_eq!(found(&home, "topaz").len(), 1);
    let expire = || {
        let db = check(&home);
        db.run("UPDATE memory SET expires_ms = 1; UPDATE passage SET expires_ms = 1");
    };
    expire();
    assert_eq!(found(&home, "topaz"), Vec::<Value>::new());
    assert_eq!(listed(&home), Vec::<Value>::new());
    let context = home.ok(["context", "--project", PROJECT, "topaz"]);
    assert!(!context.contains("topaz branch"), "{context}");

    // Said again, it holds again: for as long as is said now.
    for args in [&["--expires", "2h", text][..], &[text]] {
        let again = remember(&home, args);
        assert_eq!(again["outcome"], "updated", "{again}");
        assert_eq!(again["id"], first["id"]);
        assert_eq!(found(&home, "topaz").len(), 1, "{args:?}");
        expire();
    }
    check(&home);
}

on_every_store!(a_forgotten_turn_does_not_come_back);
fn a_forgotten_turn_does_not_come_back(home: Home) {
    let reply = "It is a sapphire.";
    // The same words twice in a session: one memory, by two events.
    let lines = transcript_turn("s", "p1", PROMPT, reply)
        + &transcript_turn("s", "p2", PROMPT, reply)
        + &transcript_turn("s", "p3", "And on the crown?", "A tourmaline.");
    assert_eq!(import(&home, &lines), turns(2, 0, 1));
    let id = found(&home, "sapphire")[0]["id"].clone();
    home.ok(["forget", "--all", "--yes", id.as_str().unwrap()]);

    let again = import(&home, &lines);
    assert_eq!(again["known"], 1, "{again}");
    assert_eq!(again["refused"][0]["count"], 2, "{again}");
    assert_eq!(found(&home, "sapphire"), Vec::<Value>::new());
    // Nor does more of it.
    let fuller = transcript_turn("s", "p1", PROMPT, "It is a sapphire, blue as the sky.");
    assert_eq!(import(&home, &fuller)["refused"][0]["count"], 1);
    check(&home);
}
