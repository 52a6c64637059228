//! Queries that are no questions: what comes back is sane, and soon.

use std::time::{Duration, Instant};

use sage::memory::Filter;
use sage::recall::{Recall, Silence};

use super::{Bench, project};

/// A store of a developer's notes.
fn developers_notes() -> Bench {
    let bench = Bench::new();
    for text in NOTES {
        bench.note(text);
    }
    for number in 0..60_u8 {
        let room = [b'a' + number / 10, b'q', b'a' + number % 10].map(char::from);
        let room = String::from_iter(room);
        bench.note(&format!("Meeting in {room}: roadmap, budget, lunch"));
    }
    bench
}

const NOTES: [&str; 6] = [
    "TideReader::open panicked at src/tide/reader.rs:214: index out of bounds; the buffer was empty",
    "We moved to Kubernetes because of rolling updates",
    "fn read_gauge(port: &mut SerialPort) -> Result<Level> is the only place that touches serial",
    "数据库迁移脚本必须支持 rollback，上线前先在 staging 跑一遍",
    "🎉 shipped the autumn release",
    "The pagination cursor is opaque on purpose",
];

/// Far more than it takes even where tests are not optimised and the machine is busy.
const SOON: Duration = Duration::from_secs(20);

fn find(bench: &Bench, query: &str) -> Recall {
    let start = Instant::now();
    let found = bench.recall(project("shop"), Filter::default(), query);
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    found
}

#[track_caller]
fn finds_first(query: &str, text: &str) {
    let found = find(&developers_notes(), query);
    let first = found
        .hits
        .first()
        .map(|hit| hit.memory.content.text.as_str());
    assert_eq!(first, Some(text), "{:?}", found.silence);
}

#[test]
fn nothing_and_pictures_are_no_words() {
    let bench = developers_notes();
    for query in ["", "   ", "🎉", "🎉🎉🎉 ✨", "???", "—"] {
        let silence = find(&bench, query).silence;
        assert_eq!(silence, Some(Silence::NothingToLookFor), "{query:?}");
    }
}

#[test]
fn one_word_is_enough() {
    finds_first("kubernetes", NOTES[1]);
    finds_first("迁移", NOTES[3]);
    finds_first("read_gauge", NOTES[2]);
}

#[test]
fn a_stack_trace_finds_what_is_known_about_it() {
    let mut trace = String::from(
        "thread 'main' panicked at src/tide/reader.rs:214:18:\nindex out of bounds: the len is 0\n",
    );
    for depth in 0..40 {
        trace.push_str(&format!(
            "  {depth}: core::panicking::panic_fmt\n     at /rustc/59807616e1fa/library/core/src/panicking.rs:{}\n",
            60 + depth
        ));
    }
    trace.push_str("  41: tide::reader::TideReader::open\n");
    finds_first(&trace, NOTES[0]);
}

#[test]
fn a_log_of_fifty_kilobytes_is_looked_through() {
    let mut log = String::new();
    for line in 0..700 {
        log.push_str(&format!(
            "2026-11-27T09:{:02}:{:02}Z INFO worker{} request id={:08x} took {} ms\n",
            line / 60 % 60,
            line % 60,
            line % 7,
            line * 7_919,
            line % 97
        ));
        if line == 650 {
            log.push_str("ERROR pagination cursor rejected: opaque cursor expected\n");
        }
    }
    assert!(log.len() > 40_000);
    finds_first(&log, NOTES[5]);
}

#[test]
fn code_alone_finds_code() {
    finds_first(
        "fn read_gauge(port: &mut SerialPort) -> Result<Level> {",
        NOTES[2],
    );
}

#[test]
fn two_languages_at_once() {
    finds_first("数据库 migration 怎么 rollback", NOTES[3]);
    finds_first("用 Kubernetes", NOTES[1]);
}

#[test]
fn a_slip_in_a_rare_word_is_forgiven_and_told() {
    let bench = developers_notes();
    for (typed, meant, text) in [
        ("kubermetes", "kubernetes", NOTES[1]),
        ("kuberentes", "kubernetes", NOTES[1]),
        ("paginaton", "pagination", NOTES[5]),
    ] {
        let found = find(&bench, &format!("why {typed}?"));
        let first = found
            .hits
            .first()
            .map(|hit| hit.memory.content.text.as_str());
        assert_eq!(first, Some(text), "{typed}");
        assert_eq!(found.corrected, [(typed.to_owned(), meant.to_owned())]);
    }
    // What is stored is not doubted, and what nobody wrote stays unknown.
    assert!(find(&bench, "kubernetes roadmap").corrected.is_empty());
    let unknown = find(&bench, "xylophone orchestra");
    assert_eq!(unknown.silence, Some(Silence::BelowFloor));
    assert!(unknown.corrected.is_empty());
}
