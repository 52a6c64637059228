//! What goes out comes in again, unchanged, and only once.

use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::{answer_alike, fill, import, lines, on_every_pair, records, same};
use crate::harness::{Home, finish_with_input, on_every_store};
use crate::store::check_store;
use crate::store::rules::transcript_turn;

#[test]
fn a_move_changes_nothing() {
    on_every_pair("a_move_changes_nothing", |from, to| {
        fill(&from, 0x5a6e);
        let before = records(&from);
        let of = |part: &str| before.iter().filter(|line| line.contains(part)).count();
        for part in [
            r#""type":"session""#,
            r#""type":"directory""#,
            r#""type":"forgotten""#,
            r#""superseded_by":"#,
            r#""versions":"#,
            r#""repeats":["#,
            r#""metadata":"{"#,
            r#""expires_at":"#,
            r#""pinned":true"#,
            r#""key":"key"#,
            r#""title":"测量 and levels""#,
            r#""type":"injection""#,
            r#""outcome":"no_room""#,
            r#""used":false"#,
            r#""type":"rule","project":"older-shop","alias":"shop""#,
            r#""type":"rule","project":"bakery","off":true"#,
            "水准仪",
        ] {
            assert!(of(part) > 0, "nothing of {part} to be moved");
        }
        let file = from.file("all.jsonl", from.ok(["export"]));
        let summary = import(&to, &file);
        let memories = of(r#""type":"memory""#) as u64;
        let history = of(r#""superseded_by":"#) as u64;
        let expected = json!({"stored": memories - history, "history": history, "updated": 0,
                              "known": 0, "forgotten": 0, "orphaned": 0});
        assert_eq!(summary["memories"], expected);
        check_store(&to);
        same(&before, &records(&to));
        answer_alike(&from, &to);

        // Once more adds nothing.
        let again = import(&to, &file);
        let expected = json!({"stored": 0, "history": 0, "updated": 0, "known": memories,
                              "forgotten": 0, "orphaned": 0});
        assert_eq!(again["memories"], expected);
        for name in [
            "sessions",
            "directories",
            "forgotten_events",
            "rules",
            "injections",
            "vectors",
        ] {
            assert_eq!(again[name], 0, "{name}");
        }
        same(&before, &records(&to));
        check_store(&to);
    });
}

#[test]
fn a_move_joins_what_is_there() {
    on_every_pair("a_move_joins_what_is_there", |from, to| {
        let project = ["--project", "shop"];
        let keep = |home: &Home, args: &[&str]| {
            let args = [&["remember", "--json"], &project[..], args].concat();
            home.json(args)["id"].as_str().unwrap().to_owned()
        };
        let turns = |home: &Home, turns: &[(&str, &str)]| {
            let lines: String = turns
                .iter()
                .map(|(id, reply)| transcript_turn("s", id, &format!("What of {id}?"), reply))
                .collect();
            let file = home.file("turns.jsonl", lines);
            home.ok(["import", "claude-code", file.to_str().unwrap()]);
        };
        // The same conversation, of which each has another part, and one more of a turn.
        turns(
            &from,
            &[("p1", "It floats, in salt water."), ("p2", "It sinks.")],
        );
        turns(&to, &[("p1", "It floats."), ("p3", "It turns.")]);
        // A key that both know: the later one holds.
        keep(&to, &["--key", "port", "The port is 80."]);
        keep(&from, &["--key", "port", "The port is 8080."]);
        let newest = keep(&from, &["--key", "port", "The port is 9090."]);
        keep(&from, &["--key", "host", "The host is amber."]);
        let newest_host = keep(&to, &["--key", "host", "The host is beryl."]);
        // Words that both know.
        keep(&from, &["Ships have keels."]);
        let keels = keep(&to, &["Ships have keels."]);

        let file = from.file("all.jsonl", from.ok(["export"]));
        let memories = import(&to, &file)["memories"].clone();
        assert_eq!(memories["updated"], 1, "{memories}");
        assert_eq!(memories["known"], 1, "{memories}");
        check_store(&to);
        let again = import(&to, &file)["memories"].clone();
        assert_eq!(
            (&again["stored"], &again["updated"]),
            (&json!(0), &json!(0)),
            "{again}"
        );
        let found = |query: &str| to.json(["search", "--all", "--json", query])["hits"][0].clone();
        assert_eq!(found("port")["id"], newest.as_str());
        assert_eq!(found("host")["id"], newest_host.as_str());
        assert_eq!(found("keels")["id"], keels.as_str());
        assert_eq!(found("floats")["reply"], "It floats, in salt water.");
        let shown = to.ok(["show", &newest_host]);
        assert!(shown.contains("amber"), "{shown}");
        let shown = to.ok(["show", &newest]);
        assert!(
            shown.contains("8080") && shown.contains("is 80."),
            "{shown}"
        );

        // A later export brings what has changed since.
        let later = keep(&from, &["--key", "port", "The port is 7070."]);
        let file = from.file("later.jsonl", from.ok(["export"]));
        assert_eq!(import(&to, &file)["memories"]["stored"], 1);
        assert_eq!(found("port")["id"], later.as_str());
        check_store(&to);
    });
}

#[test]
fn what_was_forgotten_here_stays_forgotten() {
    on_every_pair("what_was_forgotten_here_stays_forgotten", |from, to| {
        let lines = transcript_turn("s", "p1", "What is on the ring?", "It is a sapphire.");
        for home in [&from, &to] {
            let file = home.file("turns.jsonl", &lines);
            home.ok(["import", "claude-code", file.to_str().unwrap()]);
        }
        let filter = ["forget", "--all", "--yes", "--session", "s"];
        to.ok(filter);
        let file = from.file("all.jsonl", from.ok(["export"]));
        let memories = import(&to, &file)["memories"].clone();
        assert_eq!(memories["forgotten"], 1, "{memories}");
        check_store(&to);

        // And what was forgotten there is not brought by a replay, nor deleted where it is.
        let gone = to.file("gone.jsonl", to.ok(["export"]));
        assert_eq!(import(&from, &gone)["forgotten_events"], 0);
        let third = to.another();
        assert_eq!(import(&third, &gone)["forgotten_events"], 1);
        let file = third.file("turns.jsonl", &lines);
        third.ok(["import", "claude-code", file.to_str().unwrap()]);
        assert!(!third.ok(["export"]).contains("sapphire"));
    });
}

on_every_store!(a_projects_export_tells_nothing_of_others);
fn a_projects_export_tells_nothing_of_others(home: Home) {
    fill(&home, 0xbeef);
    let export = home.ok(["export", "--project", "shop"]);
    let foreign = ["bakery", "Quay", "/home/somebody"];
    let other_directories: Vec<Value> = lines(&export)
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &Value| line["type"] == "directory" && line["project"] != "shop")
        .collect();
    assert_eq!(other_directories, Vec::<Value>::new());
    for name in &foreign[..2] {
        // Sessions are called after their project here.
        let mention = format!("\"{name}\"");
        assert!(!export.contains(&mention), "{name}");
    }
    let other = home.another();
    let file = home.file("shop.jsonl", &export);
    import(&other, &file);
    check_store(&other);
    same(&lines(&export), &records(&other));
}

on_every_store!(an_export_while_others_write_is_one_moment);
fn an_export_while_others_write_is_one_moment(home: Home) {
    fill(&home, 0xfeed);
    let is_done = AtomicBool::new(false);
    let exports: Vec<String> = std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0.. {
                if is_done.load(Ordering::Relaxed) {
                    return;
                }
                let text = format!("Note {number} on the state of the lantern.");
                let key = format!("lantern{}", number % 3);
                home.ok(["remember", "--project", "shop", "--key", &key, &text]);
            }
        });
        let exports = (0..4).map(|_| home.ok(["export"])).collect();
        is_done.store(true, Ordering::Relaxed);
        exports
    });
    for export in exports {
        let other = home.another();
        let file = home.file("all.jsonl", &export);
        import(&other, &file);
        check_store(&other);
        same(&lines(&export), &records(&other));
    }
}

on_every_store!(a_file_is_written_whole_and_for_its_owner_alone);
fn a_file_is_written_whole_and_for_its_owner_alone(home: Home) {
    fill(&home, 1);
    let path = home.path().join("out/all.jsonl");
    let name = path.to_str().unwrap();
    let missing = home.run(["export", name]);
    assert_eq!(missing.code, 1);
    assert!(
        missing.stderr.contains("cannot be written"),
        "{}",
        missing.stderr
    );
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    let report = home.json(["export", "--json", name]);
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let written = std::fs::read_to_string(&path).unwrap();
    assert_eq!(report["bytes"], written.len());
    let last: Value = serde_json::from_str(written.lines().last().unwrap()).unwrap();
    assert_eq!(report["records"], last["records"]);
    assert_eq!(report["sha256"], last["sha256"]);
    same(&lines(&written), &records(&home));
    assert_eq!(
        std::fs::read_dir(path.parent().unwrap()).unwrap().count(),
        1
    );
    let wrong = home.run(["export", "--json"]);
    assert_eq!(wrong.code, 2, "{}", wrong.stderr);

    // Through a pipe, with the words of a person.
    let other = home.another();
    let mut command = other.command(["import", "sage", "-"]);
    let piped = finish_with_input(&mut command, written.as_bytes());
    assert_eq!(piped.code, 0, "{}", piped.stderr);
    assert!(piped.stdout.contains("memories added"), "{}", piped.stdout);
    same(&records(&home), &records(&other));
}

#[test]
fn an_empty_store_is_an_export_too() {
    on_every_pair("an_empty_store_is_an_export_too", |from, to| {
        let export = from.ok(["export"]);
        assert_eq!(export.lines().count(), 2, "{export}");
        import(&to, &from.file("all.jsonl", &export));
        assert_eq!(records(&to), Vec::<String>::new());
    });
}
