//! Text analysis: terms for the index, passages, the token estimate. Pure.

mod chars;
mod forms;
mod injected;
mod passages;
mod percent;
mod quotes;
mod stop_words;
mod terms;
mod tokens;
mod when;
mod words;

pub use forms::other_forms;
pub use injected::{BLOCK_END, BLOCK_START, break_tags, strip_injected};
pub use passages::{PASSAGE_TOKENS_MAX, split_passages};
pub use percent::{percent_decode, percent_encode};
pub use quotes::Quotes;
pub use terms::{Analyser, TERM_BYTES_MAX};
pub use tokens::{Tally, estimate_tokens};
pub use when::{Span, spans};
pub use words::{Word, has_unspaced, words};

/// The first `chars_max` characters of a text on one line: runs of white space become one blank,
/// and an ellipsis says that something was cut.
pub fn one_line(text: &str, chars_max: usize) -> String {
    let mut line = String::new();
    let mut count = 0;
    for word in text.split_whitespace() {
        if count > 0 {
            line.push(' ');
            count += 1;
        }
        for c in word.chars() {
            if count >= chars_max {
                return line.trim_end().to_owned() + "…";
            }
            line.push(c);
            count += 1;
        }
    }
    line
}
