//! A call of a tool over HTTP names no project; the hook before it has.

use serde_json::{Value, json};

use super::Session;
use crate::harness::{Ask, Home, Server, on_every_store, text_of_tool};

/// A call as the client makes it: with its own name for it, and nothing about the project.
fn call(server: &Server, id: &str, name: &str, arguments: Value) -> String {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": name, "arguments": arguments, "_meta": {
            "claudecode/toolUseId": id, "progressToken": 2,
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {}}}});
    let ask = Ask::post("/mcp", &body)
        .header("MCP-Protocol-Version", "2026-07-28")
        .header("Mcp-Method", "tools/call")
        .header("Mcp-Name", name);
    text_of_tool(&server.ask(&ask))
}

on_every_store!(a_call_is_of_the_project_that_its_hook_announced);
fn a_call_is_of_the_project_that_its_hook_announced(home: Home) {
    let server = Server::start(&home);
    let (shop, other) = (home.project("shop"), home.project("other"));
    let announce = |session: &str, dir: &std::path::Path, id: &str, tool: &str| {
        let fields = json!({"tool_name": tool, "tool_use_id": id, "tool_input": {}});
        let session = Session::over(&home, &server, session, dir);
        assert_eq!(session.tell("PreToolUse", fields), "");
    };
    let remember = json!({"content": "The walrus swims at noon."});
    announce("s1", &shop, "toolu_1", "mcp__sage__remember");
    let kept = call(&server, "toolu_1", "remember", remember.clone());
    let line = format!(
        "project: {} (by hook)",
        shop.canonicalize().unwrap().display()
    );
    assert!(kept.starts_with(&line), "{kept}");
    assert_eq!(super::kept(&home)[0]["session"], "s1");

    announce(
        "s2",
        &other,
        "toolu_2",
        "mcp__plugin_sage_sage__search_memory",
    );
    let found = call(
        &server,
        "toolu_2",
        "search_memory",
        json!({"query": "walrus"}),
    );
    assert!(
        found.contains("other (by hook)") && !found.contains("noon"),
        "{found}"
    );

    // What nobody announced, what another tool's hook said, and what two sessions claim.
    announce("s1", &shop, "toolu_3", "mcp__files__read");
    announce("s1", &shop, "toolu_4", "mcp__sage__remember");
    announce("s2", &other, "toolu_4", "mcp__sage__remember");
    for id in ["toolu_0", "toolu_3", "toolu_4"] {
        let kept = call(
            &server,
            id,
            "remember",
            json!({"content": format!("Said by {id}.")}),
        );
        assert!(
            kept.starts_with("project: unassigned (by nothing)"),
            "{kept}"
        );
    }
}
