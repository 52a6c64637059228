//! What one caller does must not cost another anything.

use std::io::Read;
use std::process::Stdio;

use rusqlite::Connection as Database;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::harness::{Ask, Connection, Home, Server, eventually};

/// More than may be in progress at once.
const SLOW_SENDERS: usize = 300;

#[test]
fn bodies_that_never_come_take_no_place() {
    let home = Home::new();
    let server = Server::start(&home);
    let head = Ask::post("/mcp", &json!({}))
        .body(vec![b' '; 1_000_000])
        .bytes();
    let senders: Vec<_> = (0..SLOW_SENDERS)
        .map(|_| {
            let mut connection = server.connect();
            connection.send(&head[..200]);
            connection
        })
        .collect();
    for number in 0..10 {
        let content = format!(
            "Kept meanwhile, number {number}. {}",
            "word ".repeat(20_000)
        );
        server.tool("remember", json!({ "content": content }));
    }
    drop(senders);
}

#[test]
fn a_log_that_nobody_reads_holds_nobody_up() {
    let home = Home::new();
    let path = home.path().join("s.sock");
    let word = format!("unix:{}", path.display());
    let mut child = home
        .command(["serve", "--listen", &word])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    eventually("the server to listen", || {
        std::os::unix::net::UnixStream::connect(&path).ok()
    });
    // A pipe holds 64 KiB, and what waits for it about twice as much.
    let mut connection = Connection::unix(&path);
    for _ in 0..5_000 {
        connection.send(&Ask::get("/nowhere").bytes());
        connection.reply().is(404);
    }
    connection.send(&Ask::get("/health").bytes());
    connection.reply().is(200);
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
    let mut log = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut log)
        .unwrap();
    assert!(log.lines().count() < 5_000, "the rest was left out");
}

/// Each names one memory to forget and goes away while the server waits for the lock. How far the
/// server had come is its own affair: what is gone must be gone without a trace.
#[test]
fn a_forget_that_nobody_waits_for_leaves_no_trace() {
    const LEAVERS: usize = 8;
    let home = Home::new();
    let server = Server::start(&home);
    let paths: Vec<_> = (0..LEAVERS)
        .map(|number| {
            let content = format!("The password hint is xylophonist{number}.");
            let kept = server.post(
                "/api/memories",
                &json!({"content": content, "project": "p"}),
            );
            let id = kept.is(201).json()["memory"]["id"].clone();
            format!("/api/memories/{}?project=p", id.as_str().unwrap())
        })
        .collect();
    let lock = Database::open(home.database()).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let in_progress = |number: usize| {
        let value = server.get("/health/detailed").json();
        (value["requests_in_progress"] == number).then_some(())
    };
    let leavers: Vec<_> = paths
        .iter()
        .map(|path| {
            let mut connection = server.connect();
            connection.send(&Ask::new("DELETE", path).bytes());
            connection
        })
        .collect();
    eventually("the requests to wait for the lock", || in_progress(LEAVERS));
    // Each of these takes as long as one of the few steps before the lock.
    (0..50).for_each(|_| drop(server.get("/api/stats?scope=all").is(200)));
    drop(leavers);
    eventually("the server to notice", || in_progress(0));
    drop(lock);
    // A writer that comes after them all.
    server.tool("remember", json!({"content": "The last to write."}));
    eventually("nothing to be left but what is whole", || {
        let mut bytes = Vec::new();
        for file in std::fs::read_dir(home.data_dir()).unwrap() {
            bytes.extend(std::fs::read(file.unwrap().path()).unwrap_or_default());
        }
        let mut gone = 0;
        for (number, path) in paths.iter().enumerate() {
            if server.get(path).status == 404 {
                gone += 1;
                let word = format!("xylophonist{number}");
                let has_trace = bytes
                    .windows(word.len())
                    .any(|part| part == word.as_bytes());
                if has_trace {
                    return None;
                }
            }
        }
        (gone > 0).then_some(())
    });
}

#[test]
fn a_flood_of_sessions_costs_nobody_a_session_in_use() {
    let home = Home::new();
    let server = Server::start(&home);
    let initialize = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"}}});
    let open = || {
        let reply = server.post("/mcp", &initialize).is(200);
        reply.header("mcp-session-id").unwrap().to_owned()
    };
    let ping = json!({"jsonrpc": "2.0", "id": 2, "method": "ping"});
    let session = open();
    let ask = || server.ask(&Ask::post("/mcp", &ping).header("Mcp-Session-Id", &session));
    ask().is(200);
    (0..1_200).for_each(|_| drop(open()));
    ask().is(200);
    assert_eq!(server.get("/health/detailed").json()["mcp_sessions"], 1_000);
    let long = Ask::post("/mcp", &initialize).header("Sage-Project", &"x".repeat(1_000));
    assert!(server.ask(&long).is(400).text().contains("512 bytes"));
}
