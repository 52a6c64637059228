//! By which name the server is called, and which pages may ask.

use serde_json::json;

use super::{error_of, is_secure};
use crate::harness::{Ask, Connection, Home, Reply, Server};

/// Every route there is, and some that there are not.
const PATHS: [&str; 8] = [
    "/",
    "/mcp",
    "/health",
    "/health/liveness",
    "/health/readiness",
    "/health/detailed",
    "/metrics",
    "/no/such/path",
];

fn raw(server: &Server, head: &str) -> Reply {
    let mut connection = server.connect();
    connection.send(head.as_bytes());
    connection.reply()
}

#[test]
fn the_server_answers_to_its_own_names_only() {
    let home = Home::new();
    let server = Server::start(&home);
    let port = server.port();
    let ports = ["localhost", "127.0.0.1", "[::1]"].map(|name| format!("{name}:{port}"));
    let own = [
        "localhost",
        "LocalHost",
        "127.0.0.1",
        "[::1]",
        "localhost:1",
    ];
    for host in own.into_iter().chain(ports.iter().map(String::as_str)) {
        server.ask(&Ask::get("/health").host(host)).is(200);
    }
    for host in [
        "evil.example",
        "evil.example:17800",
        "localhost.evil.example",
        "evil.localhost",
        "localhost.",
        "localhost:80:80",
        "localhost:x",
        "localhost@evil.example",
        "127.0.0.2",
        "127.1",
        "0.0.0.0",
        "[::]",
        "[::1",
        "",
    ] {
        for path in PATHS {
            let reply = server.ask(&Ask::get(path).host(host)).is(403);
            is_secure(&reply);
            assert!(error_of(&reply).contains("SAGE_ALLOWED_HOSTS"), "{host}");
        }
    }
}

#[test]
fn a_request_without_a_name_or_with_two_is_refused() {
    let home = Home::new();
    let server = Server::start(&home);
    let two = "GET /health HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n";
    for head in [
        "GET /health HTTP/1.1\r\n\r\n",
        "GET /health HTTP/1.0\r\n\r\n",
        two,
        "GET /health HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
    ] {
        let reply = raw(&server, head).is(400);
        is_secure(&reply);
        assert!(error_of(&reply).contains("one Host header"), "{head}");
    }
}

#[test]
fn a_name_in_the_request_line_counts_as_well() {
    let home = Home::new();
    let server = Server::start(&home);
    for (target, host, status) in [
        ("http://localhost/health", "localhost", 200),
        ("http://127.0.0.1:1/health", "localhost", 200),
        ("http://evil.example/health", "localhost", 403),
        ("http://localhost/health", "evil.example", 403),
        ("http://localhost@evil.example/health", "localhost", 403),
        ("http://localhost:80@evil.example/health", "localhost", 403),
    ] {
        let ask = Ask::get(target).host(host);
        assert_eq!(server.ask(&ask).status, status, "{target} {host}");
    }
    let tunnel = Ask::new("CONNECT", "evil.example:443");
    server.ask(&tunnel).is(403);
    server.ask(&Ask::new("CONNECT", "localhost:443")).is(404);
}

#[test]
fn further_names_and_origins_are_settings() {
    let home = Home::new();
    let server = Server::with(
        &home,
        &[
            ("SAGE_ALLOWED_HOSTS", "Sage.example, 10.0.0.7"),
            ("SAGE_ALLOWED_ORIGINS", "https://Notes.example/"),
        ],
    );
    for (host, status) in [
        ("sage.example", 200),
        ("SAGE.EXAMPLE:80", 200),
        ("10.0.0.7", 200),
        ("localhost", 200),
        ("a.sage.example", 403),
    ] {
        let reply = server.ask(&Ask::get("/health").host(host));
        assert_eq!(reply.status, status, "{host}");
    }
    for (origin, status) in [
        ("https://notes.example", 200),
        ("http://localhost:1", 200),
        ("http://notes.example", 403),
        ("https://notes.example:8443", 403),
        ("https://sage.example", 403),
    ] {
        let ask = Ask::get("/health").header("Origin", origin);
        assert_eq!(server.ask(&ask).status, status, "{origin}");
    }
}

#[test]
fn pages_of_other_sites_may_not_ask() {
    let home = Home::new();
    let server = Server::start(&home);
    for origin in [
        "http://localhost",
        "http://localhost:3000",
        "https://localhost",
        "http://127.0.0.1:8080",
        "http://[::1]:8080",
    ] {
        let reply = server.ask(&Ask::get("/health").header("Origin", origin));
        is_secure(&reply.is(200));
    }
    for origin in [
        "https://evil.example",
        "http://localhost.evil.example",
        "http://evil.example:17800",
        "http://localhost:80@evil.example",
        "null",
        "file://",
        "",
        "ftp://localhost",
        "localhost",
        "http://localhost/",
    ] {
        for path in PATHS {
            let reply = server.ask(&Ask::get(path).header("Origin", origin)).is(403);
            is_secure(&reply);
            assert!(
                error_of(&reply).contains("SAGE_ALLOWED_ORIGINS"),
                "{origin}"
            );
        }
    }
    let twice = Ask::get("/health")
        .header("Origin", "http://localhost")
        .header("Origin", "http://localhost");
    server.ask(&twice).is(403);
    // What a page can send without asking first must not reach a tool.
    let mut ask = Ask::tool("remember", json!({"content": "Planted by a page."}));
    ask = ask.header("Origin", "https://evil.example");
    server.ask(&ask).is(403);
    assert_eq!(server.get("/health").json()["memory_count"], 0);
}

#[test]
fn nobody_is_ever_allowed_across_origins() {
    let home = Home::new();
    let allowed = ("SAGE_ALLOWED_ORIGINS", "https://notes.example");
    let server = Server::with(&home, &[allowed]);
    for origin in ["https://notes.example", "https://evil.example"] {
        for path in PATHS {
            let preflight = Ask::new("OPTIONS", path)
                .header("Origin", origin)
                .header("Access-Control-Request-Method", "POST")
                .header("Access-Control-Request-Headers", "content-type");
            let reply = server.ask(&preflight);
            assert!([403, 404, 405].contains(&reply.status), "{reply:?}");
            is_secure(&reply);
        }
    }
}

#[test]
fn every_kind_of_answer_carries_the_security_headers() {
    let home = Home::new();
    home.file("data/sage.db", "no database at all\n".repeat(300));
    let server = Server::start(&home);
    let json = json!({});
    for (ask, status) in [
        (Ask::get("/"), 200),
        (Ask::get("/health/liveness"), 200),
        (Ask::get("/health"), 503),
        (Ask::get("/metrics"), 200),
        (Ask::get("/nothing"), 404),
        (Ask::get("/mcp"), 405),
        (Ask::new("DELETE", "/health"), 405),
        (Ask::post("/mcp", &json), 400),
        (Ask::post("/mcp", &json).without("Content-Type"), 415),
        (Ask::new("DELETE", "/mcp"), 400),
        (Ask::get("/").body(vec![b'x'; 100_000]), 413),
        (Ask::get("/").host("evil.example"), 403),
        (Ask::get("/").without("Host"), 400),
    ] {
        let reply = server.ask(&ask).is(status);
        is_secure(&reply);
    }
}

#[test]
fn the_names_hold_on_every_listener() {
    let home = Home::new();
    let path = home.path().join("s.sock");
    let word = format!("unix:{}", path.display());
    let _server = Server::at(&home, &[&word], &[]);
    for (host, status) in [("localhost", 200), ("evil.example", 403)] {
        let mut connection = Connection::unix(&path);
        connection.send(&Ask::get("/health").host(host).bytes());
        connection.reply().is(status);
    }
}
