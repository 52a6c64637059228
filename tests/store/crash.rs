//! A process that dies in the middle of its writes takes nothing with it.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use super::pipe::{save, saves, turn};
use super::{check_store, connect};
use crate::harness::{Home, on_every_store};

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

on_every_store!(what_was_acknowledged_outlives_a_crash);
fn what_was_acknowledged_outlives_a_crash(home: Home) {
    for _ in 0..3 {
        let home = match home.postgres() {
            Some(_) => home.another(),
            None => Home::in_memory(),
        };
        let acknowledged = 1 + random_below(TURNS - 1);
        println!("killed after {acknowledged} acknowledgements");
        let ids = write_and_die(&home, acknowledged);

        let tables = check_store(&home);
        let stored = |id: &String| {
            let id = match home.postgres() {
                Some(_) => format!("'{id}'"),
                None => format!("x'{}'", id.replace('-', "")),
            };
            tables.number(&format!("SELECT count(*) FROM memory WHERE name = {id}")) == 1
        };
        for id in &ids {
            assert!(stored(id), "{id} is lost");
        }
        // What was committed and not yet acknowledged is there too, and nothing else.
        let turns = tables.number("SELECT count(*) FROM memory");
        assert!((acknowledged..=TURNS).contains(&(turns as u64)), "{turns}");
        drop(tables);

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
        let memories = check_store(&home).number("SELECT count(*) FROM memory");
        assert_eq!(memories as u64, TURNS);
    }
}

on_every_store!(a_dead_writer_holds_up_nobody);
fn a_dead_writer_holds_up_nobody(home: Home) {
    let mut other = connect(&home, "other");
    for n in 0..5 {
        write_and_die(&home, 1 + random_below(10));
        let (prompt, reply) = turn("other", n);
        let answer = other.ask(save(n, &prompt, &reply));
        assert!(!answer.is_error, "{answer:?}");
    }
    other.end();
    let sql =
        "SELECT coalesce(sum(x.memories), 0) FROM share x JOIN session s ON s.id = x.session_id
               WHERE client_id = 'other'";
    assert_eq!(check_store(&home).number(sql), 5);
}
