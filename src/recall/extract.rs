//! The line of a passage that shows best why it was found.

use super::query::ByTerm;
use crate::text::{Analyser, one_line};

/// Characters of an extract: one line of an index, about 40 tokens.
const EXTRACT_CHARS_MAX: usize = 160;

/// The line that holds most of the query's terms (the first such), shortened to one line around
/// its beginning.
pub(super) fn extract(passage: &str, terms: &ByTerm<'_>, analyser: &Analyser) -> String {
    let mut best = (0, passage);
    for line in passage.lines().filter(|line| !line.trim().is_empty()) {
        let mut seen: Vec<usize> = Vec::new();
        analyser.terms(line, |term| {
            seen.extend(terms.get(term));
        });
        seen.sort_unstable();
        seen.dedup();
        if seen.len() > best.0 {
            best = (seen.len(), line);
        }
    }
    one_line(best.1, EXTRACT_CHARS_MAX)
}
