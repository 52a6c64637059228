//! What must hold between the tables of the store, whatever happened to it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rusqlite::Connection;

use super::number;
use crate::harness::{Database, Home};

/// Opens the database and checks all of it; returns it for further questions.
#[track_caller]
pub fn check(path: &Path) -> Connection {
    let db = Connection::open(path).unwrap();
    // Also what SQLite keeps of FTS5's own structure.
    let verdict: String = db
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(verdict, "ok", "integrity of {}", path.display());
    db.execute_batch("INSERT INTO posting (posting) VALUES ('integrity-check')")
        .expect("the postings are sound");
    let broken = number(&db, "SELECT count(*) FROM pragma_foreign_key_check");
    assert_eq!(broken, 0, "a broken reference");
    let lost = number(
        &db,
        "SELECT (SELECT count(*) FROM (SELECT id FROM passage EXCEPT SELECT rowid FROM posting))
              + (SELECT count(*) FROM (SELECT rowid FROM posting EXCEPT SELECT id FROM passage))",
    );
    assert_eq!(lost, 0, "passages without postings, or the other way round");
    for (what, violations) in VIOLATIONS {
        let count = number(&db, &format!("SELECT count(*) FROM ({violations})"));
        assert_eq!(count, 0, "{what}: {violations}");
    }
    check_terms(&db);
    db
}

/// The tables of a store, to be asked in SQL that both stores know.
pub enum Tables<'a> {
    Sqlite(Connection),
    Postgres(&'a Database),
}

impl Tables<'_> {
    #[track_caller]
    pub fn number(&self, sql: &str) -> i64 {
        match self {
            Self::Sqlite(db) => number(db, sql),
            Self::Postgres(db) => db.sql(sql).parse().unwrap(),
        }
    }

    #[track_caller]
    pub fn text(&self, sql: &str) -> String {
        match self {
            Self::Sqlite(db) => db.query_row(sql, [], |row| row.get(0)).unwrap(),
            Self::Postgres(db) => db.sql(sql),
        }
    }

    #[track_caller]
    pub fn run(&self, sql: &str) {
        match self {
            Self::Sqlite(db) => db.execute_batch(sql).unwrap(),
            Self::Postgres(db) => drop(db.sql(sql)),
        }
    }
}

/// Checks all of a home's store, whichever it is; returns its tables for further questions.
#[track_caller]
pub fn check_store(home: &Home) -> Tables<'_> {
    match home.postgres() {
        None => Tables::Sqlite(check(&home.database())),
        Some(database) => {
            check_postgres(database);
            Tables::Postgres(database)
        }
    }
}

#[track_caller]
fn check_postgres(database: &Database) {
    for (what, violations) in VIOLATIONS {
        let violations = violations.replace(
            "p.start >= p.end OR p.end",
            "start_byte >= end_byte OR end_byte",
        );
        let count = database.sql(&format!("SELECT count(*) FROM ({violations}) AS v"));
        assert_eq!(count, "0", "{what}: {violations}");
    }
    let rows = |sql: &str| -> Vec<Vec<String>> {
        let text = database.sql(sql);
        let lines = text.lines();
        lines
            .map(|line| line.split('\t').map(str::to_owned).collect())
            .collect()
    };
    let (mut by_vector, mut counts) = (BTreeSet::new(), BTreeMap::new());
    for row in rows("SELECT id, project_id, length, encode(terms, 'hex') FROM passage") {
        let (passage, project): (i64, i64) = (row[0].parse().unwrap(), row[1].parse().unwrap());
        let vector = decode(&unhex(&row[3]));
        let length: i64 = vector.iter().map(|(_, count)| count).sum();
        assert_eq!(length.to_string(), row[2], "passage {passage}");
        for (term, _) in vector {
            *counts.entry((term, project)).or_insert(0_i64) += 1;
            by_vector.insert((term, passage));
        }
    }
    let known: BTreeMap<(i64, i64), i64> = rows("SELECT id, project_id, passages FROM term")
        .iter()
        .map(|row| {
            let row: Vec<i64> = row.iter().map(|cell| cell.parse().unwrap()).collect();
            ((row[0], row[1]), row[2])
        })
        .collect();
    assert!(
        known == counts,
        "terms: {}",
        first_difference(&known, &counts)
    );
    let mut by_posting = BTreeSet::new();
    for row in rows("SELECT term_id, first_passage, encode(passages, 'hex') FROM posting") {
        let (term, first): (i64, i64) = (row[0].parse().unwrap(), row[1].parse().unwrap());
        let distances = numbers(&unhex(&row[2]));
        assert!(
            (1..=128).contains(&distances.len()),
            "{} in a chunk",
            distances.len()
        );
        let mut passage = first;
        for distance in distances {
            passage += distance;
            assert!(
                by_posting.insert((term, passage)),
                "{term} has {passage} twice"
            );
        }
    }
    assert!(
        by_posting == by_vector,
        "postings: {:?}",
        by_posting.symmetric_difference(&by_vector).next()
    );
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().map(|c| c.to_digit(16).unwrap()).collect();
    digits
        .chunks(2)
        .map(|pair| (pair[0] * 16 + pair[1]) as u8)
        .collect()
}

/// Each selects what must not be there.
const VIOLATIONS: [(&str, &str); 11] = [
    (
        "a live memory that cannot be found",
        "SELECT id FROM memory WHERE superseded_by IS NULL
         EXCEPT SELECT memory_id FROM passage",
    ),
    (
        "a passage of a memory that is history or gone",
        "SELECT memory_id FROM passage
         EXCEPT SELECT id FROM memory WHERE superseded_by IS NULL",
    ),
    (
        "a passage that says otherwise than its memory",
        "SELECT project_id, kind, session_id, position, created_ms, expires_ms, memory_id
         FROM passage
         EXCEPT SELECT project_id, kind, session_id, position, created_ms, expires_ms, id
         FROM memory",
    ),
    (
        "a passage beyond its text",
        "SELECT p.id FROM passage p JOIN memory m ON m.id = p.memory_id
         WHERE p.start >= p.end OR p.end > octet_length(m.content)",
    ),
    (
        "counts of a project that are wrong",
        "SELECT project_id, kind, memories, passages, terms FROM holding WHERE memories <> 0
             OR passages <> 0 OR terms <> 0
         EXCEPT SELECT project_id, kind, count(DISTINCT memory_id), count(*), sum(length)
         FROM passage GROUP BY project_id, kind",
    ),
    (
        "counts of a project that are missing",
        "SELECT project_id, kind, count(DISTINCT memory_id), count(*), sum(length)
         FROM passage GROUP BY project_id, kind
         EXCEPT SELECT project_id, kind, memories, passages, terms FROM holding",
    ),
    (
        "counts of a session that are wrong",
        "SELECT project_id, session_id, memories, terms FROM share
         EXCEPT SELECT x.project_id, x.session_id, count(DISTINCT p.memory_id),
                       coalesce(sum(p.length), 0)
         FROM share x LEFT JOIN passage p USING (project_id, session_id)
         GROUP BY x.project_id, x.session_id",
    ),
    (
        "a count of a project's sessions that is wrong",
        "SELECT id, sessions FROM project
         EXCEPT SELECT id, (SELECT count(*) FROM share
                            WHERE project_id = project.id AND memories > 0) FROM project",
    ),
    (
        "memories of a session in which their project has no share",
        "SELECT project_id, session_id FROM memory WHERE session_id IS NOT NULL
         EXCEPT SELECT project_id, session_id FROM share",
    ),
    (
        "two turns at one place of a session, or one behind its end",
        "SELECT session_id, position FROM memory WHERE session_id IS NOT NULL AND kind = 0
         GROUP BY session_id, position HAVING count(*) > 1
         UNION ALL SELECT m.session_id, m.position FROM memory m
         JOIN session s ON s.id = m.session_id
         WHERE m.kind = 0 AND m.position >= s.next_position",
    ),
    (
        "the same turn twice in a session",
        "SELECT content FROM memory WHERE superseded_by IS NULL AND kind = 0
         GROUP BY project_id, session_id, content HAVING count(*) > 1",
    ),
];

/// Passage vectors, postings and the counts of the terms say the same.
#[track_caller]
fn check_terms(db: &Connection) {
    let mut by_vector = BTreeSet::new();
    let mut counts = BTreeMap::new();
    let mut select = db
        .prepare("SELECT id, project_id, length, terms FROM passage")
        .unwrap();
    let mut rows = select.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let (passage, project): (i64, i64) = (row.get(0).unwrap(), row.get(1).unwrap());
        let vector = decode(row.get_ref(3).unwrap().as_blob().unwrap());
        let length: i64 = vector.iter().map(|(_, count)| count).sum();
        assert_eq!(length, row.get::<_, i64>(2).unwrap(), "passage {passage}");
        for (term, _) in vector {
            *counts.entry((term, project)).or_insert(0_i64) += 1;
            by_vector.insert((base36(term), passage));
        }
    }

    let mut select = db
        .prepare("SELECT id, project_id, passages FROM term")
        .unwrap();
    let known: BTreeMap<(i64, i64), i64> = select
        .query_map([], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)))
        .unwrap()
        .collect::<rusqlite::Result<_>>()
        .unwrap();
    assert!(
        known == counts,
        "terms: {}",
        first_difference(&known, &counts)
    );

    db.execute_batch("CREATE VIRTUAL TABLE temp.entry USING fts5vocab(main, posting, instance)")
        .unwrap();
    let mut select = db.prepare("SELECT term, doc FROM temp.entry").unwrap();
    let by_posting: BTreeSet<(String, i64)> = select
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<rusqlite::Result<_>>()
        .unwrap();
    assert!(
        by_posting == by_vector,
        "postings: {:?}",
        by_posting.symmetric_difference(&by_vector).next()
    );
}

fn first_difference<K: Ord + std::fmt::Debug>(
    a: &BTreeMap<K, i64>,
    b: &BTreeMap<K, i64>,
) -> String {
    let differs = |key: &&K| a.get(*key) != b.get(*key);
    let key = a.keys().chain(b.keys()).find(differs);
    key.map_or_else(String::new, |key| {
        format!("{key:?} is {:?}, should be {:?}", a.get(key), b.get(key))
    })
}

/// Pairs of term and count, the term as its distance from the one before, in LEB128.
fn decode(bytes: &[u8]) -> Vec<(i64, i64)> {
    let numbers = numbers(bytes);
    assert_eq!(numbers.len() % 2, 0, "a broken vector");
    let mut term = 0;
    numbers
        .chunks(2)
        .map(|pair| {
            term += pair[0];
            (term, pair[1])
        })
        .collect()
}

fn numbers(bytes: &[u8]) -> Vec<i64> {
    let mut numbers: Vec<i64> = Vec::new();
    let (mut number, mut shift) = (0_i64, 0);
    for byte in bytes {
        number |= i64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            numbers.push(number);
            (number, shift) = (0, 0);
        }
    }
    assert_eq!(shift, 0, "a broken number");
    numbers
}

fn base36(mut number: i64) -> String {
    let mut digits = Vec::new();
    while number > 0 || digits.is_empty() {
        digits.push(char::from_digit((number % 36) as u32, 36).unwrap());
        number /= 36;
    }
    digits.iter().rev().collect()
}
