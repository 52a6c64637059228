//! What was decided about projects, and moving memories between them.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::index::{Changes, Standing};
use super::put::standing;
use super::sessions;
use crate::memory::{MemoryId, Project};
use crate::store::NewPassage;
use crate::store::columns::time_of;
use crate::store::trace::{ProjectRule, RULES_MAX};

pub(super) fn rules(db: &Connection) -> rusqlite::Result<Vec<ProjectRule>> {
    db.prepare_cached("SELECT project, alias, is_off FROM rule ORDER BY project LIMIT ?1")?
        .query_map([RULES_MAX], |row| {
            Ok(ProjectRule {
                project: Project::new(row.get::<_, String>(0)?),
                alias: row.get::<_, Option<String>>(1)?.map(Project::new),
                is_off: row.get(2)?,
            })
        })?
        .collect()
}

pub(super) fn put_rule(tx: &Transaction<'_>, rule: &ProjectRule) -> rusqlite::Result<()> {
    let alias = rule.alias.as_ref().map(|alias| &alias.key);
    tx.prepare_cached(
        "INSERT INTO rule (project, alias, is_off) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET alias = excluded.alias, is_off = excluded.is_off",
    )?
    .execute(params![rule.project.key, alias, rule.is_off])?;
    if alias.is_some() {
        tx.prepare_cached("UPDATE rule SET alias = ?2 WHERE alias = ?1")?
            .execute(params![rule.project.key, alias])?;
    }
    Ok(())
}

/// Takes in what was decided elsewhere, unless something else was decided here: neither about the
/// project, nor in a way that would make it a name for a name. Returns how many rules that were.
pub(super) fn learn_rule(tx: &Transaction<'_>, rule: &ProjectRule) -> rusqlite::Result<usize> {
    tx.prepare_cached(
        "INSERT INTO rule (project, alias, is_off) SELECT ?1, ?2, ?3
         WHERE NOT EXISTS (SELECT 1 FROM rule
             WHERE project = ?1 OR (project = ?2 AND alias IS NOT NULL)
                OR (alias = ?1 AND ?2 IS NOT NULL))",
    )?
    .execute(params![
        rule.project.key,
        rule.alias.as_ref().map(|alias| &alias.key),
        rule.is_off
    ])
}

pub(super) fn reassign(
    tx: &Transaction<'_>,
    moved: &[(MemoryId, Vec<NewPassage>)],
    from: &Project,
    to: &Project,
) -> rusqlite::Result<u64> {
    let to = sessions::make_project(tx, to)?;
    let mut changes = Changes::default();
    let mut left = Vec::new();
    let mut count = 0;
    for (name, passages) in moved {
        let found = tx
            .prepare_cached(
                "SELECT id, project_id, kind, session_id, position, created_ms, expires_ms
                 FROM memory WHERE name = ?1 AND superseded_by IS NULL
                   AND project_id = (SELECT id FROM project WHERE key = ?2)",
            )?
            .query_row(params![name.as_bytes(), from.key], standing)
            .optional()?;
        if let Some(former) = found {
            changes.remove(tx, &former)?;
            left.extend(former.session.map(|session| (former.project, session)));
            let standing = Standing {
                project: to,
                ..former
            };
            move_rows(tx, &standing)?;
            changes.add(tx, &standing, passages)?;
            count += 1;
        }
    }
    changes.write(tx)?;
    for (project, session) in left {
        sessions::delete_empty(tx, project, session)?;
    }
    Ok(count)
}

/// The memory with its history, and its session's share.
fn move_rows(tx: &Transaction<'_>, standing: &Standing) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "UPDATE memory SET key = NULL WHERE id = ?1 AND EXISTS
             (SELECT 1 FROM memory m WHERE m.project_id = ?2 AND m.key = memory.key
              AND m.superseded_by IS NULL)",
    )?
    .execute(params![standing.memory, standing.project])?;
    tx.prepare_cached(
        "WITH RECURSIVE chain (id) AS (
             VALUES (?1) UNION
             SELECT m.id FROM memory m JOIN chain ON m.superseded_by = chain.id)
         UPDATE memory SET project_id = ?2 WHERE id IN chain",
    )?
    .execute(params![standing.memory, standing.project])?;
    if let Some(session) = standing.session {
        let client_id: String = tx
            .prepare_cached("SELECT client_id FROM session WHERE id = ?1")?
            .query_row([session], |row| row.get(0))?;
        sessions::make(
            tx,
            standing.project,
            &client_id,
            time_of(standing.created_ms),
        )?;
    }
    Ok(())
}
