//! A full disk costs the call that met it, nothing before and nothing after.

use serde_json::json;

use super::consistency::check;
use super::pipe::{Pipe, call, save, turn};
use super::shim::Shim;
use super::{PROJECT, connect, number, server};
use crate::harness::{Home, finish};

/// The most turns until a disk with this much room must be full.
const TURNS_MAX: u64 = 1_500;

/// From no room at all to more than the log takes until it is written back.
const ROOMS_BYTES: [u64; 4] = [0, 50_000, 700_000, 4_400_000];

/// What the message must say: what happened, what it means, what to do.
#[track_caller]
fn tells(text: &str) {
    for words in ["disk is full", "not saved", "free some space"] {
        assert!(text.contains(words), "\"{words}\" is missing: {text}");
    }
}

/// A store with one turn, that a server has made and left.
fn with_one_turn(home: &Home) {
    let mut pipe = connect(home, "before");
    pipe.save(
        1,
        "Where is the archive?",
        "The archive is on the host called beryl.",
    );
    pipe.end();
}

#[test]
fn a_full_disk_is_told_and_passes() {
    for room_bytes in ROOMS_BYTES {
        let home = Home::in_memory();
        let Some(shim) = Shim::build(&home, "full disk") else {
            return;
        };
        with_one_turn(&home);
        let mut pipe = Pipe::start(shim.limit(server(&home, "full"), room_bytes));
        let mut saved = 0;
        let refused = (0..TURNS_MAX).find_map(|n| {
            let (prompt, reply) = turn("full", n);
            let answer = pipe.ask(save(n, &prompt, &reply));
            saved += u64::from(!answer.is_error);
            answer.is_error.then_some(answer.text)
        });
        println!("{room_bytes} bytes of room are {saved} turns");
        tells(&refused.expect("the disk is full at last"));
        // It stays full, and what is there can be read, if it could be opened at all.
        tells(&pipe.ask(save(2_000, "And now?", "It is still full.")).text);
        let found = pipe.ask(call(3, "search_memory", json!({"query": "archive beryl"})));
        match saved {
            0 => assert!(found.text.contains("beryl") || found.is_error, "{found:?}"),
            _ => assert!(found.text.contains("beryl"), "{found:?}"),
        }

        std::fs::write(&shim.freed, "").unwrap();
        pipe.save(2_001, "And after?", "There is room again on topaz.");
        let found = pipe.ask(call(4, "search_memory", json!({"query": "archive beryl"})));
        assert!(found.text.contains("beryl"), "{found:?}");
        pipe.end();
        let db = check(&home.database());
        let memories = number(&db, "SELECT count(*) FROM memory");
        assert_eq!(memories as u64, saved + 2, "a refused turn is not kept");
    }
}

#[test]
fn a_command_on_a_full_disk_fails_with_one_line() {
    let home = Home::new();
    let Some(shim) = Shim::build(&home, "full disk at the command line") else {
        return;
    };
    let remember = |text: &str, room_bytes| {
        let command = home.command(["remember", "--project", PROJECT, text]);
        finish(&mut shim.limit(command, room_bytes))
    };
    // Neither can a store be made, nor can one be written to.
    for round in ["no store yet", "a store"] {
        for room_bytes in [0, 10_000, 30_000] {
            let finished = remember("The mirror is called agate.", room_bytes);
            assert_eq!(finished.code, 1, "{round}, {room_bytes}: {finished:?}");
            assert_eq!(finished.stderr.lines().count(), 1, "{}", finished.stderr);
            tells(&finished.stderr);
            assert_eq!(finished.stdout, "");
        }
        with_one_turn(&home);
    }
    std::fs::write(&shim.freed, "").unwrap();
    assert_eq!(remember("The mirror is called agate.", 0).code, 0);
    let db = check(&home.database());
    assert_eq!(number(&db, "SELECT count(*) FROM memory"), 3 - 1);
}
