//! Keeping the index: terms, passages, postings, and the counts that go with them.
//!
//! A transaction gathers what it changes and writes it at its end, all rows of a table at once: a
//! batch costs as many round trips as one memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tokio_postgres::Row;

use super::db::{Db, Outcome, Values};
use super::postings::{append, take_out};
use super::vectors;
use crate::order::sort;
use crate::store::{Forgotten, NewPassage, vector};

/// What a transaction changes in the index.
#[derive(Default)]
pub(super) struct Changes<'a> {
    added: Vec<(Standing, &'a [NewPassage])>,
    removed: Vec<Removed>,
    holdings: BTreeMap<(i64, i16), Holding>,
    shares: BTreeMap<(i64, i64), Share>,
}

/// A passage that leaves the index, and the terms that it had.
struct Removed {
    passage: i64,
    terms: Vec<i64>,
}

#[derive(Default)]
struct Holding {
    memories: i64,
    passages: i64,
    terms: i64,
}

#[derive(Default)]
struct Share {
    memories: i64,
    terms: i64,
}

/// Where a memory stands, as the index repeats it.
#[derive(Clone, Copy)]
pub(super) struct Standing {
    pub memory: i64,
    pub project: i64,
    pub kind: i16,
    pub session: Option<i64>,
    pub position: i64,
    pub created_ms: i64,
    pub expires_ms: Option<i64>,
}

impl Standing {
    /// The first columns of a row: number, project, kind, session, position and both times.
    pub fn read(row: &Row) -> Outcome<Self> {
        Ok(Self {
            memory: row.try_get(0)?,
            project: row.try_get(1)?,
            kind: row.try_get(2)?,
            session: row.try_get(3)?,
            position: row.try_get(4)?,
            created_ms: row.try_get(5)?,
            expires_ms: row.try_get(6)?,
        })
    }
}

impl<'a> Changes<'a> {
    /// Makes a memory findable.
    pub fn add(&mut self, standing: Standing, passages: &'a [NewPassage]) {
        self.count(&standing, 1, passages.len(), length(passages));
        self.added.push((standing, passages));
    }

    /// Takes memories out of the index; their words stay in them. Returns what they had there.
    pub async fn remove(&mut self, db: &Db, memories: &[Standing]) -> Outcome<Forgotten> {
        let mut total = Forgotten::default();
        let mut stored: HashMap<i64, &Standing> = HashMap::new();
        for standing in memories {
            // What this transaction brought is not written yet.
            let mine = |(added, _): &(Standing, _)| added.memory == standing.memory;
            match self.added.iter().position(mine) {
                Some(place) => {
                    let (_, passages) = self.added.remove(place);
                    self.count(standing, -1, passages.len(), length(passages));
                    total.passages += passages.len() as u64;
                    total.index_entries += entries(passages);
                }
                None => {
                    self.count(standing, -1, 0, 0);
                    stored.insert(standing.memory, standing);
                }
            }
        }
        if stored.is_empty() {
            return Ok(total);
        }
        let numbers: Vec<i64> = stored.keys().copied().collect();
        let numbers: Values<'_> = &[&numbers];
        // The vectors go with their passages.
        let (vectors, rows) = tokio::join!(
            biased;
            db.one(
                "SELECT count(*) FROM passage p JOIN embedding e ON e.passage_id = p.id
                 WHERE p.memory_id = ANY ($1)",
                numbers,
            ),
            db.rows(
                "DELETE FROM passage WHERE memory_id = ANY ($1)
                 RETURNING memory_id, id, length, terms",
                numbers,
            ),
        );
        let (vectors, rows): (i64, Vec<Row>) = (vectors?, rows?);
        total.vectors = vectors.unsigned_abs();
        for row in &rows {
            let memory: i64 = row.try_get(0)?;
            if let Some(standing) = stored.get(&memory) {
                let terms = i64::from(row.try_get::<_, i32>(2)?);
                self.count_passages(standing, -1, -terms);
            }
            let terms: Vec<i64> = vector::decode(row.try_get(3)?).map(|(id, _)| id).collect();
            total.index_entries += terms.len() as u64;
            self.removed.push(Removed {
                passage: row.try_get(1)?,
                terms,
            });
        }
        total.passages += rows.len() as u64;
        Ok(total)
    }

    /// What is found until another time.
    pub async fn expire(&mut self, db: &Db, memory: i64, at_ms: Option<i64>) -> Outcome<()> {
        for (standing, _) in &mut self.added {
            if standing.memory == memory {
                standing.expires_ms = at_ms;
            }
        }
        db.run(
            "UPDATE passage SET expires_ms = $2 WHERE memory_id = $1",
            &[&memory, &at_ms],
        )
        .await?;
        Ok(())
    }

    /// Counts memories that come (1) or go (-1), with so many passages and terms.
    fn count(&mut self, standing: &Standing, sign: i64, passages: usize, terms: i64) {
        let place = (standing.project, standing.kind);
        self.holdings.entry(place).or_default().memories += sign;
        if let Some(session) = standing.session {
            let share = self.shares.entry((standing.project, session)).or_default();
            share.memories += sign;
        }
        self.count_passages(standing, sign * passages as i64, sign * terms);
    }

    fn count_passages(&mut self, standing: &Standing, passages: i64, terms: i64) {
        let place = (standing.project, standing.kind);
        let holding = self.holdings.entry(place).or_default();
        holding.passages += passages;
        holding.terms += terms;
        if let Some(session) = standing.session {
            let share = self.shares.entry((standing.project, session)).or_default();
            share.terms += terms;
        }
    }

    /// Writes it all. Terms that no passage has any more are deleted, so that no word of a
    /// forgotten memory stays behind.
    pub async fn write(self, db: &Db) -> Outcome<()> {
        write_added(db, &self.added).await?;
        write_removed(db, &self.removed).await?;
        write_holdings(db, &self.holdings).await?;
        write_shares(db, &self.shares).await
    }
}

fn length(passages: &[NewPassage]) -> i64 {
    passages
        .iter()
        .map(|passage| i64::from(passage.length))
        .sum()
}

fn entries(passages: &[NewPassage]) -> u64 {
    passages
        .iter()
        .map(|passage| passage.terms.len() as u64)
        .sum()
}

async fn write_added(db: &Db, added: &[(Standing, &[NewPassage])]) -> Outcome<()> {
    let passages: Vec<(&Standing, &NewPassage)> = added
        .iter()
        .flat_map(|(standing, passages)| passages.iter().map(move |passage| (standing, passage)))
        .collect();
    if passages.is_empty() {
        return Ok(());
    }
    let count: Values<'_> = &[&(passages.len() as i64)];
    let (ids, numbers) = tokio::join!(
        biased;
        term_ids(db, &passages),
        db.rows(
            "SELECT nextval('passage_id_seq') FROM generate_series(1, $1::bigint)",
            count,
        ),
    );
    let (ids, numbers) = (ids?, numbers?);
    let mut numbers: Vec<i64> = numbers
        .iter()
        .map(|row| row.try_get(0))
        .collect::<Result<_, _>>()?;
    numbers.sort_unstable();
    let mut rows = PassageRows::default();
    let mut postings: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for ((standing, passage), number) in passages.iter().zip(&numbers) {
        let mut pairs: Vec<(i64, u32)> = passage
            .terms
            .iter()
            .filter_map(|(term, times)| {
                Some((*ids.get(&(standing.project, term.as_str()))?, *times))
            })
            .collect();
        sort(&mut pairs);
        for (id, _) in &pairs {
            postings.entry(*id).or_default().push(*number);
        }
        rows.push(*number, standing, passage, vector::encode(&pairs));
    }
    let (inserted, appended) = tokio::join!(biased; rows.insert(db), append(db, postings));
    inserted?;
    appended?;
    let own = passages
        .iter()
        .zip(&numbers)
        .filter_map(|((standing, passage), number)| {
            Some((*number, standing.project, passage.vector.as_ref()?))
        });
    vectors::put_own(db, own.collect()).await
}

/// The numbers of terms, made where they are not there, and counted.
async fn term_ids<'a>(
    db: &Db,
    passages: &[(&Standing, &'a NewPassage)],
) -> Outcome<HashMap<(i64, &'a str), i64>> {
    // In one order, so that no two transactions wait for each other.
    let mut counts: BTreeMap<(i64, &str), i64> = BTreeMap::new();
    for (standing, passage) in passages {
        for (term, _) in &passage.terms {
            *counts.entry((standing.project, term)).or_default() += 1;
        }
    }
    let terms: Vec<&str> = counts.keys().map(|(_, term)| *term).collect();
    let projects: Vec<i64> = counts.keys().map(|(project, _)| *project).collect();
    let times: Vec<i64> = counts.values().copied().collect();
    let rows = db
        .rows(
            "INSERT INTO term (term, project_id, passages)
             SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[])
             ON CONFLICT (term, project_id) DO UPDATE SET passages = term.passages + excluded.passages
             RETURNING project_id, term, id",
            &[&terms, &projects, &times],
        )
        .await?;
    let mut found: HashMap<(i64, &str), i64> = HashMap::with_capacity(rows.len());
    for row in &rows {
        found.insert((row.try_get(0)?, row.try_get(1)?), row.try_get(2)?);
    }
    // Under names that outlive the rows.
    let ids = counts
        .keys()
        .filter_map(|key| Some((*key, *found.get(key)?)));
    Ok(ids.collect())
}

/// New rows of `passage`, column by column.
#[derive(Default)]
struct PassageRows {
    number: Vec<i64>,
    memory: Vec<i64>,
    project: Vec<i64>,
    session: Vec<Option<i64>>,
    position: Vec<i64>,
    created_ms: Vec<i64>,
    expires_ms: Vec<Option<i64>>,
    start: Vec<i32>,
    end: Vec<i32>,
    length: Vec<i32>,
    kind: Vec<i16>,
    terms: Vec<Vec<u8>>,
}

impl PassageRows {
    fn push(&mut self, number: i64, standing: &Standing, passage: &NewPassage, terms: Vec<u8>) {
        self.number.push(number);
        self.memory.push(standing.memory);
        self.project.push(standing.project);
        self.session.push(standing.session);
        self.position.push(standing.position);
        self.created_ms.push(standing.created_ms);
        self.expires_ms.push(standing.expires_ms);
        self.start.push(column(passage.range.start));
        self.end.push(column(passage.range.end));
        self.length.push(passage.length as i32);
        self.kind.push(standing.kind);
        self.terms.push(terms);
    }

    async fn insert(&self, db: &Db) -> Outcome<()> {
        db.run(
            "INSERT INTO passage (id, memory_id, project_id, session_id, position, created_ms,
                                  expires_ms, start_byte, end_byte, length, kind, terms)
             SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[],
                                  $5::bigint[], $6::bigint[], $7::bigint[], $8::int[], $9::int[],
                                  $10::int[], $11::smallint[], $12::bytea[])",
            &[
                &self.number,
                &self.memory,
                &self.project,
                &self.session,
                &self.position,
                &self.created_ms,
                &self.expires_ms,
                &self.start,
                &self.end,
                &self.length,
                &self.kind,
                &self.terms,
            ],
        )
        .await?;
        Ok(())
    }
}

/// A place in a text as its column holds it; a text is far shorter than what that can say.
pub(super) fn column(bytes: usize) -> i32 {
    i32::try_from(bytes).unwrap_or(i32::MAX)
}

async fn write_removed(db: &Db, removed: &[Removed]) -> Outcome<()> {
    if removed.is_empty() {
        return Ok(());
    }
    let mut gone: BTreeMap<i64, BTreeSet<i64>> = BTreeMap::new();
    for passage in removed {
        for term in &passage.terms {
            gone.entry(*term).or_default().insert(passage.passage);
        }
    }
    take_out(db, &gone).await?;
    let terms: Vec<i64> = gone.keys().copied().collect();
    let times: Vec<i64> = gone
        .values()
        .map(|passages| passages.len() as i64)
        .collect();
    let rows = db
        .rows(
            "WITH counted AS (
                 UPDATE term SET passages = term.passages - gone.times
                 FROM unnest($1::bigint[], $2::bigint[]) AS gone (id, times)
                 WHERE term.id = gone.id RETURNING term.id, term.passages)
             SELECT counted.id FROM counted WHERE passages <= 0",
            &[&terms, &times],
        )
        .await?;
    let unused: Vec<i64> = rows
        .iter()
        .map(|row| row.try_get(0))
        .collect::<Result<_, _>>()?;
    db.run("DELETE FROM term WHERE id = ANY ($1)", &[&unused])
        .await?;
    Ok(())
}

async fn write_holdings(db: &Db, holdings: &BTreeMap<(i64, i16), Holding>) -> Outcome<()> {
    let (projects, kinds): (Vec<i64>, Vec<i16>) = holdings.keys().copied().unzip();
    let memories: Vec<i64> = holdings.values().map(|held| held.memories).collect();
    let passages: Vec<i64> = holdings.values().map(|held| held.passages).collect();
    let terms: Vec<i64> = holdings.values().map(|held| held.terms).collect();
    if projects.is_empty() {
        return Ok(());
    }
    db.run(
        "INSERT INTO holding (project_id, kind, memories, passages, terms)
         SELECT * FROM unnest($1::bigint[], $2::smallint[], $3::bigint[], $4::bigint[], $5::bigint[])
         ON CONFLICT (project_id, kind) DO UPDATE
         SET memories = holding.memories + excluded.memories,
             passages = holding.passages + excluded.passages,
             terms = holding.terms + excluded.terms",
        &[&projects, &kinds, &memories, &passages, &terms],
    )
    .await?;
    Ok(())
}

/// The first memory of a session's share of a project, and the last, change how many sessions the
/// project has.
async fn write_shares(db: &Db, shares: &BTreeMap<(i64, i64), Share>) -> Outcome<()> {
    let (projects, sessions): (Vec<i64>, Vec<i64>) = shares.keys().copied().unzip();
    let memories: Vec<i64> = shares.values().map(|share| share.memories).collect();
    let terms: Vec<i64> = shares.values().map(|share| share.terms).collect();
    if projects.is_empty() {
        return Ok(());
    }
    db.run(
        "WITH changed AS (
             UPDATE share
             SET memories = share.memories + new.memories, terms = share.terms + new.terms
             FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])
                  AS new (project_id, session_id, memories, terms)
             WHERE share.project_id = new.project_id AND share.session_id = new.session_id
             RETURNING share.project_id, (share.memories > 0)::int
                                         - (share.memories > new.memories)::int AS sessions),
         summed AS (SELECT project_id, sum(sessions) AS sessions FROM changed GROUP BY project_id)
         UPDATE project SET sessions = project.sessions + summed.sessions
         FROM summed WHERE project.id = summed.project_id AND summed.sessions <> 0",
        &[&projects, &sessions, &memories, &terms],
    )
    .await?;
    Ok(())
}
