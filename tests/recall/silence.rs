//! Nothing is said where nothing is known; one rare word in common is enough to be found.

use sage::memory::{Filter, Scope};
use sage::recall::Silence;

use super::{Bench, project};

fn silence(bench: &Bench, query: &str) -> Option<Silence> {
    let found = bench.recall(project("shop"), Filter::default(), query);
    assert_eq!(found.hits.is_empty(), found.silence.is_some());
    let context = bench.context(project("shop"), query, 1_000);
    assert_eq!(context.silence, found.silence);
    assert_eq!(context.text.is_empty(), context.silence.is_some());
    found.silence
}

#[test]
fn an_empty_store_says_so() {
    let bench = Bench::new();
    let query = "which postgresql version";
    assert_eq!(silence(&bench, query), Some(Silence::NothingStored));
    // Nor does a project know what another one holds.
    bench.note("We chose PostgreSQL 18 for the shop");
    let elsewhere = bench.recall(project("bakery"), Filter::default(), query);
    assert_eq!(elsewhere.silence, Some(Silence::NothingStored));
    let everywhere = bench.recall(Scope::All, Filter::default(), query);
    assert_eq!(everywhere.silence, None);
}

#[test]
fn a_query_without_words_says_so() {
    let bench = Bench::new();
    bench.note("We chose PostgreSQL 18 for the shop");
    for query in [
        "",
        " \n",
        "what was it that we did",
        "?!… 🎉",
        "的了是",
        "\0",
    ] {
        assert_eq!(
            silence(&bench, query),
            Some(Silence::NothingToLookFor),
            "{query:?}"
        );
    }
}

#[test]
fn nonsense_finds_nothing() {
    let bench = Bench::new();
    bench.note("We chose PostgreSQL 18 for the shop");
    bench.note("The warehouse closes its books on Wednesday");
    for query in ["xylograph quux zzyzx", "鲸鱼", "zzyzx zzyzx zzyzx"] {
        assert_eq!(
            silence(&bench, query),
            Some(Silence::BelowFloor),
            "{query:?}"
        );
    }
}

#[test]
fn the_only_note_is_found_by_a_rare_word() {
    for (text, query) in [
        (
            "We chose PostgreSQL 18 for the shop",
            "which postgresql version",
        ),
        ("Retries are capped at four", "how many retries?"),
        ("数据库用的是 PostgreSQL", "哪个数据库"),
        ("getUserName lives in src/user.rs", "where is getUserName"),
    ] {
        let bench = Bench::new();
        let id = bench.note(text);
        let found = bench.recall(project("shop"), Filter::default(), query);
        let ids: Vec<_> = found.hits.iter().map(|hit| hit.memory.id).collect();
        assert_eq!(ids, [id], "{query} said {:?}", found.silence);
        assert_eq!(silence(&bench, query), None);
    }
}
