//! Up to 2025-11-25: sessions.

use serde_json::{Value, json};

use super::{Http, message, refused};
use crate::harness::{Ask, Era, Home, Reply, Server};
use crate::mcp::{NEWEST_LEGACY, id_in};

const WITH_BATCHES: Era = Era::Legacy("2025-03-26");

const VERSIONS: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/// DELETE in the session of a client.
fn end_session(client: &Http<'_>) -> Reply {
    let session = client.session.as_deref().unwrap();
    let ask = Ask::new("DELETE", "/mcp").header("Mcp-Session-Id", session);
    client.server.ask(&ask)
}

#[test]
fn a_whole_visit() {
    let home = Home::new();
    let server = Server::start(&home);
    for version in VERSIONS {
        let mut client = Http::in_shop(&server, NEWEST_LEGACY);
        let reply = client.initialize(version);
        assert_eq!(reply.json()["result"]["protocolVersion"], version);
        let session = client.session.clone().unwrap();
        assert_eq!(session.len(), 36, "{session}");
        assert!(session.bytes().all(|byte| byte.is_ascii_graphic()));

        let tools = client.request("tools/list", json!({}));
        assert_eq!(tools["tools"].as_array().unwrap().len(), 8);
        let content = format!("Gulls speak {version} at the harbour.");
        let kept = client.tool("remember", json!({"content": content}));
        assert!(kept.starts_with("project: acme/shop (by flag)\nKept as "));
        let found = client.tool("search_memory", json!({"query": "gulls harbour"}));
        assert!(found.contains(&content), "{found}");
        assert_eq!(client.request("ping", json!({})), json!({}));

        let ended = end_session(&client).is(204);
        assert!(ended.body.is_empty());
        let body = message(9, "ping", json!({})).to_string();
        let reply = client.post(&body).is(404);
        assert_eq!(refused(&reply, 404, -32600)["data"], Value::Null);
        assert_eq!(reply.json()["id"], 9);
        assert_eq!(end_session(&client).status, 404);
    }
}

#[test]
fn what_initialize_asks_for_never_fails() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut client = Http::silent(&server, &[]);
    for asked in [
        json!("2026-07-28"),
        json!("1999-01-01"),
        json!(7),
        Value::Null,
    ] {
        let params = json!({"protocolVersion": asked, "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"}});
        client.session = None;
        let reply = client
            .post(&message(1, "initialize", params).to_string())
            .is(200);
        assert_eq!(reply.json()["result"]["protocolVersion"], "2025-11-25");
        assert!(client.session.is_some());
    }
}

#[test]
fn a_request_belongs_to_a_session() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut client = Http::in_shop(&server, NEWEST_LEGACY);
    let bodies = [
        message(1, "tools/list", json!({})).to_string(),
        message(1, "no/such/method", json!({})).to_string(),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string(),
        json!({"jsonrpc": "2.0", "id": 4, "result": {}}).to_string(),
        json!([message(1, "ping", json!({}))]).to_string(),
        "{".to_owned(),
    ];
    for body in &bodies {
        client.session = None;
        let error = refused(&client.post(body), 400, -32600);
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("Mcp-Session-Id: missing"), "{message}");
        client.session = Some("8a1b5e5c-0000-4000-8000-000000000000".to_owned());
        refused(&client.post(body), 404, -32600);
        client.session = Some("no such thing".to_owned());
        refused(&client.post(body), 404, -32600);
    }
    let reply = server.ask(&Ask::new("DELETE", "/mcp")).is(400);
    assert_eq!(reply.json()["error"]["code"], -32600);
}

#[test]
fn there_is_no_stream_to_get() {
    let home = Home::new();
    let server = Server::start(&home);
    let client = Http::in_shop(&server, NEWEST_LEGACY);
    for method in ["GET", "HEAD", "PUT", "OPTIONS"] {
        let ask = Ask::new(method, "/mcp")
            .header("Accept", "text/event-stream")
            .header("Mcp-Session-Id", client.session.as_deref().unwrap());
        let reply = server.ask(&ask).is(405);
        assert_eq!(reply.header("allow"), Some("POST, DELETE"), "{method}");
    }
}

#[test]
fn two_sessions_switch_apart() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut one = Http::in_shop(&server, NEWEST_LEGACY);
    let mut two = Http::in_shop(&server, NEWEST_LEGACY);
    assert_ne!(one.session, two.session);
    let spike = json!({"action": "create", "session": "spike"});
    one.tool("manage_session", spike);
    one.tool(
        "manage_session",
        json!({"action": "switch", "session": "spike"}),
    );
    let ours = id_in(&one.tool("remember", json!({"content": "Kept in the spike."})));
    let theirs = id_in(&two.tool("remember", json!({"content": "Kept beside it."})));
    let text = two.tool("get_memory", json!({"ids": [ours]}));
    assert!(text.contains("session spike"), "{text}");
    let text = one.tool("get_memory", json!({"ids": [theirs]}));
    assert!(!text.contains("session spike"), "{text}");
}

#[test]
fn only_one_version_has_batches() {
    let home = Home::new();
    let server = Server::start(&home);
    let note = json!({"jsonrpc": "2.0", "method": "notifications/cancelled",
        "params": {"requestId": 1}});
    let batch = json!([
        message(1, "ping", json!({})),
        note,
        message(2, "no/such", json!({})),
        7
    ]);
    let mut client = Http::in_shop(&server, WITH_BATCHES);
    let answers = client.post(&batch.to_string()).is(200).json();
    assert_eq!(answers.as_array().unwrap().len(), 3, "{answers}");
    assert_eq!(answers[0], json!({"jsonrpc": "2.0", "id": 1, "result": {}}));
    assert_eq!(answers[1]["error"]["code"], -32601);
    assert_eq!(answers[2]["error"]["code"], -32600);
    client.post(&json!([note, note]).to_string()).is(202);
    refused(&client.post("[]"), 400, -32600);

    for version in VERSIONS
        .into_iter()
        .filter(|version| *version != "2025-03-26")
    {
        let mut client = Http::in_shop(&server, Era::Legacy(version));
        refused(&client.post(&batch.to_string()), 400, -32600);
        refused(&client.post("[]"), 400, -32600);
    }
}

#[test]
fn what_wants_no_answer_gets_none() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut client = Http::in_shop(&server, NEWEST_LEGACY);
    for body in [
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}),
        json!({"jsonrpc": "2.0", "method": "no/such/notification"}),
        json!({"jsonrpc": "2.0", "id": 1, "result": {}}),
        json!({"jsonrpc": "2.0", "id": 1, "error": {"code": 1, "message": "x"}}),
    ] {
        client.post(&body.to_string()).is(202);
    }
}

#[test]
fn mistakes_have_their_codes() {
    let home = Home::new();
    let server = Server::start(&home);
    for era in [NEWEST_LEGACY, WITH_BATCHES] {
        let mut client = Http::in_shop(&server, era);
        for (body, status, code) in [
            (r#"{"jsonrpc":"2.0","id":1,"#, 400, -32700),
            ("\u{fffd}", 400, -32700),
            ("", 400, -32700),
            ("7", 400, -32600),
            (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, 400, -32600),
            (
                r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
                400,
                -32600,
            ),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"no/such"}"#,
                200,
                -32601,
            ),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"server/discover"}"#,
                200,
                -32601,
            ),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#,
                200,
                -32602,
            ),
        ] {
            let reply = client.post(body);
            assert_eq!(reply.status, status, "{body}: {reply:?}");
            assert_eq!(reply.json()["error"]["code"], code, "{body}: {reply:?}");
        }
        assert_eq!(client.request("ping", json!({})), json!({}));
    }
}

#[test]
fn a_session_ends_with_its_server() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut client = Http::in_shop(&server, NEWEST_LEGACY);
    client.tool(
        "remember",
        json!({"content": "The lighthouse keeper retired."}),
    );
    let former = client.session.clone();
    assert!(server.end().status.success());

    let server = Server::start(&home);
    let mut client = Http::silent(&server, &[("Sage-Project", "acme/shop")]);
    client.era = NEWEST_LEGACY;
    client.session.clone_from(&former);
    let body = message(1, "tools/list", json!({})).to_string();
    refused(&client.post(&body), 404, -32600);
    client.initialize("2025-11-25");
    assert_ne!(client.session, former);
    let found = client.tool("search_memory", json!({"query": "lighthouse keeper"}));
    assert!(found.contains("retired"), "{found}");
}
