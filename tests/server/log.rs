//! What the server writes to stderr, and what it never does.

use serde_json::{Value, json};

use super::event;
use crate::harness::{Ask, Connection, Home, Server, eventually, finish_soon};

#[test]
fn every_line_is_one_object_where_json_was_wished_for() {
    let home = Home::new();
    let server = Server::with(&home, &[("SAGE_LOG", "debug")]);
    let found = server.get("/").is(200);
    let missing = server.get("/no\u{a0}thing%0Aat=all").is(404);
    let denied = server.ask(&Ask::get("/").host("evil.example")).is(403);
    let health = server.get("/health").is(200);
    let ended = server.end();
    let events: Vec<Value> = ended.lines.iter().map(|line| event(line)).collect();
    for value in &events {
        let time = value["time"].as_str().unwrap();
        assert!(time.len() == 24 && time.ends_with('Z'), "{time}");
        assert!(["warn", "info", "debug"].contains(&value["level"].as_str().unwrap()));
    }
    let names: Vec<_> = events.iter().map(|value| value["event"].clone()).collect();
    assert_eq!(
        names,
        [
            "listening",
            "request",
            "request",
            "request",
            "request",
            "stopping",
            "stopped"
        ]
    );
    let requests = events.iter().filter(|value| value["event"] == "request");
    for (reply, request) in [found, missing, denied, health].iter().zip(requests) {
        assert_eq!(reply.header("x-request-id"), request["id"].as_str());
        assert_eq!(request["status"], reply.status);
        assert_eq!(request["method"], "GET");
        assert!(request["ms"].as_f64().unwrap() >= 0.0);
    }
    assert_eq!(events[3]["denied"], "host");
    assert_eq!(events[5]["signal"], "SIGTERM");
}

#[test]
fn plain_lines_have_a_time_a_level_an_event_and_fields() {
    let home = Home::new();
    let server = Server::with(&home, &[("SAGE_LOG_FORMAT", "plain")]);
    let reply = server.get("/a b").status;
    assert_eq!(reply, 400, "a blank ends the target");
    let reply = server.get("/a%20b=c?q=secretquery").is(404);
    let id = reply.header("x-request-id").unwrap();
    let ended = server.end();
    for line in &ended.lines {
        let words: Vec<_> = line.split_whitespace().collect();
        assert!(words[0].ends_with('Z'), "{line}");
        assert!(["info", "warn"].contains(&words[1]), "{line}");
        assert!(!words[2].contains('='), "{line}");
    }
    let line = ended.lines.iter().find(|line| line.contains("status=404"));
    let line = line.unwrap();
    assert!(line.contains(&format!("id={id} ")), "{line}");
    assert!(line.contains("path=\"/a%20b=c\""), "{line}");
    assert!(!line.contains("secretquery"), "{line}");
}

#[test]
fn the_level_decides_what_is_told() {
    let home = Home::new();
    for (level, polled, asked, denied) in [
        ("debug", true, true, true),
        ("info", false, true, true),
        ("warn", false, false, true),
    ] {
        // Nobody is told where it listens below `info`, so it has to be known.
        let path = home.path().join(format!("{level}.sock"));
        let mut command = home.command(["serve"]);
        command
            .args(["--listen", &format!("unix:{}", path.display())])
            .env("SAGE_LOG", level)
            .env("SAGE_LOG_FORMAT", "json")
            .stderr(std::process::Stdio::piped());
        let child = command.spawn().unwrap();
        let pid = rustix::process::Pid::from_child(&child);
        eventually("the socket", || {
            std::os::unix::net::UnixStream::connect(&path).ok()
        });
        let mut connection = Connection::unix(&path);
        for (ask, status) in [
            (Ask::get("/health"), 200),
            (Ask::get("/"), 200),
            (Ask::get("/").host("evil.example"), 403),
        ] {
            connection.send(&ask.bytes());
            connection.reply().is(status);
        }
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let output = child.wait_with_output().unwrap();
        let log = String::from_utf8(output.stderr).unwrap();
        assert_eq!(log.contains("\"/health\""), polled, "{level}: {log}");
        assert_eq!(
            log.contains("\"status\":200"),
            polled || asked,
            "{level}: {log}"
        );
        assert_eq!(log.contains("\"denied\""), denied, "{level}: {log}");
    }
    for (variable, word) in [("SAGE_LOG", "loud"), ("SAGE_LOG_FORMAT", "xml")] {
        let mut command = home.command(["serve"]);
        let finished = finish_soon(command.env(variable, word));
        super::listening::is_refused(&finished, 2, &[variable, word]);
    }
}

#[test]
fn what_is_remembered_is_never_logged() {
    let home = Home::new();
    let server = Server::with(&home, &[("SAGE_LOG", "debug")]);
    let kept = server.tool(
        "remember",
        json!({"content": "The zanzibarquartz lever opens the pantry.", "tags": ["marzipantag"]}),
    );
    let found = server.tool("search_memory", json!({"query": "zanzibarquartz lever"}));
    assert!(found.contains("pantry"), "{found}");
    server.tool("get_context", json!({"query": "zanzibarquartz lever"}));
    server.tool("get_memory", json!({"ids": [super::id_in(&kept)]}));
    server.tool(
        "save_conversation",
        json!({"user_prompt": "Where is the quincejelly?", "assistant_response": "In the pantry."}),
    );
    // Mistakes are told to the caller, not to the log.
    let mistake = Ask::tool("search_memory", json!({"query": ["zanzibarquartz"]}));
    server.ask(&mistake);
    let broken = Ask::post("/mcp", &json!({})).body("{\"zanzibarquartz\"");
    server.ask(&broken).is(400);
    server.get("/zebra?q=zanzibarquartz").is(404);
    let ended = server.end();
    let log = ended.lines.join("\n");
    assert!(log.contains("/zebra"), "{log}");
    for word in [
        "zanzibarquartz",
        "pantry",
        "marzipan",
        "quincejelly",
        "acme/shop",
    ] {
        assert!(!log.contains(word), "{word} in {log}");
    }
    assert!(!log.contains(&super::id_in(&kept)), "{log}");
}
