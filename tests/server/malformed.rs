//! Requests that are none, or pretend to be two.

use serde_json::json;

use super::is_secure;
use crate::harness::{Ask, Home, Server};

const HOST: &str = "Host: localhost\r\n";

/// Sends these bytes on a connection of their own; the status of the answer, or `None` when the
/// server closed without one. Whatever comes, the server closes, and goes on serving others.
#[track_caller]
fn status_of(server: &Server, bytes: &[u8]) -> Option<u16> {
    let mut connection = server.connect();
    connection.send(bytes);
    let reply = connection.try_head_reply();
    if let Some(reply) = &reply {
        assert_eq!(reply.header("connection"), Some("close"), "{reply:?}");
    }
    server.get("/health").is(200);
    reply.map(|reply| reply.status)
}

fn post(lines: &str, body: &str) -> Vec<u8> {
    let kind = "Content-Type: application/json\r\n";
    format!("POST /mcp HTTP/1.1\r\n{HOST}{kind}{lines}\r\n{body}").into_bytes()
}

#[test]
fn a_head_has_limits() {
    let home = Home::new();
    let server = Server::start(&home);
    let with = |headers: &str| format!("GET /health HTTP/1.1\r\n{HOST}{headers}\r\n").into_bytes();
    let many =
        |count: usize| -> String { (0..count).map(|n| format!("X-{n}: value\r\n")).collect() };
    let mut connection = server.connect();
    connection.send(&with(&many(60)));
    connection.reply().is(200);
    assert_eq!(status_of(&server, &with(&many(65))), Some(431));
    assert_eq!(status_of(&server, &with(&many(1_000))), Some(431));
    let long = format!("X-Long: {}\r\n", "x".repeat(40_000));
    assert_eq!(status_of(&server, &with(&long)), Some(431));
    let endless = format!("GET /health HTTP/1.1\r\nX-Endless: {}", "x".repeat(40_000));
    assert_eq!(status_of(&server, endless.as_bytes()), Some(431));
    let target = "y".repeat(20_000);
    server.get(&format!("/{target}")).is(404);
    let line = server.line_with("yyyy");
    assert!(line.len() < 1_000, "a long path is shortened in the log");
    let target = "y".repeat(40_000);
    let long = format!("GET /{target} HTTP/1.1\r\n{HOST}\r\n");
    let status = status_of(&server, long.as_bytes());
    assert!([Some(414), Some(431)].contains(&status), "{status:?}");
}

#[test]
fn what_is_no_http_is_refused() {
    let home = Home::new();
    let server = Server::start(&home);
    for bytes in [
        &b"\r\n\r\n\r\nhello\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"GET /health\r\n\r\n",
        b"GET /health HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /\0 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: local\0host\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost : localhost\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: a\r\n folded\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nX\x7f: a\r\n\r\n",
        b"GET /health HTTP/1.1\rHost: localhost\r\r",
        b"\xff\xfe\xfd\xfc / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ] {
        let status = status_of(&server, bytes);
        assert!([None, Some(400)].contains(&status), "{status:?} {bytes:?}");
    }
}

#[test]
fn a_request_is_never_two() {
    let home = Home::new();
    let server = Server::start(&home);
    let hidden = "GET /hidden HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for lines in [
        "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        "Content-Length: 4\r\nContent-Length: 5\r\n",
        "Content-Length: 4, 5\r\n",
        "Content-Length: +4\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 0x4\r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
    ] {
        let body = format!("0\r\n\r\n{hidden}");
        assert_eq!(
            status_of(&server, &post(lines, &body)),
            Some(400),
            "{lines}"
        );
    }
    let log = server.lines().join("\n");
    assert!(!log.contains("/hidden"), "a second request was seen: {log}");
}

#[test]
fn chunks_that_are_none_are_refused() {
    let home = Home::new();
    let server = Server::start(&home);
    let chunked = "Transfer-Encoding: chunked\r\n";
    for body in [
        "zz\r\n{}\r\n0\r\n\r\n",
        "-2\r\n{}\r\n0\r\n\r\n",
        "2\r\n{}x\r\n0\r\n\r\n",
        "ffffffffffffffffff\r\n{}\r\n",
        "2\n{}\n0\n\n",
        &format!("2;{}\r\n{{}}\r\n0\r\n\r\n", "x".repeat(100_000)),
    ] {
        let status = status_of(&server, &post(chunked, body));
        let start: String = body.chars().take(30).collect();
        assert!([None, Some(400)].contains(&status), "{status:?} {start:?}");
    }
}

#[test]
fn a_request_that_breaks_off_leaves_nothing_behind() {
    let home = Home::new();
    let server = Server::start(&home);
    let content = "This was never sent whole.";
    let whole = Ask::tool("remember", json!({"content": content})).bytes();
    for end in (0..whole.len()).step_by(7) {
        let mut connection = server.connect();
        connection.send(&whole[..end]);
        if end % 2 == 0 {
            connection.close_write();
            let reply = connection.try_head_reply();
            assert!(reply.is_none_or(|reply| reply.status >= 400));
        }
    }
    crate::harness::eventually("all of them to be gone", || {
        let value = server.get("/health/detailed").is(200).json();
        let is_over = value["requests_in_progress"] == 0 && value["connections"] == 1;
        is_over.then(|| assert_eq!(value["memory_count"], 0))
    });
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut connection = server.connect();
    let mut bytes = Vec::new();
    for number in 0..50 {
        let content = format!("Pipelined fact number {number}.");
        bytes.extend(Ask::tool("remember", json!({"content": content})).bytes());
        bytes.extend(Ask::get("/health").bytes());
        bytes.extend(Ask::get("/health/liveness").bytes());
    }
    connection.send(&bytes);
    for number in 0..50 {
        crate::harness::text_of_tool(&connection.reply());
        let health = connection.reply().is(200);
        is_secure(&health);
        assert_eq!(health.json()["memory_count"], number + 1);
        assert_eq!(connection.reply().json()["status"], "alive");
    }
}

#[test]
fn the_older_http_is_spoken_too() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut connection = server.connect();
    connection.send(b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n");
    connection.reply().is(200);
    assert!(connection.is_closed());
    let mut connection = server.connect();
    let kept = b"GET /health HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n";
    connection.send(kept);
    connection.reply().is(200);
    connection.send(kept);
    connection.reply().is(200);
    let mut connection = server.connect();
    connection.send(&Ask::get("/health").header("Connection", "close").bytes());
    connection.reply().is(200);
    assert!(connection.is_closed());
}

#[test]
fn bodies_may_hold_anything() {
    let home = Home::new();
    let server = Server::start(&home);
    let deep = |open: &str| open.repeat(300_000);
    for body in [
        b"\xff\xfe{}".to_vec(),
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xc3\x28\"}".to_vec(),
        vec![0; 10_000],
        b"".to_vec(),
        b"null".to_vec(),
        b"[]".to_vec(),
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"".to_vec(),
        deep("[").into_bytes(),
        deep("{\"a\":").into_bytes(),
        format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{}",
            deep("[{\"a\":")
        )
        .into_bytes()
        .into_iter()
        .take(2_000_000)
        .collect(),
    ] {
        let start: Vec<u8> = body.iter().copied().take(20).collect();
        let reply = server.ask(&Ask::post("/mcp", &json!({})).body(body));
        assert_eq!(reply.status, 400, "{start:?}");
        is_secure(&reply);
        server.get("/health").is(200);
    }
    let content = "Before\u{0}after, and \u{202e}more.";
    server.tool("remember", json!({"content": content}));
}
