//! The life of the process: order, cancellation, the end of input, a store that is not there.

use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::{Value, json};

use super::{ERAS, NEWEST_LEGACY, connect, silent};
use crate::harness::{Client, Era, Home, finish_with_input};

/// How soon after the end of its input the process is gone.
const END_BUDGET: Duration = Duration::from_millis(100);

/// A loaded machine only ever adds to a duration, so the shortest of some tries counts.
const TRIES: usize = 8;

fn call(id: u64, name: &str, arguments: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call",
        "params": {"name": name, "arguments": arguments}})
}

fn remember(id: u64) -> Value {
    let content = format!("Remembered by request number {id}.");
    call(id, "remember", json!({"content": content}))
}

/// Makes the store, then keeps everybody from writing to it until the connection is dropped.
fn locked(home: &Home) -> Connection {
    let mut client = connect(home, Era::Modern);
    client.tool(
        "remember",
        json!({"content": "The first memory makes the store."}),
    );
    client.end();
    let lock = Connection::open(home.database()).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    lock
}

#[test]
fn a_piped_conversation_is_answered_in_order() {
    let home = Home::new();
    let mut input = String::new();
    for id in 0..300 {
        input.push_str(&format!("{}\n", remember(id)));
    }
    input.push_str(&format!(
        "{}\n",
        call(
            300,
            "search_memory",
            json!({"query": "request number 299", "limit": 3})
        )
    ));
    let mut client = connect(&home, Era::Modern);
    client.send_bytes(input.as_bytes());
    for id in 0..=300 {
        let reply = client.receive();
        assert_eq!(reply["id"], id);
        assert_eq!(reply["result"].get("isError"), None, "{reply}");
        if id == 300 {
            let text = reply["result"]["content"][0]["text"].as_str().unwrap();
            assert!(text.contains("number 299"), "{text}");
        }
    }
}

#[test]
fn a_short_script_gets_all_its_answers_after_the_end_of_input() {
    let home = Home::new();
    let lines = [
        json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-06-18", "capabilities": {},
            "clientInfo": {"name": "t", "version": "1"}}}),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}),
        json!({"jsonrpc": "2.0", "id": 3, "method": "ping"}),
    ];
    let input: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let finished = finish_with_input(&mut home.command(["mcp"]), input.as_bytes());
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let ids: Vec<_> = finished
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].clone())
        .collect();
    assert_eq!(ids, [json!(1), json!(2), json!(3)]);
    assert_eq!(finished.stderr, "");
}

#[test]
fn what_needs_no_store_does_not_wait_for_it() {
    let home = Home::new();
    let lock = locked(&home);
    let mut client = connect(&home, NEWEST_LEGACY);
    client.send(&remember(100));
    client.send(&remember(101));
    for method in [
        "ping",
        "tools/list",
        "prompts/list",
        "resources/templates/list",
    ] {
        let reply = client.request(method, json!({}));
        assert!(reply.get("result").is_some(), "{method}: {reply}");
    }
    client.era = Era::Modern;
    let reply = client.request("server/discover", json!({}));
    assert!(reply.get("result").is_some(), "{reply}");
    drop(lock);
    assert_eq!(client.receive()["id"], 100);
    assert_eq!(client.receive()["id"], 101);
}

#[test]
fn a_cancelled_request_is_never_answered() {
    for era in ERAS {
        let home = Home::new();
        let lock = locked(&home);
        let mut client = connect(&home, era);
        for id in 100..104 {
            client.send(&remember(id));
        }
        // The first is in flight, the third is queued; the fourth is known by another name.
        for id in [json!(100), json!(102), json!("103")] {
            client.send(
                &json!({"jsonrpc": "2.0", "method": "notifications/cancelled",
                "params": {"requestId": id, "reason": "changed my mind"}}),
            );
        }
        // Answered at once, so the cancellations before it have been read.
        client.request("tools/list", json!({}));
        drop(lock);
        assert_eq!(client.receive()["id"], 101);
        assert_eq!(client.receive()["id"], 103);
        let reply = client.request("tools/call", json!({"name": "get_status"}));
        assert!(reply["result"]["content"][0]["text"].is_string(), "{reply}");
        let (_, rest) = client.end();
        assert_eq!(rest, Vec::<String>::new());
    }
}

#[test]
fn a_batch_is_answered_as_one_without_what_was_cancelled() {
    let home = Home::new();
    let lock = locked(&home);
    let mut client = connect(&home, Era::Legacy("2025-03-26"));
    let initialize = json!({"jsonrpc": "2.0", "id": 53, "method": "initialize", "params": {}});
    let batch = json!([remember(50), remember(51), {"jsonrpc": "2.0", "method": "x/y"},
        {"jsonrpc": "2.0", "id": 52, "method": "ping"}, 7, initialize]);
    client.send(&batch);
    client.send(
        &json!({"jsonrpc": "2.0", "method": "notifications/cancelled",
        "params": {"requestId": 50}}),
    );
    client.request("ping", json!({}));
    drop(lock);
    let reply = client.receive();
    let answers = reply.as_array().unwrap();
    let ids: Vec<_> = answers.iter().map(|answer| answer["id"].clone()).collect();
    assert_eq!(
        ids,
        [json!(51), json!(52), Value::Null, json!(53)],
        "{reply}"
    );
    assert_eq!(answers[2]["error"]["code"], -32600);
    assert_eq!(answers[3]["error"]["code"], -32600);
    // A batch of nothing but notifications has no answer at all.
    client.send(&json!([{"jsonrpc": "2.0", "method": "x/y"}]));
    client.request("ping", json!({}));
}

/// The shortest time from the end of input to the end of the process.
fn shortest_end(mut start: impl FnMut() -> Client) -> Duration {
    (0..TRIES)
        .map(|_| {
            let client = start();
            let begin = Instant::now();
            let (status, _) = client.end();
            let took = begin.elapsed();
            assert!(status.success(), "{status}");
            took
        })
        .min()
        .unwrap()
}

#[test]
fn the_process_is_gone_soon_after_the_end_of_its_input() {
    let home = Home::new();
    let took = shortest_end(|| {
        let mut client = connect(&home, NEWEST_LEGACY);
        client.tool("get_status", json!({}));
        client
    });
    println!("idle: {took:?}");
    assert!(took < END_BUDGET, "{took:?}");
}

#[test]
fn the_process_is_gone_soon_with_requests_in_flight() {
    let home = Home::new();
    let _lock = locked(&home);
    let took = shortest_end(|| {
        let mut client = connect(&home, NEWEST_LEGACY);
        client.send(&remember(100));
        client.send(&remember(101));
        client.request("ping", json!({}));
        client
    });
    println!("in flight: {took:?}");
    assert!(took < END_BUDGET, "{took:?}");
}

#[test]
fn a_client_that_stops_reading_ends_it_quietly() {
    let home = Home::new();
    let mut command = home.command(["mcp"]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().unwrap();
    let ping = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n";
    // The pipe stays open: only the broken stdout can end it.
    let _ = stdin.write_all(ping);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{:?}", output.status);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    drop(stdin);
}

#[test]
fn a_broken_database_is_told_by_the_tools_and_ends_nothing() {
    for era in ERAS {
        let home = Home::new();
        home.file(
            "data/sage.db",
            "this is no database, whatever its name says\n".repeat(300),
        );
        let mut client = connect(&home, era);
        for (name, arguments) in [
            ("get_context", json!({"query": "x"})),
            ("search_memory", json!({"query": "x"})),
            ("remember", json!({"content": "x is y"})),
            (
                "save_conversation",
                json!({"user_prompt": "What is x?", "assistant_response": "It is y."}),
            ),
            ("manage_session", json!({"action": "list"})),
        ] {
            let text = client.tool_error(name, arguments);
            assert!(
                text.contains("sage.db"),
                "{name} does not say what is broken: {text}"
            );
        }
        let text = client.tool("get_status", json!({}));
        assert!(text.contains("PROBLEM"), "{text}");
        let listed = client.request("resources/list", json!({}));
        assert_eq!(listed["result"]["resources"].as_array().unwrap().len(), 2);
        let status = client.request("resources/read", json!({"uri": "sage://status"}));
        assert!(status.to_string().contains("PROBLEM"), "{status}");
        for (method, params) in [
            ("resources/read", json!({"uri": "sage://sessions"})),
            (
                "prompts/get",
                json!({"name": "recall", "arguments": {"query": "x"}}),
            ),
        ] {
            let reply = client.request(method, params);
            assert_eq!(reply["error"]["code"], -32603, "{method}: {reply}");
        }
        client.request("tools/list", json!({}));
    }
}

#[test]
fn nobody_touches_the_database_before_a_tool_does() {
    let home = Home::new();
    let mut client = connect(&home, NEWEST_LEGACY);
    client.request("tools/list", json!({}));
    client.request("prompts/list", json!({}));
    client.era = Era::Modern;
    client.request("server/discover", json!({}));
    assert!(!home.data_dir().exists());
    let mut other = silent(&home);
    other.tool(
        "remember",
        json!({"content": "Now there is something to keep."}),
    );
    assert!(home.database().exists());
}

/// Claude Code ends its servers with SIGINT: they must leave as they do at the end of input, with
/// the store closed and nothing left in its log.
#[test]
fn a_signal_ends_it_like_the_end_of_input() {
    for signal in ["-INT", "-TERM"] {
        let home = Home::new();
        let mut client = connect(&home, Era::Modern);
        client.tool("remember", json!({"content": "Kept before the signal."}));
        let process = client.id().to_string();
        let sent = std::process::Command::new("kill")
            .args([signal, &process])
            .status()
            .unwrap();
        assert!(sent.success());
        assert!(client.wait().success(), "{signal}");
        let log = home.data_dir().join("sage.db-wal");
        let left = std::fs::metadata(log).map_or(0, |log| log.len());
        assert_eq!(left, 0, "{signal} left words in the log");
        assert!(
            home.ok(["list", "--all"])
                .contains("Kept before the signal")
        );
    }
}
