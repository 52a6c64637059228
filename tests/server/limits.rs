//! How much a request may be, in bytes and in time, and what becomes of its connection.

use rusqlite::Connection as Database;
use serde_json::json;

use super::{error_of, is_secure};
use crate::harness::{Ask, Connection, Home, Reply, Server, eventually, text_of_tool};

/// The longest body of `/mcp`, as its 413 says it.
const MCP_BODY_BYTES_MAX: usize = 2 * 1024 * 1024;

/// The longest of the routes that read none.
const NO_BODY_BYTES_MAX: usize = 4 * 1024;

/// The head of a POST to `/mcp` with these further lines.
fn post_head(lines: &str) -> Vec<u8> {
    format!(
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{lines}\r\n\r\n"
    )
    .into_bytes()
}

#[track_caller]
fn is_too_large(reply: &Reply, bytes_max: usize) {
    assert_eq!(reply.status, 413, "{reply:?}");
    is_secure(reply);
    assert!(
        error_of(reply).contains(&bytes_max.to_string()),
        "{reply:?}"
    );
}

/// JSON of exactly this length.
fn padded(bytes: usize) -> Vec<u8> {
    let mut body = b"{}".to_vec();
    body.resize(bytes, b' ');
    body
}

#[test]
fn a_body_may_be_as_long_as_its_route_allows() {
    let home = Home::new();
    let server = Server::start(&home);
    let mcp = Ask::post("/mcp", &json!({}));
    let full = mcp.clone().body(padded(MCP_BODY_BYTES_MAX));
    // Read, and found to be no message.
    server.ask(&full).is(400);
    let over = mcp.body(padded(MCP_BODY_BYTES_MAX + 1));
    is_too_large(&server.ask(&over), MCP_BODY_BYTES_MAX);

    server
        .ask(&Ask::get("/").body(vec![b'x'; NO_BODY_BYTES_MAX]))
        .is(200);
    let over = Ask::get("/").body(vec![b'x'; NO_BODY_BYTES_MAX + 1]);
    is_too_large(&server.ask(&over), NO_BODY_BYTES_MAX);
    server.get("/health").is(200);
}

#[test]
fn an_announced_length_is_refused_before_the_body_comes() {
    let home = Home::new();
    let server = Server::start(&home);
    for length in ["1073741824", "18446744073709551615"] {
        let mut connection = server.connect();
        connection.send(&post_head(&format!("Content-Length: {length}")));
        let reply = connection.reply();
        // A number that fits nowhere counts as a head that is too large.
        assert!([413, 431].contains(&reply.status), "{reply:?}");
        assert_eq!(reply.header("connection"), Some("close"));
        assert!(connection.is_closed());
    }
}

/// Sends `chunk` until the server stops taking it, at most a gigabyte; returns what was taken.
fn stream(connection: &mut Connection, chunk: &[u8]) -> usize {
    const GIGABYTE: usize = 1 << 30;
    let mut sent = 0;
    while sent < GIGABYTE && connection.try_send(chunk) {
        sent += chunk.len();
    }
    sent
}

#[test]
fn a_gigabyte_is_not_taken_in() {
    let home = Home::new();
    let server = Server::start(&home);
    server.get("/health").is(200);
    let resident = || {
        let value = server.get("/health/detailed").is(200).json();
        value["resident_bytes"].as_u64().unwrap()
    };
    let before = resident();
    let zeros = vec![b'0'; 64 * 1024];
    let mut chunk = format!("{:x}\r\n", zeros.len()).into_bytes();
    chunk.extend_from_slice(&zeros);
    chunk.extend_from_slice(b"\r\n");
    for (lines, piece) in [
        ("Content-Length: 1073741824", &zeros),
        ("Transfer-Encoding: chunked", &chunk),
    ] {
        let mut connection = server.connect();
        connection.send(&post_head(lines));
        let sent = stream(&mut connection, piece);
        assert!(sent < 200 << 20, "{sent} bytes were taken");
        // Whoever sends first and reads then still learns why.
        is_too_large(&connection.reply(), MCP_BODY_BYTES_MAX);
    }
    let after = resident();
    assert!(after < before + 16 * 1024 * 1024, "{before} {after}");
}

/// A server that closes at once resets the connection, and then some clients lose the answer.
#[test]
fn whoever_is_refused_may_go_on_sending_for_a_moment() {
    let home = Home::new();
    let server = Server::start(&home);
    let piece = padded(200_000);
    let mut connection = server.connect();
    let announced = MCP_BODY_BYTES_MAX * 2;
    connection.send(&post_head(&format!("Content-Length: {announced}")));
    connection.send(&piece);
    let reply = connection.reply();
    is_too_large(&reply, MCP_BODY_BYTES_MAX);
    assert_eq!(reply.header("connection"), Some("close"));
    assert_eq!(reply.header("keep-alive"), None);
    for number in 0..10 {
        assert!(connection.try_send(&piece), "cut off at piece {number}");
    }
    assert!(connection.is_closed(), "nothing follows the refusal");
    server.get("/health").is(200);
}

#[test]
fn chunks_are_counted_as_they_come() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut connection = server.connect();
    connection.send(&post_head("Transfer-Encoding: chunked"));
    connection.send(b"2\r\n{}\r\n0\r\n\r\n");
    connection.reply().is(400);
    // A body that was read to its end leaves the connection usable.
    connection.send(&Ask::get("/health/liveness").bytes());
    connection.reply().is(200);
    let mut connection = server.connect();
    connection.send(&post_head("Transfer-Encoding: chunked"));
    let chunk = padded(MCP_BODY_BYTES_MAX / 2);
    for _ in 0..3 {
        let size = format!("{:x}\r\n", chunk.len());
        if !connection.try_send(size.as_bytes()) || !connection.try_send(&chunk) {
            break;
        }
        connection.try_send(b"\r\n");
    }
    is_too_large(&connection.reply(), MCP_BODY_BYTES_MAX);
}

#[test]
fn a_body_that_does_not_come_is_given_up() {
    let home = Home::new();
    let server = Server::start(&home);
    let slow: Vec<_> = ["Content-Length: 5", "Transfer-Encoding: chunked"]
        .map(|lines| {
            let mut connection = server.connect();
            connection.send(&post_head(lines));
            connection
        })
        .into_iter()
        .collect();
    eventually("both to be waited for", || {
        let value = server.get("/health/detailed").json();
        (value["requests_receiving"] == 2).then_some(())
    });
    for mut connection in slow {
        let reply = connection.reply().is(408);
        is_secure(&reply);
        assert!(error_of(&reply).contains("in time"));
        assert!(connection.is_closed());
    }
}

/// Two large bodies are in memory at once. Whoever waits for a place in vain did not send too
/// slowly, and is told so.
#[test]
fn a_large_body_that_finds_no_place_is_not_called_slow() {
    let home = Home::new();
    let server = Server::start(&home);
    server.tool("remember", json!({"content": "The first makes the store."}));
    let lock = Database::open(home.database()).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let large = |word: &str| {
        let content = format!("{word} is said at length. ").repeat(4_000);
        Ask::tool("remember", json!({"content": content}))
    };
    let working = ["This", "That"].map(|word| {
        let mut connection = server.connect();
        connection.send(&large(word).bytes());
        connection
    });
    eventually("the places to be taken", || {
        let value = server.get("/health/detailed").json();
        (value["requests_in_progress"] == 2).then_some(())
    });
    let reply = server.ask(&large("More")).is(503);
    assert!(error_of(&reply).contains("large bodies"), "{reply:?}");
    assert_eq!(reply.header("retry-after"), Some("1"));
    // Small ones pass.
    server.tool("get_status", json!({}));
    drop(lock);
    for mut connection in working {
        text_of_tool(&connection.reply());
    }
}

#[test]
fn only_json_is_taken() {
    let home = Home::new();
    let server = Server::start(&home);
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
    for (media_type, status) in [
        (Some("application/json"), 400),
        (Some("application/json; charset=utf-8"), 400),
        (Some("Application/JSON"), 400),
        (None, 415),
        (Some("text/plain"), 415),
        (Some("application/x-www-form-urlencoded"), 415),
        (Some("multipart/form-data; boundary=x"), 415),
        (Some("text/plain; application/json"), 415),
        (Some("application/jsonp"), 415),
        (Some(""), 415),
    ] {
        let mut ask = Ask::post("/mcp", &ping).without("Content-Type");
        if let Some(media_type) = media_type {
            ask = ask.header("Content-Type", media_type);
        }
        let reply = server.ask(&ask);
        // 400: it was read, and lacks a session.
        assert_eq!(reply.status, status, "{media_type:?}");
        if status == 415 {
            assert!(error_of(&reply).contains("application/json"));
        }
    }
}

#[test]
fn a_wrong_method_is_told_the_right_ones() {
    let home = Home::new();
    let server = Server::start(&home);
    for (method, path, allowed) in [
        ("GET", "/mcp", "POST, DELETE"),
        ("PUT", "/mcp", "POST, DELETE"),
        ("OPTIONS", "/mcp", "POST, DELETE"),
        ("POST", "/health", "GET, HEAD"),
        ("DELETE", "/", "GET, HEAD"),
        ("BREW", "/metrics", "GET, HEAD"),
        ("TRACE", "/health/detailed", "GET, HEAD"),
    ] {
        let reply = server.ask(&Ask::new(method, path)).is(405);
        assert_eq!(reply.header("allow"), Some(allowed), "{method} {path}");
        assert!(error_of(&reply).contains(allowed));
    }
    for path in [
        "/nothing",
        "/mcp/",
        "/MCP",
        "//health",
        "/health/../mcp",
        "*",
    ] {
        let reply = server.ask(&Ask::new("OPTIONS", path)).is(404);
        assert!(error_of(&reply).contains("/mcp"), "{path}");
    }
    server.get("/health?cache=no&x=%00").is(200);
}

#[test]
fn whoever_asks_first_gets_a_go_on() {
    let home = Home::new();
    let server = Server::start(&home);
    let expecting =
        |length: usize| post_head(&format!("Content-Length: {length}\r\nExpect: 100-continue"));
    let mut connection = server.connect();
    connection.send(&expecting(2));
    let go_on = connection.reply();
    assert_eq!(go_on.status, 100);
    connection.send(b"{}");
    connection.reply().is(400);
    connection.send(&Ask::get("/health/liveness").bytes());
    connection.reply().is(200);

    let mut connection = server.connect();
    connection.send(&expecting(MCP_BODY_BYTES_MAX + 1));
    is_too_large(&connection.reply(), MCP_BODY_BYTES_MAX);
    assert!(connection.is_closed());
}
