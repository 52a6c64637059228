//! Help, versions, settings, and calls that are wrong.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use serde_json::{Value, json};

use super::{parse, text};
use crate::harness::{Home, finish};

/// Every subcommand with a call that its parser takes.
const COMMANDS: [&str; 13] = [
    "import", "search", "context", "remember", "show", "list", "sessions", "forget", "stats",
    "serve", "mcp", "config", "version",
];

#[test]
fn help_is_there_in_every_way_that_people_try() {
    let home = Home::new();
    let top = home.ok(["--help"]);
    assert_eq!(home.ok(["help"]), top);
    assert_eq!(home.ok(["-h"]), top);
    for command in COMMANDS {
        assert!(top.contains(&format!("\n  {command} ")), "{command}: {top}");
        let help = home.ok([command, "--help"]);
        assert!(
            help.starts_with(&format!("Usage: sage {command}")),
            "{help}"
        );
        assert_eq!(home.ok(["help", command]), help);
        assert_eq!(home.ok([command, "-h"]), help);
    }
    let nested = home.ok(["help", "import", "claude-code"]);
    assert!(nested.contains("transcripts"), "{nested}");
}

#[test]
fn versions_agree() {
    let home = Home::new();
    let version = env!("CARGO_PKG_VERSION");
    for args in [["version"], ["--version"], ["-V"]] {
        assert_eq!(home.ok(args), format!("sage {version}\n"));
    }
    assert_eq!(
        home.json(["version", "--json"]),
        json!({"version": version})
    );
}

#[test]
fn wrong_calls_say_what_to_do_and_exit_with_2() {
    let home = Home::new();
    let calls: [(&[&str], &str); 16] = [
        (&["serch", "x"], "did you mean `sage search`?"),
        (&["frobnicate"], "`sage --help`"),
        (&["--frobnicate"], "--frobnicate: not known here"),
        (&["search", "--frobnicate", "x"], "`sage search --help`"),
        (&["search", "--limit"], "--limit: expected a value"),
        (
            &["search", "--limit", "many", "x"],
            "expected a whole number, got \"many\"",
        ),
        (
            &["search", "--limit=0", "x"],
            "--limit: expected 1 to 100, got 0",
        ),
        (
            &["search", "--kind", "thought", "x"],
            "--kind: expected turn, note or summary",
        ),
        (&["search", "--after", "soon", "x"], "--after: "),
        (
            &["search", "--project", "a", "--project", "b", "x"],
            "--project: given twice",
        ),
        (&["search", " "], "QUERY: expected some words"),
        (
            &["context", "--tokens", "7", "x"],
            "--tokens: expected 100 to 20000, got 7",
        ),
        (&["remember"], "TEXT: expected some words"),
        (&["show"], "ID: expected ids"),
        (&["show", "no-id"], "expected a memory id"),
        (&["import"], "sage import claude-code"),
    ];
    for (args, expected) in calls {
        let finished = home.run(args);
        assert_eq!(finished.code, 2, "{args:?}: {}", finished.stderr);
        assert_eq!(finished.stdout, "", "{args:?}");
        assert!(finished.stderr.starts_with("sage: "), "{}", finished.stderr);
        assert!(
            finished.stderr.contains(expected),
            "{args:?}: {}",
            finished.stderr
        );
    }
}

#[test]
fn errors_are_json_where_json_was_asked_for() {
    let home = Home::new();
    for args in [
        &["search", "--json", "--limit", "0", "x"][..],
        &["serch", "--json"],
    ] {
        let finished = home.run(args);
        assert_eq!(finished.code, 2);
        let error = parse(&finished.stderr);
        assert_eq!(error["error"]["kind"], "invalid", "{error}");
        assert!(error["error"]["message"].is_string(), "{error}");
    }
    let behind_the_dashes = home.run(["serch", "--", "--json"]);
    assert!(behind_the_dashes.stderr.starts_with("sage: "));
}

#[test]
fn an_argument_that_is_no_text_is_refused() {
    let home = Home::new();
    let finished = home.run([OsStr::new("search"), OsStr::from_bytes(b"caf\xe9")]);
    assert_eq!(finished.code, 2);
    assert!(finished.stderr.contains("UTF-8"), "{}", finished.stderr);
}

fn setting(home: &Home, variable: &str, environment: &[(&str, &str)], args: &[&str]) -> Value {
    let args = [&["config", "--json"], args].concat();
    let finished = finish(home.command(args).envs(environment.iter().copied()));
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let config = parse(&finished.stdout);
    let settings = config["settings"].as_array().unwrap();
    let row = settings.iter().find(|row| row["variable"] == variable);
    row.unwrap_or_else(|| panic!("{variable} in {config}"))
        .clone()
}

#[test]
fn flags_win_over_the_environment_and_that_over_defaults() {
    let home = Home::new();
    let default = setting(&home, "SAGE_PROJECT", &[], &[]);
    assert_eq!(
        (&default["value"], &default["origin"]),
        (&Value::Null, &json!("default"))
    );

    let environment = [("SAGE_PROJECT", "from-environment"), ("SAGE_REDACT", "off")];
    let row = setting(&home, "SAGE_PROJECT", &environment, &[]);
    assert_eq!(row["value"], "from-environment");
    assert_eq!(row["origin"], "environment");
    assert_eq!(
        setting(&home, "SAGE_REDACT", &environment, &[])["value"],
        "off"
    );

    let row = setting(
        &home,
        "SAGE_PROJECT",
        &environment,
        &["--project", "from-flag"],
    );
    assert_eq!(row["value"], "from-flag");
    assert_eq!(row["origin"], "flag");

    let row = setting(&home, "SAGE_DATA_DIR", &[], &["--data-dir=/elsewhere"]);
    assert_eq!(row["value"], "/elsewhere");
    let row = setting(&home, "SAGE_DATA_DIR", &[("SAGE_DATA_DIR", "")], &[]);
    assert_eq!(row["value"], text(&home.path().join(".local/share/sage")));
    assert_eq!(row["origin"], "default");
}

#[test]
fn every_setting_is_explained() {
    let home = Home::new();
    let table = home.ok(["config"]);
    let config = home.json(["config", "--json"]);
    for row in config["settings"].as_array().unwrap() {
        for field in ["variable", "origin", "default", "meaning"] {
            assert!(
                row[field].as_str().is_some_and(|word| !word.is_empty()),
                "{row}"
            );
        }
        assert!(table.contains(row["variable"].as_str().unwrap()), "{table}");
        assert!(table.contains(row["meaning"].as_str().unwrap()), "{table}");
    }
    assert!(table.contains(text(&home.data_dir())), "{table}");
}

#[test]
fn a_bad_setting_is_one_line_and_exit_code_2() {
    let home = Home::new();
    for (variable, value) in [
        ("SAGE_PROJECT", " "),
        ("SAGE_REDACT", "maybe"),
        ("SAGE_CONTEXT_TOKENS", "7"),
        ("SAGE_DATA_DIR", "relative/folder"),
    ] {
        for command in ["config", "stats"] {
            let finished = finish(home.command([command]).env(variable, value));
            assert_eq!(finished.code, 2, "{variable}: {}", finished.stderr);
            assert_eq!(finished.stderr.lines().count(), 1, "{}", finished.stderr);
            assert!(finished.stderr.contains(variable), "{}", finished.stderr);
            assert!(finished.stderr.contains(value), "{}", finished.stderr);
        }
    }
}
