//! The candidate rule on PostgreSQL.
//!
//! Three round trips, and one more where there is a filter: what the scope knows of the query's
//! terms, the newest ends of their posting lists, the passages. The rule itself runs here.

use std::collections::HashMap;
use std::sync::Arc;

use tokio_postgres::Row;

use super::db::{Db, Failure, Outcome, Values};
use super::list::{Conditions, kind_column};
use super::memories::project_key;
use super::taking::take;
use crate::blocking::blocking;
use crate::memory::{Kind, Scope};
use crate::order::sort;
use crate::store::candidates::{Candidate, CandidateQuery, Candidates, Corpus, matches};
use crate::store::columns::kind_of;

/// The terms of the query that the scope knows.
pub(super) struct Terms {
    /// For each term of the query the ids it has, one a project, and in how many passages.
    pub ids: Vec<Vec<(i64, u64)>>,
    /// For each term of the query in how many passages it occurs.
    pub frequencies: Vec<u64>,
    /// Each id with the term's index in the query, ids ascending: to be merged with a vector.
    pub by_id: Arc<Vec<(i64, usize)>>,
}

pub(super) async fn candidates(db: &Db, query: &CandidateQuery) -> Outcome<Candidates> {
    let project = project_key(&query.scope);
    let (known, scope): (Values<'_>, Values<'_>) = (&[&query.terms, &project], &[&project]);
    // Sent together, run one after the other.
    let (begun, rows, holdings, sessions) = tokio::join!(
        biased;
        db.begin_reading(),
        db.rows(KNOWN, known),
        db.rows(HOLDINGS, scope),
        db.one(SESSIONS, scope),
    );
    begun?;
    let terms = known_terms(query, &rows?)?;
    let sessions: i64 = sessions?;
    let taken = take(db, query, &terms).await?;
    let numbers: Vec<i64> = taken.into_iter().collect();
    let numbers: Values<'_> = &[&numbers];
    let (rows, committed) = tokio::join!(biased; db.rows(PASSAGES, numbers), db.commit());
    committed?;
    Ok(Candidates {
        passages: read_candidates(rows?, query, &terms).await?,
        frequencies: terms.frequencies,
        corpus: corpus(&holdings?)?,
        sessions: sessions.unsigned_abs(),
    })
}

pub(super) async fn frequencies(db: &Db, query: &CandidateQuery) -> Outcome<Vec<u64>> {
    let known: Values<'_> = &[&query.terms, &project_key(&query.scope)];
    let known = db.rows(KNOWN, known).await?;
    Ok(known_terms(query, &known)?.frequencies)
}

pub(super) async fn neighbours(
    db: &Db,
    query: &CandidateQuery,
    places: &[(i64, i64)],
) -> Outcome<Vec<Candidate>> {
    let project = project_key(&query.scope);
    let (sessions, positions): (Vec<i64>, Vec<i64>) = places.iter().copied().unzip();
    let mut conditions = Conditions::new("true");
    let asked = format!(
        "unnest({}::bigint[], {}::bigint[])",
        conditions.value(sessions),
        conditions.value(positions)
    );
    let turn = conditions.value(kind_column(Kind::Turn));
    conditions.and(&format!("p.kind = {turn}"));
    if let Some(key) = project {
        let key = conditions.value(key.to_owned());
        conditions.and(&format!(
            "p.project_id = (SELECT id FROM project WHERE key = {key})"
        ));
    }
    conditions.filter(&query.filter, "p", "p.memory_id");
    // The places come first, whatever the planner believes: before it has statistics it takes a
    // project for small, and would read all of it.
    let sql = format!(
        "SELECT {PASSAGE} FROM {asked} WITH ORDINALITY AS asked (session_id, position, place)
         CROSS JOIN LATERAL (
             SELECT * FROM passage
             WHERE session_id = asked.session_id AND position = asked.position OFFSET 0) p
         WHERE {} ORDER BY asked.place, p.id",
        conditions.sql
    );
    let values = conditions.values();
    let known: Values<'_> = &[&query.terms, &project];
    let (begun, known, rows, committed) = tokio::join!(
        biased;
        db.begin_reading(),
        db.rows(KNOWN, known),
        db.rows(&sql, &values),
        db.commit(),
    );
    begun?;
    committed?;
    let terms = known_terms(query, &known?)?;
    read_candidates(rows?, query, &terms).await
}

/// Passages by their numbers, as candidates.
pub(super) async fn by_numbers(
    db: &Db,
    query: &CandidateQuery,
    numbers: &[i64],
) -> Outcome<Vec<Candidate>> {
    let project = project_key(&query.scope);
    let (known, numbers): (Values<'_>, Values<'_>) = (&[&query.terms, &project], &[&numbers]);
    let (known, rows) = tokio::join!(biased; db.rows(KNOWN, known), db.rows(PASSAGES, numbers));
    let terms = known_terms(query, &known?)?;
    read_candidates(rows?, query, &terms).await
}

/// How many passages the scope holds.
pub(super) async fn corpus_passages(db: &Db, scope: &Scope) -> Outcome<u64> {
    let rows = db.rows(HOLDINGS, &[&project_key(scope)]).await?;
    Ok(corpus(&rows)?.iter().map(|held| held.passages).sum())
}

const KNOWN: &str = "
    SELECT t.term, t.id, t.passages FROM term t
    WHERE t.term = ANY ($1)
      AND ($2::text IS NULL OR t.project_id = (SELECT id FROM project WHERE key = $2))";

fn known_terms(query: &CandidateQuery, rows: &[Row]) -> Outcome<Terms> {
    let indexes: HashMap<&str, usize> = query.terms.iter().map(String::as_str).zip(0..).collect();
    let mut ids = vec![Vec::new(); query.terms.len()];
    let mut by_id = Vec::with_capacity(rows.len());
    for row in rows {
        let Some(index) = indexes.get(row.try_get::<_, &str>(0)?) else {
            continue;
        };
        let id = row.try_get(1)?;
        by_id.push((id, *index));
        if let Some(ids) = ids.get_mut(*index) {
            ids.push((id, row.try_get::<_, i64>(2)?.unsigned_abs()));
        }
    }
    sort(&mut by_id);
    let sum = |ids: &Vec<(i64, u64)>| ids.iter().map(|(_, passages)| passages).sum();
    Ok(Terms {
        frequencies: ids.iter().map(sum).collect(),
        ids,
        by_id: Arc::new(by_id),
    })
}

const PASSAGE: &str = "p.id, p.memory_id, p.start_byte, p.end_byte, p.kind, p.session_id,
                       p.position, p.created_ms, p.expires_ms, p.length, p.terms";

const PASSAGES: &str = "
    SELECT p.id, p.memory_id, p.start_byte, p.end_byte, p.kind, p.session_id,
           p.position, p.created_ms, p.expires_ms, p.length, p.terms
    FROM passage p WHERE p.id = ANY ($1) ORDER BY p.id";

/// Reads rows of [`PASSAGE`], without those that have expired.
async fn read_candidates(
    rows: Vec<Row>,
    query: &CandidateQuery,
    terms: &Terms,
) -> Outcome<Vec<Candidate>> {
    let (now_ms, by_id) = (query.now.as_millisecond(), Arc::clone(&terms.by_id));
    let work = move || {
        let read = rows.iter().map(|row| candidate(row, now_ms, &by_id));
        Ok(read.filter_map(Result::transpose).collect::<Result<_, _>>())
    };
    let read: Result<_, tokio_postgres::Error> = blocking(work).await.map_err(Failure::Caller)?;
    Ok(read?)
}

fn candidate(
    row: &Row,
    now_ms: i64,
    by_id: &[(i64, usize)],
) -> Result<Option<Candidate>, tokio_postgres::Error> {
    let expires_ms: Option<i64> = row.try_get(8)?;
    if expires_ms.is_some_and(|at| at <= now_ms) {
        return Ok(None);
    }
    let offset = |column| -> Result<usize, tokio_postgres::Error> {
        let at: i32 = row.try_get(column)?;
        Ok(usize::try_from(at).unwrap_or_default())
    };
    let (session, position) = (row.try_get::<_, Option<i64>>(5)?, row.try_get(6)?);
    Ok(Some(Candidate {
        passage: row.try_get(0)?,
        memory: row.try_get(1)?,
        range: offset(2)?..offset(3)?,
        kind: kind_of(i64::from(row.try_get::<_, i16>(4)?)),
        place: session.map(|session| (session, position)),
        created_ms: row.try_get(7)?,
        length: row.try_get::<_, i32>(9)?.unsigned_abs(),
        matches: matches(row.try_get(10)?, by_id),
    }))
}

const HOLDINGS: &str = "
    SELECT kind, sum(passages)::bigint, sum(terms)::bigint FROM holding
    WHERE $1::text IS NULL OR project_id = (SELECT id FROM project WHERE key = $1)
    GROUP BY kind";

const SESSIONS: &str = "
    SELECT coalesce(sum(sessions), 0)::bigint FROM project WHERE $1::text IS NULL OR key = $1";

fn corpus(rows: &[Row]) -> Outcome<[Corpus; 3]> {
    let mut corpus = [Corpus::default(); 3];
    for row in rows {
        let kind = usize::try_from(row.try_get::<_, i16>(0)?).unwrap_or(usize::MAX);
        if let Some(held) = corpus.get_mut(kind) {
            held.passages = row.try_get::<_, i64>(1)?.unsigned_abs();
            held.terms = row.try_get::<_, i64>(2)?.unsigned_abs();
        }
    }
    Ok(corpus)
}
