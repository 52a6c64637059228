//! What reaches a terminal, and what happens without one.

use std::process::{Command, Stdio};

use super::{ok_in, parse, remember, run_in, text};
use crate::harness::{Finished, Home, executable, finish_with_input, skipped};

const HOSTILE: &str = "Watch \x1b[31mred\x1b[0m \x07bells \u{9b}2J and \u{202e}reversed text.";

#[test]
fn stored_text_never_steers_a_terminal() {
    let home = Home::new();
    let shop = home.project("shop");
    let mut command = home.command(["remember", "--json", "--kind", "summary", "-"]);
    command.env("CLAUDE_PROJECT_DIR", &shop);
    let finished = finish_with_input(&mut command, HOSTILE.as_bytes());
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let id = parse(&finished.stdout)["id"].as_str().unwrap().to_owned();
    for args in [
        &["search", "reversed", "bells"][..],
        &["search", "--json", "reversed", "bells"],
        &["context", "reversed", "bells"],
        &["list"],
        &["list", "--json"],
        &["show", &id],
        &["show", "--json", &id],
        &["forget", &id],
    ] {
        let finished = run_in(&home, &shop, args);
        assert!(
            finished.stdout.contains("bells"),
            "{args:?}: {}",
            finished.stdout
        );
        let output = finished.stdout + &finished.stderr;
        let dangerous = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!output.contains(dangerous), "{args:?}: {output:?}");
    }
    let shown = ok_in(&home, &shop, &["show", "--json", &id]);
    let content = parse(&shown)["memories"][0]["content"].clone();
    assert!(
        content.as_str().unwrap().contains('\u{202e}'),
        "JSON keeps the text as it is"
    );
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let home = Home::new();
    let shop = home.project("shop");
    remember(&home, &shop, &["Something to list."]);
    for args in [&["list"][..], &["list", "--json"], &["--help"], &["config"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = home.command(args);
        command.env("CLAUDE_PROJECT_DIR", &shop);
        let child = command
            .stdout(writer)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}: {stderr}");
        assert!(
            !stderr.contains("sage: ") && !stderr.contains("panic"),
            "{stderr}"
        );
    }
}

#[test]
fn a_disk_that_is_full_is_a_failure() {
    let home = Home::new();
    let Ok(full) = std::fs::File::options().write(true).open("/dev/full") else {
        return skipped("a_disk_that_is_full_is_a_failure", "there is no /dev/full");
    };
    let mut command = home.command(["--help"]);
    let child = command.stdout(full).stderr(Stdio::piped()).spawn().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.starts_with("sage: the answer could not be written"),
        "{stderr}"
    );
}

/// Runs `sage ARGS` on a terminal of its own, with `input` typed; stdout and stderr come together.
fn on_terminal(home: &Home, args: &str, set: &[(&str, &str)], input: &str) -> Option<Finished> {
    let line = format!("{} {args}", text(executable()));
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
        .env("HOME", home.path())
        .env("SAGE_DATA_DIR", home.data_dir());
    command
        .env("CLAUDE_PROJECT_DIR", home.project("shop"))
        .env("TERM", "xterm");
    command.envs(set.iter().copied()).current_dir(home.path());
    let there = Command::new("script")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_ok();
    there.then(|| finish_with_input(&mut command, input.as_bytes()))
}

#[test]
fn a_terminal_gets_colour_and_lines_that_fit() {
    let home = Home::new();
    let shop = home.project("shop");
    let long = "The deployment runs on Tuesdays ".repeat(20);
    remember(&home, &shop, &[&long]);
    let search = "search tuesdays";
    let Some(shown) = on_terminal(&home, search, &[("COLUMNS", "60")], "") else {
        return skipped(
            "a_terminal_gets_colour",
            "there is no `script` to make a terminal",
        );
    };
    assert_eq!(shown.code, 0, "{}", shown.stdout);
    assert!(
        shown.stdout.contains("\x1b[1mTuesdays\x1b[0m"),
        "{:?}",
        shown.stdout
    );
    let extract = shown
        .stdout
        .lines()
        .find(|line| line.starts_with("    "))
        .unwrap();
    let plain = extract.replace("\x1b[1m", "").replace("\x1b[0m", "");
    assert!(plain.trim_end().chars().count() <= 60, "{plain:?}");

    for set in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let plain = on_terminal(&home, search, &[set], "").unwrap().stdout;
        assert!(plain.contains("Tuesdays"), "{plain}");
        assert!(!plain.contains('\x1b'), "{set:?}: {plain:?}");
    }
    let piped = run_in(&home, &shop, &["search", "tuesdays"]);
    assert!(
        !piped.stdout.contains('\x1b') && !piped.stderr.contains('\x1b'),
        "{piped:?}"
    );
}

#[test]
fn on_a_terminal_forget_asks() {
    let home = Home::new();
    let shop = home.project("shop");
    let id = remember(&home, &shop, &["Something to forget."]);
    let forget = format!("forget {id}");
    let Some(refused) = on_terminal(&home, &forget, &[], "n\n") else {
        return skipped(
            "on_a_terminal_forget_asks",
            "there is no `script` to make a terminal",
        );
    };
    assert!(refused.stdout.contains("[y/N]"), "{}", refused.stdout);
    assert!(
        refused.stdout.contains("Nothing was forgotten"),
        "{}",
        refused.stdout
    );
    assert_eq!(run_in(&home, &shop, &["show", &id]).code, 0);
    let agreed = on_terminal(&home, &forget, &[], "y\n").unwrap();
    assert_eq!(agreed.code, 0, "{}", agreed.stdout);
    assert!(
        agreed
            .stdout
            .contains("Forgotten for good: 1 memory, with 1 passage, "),
        "{}",
        agreed.stdout
    );
    assert_eq!(run_in(&home, &shop, &["show", &id]).code, 1);
}

#[test]
fn on_a_terminal_prune_asks_and_shows_how_far_it_is() {
    let home = Home::new();
    let transcript = super::import::transcript("s", "/nowhere/shop", 300);
    let file = home.file("s.jsonl", transcript);
    home.ok(["import", "claude-code", text(&file)]);
    let prune = "prune --all --older-than 0d";
    let Some(refused) = on_terminal(&home, prune, &[], "n\n") else {
        return skipped(
            "on_a_terminal_prune_asks",
            "there is no `script` to make a terminal",
        );
    };
    let shown = refused.stdout;
    assert!(shown.contains("300 turns  /nowhere/shop"), "{shown}");
    assert!(shown.contains("Delete them? [y/N]"), "{shown}");
    assert!(shown.contains("Nothing was deleted"), "{shown}");
    let agreed = on_terminal(&home, prune, &[], "y\n").unwrap();
    assert_eq!(agreed.code, 0, "{}", agreed.stdout);
    let shown = agreed.stdout;
    assert!(shown.contains("\r\x1b[K250/300 memories  "), "{shown:?}");
    assert!(shown.contains("Deleted for good: 300"), "{shown}");
}

#[test]
fn on_a_terminal_an_import_shows_how_far_it_is() {
    let home = Home::new();
    let transcript = super::import::transcript("s", "/nowhere/shop", 300);
    let file = home.file("s.jsonl", transcript);
    let import = format!("import claude-code {}", text(&file));
    let Some(shown) = on_terminal(&home, &import, &[], "") else {
        return skipped(
            "an_import_shows_how_far_it_is",
            "there is no `script` to make a terminal",
        );
    };
    assert_eq!(shown.code, 0, "{}", shown.stdout);
    assert!(
        shown.stdout.contains("\r\x1b[K0/1 files  256 turns"),
        "{:?}",
        shown.stdout
    );
    assert!(shown.stdout.contains("turns stored"), "{}", shown.stdout);
}
