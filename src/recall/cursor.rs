//! Paging through what a recall found: how many hits to pass over, in a form that nobody is tempted
//! to do arithmetic with.

use super::{Recall, RecallRequest};
use crate::error::{Error, Result};

/// Whoever pages deeper should ask a better question; it also bounds the work of a page.
const OFFSET_MAX: usize = 1_000;

/// The cursor of the page after this one, if there is one.
pub fn next(request: &RecallRequest, recall: &Recall) -> Option<String> {
    let offset = request.offset + recall.hits.len();
    (recall.more && offset <= OFFSET_MAX).then(|| write(offset))
}

/// How many hits a cursor says to pass over.
pub fn read(word: &str) -> Result<usize> {
    word.strip_prefix('s')
        .filter(|digits| digits.len() == 4 && !digits.starts_with('+'))
        .and_then(|digits| usize::from_str_radix(digits, 16).ok())
        .filter(|offset| *offset <= OFFSET_MAX)
        .ok_or_else(|| {
            Error::invalid(
                "cursor",
                "expected the cursor of an earlier page; leave it out to start again",
            )
        })
}

fn write(offset: usize) -> String {
    format!("s{offset:04x}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn cursors_come_back() {
        for offset in [0, 10, OFFSET_MAX] {
            assert_eq!(read(&write(offset)).unwrap(), offset);
        }
        for word in [
            "",
            "s",
            "10",
            "s+00a",
            "s0400",
            "sffff",
            "s00000",
            "s\u{e9}00",
        ] {
            assert!(read(word).is_err(), "{word}");
        }
    }
}
