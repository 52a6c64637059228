use sage::claude::transcript::{
    LINE_BYTES_MAX, SKIPS_NAMED_MAX, SkipReason, TranscriptTurn, read_turns,
};

use std::io::{self, BufReader, Cursor, Read};
use std::ops::ControlFlow;

use proptest::prelude::*;

use super::{FIXTURES, fixture, prompt, read, read_fixture, reply, spoken};

#[test]
fn windows_line_ends_a_byte_order_mark_and_empty_lines_change_nothing() {
    let unix = String::from_utf8(fixture("old-format.jsonl")).unwrap();
    let windows = format!("\u{feff}{}", unix.replace('\n', "\r\n\r\n  \n"));
    let (expected, _) = read(unix.as_bytes());
    let (mut turns, report) = read(windows.as_bytes());
    assert_eq!(report.skipped.total(), 0);
    assert_eq!(report.lines, 30);
    for (turn, expected) in turns.iter_mut().zip(&expected) {
        assert_eq!(turn.line, expected.line * 3 - 2);
        turn.line = expected.line;
    }
    turns[2].prompt_id = "line-9".into();
    assert_eq!(turns, expected);
}

#[test]
fn broken_lines_cost_themselves_alone_and_are_reported() {
    let mut bytes = prompt("p1", "before");
    bytes.extend_from_slice(b"{\"type\":\"user\", broken\n");
    bytes.extend_from_slice(b"\0\0\0\0\n");
    bytes.extend_from_slice(b"[\"user\"]\n");
    bytes.extend_from_slice(b"{\"type\":\"user\",\"uuid\":\"\xff\xfe\"}\n");
    bytes.extend(reply("after all"));
    bytes.extend(prompt("p2", "second"));
    bytes.extend_from_slice(b"{\"type\":\"assistant\",\"message\":{\"content\":\"half a l");
    let (turns, report) = read(&bytes[..]);
    assert_eq!(
        spoken(&turns),
        [("p1", "before", "after all"), ("p2", "second", "")]
    );
    assert_eq!(report.lines, 8);
    assert_eq!(
        report.skipped.first,
        [
            (2, SkipReason::NotJson),
            (3, SkipReason::NotJson),
            (4, SkipReason::NotJson),
            (5, SkipReason::InvalidUtf8),
            (8, SkipReason::Unfinished),
        ]
    );
    assert_eq!(report.skipped.counts[&SkipReason::NotJson], 3);
    assert_eq!(report.skipped.total(), 5);
}

/// Found by fuzzing: the first turn is called by its `uuid`, the second by its `promptId`.
#[test]
fn no_two_turns_of_a_file_have_one_name() {
    let lines = [
        r#"{"type":"user","uuid":"same","message":{"content":"first"}}"#,
        r#"{"type":"user","promptId":"same","uuid":"other","message":{"content":"second"}}"#,
    ];
    let (turns, _) = read(lines.join("\n").as_bytes());
    assert_eq!(
        spoken(&turns),
        [("same", "first", ""), ("other", "second", "")]
    );
}

#[test]
fn a_last_line_without_its_newline_counts_when_it_is_whole() {
    let mut bytes = prompt("p1", "go");
    bytes.extend(reply("gone"));
    assert_eq!(bytes.pop(), Some(b'\n'));
    let (turns, report) = read(&bytes[..]);
    assert_eq!(spoken(&turns), [("p1", "go", "gone")]);
    assert_eq!(report.skipped.total(), 0);
}

#[test]
fn only_the_first_skipped_lines_are_named() {
    let (_, report) = read("x\n".repeat(500).as_bytes());
    assert_eq!(report.skipped.first.len(), SKIPS_NAMED_MAX);
    assert_eq!(report.skipped.counts[&SkipReason::NotJson], 500);
}

#[test]
fn a_line_over_the_limit_is_passed_over() {
    let start = Cursor::new(prompt("p1", "before"));
    let huge = io::repeat(b'x').take(100_000_000);
    let rest = Cursor::new([b"\n".to_vec(), reply("after"), prompt("p2", "next")].concat());
    let mut turns = Vec::new();
    let reader = BufReader::with_capacity(1 << 16, start.chain(huge).chain(rest));
    let report = read_turns(reader, "stem", &mut |turn| {
        turns.push(turn);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(
        spoken(&turns),
        [("p1", "before", "after"), ("p2", "next", "")]
    );
    assert_eq!(report.lines, 4);
    assert_eq!(report.skipped.first, [(2, SkipReason::TooLong)]);
}

#[test]
fn the_limit_is_exact_and_leaves_out_the_newline() {
    let shell = prompt("p1", "");
    for (over, turns_expected, skipped) in [(0, 1, 0), (1, 0, 1)] {
        let text = "x".repeat(LINE_BYTES_MAX + 1 - shell.len() + over);
        let line = prompt("p1", &text);
        assert_eq!(line.len(), LINE_BYTES_MAX + 1 + over);
        let mut count = 0;
        let report = read_turns(&line[..], "stem", &mut |turn| {
            assert_eq!(turn.prompt.len(), text.len());
            count += 1;
            ControlFlow::Continue(())
        })
        .unwrap();
        assert_eq!((count, report.skipped.total()), (turns_expected, skipped));
        assert_eq!(report.lines, 1);
    }
}

#[test]
fn a_turn_does_not_grow_beyond_its_limit() {
    let part = "y".repeat(12 << 20);
    let mut bytes = prompt("p1", "write a lot");
    for letter in ["a", "b", "c", "d"] {
        bytes.extend(reply(&format!("{letter}{part}")));
    }
    bytes.extend(prompt("p2", "short"));
    bytes.extend(reply("yes"));
    let mut told = Vec::new();
    let report = read_turns(&bytes[..], "stem", &mut |turn| {
        told.push((turn.prompt, turn.reply.len()));
        ControlFlow::Continue(())
    })
    .unwrap();
    let two_parts = 2 * (part.len() + 1) + 2;
    assert_eq!(
        told,
        [
            ("write a lot".to_owned(), two_parts),
            ("short".to_owned(), 3)
        ]
    );
    assert_eq!(
        report.skipped.first,
        [(4, SkipReason::TurnTooLong), (5, SkipReason::TurnTooLong)]
    );
}

#[test]
fn reading_stops_when_the_caller_says_so() {
    let bytes = [
        prompt("p1", "a"),
        prompt("p2", "b"),
        prompt("p3", "c"),
        prompt("p4", "d"),
    ];
    let mut prompts = Vec::new();
    let report = read_turns(&bytes.concat()[..], "stem", &mut |turn| {
        prompts.push(turn.prompt);
        if prompts.len() == 2 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })
    .unwrap();
    assert_eq!(prompts, ["a", "b"]);
    assert_eq!((report.turns, report.lines), (2, 3));
}

#[test]
fn an_error_of_the_reader_is_returned() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is gone"))
        }
    }
    let reader = BufReader::new(Cursor::new(prompt("p1", "a")).chain(Broken));
    let mut ignore = |_| ControlFlow::Continue(());
    let error = read_turns(reader, "stem", &mut ignore).unwrap_err();
    assert_eq!(error.to_string(), "the disk is gone");
}

#[test]
fn every_reason_says_something_else() {
    let reasons = [
        SkipReason::NotJson,
        SkipReason::InvalidUtf8,
        SkipReason::TooLong,
        SkipReason::Unfinished,
        SkipReason::TurnTooLong,
    ];
    let mut texts: Vec<_> = reasons.iter().map(ToString::to_string).collect();
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), reasons.len());
    assert_eq!(LINE_BYTES_MAX, 32 << 20, "the texts name this limit");
}

const FIELDS: [&str; 8] = [
    "type",
    "sessionId",
    "promptId",
    "uuid",
    "message",
    "isMeta",
    "content",
    "timestamp",
];

const VALUES: [&str; 10] = [
    "null",
    "true",
    "-1",
    "1e9",
    "\"\"",
    "\"x\"",
    "[]",
    "[1,{}]",
    "{}",
    "{\"content\":[7]}",
];

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        read(&bytes[..]);
    }

    #[test]
    fn random_values_in_known_fields_never_lose_the_next_line(
        field in proptest::sample::select(&FIELDS[..]),
        value in proptest::sample::select(&VALUES[..]),
    ) {
        let line = format!("{{\"type\":\"user\",\"{field}\":{value}}}\n");
        let bytes = [line.into_bytes(), prompt("p1", "next"), reply("yes")].concat();
        let (turns, report) = read(&bytes[..]);
        prop_assert_eq!(report.skipped.total(), 0);
        prop_assert_eq!(spoken(&turns), [("p1", "next", "yes")]);
    }

    #[test]
    fn a_broken_line_anywhere_changes_no_turn(
        name in proptest::sample::select(&FIXTURES[..]),
        at in any::<proptest::sample::Index>(),
        // A quote that never closes behind it makes every such line broken.
        broken in "\\{\"[^\"\n\r]{0,40}",
    ) {
        let text = String::from_utf8(fixture(name)).unwrap();
        let mut lines: Vec<&str> = text.lines().collect();
        let at = at.index(lines.len());
        lines.insert(at, &broken);
        let (turns, report) = read(format!("{}\n", lines.join("\n")).as_bytes());
        prop_assert_eq!(report.skipped.first, [(at as u64 + 1, SkipReason::NotJson)]);
        prop_assert_eq!(without_lines(&turns), without_lines(&read_fixture(name)));
    }

    #[test]
    fn turns_before_a_changed_byte_stay(
        name in proptest::sample::select(&FIXTURES[..]),
        at in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<bool>(),
    ) {
        let mut bytes = fixture(name);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if cut {
            bytes.truncate(at + 1);
        }
        let line = bytes[..at].iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
        let expected = read_fixture(name);
        // A turn is over where the next one begins.
        let over = expected.iter().skip(1).filter(|next| next.line < line).count();
        let (turns, _) = read(&bytes[..]);
        prop_assert!(turns.len() >= over);
        prop_assert_eq!(&turns[..over], &expected[..over]);
    }
}

/// The turns without what a further line changes.
fn without_lines(turns: &[TranscriptTurn]) -> Vec<TranscriptTurn> {
    let without_line = |turn: &TranscriptTurn| {
        let mut turn = turn.clone();
        turn.line = 0;
        if turn.prompt_id.starts_with("line-") {
            turn.prompt_id.clear();
        }
        turn
    };
    turns.iter().map(without_line).collect()
}
