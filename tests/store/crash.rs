//! A process that dies in the middle of its writes takes nothing with it.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use super::consistency::check;
use super::pipe::{save, saves, turn};
use super::{connect, number};
use crate::harness::Home;

const TURNS: u64 = 1_000;

/// A number below `limit` that differs from run to run; printed, so that a failure can be repeated.
pub fn random_below(limit: u64) -> u64 {
    RandomState::new().hash_one(0) % limit
}

/// Writes until `acknowledged` turns are, then dies; returns the ids.
fn write_and_die(home: &Home, acknowledged: u64) -> HashSet<String> {
    let mut pipe = connect(home, "crash");
    let mut ids = HashSet::new();
    pipe.exchange(&saves("crash", 0..TURNS), |answer| {
        assert!(!answer.is_error, "{answer:?}");
        ids.insert(crate::mcp::id_in(&answer.text));
        (ids.len() as u64) < acknowledged
    });
    pipe.kill();
    assert_eq!(ids.len() as u64, acknowledged);
    ids
}

#[test]
fn what_was_acknowledged_outlives_a_crash() {
    for _ in 0..3 {
        let home = Home::in_memory();
        let acknowledged = 1 + random_below(TURNS - 1);
        println!("killed after {acknowledged} acknowledgements");
        let ids = write_and_die(&home, acknowledged);

        let db = check(&home.database());
        let mut select = db.prepare("SELECT lower(hex(name)) FROM memory").unwrap();
        let stored: HashSet<String> = select
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<rusqlite::Result<_>>()
            .unwrap();
        for id in &ids {
            assert!(stored.contains(&id.replace('-', "")), "{id} is lost");
        }
        // What was committed and not yet acknowledged is a prefix too: nothing was skipped.
        let turns = stored.len() as u64;
        assert!(turns <= TURNS);
        drop(select);
        drop(db);

        // The same turns once more: what is there is known, the rest is stored.
        let mut pipe = connect(&home, "crash");
        let mut known = 0;
        pipe.exchange(&saves("crash", 0..TURNS), |answer| {
            assert!(!answer.is_error, "{answer:?}");
            known += u64::from(ids.contains(&crate::mcp::id_in(&answer.text)));
            true
        });
        pipe.end();
        assert_eq!(known, acknowledged);
        let db = check(&home.database());
        assert_eq!(number(&db, "SELECT count(*) FROM memory") as u64, TURNS);
    }
}

#[test]
fn a_dead_writer_holds_up_nobody() {
    let home = Home::new();
    let mut other = connect(&home, "other");
    for n in 0..5 {
        write_and_die(&home, 1 + random_below(10));
        let (prompt, reply) = turn("other", n);
        let answer = other.ask(save(n, &prompt, &reply));
        assert!(!answer.is_error, "{answer:?}");
    }
    other.end();
    let db = check(&home.database());
    let sql = "SELECT sum(x.memories) FROM share x JOIN session s ON s.id = x.session_id WHERE client_id = 'other'";
    assert_eq!(number(&db, sql), 5);
}
