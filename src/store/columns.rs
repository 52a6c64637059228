//! What both schemas write in the same way, and how it is read.

use crate::memory::{Kind, Timestamp};
use crate::text::one_line;

/// The number that stands for a kind in the schema.
pub(super) fn kind_number(kind: Kind) -> i64 {
    match kind {
        Kind::Turn => 0,
        Kind::Note => 1,
        Kind::Summary => 2,
    }
}

/// The kind that a number of the schema stands for.
pub(super) fn kind_of(number: i64) -> Kind {
    match number {
        0 => Kind::Turn,
        2 => Kind::Summary,
        _ => Kind::Note,
    }
}

/// Asks that nobody marked the memory `m` to be kept.
pub(super) const UNMARKED: &str = "NOT m.pinned AND m.key IS NULL";

/// Counts what was marked of the memories `m`: pinned ones, then others with a key.
pub(super) const COUNT_MARKED: &str = "count(*) FILTER (WHERE m.pinned),
    count(*) FILTER (WHERE NOT m.pinned AND m.key IS NOT NULL)";

/// Selects memories of the conditions that follow, with all that they superseded, by project and
/// kind; [`SURVEY_END`] closes it.
pub(super) const SURVEY: &str = "WITH RECURSIVE chain (id) AS (
        SELECT m.id FROM memory m WHERE ";

/// See [`SURVEY`].
pub(super) const SURVEY_END: &str = " UNION
        SELECT m.id FROM memory m JOIN chain ON m.superseded_by = chain.id)
    SELECT p.key, m.kind, count(*), min(m.created_ms), max(m.created_ms)
    FROM chain JOIN memory m ON m.id = chain.id JOIN project p ON p.id = m.project_id
    GROUP BY p.key, m.kind ORDER BY p.key, m.kind";

/// A time of the schema; one outside the calendar counts as its beginning.
pub(super) fn time_of(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A session without a given title is called by its first prompt, cut to this many characters.
const TITLE_CHARS_MAX: usize = 80;

/// What a session is called: as it was named, else by the beginning of its first memory.
pub(super) fn session_title(given: Option<String>, first: Option<String>) -> Option<String> {
    given.or_else(|| first.map(|text| one_line(&text, TITLE_CHARS_MAX)))
}
