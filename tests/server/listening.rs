//! Where the server listens, and what it says when it cannot.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use super::{event, run};
use crate::harness::{Ask, Connection, Finished, Home, Server, executable, finish_soon, skipped};

#[test]
fn the_default_is_port_17800_of_this_machine() {
    let home = Home::new();
    let settings = home.json(["config", "--json"]);
    let rows = settings["settings"].as_array().unwrap();
    let listen = rows
        .iter()
        .find(|row| row["variable"] == "SAGE_LISTEN")
        .unwrap();
    assert_eq!(listen["value"], "127.0.0.1:17800");
    assert!(home.ok(["serve", "--help"]).contains("127.0.0.1:17800"));
}

#[test]
fn sage_alone_serves_at_the_port_of_its_variable() {
    let home = Home::new();
    let mut command = home.command::<&str>([]);
    command.env("SAGE_PORT", "0").env("SAGE_LOG_FORMAT", "json");
    let server = Server::run(command);
    assert!(server.address().starts_with("127.0.0.1:"));
    server.get("/health").is(200);
    let said = event(&server.line_with("listening"));
    assert_eq!(said["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(said["token"], false);
    let store = said["store"].as_str().unwrap();
    assert!(store.contains(home.data_dir().to_str().unwrap()), "{store}");
}

#[test]
fn it_listens_at_each_address_given() {
    let home = Home::new();
    let socket = home.path().join("s.sock");
    let unix = format!("unix:{}", socket.display());
    let list = format!("127.0.0.1:0, {unix},127.0.0.1:0");
    let by_flags = ["127.0.0.1:0", &unix, "127.0.0.1:0"];
    for by_variable in [false, true] {
        let server = match by_variable {
            true => Server::at(&home, &[], &[("SAGE_LISTEN", &list)]),
            false => Server::at(&home, &by_flags, &[]),
        };
        assert_eq!(server.addresses.len(), 3, "{:?}", server.addresses);
        assert_eq!(server.addresses[1], unix);
        assert_ne!(server.addresses[0], server.addresses[2]);
        for address in &server.addresses {
            let mut connection = match address.strip_prefix("unix:") {
                Some(path) => Connection::unix(path.as_ref()),
                None => Connection::tcp(address),
            };
            connection.send(&Ask::get("/health/liveness").bytes());
            connection.reply().is(200);
        }
        assert!(server.end().status.success());
    }
}

#[test]
fn flags_win_over_the_variable() {
    let home = Home::new();
    let server = Server::with(&home, &[("SAGE_LISTEN", "unix:/nowhere/at/all.sock")]);
    assert_eq!(server.addresses.len(), 1);
    server.get("/health").is(200);
}

#[test]
fn a_name_stands_for_all_its_addresses() {
    let home = Home::new();
    let server = Server::at(&home, &["localhost:0"], &[]);
    for address in &server.addresses {
        let mut connection = Connection::tcp(address);
        connection.send(&Ask::get("/health/liveness").host(address).bytes());
        connection.reply().is(200);
    }
}

#[test]
fn a_bad_address_is_a_wrong_call() {
    let home = Home::new();
    for (word, part) in [
        ("17800", "expected HOST:PORT"),
        ("127.0.0.1", "expected HOST:PORT"),
        ("127.0.0.1:port", "expected HOST:PORT"),
        ("127.0.0.1:70000", "expected HOST:PORT"),
        (":17800", "expected HOST:PORT"),
        ("::1:17800", "expected HOST:PORT"),
        ("unix:relative.sock", "unix:/PATH"),
        ("", "expected HOST:PORT"),
        ("127.0.0.1:0,", "expected HOST:PORT"),
    ] {
        if !word.contains(',') {
            let finished = run(&home, ["serve", "--listen", word]);
            is_refused(&finished, 2, &["--listen", part]);
        }
        if !word.is_empty() {
            let mut command = home.command(["serve"]);
            command.env("SAGE_LISTEN", word);
            is_refused(&finish_soon(&mut command), 2, &["SAGE_LISTEN", part]);
        }
    }
    let mut command = home.command(["serve"]);
    command.env("SAGE_PORT", "http");
    is_refused(&finish_soon(&mut command), 2, &["SAGE_PORT", "\"http\""]);
    let finished = run(&home, ["serve", "--listen", "no.such.name.invalid:0"]);
    is_refused(&finished, 1, &["no.such.name.invalid"]);
    assert!(!home.data_dir().exists(), "nothing was begun");
}

/// It ended with this code, and one line on stderr that holds the parts.
#[track_caller]
pub fn is_refused(finished: &Finished, code: i32, parts: &[&str]) {
    assert_eq!(finished.code, code, "{finished:?}");
    assert_eq!(finished.stdout, "");
    assert_eq!(finished.stderr.lines().count(), 1, "{}", finished.stderr);
    for part in parts {
        assert!(
            finished.stderr.contains(part),
            "no {part} in {}",
            finished.stderr
        );
    }
}

#[test]
fn a_port_that_another_sage_has_is_told_with_its_store() {
    let home = Home::new();
    let server = Server::start(&home);
    let other = Home::new();
    let finished = run(&other, ["serve", "--listen", server.address()]);
    let folder = home.data_dir();
    is_refused(
        &finished,
        1,
        &[
            "another Sage",
            env!("CARGO_PKG_VERSION"),
            folder.to_str().unwrap(),
            server.address(),
            "--listen",
        ],
    );
    server.get("/health").is(200);
}

#[test]
fn a_port_that_another_program_has_is_told() {
    let home = Home::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    // Silent, then one that talks no HTTP, then one that says it is a Sage with a foul name.
    is_refused(
        &run(&home, ["serve", "--listen", &address]),
        1,
        &["taken by another program", &address],
    );
    for (answer, part) in [
        ("SSH-2.0-OpenSSH_9.6\r\n", "another program"),
        (
            "HTTP/1.1 200 OK\r\n\r\n{\"version\":\"1\\u001b[31m\\n2\",\"store\":\"x\"}",
            "another Sage (1[31m2, x)",
        ),
    ] {
        let listener = listener.try_clone().unwrap();
        let answering = std::thread::spawn(move || {
            // The silent one above is still in the queue: each gets the answer until one is done.
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0; 1024];
                let _ = stream.read(&mut request);
                let _ = stream.write_all(answer.as_bytes());
                if answer.starts_with("HTTP") {
                    break;
                }
            }
        });
        is_refused(&run(&home, ["serve", "--listen", &address]), 1, &[part]);
        answering.join().unwrap();
    }
}

#[test]
fn a_terminal_gets_to_know_where_and_how_to_connect() {
    let home = Home::new();
    // A shell of its own between would take the Ctrl-C for itself.
    let line = format!("exec {} serve --listen 127.0.0.1:0", executable().display());
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", home.path())
        .env("SAGE_DATA_DIR", home.data_dir())
        .env("NO_COLOR", "1")
        .env("TERM", "xterm")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        return skipped(
            "a_terminal_gets_to_know_where",
            "there is no `script` to make a terminal",
        );
    };
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut banner = String::new();
    while !banner.contains("Ctrl-C") {
        assert_ne!(stdout.read_line(&mut banner).unwrap(), 0, "{banner}");
    }
    let port: u16 = banner
        .split("listens at 127.0.0.1:")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next())
        .unwrap()
        .parse()
        .unwrap();
    let expected = [
        format!("Sage {} listens at", env!("CARGO_PKG_VERSION")),
        home.data_dir().display().to_string(),
        format!(
            "claude mcp add --scope user sage -- {} mcp",
            executable().display()
        ),
        format!("claude mcp add --transport http sage http://127.0.0.1:{port}/mcp"),
        format!("install claude-code --via http --server http://127.0.0.1:{port}"),
    ];
    for part in expected {
        assert!(banner.contains(&part), "no {part} in {banner}");
    }
    let mut connection = Connection::tcp(&format!("127.0.0.1:{port}"));
    connection.send(&Ask::get("/health").bytes());
    connection.reply().is(200);
    child.stdin.take().unwrap().write_all(b"\x03").unwrap();
    let mut rest = String::new();
    let _ = stdout.read_to_string(&mut rest);
    assert!(child.wait().unwrap().success(), "{banner}{rest}");
}
