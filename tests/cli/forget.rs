//! Forgetting: never by accident, never beyond what was asked for.

use serde_json::Value;

use super::{ids, json_in, ok_in, parse, remember, run_in};
use crate::harness::Home;

const DATABASE: &str = "We use PostgreSQL 17 because of its partitioning.";

#[test]
fn forgetting_needs_a_yes() {
    let home = Home::new();
    let shop = home.project("shop");
    let id = remember(&home, &shop, &[DATABASE]);
    let asked = run_in(&home, &shop, &["forget", &id]);
    assert_eq!(asked.code, 2);
    assert!(asked.stdout.contains(DATABASE), "{}", asked.stdout);
    assert!(asked.stderr.contains("--yes"), "{}", asked.stderr);
    let as_json = run_in(&home, &shop, &["forget", "--json", &id]);
    assert_eq!(as_json.code, 2);
    let report = parse(&as_json.stdout);
    assert_eq!(report["preview"]["memories"], 1, "{report}");
    assert_eq!(ids(&report["preview"]["sample"]), [id.as_str()]);
    assert_eq!(report["forgotten"], Value::Null);
    assert_eq!(run_in(&home, &shop, &["show", &id]).code, 0);

    let done = json_in(&home, &shop, &["forget", "--json", "--yes", &id]);
    assert_eq!(done["forgotten"]["memories"], 1, "{done}");
    assert_eq!(run_in(&home, &shop, &["show", &id]).code, 1);
    let again = run_in(&home, &shop, &["forget", "--yes", &id]);
    assert_eq!(again.code, 1);
    assert!(again.stderr.contains("no memory"), "{}", again.stderr);
}

#[test]
fn forgetting_by_filter_stays_in_the_project() {
    let home = Home::new();
    let (shop, blog) = (home.project("shop"), home.project("blog"));
    remember(&home, &shop, &["--tag", "draft", "A draft about prices."]);
    let kept = remember(&home, &shop, &["A fact about prices."]);
    let other = remember(&home, &blog, &["--tag", "draft", "A draft about posts."]);
    let done = ok_in(&home, &shop, &["forget", "--tag", "draft", "--yes"]);
    assert!(
        done.contains("Forgotten for good: 1 memory, with 1 passage, "),
        "{done}"
    );
    let rest = json_in(&home, &shop, &["list", "--all", "--json"]);
    let mut rest = ids(&rest["memories"]);
    rest.sort_unstable();
    assert_eq!(rest, [kept.as_str(), other.as_str()]);

    let none = run_in(&home, &shop, &["forget", "--tag", "draft", "--yes"]);
    assert_eq!((none.code, none.stdout.as_str()), (0, ""));
    assert!(
        none.stderr.contains("nothing was forgotten"),
        "{}",
        none.stderr
    );
    // A project that holds nothing is no reason to delete elsewhere.
    let empty = home.project("empty");
    let none = run_in(&home, &empty, &["forget", "--kind", "note", "--yes"]);
    assert_eq!(none.code, 0, "{}", none.stderr);
    assert_eq!(run_in(&home, &empty, &["show", &kept, &other]).code, 0);
    for args in [
        &["forget", "--yes"][..],
        &["forget", "--yes", "--tag", "x", &kept],
    ] {
        assert_eq!(run_in(&home, &shop, args).code, 2);
    }
}

#[test]
fn ids_that_are_not_there_are_told_before() {
    let home = Home::new();
    let shop = home.project("shop");
    let id = remember(&home, &shop, &[DATABASE]);
    let missing = "0190b5c0-7e11-7c3a-9d5e-2f6f3c1a8b42";
    let asked = run_in(&home, &shop, &["forget", &id, missing]);
    assert_eq!(asked.code, 2);
    assert!(
        asked.stdout.contains("1 id is not here"),
        "{}",
        asked.stdout
    );
}
