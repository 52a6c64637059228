//! The client itself is asked to register the server, where it is installed.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{ok, run, settings};
use crate::harness::Home;

/// A stand-in for the client, which notes how it is called and ends like this.
fn client(home: &Home, end: &str) {
    let script = format!(
        "#!/bin/sh\nprintf '%s\\n' \"$*\" >> '{}/calls'\n{end}\n",
        home.path().display()
    );
    let path = home.file("bin/claude", script);
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn calls(home: &Home) -> String {
    fs::read_to_string(home.path().join("calls")).unwrap_or_default()
}

#[test]
fn it_registers_and_takes_out() {
    let home = Home::new();
    client(&home, "exit 0");
    let finished = ok(&home, &["install", "claude-code", "--via", "http", "--yes"]);
    let entry = r#"{"type":"http","url":"http://127.0.0.1:17800/mcp"}"#;
    assert_eq!(
        calls(&home),
        format!("mcp add-json --scope user sage {entry}\n")
    );
    assert!(
        finished.stdout.contains(&format!(
            "claude mcp add-json --scope user sage '{entry}'\n"
        )),
        "{}",
        finished.stdout
    );
    assert!(
        !home.path().join(".claude.json").exists(),
        "the file is the client's"
    );
    // What is registered already is not touched; what differs is taken out first.
    home.file(
        ".claude.json",
        format!("{{\"mcpServers\": {{\"sage\": {entry}}}}}"),
    );
    ok(&home, &["install", "claude-code", "--via", "http", "--yes"]);
    assert_eq!(calls(&home).lines().count(), 1);
    ok(
        &home,
        &["install", "claude-code", "--via", "stdio", "--yes"],
    );
    let lines = calls(&home);
    let lines: Vec<_> = lines.lines().skip(1).collect();
    assert_eq!(lines[0], "mcp remove --scope user sage");
    assert!(
        lines[1].starts_with("mcp add-json --scope user sage {"),
        "{lines:?}"
    );
    ok(&home, &["uninstall", "claude-code", "--yes"]);
    assert_eq!(
        calls(&home).lines().last(),
        Some("mcp remove --scope user sage")
    );
    assert!(!settings(&home).exists());
}

#[test]
fn a_file_of_the_project_is_no_state_of_the_client() {
    let home = Home::new();
    client(&home, "exit 0");
    let text = "{ // ours\n  \"mcpServers\": {}\n}\n";
    let path = home.file("shop/.mcp.json", text);
    ok(
        &home,
        &["install", "claude-code", "--scope", "project", "--yes"],
    );
    assert_eq!(calls(&home), "");
    assert!(fs::read_to_string(&path).unwrap().contains("// ours"));
    ok(
        &home,
        &["uninstall", "claude-code", "--scope", "project", "--yes"],
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn what_it_refuses_is_told_and_nothing_else_is_done() {
    let home = Home::new();
    client(&home, "echo 'no such command' >&2; exit 1");
    let finished = run(&home, &["install", "claude-code", "--yes"]);
    assert_eq!(finished.code, 1);
    assert!(
        finished.stderr.contains("no such command"),
        "{}",
        finished.stderr
    );
    assert!(!settings(&home).exists());
    ok(&home, &["install", "claude-code", "--dry-run"]);
    assert_eq!(calls(&home).lines().count(), 1);
}
