//! What to paste, where nothing may be changed.

use serde_json::{Value, json};

use super::{ok, plain, run, sage};
use crate::harness::{Home, finish};

/// The JSON in what was printed: between the lines that explain.
fn pasted(text: &str) -> Value {
    let lines = text.lines().filter(|line| !line.starts_with(['#', 'c']));
    plain(&lines.collect::<Vec<_>>().join("\n"))
}

#[test]
fn a_container_says_what_to_paste() {
    let home = Home::new();
    let mut command = sage(
        &home,
        &["install", "claude-code", "--via", "docker", "--print"],
    );
    // An image has neither a home nor a client.
    let finished = finish(command.env("container", "docker").env_remove("HOME"));
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let settings = pasted(&finished.stdout);
    let hooks = settings["hooks"].as_object().unwrap();
    for (event, groups) in hooks {
        let handler = &groups[0]["hooks"][0];
        match event.as_str() {
            "SessionStart" => assert_eq!(
                handler["command"],
                "docker exec -i sage /sage hook session-start"
            ),
            _ => assert_eq!(handler["url"], "http://127.0.0.1:17800/hooks/claude-code"),
        }
    }
    assert_eq!(hooks.len(), 10);
    assert!(
        finished
            .stdout
            .contains("claude mcp add-json --scope user sage '{\"args\":[\"exec\",\"-i\""),
        "{}",
        finished.stdout
    );
    assert!(
        finished.stdout.contains("docker cp sage:/sage"),
        "{}",
        finished.stdout
    );
    let mut command = sage(
        &home,
        &["install", "claude-code", "--via", "docker", "--yes"],
    );
    let finished = finish(command.env("container", "docker"));
    assert!(
        finished.code == 2 && finished.stderr.contains("--print"),
        "{}",
        finished.stderr
    );
}

#[test]
fn a_host_binary_knows_its_server() {
    let home = Home::new();
    // Elsewhere these tests themselves may run in a container.
    let text = ok(
        &home,
        &[
            "install",
            "claude-code",
            "--via",
            "http",
            "--server",
            "http://sage.lan:99",
            "--print",
            "--json",
        ],
    );
    let printed: Value = serde_json::from_str(&text.stdout).unwrap();
    let start = printed["settings"]["hooks"]["SessionStart"][0]["hooks"][0]["command"]
        .as_str()
        .unwrap();
    assert!(
        start.starts_with("SAGE_SERVER=http://sage.lan:99 ")
            && start.ends_with("/sage hook session-start"),
        "{start}"
    );
    // The client would complain on the terminal about a server that is away at a session's end.
    let end = &printed["settings"]["hooks"]["SessionEnd"][0]["hooks"][0];
    assert_eq!(end["type"], "command");
    assert_eq!(
        printed["server"],
        json!({"type": "http", "url": "http://sage.lan:99/mcp"})
    );
    assert_eq!(
        printed["settings"]["hooks"]["Stop"][0]["hooks"][0]["url"],
        "http://sage.lan:99/hooks/claude-code"
    );
}

#[test]
fn a_token_is_named_and_never_written() {
    let home = Home::new();
    let secret = "correct-horse_battery.staple~42";
    let mut command = sage(&home, &["install", "claude-code", "--via", "http", "--yes"]);
    let finished = finish(command.env("SAGE_TOKEN", secret));
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    assert!(
        finished.stderr.contains("SAGE_TOKEN set"),
        "{}",
        finished.stderr
    );
    for name in [".claude/settings.json", ".claude.json"] {
        let text = std::fs::read_to_string(home.path().join(name)).unwrap();
        assert!(
            text.contains("Bearer ${SAGE_TOKEN}") && !text.contains(secret),
            "{text}"
        );
    }
}

#[test]
fn stdio_starts_no_process_for_each_tool() {
    let home = Home::new();
    let printed = run(
        &home,
        &[
            "install",
            "claude-code",
            "--print",
            "--json",
            "--data-dir",
            "/my data",
        ],
    );
    let printed: Value = serde_json::from_str(&printed.stdout).unwrap();
    let hooks = printed["settings"]["hooks"].as_object().unwrap();
    assert!(!hooks.contains_key("PostToolUse"));
    for groups in hooks.values() {
        let command = groups[0]["hooks"][0]["command"].as_str().unwrap();
        assert!(command.ends_with(" --data-dir '/my data'"), "{command}");
    }
    assert_eq!(
        printed["server"]["args"],
        json!(["mcp", "--data-dir", "/my data"])
    );
}
