//! Forgetting, status, and the names of the predecessor.

use serde_json::json;

use super::{connect, id_in, quoted_in};
use crate::harness::{Era, Home};

#[test]
fn forgetting_takes_the_code_of_the_preview() {
    let home = Home::new();
    let mut client = connect(&home, Era::Modern);
    for n in 0..12 {
        let tags = json!({"content": format!("Scratch note number {n}."), "tags": ["scratch"]});
        client.tool("remember", tags);
    }
    let kept = id_in(&client.tool("remember", json!({"content": "A note to keep."})));
    let filter = json!({"tags": ["scratch"]});
    let preview = client.tool("forget", filter.clone());
    assert!(
        preview.contains("12 memories") && preview.contains("more"),
        "{preview}"
    );
    assert!(preview.contains("Nothing is deleted yet"), "{preview}");

    let mut confirmed = filter.clone();
    confirmed["confirm"] = json!("not-the-code");
    client.tool_error("forget", confirmed.clone());
    // What has changed since must be looked at again.
    confirmed["confirm"] = json!(quoted_in(&preview));
    client.tool(
        "remember",
        json!({"content": "One more scratch note.", "tags": ["scratch"]}),
    );
    client.tool_error("forget", confirmed.clone());
    let preview = client.tool("forget", filter.clone());
    confirmed["confirm"] = json!(quoted_in(&preview));
    let done = client.tool("forget", confirmed);
    assert!(done.contains("13 memories"), "{done}");
    assert!(client.tool("forget", filter).contains("nothing to forget"));
    client.tool("get_memory", json!({"ids": [kept]}));
}

#[test]
fn status_tells_what_is_there() {
    let home = Home::new();
    let mut client = connect(&home, Era::Modern);
    client.tool("remember", json!({"content": "One note."}));
    for name in ["get_status", "get_memory_stats", "reset_circuit_breaker"] {
        let text = client.tool(name, json!({}));
        assert!(
            text.contains("1 note") && text.contains("healthy"),
            "{name}: {text}"
        );
        assert!(text.contains(env!("CARGO_PKG_VERSION")), "{text}");
    }
}

#[test]
fn the_predecessors_names_work_and_pass_over_what_they_do_not_know() {
    let home = Home::new();
    let mut client = connect(&home, Era::Modern);
    let saved = client.tool(
        "S",
        json!({"user_prompt": "Which port?", "assistant_response": "The gateway uses 4317.",
            "metadata": {"a": 1}, "max_results": 3}),
    );
    id_in(&saved);
    client.tool("get_memory_stats", json!({"session_id": "x"}));
    let prompt = client.tool(
        "generate_prompt",
        json!({"context": "gateway port", "style": "terse", "max_results": 5, "session_id": "x"}),
    );
    assert!(
        prompt.contains("4317") && prompt.contains("terse"),
        "{prompt}"
    );
    client.tool("generate_prompt", json!({}));
    client.tool(
        "manage_session",
        json!({"action": "create", "session": "old"}),
    );
    client.tool(
        "manage_session",
        json!({"action": "switch", "session": "old"}),
    );
    client.tool(
        "save_conversation",
        json!({"user_prompt": "In the old one?", "assistant_response": "Yes, indeed."}),
    );
    let preview = client.tool("clear_session", json!({"session_id": "old"}));
    assert!(preview.contains("1 memory"), "{preview}");
    let code = quoted_in(&preview);
    let done = client.tool(
        "clear_session",
        json!({"session_id": "old", "confirm": code}),
    );
    assert!(done.contains("1 memory"), "{done}");
}

#[test]
fn an_empty_store_says_so() {
    let home = Home::new();
    let mut client = connect(&home, Era::Modern);
    for name in ["get_context", "search_memory"] {
        let text = client.tool(name, json!({"query": "anything at all"}));
        assert!(
            text.contains("Nothing is stored here yet."),
            "{name}: {text}"
        );
    }
    let text = client.tool("manage_session", json!({"action": "list"}));
    assert!(text.contains("No sessions"), "{text}");
}
