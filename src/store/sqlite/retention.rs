//! What would go, and what is to be done when something went.

use rusqlite::{Connection, params_from_iter};

use super::list::selected;
use super::{Sqlite, forget, open};
use crate::error::{Error, Result};
use crate::memory::{Project, Selection, Which};
use crate::store::columns::{COUNT_MARKED, SURVEY, SURVEY_END, kind_of, time_of};
use crate::store::{Due, Group, Survey};

/// The verbs of [`crate::store::Store`], whose documentation is theirs.
#[allow(missing_docs, reason = "documented once, in the contract")]
impl Sqlite {
    pub async fn survey(&self, selection: Selection) -> Result<Survey> {
        self.read(move |db| survey(db, &selection)).await
    }

    pub async fn due(&self) -> Result<Due> {
        self.read(due).await
    }

    /// The space is in the file that has the traces: both go at once.
    pub async fn reclaim(&self, _memories: u64) -> Result<()> {
        let erased = self.writing(|writer, path| {
            forget::erase_traces(writer).map_err(|error| open::explain(path, &error))
        });
        erased.await.map_err(|error| {
            Error::Store(format!(
                "they are forgotten, but traces of their words may be in the file until the next \
                 forget succeeds: {error}"
            ))
        })
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

fn due(db: &Connection) -> rusqlite::Result<Due> {
    let expiry: Option<i64> = db
        .prepare_cached("SELECT min(expires_ms) FROM memory WHERE expires_ms IS NOT NULL")?
        .query_row([], |row| row.get(0))?;
    Ok(Due {
        expiry: expiry.map(time_of),
        has_traces: forget::traces(db)?.is_some(),
    })
}
