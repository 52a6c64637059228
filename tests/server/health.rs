//! What the health routes tell, and that they always do.

use std::time::{Duration, Instant};

use rusqlite::Connection as Database;
use serde_json::json;

use super::is_secure;
use crate::harness::{Ask, Home, Server, eventually, text_of_tool};

#[test]
fn health_tells_what_it_holds_and_where() {
    let home = Home::new();
    let server = Server::start(&home);
    let reply = server.get("/health").is(200);
    is_secure(&reply);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let value = reply.json();
    assert_eq!(value["status"], "healthy");
    assert_eq!(value["database"], "connected");
    assert_eq!(value["memory_count"], 0);
    assert_eq!(value["version"], env!("CARGO_PKG_VERSION"));
    assert!(value["uptime_s"].is_u64(), "{value}");
    assert!(value["store"].is_string(), "{value}");
    assert_eq!(value["store_id"].as_str().unwrap().len(), 36, "{value}");
    assert!(
        value["time_ms"].as_i64().unwrap() > 1_700_000_000_000,
        "{value}"
    );
    assert_eq!(value.get("reason"), None);
}

#[test]
fn each_probe_answers_its_question() {
    let home = Home::new();
    let server = Server::start(&home);
    let alive = server.get("/health/liveness").is(200).json();
    assert_eq!(alive, json!({"status": "alive"}));
    assert!(!home.data_dir().exists(), "to live it needs no store");
    let ready = server.get("/health/readiness").is(200).json();
    assert_eq!(ready, json!({"status": "ready"}));
    let value = server.get("/health/detailed").is(200).json();
    assert_eq!(value["status"], "healthy");
    assert_eq!(value["process_id"], server.id());
    assert_eq!(value["connections"], 1);
    assert_eq!(value["mcp_sessions"], 0);
    assert_eq!(value["requests_in_progress"], 0);
    assert_eq!(value["recalls_running"], 0);
    assert_eq!(value["recalls_waiting"], 0);
    let resident = value["resident_bytes"].as_u64().unwrap();
    assert!((1_000_000..1_000_000_000).contains(&resident), "{value}");
}

#[test]
fn head_answers_like_get_without_the_body() {
    let home = Home::new();
    let server = Server::start(&home);
    for path in ["/", "/health", "/health/liveness", "/health/readiness"] {
        let get = server.get(path).is(200);
        let mut connection = server.connect();
        connection.send(&Ask::new("HEAD", path).bytes());
        let head = connection.head_reply().is(200);
        assert_eq!(
            head.header("content-length"),
            get.header("content-length"),
            "{path}"
        );
        assert_eq!(
            head.header("content-type"),
            get.header("content-type"),
            "{path}"
        );
        is_secure(&head);
        // A body would be read as the next answer.
        connection.send(&Ask::get("/health/liveness").bytes());
        assert_eq!(connection.reply().is(200).json()["status"], "alive");
    }
}

#[test]
fn the_count_follows_what_other_processes_write() {
    let home = Home::new();
    let server = Server::start(&home);
    for count in 0..3 {
        let value = server.get("/health").is(200).json();
        assert_eq!(value["memory_count"], count);
        let fact = format!("Fact number {count} is kept by another process.");
        home.ok(["remember", &fact]);
    }
    assert_eq!(server.get("/health").json()["memory_count"], 3);
}

#[test]
fn a_store_that_is_away_is_told_and_found_again() {
    let home = Home::new();
    home.ok(["remember", "Kept from before the trouble."]);
    let saved = home.path().join("saved.db");
    std::fs::rename(home.database(), &saved).unwrap();
    home.file(
        "data/sage.db",
        "this is no database, whatever its name says\n".repeat(300),
    );
    let server = Server::start(&home);
    let reply = server.get("/health").is(503);
    let value = reply.json();
    assert_eq!(value["status"], "unhealthy");
    assert_eq!(value["database"], "disconnected");
    assert!(value["memory_count"].is_null(), "{value}");
    let reason = value["reason"].as_str().unwrap();
    assert!(reason.contains("sage.db"), "{reason}");
    let ready = server.get("/health/readiness").is(503).json();
    assert_eq!(ready["status"], "not ready");
    assert!(ready["reason"].is_string());
    server.get("/health/detailed").is(503);
    server.ask(&Ask::new("HEAD", "/health")).is(503);
    server.get("/health/liveness").is(200);
    let failed = server.ask(&Ask::tool("remember", json!({"content": "Not kept."})));
    assert_eq!(failed.is(200).json()["result"]["isError"], true);

    std::fs::rename(&saved, home.database()).unwrap();
    let value = server.get("/health").is(200).json();
    assert_eq!(value["memory_count"], 1);
    assert_eq!(value.get("reason"), None);
    server.get("/health/readiness").is(200);
}

#[test]
fn a_store_that_was_deleted_is_made_anew() {
    let home = Home::new();
    let server = Server::start(&home);
    server.tool("remember", json!({"content": "Gone with the folder."}));
    assert_eq!(server.get("/health").json()["memory_count"], 1);
    std::fs::remove_dir_all(home.data_dir()).unwrap();
    assert_eq!(server.get("/health").is(200).json()["memory_count"], 0);
}

/// Beyond what a loaded machine needs; an idle one answers within a millisecond.
const STILL_FAST: Duration = Duration::from_secs(5);

#[test]
fn health_does_not_wait_behind_work() {
    let home = Home::new();
    let server = Server::start(&home);
    server.tool("remember", json!({"content": "The first makes the store."}));
    let lock = Database::open(home.database()).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let writers: Vec<_> = (0..40)
        .map(|number| {
            let content = format!("Writer {number} waits for its turn.");
            let mut connection = server.connect();
            connection.send(&Ask::tool("remember", json!({"content": content})).bytes());
            connection
        })
        .collect();
    eventually("the writers to wait", || {
        let value = server.get("/health/detailed").is(200).json();
        (value["requests_in_progress"] == 40).then_some(())
    });
    for _ in 0..100 {
        let begin = Instant::now();
        assert_eq!(server.get("/health").is(200).json()["memory_count"], 1);
        assert!(begin.elapsed() < STILL_FAST);
    }
    drop(lock);
    for mut writer in writers {
        text_of_tool(&writer.reply());
    }
    assert_eq!(server.get("/health").json()["memory_count"], 41);
}
