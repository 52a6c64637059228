//! What a reply repeats of what was put before the model: it must not be kept as if it were new.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::chars::{Class, class};

/// So many words in the same order are a quotation, and not a coincidence. Han characters count as
/// words.
const QUOTED_WORDS: usize = 8;

/// A shorter line counts as quoted when all of it is repeated, from this many words: below are
/// phrases that anybody says ("all the tests pass").
const LINE_WORDS_MIN: usize = 5;

/// The texts that may be quoted.
#[derive(Default)]
pub struct Quotes {
    /// Runs of words, by hash.
    runs: HashSet<u64>,
    /// The lengths that occur in `runs`.
    lengths: [bool; QUOTED_WORDS + 1],
}

impl Quotes {
    /// Adds a text that may be quoted.
    pub fn add(&mut self, text: &str) {
        for line in text.lines() {
            let words = words(line);
            let length = words.len().min(QUOTED_WORDS);
            if length < LINE_WORDS_MIN {
                continue;
            }
            if let Some(known) = self.lengths.get_mut(length) {
                *known = true;
            }
            let runs = words.windows(length).map(hash);
            self.runs.extend(runs);
        }
    }

    /// Whether nothing can be quoted.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The text with an ellipsis for each quotation; `None` if it has none.
    pub fn cut(&self, text: &str) -> Option<String> {
        let words = words(text);
        let mut quoted = vec![false; words.len()];
        for length in LINE_WORDS_MIN..=QUOTED_WORDS {
            if self.lengths.get(length) != Some(&true) {
                continue;
            }
            for (at, run) in words.windows(length).enumerate() {
                if self.runs.contains(&hash(run)) {
                    let marks = quoted.iter_mut().skip(at).take(length);
                    marks.for_each(|mark| *mark = true);
                }
            }
        }
        if !quoted.contains(&true) {
            return None;
        }
        let (mut kept, mut from, mut inside) = (String::with_capacity(text.len()), 0, false);
        for (word, is_quoted) in words.iter().zip(quoted) {
            if is_quoted && !inside {
                kept.push_str(text.get(from..word.start).unwrap_or_default());
                kept.push('…');
            }
            if is_quoted {
                from = word.end;
            }
            inside = is_quoted;
        }
        kept.push_str(text.get(from..).unwrap_or_default());
        Some(kept)
    }
}

/// A word, by what it says and where it stands.
struct Word {
    hash: u64,
    start: usize,
    end: usize,
}

fn words(text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut inside = false;
    for (at, c) in text.char_indices() {
        let is_own = class(c) == Class::Unspaced;
        if !is_own && !c.is_alphanumeric() {
            inside = false;
            continue;
        }
        if !inside || is_own {
            let hash = DefaultHasher::new().finish();
            let (start, end) = (at, at);
            words.push(Word { hash, start, end });
        }
        if let Some(word) = words.last_mut() {
            let mut hasher = DefaultHasher::new();
            word.hash.hash(&mut hasher);
            c.to_lowercase().for_each(|c| c.hash(&mut hasher));
            word.hash = hasher.finish();
            word.end = at + c.len_utf8();
        }
        inside = !is_own;
    }
    words
}

fn hash(run: &[Word]) -> u64 {
    let mut hasher = DefaultHasher::new();
    run.iter().for_each(|word| word.hash.hash(&mut hasher));
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(quoted: &str, text: &str) -> Option<String> {
        let mut quotes = Quotes::default();
        quotes.add(quoted);
        quotes.cut(text)
    }

    #[test]
    fn quotations_go_in_any_spelling_and_the_rest_stays() {
        let note = "The staging server listens on port 4242 since the move to Oslo.";
        let reply = "You told me: \"the *staging* server listens\non port 4242 since the move to \
                     Oslo\". I will open it.";
        let kept = "You told me: \"…\". I will open it.";
        assert_eq!(cut(note, reply).as_deref(), Some(kept));
        assert_eq!(
            cut(
                "User prefers tabs over blanks",
                "user prefers tabs over blanks!"
            )
            .as_deref(),
            Some("…!")
        );
        assert_eq!(
            cut("数据库迁移到奥斯陆以后", "记得：数据库迁移到奥斯陆以后。").as_deref(),
            Some("记得：…。")
        );
    }

    #[test]
    fn common_words_are_no_quotation() {
        let note = "The staging server listens on port 4242 since the move to Oslo.";
        for text in [
            "",
            "the staging server listens on port 80",
            "Oslo",
            "on port 4242 since yesterday",
        ] {
            assert_eq!(cut(note, text), None, "{text}");
        }
        assert_eq!(cut("All the tests pass.", "All the tests pass."), None);
    }
}
