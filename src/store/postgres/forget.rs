//! Deleting for good.

use std::collections::BTreeSet;

use tokio_postgres::Row;
use uuid::Uuid;

use super::db::{Db, Outcome};
use super::index::{Changes, Standing};
use super::list::selected;
use super::memories::name_column;
use super::sessions;
use crate::memory::{MemoryId, Selection, Which};
use crate::store::Forgotten;

/// The projects that these memories are of.
pub(super) async fn projects(db: &Db, names: &[MemoryId]) -> Outcome<Vec<String>> {
    let names: Vec<Uuid> = names.iter().map(|name| name_column(*name)).collect();
    let rows = db
        .rows(
            "SELECT DISTINCT p.key FROM memory m JOIN project p ON p.id = m.project_id
             WHERE m.name = ANY ($1)",
            &[&names],
        )
        .await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Deletes those of these memories that a selection holds. What has expired is claimed: of several
/// servers that look at once each takes what no other has, and waits for none. Everything else is
/// waited for.
///
/// No statement finds the words any more once this is committed. On the server's disk they lie on
/// as dead rows until they are vacuumed, and in its log and backups for as long as those are kept:
/// that is the server's to decide, and not undone from here.
pub(super) async fn forget(
    db: &Db,
    selection: &Selection,
    names: &[MemoryId],
) -> Outcome<Forgotten> {
    let mut chosen = selected(selection);
    let names: Vec<Uuid> = names.iter().map(|name| name_column(*name)).collect();
    let names = chosen.value(names);
    let claim = match selection.which {
        Which::Expired => "FOR UPDATE OF m SKIP LOCKED",
        _ => "FOR UPDATE OF m",
    };
    let sql = format!(
        "SELECT m.id FROM memory m WHERE {} AND m.name = ANY ({names}) ORDER BY m.id {claim}",
        chosen.sql
    );
    let rows = db.rows(&sql, &chosen.values()).await?;
    forget_rows(db, &rows).await
}

/// Deletes the memories of these numbers with all that they superseded: a superseded version left
/// behind would be what was to be forgotten.
async fn forget_rows(db: &Db, memories: &[Row]) -> Outcome<Forgotten> {
    let memories: Vec<i64> = memories
        .iter()
        .map(|row| row.try_get(0))
        .collect::<Result<_, _>>()?;
    let rows = db
        .rows(
            "WITH RECURSIVE chain (id) AS (
                 SELECT unnest($1::bigint[])
                 UNION
                 SELECT m.id FROM memory m JOIN chain ON m.superseded_by = chain.id)
             SELECT id, project_id, kind, session_id, position, created_ms, expires_ms,
                    superseded_by IS NULL
             FROM memory WHERE id IN (SELECT id FROM chain) ORDER BY id",
            &[&memories],
        )
        .await?;
    let (mut numbers, mut live, mut shares) = (Vec::new(), Vec::new(), BTreeSet::new());
    for row in &rows {
        let standing = Standing::read(row)?;
        numbers.push(standing.memory);
        shares.extend(standing.session.map(|session| (standing.project, session)));
        if row.try_get(7)? {
            live.push(standing);
        }
    }
    if numbers.is_empty() {
        return Ok(Forgotten::default());
    }
    let mut changes = Changes::default();
    let mut forgotten = changes.remove(db, &live).await?;
    changes.write(db).await?;
    db.run(
        "INSERT INTO forgotten (event)
         SELECT event FROM memory WHERE id = ANY ($1) AND event IS NOT NULL
         UNION SELECT event FROM repeat WHERE memory_id = ANY ($1)
         ON CONFLICT DO NOTHING",
        &[&numbers],
    )
    .await?;
    forgotten.memories = db
        .run("DELETE FROM memory WHERE id = ANY ($1)", &[&numbers])
        .await?;
    let shares: Vec<(i64, i64)> = shares.into_iter().collect();
    sessions::delete_empty(db, &shares).await?;
    Ok(forgotten)
}
