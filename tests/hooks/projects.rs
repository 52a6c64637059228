//! What a person decides about projects.

use serde_json::json;

use super::{Session, kept, waiting, words};
use crate::harness::{Home, Server, finish_with_input, on_every_store};
use crate::store::consistency::check_store;

on_every_store!(what_belongs_to_none_is_brought_in);
fn what_belongs_to_none_is_brought_in(home: Home) {
    let server = Server::start(&home);
    for session in ["s1", "s2"] {
        let mut events = vec![
            json!({"hook_event_name": "UserPromptSubmit", "prompt_id": "p1", "prompt": format!("The walrus of {session} swims at noon.")}),
            json!({"hook_event_name": "Stop", "prompt_id": "p1", "last_assistant_message": "Noted."}),
        ];
        for event in &mut events {
            event["session_id"] = json!(session);
            server.post("/hooks/claude-code", event).is(200);
        }
    }
    let projects = || -> Vec<String> {
        let memories = kept(&home).into_iter();
        memories
            .map(|memory| memory["project"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(projects(), ["unassigned", "unassigned"]);
    let moved = home.json([
        "project",
        "assign",
        "acme/shop",
        "--session",
        "s1",
        "--json",
    ]);
    assert_eq!(moved, json!({"moved": 1}));
    assert_eq!(projects(), ["acme/shop", "unassigned"]);
    check_store(&home);
    let found = home.json(["search", "--project", "acme/shop", "--json", "walrus noon"]);
    assert_eq!(found["hits"].as_array().unwrap().len(), 1);
    assert_eq!(
        home.json(["project", "assign", "acme/shop", "--json"]),
        json!({"moved": 1})
    );
    assert_eq!(projects(), ["acme/shop", "acme/shop"]);
    check_store(&home);
    // What comes again changes nothing.
    let again = json!({"hook_event_name": "Stop", "session_id": "s1", "prompt_id": "p1",
        "last_assistant_message": "Noted."});
    server.post("/hooks/claude-code", &again).is(200);
    assert_eq!(words(&home).len(), 2);
}

on_every_store!(two_projects_become_one);
fn two_projects_become_one(home: Home) {
    let (former, now) = (home.project("former"), home.project("now"));
    let key = |dir: &std::path::Path| dir.canonicalize().unwrap().to_str().unwrap().to_owned();
    let note = |project: &str, args: &[&str]| {
        home.ok([&["remember", "--project", project], args].concat())
    };
    note(&key(&former), &["--key", "style", "Indent with tabs."]);
    note(
        &key(&former),
        &["--key", "style", "Indent with eight spaces."],
    );
    note(&key(&former), &["--key", "port", "The port is 4242."]);
    note(&key(&now), &["--key", "style", "Indent with four spaces."]);
    Session::new(&home, "s1", &former).turn("p1", "The walrus swims at noon.", "Noted.");
    let moved = home.json(["project", "alias", &key(&former), &key(&now), "--json"]);
    assert_eq!(moved, json!({"moved": 3}));
    check_store(&home);
    let given = Session::new(&home, "s2", &former).start("startup");
    assert!(
        given.contains("four spaces") && given.contains("4242"),
        "{given}"
    );
    Session::new(&home, "s1", &former).turn("p2", "The seal sleeps at night.", "Noted.");
    Session::new(&home, "s3", &former).turn("p1", "The otter eats in the morning.", "Noted.");
    note(&key(&former), &["--key", "port", "The port is 8080."]);
    for memory in kept(&home) {
        assert_eq!(memory["project"], key(&now).as_str(), "{memory}");
    }
    let given = Session::new(&home, "s4", &now).start("startup");
    assert!(given.contains("8080") && !given.contains("4242"), "{given}");
    let list = home.ok(["project", "list"]);
    assert!(
        list.contains(&format!("{}  is {}", key(&former), key(&now))),
        "{list}"
    );
    let refused = home.run(["project", "alias", &key(&now), &key(&former)]);
    assert_eq!(
        refused.code, 2,
        "it would be an alias of itself: {}",
        refused.stderr
    );
    check_store(&home);
}

#[test]
fn a_server_is_told_of_a_repository_in_a_container() {
    let home = Home::new();
    home.project("shop/.git/objects");
    home.project("shop/.git/refs");
    home.file("shop/.git/HEAD", "ref: refs/heads/main\n");
    let config = "[remote \"origin\"]\n\turl = https://example.org/acme/shop.git\n";
    home.file("shop/.git/config", config);
    home.file("shop/.sage.toml", "inject = false\n");
    let event = json!({"hook_event_name": "SessionStart", "session_id": "s1",
        "source": "startup", "cwd": home.project("shop")});
    // One for development, with the client and the repository in it. Nobody answers, so that what
    // would be told waits where it can be seen.
    let mut command = home.command(["hook", "session-start"]);
    command
        .env("container", "podman")
        .env("SAGE_SERVER", "http://127.0.0.1:9");
    finish_with_input(&mut command, event.to_string().as_bytes());
    let text = std::fs::read_to_string(waiting(&home).pop().unwrap()).unwrap();
    let waiting: serde_json::Value = serde_json::from_str(&text).unwrap();
    let told = &waiting["event"];
    assert_eq!(told["sage_project"], "example.org/acme/shop");
    assert_eq!(told["sage_rules"], "inject = false\n");
}

#[test]
fn hooks_leave_a_project_alone() {
    let home = Home::new();
    let dir = home.project("shop");
    let key = dir.canonicalize().unwrap();
    let key = key.to_str().unwrap();
    let session = Session::new(&home, "s1", &dir);
    session.turn("p1", "The walrus swims at noon.", "Noted.");
    home.ok(["project", "off", key]);
    assert_eq!(
        Session::new(&home, "s2", &dir).turn(
            "p1",
            "When does the walrus swim?",
            "At noon, I guess."
        ),
        ""
    );
    assert_eq!(words(&home).len(), 1);
    assert!(home.ok(["project", "list"]).contains("(off)"));
    home.ok(["project", "on", key]);
    assert!(
        Session::new(&home, "s3", &dir)
            .prompt("p1", "When does the walrus swim?")
            .contains("noon")
    );
}
