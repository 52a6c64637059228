//! The passages nearest to a query: the best codes from an index or a scan, then the best rows.

use std::collections::HashMap;
use std::sync::Arc;

use super::bits::Bits;
use super::candidates::{by_numbers, corpus_passages};
use super::db::{Db, Failure, Outcome};
use super::list::Conditions;
use super::memories::project_key;
use super::vectors::{Extension, extension, has_index};
use crate::blocking::blocking;
use crate::store::candidates::CandidateQuery;
use crate::store::quantised::{
    Query, SAMPLE_MAX, SURVIVORS_MAX, Survivor, nearest_first, stands_out,
};
use crate::store::vectors::Nearest;

/// So many codes are compared one by one, which takes 10 ms and is exact. Above that the index
/// answers.
pub(super) const SCANNED_MAX: u64 = 50_000;
const SCANNED_BESIDE_INDEX_MAX: u64 = 20_000;

/// How many the index gives: the most that it is willing to look for at once.
const INDEXED_MAX: usize = 1_000;

/// The same for short codes, as those of the built-in table are. It only adds to what words have
/// found, and of a million passages the index takes 16 ms for 200 and 100 ms for 1,000: 99 of 100
/// recalls then take up to 54 and 95 ms, and with 100 32 ms.
const INDEXED_SHORT_MAX: usize = 100;
const SHORT_BITS: usize = 96;

pub(super) async fn nearest(
    db: &Db,
    query: &CandidateQuery,
    model: i64,
    vector: &[f32],
) -> Outcome<Nearest> {
    let asked = Arc::new(Query::new(vector));
    let code = Bits {
        count: asked.dimension(),
        bytes: asked.code().to_vec(),
    };
    db.begin_reading().await?;
    let held = corpus_passages(db, &query.scope).await?;
    let index = match held > SCANNED_BESIDE_INDEX_MAX {
        true => extension(db).await?.filter(Extension::is_enough),
        false => None,
    };
    let index = match index {
        Some(extension) if has_index(db, model).await? => Some(extension),
        _ => None,
    };
    if index.is_none() && held > SCANNED_MAX {
        db.commit().await?;
        return Ok(Nearest::default());
    }
    let survivors = near_codes(db, query, model, &code, index.as_ref()).await?;
    let sample = sample(db, query, model).await?;
    let comparing = Arc::clone(&asked);
    let (promising, sample) = blocking(move || {
        let survivors = survivors.into_iter().map(|(passage, code)| Survivor {
            passage,
            handle: passage,
            estimate: comparing.estimate(&code.bytes),
        });
        let promising = comparing.promising(survivors.collect());
        let sample = sample.into_iter();
        let sample = sample.map(|code| comparing.estimate(&code.bytes));
        Ok((promising, sample.collect::<Vec<_>>()))
    })
    .await
    .map_err(Failure::Caller)?;

    let numbers: Vec<i64> = promising.iter().map(|survivor| survivor.passage).collect();
    let sql = "SELECT passage_id, levels FROM embedding
               WHERE passage_id = ANY ($1) AND model_id = $2";
    let rows = db.rows(sql, &[&numbers, &model]).await?;
    let nearest = blocking(move || {
        let mut levels: HashMap<i64, &[u8]> = HashMap::with_capacity(rows.len());
        for row in &rows {
            if let (Ok(passage), Ok(row)) = (row.try_get(0), row.try_get(1)) {
                levels.insert(passage, row);
            }
        }
        let read = promising.into_iter().filter_map(|survivor| {
            let similarity = asked.similarity(levels.get(&survivor.passage)?);
            Some((survivor, similarity))
        });
        Ok(nearest_first(read.collect()))
    });
    let nearest = nearest.await.map_err(Failure::Caller)?;
    let near: HashMap<i64, f32> = nearest
        .iter()
        .map(|(survivor, similarity)| (survivor.passage, *similarity))
        .collect();
    let numbers: Vec<i64> = near.keys().copied().collect();
    let found = by_numbers(db, query, &numbers).await?;
    db.commit().await?;
    let with_similarity = found.into_iter().filter_map(|candidate| {
        let similarity = *near.get(&candidate.passage)?;
        Some((candidate, similarity))
    });
    Ok(Nearest {
        passages: with_similarity.collect(),
        stands_out: stands_out(&nearest, sample),
    })
}

pub(super) async fn similarities(
    db: &Db,
    model: i64,
    vector: &[f32],
    passages: &[i64],
) -> Outcome<Vec<(i64, f32)>> {
    let sql = "SELECT passage_id, levels FROM embedding
               WHERE passage_id = ANY ($1) AND model_id = $2";
    let rows = db.rows(sql, &[&passages, &model]).await?;
    // A hundred rows are some microseconds of work.
    let asked = Query::new(vector);
    let read = |row: &tokio_postgres::Row| Ok((row.try_get(0)?, asked.similarity(row.try_get(1)?)));
    rows.iter().map(read).collect()
}

/// Those with the least Hamming distance.
async fn near_codes(
    db: &Db,
    query: &CandidateQuery,
    model: i64,
    code: &Bits,
    index: Option<&Extension>,
) -> Outcome<Vec<(i64, Bits)>> {
    let mut conditions = of_model(query, model);
    conditions.filter(&query.filter, "p", "p.memory_id");
    let dimension = code.count;
    let (asked, limit) = (conditions.value(code.clone()), &mut SURVIVORS_MAX.clone());
    let distance = match index {
        None => format!("bit_count(e.code # {asked}::varbit), e.passage_id DESC"),
        Some(extension) => {
            *limit = match dimension <= SHORT_BITS {
                true => INDEXED_SHORT_MAX,
                false => INDEXED_MAX,
            };
            db.batch(&index_settings(extension, *limit)).await?;
            format!(
                "e.code::bit({dimension}) OPERATOR({}.<~>) {asked}::bit({dimension})",
                extension.schema
            )
        }
    };
    let join = match query.filter.is_empty() {
        true => "",
        false => "JOIN passage p ON p.id = e.passage_id",
    };
    let sql = format!(
        "SELECT e.passage_id, e.code FROM embedding e {join} WHERE {} ORDER BY {distance} LIMIT {limit}",
        conditions.sql
    );
    let rows = db.rows(&sql, &conditions.values()).await?;
    let read = rows
        .iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
    read.collect()
}

fn index_settings(extension: &Extension, limit: usize) -> String {
    let iterative = match extension.is_iterative() {
        true => "; SET LOCAL hnsw.iterative_scan = relaxed_order",
        false => "",
    };
    format!("SET LOCAL hnsw.ef_search = {limit}{iterative}")
}

/// The codes of the newest passages of the scope, whatever the filter.
async fn sample(db: &Db, query: &CandidateQuery, model: i64) -> Outcome<Vec<Bits>> {
    let conditions = of_model(query, model);
    let sql = format!(
        "SELECT e.code FROM embedding e WHERE {}
         ORDER BY e.passage_id DESC LIMIT {SAMPLE_MAX}",
        conditions.sql
    );
    let rows = db.rows(&sql, &conditions.values()).await?;
    let read = rows.iter().map(|row| Ok(row.try_get(0)?));
    read.collect()
}

/// The vectors of a model in the scope. Its number stands in the text, because an index of one model
/// is only used where the text says which.
fn of_model(query: &CandidateQuery, model: i64) -> Conditions {
    let mut conditions = Conditions::new(&format!("e.model_id = {model}"));
    if let Some(key) = project_key(&query.scope) {
        let key = conditions.value(key.to_owned());
        conditions.and(&format!(
            "e.project_id = (SELECT id FROM project WHERE key = {key})"
        ));
    }
    conditions
}
