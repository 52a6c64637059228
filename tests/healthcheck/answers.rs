//! What the probe makes of servers, of Sage's own and of others.

use std::io::{ErrorKind, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{has_reason, is_healthy, is_unhealthy, listen, probe, request, run, wait_for_the_end};
use crate::harness::{Home, Server};

/// How long the probe waits for an answer.
const PATIENCE: Duration = Duration::from_millis(700);

#[test]
fn a_healthy_server_is_healthy() {
    let home = Home::new();
    let server = Server::start(&home);
    for _ in 0..20 {
        is_healthy(server.port());
    }
    // The probe leaves before it has read all of the answer, which is nothing to complain about.
    let ended = server.end();
    let complaints = |line: &&String| line.contains("\"warn\"") || line.contains("\"error\"");
    assert_eq!(ended.lines.iter().find(complaints), None);
}

#[test]
fn it_needs_no_token() {
    let home = Home::new();
    let server = Server::with(&home, &[("SAGE_TOKEN", "correct-horse_battery.staple~42")]);
    is_healthy(server.port());
}

#[test]
fn a_server_without_its_store_is_not() {
    let home = Home::new();
    home.file("data/sage.db", "no database\n".repeat(1_000));
    let server = Server::start(&home);
    is_unhealthy(server.port(), &["503", "log"]);
}

#[test]
fn it_asks_as_http_wants_it() {
    let (port, asked) = listen(|mut stream| {
        let request = request(&stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        request
    });
    is_healthy(port);
    let host = format!("Host: 127.0.0.1:{port}");
    let expected = ["GET /health HTTP/1.1", &host, "Connection: close"];
    assert_eq!(asked.join().unwrap(), expected);
}

#[test]
fn only_200_in_http_1_is_healthy() {
    for (answer, words) in [
        ("HTTP/1.1 200 OK\r\n\r\n", None),
        ("HTTP/1.0 200 OK\r\n\r\n", None),
        ("HTTP/1.1 200\r\n\r\n", None),
        ("HTTP/1.1 404 Not Found\r\n\r\n", Some("404")),
        ("HTTP/1.1 503 Service Unavailable\r\n\r\n", Some("503")),
        ("HTTP/1.1 301 Moved Permanently\r\n\r\n", Some("301")),
        ("HTTP/1.1 2000 OK\r\n\r\n", Some("no HTTP/1 answer")),
        ("HTTP/2 200 OK\r\n\r\n", Some("no HTTP/1 answer")),
        ("SSH-2.0-OpenSSH_9.9\r\n", Some("no HTTP/1 answer")),
        ("HTTP/1.1 200", Some("not even a whole status line")),
        ("\0\u{1}\u{2}", Some("not even a whole status line")),
    ] {
        let (port, answered) = listen(move |mut stream| {
            request(&stream);
            stream.write_all(answer.as_bytes()).unwrap();
        });
        match words {
            None => is_healthy(port),
            Some(words) => is_unhealthy(port, &[words, &format!("127.0.0.1:{port}")]),
        }
        answered.join().unwrap();
    }
}

#[test]
fn where_nobody_listens_it_says_so() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // The caller's own port is taken, so no other test gets it, and nobody listens at it.
    let caller = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let port = caller.local_addr().unwrap().port();
    is_unhealthy(port, &["nothing listens", &port.to_string(), "SAGE_PORT"]);
}

#[test]
fn it_waits_for_an_answer_but_not_for_long() {
    // The system takes the call; nobody picks it up.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let start = Instant::now();
    let port = listener.local_addr().unwrap().port();
    is_unhealthy(port, &["no answer", "within 700 ms"]);
    assert!(start.elapsed() >= PATIENCE);
}

#[test]
fn a_slow_answer_in_pieces_is_an_answer() {
    let (port, answered) = listen(|mut stream| {
        request(&stream);
        std::thread::sleep(PATIENCE / 4);
        stream.write_all(b"HTTP/1.").unwrap();
        std::thread::sleep(PATIENCE / 4);
        stream.write_all(b"1 200 OK\r\n\r\n").unwrap();
    });
    is_healthy(port);
    answered.join().unwrap();
}

#[test]
fn an_answer_in_drops_does_not_prolong_it() {
    let (port, dripped) = listen(|mut stream| {
        for byte in b"HTTP/1.1 200 OK\r\n\r\n".chunks(1) {
            if stream.write_all(byte).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    is_unhealthy(port, &["not even a whole status line"]);
    dripped.join().unwrap();
}

#[test]
fn whoever_hangs_up_is_not_healthy() {
    // With the request read, and with it unread, which the system tells as a reset.
    let (port, read) = listen(|stream| drop(request(&stream)));
    is_unhealthy(port, &["closed the connection"]);
    read.join().unwrap();
    let (port, unread) = listen(|stream| {
        let waiting = stream.peek(&mut [0]);
        assert!(matches!(waiting, Ok(1)), "{waiting:?}");
    });
    is_unhealthy(port, &["closed the connection"]);
    unread.join().unwrap();
}

#[test]
fn it_reads_no_more_than_it_needs() {
    let (port, flooded) = listen(|mut stream| {
        request(&stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        let error = loop {
            if let Err(error) = stream.write_all(&[b'x'; 64 * 1024]) {
                break error.kind();
            }
        };
        let is_gone = matches!(error, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset);
        assert!(is_gone, "{error}");
        wait_for_the_end(stream);
    });
    is_healthy(port);
    flooded.join().unwrap();
}

#[test]
fn nobody_has_to_read_the_reason() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = Command::new(probe());
    command.env_clear().env("SAGE_PORT", "0").stderr(writer);
    assert_eq!(command.status().unwrap().code(), Some(1));
    command.stderr(Stdio::null());
    assert_eq!(command.status().unwrap().code(), Some(1));
}

#[test]
fn without_settings_it_asks_at_the_default_port() {
    // Whatever runs there on this machine: the address is told only when it is not well.
    let finished = run::<&str>(&[]);
    if finished.code == 1 {
        has_reason(&finished, &["127.0.0.1:17800"]);
    }
}
