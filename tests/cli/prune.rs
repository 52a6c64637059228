//! Pruning: never by accident, never beyond what was asked for.

use serde_json::Value;

use super::{ids, json_in, ok_in, parse, remember, run_in};
use crate::harness::Home;

const ALL: [&str; 3] = ["prune", "--older-than", "0d"];

#[test]
fn pruning_needs_a_yes() {
    let home = Home::new();
    let shop = home.project("shop");
    let id = remember(&home, &shop, &["Prices are in cents."]);
    let asked = run_in(&home, &shop, &ALL);
    assert_eq!(asked.code, 2);
    assert!(asked.stdout.contains("1 note"), "{}", asked.stdout);
    assert!(asked.stderr.contains("--yes"), "{}", asked.stderr);
    let as_json = run_in(&home, &shop, &[&ALL[..], &["--json"]].concat());
    assert_eq!(as_json.code, 2);
    let report = parse(&as_json.stdout);
    assert_eq!(report["preview"]["memories"], 1, "{report}");
    assert_eq!(report["pruned"], Value::Null);
    let dry = ok_in(&home, &shop, &[&ALL[..], &["--dry-run"]].concat());
    assert!(dry.starts_with("This deletes 1 memory for good"), "{dry}");
    assert_eq!(run_in(&home, &shop, &["show", &id]).code, 0);

    let done = ok_in(&home, &shop, &[&ALL[..], &["--yes"]].concat());
    let told = "Deleted for good: 1 memory, with 1 passage, ";
    assert!(done.contains(told), "{done}");
    let again = ok_in(&home, &shop, &[&ALL[..], &["--yes"]].concat());
    assert_eq!(again, "There is nothing to delete.\n");
}

#[test]
fn pruning_stays_in_the_project_and_says_what_it_keeps() {
    let home = Home::new();
    let (shop, blog) = (home.project("shop"), home.project("blog"));
    remember(&home, &shop, &["Prices are in cents."]);
    let keyed = remember(&home, &shop, &["--key", "port", "The port is 4317."]);
    let pinned = remember(&home, &shop, &["--pin", "Never deploy on Fridays."]);
    let other = remember(&home, &blog, &["Posts are short."]);
    let done = ok_in(&home, &shop, &[&ALL[..], &["--yes"]].concat());
    let kept = "Kept: 1 memory pinned, 1 note with a key; --include-pinned takes them too.";
    assert!(done.contains(kept), "{done}");
    let left = json_in(&home, &shop, &["list", "--all", "--json"]);
    assert_eq!(ids(&left["memories"]), [&*other, &pinned, &keyed]);
    let all = [&ALL[..], &["--include-pinned", "--all", "--yes", "--json"]].concat();
    assert_eq!(json_in(&home, &shop, &all)["pruned"]["memories"], 3);
}

#[test]
fn a_prune_says_what_it_lacks() {
    let home = Home::new();
    let shop = home.project("shop");
    for (args, told) in [
        (&["prune", "--yes"][..], "--older-than: say how old"),
        (&["prune", "--superseded"], "--older-than: say how old"),
        (&["prune", "--older-than", "old"], "expected a date"),
        (&["prune", "--expired", "--superseded"], "give one of"),
        (&["prune", "--older-than", "9d", "--kind", "x"], "--kind"),
    ] {
        let refused = run_in(&home, &shop, args);
        assert_eq!(refused.code, 2, "{args:?}");
        assert!(refused.stderr.contains(told), "{}", refused.stderr);
    }
}
