//! Deleting by age, batch by batch, and what is to be done after work.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Transaction, params_from_iter};

use super::list::selected;
use super::{Sqlite, forget};
use crate::error::Result;
use crate::memory::{MemoryId, Project, Selection, Which};
use crate::store::columns::{COUNT_MARKED, SURVEY, SURVEY_END, kind_of, time_of};
use crate::store::{Due, Forgotten, Group, Survey};

/// The verbs of [`crate::store::Store`], whose documentation is theirs.
#[allow(missing_docs, reason = "documented once, in the contract")]
impl Sqlite {
    pub async fn survey(&self, selection: Selection) -> Result<Survey> {
        self.read(move |db| survey(db, &selection)).await
    }

    pub async fn prune(&self, selection: Selection, ids: Vec<MemoryId>) -> Result<Forgotten> {
        self.write(move |tx| Ok(prune(tx, &selection, &ids)?)).await
    }

    pub async fn due(&self) -> Result<Due> {
        self.read(due).await
    }

    /// The space is in the file that has the traces: both go at once.
    pub async fn reclaim(&self, _memories: u64) -> Result<()> {
        self.erase_traces().await
    }
}

fn survey(db: &Connection, selection: &Selection) -> rusqlite::Result<Survey> {
    let chosen = selected(selection);
    let groups = db
        .prepare_cached(&format!("{SURVEY}{}{SURVEY_END}", chosen.sql))?
        .query_map(params_from_iter(chosen.values), |row| {
            Ok(Group {
                project: Project::new(row.get::<_, String>(0)?),
                kind: kind_of(row.get(1)?),
                memories: row.get::<_, i64>(2)?.unsigned_abs(),
                span: (time_of(row.get(3)?), time_of(row.get(4)?)),
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    let mut survey = Survey {
        groups,
        ..Survey::default()
    };
    if selection.which == Which::Unmarked {
        let live = selected(&selection.of(Which::Live));
        (survey.pinned, survey.keyed) = db
            .prepare_cached(&format!(
                "SELECT {COUNT_MARKED} FROM memory m WHERE {}",
                live.sql
            ))?
            .query_row(params_from_iter(live.values), |row| {
                let number = |at| row.get::<_, i64>(at).map(i64::unsigned_abs);
                Ok((number(0)?, number(1)?))
            })?;
    }
    Ok(survey)
}

fn prune(
    tx: &Transaction<'_>,
    selection: &Selection,
    ids: &[MemoryId],
) -> rusqlite::Result<Forgotten> {
    let chosen = selected(selection);
    let sql = format!(
        "SELECT m.id FROM memory m WHERE {} AND m.name = ?",
        chosen.sql
    );
    let mut select = tx.prepare_cached(&sql)?;
    let mut memories = Vec::with_capacity(ids.len());
    for id in ids {
        let name = Value::Blob(id.as_bytes().to_vec());
        let values = chosen.values.iter().cloned().chain([name]);
        let memory = select
            .query_row(params_from_iter(values), |row| row.get::<_, i64>(0))
            .optional()?;
        memories.extend(memory);
    }
    forget::forget_rows(tx, &memories)
}

fn due(db: &Connection) -> rusqlite::Result<Due> {
    let expiry: Option<i64> = db
        .prepare_cached("SELECT min(expires_ms) FROM memory WHERE expires_ms IS NOT NULL")?
        .query_row([], |row| row.get(0))?;
    Ok(Due {
        expiry: expiry.map(time_of),
        has_traces: forget::traces(db)?.is_some(),
    })
}
