//! Wrong arguments: the answer is one line that a model can act on.

use serde_json::json;

use super::{NEWEST_LEGACY, connect};
use crate::harness::Home;

const UNKNOWN_ID: &str = "00000000-0000-7000-8000-000000000000";

#[test]
fn wrong_arguments_say_which_field_and_what_was_expected() {
    let home = Home::new();
    let mut client = connect(&home, NEWEST_LEGACY);
    for (name, arguments, expected) in [
        ("get_context", json!({}), "query: missing; expected a text"),
        (
            "get_context",
            json!({"query": 7}),
            "query: expected a text, got the number 7",
        ),
        (
            "get_context",
            json!({"query": "x", "max_tokens": 99}),
            "max_tokens: expected a whole number from 100 to 20000, got the number 99",
        ),
        (
            "search_memory",
            json!({"query": "x", "limit": "ten"}),
            "limit: expected a whole number from 1 to 100, got \"ten\"",
        ),
        (
            "search_memory",
            json!({"query": "x", "limt": 1}),
            "limt: unknown argument; known are query, kinds, tags, session, after, before, \
             scope, limit, cursor",
        ),
        (
            "search_memory",
            json!({"query": "x", "kinds": ["dream"]}),
            "kinds: expected a list of turn, note, summary, got the list [\"dream\"]",
        ),
        (
            "search_memory",
            json!({"query": "x", "scope": "world"}),
            "scope: expected one of project, all, got \"world\"",
        ),
        (
            "search_memory",
            json!({"query": "x", "after": "yesterday"}),
            "after: expected a date (2026-05-01)",
        ),
        (
            "search_memory",
            json!({"query": "x", "cursor": "7"}),
            "cursor: expected the cursor of an earlier page",
        ),
        (
            "get_memory",
            json!({"ids": "x"}),
            "ids: expected a list of texts, got \"x\"",
        ),
        (
            "get_memory",
            json!({"ids": []}),
            "ids: expected 1 to 20 ids, got 0",
        ),
        (
            "get_memory",
            json!({"ids": ["nonsense"]}),
            "id: expected a memory id",
        ),
        (
            "remember",
            json!({"content": "x", "pinned": "yes"}),
            "pinned: expected true or false, got \"yes\"",
        ),
        (
            "remember",
            json!({"content": "x", "kind": "turn"}),
            "kind: expected one of note, summary, got \"turn\"",
        ),
        (
            "remember",
            json!({"content": "x", "expires": "2020-01-01"}),
            "expires: expected a time in the future",
        ),
        (
            "remember",
            json!({"content": "x", "id": UNKNOWN_ID}),
            "id: no memory 00000000",
        ),
        (
            "save_conversation",
            json!({"user_prompt": "x"}),
            "assistant_response: missing; expected a text",
        ),
        (
            "save_conversation",
            json!({"user_prompt": "x", "assistant_response": "y", "metadata": 1}),
            "metadata: expected an object, got the number 1",
        ),
        ("forget", json!({}), "ids: say what to forget"),
        (
            "forget",
            json!({"ids": [UNKNOWN_ID], "tags": ["a"]}),
            "ids: give either ids or a filter",
        ),
        (
            "manage_session",
            json!({}),
            "action: missing; expected one of list, info",
        ),
        (
            "manage_session",
            json!({"action": "burn"}),
            "action: expected one of list, info",
        ),
        (
            "manage_session",
            json!({"action": "rename", "session": "s"}),
            "title: missing",
        ),
        (
            "manage_session",
            json!({"action": "info"}),
            "session: missing",
        ),
        (
            "get_status",
            json!({"verbose": true}),
            "verbose: unknown argument; this tool takes no arguments",
        ),
        (
            "get_status",
            json!([]),
            "arguments: expected an object, got the list []",
        ),
    ] {
        let text = client.tool_error(name, arguments);
        assert!(text.starts_with(expected), "{name}: {text}");
    }
    client.tool("get_status", json!(null));
}
