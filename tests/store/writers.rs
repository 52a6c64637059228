//! Many processes write, make and read one store at the same time.

use std::collections::HashSet;
use std::sync::Barrier;
use std::time::Instant;

use serde_json::json;

use super::consistency::check;
use super::pipe::{Answer, call, saves};
use super::{connect, number};
use crate::harness::{Home, tell};

const WRITERS: usize = 8;
const TURNS_EACH: u64 = 1_000;

/// Nobody is ever told to wait.
#[track_caller]
fn kept(answer: &Answer) {
    assert!(!answer.is_error, "{answer:?}");
    assert!(!answer.text.contains("locked"), "{answer:?}");
}

/// The id in `Kept as ID.`; the answer to a turn that is known names the same one.
#[track_caller]
fn id(answer: &Answer) -> String {
    crate::mcp::id_in(&answer.text)
}

/// Starts a process for each list of requests, sends all lists at the same moment, and returns
/// the ids that each process was given. A reader searches all the while.
fn write(home: &Home, sessions: &[&str], requests: &[Vec<String>]) -> Vec<Vec<String>> {
    let start = Barrier::new(requests.len());
    std::thread::scope(|scope| {
        let start = &start;
        let mut writers = Vec::new();
        for (requests, session) in requests.iter().zip(sessions) {
            writers.push(scope.spawn(move || {
                let mut pipe = connect(home, session);
                let mut ids = Vec::with_capacity(requests.len());
                start.wait();
                pipe.exchange(requests, |answer| {
                    kept(&answer);
                    ids.push(id(&answer));
                    true
                });
                pipe.end();
                ids
            }));
        }
        let mut reader = connect(home, "reader");
        let mut found = 0;
        while writers.iter().any(|writer| !writer.is_finished()) {
            let query = json!({"query": "widget payment gateway", "limit": 3});
            let answer = reader.ask(call(1, "search_memory", query));
            kept(&answer);
            found += usize::from(answer.text.contains("gadget"));
        }
        println!("searches that found something meanwhile: {found}");
        let ids = writers.into_iter().map(|writer| writer.join().unwrap());
        ids.collect()
    })
}

#[test]
fn eight_processes_write_a_thousand_turns_each() {
    let home = Home::in_memory();
    let sessions = ["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7"];
    let requests = sessions.map(|session| saves(session, 0..TURNS_EACH));
    let begin = Instant::now();
    let ids = write(&home, &sessions, &requests);
    let seconds = begin.elapsed().as_secs_f64();
    let turns = WRITERS as u64 * TURNS_EACH;
    tell(&format!(
        "{turns} turns by {WRITERS} processes: {:.0} turns/s",
        turns as f64 / seconds
    ));

    let different: HashSet<_> = ids.iter().flatten().collect();
    assert_eq!(different.len() as u64, turns);
    let db = check(&home.database());
    assert_eq!(number(&db, "SELECT count(*) FROM memory") as u64, turns);
    for session in sessions {
        let sql = format!(
            "SELECT sum(x.memories) FROM share x JOIN session s ON s.id = x.session_id WHERE client_id = '{session}'"
        );
        assert_eq!(number(&db, &sql) as u64, TURNS_EACH);
    }
}

#[test]
fn eight_processes_share_a_session_and_partly_say_the_same() {
    const SHARED: u64 = 60;
    const OWN: u64 = 40;
    let home = Home::new();
    let sessions = ["shared"; WRITERS];
    let requests: Vec<_> = (1..=WRITERS as u64)
        .map(|writer| {
            let own = saves("shared", writer * 1_000..writer * 1_000 + OWN);
            let mut requests = saves("shared", 0..SHARED);
            // Each meets the others' turns at another moment.
            requests.rotate_left(writer as usize * 7);
            requests.extend(own);
            requests
        })
        .collect();
    let ids = write(&home, &sessions, &requests);
    let turns = SHARED + WRITERS as u64 * OWN;
    let different: HashSet<_> = ids.iter().flatten().collect();
    assert_eq!(different.len() as u64, turns, "a turn has one id for all");
    let db = check(&home.database());
    assert_eq!(number(&db, "SELECT count(*) FROM memory") as u64, turns);
    assert_eq!(number(&db, "SELECT count(*) FROM session"), 1);
}

#[test]
fn a_store_may_be_made_by_everybody_at_once() {
    for _ in 0..5 {
        let home = Home::new();
        let sessions = ["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7"];
        let requests = sessions.map(|session| saves(session, 0..3));
        write(&home, &sessions, &requests);
        let db = check(&home.database());
        assert_eq!(number(&db, "SELECT count(*) FROM memory"), 24);
        assert_eq!(number(&db, "SELECT count(*) FROM meta"), 1);
    }
}
