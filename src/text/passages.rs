//! Splitting a memory into the stretches that are indexed and scored.

use std::ops::Range;

use super::Tally;

/// The most tokens a passage has, by estimate: short enough that five of them fit an injection of
/// 1,000 tokens with their headings, long enough to hold a paragraph with its question. The first
/// word of a passage may count one token more without the blank that stood in front of it.
pub const PASSAGE_TOKENS_MAX: usize = 190;

/// Splits a text into consecutive ranges of at most [`PASSAGE_TOKENS_MAX`] tokens, at the end of a
/// line where possible, else of a sentence, a word, a character. Together they cover the text but
/// for white space at their ends; a text without anything else has none. Linear in the text.
pub fn split_passages(text: &str) -> Vec<Range<usize>> {
    let mut passages = Vec::new();
    let mut open = 0..0;
    let mut tally = Tally::default();
    for line in text.split_inclusive('\n') {
        let mut rest = line;
        let mut longer = tally.with(line);
        if longer.tokens() > PASSAGE_TOKENS_MAX {
            passages.extend(trimmed(text, &open));
            open.start = open.end;
            while let Some((piece, after)) = rest.split_at_checked(piece_end(rest))
                && !after.is_empty()
            {
                open.end += piece.len();
                passages.extend(trimmed(text, &open));
                open.start = open.end;
                rest = after;
            }
            longer = Tally::default().with(rest);
        }
        tally = longer;
        open.end += rest.len();
    }
    passages.extend(trimmed(text, &open));
    passages
}

/// Where the first passage of a line ends: behind all of it, else behind the last sentence, else
/// the last blank, else the last character within the limit. Never 0, for no character is that
/// expensive.
fn piece_end(line: &str) -> usize {
    let mut tally = Tally::default();
    let (mut sentence, mut word) = (None, None);
    let mut before = ' ';
    for (at, c) in line.char_indices() {
        tally = tally.with_char(c);
        if tally.tokens() > PASSAGE_TOKENS_MAX {
            return sentence.or(word).unwrap_or(at);
        }
        let end = at + c.len_utf8();
        if c.is_whitespace() {
            word = Some(end);
            if matches!(before, '.' | '!' | '?' | ';' | ':') {
                sentence = word;
            }
        } else if matches!(c, '。' | '！' | '？' | '；') {
            sentence = Some(end);
            word = sentence;
        }
        before = c;
    }
    line.len()
}

fn trimmed(text: &str, range: &Range<usize>) -> Option<Range<usize>> {
    let part = text.get(range.clone())?;
    let start = range.start + (part.len() - part.trim_start().len());
    let end = start + part.trim().len();
    (start < end).then_some(start..end)
}
