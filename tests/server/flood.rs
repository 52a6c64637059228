//! Many connections at once.

use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use serde_json::Value;

use crate::harness::{Ask, Connection, Home, Server, eventually, skipped, tell};

/// How many sit there.
const IDLE: usize = 10_000;

/// As many as the server keeps.
const KEPT: usize = 512;

/// What allocators and tables may keep of it all.
const RESIDENT_GROWTH_MAX: u64 = 12 * 1024 * 1024;

/// Health on an idle machine takes a millisecond; beyond this nobody would call it answering.
const STILL_ANSWERS: Duration = Duration::from_secs(5);

/// Whether this process may have so many descriptors, raising its limit where that is allowed.
fn may_open(count: usize) -> bool {
    let count = count as u64;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= count) {
        return true;
    }
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    limit.maximum.is_none_or(|maximum| maximum >= count)
        && setrlimit(Resource::Nofile, raised).is_ok()
}

fn details(server: &Server) -> Value {
    server.get("/health/detailed").is(200).json()
}

#[test]
fn thousands_that_only_sit_there_keep_nobody_out() {
    if !may_open(IDLE + 1_000) {
        return skipped("thousands_that_only_sit_there", "too few descriptors");
    }
    let home = Home::new();
    let server = Server::start(&home);
    let resident = |value: &Value| value["resident_bytes"].as_u64().unwrap();
    let before = resident(&details(&server));
    let mut held = Vec::with_capacity(IDLE);
    let (mut slowest, mut most) = (Duration::ZERO, 0);
    for count in 1..=IDLE {
        let mut connection = server.connect();
        if count % 3 == 0 {
            // Some have begun to say something, and never end. The server may be rid of it already.
            let _ = connection.try_send(b"GET /health HTTP/1.1\r\nHost: loc");
        }
        held.push(connection);
        if count % 100 == 0 {
            let begin = Instant::now();
            let open = details(&server)["connections"].as_u64().unwrap();
            slowest = slowest.max(begin.elapsed());
            most = most.max(open);
        }
    }
    let full = resident(&details(&server));
    assert!(slowest < STILL_ANSWERS, "{slowest:?}");
    assert!(most <= KEPT as u64 + 150, "{most} were open at once");
    assert!(held.iter_mut().take(IDLE / 2).all(Connection::is_closed));
    drop(held);
    let after = eventually("the connections to be gone", || {
        let value = details(&server);
        (value["connections"] == 1).then(|| resident(&value))
    });
    let kib = |bytes: u64| bytes / 1024;
    tell(&format!(
        "{IDLE} idle connections: at most {most} open, slowest health {slowest:?}, resident \
         {} KiB before, {} KiB with them, {} KiB after",
        kib(before),
        kib(full),
        kib(after)
    ));
    assert!(after < before + RESIDENT_GROWTH_MAX, "{before} {after}");
    assert!(server.end().status.success());
}

/// A request that is on its way when its connection is chosen to go is answered all the same.
#[test]
fn a_request_that_came_in_is_answered_though_its_connection_has_to_go() {
    const LATE: usize = 16;
    if !may_open(2_000) {
        return skipped("a_request_that_came_in_is_answered", "too few descriptors");
    }
    let home = Home::new();
    let server = Server::start(&home);
    let mut probe = server.connect();
    let mut held: Vec<_> = (1..KEPT).map(|_| server.connect()).collect();
    let ask = Ask::get("/health/detailed").bytes();
    let open = |connection: &mut Connection| {
        connection.send(&ask);
        connection.reply().is(200).json()["connections"].clone()
    };
    eventually("all of them to be in", || {
        (open(&mut probe) == KEPT).then_some(())
    });
    // Both arrive while the server stands still: newcomers, and requests on those that are oldest.
    server.signal(Signal::STOP);
    let newcomers: Vec<_> = (0..LATE).map(|_| server.connect()).collect();
    for connection in held.iter_mut().take(LATE) {
        connection.send(&ask);
    }
    server.signal(Signal::CONT);
    for (number, connection) in held.iter_mut().take(LATE).enumerate() {
        let reply = connection.try_head_reply();
        assert!(reply.is_some(), "number {number} of {LATE} was cut off");
    }
    drop(newcomers);
}

/// When all are at work, newcomers are told to come back.
#[test]
fn nobody_at_work_is_thrown_out() {
    let home = Home::new();
    // 64 descriptors are the server's own, so this leaves 4.
    let mut command = std::process::Command::new("sh");
    let sage = home.command(["serve", "--listen", "127.0.0.1:0"]);
    command
        .args(["-c", "ulimit -n 68; exec \"$0\" \"$@\""])
        .arg(sage.get_program())
        .args(sage.get_args())
        .env_clear()
        .envs(
            sage.get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .env("SAGE_LOG_FORMAT", "json");
    let server = Server::run(command);
    // The word to go on says that the server is at it.
    let head = Ask::post("/mcp", &serde_json::json!({})).header("Expect", "100-continue");
    let head = head.bytes();
    let (head, body) = head.split_at(head.len() - 2);
    let mut working: Vec<_> = (0..4)
        .map(|_| {
            let mut connection = server.connect();
            connection.send(head);
            connection.head_reply().is(100);
            connection
        })
        .collect();
    eventually("all places to be taken by work", || {
        let mut connection = server.connect();
        connection.try_send(&Ask::get("/health/liveness").bytes());
        let reply = connection.try_head_reply()?;
        (reply.status == 503).then(|| assert_eq!(reply.header("retry-after"), Some("1")))
    });
    for connection in &mut working {
        connection.send(body);
        connection.reply().is(400);
    }
    server.get("/health").is(200);
}
