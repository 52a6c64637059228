//! Files that are no store, not this Sage's, or broken: told, never touched, never fatal.

use std::path::Path;

use rusqlite::Connection;
use serde_json::json;

use super::consistency::check;
use super::pipe::{call, saves};
use super::{PROJECT, connect, number, server};
use crate::harness::{Client, Era, Home};

const PAGE_BYTES: usize = 4096;

/// A store with a few hundred turns, all of it in `sage.db`.
fn filled(home: &Home) -> Vec<u8> {
    let mut pipe = connect(home, "before");
    pipe.exchange(&saves("before", 0..100), |answer| {
        assert!(!answer.is_error, "{answer:?}");
        true
    });
    pipe.end();
    let db = check(&home.database());
    db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    drop(db);
    std::fs::read(home.database()).unwrap()
}

/// Replaces the database and whatever came with it.
fn put_database(home: &Home, bytes: &[u8]) {
    let _ = std::fs::remove_dir_all(home.data_dir());
    home.file("data/sage.db", bytes);
}

/// Every command says what is wrong with this file, and leaves it as it is.
#[track_caller]
fn check_refused(home: &Home, bytes: &[u8], words: &[&str]) {
    put_database(home, bytes);
    for args in [
        &["remember", "--project", PROJECT, "A note on quartz."][..],
        &["search", "--all", "gadget"],
        &["stats", "--all"],
    ] {
        let finished = home.run(args);
        assert_eq!(finished.code, 1, "{args:?}: {finished:?}");
        assert_eq!(finished.stderr.lines().count(), 1, "{}", finished.stderr);
        for word in words.iter().chain(&["sage.db"]) {
            assert!(
                finished.stderr.contains(word),
                "{word}: {}",
                finished.stderr
            );
        }
    }
    check_server(home, words);
    assert!(
        std::fs::read(home.database()).unwrap() == bytes,
        "the file was touched"
    );
}

/// The server answers, its tools tell what is wrong, and once the file is gone all is well.
#[track_caller]
fn check_server(home: &Home, words: &[&str]) {
    let before = std::fs::read(home.database()).unwrap();
    let mut client = Client::start(server(home, "s"), Era::Legacy("2025-11-25"));
    for (tool, arguments) in [
        ("remember", json!({"content": "A note on quartz."})),
        ("search_memory", json!({"query": "gadget"})),
    ] {
        let text = client.tool_error(tool, arguments);
        for word in words {
            assert!(text.contains(word), "{tool}: {word}: {text}");
        }
    }
    assert!(
        std::fs::read(home.database()).unwrap() == before,
        "the file was touched"
    );

    let aside = home.path().join("aside.db");
    std::fs::rename(home.database(), &aside).unwrap();
    client.tool("remember", json!({"content": "A note on quartz."}));
    let found = client.tool("search_memory", json!({"query": "quartz"}));
    assert!(found.contains("quartz"), "{found}");
    client.end();
    assert!(
        std::fs::read(&aside).unwrap() == before,
        "the file was touched"
    );
    let db = check(&home.database());
    assert_eq!(number(&db, "SELECT count(*) FROM memory"), 1);
    drop(db);
    put_database(home, &before);
}

#[test]
fn what_is_no_database_is_told() {
    let home = Home::new();
    let good = filled(&home);
    let garbage: Vec<u8> = (0..50_000_u32).map(|n| (n * 31 % 251) as u8).collect();
    check_refused(&home, &garbage, &["damaged", "Move it away"]);
    let mut header = good;
    header[..16].copy_from_slice(b"SQLite format 9\0");
    check_refused(&home, &header, &["damaged", "Move it away"]);
}

#[test]
fn the_first_pages_are_read_at_the_start() {
    let home = Home::new();
    let mut bytes = filled(&home);
    // The schema behind a good header.
    bytes[100..PAGE_BYTES].reverse();
    check_refused(&home, &bytes, &["damaged", "Move it away"]);
}

#[test]
fn a_database_of_another_program_is_left_alone() {
    let home = Home::new();
    let path = home.path().join("other.db");
    let db = Connection::open(&path).unwrap();
    db.execute_batch("CREATE TABLE bookmark (url TEXT); INSERT INTO bookmark VALUES ('x')")
        .unwrap();
    drop(db);
    let bytes = std::fs::read(path).unwrap();
    check_refused(&home, &bytes, &["another program", "SAGE_DATA_DIR"]);
}

#[test]
fn a_database_of_a_newer_sage_is_left_alone() {
    let home = Home::new();
    filled(&home);
    let db = Connection::open(home.database()).unwrap();
    let version = number(&db, "PRAGMA user_version");
    db.pragma_update(None, "user_version", version + 1).unwrap();
    db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    drop(db);
    let bytes = std::fs::read(home.database()).unwrap();
    check_refused(&home, &bytes, &["newer Sage", "Update sage"]);
}

/// Pages in the middle are met late or never; what meets them must say so, and nothing else breaks.
#[test]
fn damage_in_the_middle_is_told_by_what_meets_it() {
    let home = Home::new();
    let good = filled(&home);
    let pages = good.len() / PAGE_BYTES;
    let mut told = 0;
    for page in (2..pages).step_by(pages.div_ceil(12)) {
        let mut bytes = good.clone();
        let end = ((page + 3) * PAGE_BYTES).min(bytes.len());
        bytes[page * PAGE_BYTES..end]
            .iter_mut()
            .for_each(|byte| *byte ^= 0xa5);
        told += usize::from(tells_or_works(&home, &bytes));
    }
    assert!(told > 0, "no damage was ever met");
    let cut = good.len() / PAGE_BYTES / 2 * PAGE_BYTES;
    assert!(
        tells_or_works(&home, &good[..cut]),
        "half of the file is missing"
    );
    assert!(
        tells_or_works(&home, &good[..cut + 100]),
        "cut inside a page"
    );
}

/// Runs commands on a database; whether one of them told of damage. Each ends in good order.
#[track_caller]
fn tells_or_works(home: &Home, bytes: &[u8]) -> bool {
    put_database(home, bytes);
    let mut told = false;
    for args in [
        &["search", "--all", "gadget7 payment gateway widget"][..],
        &["list", "--all", "--limit", "100"],
        &["remember", "--project", PROJECT, "A note on the gateway."],
    ] {
        let finished = home.run(args);
        assert!([0, 1].contains(&finished.code), "{args:?}: {finished:?}");
        if finished.code == 1 {
            assert!(finished.stderr.contains("damaged"), "{}", finished.stderr);
            told = true;
        }
    }
    told
}

#[test]
fn a_server_leaves_a_database_that_was_moved_away() {
    let home = Home::new();
    let mut pipe = connect(&home, "s");
    pipe.save(1, "What was it called?", "It was called jasper.");
    let aside = home.project("aside");
    for name in ["sage.db", "sage.db-wal", "sage.db-shm"] {
        std::fs::rename(home.data_dir().join(name), aside.join(name)).unwrap();
    }
    pipe.save(2, "What is it called now?", "Now it is called garnet.");
    let found = pipe.ask(call(
        3,
        "search_memory",
        json!({"query": "jasper garnet called"}),
    ));
    assert!(found.text.contains("garnet"), "{found:?}");
    assert!(!found.text.contains("jasper"), "{found:?}");
    pipe.end();
    for path in [home.database(), aside.join("sage.db")] {
        assert_eq!(number(&check(&path), "SELECT count(*) FROM memory"), 1);
    }
}

/// The log and the shared memory of the old database stay behind, and are still in use.
#[test]
fn a_database_that_is_moved_alone_leaves_nothing_to_the_new_one() {
    let home = Home::new();
    let mut pipes = ["a", "b"].map(|session| connect(&home, session));
    for (n, pipe) in pipes.iter_mut().enumerate() {
        pipe.exchange(
            &saves("before", n as u64 * 20..n as u64 * 20 + 20),
            |answer| {
                assert!(!answer.is_error, "{answer:?}");
                true
            },
        );
    }
    std::fs::rename(home.database(), home.path().join("aside.db")).unwrap();
    for round in 0..3 {
        for pipe in &mut pipes {
            pipe.exchange(&saves("after", round * 10..round * 10 + 10), |answer| {
                assert!(!answer.is_error, "{answer:?}");
                true
            });
        }
    }
    let found = pipes[0].ask(call(
        1,
        "search_memory",
        json!({"query": "gadget7 gateway"}),
    ));
    assert!(found.text.contains("after"), "{found:?}");
    pipes.into_iter().for_each(super::pipe::Pipe::end);
    let db = check(&home.database());
    assert_eq!(number(&db, "SELECT count(*) FROM memory"), 60);
}

#[test]
fn a_server_that_met_damage_works_once_the_database_is_moved_away() {
    let home = Home::new();
    let mut bytes = filled(&home);
    // All but the schema, so that opening works and the first tool meets it.
    let schema_pages = 6 * PAGE_BYTES;
    bytes[schema_pages..]
        .iter_mut()
        .for_each(|byte| *byte ^= 0xa5);
    put_database(&home, &bytes);
    let mut pipe = connect(&home, "s");
    let note = || call(1, "remember", json!({"content": "A note on quartz."}));
    let told = pipe.ask(note());
    assert!(told.is_error && told.text.contains("damaged"), "{told:?}");
    std::fs::rename(home.database(), home.path().join("aside.db")).unwrap();
    let kept = pipe.ask(note());
    assert!(!kept.is_error, "{kept:?}");
    pipe.end();
    assert_eq!(
        number(&check(&home.database()), "SELECT count(*) FROM memory"),
        1
    );
}

#[test]
fn a_data_folder_that_is_deleted_is_made_again_by_every_process() {
    let home = Home::new();
    let mut pipes: Vec<_> = ["a", "b", "c"]
        .map(|session| connect(&home, session))
        .into();
    for round in 0..3 {
        for (n, pipe) in pipes.iter_mut().enumerate() {
            let reply = format!("Round {round} of process {n} went well.");
            pipe.save(1, "How did it go?", &reply);
        }
        let db = check(&home.database());
        assert_eq!(number(&db, "SELECT count(*) FROM memory"), 3);
        drop(db);
        remove(&home.data_dir());
    }
    pipes.into_iter().for_each(super::pipe::Pipe::end);
}

fn remove(folder: &Path) {
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn an_empty_file_becomes_a_store() {
    let home = Home::new();
    put_database(&home, b"");
    home.ok(["remember", "--project", PROJECT, "A note on quartz."]);
    assert_eq!(
        number(&check(&home.database()), "SELECT count(*) FROM memory"),
        1
    );
}
