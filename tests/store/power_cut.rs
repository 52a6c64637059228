//! A power cut leaves of each file what its last fsync has seen, and no more.

use std::collections::HashSet;
use std::path::PathBuf;
use std::process::Command;

use rusqlite::Connection;

use super::consistency::check;
use super::crash::random_below;
use super::pipe::{Pipe, saves};
use super::server;
use super::shim::Shim;
use crate::harness::Home;

/// Two writers share the store, so that one commits while the other writes the log back.
const WRITERS: [&str; 2] = ["one", "two"];

/// A turn takes about 60 KB of the log, which is written back every 4 MB.
const TURNS_MIN: u64 = 100;
const TURNS_MAX: u64 = 250;

/// The ids that were acknowledged before the writers, `command` of a session each, were killed.
fn write_until_killed(command: impl Fn(&str) -> Command + Sync) -> HashSet<String> {
    std::thread::scope(|scope| {
        let command = &command;
        let writers = WRITERS.map(|session| {
            let turns = TURNS_MIN + random_below(TURNS_MAX - TURNS_MIN);
            println!("{session} is killed after {turns} acknowledgements");
            scope.spawn(move || {
                let mut pipe = Pipe::start(command(session));
                let mut ids = HashSet::new();
                pipe.exchange(&saves(session, 0..TURNS_MAX), |answer| {
                    assert!(!answer.is_error, "{answer:?}");
                    ids.insert(crate::mcp::id_in(&answer.text));
                    (ids.len() as u64) < turns
                });
                pipe.kill();
                assert_eq!(ids.len() as u64, turns);
                ids
            })
        });
        let ids = writers
            .into_iter()
            .flat_map(|writer| writer.join().unwrap());
        ids.collect()
    })
}

/// Copies what a power cut left to a folder of its own; `files` are laid over it.
fn after_power_cut(home: &Home, shim: &Shim, name: &str, files: &[PathBuf]) -> PathBuf {
    let folder = home.project(name);
    for file in super::store_files(&shim.shadow.join("kept")) {
        // A copy that was being made when the process was killed never took effect.
        if file.extension().is_none_or(|end| end != "part") {
            std::fs::copy(&file, folder.join(file.file_name().unwrap())).unwrap();
        }
    }
    for file in files {
        std::fs::copy(file, folder.join(file.file_name().unwrap())).unwrap();
    }
    folder.join("sage.db")
}

/// How many of these memories the database lacks.
fn missing(db: &Connection, ids: &HashSet<String>) -> usize {
    let mut select = db
        .prepare("SELECT 1 FROM memory WHERE lower(hex(name)) = ?1")
        .unwrap();
    ids.iter()
        .filter(|id| !select.exists([id.replace('-', "")]).unwrap())
        .count()
}

/// How often the log was written back into the database: each time ends with an fsync of it.
fn write_backs(shim: &Shim) -> usize {
    let syncs = std::fs::read_to_string(shim.shadow.join("syncs")).unwrap();
    syncs.lines().filter(|name| *name == "sage.db").count()
}

#[test]
fn what_was_acknowledged_outlives_a_power_cut() {
    for _ in 0..2 {
        let home = Home::in_memory();
        let Some(shim) = Shim::build(&home, "power cut") else {
            return;
        };
        let ids = write_until_killed(|session| shim.keep(server(&home, session)));
        let path = after_power_cut(&home, &shim, "left", &[]);
        println!("the log was written back {} times", write_backs(&shim));
        assert!(write_backs(&shim) >= 4);
        assert_eq!(missing(&check(&path), &ids), 0);

        // The disk may also have written what nobody asked it to keep.
        let path = after_power_cut(&home, &shim, "more", &[home.database()]);
        assert_eq!(missing(&check(&path), &ids), 0);
    }
}

#[test]
fn a_log_that_is_not_synced_would_be_noticed() {
    let home = Home::in_memory();
    let Some(shim) = Shim::build(&home, "power cut with a lying disk") else {
        return;
    };
    let ids = write_until_killed(|session| shim.keep_deaf(server(&home, session), "-wal"));
    let path = after_power_cut(&home, &shim, "left", &[]);
    let db = Connection::open(&path).unwrap();
    let is_whole = db
        .query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0))
        .is_ok_and(|verdict| verdict == "ok");
    assert!(
        !is_whole || missing(&db, &ids) > 0,
        "the test proves nothing"
    );
}

#[test]
fn a_power_cut_right_after_the_first_answer_loses_nothing() {
    let home = Home::new();
    let Some(shim) = Shim::build(&home, "power cut at the start") else {
        return;
    };
    let mut pipe = Pipe::start(shim.keep(server(&home, "first")));
    let text = pipe.save(1, "Where does the backup run?", "On the host called amber.");
    pipe.kill();
    let path = after_power_cut(&home, &shim, "left", &[]);
    let syncs = std::fs::read_to_string(shim.shadow.join("syncs")).unwrap();
    assert!(
        syncs.lines().any(|name| name == ".."),
        "the new folder itself is kept"
    );
    let ids = HashSet::from([crate::mcp::id_in(&text)]);
    assert_eq!(missing(&check(&path), &ids), 0);
}
