//! What was decided about projects, and moving memories between them.

use super::db::{Db, Outcome};
use super::index::{Changes, Standing};
use super::memories::name_column;
use super::sessions;
use crate::memory::{MemoryId, Project};
use crate::store::NewPassage;
use crate::store::columns::time_of;
use crate::store::trace::{ProjectRule, RULES_MAX};

pub(super) async fn rules(db: &Db) -> Outcome<Vec<ProjectRule>> {
    let rows = db
        .rows(
            "SELECT project, alias, is_off FROM rule ORDER BY project LIMIT $1",
            &[&RULES_MAX],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(ProjectRule {
                project: Project::new(row.try_get::<_, String>(0)?),
                alias: row.try_get::<_, Option<String>>(1)?.map(Project::new),
                is_off: row.try_get(2)?,
            })
        })
        .collect()
}

pub(super) async fn put_rule(db: &Db, rule: &ProjectRule) -> Outcome<()> {
    let alias = rule.alias.as_ref().map(|alias| &alias.key);
    db.run(
        "INSERT INTO rule (project, alias, is_off) VALUES ($1, $2, $3)
         ON CONFLICT (project) DO UPDATE SET alias = excluded.alias, is_off = excluded.is_off",
        &[&rule.project.key, &alias, &rule.is_off],
    )
    .await?;
    if alias.is_some() {
        db.run(
            "UPDATE rule SET alias = $2 WHERE alias = $1",
            &[&rule.project.key, &alias],
        )
        .await?;
    }
    Ok(())
}

/// Takes in what was decided elsewhere, unless something else was decided here: neither about the
/// project, nor in a way that would make it a name for a name. Returns how many rules that were.
pub(super) async fn learn_rule(db: &Db, rule: &ProjectRule) -> Outcome<u64> {
    let alias = rule.alias.as_ref().map(|alias| &alias.key);
    db.run(
        "INSERT INTO rule (project, alias, is_off) SELECT $1::text, $2::text, $3::boolean
         WHERE NOT EXISTS (SELECT 1 FROM rule
             WHERE project = $1 OR (project = $2 AND alias IS NOT NULL)
                OR (alias = $1 AND $2 IS NOT NULL))
         ON CONFLICT DO NOTHING",
        &[&rule.project.key, &alias, &rule.is_off],
    )
    .await
}

pub(super) async fn reassign(
    db: &Db,
    moved: &[(MemoryId, Vec<NewPassage>)],
    from: &Project,
    to: &Project,
) -> Outcome<u64> {
    let to = sessions::make_project(db, to).await?;
    let mut changes = Changes::default();
    let mut left = Vec::new();
    let mut count = 0;
    for (name, passages) in moved {
        let found = db
            .row(
                "SELECT id, project_id, kind, session_id, position, created_ms, expires_ms
                 FROM memory WHERE name = $1 AND superseded_by IS NULL
                   AND project_id = (SELECT id FROM project WHERE key = $2)",
                &[&name_column(*name), &from.key],
            )
            .await?;
        if let Some(row) = found {
            let former = Standing::read(&row)?;
            changes.remove(db, &[former]).await?;
            left.extend(former.session.map(|session| (former.project, session)));
            let standing = Standing {
                project: to,
                ..former
            };
            move_rows(db, &standing).await?;
            changes.add(standing, passages);
            count += 1;
        }
    }
    changes.write(db).await?;
    sessions::delete_empty(db, &left).await?;
    Ok(count)
}

/// The memory with its history, and its session's share.
async fn move_rows(db: &Db, standing: &Standing) -> Outcome<()> {
    db.run(
        "UPDATE memory SET key = NULL WHERE id = $1 AND EXISTS
             (SELECT 1 FROM memory m WHERE m.project_id = $2 AND m.key = memory.key
              AND m.superseded_by IS NULL)",
        &[&standing.memory, &standing.project],
    )
    .await?;
    db.run(
        "WITH RECURSIVE chain (id) AS (
             SELECT $1::bigint UNION
             SELECT m.id FROM memory m JOIN chain ON m.superseded_by = chain.id)
         UPDATE memory SET project_id = $2 WHERE id IN (SELECT id FROM chain)",
        &[&standing.memory, &standing.project],
    )
    .await?;
    if let Some(session) = standing.session {
        let client_id: String = db
            .one("SELECT client_id FROM session WHERE id = $1", &[&session])
            .await?;
        let at = time_of(standing.created_ms);
        sessions::make(db, standing.project, &client_id, at).await?;
    }
    Ok(())
}
