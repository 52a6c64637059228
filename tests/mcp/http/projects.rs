//! Whose memories a caller sees: what its headers say.

use std::path::Path;

use serde_json::json;

use super::{Http, refused};
use crate::harness::{Era, Home, Server};
use crate::mcp::{ERAS, NEWEST_LEGACY, id_in};

/// What git writes for a repository, as far as it matters here.
fn make_checkout(tree: &Path, remote: &str) {
    let git = tree.join(".git");
    for folder in ["objects", "refs"] {
        std::fs::create_dir_all(git.join(folder)).unwrap();
    }
    std::fs::write(git.join("HEAD"), "ref: refs/heads/main\n").unwrap();
    let config = format!("[remote \"origin\"]\n\turl = {remote}\n");
    std::fs::write(git.join("config"), config).unwrap();
}

#[track_caller]
fn project_line(client: &mut Http<'_>) -> String {
    let status = client.tool("get_status", json!({}));
    status.lines().next().unwrap().to_owned()
}

#[test]
fn a_directory_is_what_git_says_it_is() {
    let home = Home::new();
    let checkout = home.project("checkout");
    make_checkout(&checkout, "git@github.com:Acme/Shop.git");
    let inside = home.project("checkout/src/deep");
    let plain = home.project("plain");
    let server = Server::start(&home);
    for era in ERAS {
        let at = |dir: &Path| {
            let dir = dir.to_str().unwrap();
            project_line(&mut Http::start(&server, era, &[("Sage-Project-Dir", dir)]))
        };
        let shop = "project: github.com/acme/shop (by environment)";
        assert_eq!(at(&checkout), shop);
        assert_eq!(at(&inside), shop);
        let plain = plain.canonicalize().unwrap();
        let expected = format!("project: {} (by environment)", plain.display());
        assert_eq!(at(&plain), expected);
        // The server may run where the directory is not: its name is all that counts then.
        let gone = Path::new("/nowhere/at/all");
        assert_eq!(at(gone), "project: /nowhere/at/all (by environment)");
    }
}

#[test]
fn a_directory_can_have_any_letters() {
    let home = Home::new();
    let dir = home
        .project("caf\u{e9} \u{4ed3}\u{5e93}")
        .canonicalize()
        .unwrap();
    let server = Server::start(&home);
    let headers = [("Sage-Project-Dir", dir.to_str().unwrap())];
    let line = project_line(&mut Http::start(&server, Era::Modern, &headers));
    assert_eq!(line, format!("project: {} (by environment)", dir.display()));
}

#[test]
fn a_relative_directory_is_refused() {
    let home = Home::new();
    let server = Server::start(&home);
    for dir in ["src", "./src", "..", "~/shop", "$PWD"] {
        let mut client = Http::silent(&server, &[("Sage-Project-Dir", dir)]);
        let modern = super::modern_message(1, "tools/list", json!({}));
        let initialize = json!({"protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"}});
        let legacy = super::message(2, "initialize", initialize);
        for body in [modern, legacy] {
            let reply = client.post(&body.to_string());
            let error = refused(&reply, 400, -32602);
            assert_eq!(reply.json()["id"], body["id"]);
            let message = error["message"].as_str().unwrap();
            assert!(
                message.contains("sage-project-dir") && message.contains("absolute path"),
                "{message}"
            );
            assert!(message.contains(dir), "{message}");
        }
        assert_eq!(client.session, None, "no session was opened");
    }
}

#[test]
fn the_name_of_a_project_comes_first() {
    let home = Home::new();
    let dir = home.project("plain");
    let server = Server::with(&home, &[("SAGE_PROJECT", "acme/default")]);
    let dir = dir.to_str().unwrap();
    let mut both = [("Sage-Project-Dir", dir), ("Sage-Project", "acme/named")];
    for _ in 0..2 {
        let mut client = Http::start(&server, Era::Modern, &both);
        assert_eq!(project_line(&mut client), "project: acme/named (by flag)");
        both.reverse();
    }
    let mut client = Http::start(&server, Era::Modern, &[]);
    assert_eq!(project_line(&mut client), "project: acme/default (by flag)");
    let mut client = Http::start(&server, Era::Modern, &[("Sage-Project", "")]);
    assert_eq!(project_line(&mut client), "project: acme/default (by flag)");
}

#[test]
fn without_any_reads_say_why_and_writes_are_not_lost() {
    let home = Home::new();
    // Not even where git names one: the server's own directory is nobody's project.
    make_checkout(home.path(), "https://github.com/acme/server");
    let server = Server::start(&home);
    for era in ERAS {
        let mut client = Http::start(&server, era, &[]);
        let kept = client.tool("remember", json!({"content": "The moon is far away."}));
        assert!(
            kept.starts_with("project: unassigned (by nothing)"),
            "{kept}"
        );
        assert!(kept.contains("`unassigned`"), "{kept}");
        for (name, arguments) in [
            ("search_memory", json!({"query": "moon"})),
            ("get_context", json!({"query": "moon"})),
            ("get_memory", json!({"ids": [id_in(&kept)]})),
        ] {
            let text = client.tool(name, arguments);
            assert!(
                text.contains("No project could be determined"),
                "{name}: {text}"
            );
            assert!(text.contains("Sage-Project"), "what to do: {name}: {text}");
            assert!(!text.contains("far away"), "{name}: {text}");
        }
        let all = client.tool("search_memory", json!({"query": "moon", "scope": "all"}));
        assert!(
            all.contains("far away") && all.contains("unassigned"),
            "{all}"
        );
    }
}

#[test]
fn projects_are_isolated_unless_asked() {
    let home = Home::new();
    let server = Server::start(&home);
    for era in ERAS {
        let mut shop = Http::in_shop(&server, era);
        let mut bank = Http::start(&server, era, &[("Sage-Project", "acme/bank")]);
        let kept = shop.tool(
            "remember",
            json!({"content": "The walrus service owns refunds."}),
        );
        let query = json!({"query": "walrus refunds"});
        let found = shop.tool("search_memory", query.clone());
        assert!(found.contains("walrus service"), "{found}");
        let found = bank.tool("search_memory", query.clone());
        assert!(!found.contains("walrus service"), "{found}");
        let context = bank.tool("get_context", query);
        assert!(!context.contains("walrus service"), "{context}");
        let uri = format!("sage://memory/{}", id_in(&kept));
        let (_, read) = bank.answer("resources/read", json!({"uri": uri}));
        assert!(read.get("error").is_some(), "{read}");
        let asked = json!({"query": "walrus refunds", "scope": "all"});
        let found = bank.tool("search_memory", asked);
        assert!(found.contains("acme/shop The walrus service"), "{found}");
    }
}

#[test]
fn a_session_keeps_its_project() {
    let home = Home::new();
    let server = Server::start(&home);
    let headers = [
        ("Sage-Project", "acme/shop"),
        ("Sage-Session", "conversation-1"),
    ];
    let mut client = Http::start(&server, Era::Modern, &headers);
    let kept = client.tool(
        "remember",
        json!({"content": "The pier is closed in winter."}),
    );
    let text = client.tool("get_memory", json!({"ids": [id_in(&kept)]}));
    assert!(text.contains("session conversation-1"), "{text}");

    for era in ERAS {
        // What is bound counts more than where somebody stands now.
        let headers = [
            ("Sage-Session", "conversation-1"),
            ("Sage-Project-Dir", "/elsewhere"),
        ];
        let mut client = Http::start(&server, era, &headers);
        let found = client.tool("search_memory", json!({"query": "pier winter"}));
        assert!(
            found.starts_with("project: acme/shop (by session)\n"),
            "{found}"
        );
        assert!(found.contains("closed in winter"), "{found}");
    }
    let mut other = Http::start(
        &server,
        NEWEST_LEGACY,
        &[("Sage-Session", "conversation-2")],
    );
    assert_eq!(project_line(&mut other), "project: unassigned (by nothing)");
}
