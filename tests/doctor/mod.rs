//! `sage doctor`: what it says of machines in every state.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::harness::{Finished, Home, Server, finish};

/// Nobody listens there.
const NOWHERE: &str = "9";

/// Asks on a machine whose `PATH` has nothing but what a test puts there.
fn ask(home: &Home, variables: &[(&str, &str)], args: &[&str]) -> Finished {
    let args = [&["doctor"], args].concat();
    let mut command = home.command(args);
    command
        .env("PATH", home.path().join("bin"))
        .env("SAGE_PORT", NOWHERE);
    finish(
        command
            .envs(variables.iter().copied())
            .current_dir(home.project("shop")),
    )
}

/// The state, the text and the advice of a check.
#[track_caller]
fn check(home: &Home, variables: &[(&str, &str)], name: &str) -> (String, String, String) {
    let finished = ask(home, variables, &["--json"]);
    let report: Value = serde_json::from_str(&finished.stdout).unwrap();
    let checks = report["checks"].as_array().unwrap();
    let failed = checks.iter().any(|check| check["state"] == "fail");
    assert_eq!(
        (finished.code, &report["well"]),
        (i32::from(failed), &json!(!failed)),
        "{report}"
    );
    let check = checks.iter().find(|check| check["name"] == name);
    let check = check.unwrap_or_else(|| panic!("no {name} in {report}"));
    let text = |name: &str| check[name].as_str().unwrap_or_default().to_owned();
    (text("state"), text("text"), text("advice"))
}

#[test]
fn a_new_machine_is_told_what_to_do_and_stays_new() {
    let home = Home::new();
    let finished = ask(&home, &[], &[]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    assert!(
        finished.stdout.contains("-> sage install claude-code"),
        "{}",
        finished.stdout
    );
    assert!(
        finished.stdout.contains("made by the first memory"),
        "{}",
        finished.stdout
    );
    assert!(!home.data_dir().exists(), "looking made a store");
    assert_eq!(check(&home, &[], "hooks").0, "warn");
    assert_eq!(check(&home, &[], "tools").0, "warn");
    let (state, text, _) = check(&home, &[], "server");
    assert!(state == "ok" && text.contains("none is needed"), "{text}");
}

#[test]
fn what_was_set_up_is_well() {
    let home = Home::new();
    home.ok(["remember", "--project", "shop", "Walruses swim at noon."]);
    finish(
        home.command(["install", "claude-code", "--yes"])
            .env("PATH", "/nowhere"),
    );
    for name in [
        "sage", "store", "folder", "spool", "clock", "server", "client", "hooks", "tools",
    ] {
        let (state, text, advice) = check(&home, &[], name);
        assert_eq!(
            (state.as_str(), advice.as_str()),
            ("ok", ""),
            "{name}: {text}"
        );
    }
    let (_, text, _) = check(&home, &[], "store");
    assert!(text.contains(", 1 memory, sound"), "{text}");
}

#[test]
fn in_the_home_nothing_is_there_twice() {
    let home = Home::new();
    // The first thing that somebody does, in the folder where a terminal opens.
    for args in [&["install", "claude-code", "--yes"][..], &["doctor"]] {
        let mut command = home.command(args);
        command.env("PATH", "/nowhere").env("SAGE_PORT", NOWHERE);
        let finished = finish(&mut command);
        assert_eq!(finished.code, 0, "{}", finished.stderr);
        let said = finished.stdout + &finished.stderr;
        assert!(!said.contains("project scope"), "{said}");
        assert!(!said.contains("--scope"), "{said}");
    }
}

#[test]
fn a_damaged_store_is_found() {
    let home = Home::new();
    home.ok(["remember", "--project", "shop", "Walruses swim at noon."]);
    let db = Connection::open(home.database()).unwrap();
    db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    drop(db);
    let mut bytes = fs::read(home.database()).unwrap();
    // A page of a table, well behind the schema: what it says about itself is nonsense now.
    let page = u16::from_be_bytes([bytes[16], bytes[17]]) as usize;
    let at = bytes.len() - page;
    bytes[at..at + 100].fill(0xee);
    fs::write(home.database(), &bytes).unwrap();
    let (state, text, advice) = check(&home, &[], "store");
    assert!(
        state == "fail" && !text.contains("sound"),
        "{text} {advice}"
    );
    fs::write(home.database(), "this is no database at all").unwrap();
    let (state, _, advice) = check(&home, &[], "store");
    assert!(state == "fail" && advice.contains("damaged"), "{advice}");
}

#[test]
fn what_others_may_read_is_told() {
    let home = Home::new();
    home.ok(["remember", "--project", "shop", "Walruses swim at noon."]);
    let mode = fs::Permissions::from_mode(0o644);
    fs::set_permissions(home.database(), mode).unwrap();
    let (state, text, advice) = check(&home, &[], "folder");
    assert!(state == "warn" && text.contains("sage.db"), "{text}");
    assert!(advice.starts_with("chmod -R go= "), "{advice}");
}

#[test]
fn events_that_wait_are_counted() {
    let home = Home::new();
    let spool = home.data_dir().join("spool/store");
    fs::create_dir_all(&spool).unwrap();
    for name in [
        "0000000000001-a.json",
        "0000000000002-b.json",
        ".0000000000003-c.json",
    ] {
        fs::write(spool.join(name), "{}").unwrap();
    }
    let (state, text, advice) = check(&home, &[], "spool");
    assert_eq!((state.as_str(), text.as_str()), ("ok", "events wait: 2"));
    assert!(advice.contains("next hook"), "{advice}");
    for number in 0..100 {
        fs::write(spool.join(format!("1{number:012}-x.json")), "{}").unwrap();
    }
    assert_eq!(check(&home, &[], "spool").0, "warn");
    fs::remove_dir_all(&spool).unwrap();
    fs::create_dir_all(&spool).unwrap();
    fs::write(spool.join("damaged-1.json"), "").unwrap();
    assert_eq!(check(&home, &[], "spool").0, "warn");
}

#[test]
fn a_server_is_asked_what_it_is() {
    let home = Home::new();
    let server = Server::start(&home);
    home.ok(["remember", "--project", "shop", "Walruses swim at noon."]);
    let port = server.port().to_string();
    let (state, text, _) = check(&home, &[("SAGE_PORT", &port)], "server");
    assert!(state == "ok" && text.ends_with("the same store"), "{text}");
    // Another person's machine, or another data folder.
    let other = Home::new();
    other.ok(["remember", "--project", "shop", "Seals swim at night."]);
    let (state, text, advice) = check(&other, &[("SAGE_PORT", &port)], "server");
    assert!(state == "warn" && text.contains("another store"), "{text}");
    assert!(advice.contains("SAGE_SERVER"), "{advice}");
    let url = format!("http://127.0.0.1:{port}");
    assert_eq!(check(&other, &[("SAGE_SERVER", &url)], "server").0, "ok");
    drop(server);
    let (state, text, advice) = check(&other, &[("SAGE_SERVER", &url)], "server");
    assert!(state == "fail" && text.contains("nobody answers"), "{text}");
    assert!(advice.contains("sage serve"), "{advice}");
    // Hooks that ask over HTTP need it just as much.
    let install = [
        "install",
        "claude-code",
        "--via",
        "http",
        "--server",
        &url,
        "--yes",
    ];
    finish(home.command(install).env("PATH", "/nowhere"));
    assert_eq!(check(&home, &[], "server").0, "fail");
}

#[test]
fn a_token_is_told_to_the_server_that_was_named_alone() {
    let home = Home::new();
    let secret = "correct-horse_battery.staple~42";
    let server = Server::with(&home, &[("SAGE_TOKEN", secret)]);
    let url = format!("http://127.0.0.1:{}", server.port());
    let (state, text, advice) = check(&home, &[("SAGE_SERVER", &url)], "server");
    assert!(state == "fail" && text.contains("token"), "{text}");
    assert!(advice.contains("SAGE_TOKEN"), "{advice}");
    let named = [("SAGE_SERVER", url.as_str()), ("SAGE_TOKEN", secret)];
    assert_eq!(check(&home, &named, "server").0, "ok");
    // Whoever has the port may be anybody.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let stranger = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut part = [0; 4096];
        let count = stream.read(&mut part).unwrap();
        let nothing = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(nothing.as_bytes()).unwrap();
        String::from_utf8_lossy(&part[..count]).into_owned()
    });
    let found = [("SAGE_PORT", port.as_str()), ("SAGE_TOKEN", secret)];
    let (state, text, _) = check(&home, &found, "server");
    assert!(state == "ok" && text.contains("another program"), "{text}");
    assert!(!stranger.join().unwrap().contains(secret));
}

#[test]
fn settings_that_hold_hooks_back_are_named() {
    let home = Home::new();
    finish(
        home.command(["install", "claude-code", "--yes"])
            .env("PATH", "/nowhere"),
    );
    let path = home.path().join(".claude/settings.json");
    let installed = fs::read_to_string(&path).unwrap();
    let told = |text: &str, name: &str| {
        fs::write(&path, text).unwrap();
        check(&home, &[], name)
    };
    let off = installed.replacen('{', "{\"disableAllHooks\": true,", 1);
    assert!(told(&off, "hooks").2.contains("disableAllHooks"));
    let stop = installed.replace("\"Stop\"", "\"Notification\"");
    let (state, text, _) = told(&stop, "hooks");
    assert!(state == "warn" && text.ends_with("without Stop"), "{text}");
    let executable = crate::harness::executable().to_str().unwrap();
    let gone = installed.replace(executable, "/nowhere/sage");
    let (state, text, advice) = told(&gone, "hooks");
    assert!(
        state == "fail" && text.contains("/nowhere/sage is not there"),
        "{text}"
    );
    assert_eq!(advice, "sage install claude-code --scope user");
    let plugin = installed.replacen('{', "{\"enabledPlugins\": {\"sage@sage\": true},", 1);
    let (state, _, advice) = told(&plugin, "hooks");
    assert!(
        state == "warn" && advice.contains("plugin uninstall"),
        "{advice}"
    );
    assert_eq!(told("{", "settings").0, "fail");
    let comment = installed.replacen('{', "{ // mine\n", 1);
    let (state, text, _) = told(&comment, "settings");
    assert!(
        state == "fail" && text.contains("plain JSON only"),
        "{text}"
    );
}

#[test]
fn a_key_alone_is_explained() {
    let home = Home::new();
    let key = ("SILICONFLOW_API_KEY", "sk-0123456789");
    let (_, _, advice) = check(&home, &[key], "model");
    assert!(advice.contains("SAGE_PROVIDER=siliconflow"), "{advice}");
    let finished = ask(&home, &[key, ("SAGE_PROVIDER", "siliconflow")], &[]);
    assert!(!finished.stdout.contains("  model"), "{}", finished.stdout);
}

#[test]
fn memories_from_the_future_are_suspicious() {
    let home = Home::new();
    home.ok(["remember", "--project", "shop", "Walruses swim at noon."]);
    let db = Connection::open(home.database()).unwrap();
    db.execute("UPDATE memory SET created_ms = created_ms + 3600000", [])
        .unwrap();
    drop(db);
    let (state, text, _) = check(&home, &[], "clock");
    assert!(state == "warn" && text.contains("later"), "{text}");
}
