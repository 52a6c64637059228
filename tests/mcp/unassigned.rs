//! Without proof of a project, reads find nothing and say why, and writes are not lost.

use serde_json::{Value, json};

use crate::harness::{Client, Era, Home};

/// A container's own directory is no project; this variable is how its runtime tells.
fn in_a_container(home: &Home) -> Client {
    let mut command = home.command(["mcp"]);
    command.env("container", "podman");
    Client::start(command, Era::Modern)
}

#[test]
fn reads_find_nothing_and_say_why() {
    let home = Home::new();
    let mut client = in_a_container(&home);
    let kept = client.tool("remember", json!({"content": "The moon is far away."}));
    assert!(
        kept.contains("`unassigned`") && kept.contains("--project"),
        "{kept}"
    );
    for (name, arguments) in [
        ("get_context", json!({"query": "moon"})),
        ("search_memory", json!({"query": "moon"})),
        ("get_memory", json!({"ids": [super::id_in(&kept)]})),
        ("forget", json!({"ids": [super::id_in(&kept)]})),
        ("manage_session", json!({"action": "list"})),
        ("get_status", json!({})),
    ] {
        let text = client.tool(name, arguments);
        assert!(
            text.starts_with("project: unassigned (by nothing)"),
            "{name}: {text}"
        );
        assert!(
            text.contains("No project could be determined"),
            "{name}: {text}"
        );
        assert!(!text.contains("far away"), "{name}: {text}");
    }
    let prompt = |name: &str, arguments: Value| json!({"name": name, "arguments": arguments});
    for params in [
        prompt("recall", json!({"query": "moon"})),
        prompt("handoff", json!({})),
    ] {
        let reply = client.request("prompts/get", params).to_string();
        assert!(reply.contains("No project could be determined"), "{reply}");
        assert!(!reply.contains("far away"), "{reply}");
    }
    let uri = format!("sage://memory/{}", super::id_in(&kept));
    let reply = client.request("resources/read", json!({"uri": uri}));
    assert_eq!(reply["error"]["code"], -32602);
}

#[test]
fn what_claude_code_says_counts_in_a_container() {
    let home = Home::new();
    let mut command = home.command(["mcp"]);
    command.env("container", "podman");
    command.env("CLAUDE_PROJECT_DIR", home.project("shop"));
    let mut client = Client::start(command, Era::Modern);
    let text = client.tool("search_memory", json!({"query": "moon"}));
    assert!(
        text.starts_with("project: ") && text.contains("/shop (by environment)"),
        "{text}"
    );
}
