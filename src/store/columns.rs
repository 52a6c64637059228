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
