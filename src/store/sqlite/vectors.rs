//! Models, what waits for their vectors, and the vectors.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::Failure;
use crate::memory::Timestamp;
use crate::store::MovedVector;
use crate::store::columns::time_of;
use crate::store::quantised;
use crate::store::vectors::{Claim, Embedded, Made, Model, Work, digest, new_holder};

type Outcome<T> = Result<T, Failure>;

const MODEL: &str = "SELECT id, name, dimension,
    (SELECT count(*) FROM pending WHERE model_id = model.id) FROM model";

fn model(row: &rusqlite::Row<'_>) -> rusqlite::Result<Model> {
    Ok(Model {
        id: row.get(0)?,
        name: row.get(1)?,
        dimension: usize::try_from(row.get::<_, i64>(2)?).unwrap_or_default(),
        waiting: row.get::<_, i64>(3)?.unsigned_abs(),
    })
}

pub(super) fn models(db: &Connection) -> rusqlite::Result<Vec<Model>> {
    db.prepare_cached(&format!("{MODEL} ORDER BY id DESC"))?
        .query_map([], model)?
        .collect()
}

pub(super) fn put_model(tx: &Transaction<'_>, name: &str, dimension: usize) -> Outcome<Model> {
    let made = tx.execute(
        "INSERT OR IGNORE INTO model (name, dimension) VALUES (?1, ?2)",
        params![name, dimension as i64],
    )?;
    let known = tx.query_row(
        &format!("{MODEL} WHERE name = ?1 AND dimension = ?2"),
        params![name, dimension as i64],
        model,
    )?;
    if made == 0 {
        return Ok(known);
    }
    let waiting = tx.execute(
        "INSERT INTO pending (model_id, passage_id) SELECT ?1, id FROM passage",
        [known.id],
    )?;
    Ok(Model {
        waiting: waiting as u64,
        ..known
    })
}

pub(super) fn forget_model(tx: &Transaction<'_>, model: i64) -> Outcome<()> {
    tx.execute("DELETE FROM model WHERE id = ?1", [model])?;
    Ok(())
}

pub(super) fn claim(
    tx: &Transaction<'_>,
    model: i64,
    limit: usize,
    now: Timestamp,
    until: Timestamp,
) -> Outcome<Claim> {
    let (now_ms, holder) = (now.as_millisecond(), new_holder());
    let mut select = tx.prepare_cached(
        "SELECT q.passage_id, substr(CAST(m.content AS BLOB), p.start + 1, p.end - p.start)
         FROM pending q JOIN passage p ON p.id = q.passage_id JOIN memory m ON m.id = p.memory_id
         WHERE q.model_id = ?1 AND q.until_ms <= ?2 ORDER BY q.passage_id DESC LIMIT ?3",
    )?;
    let mut rows = select.query(params![model, now_ms, limit as i64])?;
    let mut work = Vec::new();
    while let Some(row) = rows.next()? {
        let text: Vec<u8> = row.get(1)?;
        let text = String::from_utf8_lossy(&text).into_owned();
        work.push(Work {
            passage: row.get(0)?,
            digest: digest(&text),
            text,
            is_known: false,
        });
    }
    for work in &mut work {
        work.is_known = tx
            .prepare_cached("SELECT 1 FROM code WHERE digest = ?1 AND model_id = ?2")?
            .exists(params![work.digest, model])?;
        tx.prepare_cached(
            "UPDATE pending SET holder = ?3, until_ms = ?4
             WHERE model_id = ?1 AND passage_id = ?2",
        )?
        .execute(params![model, work.passage, holder, until.as_millisecond()])?;
    }
    let next: Option<i64> = match work.is_empty() {
        false => None,
        true => tx.query_row(
            "SELECT min(until_ms) FROM pending WHERE model_id = ?1",
            [model],
            |row| row.get(0),
        )?,
    };
    Ok(Claim {
        holder,
        work,
        next: next.map(time_of),
    })
}

pub(super) fn put_vectors(
    tx: &Transaction<'_>,
    model: i64,
    holder: i64,
    made: &[Embedded],
) -> Outcome<u64> {
    let mut count = 0;
    for embedded in made {
        let is_mine = tx
            .prepare_cached(
                "SELECT 1 FROM pending WHERE model_id = ?1 AND passage_id = ?2 AND holder = ?3",
            )?
            .exists(params![model, embedded.passage, holder])?;
        count += u64::from(is_mine && put_vector(tx, model, embedded)?);
    }
    Ok(count)
}

/// Whether there was one to keep: the passage that had the same words may be gone.
fn put_vector(tx: &Transaction<'_>, model: i64, embedded: &Embedded) -> rusqlite::Result<bool> {
    let (bits, levels) = match &embedded.made {
        Made::New(vector) => (quantised::code(vector), quantised::row(vector)),
        Made::Same => {
            let same = tx
                .prepare_cached(
                    "SELECT c.bits, v.levels FROM code c JOIN vector v ON v.code_id = c.id
                     WHERE c.digest = ?1 AND c.model_id = ?2 LIMIT 1",
                )?
                .query_row(params![embedded.digest, model], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
                .optional()?;
            match same {
                Some(same) => same,
                None => return Ok(false),
            }
        }
    };
    insert(tx, model, embedded.passage, embedded.digest, &bits, &levels)?;
    Ok(true)
}

fn insert(
    tx: &Transaction<'_>,
    model: i64,
    passage: i64,
    digest: [u8; 16],
    bits: &[u8],
    levels: &[u8],
) -> rusqlite::Result<()> {
    let code = tx
        .prepare_cached(
            "INSERT INTO code (model_id, passage_id, project_id, digest, bits)
             SELECT ?1, id, project_id, ?3, ?4 FROM passage WHERE id = ?2",
        )?
        .insert(params![model, passage, digest, bits])?;
    tx.prepare_cached("INSERT INTO vector (code_id, levels) VALUES (?1, ?2)")?
        .execute(params![code, levels])?;
    tx.prepare_cached("DELETE FROM pending WHERE model_id = ?1 AND passage_id = ?2")?
        .execute(params![model, passage])?;
    Ok(())
}

/// Takes in a vector that another store had. Whether there was a passage for it: one of those very
/// words, without a vector of a model that is known.
pub(super) fn learn_vector(tx: &Transaction<'_>, moved: &MovedVector) -> rusqlite::Result<bool> {
    let found = tx
        .prepare_cached(
            "SELECT o.id, p.id, substr(CAST(m.content AS BLOB), p.start + 1, p.end - p.start)
             FROM memory m JOIN passage p ON p.memory_id = m.id JOIN model o
             WHERE m.name = ?1 AND p.start = ?2 AND o.name = ?3 AND o.dimension = ?4
               AND NOT EXISTS (SELECT 1 FROM code WHERE passage_id = p.id AND model_id = o.id)",
        )?
        .query_row(
            params![
                moved.memory.as_bytes(),
                moved.start as i64,
                moved.model,
                moved.dimension as i64
            ],
            |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, Vec<u8>>(2)?)),
        )
        .optional()?;
    match found {
        Some((model, passage, words))
            if digest(&String::from_utf8_lossy(&words)) == moved.digest =>
        {
            insert(tx, model, passage, moved.digest, &moved.code, &moved.levels)?;
            Ok(true)
        }
        _ => Ok(false),
    }
}

pub(super) fn give_back(
    tx: &Transaction<'_>,
    model: i64,
    holder: i64,
    passages: &[i64],
    until: Timestamp,
) -> Outcome<()> {
    for passage in passages {
        tx.prepare_cached(
            "UPDATE pending SET holder = NULL, until_ms = ?4
             WHERE model_id = ?1 AND passage_id = ?2 AND holder = ?3",
        )?
        .execute(params![model, passage, holder, until.as_millisecond()])?;
    }
    Ok(())
}
