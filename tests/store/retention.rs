//! Pruning and expiry: all of what was meant goes, once, and nothing else.

use std::process::{Child, Stdio};

use sage::memory::Timestamp;
use serde_json::{Value, json};

use super::consistency::{Tables, check_store as check};
use super::pipe::saves;
use super::rules::{Said, found, import, listed, remember};
use super::secrets::{still_there, word};
use super::{PROJECT, connect};
use crate::harness::{Home, Server, eventually, finish, on_every_store, on_postgres};

const OLD: &str = "2024-03-01T12:00:00Z";
const RECENT: &str = "2026-11-01T12:00:00Z";
const BETWEEN: &str = "2025-01-01";

/// Turns of a session, each with two words that no other has.
fn history(session: &str, at: &str, numbers: std::ops::Range<u64>) -> String {
    numbers
        .map(|n| {
            let said = Said {
                session,
                prompt_id: &format!("{session}-{n}"),
                cwd: "/nowhere/shop",
                at,
                prompt: &format!("What about {} at the gateway?", word(2 * n)),
                reply: &format!("It is {}, as ever.", word(2 * n + 1)),
            };
            said.lines()
        })
        .collect()
}

fn count(tables: &Tables<'_>) -> i64 {
    tables.number("SELECT count(*) FROM memory")
}

const PRUNE: [&str; 6] = ["prune", "--all", "--json", "--yes", "--older-than", BETWEEN];

fn start(home: &Home) -> Child {
    let mut command = home.command(PRUNE);
    command.stdout(Stdio::piped()).spawn().unwrap()
}

/// What a prune says that it deleted.
#[track_caller]
fn memories(child: Child) -> u64 {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    report["pruned"]["memories"].as_u64().unwrap_or_default()
}

on_every_store!(a_prune_takes_what_is_old_and_keeps_what_is_marked);
fn a_prune_takes_what_is_old_and_keeps_what_is_marked(home: Home) {
    import(&home, &history("old", OLD, 0..3));
    import(&home, &history("recent", RECENT, 3..5));
    for args in [
        &["--key", "port", "The port is 4317."][..],
        &["--key", "port", "The port is 4318."],
        &["--pin", "Never deploy on Fridays."],
        &["--tag", "draft", "Prices are in cents."],
    ] {
        remember(&home, args);
    }
    let aged = format!("UPDATE memory SET created_ms = 0 WHERE kind = 1; {AGED}");
    check(&home).run(&aged);
    let survey = |args: &[&str]| {
        let dry = ["prune", "--all", "--json", "--dry-run"];
        home.json([&dry[..], args].concat())
    };
    let dry = survey(&["--older-than", BETWEEN]);
    assert_eq!(dry["pruned"], Value::Null);
    assert_eq!(dry["preview"]["kept"], json!({"pinned": 1, "keyed": 1}));
    let groups = dry["preview"]["groups"].as_array().unwrap().iter();
    let groups = groups.map(|group| {
        let text = |name: &str| group[name].as_str().unwrap().to_owned();
        (text("project"), text("kind"), group["memories"].as_u64())
    });
    let expected = [("/nowhere/shop", "turn", 3), (PROJECT, "note", 1)];
    let expected = expected.map(|(key, kind, n)| (key.to_owned(), kind.to_owned(), Some(n)));
    assert_eq!(groups.collect::<Vec<_>>(), expected);
    assert_eq!(dry["preview"]["newest"], OLD);
    assert_eq!(count(&check(&home)), 9, "a dry run deletes nothing");

    // The same numbers in every store.
    let draft = home.json(
        [
            "prune",
            "--older-than",
            "0d",
            "--tag",
            "draft",
            "--kind",
            "note",
        ]
        .into_iter()
        .chain(["--project", PROJECT, "--yes", "--json"]),
    );
    let gone = json!({"memories": 1, "passages": 1, "index_entries": 5, "vectors": 0});
    assert_eq!(draft["pruned"], gone);
    let history = home.json(
        ["prune", "--older-than", "0d", "--superseded", "--all"]
            .into_iter()
            .chain(["--yes", "--json"]),
    );
    let gone = json!({"memories": 1, "passages": 0, "index_entries": 0, "vectors": 0});
    assert_eq!(history["pruned"], gone);
    let turns = home.json(PRUNE);
    let gone = json!({"memories": 3, "passages": 3, "index_entries": 18, "vectors": 0});
    assert_eq!(turns["pruned"], gone);
    assert_eq!(listed(&home).len(), 4);
    assert_eq!(found(&home, "gateway").len(), 2);
    let refused = import(&home, &self::history("old", OLD, 0..3))["refused"][0]["count"].clone();
    assert_eq!(refused, 3, "a replay does not bring them back");

    let all = [
        "prune",
        "--older-than",
        BETWEEN,
        "--include-pinned",
        "--all",
    ];
    let marked = home.json(all.into_iter().chain(["--yes", "--json"]));
    assert_eq!(marked["pruned"]["memories"], 2);
    assert_eq!(count(&check(&home)), 2);
}

/// Says of passages what their memories say.
const AGED: &str = "UPDATE passage SET
    created_ms = (SELECT created_ms FROM memory m WHERE m.id = memory_id),
    expires_ms = (SELECT expires_ms FROM memory m WHERE m.id = memory_id)";

on_every_store!(two_prunes_and_a_writer_do_not_disturb_each_other);
fn two_prunes_and_a_writer_do_not_disturb_each_other(home: Home) {
    const OLD_TURNS: u64 = 1_500;
    import(&home, &history("old", OLD, 0..OLD_TURNS));
    let mut pipe = connect(&home, "s");
    let mut saved = Vec::new();
    let prunes = [start(&home), start(&home)];
    pipe.exchange(&saves("s", 0..150), |answer| {
        assert!(!answer.is_error, "{answer:?}");
        saved.push(crate::mcp::id_in(&answer.text));
        true
    });
    pipe.end();
    let pruned: u64 = prunes.map(memories).into_iter().sum();
    assert_eq!(pruned, OLD_TURNS, "each was deleted once");
    let listed = listed(&home);
    let left: Vec<_> = listed.iter().map(|m| m["id"].as_str().unwrap()).collect();
    assert_eq!(left.len(), saved.len());
    assert!(saved.iter().all(|id| left.contains(&id.as_str())));
    check(&home);
}

on_every_store!(what_lies_apart_leaves_the_index_too);
/// The list of a common word has many parts then, and each loses a few of its passages.
fn what_lies_apart_leaves_the_index_too(home: Home) {
    const TURNS: u64 = 1_400;
    let lines = |n| match n % 9 {
        0 => history("old", OLD, n..n + 1),
        _ => history("recent", RECENT, n..n + 1),
    };
    import(&home, &(0..TURNS).map(lines).collect::<String>());
    assert_eq!(count(&check(&home)), TURNS as i64);
    let pruned = memories(start(&home));
    assert_eq!(pruned, TURNS.div_ceil(9));
    assert_eq!(count(&check(&home)) as u64, TURNS - pruned);
}

on_every_store!(a_prune_that_was_killed_is_taken_up_again);
fn a_prune_that_was_killed_is_taken_up_again(home: Home) {
    const OLD_TURNS: u64 = 1_500;
    import(&home, &history("old", OLD, 0..OLD_TURNS));
    import(&home, &history("recent", RECENT, OLD_TURNS..OLD_TURNS + 20));
    let before = count(&check(&home));
    let mut prune = start(&home);
    let left = {
        let tables = check_now(&home);
        eventually("a batch to be deleted", || {
            Some(count(&tables)).filter(|left| *left < before)
        })
    };
    prune.kill().unwrap();
    prune.wait().unwrap();
    let left = left.min(count(&check(&home)));
    assert!((20..before).contains(&left), "{left} are left");

    let again = memories(start(&home));
    assert_eq!(count(&check(&home)), 20);
    assert!(again <= before as u64 - 20);
    if home.postgres().is_none() {
        let owed = "SELECT count(*) FROM meta WHERE name = 'traces'";
        assert_eq!(check(&home).number(owed), 0, "nothing is owed any more");
        let gone = still_there(&home, 0..2 * OLD_TURNS);
        assert_eq!(gone, Vec::<u64>::new(), "words of what was pruned");
        let kept = 2 * OLD_TURNS..2 * (OLD_TURNS + 20);
        assert_eq!(still_there(&home, kept).len(), 40);
    }
}

#[test]
fn a_role_that_may_not_vacuum_prunes_all_the_same() {
    let test = "a_role_that_may_not_vacuum_prunes_all_the_same";
    on_postgres(test, |database| {
        let home = Home::on(database);
        import(&home, &history("old", OLD, 0..1_100));
        let database = home.postgres().unwrap();
        let role = format!("clerk_of_{}", database.name);
        database.sql(&format!(
            "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA sage TO {role};
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA sage TO {role};
             GRANT USAGE ON ALL SEQUENCES IN SCHEMA sage TO {role}"
        ));
        let url = database.url().replace("user=sage", &format!("user={role}"));
        let finished = finish(home.command(PRUNE).env("SAGE_DATABASE_URL", url));
        assert_eq!(finished.code, 0, "{}", finished.stderr);
        assert_eq!(count(&check(&home)), 0);
    });
}

/// The tables, without looking whether they are in order: somebody is at work on them.
fn check_now(home: &Home) -> Tables<'_> {
    match home.postgres() {
        Some(database) => Tables::Postgres(database),
        None => Tables::Sqlite(rusqlite::Connection::open(home.database()).unwrap()),
    }
}

/// How many memories a server says it deleted because their time was up.
fn expired(server: &Server) -> u64 {
    let page = server.get("/metrics").text().to_owned();
    let line = page
        .lines()
        .find_map(|line| line.strip_prefix("sage_expired_memories_total "));
    line.unwrap().parse().unwrap()
}

on_every_store!(of_two_servers_each_expired_memory_is_deleted_by_one);
fn of_two_servers_each_expired_memory_is_deleted_by_one(home: Home) {
    const TURNS: u64 = 1_000;
    import(&home, &history("gone", RECENT, 0..TURNS));
    import(&home, &history("stays", RECENT, TURNS..TURNS + 10));
    let sql = "UPDATE memory SET expires_ms = 1 WHERE session_id =
                   (SELECT id FROM session WHERE client_id = 'gone')";
    check(&home).run(&format!("{sql}; {AGED}"));
    let servers = [Server::start(&home), Server::start(&home)];
    // It is work to answer this; what has expired goes after it.
    for server in &servers {
        server.tool("get_status", json!({}));
    }
    let by_each = eventually("all to expire", || {
        let by_each = servers.each_ref().map(expired);
        (by_each.iter().sum::<u64>() >= TURNS).then_some(by_each)
    });
    println!("deleted by each: {by_each:?}");
    assert_eq!(by_each.iter().sum::<u64>(), TURNS);
    let tables = check(&home);
    assert_eq!(count(&tables), 10);
    if home.postgres().is_none() {
        eventually("the words to be gone", || {
            still_there(&home, 0..2 * TURNS).is_empty().then_some(())
        });
    }
    assert_eq!(servers.each_ref().map(expired), by_each, "and none twice");
}

on_every_store!(a_server_deletes_a_memory_when_its_time_is_up);
fn a_server_deletes_a_memory_when_its_time_is_up(home: Home) {
    let server = Server::start(&home);
    let soon = Timestamp::now().as_millisecond() + 3_000;
    let soon = Timestamp::from_millisecond(soon).unwrap().to_string();
    let note = json!({"content": "The freeze of the topaz branch holds.", "expires": soon});
    server.tool("remember", note);
    server.tool("remember", json!({"content": "The lantern is green."}));
    // Nobody asks for anything but this.
    eventually("it to go", || (expired(&server) == 1).then_some(()));
    assert_eq!(count(&check(&home)), 1);
}

on_every_store!(a_write_takes_what_has_expired_along);
fn a_write_takes_what_has_expired_along(home: Home) {
    remember(&home, &["--expires", "1h", "The freeze holds."]);
    remember(&home, &["--expires", "1h", "--pin", "The thaw comes."]);
    remember(&home, &["--expires", "9h", "The moon is far."]);
    let sql = "UPDATE memory SET expires_ms = 1 WHERE content <> 'The moon is far.'";
    check(&home).run(&format!("{sql}; {AGED}"));
    remember(&home, &["The lantern is green."]);
    assert_eq!(count(&check(&home)), 2);
    let none = home.json(["prune", "--expired", "--all", "--json", "--dry-run"]);
    assert_eq!(none["preview"]["memories"], 0, "{none}");

    check(&home).run(&format!("UPDATE memory SET expires_ms = 1; {AGED}"));
    let pruned = home.json(["prune", "--expired", "--all", "--json", "--yes"]);
    assert_eq!(pruned["pruned"]["memories"], 2, "{pruned}");
    assert_eq!(count(&check(&home)), 0);
}
