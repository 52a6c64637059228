//! What becomes of the client's files.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::{Value, json};

use sage::claude::install::{Folders, Plan, Scope, Via, Way};

use super::{ok, plain, run, settings};
use crate::harness::Home;

/// As somebody keeps it who likes comments.
const OWN: &str = "{
    // mine, keep it
    \"model\": \"opus\",
    \"hooks\": {
        \"Stop\": [
            {\"hooks\": [{\"type\": \"command\", \"command\": \"say done\"}]}, // loud
        ],
    },
    \"permissions\": {\"allow\": [\"Bash(ls:*)\"]}, /* last */
}
";

#[test]
fn it_adds_lines_and_changes_none() {
    let home = Home::new();
    let path = home.file(".claude/settings.json", OWN);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let finished = ok(&home, &["install", "claude-code", "--yes"]);
    let text = fs::read_to_string(&path).unwrap();
    let mut left = text.lines();
    for line in OWN.lines() {
        assert!(left.any(|it| it == line), "{line} is gone: {text}");
    }
    let value = plain(&text);
    let stop = value["hooks"]["Stop"].as_array().unwrap();
    assert_eq!(stop.len(), 2);
    assert_eq!(stop[0]["hooks"][0]["command"], "say done");
    let command = stop[1]["hooks"][0]["command"].as_str().unwrap();
    assert!(command.ends_with("/sage hook stop"), "{command}");
    assert!(
        text.contains("        \"SessionStart\": [\n            {\"hooks\": [{\"type\":"),
        "{text}"
    );
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o640);
    let backup = path.with_file_name("settings.json.before-sage");
    assert_eq!(
        (fs::read_to_string(&backup).unwrap().as_str(), mode(&backup)),
        (OWN, 0o640)
    );
    assert!(
        finished
            .stdout
            .contains("+             {\"hooks\": [{\"type\": \"command\""),
        "{}",
        finished.stdout
    );
    assert!(
        finished.stdout.contains("settings.json.before-sage"),
        "{}",
        finished.stdout
    );
    let servers: Value =
        serde_json::from_str(&fs::read_to_string(home.path().join(".claude.json")).unwrap())
            .unwrap();
    assert_eq!(servers["mcpServers"]["sage"]["args"], json!(["mcp"]));

    let again = ok(&home, &["install", "claude-code", "--yes"]);
    assert!(again.stderr.contains("set up already"), "{}", again.stderr);
    assert_eq!(fs::read_to_string(&path).unwrap(), text);

    ok(&home, &["uninstall", "claude-code", "--yes"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), OWN);
    assert!(!backup.exists() && !home.path().join(".claude.json").exists());
    let again = ok(&home, &["uninstall", "claude-code", "--yes"]);
    assert!(
        again.stderr.contains("nothing was changed"),
        "{}",
        again.stderr
    );
}

#[test]
fn nothing_happens_before_somebody_agrees() {
    let home = Home::new();
    let path = home.file(".claude/settings.json", OWN);
    for (args, code) in [
        (&["install", "claude-code"][..], 2),
        (&["install", "claude-code", "--json"], 2),
        (&["install", "claude-code", "--dry-run"], 0),
        (&["install", "claude-code", "--dry-run", "--yes"], 0),
        (&["install", "claude-code", "--print"], 0),
    ] {
        let finished = run(&home, args);
        assert_eq!(finished.code, code, "{args:?}: {}", finished.stderr);
        assert!(
            finished.stdout.contains("sage hook stop"),
            "{args:?}: {}",
            finished.stdout
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), OWN);
        assert!(!home.path().join(".claude.json").exists());
    }
    assert!(!path.with_file_name("settings.json.before-sage").exists());
}

#[test]
fn scopes_have_their_own_files() {
    let home = Home::new();
    let project = home.project("shop");
    for (scope, settings, servers) in [
        (
            "user",
            home.path().join(".claude/settings.json"),
            home.path().join(".claude.json"),
        ),
        (
            "project",
            project.join(".claude/settings.json"),
            project.join(".mcp.json"),
        ),
        (
            "local",
            project.join(".claude/settings.local.json"),
            home.path().join(".claude.json"),
        ),
    ] {
        let report = ok(
            &home,
            &[
                "install",
                "claude-code",
                "--scope",
                scope,
                "--yes",
                "--json",
            ],
        );
        let report: Value = serde_json::from_str(&report.stdout).unwrap();
        assert_eq!(
            (&report["scope"], &report["done"]),
            (&json!(scope), &json!(true))
        );
        let files: Vec<_> = report["changes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["file"].as_str().unwrap())
            .collect();
        assert_eq!(
            files,
            [settings.to_str().unwrap(), servers.to_str().unwrap()]
        );
        let servers = plain(&fs::read_to_string(&servers).unwrap());
        let entry = match scope {
            "local" => &servers["projects"][project.to_str().unwrap()]["mcpServers"]["sage"],
            _ => &servers["mcpServers"]["sage"],
        };
        assert_eq!(entry["type"], "stdio", "{servers}");
    }
    let other = ok(&home, &["uninstall", "claude-code", "--yes"]);
    assert!(
        other.stderr.contains("--scope project") && other.stderr.contains("--scope local"),
        "{}",
        other.stderr
    );
    for scope in ["project", "local"] {
        ok(
            &home,
            &["uninstall", "claude-code", "--scope", scope, "--yes"],
        );
    }
    assert!(!project.join(".mcp.json").exists());
    let state = fs::read_to_string(home.path().join(".claude.json")).unwrap();
    assert!(!state.contains("sage\":"), "{state}");
}

#[test]
fn a_file_that_is_not_understood_is_left_alone() {
    let home = Home::new();
    for (text, why) in [
        ("{\"hooks\": ", "line 1, column 11: expected a value"),
        ("{\"hooks\": []}", "hooks: expected an object"),
        ("{\"hooks\": {\"Stop\": 1}}", "hooks.Stop: expected a list"),
        ("[]", "expected an object"),
        ("{} x", "line 1, column 4: expected nothing more"),
        (&"[".repeat(100_000), "nested too deeply"),
    ] {
        let path = home.file(".claude/settings.json", text);
        let finished = run(&home, &["install", "claude-code", "--yes"]);
        assert_eq!(finished.code, 1, "{}", finished.stderr);
        assert!(
            finished.stderr.contains(why) && finished.stderr.contains("left alone"),
            "{}",
            finished.stderr
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    home.file(".claude/settings.json", [b'{', 0xff, b'}']);
    let finished = run(&home, &["install", "claude-code", "--yes"]);
    assert!(
        finished.code == 1 && finished.stderr.contains("UTF-8"),
        "{}",
        finished.stderr
    );
    fs::remove_file(settings(&home)).unwrap();
    home.file(
        ".claude.json",
        "{\"mcpServers\": {\"sage\": {\"command\": \"sagemath\", \"args\": [\"lab\"]}}}",
    );
    let finished = run(&home, &["install", "claude-code", "--yes"]);
    assert!(
        finished.code == 1 && finished.stderr.contains("another program"),
        "{}",
        finished.stderr
    );
    assert!(!settings(&home).exists(), "half of it was done");
    ok(&home, &["uninstall", "claude-code", "--yes"]);
}

#[test]
fn links_are_followed_and_stay() {
    let home = Home::new();
    let real = home.file("dotfiles/claude.json", OWN);
    fs::create_dir_all(home.path().join(".claude")).unwrap();
    symlink("../dotfiles/claude.json", settings(&home)).unwrap();
    // One that leads nowhere yet.
    symlink("dotfiles/state.json", home.path().join(".claude.json")).unwrap();
    ok(&home, &["install", "claude-code", "--yes"]);
    assert!(settings(&home).is_symlink() && home.path().join(".claude.json").is_symlink());
    assert!(fs::read_to_string(&real).unwrap().contains("sage hook"));
    assert!(home.path().join("dotfiles/state.json").is_file());
    ok(&home, &["uninstall", "claude-code", "--yes"]);
    assert_eq!(fs::read_to_string(&real).unwrap(), OWN);
}

#[test]
fn what_somebody_else_wrote_meanwhile_is_not_overwritten() {
    let home = Home::new();
    let path = home.file(".claude/settings.json", OWN);
    let folders = Folders {
        home: home.path().to_owned(),
        config_dir: None,
        project: home.project("shop"),
    };
    let way = Way {
        via: Via::Http,
        program: Some("/bin/sage".to_owned()),
        data_dir: None,
        server: "127.0.0.1:1".to_owned(),
        wants_token: false,
    };
    let plan = Plan::install(&folders, Scope::User, &way, None).unwrap();
    let theirs = OWN.replace("opus", "haiku");
    fs::write(&path, &theirs).unwrap();
    let error = plan.apply().unwrap_err().to_string();
    assert!(error.contains("changed by somebody else"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), theirs);
    let names: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().collect();
    assert_eq!(names.len(), 1, "it left something: {names:?}");
}

#[test]
fn the_folder_of_the_client_may_be_elsewhere() {
    let home = Home::new();
    let dir = home.project("config");
    let mut command = super::sage(&home, &["install", "claude-code", "--yes"]);
    let finished = crate::harness::finish(command.env("CLAUDE_CONFIG_DIR", &dir));
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    assert!(dir.join("settings.json").is_file() && dir.join(".claude.json").is_file());
    assert!(!settings(&home).exists());
}

#[test]
fn wrong_calls_are_explained() {
    let home = Home::new();
    for (args, part) in [
        (&["install"][..], "sage install claude-code"),
        (&["install", "cursor"], "sage install claude-code"),
        (&["uninstall"], "sage uninstall claude-code"),
        (
            &["install", "claude-code", "--scope", "all"],
            "expected user, project or local",
        ),
        (
            &["install", "claude-code", "--via", "ssh"],
            "expected stdio, http or docker",
        ),
        (
            &[
                "install",
                "claude-code",
                "--via",
                "http",
                "--server",
                "localhost",
            ],
            "http://HOST:PORT",
        ),
        (
            &["install", "claude-code", "--server", "http://h:1"],
            "only --via http",
        ),
    ] {
        let finished = run(&home, args);
        assert_eq!(finished.code, 2, "{args:?}");
        assert!(
            finished.stderr.contains(part),
            "{args:?}: {}",
            finished.stderr
        );
    }
    let finished = crate::harness::finish(
        super::sage(&home, &["install", "claude-code", "--yes"]).env_remove("HOME"),
    );
    assert!(
        finished.code == 2 && finished.stderr.contains("HOME"),
        "{}",
        finished.stderr
    );
}
