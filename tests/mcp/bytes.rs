//! Literal bytes on stdin: whatever comes, one answer that says what was wrong, and life goes on.

use serde_json::{Value, json};

use super::{connect, silent};
use crate::harness::{Client, Era, Home, finish_with_input};

const PING: &[u8] = b"{\"jsonrpc\":\"2.0\",\"id\":\"after\",\"method\":\"ping\"}\n";

/// Sends the bytes, expects an error without id and code, and that the next request works.
#[track_caller]
fn check(bytes: &[u8], code: i64) {
    check_with_id(bytes, code, Value::Null);
}

#[track_caller]
fn check_with_id(bytes: &[u8], code: i64, id: Value) {
    let home = Home::new();
    let mut client = silent(&home);
    client.send_bytes(bytes);
    let reply = client.receive();
    assert_eq!(reply["error"]["code"], code, "{reply}");
    assert_eq!(reply["id"], id, "{reply}");
    let message = reply["error"]["message"].as_str().unwrap();
    assert!(!message.is_empty() && message.len() < 300, "{message}");
    still_works(&mut client);
    let (status, rest) = client.end();
    assert!(status.success());
    assert_eq!(rest, Vec::<String>::new());
}

#[track_caller]
fn still_works(client: &mut Client) {
    client.send_bytes(PING);
    let reply = client.receive();
    assert_eq!(
        reply,
        json!({"jsonrpc": "2.0", "id": "after", "result": {}})
    );
}

#[test]
fn half_a_line() {
    check(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"meth\n", -32700);
}

#[test]
fn half_a_line_at_the_end() {
    let home = Home::new();
    let finished = finish_with_input(
        &mut home.command(["mcp"]),
        b"{\"jsonrpc\":\"2.0\",\"id\":1,",
    );
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let reply: Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(reply["error"]["code"], -32700);
}

#[test]
fn a_whole_line_without_an_end_is_answered() {
    let home = Home::new();
    let input = PING.strip_suffix(b"\n").unwrap();
    let finished = finish_with_input(&mut home.command(["mcp"]), input);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    assert_eq!(
        finished.stdout,
        "{\"id\":\"after\",\"jsonrpc\":\"2.0\",\"result\":{}}\n"
    );
}

#[test]
fn invalid_utf_8() {
    let line = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"pi\xff\xfeng\"}\n";
    check(line, -32700);
    check(b"\xff\xfe\n", -32700);
}

#[test]
fn nul_bytes() {
    check(
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\0\"method\":\"ping\"}\n",
        -32700,
    );
    check(b"\0\0\0\0\n", -32700);
    check(
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"pi\0ng\"}\n",
        -32700,
    );
}

#[test]
fn an_escaped_nul_in_a_text_does_no_harm() {
    let home = Home::new();
    let mut client = silent(&home);
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": "remember", "arguments": {"content": "before\u{0}after"}}});
    client.send(&call);
    assert_eq!(client.receive()["id"], 1);
    still_works(&mut client);
}

#[test]
fn deep_nesting() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let mut line = open.repeat(100_000);
        line.push('1');
        line.push_str(&close.repeat(100_000));
        line.push('\n');
        check(line.as_bytes(), -32700);
    }
    let mut line = br#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"#.to_vec();
    line.extend(b"[".repeat(100_000));
    line.push(b'\n');
    check(&line, -32700);
}

#[test]
fn a_line_of_100_mb() {
    let home = Home::new();
    let mut client = silent(&home);
    let piece = vec![b'x'; 1_000_000];
    client.send_bytes(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"");
    for _ in 0..100 {
        client.send_bytes(&piece);
    }
    client.send_bytes(b"\"}\n");
    let reply = client.receive();
    assert_eq!(reply["error"]["code"], -32600, "{reply}");
    assert_eq!(reply.get("id"), Some(&Value::Null), "{reply}");
    let peak_kb = peak_memory_kb(client.id());
    assert!(peak_kb.is_none_or(|kb| kb < 64 * 1024), "{peak_kb:?} kB");
    still_works(&mut client);
}

/// The most memory a process ever held, where the system tells.
fn peak_memory_kb(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[test]
fn the_longest_line_that_is_read() {
    let home = Home::new();
    let mut client = silent(&home);
    let limit = 8 * 1024 * 1024;
    let head = br#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":""#;
    for (length, fits) in [(limit, true), (limit + 1, false)] {
        let mut line = head.to_vec();
        line.resize(length - 3, b'x');
        line.extend(b"\"}}\n");
        client.send_bytes(&line);
        assert_eq!(client.receive().get("result").is_some(), fits, "{length}");
    }
}

#[test]
fn carriage_returns_and_empty_lines_are_no_messages() {
    let home = Home::new();
    let mut client = silent(&home);
    client.send_bytes(b"\n\r\n  \t\n");
    client.send_bytes(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\r\n");
    assert_eq!(client.receive()["id"], 1);
    still_works(&mut client);
}

#[test]
fn shapes_that_are_no_request() {
    for line in [
        "1",
        "null",
        "\"ping\"",
        "true",
        "[]",
        "{}",
        "{\"jsonrpc\":\"2.0\"}",
    ] {
        check(format!("{line}\n").as_bytes(), -32600);
    }
    for rest in [
        r#""method":"ping""#,
        r#""jsonrpc":"1.0","method":"ping""#,
        r#""jsonrpc":"2.0","method":1"#,
        r#""jsonrpc":"2.0""#,
        r#""jsonrpc":"2.0","method":"ping","params":"x""#,
    ] {
        let line = format!("{{\"id\":7,{rest}}}\n");
        check_with_id(line.as_bytes(), -32600, json!(7));
    }
    for id in ["null", "1.5", "[]", "{}", "true"] {
        let line = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"ping\"}}\n");
        check(line.as_bytes(), -32600);
    }
    let line = "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"ping\",\"params\":[1]}\n";
    check_with_id(line.as_bytes(), -32602, json!(7));
}

#[test]
fn a_batch_belongs_to_2025_03_26() {
    let batch = r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#;
    for era in [
        Era::Legacy("2024-11-05"),
        Era::Legacy("2025-06-18"),
        Era::Legacy("2025-11-25"),
        Era::Modern,
    ] {
        let home = Home::new();
        let mut client = connect(&home, era);
        client.send_line(batch);
        let reply = client.receive();
        assert_eq!(reply["error"]["code"], -32600, "{era:?}: {reply}");
    }
    let home = Home::new();
    let mut client = connect(&home, Era::Legacy("2025-03-26"));
    client.send_line(batch);
    let reply = client.receive();
    assert_eq!(reply, json!([{"jsonrpc": "2.0", "id": 1, "result": {}}]));
}

#[test]
fn an_unread_id_is_null_or_absent_as_the_schema_wants() {
    for (version, has_null) in [
        ("2024-11-05", true),
        ("2025-03-26", true),
        ("2025-06-18", true),
        ("2025-11-25", false),
    ] {
        let home = Home::new();
        let mut client = connect(&home, Era::Legacy(version));
        client.send_line("{");
        let reply = client.receive();
        assert_eq!(reply.get("id").is_some(), has_null, "{version}: {reply}");
    }
    let home = Home::new();
    let mut client = connect(&home, Era::Modern);
    client.request("tools/list", json!({}));
    client.send_line("{");
    assert_eq!(client.receive().get("id"), None);
}
