//! The candidate rule on SQLite.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use super::index::push_posting_word;
use super::list::Conditions;
use crate::memory::Kind;
use crate::order::sort;
use crate::store::candidates::{
    Candidate, CandidateQuery, Candidates, Corpus, POSTINGS_MAX, matches, rarest_first,
};
use crate::store::columns::{kind_number, kind_of};

/// The terms of the query that the scope knows.
pub(super) struct Terms {
    /// For each term of the query the ids it has, one a project.
    ids: Vec<Vec<i64>>,
    /// For each term of the query in how many passages it occurs.
    frequencies: Vec<u64>,
    /// Each id with the term's index in the query, ids ascending: to be merged with a vector.
    by_id: Vec<(i64, usize)>,
}

pub(super) fn candidates(db: &Connection, query: &CandidateQuery) -> rusqlite::Result<Candidates> {
    let Some(project) = project_of(db, query)? else {
        return Ok(Candidates::default());
    };
    let terms = known_terms(db, query, project)?;
    let mut passages = BTreeMap::new();
    let mut left = POSTINGS_MAX;
    for term in rarest_first(&terms.frequencies) {
        left -= take_newest(db, query, &terms, term, left, &mut passages)?;
        if left == 0 {
            break;
        }
    }
    let (corpus, sessions) = corpus(db, project)?;
    Ok(Candidates {
        passages: passages.into_values().flatten().collect(),
        frequencies: terms.frequencies,
        corpus,
        sessions,
    })
}

pub(super) fn frequencies(db: &Connection, query: &CandidateQuery) -> rusqlite::Result<Vec<u64>> {
    match project_of(db, query)? {
        Some(project) => Ok(known_terms(db, query, project)?.frequencies),
        None => Ok(vec![0; query.terms.len()]),
    }
}

pub(super) fn neighbours(
    db: &Connection,
    query: &CandidateQuery,
    places: &[(i64, i64)],
) -> rusqlite::Result<Vec<Candidate>> {
    let Some(project) = project_of(db, query)? else {
        return Ok(Vec::new());
    };
    let terms = known_terms(db, query, project)?;
    let mut conditions = Conditions::new("p.session_id = ?1 AND p.position = ?2");
    conditions.and("p.kind = ?", [Value::Integer(kind_number(Kind::Turn))]);
    if let Some(project) = project {
        conditions.and("p.project_id = ?", [Value::Integer(project)]);
    }
    conditions.filter(&query.filter, "p", "p.memory_id");
    let sql = format!(
        "SELECT {PASSAGE} FROM passage p WHERE {} ORDER BY id",
        conditions.sql
    );
    let mut select = db.prepare_cached(&sql)?;
    let mut found = Vec::new();
    for (session, position) in places {
        let place = [Value::Integer(*session), Value::Integer(*position)];
        let values = place.into_iter().chain(conditions.values.iter().cloned());
        let mut rows = select.query(params_from_iter(values))?;
        while let Some(row) = rows.next()? {
            found.extend(candidate(row, query, &terms)?);
        }
    }
    Ok(found)
}

/// The number of the scope's project: `Some(None)` for all projects, `None` when it has none.
pub(super) fn project_of(
    db: &Connection,
    query: &CandidateQuery,
) -> rusqlite::Result<Option<Option<i64>>> {
    match query.scope.project() {
        None => Ok(Some(None)),
        Some(project) => db
            .prepare_cached("SELECT id FROM project WHERE key = ?1")?
            .query_row([&project.key], |row| row.get(0))
            .optional()
            .map(|id: Option<i64>| id.map(Some)),
    }
}

pub(super) fn known_terms(
    db: &Connection,
    query: &CandidateQuery,
    project: Option<i64>,
) -> rusqlite::Result<Terms> {
    let mut select = db.prepare_cached(
        "SELECT id, passages FROM term WHERE term = ?1 AND (?2 IS NULL OR project_id = ?2)",
    )?;
    let count = query.terms.len();
    let mut terms = Terms {
        ids: Vec::with_capacity(count),
        frequencies: Vec::new(),
        by_id: Vec::new(),
    };
    for (index, term) in query.terms.iter().enumerate() {
        let mut rows = select.query(params![term, project])?;
        let (mut ids, mut frequency) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            let id = row.get(0)?;
            ids.push(id);
            terms.by_id.push((id, index));
            frequency += row.get::<_, i64>(1)?.unsigned_abs();
        }
        terms.ids.push(ids);
        terms.frequencies.push(frequency);
    }
    sort(&mut terms.by_id);
    Ok(terms)
}

/// Passages by number; `None` stands for one that has expired.
type Taken = BTreeMap<i64, Option<Candidate>>;

/// Takes the newest passages of a term that the filter lets through, at most `left`, and returns
/// how many there were. One that an earlier term brought is not read again.
fn take_newest(
    db: &Connection,
    query: &CandidateQuery,
    terms: &Terms,
    term: usize,
    left: usize,
    taken: &mut Taken,
) -> rusqlite::Result<usize> {
    let mut words = String::new();
    for id in terms.ids.get(term).into_iter().flatten() {
        words.push_str(if words.is_empty() { "\"" } else { " OR \"" });
        push_posting_word(&mut words, *id);
        words.push('"');
    }
    let mut conditions = Conditions::new("");
    conditions.and("posting MATCH ?", [Value::Text(words)]);
    conditions.filter(&query.filter, "p", "p.memory_id");
    let sql = format!(
        "SELECT {PASSAGE} FROM posting f CROSS JOIN passage p ON p.id = f.rowid
         WHERE {} ORDER BY f.rowid DESC LIMIT ?",
        conditions.sql
    );
    let limit = Value::Integer(i64::try_from(left).unwrap_or(i64::MAX));
    let mut select = db.prepare_cached(&sql)?;
    let mut rows = select.query(params_from_iter(conditions.values.iter().chain([&limit])))?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        count += 1;
        if let Entry::Vacant(place) = taken.entry(row.get(0)?) {
            place.insert(candidate(row, query, terms)?);
        }
    }
    Ok(count)
}

/// One passage by its number, unless it has expired.
pub(super) fn by_number(
    db: &Connection,
    query: &CandidateQuery,
    terms: &Terms,
    passage: i64,
) -> rusqlite::Result<Option<Candidate>> {
    db.prepare_cached(&format!("SELECT {PASSAGE} FROM passage p WHERE p.id = ?1"))?
        .query_row([passage], |row| candidate(row, query, terms))
}

const PASSAGE: &str = "p.id, memory_id, start, end, kind, session_id, position, created_ms,
                       expires_ms, length, p.terms";

/// A row of [`PASSAGE`], unless it has expired.
fn candidate(
    row: &Row<'_>,
    query: &CandidateQuery,
    terms: &Terms,
) -> rusqlite::Result<Option<Candidate>> {
    let expires_ms: Option<i64> = row.get(8)?;
    if expires_ms.is_some_and(|at| at <= query.now.as_millisecond()) {
        return Ok(None);
    }
    let session: Option<i64> = row.get(5)?;
    let position = row.get(6)?;
    Ok(Some(Candidate {
        passage: row.get(0)?,
        memory: row.get(1)?,
        range: Range {
            start: offset(row, 2)?,
            end: offset(row, 3)?,
        },
        kind: kind_of(row.get(4)?),
        place: session.map(|session| (session, position)),
        created_ms: row.get(7)?,
        length: row.get(9)?,
        matches: matches(row.get_ref(10)?.as_blob()?, &terms.by_id),
    }))
}

fn offset(row: &Row<'_>, column: usize) -> rusqlite::Result<usize> {
    row.get::<_, i64>(column)
        .map(|at| usize::try_from(at).unwrap_or_default())
}

fn corpus(db: &Connection, project: Option<i64>) -> rusqlite::Result<([Corpus; 3], u64)> {
    let mut corpus = [Corpus::default(); 3];
    let mut select = db.prepare_cached(
        "SELECT kind, sum(passages), sum(terms) FROM holding
         WHERE ?1 IS NULL OR project_id = ?1 GROUP BY kind",
    )?;
    let mut rows = select.query([project])?;
    while let Some(row) = rows.next()? {
        let kind: usize = offset(row, 0)?;
        if let Some(held) = corpus.get_mut(kind) {
            held.passages = row.get::<_, i64>(1)?.unsigned_abs();
            held.terms = row.get::<_, i64>(2)?.unsigned_abs();
        }
    }
    let sessions: i64 = db
        .prepare_cached(
            "SELECT coalesce(sum(sessions), 0) FROM project WHERE ?1 IS NULL OR id = ?1",
        )?
        .query_row([project], |row| row.get(0))?;
    Ok((corpus, sessions.unsigned_abs()))
}
