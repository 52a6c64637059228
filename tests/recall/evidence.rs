//! What a ranking goes by besides the words themselves.

use sage::capture::Capture;
use sage::memory::{Filter, MemoryId, Timestamp};

use super::{Bench, note, project, turn};

fn texts(bench: &Bench, query: &str) -> Vec<String> {
    let found = bench.recall(project("shop"), Filter::default(), query);
    let hits = found.hits.into_iter();
    hits.map(|hit| hit.memory.content.text).collect()
}

/// Keeps notes, each said on its day.
fn on_days(bench: &Bench, said: &[(&str, &str)]) {
    let captures = said.iter().map(|(day, text)| Capture {
        created_at: Some(format!("{day}T12:00:00Z").parse().unwrap()),
        ..note("shop", text)
    });
    bench.keep(captures.collect());
}

#[test]
fn a_time_in_the_query_prefers_what_was_said_then() {
    let bench = Bench::new();
    on_days(
        &bench,
        &[
            ("2026-03-10", "The backup failed: disk full"),
            ("2026-05-08", "The backup failed: no network"),
            ("2026-07-21", "The backup failed: wrong password"),
        ],
    );
    for (query, first) in [
        (
            "why did the backup fail in March?",
            "The backup failed: disk full",
        ),
        ("backup failed 2026-05-08", "The backup failed: no network"),
        ("backup failed on 8 May", "The backup failed: no network"),
        (
            "backup failed 2026年7月",
            "The backup failed: wrong password",
        ),
    ] {
        let found = texts(&bench, query);
        assert_eq!(found.first().map(String::as_str), Some(first), "{query}");
    }
}

#[test]
fn times_count_from_today_and_from_when_it_was_said() {
    let bench = Bench::new();
    let day = |days_ago: i64| {
        let at = Timestamp::now().as_second() - days_ago * 86_400;
        Timestamp::from_second(at)
            .unwrap()
            .strftime("%Y-%m-%d")
            .to_string()
    };
    let (yesterday, long_ago) = (day(1), day(200));
    on_days(
        &bench,
        &[
            (&yesterday, "We renamed the deploy job to ship"),
            (&long_ago, "We renamed the deploy job to launch"),
        ],
    );
    let newer = "We renamed the deploy job to ship";
    for query in [
        "what did we rename the deploy job to yesterday?",
        "昨天 deploy job renamed",
    ] {
        let found = texts(&bench, query);
        assert_eq!(found.first().map(String::as_str), Some(newer), "{query}");
    }
    // Said on the ninth, about the eighth.
    on_days(
        &bench,
        &[
            ("2025-02-09", "Yesterday the crane was inspected"),
            ("2025-02-06", "Yesterday the crane was inspected by Ruben"),
        ],
    );
    let found = texts(&bench, "crane inspected 8 February 2025");
    assert_eq!(
        found.first().map(String::as_str),
        Some("Yesterday the crane was inspected")
    );
}

#[test]
fn other_forms_of_a_word_are_found() {
    let bench = Bench::new();
    bench.note("Marta went to the harbour office");
    bench.note("The postgres cluster runs in Oslo");
    for (query, text) in [
        ("who goes there?", "Marta went to the harbour office"),
        (
            "where is the pg cluster",
            "The postgres cluster runs in Oslo",
        ),
    ] {
        assert_eq!(texts(&bench, query), [text], "{query}");
    }
}

#[test]
fn what_follows_a_turn_that_only_asks_is_its_answer() {
    let bench = Bench::new();
    let said = |session, prompt| turn("shop", session, prompt, "");
    bench.keep(vec![
        said("asked", "Which lantern belongs on the harbour wall?"),
        said("asked", "The brass one, on a hook"),
        said("asked", "We also need bread"),
        said("told", "Paint the lantern"),
        said("told", "The wall was painted"),
    ]);
    let found = texts(&bench, "which lantern for the harbour wall");
    let place = |text: &str| found.iter().position(|found| found == text).unwrap();
    // It shares no word with the question, and answers it.
    let (answer, other) = ("The brass one, on a hook", "The wall was painted");
    assert!(place(answer) < place(other), "{found:?}");
}

#[test]
fn what_was_said_again_and_again_comes_once() {
    let bench = Bench::new();
    let mut all: Vec<Capture> = (0..20)
        .map(|number| {
            let reply = match number {
                12 => "All 412 tests pass; the slow one was the lighthouse import, 3 s.",
                _ => "Done.",
            };
            Capture {
                created_at: Some(Timestamp::from_second(1_700_000_000 + number).unwrap()),
                ..turn(
                    "shop",
                    &format!("s{number}"),
                    "run the lighthouse tests again please",
                    reply,
                )
            }
        })
        .collect();
    all.push(note("shop", "Lighthouse tests need the tide table"));
    bench.keep(all);
    let found = bench.recall(
        project("shop"),
        Filter::default(),
        "run the lighthouse tests again",
    );
    assert_eq!(found.hits.len(), 21, "nothing is lost");
    // The one with the full reply stands for all, and the note is not crowded out.
    assert!(found.hits[0].memory.content.text.contains("412 tests"));
    assert_eq!(
        found.hits[1].memory.content.text,
        "Lighthouse tests need the tide table"
    );
    assert!(found.hits[2..].iter().all(|hit| hit.score == 0.0));
}

#[test]
fn words_that_stand_together_count() {
    let bench = Bench::new();
    let apart: MemoryId = bench.note("The red crane lifts a box of lamps near the big green door");
    let together = bench.note("The red door of the crane lifts near a box of big green lamps");
    let found = bench.recall(project("shop"), Filter::default(), "green lamps");
    let ids: Vec<MemoryId> = found.hits.iter().map(|hit| hit.memory.id).collect();
    assert_eq!(ids, [together, apart]);
}
