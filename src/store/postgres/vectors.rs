//! Models, what waits for their vectors, and the vectors.
//!
//! pgvector is used for its index of bit strings, one for each model, and for nothing else: vectors
//! lie in columns of PostgreSQL's own, so that a store without the extension is the same store.

use uuid::Uuid;

use super::bits::Bits;
use super::db::{Db, Outcome, Values};
use super::index::column;
use super::memories::name_column;
use crate::error::Error;
use crate::memory::{Scope, Timestamp};
use crate::store::MovedVector;
use crate::store::columns::time_of;
use crate::store::quantised;
use crate::store::vectors::{Claim, Embedded, Made, Model, OwnVector, Work, digest, new_holder};

const MODEL: &str = "SELECT id, name, dimension,
    (SELECT count(*) FROM pending WHERE model_id = model.id) FROM model";

fn model(row: &tokio_postgres::Row) -> Outcome<Model> {
    Ok(Model {
        id: row.try_get(0)?,
        name: row.try_get(1)?,
        dimension: usize::try_from(row.try_get::<_, i32>(2)?).unwrap_or_default(),
        waiting: row.try_get::<_, i64>(3)?.unsigned_abs(),
    })
}

pub(super) async fn models(db: &Db) -> Outcome<Vec<Model>> {
    let rows = db.rows(&format!("{MODEL} ORDER BY id DESC"), &[]).await?;
    rows.iter().map(model).collect()
}

pub(super) async fn known_model(db: &Db, name: &str, dimension: i32) -> Outcome<Option<Model>> {
    let sql = format!("{MODEL} WHERE name = $1 AND dimension = $2");
    let row = db.row(&sql, &[&name, &dimension]).await?;
    row.as_ref().map(model).transpose()
}

/// Makes a model known. Whoever is writing passages at this moment is waited for, else theirs would
/// neither wait for a vector nor be seen here.
pub(super) async fn make_model(db: &Db, name: &str, dimension: i32) -> Outcome<()> {
    db.batch("LOCK TABLE model IN ACCESS EXCLUSIVE MODE; SET LOCAL statement_timeout = 0")
        .await?;
    db.run(
        "WITH made AS (
             INSERT INTO model (name, dimension) VALUES ($1, $2) ON CONFLICT DO NOTHING
             RETURNING id)
         INSERT INTO pending (passage_id, model_id) SELECT p.id, made.id FROM passage p, made",
        &[&name, &dimension],
    )
    .await?;
    Ok(())
}

pub(super) async fn forget_model(db: &Db, model: i64) -> Outcome<()> {
    db.batch(&format!(
        "SET LOCAL statement_timeout = 0; DROP INDEX IF EXISTS {}",
        index_name(model)
    ))
    .await?;
    // By hand, because nothing finds them by model alone when the rule of the table would.
    for sql in [
        "DELETE FROM pending WHERE model_id = $1",
        "DELETE FROM embedding WHERE model_id = $1",
        "DELETE FROM model WHERE id = $1",
    ] {
        db.run(sql, &[&model]).await?;
    }
    Ok(())
}

/// What of pgvector there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Extension {
    /// Where its operators are, quoted.
    pub schema: String,
    /// Its version: (0, 8).
    pub version: (u32, u32),
}

/// Below this it cannot index bit strings.
const VERSION_MIN: (u32, u32) = (0, 7);

/// From this on a search goes on until enough rows pass its conditions.
const VERSION_ITERATIVE: (u32, u32) = (0, 8);

impl Extension {
    /// Whether it indexes bit strings.
    pub fn is_enough(&self) -> bool {
        self.version >= VERSION_MIN
    }

    /// Whether a search goes on until enough rows pass its conditions.
    pub fn is_iterative(&self) -> bool {
        self.version >= VERSION_ITERATIVE
    }
}

/// Looks for the extension.
pub(super) async fn extension(db: &Db) -> Outcome<Option<Extension>> {
    let row = db
        .row(
            "SELECT quote_ident(n.nspname), e.extversion
             FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
             WHERE e.extname = 'vector'",
            &[],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let version: &str = row.try_get(1)?;
    let mut numbers = version
        .split('.')
        .map(|part| part.parse().unwrap_or_default());
    Ok(Some(Extension {
        schema: row.try_get(0)?,
        version: (
            numbers.next().unwrap_or_default(),
            numbers.next().unwrap_or_default(),
        ),
    }))
}

/// Whether a model has its index, whole.
pub(super) async fn has_index(db: &Db, model: i64) -> Outcome<bool> {
    let name = index_name(model);
    let sql = "SELECT 1 FROM pg_index WHERE indexrelid = to_regclass($1::text) AND indisvalid";
    Ok(db.row(sql, &[&name]).await?.is_some())
}

pub(super) fn index_name(model: i64) -> String {
    format!("embedding_nearest_{model}")
}

/// Makes the extension, which needs rights that Sage may lack. Not in Sage's schema, where nobody
/// else would find it and a schema that is dropped would take it along.
pub(super) async fn make_extension(db: &Db) -> Outcome<()> {
    db.batch("CREATE EXTENSION IF NOT EXISTS vector SCHEMA public")
        .await
}

/// Makes the index of a model. It holds any dimension, since a code has one bit a number.
pub(super) async fn make_index(db: &Db, model: &Model, extension: &Extension) -> Outcome<()> {
    let sql = format!(
        "SET LOCAL statement_timeout = 0; SET LOCAL maintenance_work_mem = '256MB';
         CREATE INDEX IF NOT EXISTS {} ON embedding
         USING hnsw ((code::bit({})) {}.bit_hamming_ops) WHERE model_id = {}",
        index_name(model.id),
        model.dimension,
        extension.schema,
        model.id
    );
    db.batch(&sql).await
}

pub(super) async fn claim(
    db: &Db,
    model: i64,
    limit: usize,
    now: Timestamp,
    until: Timestamp,
) -> Outcome<Claim> {
    let holder = new_holder();
    let limit = limit as i64;
    let (now_ms, until_ms) = (now.as_millisecond(), until.as_millisecond());
    // In Unicode the bytes of a text are those of its passages' places.
    let rows = db
        .rows(
            "WITH taken AS (
                 SELECT passage_id FROM pending WHERE model_id = $1 AND until_ms <= $3
                 ORDER BY passage_id DESC LIMIT $4 FOR UPDATE SKIP LOCKED),
             mine AS (
                 UPDATE pending SET holder = $2, until_ms = $5
                 WHERE model_id = $1 AND passage_id IN (SELECT passage_id FROM taken)
                 RETURNING passage_id)
             SELECT p.id, substring(convert_to(m.content, 'UTF8')
                                    FROM p.start_byte + 1 FOR p.end_byte - p.start_byte)
             FROM mine JOIN passage p ON p.id = mine.passage_id JOIN memory m ON m.id = p.memory_id
             ORDER BY p.id DESC",
            &[&model, &holder, &now_ms, &limit, &until_ms],
        )
        .await?;
    let mut work = Vec::with_capacity(rows.len());
    for row in &rows {
        let text = String::from_utf8_lossy(row.try_get(1)?).into_owned();
        work.push(Work {
            passage: row.try_get(0)?,
            digest: digest(&text),
            text,
            is_known: false,
        });
    }
    if work.is_empty() {
        let sql = "SELECT min(until_ms) FROM pending WHERE model_id = $1";
        let next: Option<i64> = db.one(sql, &[&model]).await?;
        return Ok(Claim {
            holder,
            work,
            next: next.map(time_of),
        });
    }
    let digests: Vec<&[u8]> = work.iter().map(|work| work.digest.as_slice()).collect();
    let sql = "SELECT DISTINCT digest FROM embedding WHERE digest = ANY ($1) AND model_id = $2";
    let known = db.rows(sql, &[&digests, &model]).await?;
    for row in &known {
        let digest: &[u8] = row.try_get(0)?;
        for work in work.iter_mut().filter(|work| work.digest == digest) {
            work.is_known = true;
        }
    }
    Ok(Claim {
        holder,
        work,
        next: None,
    })
}

pub(super) async fn put_vectors(
    db: &Db,
    model: i64,
    holder: i64,
    made: &[Embedded],
) -> Outcome<u64> {
    let asked: Vec<i64> = made.iter().map(|embedded| embedded.passage).collect();
    // Passages first, as whoever forgets them does, so that nobody waits for the other.
    db.rows(
        "SELECT 1 FROM passage WHERE id = ANY ($1) ORDER BY id FOR KEY SHARE",
        &[&asked],
    )
    .await?;
    let rows = db
        .rows(
            "SELECT passage_id FROM pending
             WHERE passage_id = ANY ($1) AND model_id = $2 AND holder = $3 FOR UPDATE",
            &[&asked, &model, &holder],
        )
        .await?;
    let mine: Vec<i64> = rows
        .iter()
        .map(|row| row.try_get(0))
        .collect::<Result<_, _>>()?;
    let made = || {
        made.iter()
            .filter(|embedded| mine.contains(&embedded.passage))
    };
    let (mut passages, mut digests, mut codes, mut levels) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut copies, mut copied_digests) = (Vec::new(), Vec::new());
    for embedded in made() {
        match &embedded.made {
            Made::New(vector) => {
                passages.push(embedded.passage);
                digests.push(embedded.digest.as_slice());
                codes.push(Bits {
                    count: vector.len(),
                    bytes: quantised::code(vector),
                });
                levels.push(quantised::row(vector));
            }
            Made::Same => {
                copies.push(embedded.passage);
                copied_digests.push(embedded.digest.as_slice());
            }
        }
    }
    let mut kept = db
        .run(
            "INSERT INTO embedding (passage_id, model_id, project_id, digest, code, levels)
             SELECT p.id, $1, p.project_id, new.digest, new.code, new.levels
             FROM unnest($2::bigint[], $3::bytea[], $4::varbit[], $5::bytea[])
                  AS new (passage_id, digest, code, levels)
             JOIN passage p ON p.id = new.passage_id
             ON CONFLICT DO NOTHING",
            &[&model, &passages, &digests, &codes, &levels],
        )
        .await?;
    if !copies.is_empty() {
        kept += db
            .run(
                "INSERT INTO embedding (passage_id, model_id, project_id, digest, code, levels)
                 SELECT p.id, $1, p.project_id, new.digest, same.code, same.levels
                 FROM unnest($2::bigint[], $3::bytea[]) AS new (passage_id, digest)
                 JOIN passage p ON p.id = new.passage_id
                 CROSS JOIN LATERAL (
                     SELECT code, levels FROM embedding e
                     WHERE e.digest = new.digest AND e.model_id = $1 LIMIT 1) same
                 ON CONFLICT DO NOTHING",
                &[&model, &copies, &copied_digests],
            )
            .await?;
    }
    // Only those that have one now: the passage that had the same words may be gone.
    db.run(
        "DELETE FROM pending q USING embedding e
         WHERE q.passage_id = ANY ($1) AND q.model_id = $2
           AND e.passage_id = q.passage_id AND e.model_id = q.model_id",
        &[&mine, &model],
    )
    .await?;
    Ok(kept)
}

/// Keeps the vectors that passages of a project bring, where the store knows the model; then they
/// wait for none. Nobody copies them, so their words need no digest.
pub(super) async fn put_own(db: &Db, own: Vec<(i64, i64, &OwnVector)>) -> Outcome<()> {
    let Some((_, _, first)) = own.first() else {
        return Ok(());
    };
    let (name, dimension) = (first.model, first.numbers.len() as i32);
    let passages: Vec<i64> = own.iter().map(|(passage, _, _)| *passage).collect();
    let projects: Vec<i64> = own.iter().map(|(_, project, _)| *project).collect();
    let numbers = || own.iter().map(|(_, _, own)| own.numbers.as_slice());
    let codes: Vec<Bits> = numbers()
        .map(|numbers| Bits {
            count: numbers.len(),
            bytes: quantised::code(numbers),
        })
        .collect();
    let levels: Vec<Vec<u8>> = numbers().map(quantised::row).collect();
    let values: Values<'_> = &[&name, &dimension, &passages, &projects, &codes, &levels];
    let known: Values<'_> = &[&name, &dimension, &passages];
    let (kept, freed) = tokio::join!(
        biased;
        db.run(
            "INSERT INTO embedding (passage_id, model_id, project_id, digest, code, levels)
             SELECT new.passage_id, m.id, new.project_id, '', new.code, new.levels
             FROM unnest($3::bigint[], $4::bigint[], $5::varbit[], $6::bytea[])
                  AS new (passage_id, project_id, code, levels), model m
             WHERE m.name = $1 AND m.dimension = $2",
            values,
        ),
        db.run(
            "DELETE FROM pending q USING model m
             WHERE m.name = $1 AND m.dimension = $2
               AND q.model_id = m.id AND q.passage_id = ANY ($3)",
            known,
        ),
    );
    kept?;
    freed?;
    Ok(())
}

/// Takes in vectors that another store had, each for a passage of those very words that has none of
/// a model that is known; returns how many those were.
pub(super) async fn learn_vectors(db: &Db, moved: &[&MovedVector]) -> Outcome<u64> {
    if moved.is_empty() {
        return Ok(0);
    }
    let names: Vec<Uuid> = moved
        .iter()
        .map(|moved| name_column(moved.memory))
        .collect();
    let starts: Vec<i32> = moved.iter().map(|moved| column(moved.start)).collect();
    let models: Vec<&str> = moved.iter().map(|moved| moved.model.as_str()).collect();
    let dimensions: Vec<i32> = moved.iter().map(|moved| column(moved.dimension)).collect();
    let rows = db
        .rows(
            "SELECT asked.place, o.id, p.id,
                    substring(convert_to(m.content, 'UTF8')
                              FROM p.start_byte + 1 FOR p.end_byte - p.start_byte)
             FROM unnest($1::uuid[], $2::int[], $3::text[], $4::int[])
                  WITH ORDINALITY AS asked (name, start_byte, model, dimension, place)
             JOIN memory m ON m.name = asked.name
             JOIN passage p ON p.memory_id = m.id AND p.start_byte = asked.start_byte
             JOIN model o ON o.name = asked.model AND o.dimension = asked.dimension
             ORDER BY p.id FOR KEY SHARE OF p",
            &[&names, &starts, &models, &dimensions],
        )
        .await?;
    let (mut owners, mut passages, mut digests, mut codes, mut levels) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for row in &rows {
        let place = usize::try_from(row.try_get::<_, i64>(0)? - 1).unwrap_or(usize::MAX);
        let words = String::from_utf8_lossy(row.try_get(3)?);
        let Some(moved) = moved
            .get(place)
            .filter(|moved| digest(&words) == moved.digest)
        else {
            continue;
        };
        owners.push(row.try_get::<_, i64>(1)?);
        passages.push(row.try_get::<_, i64>(2)?);
        digests.push(moved.digest.as_slice());
        codes.push(Bits {
            count: moved.dimension,
            bytes: moved.code.clone(),
        });
        levels.push(moved.levels.as_slice());
    }
    let kept = db
        .run(
            "INSERT INTO embedding (passage_id, model_id, project_id, digest, code, levels)
             SELECT p.id, new.model_id, p.project_id, new.digest, new.code, new.levels
             FROM unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::varbit[], $5::bytea[])
                  AS new (model_id, passage_id, digest, code, levels)
             JOIN passage p ON p.id = new.passage_id
             ON CONFLICT DO NOTHING",
            &[&owners, &passages, &digests, &codes, &levels],
        )
        .await?;
    db.run(
        "DELETE FROM pending q USING embedding e
         WHERE q.passage_id = ANY ($1) AND e.passage_id = q.passage_id AND e.model_id = q.model_id",
        &[&passages],
    )
    .await?;
    Ok(kept)
}

pub(super) async fn give_back(
    db: &Db,
    model: i64,
    holder: i64,
    passages: &[i64],
    until: Timestamp,
) -> Outcome<()> {
    db.run(
        "UPDATE pending SET holder = NULL, until_ms = $4
         WHERE model_id = $1 AND holder = $2 AND passage_id = ANY ($3)",
        &[&model, &holder, &passages, &until.as_millisecond()],
    )
    .await?;
    Ok(())
}

/// What holds vectors back: those of a service's models, or those of the built-in one, which finds as
/// much without an index up to [`SCANNED_MAX`](super::nearest::SCANNED_MAX) passages.
pub(super) async fn problem(db: &Db, of_service: bool) -> Outcome<Option<String>> {
    if !of_service {
        let held = super::candidates::corpus_passages(db, &Scope::All).await?;
        if held <= super::nearest::SCANNED_MAX {
            return Ok(None);
        }
    }
    let problem = match extension(db).await? {
        None => "the extension vector (pgvector) is not installed",
        Some(extension) if !extension.is_enough() => "pgvector is older than 0.7",
        Some(_) => {
            let models = models(db).await?;
            let mut is_whole = true;
            let is_meant = |model: &&Model| model.name.starts_with("builtin-") != of_service;
            for model in models.iter().filter(is_meant) {
                is_whole &= has_index(db, model.id).await?;
            }
            match is_whole {
                true => return Ok(None),
                false => "a model has no index: run `sage reindex` as the owner of the tables",
            }
        }
    };
    Ok(Some(format!(
        "{problem}, so vectors are compared one by one; a project with more than {} passages is \
         searched by words alone",
        super::nearest::SCANNED_MAX
    )))
}

/// Whether something was made that may be refused: rights may be missing, or files. That a
/// connection broke is a failure all the same.
pub(super) fn is_done(outcome: Result<(), Error>) -> Result<bool, Error> {
    match outcome {
        Ok(()) => Ok(true),
        Err(error @ Error::Unavailable(_)) => Err(error),
        Err(_) => Ok(false),
    }
}
