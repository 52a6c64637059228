//! Small readers of byte positions, shared by all rules. None of them can fail: past the end there
//! is a NUL byte and an empty slice.

/// What a byte can begin, looked up once per byte of text.
const CLASS: [u8; 256] = classes();
const WORD: u8 = 1;
const IDEOGRAPH: u8 = 2;

/// Word bytes are those of most tokens and identifiers. The three ideograph bytes lead the Chinese
/// words for password, key and token in UTF-8.
const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0u8;
    loop {
        let class = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' => WORD,
            0xE4 | 0xE5 | 0xE7 => IDEOGRAPH,
            _ => 0,
        };
        if let Some((_, [slot, ..])) = table.split_at_mut_checked(byte as usize) {
            *slot = class;
        }
        if byte == u8::MAX {
            return table;
        }
        byte += 1;
    }
}

fn class(byte: u8) -> u8 {
    CLASS.get(usize::from(byte)).copied().unwrap_or(0)
}

/// The byte at a position, NUL past the end.
pub fn at(text: &[u8], position: usize) -> u8 {
    text.get(position).copied().unwrap_or(0)
}

/// The byte before a position, NUL at the start.
pub fn before(text: &[u8], position: usize) -> u8 {
    position
        .checked_sub(1)
        .map_or(0, |previous| at(text, previous))
}

/// The bytes `start..end`, or nothing when the range is not in the text.
pub fn slice(text: &[u8], start: usize, end: usize) -> &[u8] {
    text.get(start..end).unwrap_or_default()
}

/// The bytes from a position on.
pub fn rest(text: &[u8], start: usize) -> &[u8] {
    text.get(start..).unwrap_or_default()
}

/// Whether the text goes on with `expected` at a position.
pub fn starts_with(text: &[u8], position: usize, expected: &[u8]) -> bool {
    rest(text, position).starts_with(expected)
}

/// The first position from `start` on whose byte does not satisfy `belongs`.
pub fn while_(text: &[u8], start: usize, belongs: impl Fn(u8) -> bool) -> usize {
    let taken = rest(text, start).iter().take_while(|&&byte| belongs(byte));
    start + taken.count()
}

/// The first position whose preceding bytes back from `end` all satisfy `belongs`.
pub fn while_back(text: &[u8], end: usize, belongs: impl Fn(u8) -> bool) -> usize {
    let taken = slice(text, 0, end)
        .iter()
        .rev()
        .take_while(|&&byte| belongs(byte));
    end - taken.count()
}

/// Skips spaces and tabs, not line ends.
pub fn skip_blanks(text: &[u8], start: usize) -> usize {
    while_(text, start, |byte| matches!(byte, b' ' | b'\t'))
}

/// The next position where a word or a Chinese keyword can begin.
pub fn next_start(text: &[u8], from: usize) -> Option<usize> {
    let offset = rest(text, from).iter().position(|&byte| class(byte) != 0)?;
    Some(from + offset)
}

/// Where the word at `start` ends; `start` itself when no word begins there.
pub fn word_end(text: &[u8], start: usize) -> usize {
    while_(text, start, is_word)
}

/// A byte of identifiers and of most tokens: letters, digits, `_` and `-`.
pub fn is_word(byte: u8) -> bool {
    class(byte) == WORD
}

/// Where an earlier replacement ends, given the word behind its bracket.
pub fn mark_end(text: &[u8], start: usize) -> Option<usize> {
    if before(text, start) != b'[' || !starts_with(text, start, b"redacted:") {
        return None;
    }
    let kind = start + b"redacted:".len();
    let end = while_(text, kind, |byte| byte.is_ascii_lowercase() || byte == b'-');
    (end > kind && at(text, end) == b']').then_some(end + 1)
}

/// Whether `start..end` overlaps an earlier replacement of a secret or a private span, or ends
/// where one begins: then it was cut short by it, and its length says nothing.
pub fn meets_mark(text: &[u8], start: usize, end: usize) -> bool {
    /// The longest kind with the word and the bracket in front of it.
    const MARK_BYTES_MAX: usize = 40;
    let from = start.saturating_sub(MARK_BYTES_MAX);
    let head = slice(text, from, start);
    let open = head.iter().rposition(|&byte| byte == b'[');
    let is_inside = open
        .and_then(|offset| mark_end(text, from + offset + 1))
        .is_some_and(|mark_end| mark_end > start);
    let mut pieces = slice(text, start, end).split(|&byte| byte == b'[').skip(1);
    is_inside
        || starts_with(text, end, b"[redacted:")
        || pieces.any(|piece| piece.starts_with(b"redacted:") || piece.starts_with(b"private]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_past_the_end_read_as_nothing() {
        assert_eq!(at(b"ab", 9), 0);
        assert_eq!(before(b"ab", 0), 0);
        assert_eq!(slice(b"ab", 1, 9), b"");
        assert_eq!(rest(b"ab", 9), b"");
        assert_eq!(while_(b"ab", 9, |_| true), 9);
    }

    #[test]
    fn words_and_ideographs_begin_something() {
        assert_eq!(next_start("  a".as_bytes(), 0), Some(2));
        assert_eq!(next_start("é 密".as_bytes(), 0), Some(3));
        assert_eq!(word_end(b"a-b_1 c", 0), 5);
        assert_eq!(next_start(b" .,", 0), None);
    }
}
