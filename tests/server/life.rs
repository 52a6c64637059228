//! How the server ends: what was begun is finished, what was acknowledged is kept.

use std::time::{Duration, Instant};

use rusqlite::Connection as Database;
use rustix::process::Signal;
use serde_json::json;

use super::id_in;
use crate::budgets::limit;
use crate::harness::{Ask, Connection, Home, Server, eventually, text_of_tool};

/// A loaded machine only ever adds to a duration, so the shortest of some tries counts.
const TRIES: usize = 8;

/// Whoever sends the signal counts on this.
const END_MAX: Duration = Duration::from_secs(5);

fn log_bytes(home: &Home) -> u64 {
    let log = home.data_dir().join("sage.db-wal");
    std::fs::metadata(log).map_or(0, |log| log.len())
}

fn remember(number: usize) -> Ask {
    let content = format!("Kept before the end, number {number}.");
    Ask::tool("remember", json!({"content": content}))
}

#[test]
fn an_idle_server_ends_at_once() {
    for signal in [Signal::TERM, Signal::INT] {
        let shortest = (0..TRIES)
            .map(|_| {
                let home = Home::in_memory();
                let server = Server::start(&home);
                server.tool("get_status", json!({}));
                // Connections that nothing happens on hold nobody up, said something or not.
                let silent = server.connect();
                let mut kept = server.connect();
                kept.send(&Ask::get("/").bytes());
                kept.reply().is(200);
                let begin = Instant::now();
                server.signal(signal);
                let ended = server.wait();
                let took = begin.elapsed();
                assert_eq!(ended.status.code(), Some(0), "{:?}", ended.lines);
                assert!(kept.is_closed());
                drop(silent);
                took
            })
            .min()
            .unwrap();
        let budget = Duration::from_secs_f64(limit("shutdown") / 1e3);
        assert!(shortest < budget, "{shortest:?}");
    }
}

#[test]
fn nothing_acknowledged_is_lost_and_the_log_is_written_back() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut connection = server.connect();
    for number in 0..50 {
        connection.send(&remember(number).bytes());
        text_of_tool(&connection.reply());
    }
    assert!(log_bytes(&home) > 0, "without a log this shows nothing");
    let ended = server.end();
    assert!(ended.status.success());
    assert_eq!(log_bytes(&home), 0);
    assert_eq!(
        home.json(["stats", "--all", "--json"])["memories"]["note"],
        50
    );
    let last = ended.lines.last().unwrap();
    assert!(last.contains("\"stopped\""), "{last}");
}

#[test]
fn a_request_that_is_half_sent_is_still_answered() {
    let home = Home::new();
    let server = Server::start(&home);
    let bytes = remember(1).bytes();
    let (start, rest) = bytes.split_at(bytes.len() - 10);
    let mut connection = server.connect();
    connection.send(start);
    eventually("the body to be awaited", || {
        let value = server.get("/health/detailed").json();
        (value["requests_receiving"] == 1).then_some(())
    });
    server.signal(Signal::TERM);
    server.line_with("stopping");
    // Nobody new is let in.
    let address = server.address().to_owned();
    eventually("the port to be closed", || {
        std::net::TcpStream::connect(&address)
            .is_err()
            .then_some(())
    });
    connection.send(rest);
    let reply = connection.reply();
    text_of_tool(&reply);
    assert_eq!(reply.header("connection"), Some("close"));
    assert!(connection.is_closed());
    assert_eq!(server.wait().status.code(), Some(0));
    assert!(home.ok(["list", "--all"]).contains("number 1"));
}

#[track_caller]
fn in_progress(server: &Server, count: u64) {
    eventually("requests to be in progress", || {
        let value = server.get("/health/detailed").is(200).json();
        (value["requests_in_progress"] == count).then_some(())
    });
}

/// A server with writers that wait for a lock which somebody else holds.
fn held_up(home: &Home) -> (Server, Vec<Connection>, Database) {
    let server = Server::start(home);
    text_of_tool(&server.ask(&remember(0)));
    let lock = Database::open(home.database()).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let waiting: Vec<_> = (1..6)
        .map(|number| {
            let mut connection = server.connect();
            connection.send(&remember(number).bytes());
            connection
        })
        .collect();
    in_progress(&server, 5);
    (server, waiting, lock)
}

#[test]
fn work_in_progress_is_finished_and_told() {
    let home = Home::new();
    let (server, waiting, lock) = held_up(&home);
    server.signal(Signal::TERM);
    server.line_with("stopping");
    drop(lock);
    let ids: Vec<_> = waiting
        .into_iter()
        .map(|mut connection| id_in(&text_of_tool(&connection.reply())))
        .collect();
    assert_eq!(server.wait().status.code(), Some(0));
    assert_eq!(log_bytes(&home), 0);
    for id in ids {
        assert!(home.ok(["show", &id]).contains("Kept before the end"));
    }
}

#[test]
fn work_that_does_not_end_is_cut_off_in_time() {
    let home = Home::new();
    let (server, mut waiting, _lock) = held_up(&home);
    let begin = Instant::now();
    server.signal(Signal::TERM);
    let ended = server.wait();
    let took = begin.elapsed();
    assert_eq!(ended.status.code(), Some(0));
    assert!(took < END_MAX, "{took:?}");
    assert!(
        ended.lines.iter().any(|line| line.contains("cut off")),
        "{:?}",
        ended.lines
    );
    assert!(waiting[0].try_head_reply().is_none());
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for second in [Signal::TERM, Signal::INT] {
        let home = Home::new();
        let (server, _waiting, _lock) = held_up(&home);
        server.signal(Signal::TERM);
        server.line_with("stopping");
        let begin = Instant::now();
        server.signal(second);
        let ended = server.wait();
        assert_eq!(ended.status.code(), Some(130), "{:?}", ended.lines);
        assert!(begin.elapsed() < Duration::from_secs(3));
    }
}

#[test]
fn an_answer_is_sent_whole_however_slowly_it_is_read() {
    let home = Home::in_memory();
    let path = home.path().join("s.sock");
    let word = format!("unix:{}", path.display());
    let server = Server::at(&home, &[&word], &[]);
    let mut connection = Connection::unix(&path);
    // As long as a memory may be, and longer than what fits into the socket.
    let ids: Vec<_> = (0..8)
        .map(|number| {
            let content = format!("{number} long ").repeat(30_000);
            let ask = Ask::tool("remember", json!({"content": content}));
            connection.send(&ask.bytes());
            id_in(&text_of_tool(&connection.reply()))
        })
        .collect();
    connection.send(&Ask::tool("get_memory", json!({"ids": ids})).bytes());
    eventually("the answer to be made", || {
        let lines = server.lines();
        let answered = lines.iter().filter(|line| line.contains("\"/mcp\""));
        (answered.count() == 9).then_some(())
    });
    server.signal(Signal::TERM);
    server.line_with("stopping");
    let text = text_of_tool(&connection.reply());
    assert!(text.len() > 8 * 200_000, "{}", text.len());
    assert_eq!(server.wait().status.code(), Some(0));
}

/// A client that began to say something more, and never ends, holds up the exit for a moment only.
#[test]
fn half_a_head_holds_nobody_up() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut connection = server.connect();
    connection.send(&Ask::get("/").bytes());
    connection.reply().is(200);
    connection.send(b"GET / HTTP/1.1\r\nHost: loc");
    server.get("/health").is(200);
    let begin = Instant::now();
    let ended = server.end();
    let took = begin.elapsed();
    assert_eq!(ended.status.code(), Some(0));
    assert!(took < Duration::from_secs(3), "{took:?}");
    let log = ended.lines.join("\n");
    assert!(!log.contains("cut off"), "{log}");
}

#[test]
fn a_crash_loses_nothing_that_was_acknowledged() {
    let home = Home::new();
    let server = Server::start(&home);
    for number in 0..10 {
        text_of_tool(&server.ask(&remember(number)));
    }
    server.signal(Signal::KILL);
    assert_eq!(server.wait().status.code(), None);
    assert_eq!(
        home.json(["stats", "--all", "--json"])["memories"]["note"],
        10
    );
}
