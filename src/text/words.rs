//! A text as its words, whole and common ones included: what a table of words is asked for.

use super::chars::{Class, class};
use super::terms::{is_hash, normalise, parts_of, split_run, unspaced_end, word_end};

/// A stretch of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word<'a> {
    /// A word, or a part of an identifier, in lower case and without accents.
    Spaced(&'a str),
    /// A run of writing without blanks between the words.
    Unspaced(&'a str),
}

/// Whether a text has writing without blanks between the words, as Chinese.
pub fn has_unspaced(text: &str) -> bool {
    text.chars().any(|c| class(c) == Class::Unspaced)
}

/// Every word of a text in order.
pub fn words(text: &str, mut emit: impl FnMut(Word<'_>)) {
    let text = normalise(text);
    let mut rest = text.as_ref();
    let mut parts = Vec::new();
    while let Some(first) = rest.chars().next() {
        match class(first) {
            Class::Word => {
                let (run, after) = split_run(rest, word_end(rest));
                parts_of(run, &mut parts);
                if !is_hash(run, &parts) {
                    for part in &parts {
                        emit(Word::Spaced(&part.to_lowercase()));
                    }
                }
                parts.clear();
                rest = after;
            }
            Class::Unspaced => {
                let (run, after) = split_run(rest, unspaced_end(rest));
                emit(Word::Unspaced(run));
                rest = after;
            }
            Class::Joiner | Class::Gap => rest = split_run(rest, first.len_utf8()).1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_whole_and_runs_stay_together() {
        let mut all = Vec::new();
        words("Die Café-Frage: getUserName2 用Rust写的", |word| {
            all.push(match word {
                Word::Spaced(word) => word.to_owned(),
                Word::Unspaced(run) => format!("<{run}>"),
            });
        });
        assert_eq!(
            all,
            [
                "die", "cafe", "frage", "get", "user", "name", "2", "<用>", "rust", "<写的>"
            ]
        );
        let mut count = 0;
        words("9f86d081884c7d659a2feaa0c55ad015", |_| count += 1);
        assert_eq!(count, 0, "a hash says nothing");
    }
}
