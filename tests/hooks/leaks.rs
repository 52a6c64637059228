//! What must not happen: memories of memories, and one project's words in another.

use std::path::Path;

use serde_json::json;

use super::{Session, words};
use crate::harness::{Home, Server, on_every_store};

/// A sentence that is said once.
const FACT: &str = "The staging server listens on port 4242 since the move to Oslo in spring.";

on_every_store!(twenty_rounds_leave_no_memory_of_what_was_injected);
fn twenty_rounds_leave_no_memory_of_what_was_injected(home: Home) {
    let dir = home.project("shop");
    let at = dir.to_str().unwrap();
    home.ok([
        "remember",
        "--project",
        at,
        "--key",
        "fridays",
        "Never deploy the shop on a Friday afternoon.",
    ]);
    let first = Session::new(&home, "s0", &dir);
    first.start("startup");
    first.turn("p", FACT, "Noted.");
    first.end();
    for round in 0..20 {
        let id = format!("round-{round}");
        let session = Session::new(&home, &id, &dir);
        let start = session.start("startup");
        assert!(start.contains("Never deploy"), "{start}");
        let prompt = format!("Question {round}: which port does the staging server listen on?");
        let given = session.prompt("p1", &prompt);
        assert!(given.contains(FACT), "round {round}: {given}");
        // The model quotes it whole, then in its own marks, then in another spelling.
        let quoted = match round % 4 {
            0 => format!("I was told:\n{given}\nand\n{start}"),
            1 => format!("You said: \"{FACT}\" And: never deploy the shop on a Friday afternoon!"),
            2 => format!("> {}", FACT.to_uppercase().replace(' ', "  ")),
            _ => FACT.to_owned(),
        };
        session.stop("p1", &quoted);
        let compacted = json!({"prompt_id": "c1", "trigger": "auto", "compact_summary":
            format!("They asked about a port. {FACT} {given}")});
        assert_eq!(session.tell("PostCompact", compacted), "");
        session.tell(
            "SessionStart",
            json!({"source": "compact", "prompt_id": "c1"}),
        );
        session.end();
    }
    let words = words(&home);
    let holding = |part: &str| {
        words
            .iter()
            .filter(|text| text.to_lowercase().contains(part))
            .count()
    };
    assert_eq!(holding("4242 since the move"), 1, "{words:#?}");
    assert_eq!(holding("deploy the shop on a friday"), 1, "{words:#?}");
    assert_eq!(holding("sage-memory"), 0, "{words:#?}");
}

/// What git writes for a repository, as far as it matters here.
fn make_repository(tree: &Path, remote: Option<&str>) {
    let git = tree.join(".git");
    for folder in ["objects", "refs", "worktrees"] {
        std::fs::create_dir_all(git.join(folder)).unwrap();
    }
    std::fs::write(git.join("HEAD"), "ref: refs/heads/main\n").unwrap();
    let config = remote.map(|url| format!("[remote \"origin\"]\n\turl = {url}\n"));
    std::fs::write(git.join("config"), config.unwrap_or_default()).unwrap();
}

fn make_worktree(tree: &Path, main: &Path, name: &str) {
    let git = main.join(".git/worktrees").join(name);
    std::fs::create_dir_all(&git).unwrap();
    std::fs::write(git.join("commondir"), "../..\n").unwrap();
    std::fs::write(git.join("HEAD"), "ref: refs/heads/side\n").unwrap();
    std::fs::write(tree.join(".git"), format!("gitdir: {}\n", git.display())).unwrap();
}

#[track_caller]
fn knows(session: &Session<'_>, id: &str) -> bool {
    let given = session.prompt(id, "Which port does the staging server listen on?");
    given.contains("4242")
}

on_every_store!(each_project_sees_its_own);
fn each_project_sees_its_own(home: Home) {
    let (shop, other) = (home.project("shop"), home.project("other"));
    let (one, two) = (
        Session::new(&home, "s1", &shop),
        Session::new(&home, "s2", &other),
    );
    // Both at once.
    one.start("startup");
    two.start("startup");
    one.prompt("p1", FACT);
    two.prompt("p1", "The bakery opens at seven.");
    two.stop("p1", "Good to know.");
    one.stop("p1", "Noted.");
    assert!(!knows(&two, "p2"));
    assert!(knows(&Session::new(&home, "s3", &shop), "p1"));
    assert!(!knows(&Session::new(&home, "s4", &other), "p1"));
    // A session stays in its project, wherever it goes.
    let moved = Session::new(&home, "s2", &shop);
    assert!(!knows(&moved, "p3"));
    moved.turn("p4", "The bakery also sells rye bread.", "Fine.");
    let projects: Vec<String> = super::kept(&home)
        .iter()
        .map(|memory| memory["project"].to_string())
        .collect();
    let of_other = projects
        .iter()
        .filter(|project| project.contains("other"))
        .count();
    assert_eq!(of_other, 2, "{projects:?}");
}

#[test]
fn worktrees_and_moved_folders_are_one_project() {
    let home = Home::new();
    let main = home.project("main");
    make_repository(&main, None);
    let tree = home.project("side");
    make_worktree(&tree, &main, "side");
    Session::new(&home, "s1", &main).turn("p1", FACT, "Noted.");
    assert!(knows(&Session::new(&home, "s2", &tree), "p1"));

    let cloned = home.project("cloned");
    make_repository(&cloned, Some("git@github.com:acme/shop.git"));
    Session::new(&home, "s3", &cloned).turn("p1", FACT, "Noted.");
    std::fs::rename(&cloned, home.path().join("moved")).unwrap();
    assert!(knows(
        &Session::new(&home, "s4", &home.path().join("moved")),
        "p1"
    ));
    let inside = home.project("moved/src");
    assert!(knows(&Session::new(&home, "s5", &inside), "p1"));
    assert!(!knows(
        &Session::new(&home, "s6", &home.project("elsewhere")),
        "p1"
    ));
}

#[test]
fn a_server_that_sees_no_folders_knows_what_the_start_told() {
    let home = Home::new();
    let checkout = home.project("checkout");
    make_repository(&checkout, Some("https://github.com/acme/shop"));
    let server = Server::start(&home);
    let url = format!("http://{}", server.address());
    let start = |id: &str, dir: &Path| {
        let session = Session::new(&home, id, dir);
        let event = session.event("SessionStart", &json!({"source": "startup"}));
        super::run(&home, &event, &[("SAGE_SERVER", &url)]);
    };
    start("s1", &checkout);
    // As from a machine whose folders are not here any more.
    std::fs::rename(&checkout, home.path().join("away")).unwrap();
    let session = Session::over(&home, &server, "s1", &checkout);
    session.turn("p1", FACT, "Noted.");
    assert_eq!(super::kept(&home)[0]["project"], "github.com/acme/shop");
    // Nobody started this one, but its folder is known by now, and so are those in it.
    assert!(knows(
        &Session::over(&home, &server, "s2", &checkout.join("src")),
        "p1"
    ));
}

#[test]
fn without_a_folder_nothing_is_given_and_nothing_lost() {
    let home = Home::new();
    let server = Server::start(&home);
    let tell = |name: &str, more: serde_json::Value| {
        let mut event = json!({"hook_event_name": name, "session_id": "s1"});
        event
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let reply = server.post("/hooks/claude-code", &event);
        reply.is(200).json()
    };
    tell(
        "UserPromptSubmit",
        json!({"prompt_id": "p1", "prompt": FACT}),
    );
    tell(
        "Stop",
        json!({"prompt_id": "p1", "last_assistant_message": "Noted."}),
    );
    let given = tell(
        "UserPromptSubmit",
        json!({"session_id": "s2", "prompt_id": "p1",
        "prompt": "Which port does the staging server listen on?"}),
    );
    assert_eq!(given, json!({}));
    assert_eq!(super::kept(&home)[0]["project"], "unassigned");
}
