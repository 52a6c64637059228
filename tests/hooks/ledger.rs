//! What was given, why, and what came of it.

use serde_json::{Value, json};

use super::{Session, kept, run};
use crate::harness::{Home, on_every_store};

/// The lines of `sage why`.
#[track_caller]
fn why(home: &Home, args: &[&str]) -> Vec<Value> {
    let args = [&["why", "--json"], args].concat();
    home.json(args)["lines"].as_array().unwrap().clone()
}

on_every_store!(the_ledger_says_why_and_whether_it_was_used);
fn the_ledger_says_why_and_whether_it_was_used(home: Home) {
    let dir = home.project("shop");
    let at = dir.canonicalize().unwrap();
    let at = at.to_str().unwrap();
    Session::new(&home, "s1", &dir).turn(
        "p1",
        "The staging server listens on port 4242.",
        "Noted.",
    );
    Session::new(&home, "s1", &dir).turn("p2", "The bakery opens at seven.", "Good to know.");
    let server = kept(&home)[0]["id"].as_str().unwrap().to_owned();

    let second = Session::new(&home, "s2", &dir);
    second.turn(
        "q1",
        "Which port does the staging server use?",
        "It is 4242, and staging listens there.",
    );
    second.prompt("q2", "The staging server port, once more?");
    let lines = why(&home, &["s2"]);
    let of = |prompt: &str| -> Vec<&Value> {
        let lines = lines.iter();
        lines
            .filter(|line| line["prompt"] == prompt && line["memory"] == server.as_str())
            .collect()
    };
    let given = of("q1");
    assert_eq!(given.len(), 1, "{lines:#?}");
    assert_eq!(
        (&given[0]["outcome"], &given[0]["rank"]),
        (&json!("given"), &json!(1))
    );
    assert!(
        given[0]["terms"].as_str().unwrap().contains("port"),
        "{given:?}"
    );
    assert!(given[0]["tokens"].as_u64().unwrap() > 10 && given[0]["score"] == 1.0);
    assert_eq!(given[0]["used"], true);
    let held = of("q2");
    assert!(
        held[0]["outcome"]
            .as_str()
            .unwrap()
            .contains("had it already"),
        "{held:?}"
    );

    let third = Session::new(&home, "s3", &dir);
    third.turn(
        "q1",
        "Which port does the staging server use?",
        "I cannot say, ask somebody else.",
    );
    let lines = why(&home, &[&server]);
    let used = |session: &str| {
        lines
            .iter()
            .find(|line| line["session"] == session && line["outcome"] == "given")
    };
    assert_eq!(used("s3").unwrap()["used"], false);
    assert_eq!(used("s2").unwrap()["used"], true);

    let now = why(&home, &["--project", at, "staging", "server", "port"]);
    let would = now.iter().find(|line| line["memory"] == server.as_str());
    assert_eq!(would.unwrap()["outcome"], "given", "{now:#?}");
    let text = home.ok(["why", "s2"]);
    assert!(
        text.contains("given, used; rank 1") && text.contains("The staging server"),
        "{text}"
    );

    // What is forgotten leaves the ledger, too.
    home.ok(["forget", &server, "--yes"]);
    assert_eq!(
        why(&home, &["s2"])
            .iter()
            .filter(|line| line["memory"] == server.as_str())
            .count(),
        0
    );
}

on_every_store!(the_benefit_is_told);
fn the_benefit_is_told(home: Home) {
    let dir = home.project("shop");
    Session::new(&home, "s1", &dir).turn(
        "p1",
        "The staging server listens on port 4242.",
        "Noted.",
    );
    let half = [("SAGE_HOLD_OUT", "50")];
    for number in 0..16 {
        let id = format!("session-{number}");
        let session = Session::new(&home, &id, &dir);
        let fields = json!({"prompt_id": "q", "prompt": "Which port does the staging server use?"});
        let given = !run(&home, &session.event("UserPromptSubmit", &fields), &half).is_empty();
        session.stop(
            "q",
            if given {
                "The staging server listens on port 4242."
            } else {
                "Who knows."
            },
        );
    }
    let benefit = home.json(["stats", "--all", "--benefit", "--json"]);
    let count = |part: &str, what: &str| benefit[part][what].as_u64().unwrap();
    assert!(count("given", "used") > 3 && count("given", "used") <= count("given", "memories"));
    assert!(count("held_out", "memories") > 3);
    assert_eq!(count("held_out", "used"), 0);
    assert!(benefit["difference"].as_f64().unwrap() > 0.1, "{benefit}");
    let text = home.ok(["stats", "--all", "--benefit"]);
    assert!(
        text.contains("held out") && text.contains("points"),
        "{text}"
    );
}

#[test]
fn use_never_buries() {
    let home = Home::new();
    let dir = home.project("shop");
    Session::new(&home, "s1", &dir).turn(
        "p1",
        "The staging server listens on port 4242.",
        "Noted.",
    );
    for number in 0..8 {
        let id = format!("session-{number}");
        let session = Session::new(&home, &id, &dir);
        let prompt = format!("Which port does the staging server use, try {number}?");
        let given = session.turn("q", &prompt, "No idea about that.");
        assert!(given.contains("4242"), "try {number}: {given}");
    }
}

#[test]
fn what_was_kept_last_can_be_forgotten() {
    let home = Home::new();
    let dir = home.project("shop");
    let session = Session::new(&home, "s1", &dir);
    session.turn("p1", "The staging server listens on port 4242.", "Noted.");
    session.turn("p2", "My neighbour's secret is that he snores.", "I see.");
    let forget = ["forget", "--last", "--yes", "--project", "shop"];
    home.ok(forget);
    session.stop("p2", "I see.");
    assert_eq!(
        super::words(&home),
        ["The staging server listens on port 4242.\n\nNoted."]
    );
}
