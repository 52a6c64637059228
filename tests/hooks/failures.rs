//! A hook never fails, never waits, and loses nothing.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::{Value, json};

use super::{Session, kept, waiting, words};
use crate::harness::{Finished, Home, Server, finish_soon, finish_with_input};

/// Far more than a hook's deadline, far less than anybody's patience with a lock: a loaded machine
/// takes its time to start a process.
const SOON: Duration = Duration::from_secs(10);

fn hook(home: &Home, input: &str, variables: &[(&str, &str)]) -> Finished {
    let mut command = home.command(["hook", "user-prompt-submit"]);
    command.env("SAGE_HOOK_DEADLINE_MS", "250");
    command.envs(variables.iter().copied());
    finish_with_input(&mut command, input.as_bytes())
}

#[test]
fn nothing_that_comes_makes_it_fail_or_speak() {
    let home = Home::new();
    for input in [
        "",
        "{",
        "null",
        "[]",
        "{\"session_id\":1}",
        "\u{0}",
        "{\"hook_event_name\":\"Stop\"}",
        "{\"hook_event_name\":\"FileChanged\",\"session_id\":\"s\"}",
        "{\"hook_event_name\":\"Stop\",\"session_id\":\"s\",\"prompt_id\":[]}",
        "{\"hook_event_name\":\"PostToolUse\",\"session_id\":\"s\",\"tool_input\":7}",
    ] {
        let finished = hook(&home, input, &[]);
        assert_eq!(
            (finished.code, finished.stdout.as_str()),
            (0, ""),
            "{input}"
        );
    }
    let prompt =
        json!({"hook_event_name": "UserPromptSubmit", "session_id": "s", "prompt": "hello there"});
    for variables in [
        ("SAGE_DATA_DIR", "/proc/nothing"),
        ("SAGE_DATA_DIR", "relative"),
        ("SAGE_SERVER", "ftp://nowhere"),
        ("SAGE_REDACT", "perhaps"),
        ("SAGE_TOKEN_FILE", "/nowhere"),
    ] {
        let finished = hook(&home, &prompt.to_string(), &[variables]);
        assert_eq!(
            (finished.code, finished.stdout.as_str()),
            (0, ""),
            "{variables:?}"
        );
    }
    for args in [&["hook"][..], &["hook", "x", "y"], &["hook", "--nonsense"]] {
        let finished = finish_with_input(&mut home.command(args), b"{}");
        assert_eq!(
            (finished.code, finished.stdout.as_str()),
            (0, ""),
            "{args:?}"
        );
    }
}

#[test]
fn a_pipe_that_stays_open_holds_nobody_up() {
    let home = Home::new();
    let event = json!({"hook_event_name": "SessionStart", "session_id": "s", "cwd": home.path()});
    for input in [event.to_string(), event.to_string()[..20].to_owned()] {
        let mut child = home.command(["hook", "session-start"]);
        let mut child = child
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        std::io::Write::write_all(&mut stdin, input.as_bytes()).unwrap();
        let begin = Instant::now();
        let output = child.wait_with_output().unwrap();
        assert!(begin.elapsed() < SOON);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0));
        drop(stdin);
    }
}

#[test]
fn a_store_that_is_busy_gets_its_events_later_and_in_order() {
    let home = Home::new();
    let dir = home.project("shop");
    let session = Session::new(&home, "s1", &dir);
    session.start("startup");
    let holder = Connection::open(home.database()).unwrap();
    holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let late = |name: &str, fields: Value| {
        let begin = Instant::now();
        let finished = hook(&home, &session.event(name, &fields).to_string(), &[]);
        assert!(begin.elapsed() < SOON, "{:?}", begin.elapsed());
        assert_eq!((finished.code, finished.stdout.as_str()), (0, ""));
        assert!(finished.stderr.contains("250 ms"), "{}", finished.stderr);
    };
    let prompt = "Use the token ghp_R4nd0mR4nd0mR4nd0mR4nd0mR4nd0mR4nd0 for port 4242";
    late(
        "UserPromptSubmit",
        json!({"prompt_id": "p1", "prompt": prompt}),
    );
    late(
        "PostToolUse",
        json!({"prompt_id": "p1", "tool_use_id": "t1", "tool_name": "Write",
        "tool_input": {"file_path": dir.join("a.rs")}}),
    );
    late(
        "Stop",
        json!({"prompt_id": "p1", "last_assistant_message": "Done."}),
    );
    let files = waiting(&home);
    assert_eq!(files.len(), 3);
    for file in &files {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let text = std::fs::read_to_string(file).unwrap();
        assert!(!text.contains("R4nd0m"), "a secret waits: {text}");
    }
    std::fs::write(files[0].with_file_name("0000000000001-x.json"), "{half").unwrap();
    holder.execute_batch("ROLLBACK").unwrap();
    let other = Session::new(&home, "s2", &dir);
    let event = other.event(
        "UserPromptSubmit",
        &json!({"prompt_id": "q1", "prompt": "What about port 4242?"}),
    );
    let finished = hook(&home, &event.to_string(), &[]);
    assert!(
        finished.stdout.contains("port 4242"),
        "what waited came first: {}",
        finished.stdout
    );
    assert!(finished.stderr.contains("damaged"), "{}", finished.stderr);
    let left = waiting(&home);
    assert_eq!(left.len(), 1);
    assert!(left[0].to_str().unwrap().contains("damaged-"));
    let memory = &kept(&home)[0];
    assert_eq!(memory["reply"], "Done.");
    assert_eq!(memory["metadata"]["files"], json!(["a.rs"]));
}

#[test]
fn with_a_server_no_store_is_opened_and_nothing_is_lost() {
    let home = Home::new();
    let client = Home::new();
    let dir = home.project("shop");
    // A port that nobody listens at any more.
    let gone = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let token = "correct-horse_battery.staple~42";
    let server = format!("http://{gone}");
    let session = Session::new(&client, "s1", &dir);
    let tell = |name: &str, fields: Value| {
        let event = session.event(name, &fields).to_string();
        let finished = hook(
            &client,
            &event,
            &[("SAGE_SERVER", &server), ("SAGE_TOKEN", token)],
        );
        assert_eq!(finished.code, 0);
        finished.stdout
    };
    tell("SessionStart", json!({"source": "startup"}));
    tell(
        "UserPromptSubmit",
        json!({"prompt_id": "p1", "prompt": "The walrus swims at noon."}),
    );
    assert_eq!(
        tell(
            "Stop",
            json!({"prompt_id": "p1", "last_assistant_message": "Noted."})
        ),
        ""
    );
    assert_eq!(waiting(&client).len(), 3);
    let address = gone.to_string();
    let running = Server::at(&home, &[&address], &[("SAGE_TOKEN", token)]);
    assert_eq!(
        tell(
            "UserPromptSubmit",
            json!({"prompt_id": "p2", "prompt": "Thanks, walrus friend"})
        ),
        ""
    );
    assert_eq!(waiting(&client).len(), 0);
    assert_eq!(words(&home), ["The walrus swims at noon.\n\nNoted."]);
    assert!(!client.database().exists(), "it opened a store");
    // A wrong token is the settings' fault; what comes waits until they are right.
    let event = session.event(
        "Stop",
        &json!({"prompt_id": "p2", "last_assistant_message": "You are welcome."}),
    );
    let finished = hook(&client, &event.to_string(), &[("SAGE_SERVER", &server)]);
    assert_eq!((finished.code, finished.stdout.as_str()), (0, ""));
    assert!(finished.stderr.contains("401"), "{}", finished.stderr);
    assert_eq!(waiting(&client).len(), 1);
    drop(running);
}

#[test]
fn a_spool_has_its_limits() {
    let home = Home::new();
    let server = [("SAGE_SERVER", "http://127.0.0.1:9")];
    let event = json!({"hook_event_name": "SessionStart", "session_id": "s", "cwd": home.path()});
    hook(&home, &event.to_string(), &server);
    let first = waiting(&home).pop().unwrap();
    for number in 0..2_000 {
        std::fs::copy(&first, first.with_file_name(format!("{number:013}-x.json"))).unwrap();
    }
    let finished = hook(&home, &event.to_string(), &server);
    assert_eq!(finished.code, 0);
    assert!(
        finished.stderr.contains("was not kept"),
        "{}",
        finished.stderr
    );
    assert_eq!(waiting(&home).len(), 2_001);
}

#[test]
fn a_server_takes_in_what_waits_when_it_starts() {
    let home = Home::new();
    let dir = home.project("shop");
    Session::new(&home, "s1", &dir).start("startup");
    let holder = Connection::open(home.database()).unwrap();
    holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let session = Session::new(&home, "s1", &dir);
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
        hook(&home, &session.event(name, &fields).to_string(), &[]);
    }
    assert_eq!(waiting(&home).len(), 2);
    holder.execute_batch("ROLLBACK").unwrap();
    let _server = Server::start(&home);
    crate::harness::eventually("the spool to be empty", || {
        waiting(&home).is_empty().then_some(())
    });
    assert_eq!(words(&home), ["The walrus swims at noon.\n\nNoted."]);
}

#[test]
fn help_is_for_people() {
    let home = Home::new();
    let help = finish_soon(&mut home.command(["hook", "--help"]));
    assert!(
        help.stdout.contains("sage hook user-prompt-submit"),
        "{}",
        help.stdout
    );
}
