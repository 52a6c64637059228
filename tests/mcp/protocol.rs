//! The rules of each era, request by request.

use serde_json::{Value, json};

use super::{ERAS, NEWEST_LEGACY, connect, silent};
use crate::harness::{Client, Era, Home};

const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";

#[track_caller]
fn error_code(client: &mut Client, method: &str, params: Value) -> i64 {
    let reply = client.request(method, params);
    reply["error"]["code"]
        .as_i64()
        .unwrap_or_else(|| panic!("no error: {reply}"))
}

#[test]
fn initialize_agrees_on_what_was_asked_for_or_the_newest_legacy_version() {
    let home = Home::new();
    for (asked, agreed) in [
        (json!("2024-11-05"), "2024-11-05"),
        (json!("2025-03-26"), "2025-03-26"),
        (json!("2025-06-18"), "2025-06-18"),
        (json!("2025-11-25"), "2025-11-25"),
        (json!("2026-07-28"), "2025-11-25"),
        (json!("1999-01-01"), "2025-11-25"),
        (json!(7), "2025-11-25"),
        (Value::Null, "2025-11-25"),
    ] {
        let mut client = silent(&home);
        client.send(&json!({"jsonrpc": "2.0", "id": 1, "method": "initialize",
            "params": {"protocolVersion": asked, "capabilities": {},
                "clientInfo": {"name": "t", "version": "1"}}}));
        let result = &client.receive()["result"];
        assert_eq!(result["protocolVersion"], agreed);
        assert_eq!(result["serverInfo"]["name"], "sage");
        let instructions = result["instructions"].as_str().unwrap();
        assert!((200..1_500).contains(&instructions.chars().count()));
        assert!(instructions.contains("get_context") && instructions.contains("remember"));
        let capabilities = result["capabilities"].as_object().unwrap();
        let names: Vec<_> = capabilities.keys().map(String::as_str).collect();
        assert_eq!(names, ["completions", "prompts", "resources", "tools"]);
        for (name, value) in capabilities {
            assert_eq!(value, &json!({}), "{name} promises something");
        }
    }
}

#[test]
fn both_eras_live_in_one_process_in_any_order() {
    let home = Home::new();
    let mut client = connect(&home, Era::Modern);
    let discovered = client.request("server/discover", json!({}));
    let versions = discovered["result"]["supportedVersions"]
        .as_array()
        .unwrap();
    assert_eq!(versions.first(), Some(&json!("2026-07-28")));
    client.era = NEWEST_LEGACY;
    let agreed = client.request(
        "initialize",
        json!({"protocolVersion": "2025-11-25",
        "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}),
    );
    assert_eq!(agreed["result"]["protocolVersion"], "2025-11-25");
    assert_eq!(client.request("ping", json!({}))["result"], json!({}));
    client.era = Era::Modern;
    let tools = client.request("tools/list", json!({}));
    assert_eq!(tools["result"]["resultType"], "complete");
    client.era = NEWEST_LEGACY;
    let tools = client.request("tools/list", json!({}));
    assert_eq!(tools["result"].get("resultType"), None);
}

#[test]
fn a_legacy_client_need_not_wait_for_the_handshake() {
    let home = Home::new();
    let mut client = silent(&home);
    client.send_line(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
    assert!(client.receive()["result"]["tools"].is_array());
}

#[test]
fn a_modern_request_says_version_and_capabilities() {
    let home = Home::new();
    let mut client = silent(&home);
    let mut ask = |meta: Value| {
        client.send(
            &json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta}}),
        );
        client.receive()
    };
    let reply = ask(json!({VERSION_KEY: "2026-07-28"}));
    assert_eq!(reply["error"]["code"], -32602);
    let reply = ask(json!({VERSION_KEY: "2026-07-28", CAPABILITIES_KEY: 1}));
    assert_eq!(reply["error"]["code"], -32602);
    let reply = ask(json!({VERSION_KEY: "2099-01-01"}));
    assert_eq!(reply["error"]["code"], -32022);
    let data = &reply["error"]["data"];
    assert_eq!(data["requested"], "2099-01-01");
    assert!(
        data["supported"]
            .as_array()
            .unwrap()
            .contains(&json!("2026-07-28"))
    );
    // clientInfo is optional.
    let reply = ask(json!({VERSION_KEY: "2026-07-28", CAPABILITIES_KEY: {}}));
    assert!(reply["result"]["tools"].is_array());
}

#[test]
fn what_an_era_does_not_know_is_an_unknown_method() {
    let home = Home::new();
    let mut modern = connect(&home, Era::Modern);
    for method in [
        "initialize",
        "ping",
        "logging/setLevel",
        "resources/subscribe",
        "resources/unsubscribe",
        "subscriptions/listen",
        "tasks/list",
        "no/such/method",
        "",
    ] {
        assert_eq!(
            error_code(&mut modern, method, json!({})),
            -32601,
            "{method}"
        );
    }
    let mut legacy = connect(&home, NEWEST_LEGACY);
    for method in [
        "server/discover",
        "logging/setLevel",
        "resources/subscribe",
        "tasks/list",
        "no/such/method",
        "TOOLS/LIST",
        "rpc.discover",
    ] {
        assert_eq!(
            error_code(&mut legacy, method, json!({})),
            -32601,
            "{method}"
        );
    }
}

#[test]
fn modern_lists_and_reads_say_how_long_they_hold() {
    let home = Home::new();
    let mut client = connect(&home, Era::Modern);
    for (method, params, ttl, scope) in [
        ("server/discover", json!({}), 3_600_000, "public"),
        ("tools/list", json!({}), 3_600_000, "public"),
        ("prompts/list", json!({}), 3_600_000, "public"),
        ("resources/templates/list", json!({}), 3_600_000, "public"),
        ("resources/list", json!({}), 0, "private"),
        (
            "resources/read",
            json!({"uri": "sage://status"}),
            0,
            "private",
        ),
    ] {
        let result = &client.request(method, params)["result"];
        assert_eq!(result["ttlMs"], ttl, "{method}: {result}");
        assert_eq!(result["cacheScope"], scope, "{method}");
    }
    let result = &client.request("tools/call", json!({"name": "get_status"}))["result"];
    assert_eq!(result.get("ttlMs"), None);
}

#[test]
fn what_wants_no_answer_gets_none() {
    for era in ERAS {
        let home = Home::new();
        let mut client = connect(&home, era);
        for line in [
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/no/such"}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":99}}"#,
            r#"{"jsonrpc":"2.0","method":"tools/list"}"#,
        ] {
            client.send_line(line);
        }
        client.request("tools/list", json!({}));
        let (status, rest) = client.end();
        assert!(status.success());
        assert_eq!(rest, Vec::<String>::new());
    }
}

#[test]
fn unknown_names_and_cursors_are_wrong_parameters() {
    for era in ERAS {
        let home = Home::new();
        let mut client = connect(&home, era);
        for (method, params) in [
            ("tools/call", json!({"name": "no_such_tool"})),
            ("tools/call", json!({"name": 1})),
            ("tools/call", json!({})),
            ("prompts/get", json!({"name": "no_such_prompt"})),
            ("prompts/get", json!({"name": "recall"})),
            (
                "prompts/get",
                json!({"name": "recall", "arguments": {"query": 1}}),
            ),
            ("prompts/get", json!({"name": "recall", "arguments": []})),
            (
                "prompts/get",
                json!({"name": "handoff", "arguments": {"session": "none"}}),
            ),
            ("resources/read", json!({})),
            ("resources/list", json!({"cursor": "\u{0}bad"})),
            ("resources/list", json!({"cursor": 1})),
            ("tools/list", json!({"cursor": "x"})),
            ("prompts/list", json!({"cursor": "x"})),
            ("resources/templates/list", json!({"cursor": "x"})),
            ("completion/complete", json!({})),
            (
                "completion/complete",
                json!({"ref": {"type": "ref/none"},
                "argument": {"name": "a", "value": ""}}),
            ),
        ] {
            let shown = format!("{method} {params}");
            assert_eq!(error_code(&mut client, method, params), -32602, "{shown}");
        }
    }
}

#[test]
fn a_missing_resource_names_its_address() {
    let home = Home::new();
    for (era, code) in [(NEWEST_LEGACY, -32002), (Era::Modern, -32602)] {
        let mut client = connect(&home, era);
        for uri in [
            "sage://memory/00000000-0000-7000-8000-000000000000",
            "sage://memory/nonsense",
            "sage://memory/",
            "sage://session/no-such-session",
            "sage://session/",
            "sage://session/%",
            "sage://sessions/",
            "sage://nothing",
            "file:///etc/passwd",
            "",
        ] {
            let reply = client.request("resources/read", json!({"uri": uri}));
            assert_eq!(reply["error"]["code"], code, "{uri}: {reply}");
            assert_eq!(reply["error"]["data"]["uri"], uri);
        }
    }
}

#[test]
fn the_list_of_tools_is_within_its_budget_and_complete() {
    let home = Home::new();
    let mut client = connect(&home, Era::Modern);
    let reply = client.request("tools/list", json!({}));
    let tools = reply["result"]["tools"].as_array().unwrap();
    let names: Vec<_> = tools
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "get_context",
            "search_memory",
            "get_memory",
            "remember",
            "save_conversation",
            "forget",
            "manage_session",
            "get_status"
        ]
    );
    let always: Vec<_> = tools
        .iter()
        .filter(|tool| tool["_meta"]["anthropic/alwaysLoad"] == true)
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    assert_eq!(always, ["get_context", "search_memory", "remember"]);
    for tool in tools {
        assert!(tool["title"].is_string(), "{tool}");
        assert!(tool["description"].as_str().unwrap().len() < 300, "{tool}");
        assert_eq!(tool["annotations"]["openWorldHint"], false);
        assert_eq!(tool["annotations"].as_object().unwrap().len(), 4);
        assert_eq!(tool["inputSchema"]["additionalProperties"], false);
        assert!(jsonschema::draft202012::meta::is_valid(
            &tool["inputSchema"]
        ));
        assert_eq!(tool.get("outputSchema"), None);
    }
    // One token is about three and a half bytes of JSON.
    let tokens = reply["result"].to_string().len() * 2 / 7;
    assert!(tokens <= 2_000, "{tokens} tokens");
}
