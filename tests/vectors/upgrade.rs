//! Stores that were kept before there were vectors of the built-in model.

use rusqlite::Connection;
use serde_json::{Value, json};

use super::{found, remember, search};
use crate::harness::{Home, Server, eventually, on_every_store};

const WANTED: &str = "Anna is allergic to peanuts";
/// Some more, because in a smaller store nothing stands out.
const MEMORIES: [&str; 4] = [
    "We chose PostgreSQL as the database because the team knows it",
    "The backup of the server runs every night at three",
    WANTED,
    "Passwords must have at least twelve characters",
];
/// Shares no word with [`WANTED`].
const QUERY: &str = "谁对花生过敏";

/// A store as one from before: what it holds has no vectors, and it knows of no model.
fn old_store(home: &Home) {
    let server = Server::start(home);
    MEMORIES.iter().for_each(|text| remember(&server, text));
    assert_eq!(found(&server, QUERY), [WANTED]);
    server.end();
    let forget = "DELETE FROM model";
    match home.postgres() {
        Some(database) => {
            database.sql(forget);
        }
        None => {
            let db = Connection::open(home.database()).unwrap();
            db.pragma_update(None, "foreign_keys", true).unwrap();
            db.execute(forget, []).unwrap();
        }
    }
}

on_every_store!(reindex_brings_an_old_store_up_to_date);
fn reindex_brings_an_old_store_up_to_date(home: Home) {
    old_store(&home);
    let made: Value = serde_json::from_str(&home.ok(["reindex", "--json"])).unwrap();
    assert_eq!(made["made"], json!(MEMORIES.len()));
    let made: Value = serde_json::from_str(&home.ok(["reindex", "--json"])).unwrap();
    assert_eq!(made["made"], json!(0));
    assert_eq!(found(&Server::start(&home), QUERY), [WANTED]);
}

on_every_store!(a_server_brings_an_old_store_up_to_date_by_itself);
fn a_server_brings_an_old_store_up_to_date_by_itself(home: Home) {
    old_store(&home);
    let server = Server::start(&home);
    // The first to ask may get an answer by words alone.
    assert_eq!(
        search(&server, "allergic")["hits"][0]["memory"]["content"],
        json!(WANTED)
    );
    eventually("vectors of what was there before", || {
        (found(&server, QUERY) == [WANTED]).then_some(())
    });
}
