//! A hook without SAGE_SERVER uses a server that runs here, if that has the same store.

use std::io::{Read, Write};
use std::net::TcpListener;

use serde_json::json;

use super::{Session, context, run, said, words};
use crate::harness::{Home, Server};

/// How many events a server was told.
fn told(server: &Server) -> usize {
    let lines = server.lines();
    lines
        .iter()
        .filter(|line| line.contains("/hooks/claude-code"))
        .count()
}

#[test]
fn the_same_store_is_reached_through_its_server() {
    let home = Home::new();
    let server = Server::start(&home);
    let port = server.port().to_string();
    let dir = home.project("shop");
    let session = Session::new(&home, "s1", &dir);
    let tell = |session: &Session, name: &str, fields, variables: &[(&str, &str)]| {
        let variables = [&[("SAGE_PORT", port.as_str())], variables].concat();
        context(
            &said(&run(&home, &session.event(name, &fields), &variables)),
            name,
        )
    };
    let prompt = json!({"prompt_id": "p1", "prompt": "The walrus swims at noon."});
    tell(&session, "UserPromptSubmit", prompt, &[]);
    let reply = json!({"prompt_id": "p1", "last_assistant_message": "Noted."});
    tell(&session, "Stop", reply, &[]);
    assert_eq!(told(&server), 2);
    assert_eq!(words(&home), ["The walrus swims at noon.\n\nNoted."]);
    let other = Session::new(&home, "s2", &dir);
    let question = || json!({"prompt_id": "q1", "prompt": "When does the walrus swim?"});
    let given = tell(&other, "UserPromptSubmit", question(), &[]);
    assert!(
        given.contains("swims at noon") && told(&server) == 3,
        "{given}"
    );
    // What holds for this process alone, the server would not do.
    let third = Session::new(&home, "s3", &dir);
    for own in [
        ("SAGE_INJECT", "off"),
        ("SAGE_CAPTURE", "off"),
        ("SAGE_PROJECT", "x"),
        ("SAGE_REDACT", "off"),
        ("SAGE_TOKEN", "correct-horse_battery.staple~42"),
    ] {
        tell(&third, "UserPromptSubmit", question(), &[own]);
        assert_eq!(told(&server), 3, "{own:?}");
    }
    // Without the server all goes on.
    drop(server);
    let last = Session::new(&home, "s4", &dir);
    let given = tell(&last, "UserPromptSubmit", question(), &[]);
    assert!(given.contains("swims at noon"), "{given}");
}

#[test]
fn a_server_of_another_store_is_told_nothing() {
    let (home, other) = (Home::new(), Home::new());
    let server = Server::start(&other);
    other.ok(["remember", "--project", "x", "Something."]);
    let port = server.port().to_string();
    let session = Session::new(&home, "s1", &home.project("shop"));
    tell_a_turn(&home, &session, &port);
    assert_eq!(told(&server), 0);
    assert_eq!(words(&home), ["The walrus swims at noon.\n\nNoted."]);
}

#[test]
fn a_stranger_at_the_port_hears_no_prompt_and_holds_nobody_up() {
    let home = Home::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let stranger = std::thread::spawn(move || {
        let (mut heard, mut kept) = (String::new(), Vec::new());
        for answer in [
            Some("HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{\"store_id\":\"me\"}"),
            None,
        ] {
            let (mut stream, _) = listener.accept().unwrap();
            let mut part = [0; 4096];
            let count = stream.read(&mut part).unwrap();
            heard.push_str(&String::from_utf8_lossy(&part[..count]));
            match answer {
                Some(answer) => stream.write_all(answer.as_bytes()).unwrap(),
                // One that never answers.
                None => kept.push(stream),
            }
        }
        (heard, kept)
    });
    let session = Session::new(&home, "s1", &home.project("shop"));
    tell_a_turn(&home, &session, &port);
    let (heard, _kept) = stranger.join().unwrap();
    assert_eq!(heard.matches("GET /health HTTP/1.1").count(), 2, "{heard}");
    assert!(
        !heard.contains("walrus") && !heard.contains("POST"),
        "{heard}"
    );
    assert_eq!(words(&home), ["The walrus swims at noon.\n\nNoted."]);
}

/// One turn, told by commands that would find a server at this port.
fn tell_a_turn(home: &Home, session: &Session, port: &str) {
    for (name, fields) in [
        (
            "UserPromptSubmit",
            json!({"prompt_id": "p1", "prompt": "The walrus swims at noon."}),
        ),
        (
            "Stop",
            json!({"prompt_id": "p1", "last_assistant_message": "Noted."}),
        ),
    ] {
        run(home, &session.event(name, &fields), &[("SAGE_PORT", port)]);
    }
}
