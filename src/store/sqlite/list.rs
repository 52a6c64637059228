//! Lists and filters.

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::memories::{SELECT, memory};
use crate::memory::{Filter, Memory, MemoryId, Page, Scope, Selection, Timestamp, Which};
use crate::store::columns::{UNMARKED, kind_number};
use crate::store::page::{Start, page};

/// Conditions in SQL with the values of their parameters.
pub(super) struct Conditions {
    pub sql: String,
    pub values: Vec<Value>,
}

impl Conditions {
    /// Begins with `sql`, which must use no parameters.
    pub fn new(sql: &str) -> Self {
        Self {
            sql: sql.to_owned(),
            values: Vec::new(),
        }
    }

    /// Adds a condition; each `?` in it takes the next of the values.
    pub fn and(&mut self, sql: &str, values: impl IntoIterator<Item = Value>) {
        if !self.sql.is_empty() {
            self.sql.push_str(" AND ");
        }
        self.sql.push_str(sql);
        self.values.extend(values);
    }

    /// What a filter asks of the table `t`, whose rows have kind, session and time; `memory` is
    /// the expression for the memory's number.
    pub fn filter(&mut self, filter: &Filter, t: &str, memory: &str) {
        if !filter.kinds.is_empty() {
            let marks = vec!["?"; filter.kinds.len()].join(", ");
            let kinds = filter
                .kinds
                .iter()
                .map(|kind| Value::Integer(kind_number(*kind)));
            self.and(&format!("{t}.kind IN ({marks})"), kinds);
        }
        for tag in &filter.tags {
            self.and(
                &format!("EXISTS (SELECT 1 FROM tag WHERE tag = ? AND memory_id = {memory})"),
                [Value::Text(tag.clone())],
            );
        }
        if let Some(session) = &filter.session {
            self.and(
                &format!("{t}.session_id = (SELECT id FROM session WHERE client_id = ?)"),
                [Value::Text(session.clone())],
            );
        }
        if let Some(after) = filter.after {
            self.and(
                &format!("{t}.created_ms >= ?"),
                [Value::Integer(after.as_millisecond())],
            );
        }
        if let Some(before) = filter.before {
            self.and(
                &format!("{t}.created_ms < ?"),
                [Value::Integer(before.as_millisecond())],
            );
        }
    }

    /// Asks that the memory `m` is of the scope and let through by the filter.
    fn within(&mut self, scope: &Scope, filter: &Filter) {
        if let Some(project) = scope.project() {
            self.and(
                "m.project_id = (SELECT id FROM project WHERE key = ?)",
                [Value::Text(project.key.clone())],
            );
        }
        self.filter(filter, "m", "m.id");
    }
}

/// Live memories of a scope that a filter selects.
fn live(scope: &Scope, filter: &Filter, now: Timestamp) -> Conditions {
    let mut conditions = Conditions::new("m.superseded_by IS NULL");
    conditions.and(
        "(m.expires_ms IS NULL OR m.expires_ms > ?)",
        [Value::Integer(now.as_millisecond())],
    );
    conditions.within(scope, filter);
    conditions
}

/// The memories `m` of a selection.
pub(super) fn selected(selection: &Selection) -> Conditions {
    let (scope, filter) = (&selection.scope, &selection.filter);
    let mut conditions = match selection.which {
        Which::Live => return live(scope, filter, selection.now),
        Which::Unmarked => {
            let mut conditions = live(scope, filter, selection.now);
            conditions.and(UNMARKED, []);
            return conditions;
        }
        Which::Any => Conditions::new("true"),
        Which::Superseded => Conditions::new("m.superseded_by IS NOT NULL"),
        Which::Expired => Conditions {
            sql: "m.expires_ms <= ?".to_owned(),
            values: vec![Value::Integer(selection.now.as_millisecond())],
        },
    };
    conditions.within(scope, filter);
    conditions
}

pub(super) fn list(
    db: &Connection,
    scope: &Scope,
    filter: &Filter,
    now: Timestamp,
    limit: usize,
    start: Start,
) -> rusqlite::Result<Page<Memory>> {
    let mut conditions = live(scope, filter, now);
    conditions.and(
        "(m.created_ms, m.id) < (?, ?)",
        [
            Value::Integer(start.before_ms),
            Value::Integer(start.before_id),
        ],
    );
    let sql = format!(
        "{SELECT} WHERE {} ORDER BY m.created_ms DESC, m.id DESC LIMIT {}",
        conditions.sql,
        limit.saturating_add(1)
    );
    let rows: Vec<(Memory, i64)> = db
        .prepare_cached(&sql)?
        .query_map(params_from_iter(conditions.values), |row| {
            Ok((memory(row)?, row.get(14)?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok(page(rows, limit, |(memory, id)| Start {
        before_ms: memory.created_at.as_millisecond(),
        before_id: *id,
    }))
}

pub(super) fn select(
    db: &Connection,
    selection: &Selection,
    limit: usize,
) -> rusqlite::Result<Vec<MemoryId>> {
    let conditions = selected(selection);
    let sql = format!(
        "SELECT m.name FROM memory m WHERE {} ORDER BY m.id LIMIT {limit}",
        conditions.sql
    );
    db.prepare_cached(&sql)?
        .query_map(params_from_iter(conditions.values), |row| {
            row.get::<_, [u8; 16]>(0).map(MemoryId::from_bytes)
        })?
        .collect()
}
