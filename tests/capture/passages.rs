//! Properties of splitting: what the index and the packing rely on, whatever the text.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use sage::text::{PASSAGE_TOKENS_MAX, estimate_tokens, split_passages};

/// A passage is measured before the blanks at its ends go; without the blank in front, its first
/// word may count one token more.
const TRIMMING_TOKENS_MAX: usize = 1;

#[track_caller]
fn check(text: &str) {
    let mut covered = 0;
    for passage in split_passages(text) {
        let part = text.get(passage.clone()).expect("a cut inside a character");
        let gap = text.get(covered..passage.start).expect("out of order");
        assert!(gap.trim().is_empty(), "left out: {gap:?}");
        assert!(!part.is_empty() && part.trim() == part, "blanks: {part:?}");
        let tokens = estimate_tokens(part);
        assert!(
            tokens <= PASSAGE_TOKENS_MAX + TRIMMING_TOKENS_MAX,
            "{tokens} tokens: {part:?}"
        );
        covered = passage.end;
    }
    assert!(text[covered..].trim().is_empty(), "the end is left out");
}

/// Runs of everything that splits, counts or looks in its own way.
fn pieces() -> impl Strategy<Value = String> {
    let unit = prop::sample::select(vec![
        "a",
        "a\n",
        "Ab ",
        "word ",
        "word. ",
        "\n",
        "\r\n",
        "\t",
        " ",
        "   ",
        "0",
        "9 ",
        "é",
        "é ",
        "ж",
        "数",
        "数据。",
        "カ",
        "한",
        "！",
        "，",
        "→",
        "🎉",
        "\u{1}",
        "\0",
        "\u{301}",
        "=",
        "; ",
        "\u{3000}",
        "\u{85}",
        "x1",
        "aB",
    ]);
    let run = (unit, 1..300_usize).prop_map(|(unit, times)| unit.repeat(times));
    prop::collection::vec(run, 0..12).prop_map(|runs| runs.concat())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 256,
        failure_persistence: None,
        ..Default::default()
    })]

    #[test]
    fn passages_cover_any_text_within_their_limit(text in any::<String>()) {
        check(&text);
    }

    #[test]
    fn passages_cover_hostile_text_within_their_limit(text in pieces()) {
        check(&text);
    }
}

/// One line without blanks, only line ends, only one sort of character: the largest memory each.
const HOSTILE: [&str; 12] = [
    "x", "\n", "🎉", "数", "é", "\u{1}", " ", "a\n", "a ", "a. ", "數。", "a.",
];
const BYTES: usize = 256 * 1024;

#[test]
fn the_largest_memories_are_split_within_the_limit() {
    for unit in HOSTILE {
        let text = unit.repeat(BYTES / unit.len());
        check(&text);
        let passages = split_passages(&text).len();
        assert_eq!(passages == 0, text.trim().is_empty(), "{unit:?}");
    }
}

/// Four times the text takes about four times as long; a quadratic split would take sixteen times.
/// Only the shortest of several runs counts: other work on the machine lengthens the rest.
#[test]
fn the_time_grows_with_the_length_only() {
    const GROWTH_MAX: u32 = 10;
    const RUNS_MIN: usize = 2;
    const RUNS_MAX: usize = 20;
    /// Below this a measurement says nothing.
    const NOISE: Duration = Duration::from_millis(5);
    for unit in HOSTILE {
        let long = unit.repeat(BYTES / unit.len());
        let short = unit.repeat(BYTES / 4 / unit.len());
        let (mut short_min, mut long_min) = (Duration::MAX, Duration::MAX);
        let is_linear = (1..=RUNS_MAX).any(|run| {
            short_min = short_min.min(duration(&short));
            long_min = long_min.min(duration(&long));
            run >= RUNS_MIN && long_min < short_min * GROWTH_MAX + NOISE
        });
        assert!(is_linear, "{unit:?}: {short_min:?} became {long_min:?}");
    }
}

fn duration(text: &str) -> Duration {
    let started = Instant::now();
    assert!(split_passages(text).len() <= text.len());
    started.elapsed()
}
