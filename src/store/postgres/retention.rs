//! What would go, and what is to be done when something went.

use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::Row;

use super::db::{Db, Failure, Outcome};
use super::list::selected;
use super::{Postgres, explain};
use crate::error::{Error, Result};
use crate::memory::{Project, Selection, Which};
use crate::store::columns::{COUNT_MARKED, SURVEY, SURVEY_END, kind_of, time_of};
use crate::store::{Due, Group, Survey};

/// From so many deleted memories on their space is made free at once. What is less, autovacuum
/// finds in its own time, and reading whole tables for it is not worth it.
const VACUUM_MIN: u64 = 1_000;

/// How long that may take: some ten million passages on a slow disk.
const VACUUM_PATIENCE: Duration = Duration::from_secs(30 * 60);

/// Without the limit that other statements have. Each is sent alone, since a transaction is no
/// place for it. Tables that the role may not vacuum, or that somebody else does at the moment, the
/// server passes over with a warning.
const VACUUM: [&str; 2] = [
    "SET statement_timeout = 0",
    "VACUUM (ANALYZE, SKIP_LOCKED) memory, tag, repeat, passage, posting, term",
];

/// The verbs of [`crate::store::Store`], whose documentation is theirs.
#[allow(missing_docs, reason = "documented once, in the contract")]
impl Postgres {
    pub async fn survey(&self, selection: Selection) -> Result<Survey> {
        let selection = &selection;
        self.read(|db| async move { survey(&db, selection).await })
            .await
    }

    pub async fn due(&self) -> Result<Due> {
        self.read(|db| async move { due(&db).await }).await
    }

    pub async fn reclaim(&self, memories: u64) -> Result<()> {
        if memories < VACUUM_MIN {
            return Ok(());
        }
        let _turn = self.turn().await?;
        let db = self.connect().await?;
        // The connection does not go back to the others: it has lost its limit.
        db.begins();
        let vacuum = async {
            for sql in VACUUM {
                db.batch(sql).await?;
            }
            Ok::<(), Failure>(())
        };
        let place = &self.inner.place;
        let error = match timeout(VACUUM_PATIENCE, vacuum).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(failure)) => explain::failure(place, failure),
            Err(_) => explain::too_late(place),
        };
        Err(Error::Unavailable(format!(
            "they are deleted, but their space was not made free, which autovacuum will do: {error}"
        )))
    }
}

async fn survey(db: &Db, selection: &Selection) -> Outcome<Survey> {
    let chosen = selected(selection);
    let sql = format!("{SURVEY}{}{SURVEY_END}", chosen.sql);
    let rows = db.rows(&sql, &chosen.values()).await?;
    let mut survey = Survey {
        groups: rows.iter().map(group).collect::<Outcome<_>>()?,
        ..Survey::default()
    };
    if selection.which == Which::Unmarked {
        let live = selected(&selection.of(Which::Live));
        let sql = format!("SELECT {COUNT_MARKED} FROM memory m WHERE {}", live.sql);
        if let Some(row) = db.row(&sql, &live.values()).await? {
            survey.pinned = row.try_get::<_, i64>(0)?.unsigned_abs();
            survey.keyed = row.try_get::<_, i64>(1)?.unsigned_abs();
        }
    }
    Ok(survey)
}

fn group(row: &Row) -> Outcome<Group> {
    Ok(Group {
        project: Project::new(row.try_get::<_, String>(0)?),
        kind: kind_of(i64::from(row.try_get::<_, i16>(1)?)),
        memories: row.try_get::<_, i64>(2)?.unsigned_abs(),
        span: (time_of(row.try_get(3)?), time_of(row.try_get(4)?)),
    })
}

async fn due(db: &Db) -> Outcome<Due> {
    let sql = "SELECT min(expires_ms) FROM memory WHERE expires_ms IS NOT NULL";
    let expiry: Option<i64> = db.one(sql, &[]).await?;
    Ok(Due {
        expiry: expiry.map(time_of),
        // What lies on the server's disk is the server's to erase.
        has_traces: false,
    })
}
