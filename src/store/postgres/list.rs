//! Lists and filters.

use tokio_postgres::types::ToSql;

use super::db::{Db, Outcome};
use super::memories::{NUMBER, SELECT, memory};
use crate::memory::{Filter, Memory, MemoryId, Page, Scope, Selection, Timestamp, Which};
use crate::store::columns::{UNMARKED, kind_number};
use crate::store::page::{Start, page};

/// Conditions in SQL with the values of their parameters.
pub(super) struct Conditions {
    pub sql: String,
    values: Vec<Box<dyn ToSql + Sync + Send>>,
}

impl Conditions {
    /// Begins with `sql`, which must use no parameters.
    pub fn new(sql: &str) -> Self {
        Self {
            sql: sql.to_owned(),
            values: Vec::new(),
        }
    }

    /// Keeps a value, and returns what stands for it in SQL.
    pub fn value(&mut self, value: impl ToSql + Sync + Send + 'static) -> String {
        self.values.push(Box::new(value));
        format!("${}", self.values.len())
    }

    /// Adds a condition.
    pub fn and(&mut self, sql: &str) {
        self.sql.push_str(" AND ");
        self.sql.push_str(sql);
    }

    /// The values in their order.
    pub fn values(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.values
            .iter()
            .map(|value| -> &(dyn ToSql + Sync) { value.as_ref() })
            .collect()
    }

    /// What a filter asks of the table `t`, whose rows have kind, session and time; `memory` is
    /// the expression for the memory's number.
    pub fn filter(&mut self, filter: &Filter, t: &str, memory: &str) {
        if !filter.kinds.is_empty() {
            let kinds: Vec<i16> = filter.kinds.iter().map(|kind| kind_column(*kind)).collect();
            let kinds = self.value(kinds);
            self.and(&format!("{t}.kind = ANY ({kinds})"));
        }
        for tag in &filter.tags {
            let tag = self.value(tag.clone());
            self.and(&format!(
                "{memory} IN (SELECT memory_id FROM tag WHERE tag = {tag})"
            ));
        }
        if let Some(session) = &filter.session {
            let session = self.value(session.clone());
            self.and(&format!(
                "{t}.session_id = (SELECT id FROM session WHERE client_id = {session})"
            ));
        }
        if let Some(after) = filter.after {
            let after = self.value(after.as_millisecond());
            self.and(&format!("{t}.created_ms >= {after}"));
        }
        if let Some(before) = filter.before {
            let before = self.value(before.as_millisecond());
            self.and(&format!("{t}.created_ms < {before}"));
        }
    }

    /// Asks that the memory `m` is of the scope and let through by the filter.
    fn within(&mut self, scope: &Scope, filter: &Filter) {
        if let Some(project) = scope.project() {
            let key = self.value(project.key.clone());
            self.and(&format!(
                "m.project_id = (SELECT id FROM project WHERE key = {key})"
            ));
        }
        self.filter(filter, "m", "m.id");
    }
}

/// The number of a kind as the columns hold it.
pub(super) fn kind_column(kind: crate::memory::Kind) -> i16 {
    i16::try_from(kind_number(kind)).unwrap_or_default()
}

/// A limit as a parameter.
pub(super) fn limit_value(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// Live memories of a scope that a filter selects.
fn live(scope: &Scope, filter: &Filter, now: Timestamp) -> Conditions {
    let mut conditions = Conditions::new("m.superseded_by IS NULL");
    let now = conditions.value(now.as_millisecond());
    conditions.and(&format!("(m.expires_ms IS NULL OR m.expires_ms > {now})"));
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
            conditions.and(UNMARKED);
            return conditions;
        }
        Which::Any => Conditions::new("true"),
        Which::Superseded => Conditions::new("m.superseded_by IS NOT NULL"),
        Which::Expired => {
            let mut conditions = Conditions::new("m.expires_ms IS NOT NULL");
            let now = conditions.value(selection.now.as_millisecond());
            conditions.and(&format!("m.expires_ms <= {now}"));
            conditions
        }
    };
    conditions.within(scope, filter);
    conditions
}

pub(super) async fn list(
    db: &Db,
    scope: &Scope,
    filter: &Filter,
    now: Timestamp,
    limit: usize,
    start: Start,
) -> Outcome<Page<Memory>> {
    let mut conditions = live(scope, filter, now);
    let before_ms = conditions.value(start.before_ms);
    let before_id = conditions.value(start.before_id);
    conditions.and(&format!(
        "(m.created_ms, m.id) < ({before_ms}, {before_id})"
    ));
    let rows_max = conditions.value(limit_value(limit.saturating_add(1)));
    let sql = format!(
        "{SELECT} WHERE {} ORDER BY m.created_ms DESC, m.id DESC LIMIT {rows_max}",
        conditions.sql
    );
    let mut rows = Vec::new();
    for row in db.rows(&sql, &conditions.values()).await? {
        rows.push((memory(&row)?, row.try_get(NUMBER)?));
    }
    Ok(page(rows, limit, |(memory, id)| Start {
        before_ms: memory.created_at.as_millisecond(),
        before_id: *id,
    }))
}

pub(super) async fn select(db: &Db, selection: &Selection, limit: usize) -> Outcome<Vec<MemoryId>> {
    let mut conditions = selected(selection);
    let limit = conditions.value(limit_value(limit));
    let sql = format!(
        "SELECT m.name FROM memory m WHERE {} ORDER BY m.id LIMIT {limit}",
        conditions.sql
    );
    let rows = db.rows(&sql, &conditions.values()).await?;
    rows.iter()
        .map(|row| Ok(super::memories::name(row.try_get(0)?)))
        .collect()
}
