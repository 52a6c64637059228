//! What is put before the model, and when nothing is.

use serde_json::json;

use super::{Session, kept};
use crate::harness::{Home, Server, on_every_store};

on_every_store!(a_session_is_told_what_another_said_and_only_once);
fn a_session_is_told_what_another_said_and_only_once(home: Home) {
    let dir = home.project("shop");
    let first = Session::new(&home, "s1", &dir);
    first.start("startup");
    let own = first.turn(
        "p1",
        "The staging server listens on port 4242.",
        "I will remember it.",
    );
    assert_eq!(own, "");
    let again = first.prompt("p2", "Which port does the staging server listen on?");
    assert_eq!(again, "", "it stands in its own context");

    let second = Session::new(&home, "s2", &dir);
    second.start("startup");
    let given = second.prompt("q1", "Which port does the staging server listen on?");
    assert!(given.contains("port 4242"), "{given}");
    assert_eq!(
        second.prompt("q2", "The staging server, which port was it?"),
        ""
    );
    // A compaction empties the context; replaying its event does not.
    let compact = || {
        second.tell(
            "SessionStart",
            json!({"source": "compact", "prompt_id": "c1"}),
        )
    };
    compact();
    let given = second.prompt("q3", "The port of the staging server again?");
    assert!(given.contains("port 4242"), "{given}");
    compact();
    assert_eq!(
        second.prompt("q4", "And the port of the staging server?"),
        ""
    );
}

#[test]
fn nothing_is_said_where_nothing_fits() {
    let home = Home::new();
    let dir = home.project("shop");
    let first = Session::new(&home, "s1", &dir);
    first.turn(
        "p1",
        "The staging server listens on port 4242.",
        "I will remember it.",
    );
    let second = Session::new(&home, "s2", &dir);
    for (id, prompt) in [
        ("q1", "Write a poem about autumn leaves"),
        ("q2", "ok"),
        ("q3", "?"),
        ("q4", "继续"),
    ] {
        assert_eq!(second.prompt(id, prompt), "", "{prompt}");
    }
}

on_every_store!(a_session_starts_with_what_stands);
fn a_session_starts_with_what_stands(home: Home) {
    let dir = home.project("shop");
    let at = dir.to_str().unwrap();
    let note = |args: &[&str]| home.ok([&["remember", "--project", at], args].concat());
    note(&["An ordinary note that nobody pinned."]);
    note(&["--key", "style", "Indent with tabs."]);
    note(&["--key", "style", "Indent with four spaces."]);
    note(&["--pin", "Never deploy on Fridays."]);
    let session = Session::new(&home, "s1", &dir);
    let given = session.start("startup");
    let pinned = given.find("Never deploy").unwrap();
    assert!(pinned < given.find("four spaces").unwrap(), "{given}");
    assert!(
        !given.contains("tabs") && !given.contains("ordinary"),
        "{given}"
    );
    assert_eq!(session.start("resume"), "", "it has that");
    let other = Session::new(&home, "s2", &dir).start("startup");
    assert_eq!(other, given, "the same block for every session");
    assert_eq!(session.start("compact"), given);
}

#[test]
fn budgets_hold_whatever_is_stored() {
    let home = Home::new();
    let dir = home.project("shop");
    let at = dir.to_str().unwrap();
    // Blanks cost hardly a token, and much room.
    let wide = format!("walrus{}", " ".repeat(2_000));
    for number in 0..30 {
        let key = format!("k{number}");
        let text = format!(
            "walrus {number} {} {wide}\n",
            "the walrus swims ".repeat(40)
        );
        home.ok(["remember", "--project", at, "--key", &key, "--", &text]);
    }
    let session = Session::new(&home, "s1", &dir);
    let start = session.start("startup");
    assert!(start.contains("walrus swims"));
    let prompt = Session::new(&home, "s2", &dir).prompt("q1", "Does the walrus swim?");
    assert!(prompt.contains("walrus swims"));
    // A token is four letters here.
    assert!(start.split_whitespace().count() < 800 && prompt.split_whitespace().count() < 1_000);
}

#[test]
fn the_server_says_what_the_command_says() {
    let home = Home::new();
    let dir = home.project("shop");
    let server = Server::start(&home);
    let by_command = Session::new(&home, "s1", &dir);
    by_command.start("startup");
    let over_http = Session::over(&home, &server, "s1", &dir);
    over_http.turn(
        "p1",
        "The staging server listens on port 4242.",
        "I will remember it.",
    );
    let other = Session::over(&home, &server, "s2", &dir);
    let given = other.prompt("q1", "Which port does the staging server listen on?");
    assert!(given.contains("port 4242"), "{given}");
    assert_eq!(kept(&home).len(), 1);
    let odd = server.post("/hooks/claude-code", &json!({"hook_event_name": "Stop"}));
    odd.is(400);
    let unknown = json!({"hook_event_name": "Notification", "session_id": "s1"});
    assert_eq!(
        server.post("/hooks/claude-code", &unknown).json(),
        json!({})
    );
}

#[test]
fn some_prompts_go_without_where_that_is_wanted() {
    let home = Home::new();
    let dir = home.project("shop");
    let first = Session::new(&home, "s1", &dir);
    first.turn(
        "p1",
        "The staging server listens on port 4242.",
        "I will remember it.",
    );
    let mut given = 0;
    for number in 0..40 {
        let id = format!("session-{number}");
        let session = Session::new(&home, &id, &dir);
        let fields =
            json!({"prompt_id": "q", "prompt": "Which port does the staging server listen on?"});
        let event = session.event("UserPromptSubmit", &fields);
        let output = super::run(
            &home,
            &event,
            &[("SAGE_HOLD_OUT", "50"), ("SAGE_CAPTURE", "off")],
        );
        given += usize::from(!output.is_empty());
    }
    // Always the same ones, by their names.
    assert!((10..=30).contains(&given), "{given} of 40");
}
