//! 2026-07-28: every request stands alone.

use serde_json::{Value, json};

use super::{Http, MODERN, VERSION_KEY, message, modern_message, refused};
use crate::harness::{Ask, Era, Home, Server};
use crate::mcp::NEWEST_LEGACY;

#[test]
fn nothing_is_needed_before_the_first_request() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut client = Http::in_shop(&server, Era::Modern);
    let kept = client.tool("remember", json!({"content": "Otters hold hands asleep."}));
    assert!(kept.starts_with("project: acme/shop (by flag)\nKept as "));
    let found = client.tool("search_memory", json!({"query": "otters asleep"}));
    assert!(found.contains("hold hands"), "{found}");
    let discovered = client.request("server/discover", json!({}));
    assert_eq!(discovered["supportedVersions"][0], MODERN);
    let tools = client.request("tools/list", json!({}));
    assert_eq!(tools["resultType"], "complete");
    assert_eq!(client.session, None, "no session was given");
}

#[test]
fn what_the_era_knows_no_more_is_not_found() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut client = Http::in_shop(&server, Era::Modern);
    for method in [
        "initialize",
        "ping",
        "logging/setLevel",
        "resources/subscribe",
        "resources/unsubscribe",
        "subscriptions/listen",
        "no/such/method",
    ] {
        let (status, message) = client.answer(method, json!({}));
        assert_eq!(
            (status, &message["error"]["code"]),
            (404, &json!(-32601)),
            "{method}"
        );
    }
    // Faults of the parameters are no matter of the transport.
    for (method, params) in [
        ("tools/call", json!({"name": "no_such_tool"})),
        ("resources/read", json!({"uri": "sage://nowhere"})),
        ("prompts/get", json!({"name": "none"})),
        ("tools/list", json!({"cursor": "x"})),
    ] {
        let (status, message) = client.answer(method, params);
        assert_eq!(
            (status, &message["error"]["code"]),
            (200, &json!(-32602)),
            "{method}"
        );
    }
}

#[test]
fn the_members_of_meta_are_needed() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut client = Http::in_shop(&server, Era::Modern);
    let with_meta = |meta: Value| message(1, "tools/list", json!({"_meta": meta})).to_string();

    let without_capabilities = with_meta(json!({VERSION_KEY: MODERN}));
    refused(&client.post(&without_capabilities), 400, -32602);
    let wrong = json!({VERSION_KEY: MODERN, "io.modelcontextprotocol/clientCapabilities": 7});
    refused(&client.post(&with_meta(wrong)), 400, -32602);
    // The header says what the body does not.
    for meta in [
        json!({}),
        json!({"io.modelcontextprotocol/clientCapabilities": {}}),
    ] {
        let body = with_meta(meta);
        let ask = client.ask(&body).header("MCP-Protocol-Version", MODERN);
        let ask = ask.header("Mcp-Method", "tools/list");
        refused(&client.send(ask, &body), 400, -32602);
    }
    let body = with_meta(json!({VERSION_KEY: 7, "io.modelcontextprotocol/clientCapabilities": {}}));
    let ask = client.ask(&body).header("MCP-Protocol-Version", MODERN);
    let ask = ask.header("Mcp-Method", "tools/list");
    refused(&client.send(ask, &body), 400, -32602);
}

#[test]
fn another_version_is_told_which_there_are() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut client = Http::in_shop(&server, Era::Modern);
    for version in ["2030-01-01", "2025-11-25", "", "x"] {
        let meta = json!({VERSION_KEY: version, "io.modelcontextprotocol/clientCapabilities": {}});
        let body = message(1, "tools/list", json!({"_meta": meta})).to_string();
        let error = refused(&client.post(&body), 400, -32022);
        assert_eq!(error["data"]["requested"], version);
        let supported = error["data"]["supported"].as_array().unwrap();
        assert!(supported.contains(&json!(MODERN)), "{error}");
    }
}

#[test]
fn sessions_of_the_other_era_mean_nothing_here() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut legacy = Http::start(&server, NEWEST_LEGACY, &[("Sage-Project", "acme/bank")]);
    legacy.tool("remember", json!({"content": "The vault opens at nine."}));
    let session = legacy.session.clone().unwrap();
    for id in [session.as_str(), "no-such-session"] {
        let headers = [("Sage-Project", "acme/shop"), ("Mcp-Session-Id", id)];
        let mut client = Http::start(&server, Era::Modern, &headers);
        let found = client.tool("search_memory", json!({"query": "vault opens"}));
        assert!(found.starts_with("project: acme/shop (by flag)"), "{found}");
        assert!(!found.contains("nine"), "{found}");
    }
    assert_eq!(legacy.request("ping", json!({})), json!({}));
    // Nor is there one to end.
    let ask = Ask::new("DELETE", "/mcp")
        .header("MCP-Protocol-Version", MODERN)
        .header("Mcp-Session-Id", &session);
    let reply = server.ask(&ask).is(405);
    assert_eq!(reply.header("allow"), Some("POST"));
    assert_eq!(legacy.request("ping", json!({})), json!({}));
}

#[test]
fn what_is_no_request_is_judged_by_the_header() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut client = Http::in_shop(&server, Era::Modern);
    // Tells the checker the era, as every client has before it makes a mistake.
    client.request("tools/list", json!({}));
    let batch = json!([modern_message(1, "tools/list", json!({}))]).to_string();
    for (body, status, code) in [
        (
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#,
            202,
            None,
        ),
        (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, 202, None),
        ("{", 400, Some(-32700)),
        ("7", 400, Some(-32600)),
        ("[]", 400, Some(-32600)),
        (batch.as_str(), 400, Some(-32600)),
    ] {
        let ask = client.ask(body).header("MCP-Protocol-Version", MODERN);
        let reply = server.ask(&ask);
        assert_eq!(reply.status, status, "{body}: {reply:?}");
        match code {
            None => assert!(reply.body.is_empty(), "{body}: {reply:?}"),
            Some(code) => {
                let message = reply.json();
                assert_eq!(message["error"]["code"], code, "{body}: {reply:?}");
                assert_eq!(message.get("id"), None, "{body}: {reply:?}");
            }
        }
    }
}
