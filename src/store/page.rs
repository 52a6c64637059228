//! Pages of a list, and the cursors that lead from one to the next.

use crate::error::{Error, Result};
use crate::memory::Page;

/// Where a page begins: behind the row with this time and number. Without one, at the top.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    pub before_ms: i64,
    pub before_id: i64,
}

impl Start {
    const TOP: Self = Self {
        before_ms: i64::MAX,
        before_id: i64::MAX,
    };

    pub fn parse(cursor: Option<&str>) -> Result<Self> {
        let Some(cursor) = cursor else {
            return Ok(Self::TOP);
        };
        let numbers = cursor.split_once('.').and_then(|(ms, id)| {
            Some(Self {
                before_ms: ms.parse().ok()?,
                before_id: id.parse().ok()?,
            })
        });
        numbers.ok_or_else(|| {
            Error::invalid(
                "cursor",
                "expected the cursor of a former page, as it was given",
            )
        })
    }

    pub fn cursor(self) -> String {
        format!("{}.{}", self.before_ms, self.before_id)
    }
}

/// Cuts the one row too many off, and makes it a cursor.
pub(super) fn page<T>(
    mut rows: Vec<(T, i64)>,
    limit: usize,
    start: impl Fn(&(T, i64)) -> Start,
) -> Page<T> {
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows
        .last()
        .filter(|_| more)
        .map(|last| start(last).cursor());
    Page {
        items: rows.into_iter().map(|(item, _)| item).collect(),
        next,
    }
}
