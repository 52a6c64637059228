//! 2026-07-28: the headers say what the body says.

use serde_json::{Value, json};

use super::{Http, MODERN, modern_message, refused};
use crate::harness::{Ask, Era, Home, Server};

/// A call of `get_status`, which has all three headers.
fn call() -> String {
    modern_message(
        1,
        "tools/call",
        json!({"name": "get_status", "arguments": {}}),
    )
    .to_string()
}

/// That call with the headers changed.
#[track_caller]
fn with(client: &mut Http<'_>, change: impl FnOnce(Ask) -> Ask) -> crate::harness::Reply {
    let body = call();
    let ask = change(client.ask(&body));
    client.send(ask, &body)
}

#[test]
fn each_must_be_there_and_agree() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut client = Http::in_shop(&server, Era::Modern);
    with(&mut client, |ask| ask).is(200);
    for (name, other) in [
        ("MCP-Protocol-Version", "2025-11-25"),
        ("MCP-Protocol-Version", "2030-01-01"),
        ("MCP-Protocol-Version", ""),
        ("Mcp-Method", "tools/list"),
        ("Mcp-Method", "Tools/Call"),
        ("Mcp-Name", "get_memory"),
        ("Mcp-Name", "GET_STATUS"),
        ("Mcp-Name", ""),
    ] {
        let lower = name.to_ascii_lowercase();
        let error = refused(&with(&mut client, |ask| ask.without(name)), 400, -32020);
        let message = error["message"].as_str().unwrap();
        assert!(
            message.starts_with(&format!("{lower}: missing")),
            "{message}"
        );
        let changed = with(&mut client, |ask| ask.without(name).header(name, other));
        let error = refused(&changed, 400, -32020);
        let message = error["message"].as_str().unwrap();
        assert!(
            message.starts_with(&format!("{lower}: differs")),
            "{message}"
        );
        // The right one beside a wrong one: nobody knows which of them others believe.
        let both = with(&mut client, |ask| ask.header(name, other));
        refused(&both, 400, -32020);
    }
}

#[test]
fn names_of_headers_have_no_case_and_values_no_margins() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut client = Http::in_shop(&server, Era::Modern);
    with(&mut client, |ask| {
        ask.without("MCP-Protocol-Version")
            .without("Mcp-Method")
            .without("Mcp-Name")
            .header("mcp-PROTOCOL-version", &format!("  {MODERN}\t "))
            .header("MCP-METHOD", "\t tools/call ")
            .header("mcp-name", " get_status  ")
    })
    .is(200);
}

#[test]
fn a_name_may_come_wrapped() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut client = Http::in_shop(&server, Era::Modern);
    let mut named = |value: &str| {
        let value = value.to_owned();
        with(&mut client, |ask| {
            ask.without("Mcp-Name").header("Mcp-Name", &value)
        })
    };
    named("=?base64?Z2V0X3N0YXR1cw==?=").is(200);
    for wrong in [
        // Another name; the marker in other letters, which makes it a name; no base64; no text.
        "=?base64?Z2V0X21lbW9yeQ==?=",
        "=?BASE64?Z2V0X3N0YXR1cw==?=",
        "=?base64?Z2V0X3N0YXR1cw==",
        "=?base64?***?=",
        "=?base64?/////w==?=",
        "=?base64??=",
    ] {
        refused(&named(wrong), 400, -32020);
    }
}

#[test]
fn a_uri_beyond_ascii_comes_wrapped() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut client = Http::in_shop(&server, Era::Modern);
    let session = json!({"action": "create", "session": "s-1", "title": "Caf\u{e9}"});
    client.tool("manage_session", session);
    // What there is to read does not matter: the header is understood, or it is not.
    let uri = "sage://session/caf\u{e9}";
    let body = modern_message(1, "resources/read", json!({"uri": uri})).to_string();
    let bare = client.ask(&body).without("Mcp-Name");
    let wrapped = bare
        .clone()
        .header("Mcp-Name", "=?base64?c2FnZTovL3Nlc3Npb24vY2Fmw6k=?=");
    let reply = client.send(wrapped, &body);
    refused(&reply, 200, -32602);
    let raw = bare.clone().header("Mcp-Name", uri);
    refused(&client.send(raw, &body), 400, -32020);
    refused(&client.send(bare, &body), 400, -32020);
}

#[test]
fn each_method_names_what_it_is_about() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut client = Http::in_shop(&server, Era::Modern);
    for (method, params) in [
        ("prompts/get", json!({"name": "handoff"})),
        ("resources/read", json!({"uri": "sage://status"})),
        ("tools/call", json!({"name": "get_status"})),
    ] {
        let body = modern_message(1, method, params).to_string();
        let ask = client.ask(&body);
        client.send(ask.clone(), &body).is(200);
        refused(&client.send(ask.without("Mcp-Name"), &body), 400, -32020);
    }
    // Others have no name, and a header that they do not need does no harm.
    for method in ["tools/list", "server/discover"] {
        let body = modern_message(1, method, json!({})).to_string();
        let ask = client.ask(&body).header("Mcp-Name", "whatever");
        client.send(ask, &body).is(200);
    }
    // Without a name in the body, that is what is wrong.
    let body = modern_message(1, "tools/call", json!({})).to_string();
    let reply = client.post(&body);
    let error = reply.json()["error"].clone();
    assert_eq!(error["code"], -32602, "{error}");
    assert_eq!(error.get("data").unwrap_or(&Value::Null), &Value::Null);
}
