//! The same data gives the same answers in the same order.

use proptest::prelude::*;
use sage::capture::Capture;
use sage::memory::{Filter, Scope, Timestamp};

use super::{Bench, note, turn};

/// A capture by its parts: whether it is a note, its session, its words, its second.
type Parts = (bool, u8, Vec<&'static str>, i64);

fn parts() -> impl Strategy<Value = Parts> {
    let words = prop::sample::select(vec![
        "harbour",
        "gauge",
        "tide",
        "backup",
        "Thursday",
        "Marta",
        "数据库",
        "getUserName",
    ]);
    (
        any::<bool>(),
        0..3_u8,
        prop::collection::vec(words, 1..6),
        0..4_i64,
    )
}

fn capture((is_note, session, words, second): &Parts) -> Capture {
    let text = words.join(" ");
    let capture = match is_note {
        true => note("shop", &text),
        false => turn("shop", &format!("s{session}"), &text, "noted"),
    };
    Capture {
        created_at: Some(Timestamp::from_second(1_700_000_000 + second).unwrap()),
        ..capture
    }
}

/// What a search prints, but for the names, which are new in every store.
fn answers(all: &[Parts], query: &str) -> Vec<(String, Timestamp, u32, std::ops::Range<usize>)> {
    let bench = Bench::new();
    bench.keep(all.iter().map(capture).collect());
    let found = bench.recall(Scope::All, Filter::default(), query);
    let hits = found.hits.into_iter();
    hits.map(|hit| {
        let memory = hit.memory;
        (
            memory.content.text,
            memory.created_at,
            hit.score.to_bits(),
            hit.passage,
        )
    })
    .collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 16,
        failure_persistence: None,
        ..Default::default()
    })]

    #[test]
    fn the_same_data_gives_the_same_order(all in prop::collection::vec(parts(), 1..30)) {
        let query = "harbour tide Marta 数据库";
        let first = answers(&all, query);
        prop_assert!(first.is_sorted_by(|a, b| f32::from_bits(a.2) >= f32::from_bits(b.2)));
        prop_assert_eq!(answers(&all, query), first);
    }
}
