//! `manage_session`, and where new memories go.

use serde_json::json;

use super::{connect, id_in, quoted_in};
use crate::harness::{Client, Era, Home};

fn manage(client: &mut Client, action: &str, more: serde_json::Value) -> String {
    let mut arguments = more;
    arguments["action"] = json!(action);
    client.tool("manage_session", arguments)
}

fn in_session(home: &Home, session: &str) -> Client {
    let mut command = home.command(["mcp", "--project", "acme/shop"]);
    command.env("CLAUDE_CODE_SESSION_ID", session);
    Client::start(command, Era::Modern)
}

#[test]
fn memories_belong_to_the_clients_session() {
    let home = Home::new();
    let mut client = in_session(&home, "conversation-1");
    let id = id_in(&client.tool("remember", json!({"content": "Postgres runs on 5433."})));
    let text = client.tool("get_memory", json!({"ids": [id]}));
    assert!(text.contains("session conversation-1"), "{text}");
    let list = manage(&mut client, "list", json!({}));
    assert!(
        list.contains("conversation-1 (current)") || list.contains("(current)"),
        "{list}"
    );
    let info = manage(&mut client, "info", json!({}));
    assert!(
        info.contains("conversation-1") && info.contains(&id),
        "{info}"
    );
    assert!(
        client
            .tool("get_status", json!({}))
            .contains("current session: conversation-1")
    );
}

#[test]
fn a_session_is_made_switched_to_renamed_and_cleared() {
    let home = Home::new();
    let mut client = in_session(&home, "conversation-1");
    let made = manage(&mut client, "create", json!({"title": "Spike on queues"}));
    assert!(made.contains("Spike on queues"), "{made}");
    let session = id_in(&made);
    let switched = manage(&mut client, "switch", json!({"session": session}));
    assert!(switched.contains(&session), "{switched}");
    let id = id_in(&client.tool(
        "remember",
        json!({"content": "Queues are drained nightly."}),
    ));
    let text = client.tool("get_memory", json!({"ids": [id]}));
    assert!(text.contains(&format!("session {session}")), "{text}");

    let renamed = manage(&mut client, "rename", json!({"title": "Queues"}));
    assert!(renamed.contains(": Queues"), "{renamed}");
    let info = manage(&mut client, "info", json!({"session": session}));
    assert!(
        info.contains(": Queues") && info.contains("1 memory"),
        "{info}"
    );

    let preview = manage(&mut client, "clear", json!({"session": session}));
    assert!(preview.contains(&id), "{preview}");
    let code = quoted_in(&preview);
    let cleared = manage(
        &mut client,
        "clear",
        json!({"session": session, "confirm": code}),
    );
    assert!(cleared.contains("1 memory"), "{cleared}");
    client.tool_error("get_memory", json!({"ids": [id]}));
}

#[test]
fn switching_holds_for_this_connection_only() {
    let home = Home::new();
    let mut one = in_session(&home, "conversation-1");
    let mut two = in_session(&home, "conversation-1");
    manage(&mut one, "create", json!({"session": "spike"}));
    manage(&mut one, "switch", json!({"session": "spike"}));
    let id = id_in(&two.tool(
        "remember",
        json!({"content": "Said in the other connection."}),
    ));
    let text = two.tool("get_memory", json!({"ids": [id]}));
    assert!(text.contains("session conversation-1"), "{text}");
}

#[test]
fn an_unknown_session_is_an_error() {
    let home = Home::new();
    let mut client = connect(&home, Era::Modern);
    for action in ["info", "switch", "rename"] {
        let arguments = json!({"action": action, "session": "nowhere", "title": "x"});
        client.tool_error("manage_session", arguments);
    }
    let text = manage(&mut client, "clear", json!({"session": "nowhere"}));
    assert!(text.contains("nothing to forget"), "{text}");
}

#[test]
fn sessions_are_listed_page_by_page() {
    let home = Home::new();
    let mut client = connect(&home, Era::Modern);
    for n in 0..45 {
        manage(
            &mut client,
            "create",
            json!({"session": format!("s-{n:02}")}),
        );
    }
    let mut seen = Vec::new();
    let mut arguments = json!({});
    let mut pages = 0;
    loop {
        let page = manage(&mut client, "list", arguments.clone());
        let sessions = page.lines().filter(|line| line.starts_with("s-"));
        seen.extend(sessions.map(|line| line.split(' ').next().unwrap().to_owned()));
        pages += 1;
        if !page.contains("More:") {
            break;
        }
        arguments["cursor"] = json!(quoted_in(&page));
    }
    seen.sort();
    let all: Vec<_> = (0..45).map(|n| format!("s-{n:02}")).collect();
    assert_eq!(seen, all);
    assert_eq!(pages, 3);
    let text = client.tool_error(
        "manage_session",
        json!({"action": "list", "cursor": "\u{1}"}),
    );
    assert!(text.contains("cursor"), "{text}");
}
