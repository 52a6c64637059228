//! A filter leaves in what it names and nothing else, and a project is a wall.

use std::collections::BTreeSet;

use proptest::prelude::*;
use sage::capture::Capture;
use sage::memory::{Filter, Kind, Memory, Project, Scope, Timestamp};
use sage::recall::HITS_MAX;

use super::{Bench, project};

const PROJECTS: [&str; 2] = ["shop", "bakery"];
const TAGS: [&str; 3] = ["api", "db", "ops"];
const SESSIONS: [&str; 3] = ["monday", "tuesday", "friday"];

fn moment(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

/// A memory that every query for "harbour" is about, or one that only stands beside such.
fn capture() -> impl Strategy<Value = Capture> {
    (
        prop::sample::select(PROJECTS.to_vec()),
        prop::sample::select(Kind::ALL.to_vec()),
        prop::sample::subsequence(TAGS.to_vec(), 0..=3),
        prop::option::weighted(0.8, prop::sample::select(SESSIONS.to_vec())),
        0..6_i64,
        any::<bool>(),
    )
        .prop_map(|(name, kind, tags, session, second, is_about)| Capture {
            // A session belongs to one project.
            session: session.map(|session| format!("{name}-{session}")),
            tags: tags.into_iter().map(str::to_owned).collect(),
            created_at: Some(moment(second)),
            ..Capture::note(
                Project::new(name),
                kind,
                if is_about { "harbour" } else { "backup" },
                "test",
            )
        })
}

fn filter() -> impl Strategy<Value = Filter> {
    (
        prop::sample::subsequence(Kind::ALL.to_vec(), 0..=2),
        prop::sample::subsequence(TAGS.to_vec(), 0..=2),
        prop::option::weighted(0.3, prop::sample::select(SESSIONS.to_vec())),
        prop::option::weighted(0.3, 0..6_i64),
        prop::option::weighted(0.3, 0..6_i64),
    )
        .prop_map(|(kinds, tags, session, after, before)| Filter {
            kinds,
            tags: tags.into_iter().map(str::to_owned).collect(),
            session: session.map(|session| format!("shop-{session}")),
            after: after.map(moment),
            before: before.map(moment),
        })
}

fn matches(filter: &Filter, memory: &Memory) -> bool {
    (filter.kinds.is_empty() || filter.kinds.contains(&memory.kind))
        && filter.tags.iter().all(|tag| memory.tags.contains(tag))
        && (filter.session.is_none() || filter.session == memory.session)
        && filter.after.is_none_or(|after| memory.created_at >= after)
        && filter
            .before
            .is_none_or(|before| memory.created_at < before)
}

/// The words differ by a number, else the second of two would be known already.
fn numbered(captures: Vec<Capture>) -> Vec<Capture> {
    let numbered = captures.into_iter().enumerate().map(|(number, capture)| {
        let text = format!("{} no{number}", capture.content.text);
        Capture {
            content: sage::memory::Content::plain(text),
            ..capture
        }
    });
    numbered.collect()
}

fn found(bench: &Bench, scope: &Scope, filter: &Filter) -> Vec<Memory> {
    let found = bench.recall(scope.clone(), filter.clone(), "harbour");
    found.hits.into_iter().map(|hit| hit.memory).collect()
}

fn texts<'a>(memories: impl IntoIterator<Item = &'a Memory>) -> BTreeSet<&'a str> {
    memories
        .into_iter()
        .map(|memory| memory.content.text.as_str())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48,
        failure_persistence: None,
        ..Default::default()
    })]

    #[test]
    fn filters_and_projects_hold(
        captures in prop::collection::vec(capture(), 1..30),
        filter in filter(),
    ) {
        let bench = Bench::new();
        bench.keep(numbered(captures));
        for scope in [project("shop"), project("bakery"), Scope::All] {
            let all = found(&bench, &scope, &Filter::default());
            let is_here = |memory: &Memory| {
                scope.project().is_none_or(|project| memory.project == *project)
            };
            prop_assert!(all.iter().all(is_here), "{scope:?} gave {all:?}");

            let some = found(&bench, &scope, &filter);
            let wrong: Vec<_> = some.iter().filter(|memory| !matches(&filter, memory)).collect();
            prop_assert!(wrong.is_empty(), "{filter:?} gave {wrong:?}");
            // A neighbour may go with the turn it stood beside, a match may not.
            let about = |memory: &&Memory| memory.content.text.starts_with("harbour");
            let expected = all.iter().filter(about).filter(|memory| matches(&filter, memory));
            prop_assert_eq!(texts(some.iter().filter(about)), texts(expected));
        }
    }

    #[test]
    fn everything_that_shares_the_word_is_found(
        captures in prop::collection::vec(capture(), 1..30),
    ) {
        let bench = Bench::new();
        bench.keep(numbered(captures));
        let stored = bench.texts();
        let expected = stored.iter().map(String::as_str);
        let expected: BTreeSet<_> = expected.filter(|text| text.starts_with("harbour")).collect();
        let all = found(&bench, &Scope::All, &Filter::default());
        prop_assert!(texts(&all).is_superset(&expected));
    }
}

/// More of one word than a recall takes from the postings of a word.
const OLD: usize = 2_500;

#[test]
fn a_narrow_filter_is_not_starved_by_common_words() {
    let capture = |text: String, second| Capture {
        created_at: Some(moment(second)),
        ..Capture::note(Project::new("shop"), Kind::Note, &text, "test")
    };
    let new = (0..HITS_MAX).map(|n| capture(format!("lantern at the harbour no{n}"), 1_000));
    let old = (0..OLD).map(|n| capture(format!("harbour no{}", HITS_MAX + n), 0));
    let after = Filter {
        after: Some(moment(1_000)),
        ..Filter::default()
    };
    // Whichever were stored last.
    for captures in [
        new.clone().chain(old.clone()).collect::<Vec<_>>(),
        old.chain(new).collect(),
    ] {
        let bench = Bench::new();
        bench.keep(captures);
        for query in ["harbour", "lantern", "harbour lantern"] {
            let found = bench.recall(project("shop"), after.clone(), query);
            assert_eq!(found.hits.len(), HITS_MAX, "{query}: {:?}", found.silence);
            let is_new = |memory: &Memory| memory.created_at == moment(1_000);
            assert!(found.hits.iter().all(|hit| is_new(&hit.memory)), "{query}");
        }
    }
}
