//! The passages nearest to a query: all codes in memory, the best rows from the database.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params_from_iter};

use super::candidates::{self, Terms};
use super::codes::{Among, Codes};
use super::list::Conditions;
use crate::order::sort_by_key;
use crate::store::candidates::{Candidate, CandidateQuery};
use crate::store::quantised::{Query, SAMPLE_MAX, Survivor, nearest_first, stands_out};
use crate::store::vectors::Nearest;

/// The codes that a process keeps in memory; clones of a store share them.
pub(super) type SharedCodes = Arc<RwLock<Codes>>;

pub(super) fn nearest(
    db: &Connection,
    codes: &SharedCodes,
    query: &CandidateQuery,
    model: i64,
    vector: &[f32],
) -> rusqlite::Result<Nearest> {
    let Some(project) = candidates::project_of(db, query)? else {
        return Ok(Nearest::default());
    };
    let asked = Query::new(vector);
    let Ok(number) = project.map(u32::try_from).transpose() else {
        return Ok(Nearest::default());
    };
    let among = Among {
        project: number,
        passages: let_through(db, query, project)?,
    };
    let (promising, sample) = compare(db, codes, &asked, model, &among)?;
    let mut read = Vec::with_capacity(promising.len());
    let mut select = db.prepare_cached("SELECT levels FROM vector WHERE code_id = ?1")?;
    for survivor in promising {
        let mut rows = select.query([survivor.handle])?;
        // One that is gone was deleted after its code was read.
        if let Some(row) = rows.next()? {
            read.push((survivor, asked.similarity(row.get_ref(0)?.as_blob()?)));
        }
    }
    let nearest = nearest_first(read);
    let stands_out = stands_out(&nearest, sample);
    let terms = candidates::known_terms(db, query, project)?;
    Ok(Nearest {
        passages: as_candidates(db, query, &terms, nearest)?,
        stands_out,
    })
}

pub(super) fn similarities(
    db: &Connection,
    model: i64,
    vector: &[f32],
    passages: &[i64],
) -> rusqlite::Result<Vec<(i64, f32)>> {
    let asked = Query::new(vector);
    let mut select = db.prepare_cached(
        "SELECT v.levels FROM code c JOIN vector v ON v.code_id = c.id
         WHERE c.passage_id = ?1 AND c.model_id = ?2",
    )?;
    let mut similarities = Vec::with_capacity(passages.len());
    for passage in passages {
        let mut rows = select.query([*passage, model])?;
        if let Some(row) = rows.next()? {
            let similarity = asked.similarity(row.get_ref(0)?.as_blob()?);
            similarities.push((*passage, similarity));
        }
    }
    Ok(similarities)
}

/// What the codes say: which rows are worth reading, and how near the newest passages of the scope
/// are, whatever the filter.
fn compare(
    db: &Connection,
    codes: &SharedCodes,
    asked: &Query,
    model: i64,
    among: &Among,
) -> rusqlite::Result<(Vec<Survivor>, Vec<f32>)> {
    let is_current = {
        let held = codes.read().unwrap_or_else(PoisonError::into_inner);
        held.is_current(db, model, asked.dimension())?
    };
    if !is_current {
        let mut held = codes.write().unwrap_or_else(PoisonError::into_inner);
        held.refresh(db, model, asked.dimension())?;
    }
    let held = codes.read().unwrap_or_else(PoisonError::into_inner);
    let promising = held.promising(asked, among);
    Ok((promising, held.sample(asked, among.project, SAMPLE_MAX)))
}

/// The passages that the filter lets through, if there is one.
fn let_through(
    db: &Connection,
    query: &CandidateQuery,
    project: Option<i64>,
) -> rusqlite::Result<Option<HashSet<i64>>> {
    if query.filter.is_empty() {
        return Ok(None);
    }
    let mut conditions = Conditions::new("");
    if query.filter.kinds.is_empty() {
        // The index by time goes by kind first.
        conditions.and("p.kind IN (0, 1, 2)", []);
    }
    if let Some(project) = project {
        conditions.and("p.project_id = ?", [Value::Integer(project)]);
    }
    conditions.filter(&query.filter, "p", "p.memory_id");
    let sql = format!("SELECT p.id FROM passage p WHERE {}", conditions.sql);
    db.prepare_cached(&sql)?
        .query_map(params_from_iter(conditions.values), |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()
        .map(Some)
}

fn as_candidates(
    db: &Connection,
    query: &CandidateQuery,
    terms: &Terms,
    nearest: Vec<(Survivor, f32)>,
) -> rusqlite::Result<Vec<(Candidate, f32)>> {
    let mut found = Vec::with_capacity(nearest.len());
    for (survivor, similarity) in nearest {
        let candidate = candidates::by_number(db, query, terms, survivor.passage).optional()?;
        found.extend(candidate.flatten().map(|candidate| (candidate, similarity)));
    }
    sort_by_key(&mut found, |(candidate, _)| candidate.passage);
    Ok(found)
}
