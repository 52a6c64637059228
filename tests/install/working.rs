//! What was installed does what it is for.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use super::{ok, plain, sage, settings};
use crate::harness::{Home, Server, finish, finish_with_input};
use crate::hooks::words;

/// Runs what the settings say about an event, as the client does.
#[track_caller]
fn fire(home: &Home, event: &str, fields: Value) -> String {
    let installed = plain(&fs::read_to_string(settings(home)).unwrap());
    let handler = &installed["hooks"][event][0]["hooks"][0];
    let dir = home.project("shop");
    let mut input = json!({"hook_event_name": event, "session_id": "s1", "cwd": dir});
    input
        .as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    let mut command = Command::new("/bin/sh");
    // Its environment is that of a command in this home.
    let sample = home.command(["version"]);
    let variables = sample
        .get_envs()
        .filter_map(|(name, value)| Some((name, value?)));
    command.env_clear().envs(variables);
    command
        .args(["-c", handler["command"].as_str().unwrap()])
        .current_dir(&dir);
    let finished = finish_with_input(&mut command, input.to_string().as_bytes());
    assert_eq!((finished.code, finished.stderr.as_str()), (0, ""));
    finished.stdout
}

#[test]
fn commands_keep_and_give() {
    let home = Home::new();
    ok(&home, &["install", "claude-code", "--yes"]);
    assert_eq!(
        fire(&home, "SessionStart", json!({"source": "startup"})),
        ""
    );
    let prompt = "The walrus swims at noon.";
    fire(
        &home,
        "UserPromptSubmit",
        json!({"prompt_id": "p1", "prompt": prompt}),
    );
    fire(
        &home,
        "Stop",
        json!({"prompt_id": "p1", "last_assistant_message": "Noted."}),
    );
    fire(&home, "SessionEnd", json!({"reason": "other"}));
    assert_eq!(words(&home), ["The walrus swims at noon.\n\nNoted."]);
    let next =
        json!({"session_id": "s2", "prompt_id": "q1", "prompt": "When does the walrus swim?"});
    let given = fire(&home, "UserPromptSubmit", next);
    assert!(given.contains("swims at noon"), "{given}");
}

#[test]
fn the_start_goes_to_the_server_that_was_named() {
    let home = Home::new();
    let other = Home::new();
    let server = Server::start(&other);
    let url = format!("http://127.0.0.1:{}", server.port());
    let mut command = sage(
        &home,
        &[
            "install",
            "claude-code",
            "--via",
            "http",
            "--server",
            &url,
            "--yes",
        ],
    );
    assert_eq!(finish(&mut command).code, 0);
    let note = [
        "remember",
        "--project",
        "shop",
        "--pin",
        "Walruses swim at noon.",
    ];
    other.ok(note);
    let given = {
        let dir = home.project("shop");
        other.ok(["project", "alias", dir.to_str().unwrap(), "shop"]);
        fire(&home, "SessionStart", json!({"source": "startup"}))
    };
    assert!(given.contains("Walruses"), "{given}");
    assert!(!home.database().exists(), "it opened a store of its own");
}
