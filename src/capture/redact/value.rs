//! Judging what stands in the place of a secret: a secret, a stand-in for one, or code.

use super::bytes::{at, slice, starts_with, while_};
use super::entropy::{JUDGED_BYTES_MAX, distinct, is_dense, is_random};
use super::keys::{Key, Trust, classify};

/// What surrounds a value, as far as it bears on the judgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Setting {
    /// The value stands in quotes.
    pub quoted: bool,
    /// A plain word here can only be a value: the line is `name: word`, or `NAME=word` in a shell.
    pub literal: bool,
    /// `name=value` without spaces.
    pub pair: bool,
    /// The byte after the value.
    pub next: u8,
}

/// Values that name a type, a state or the absence of a value.
const NO_VALUES: &[&str] = &[
    "string",
    "str",
    "text",
    "bytes",
    "varchar",
    "char",
    "bool",
    "boolean",
    "int",
    "integer",
    "number",
    "any",
    "object",
    "none",
    "null",
    "nil",
    "undefined",
    "unknown",
    "true",
    "false",
    "yes",
    "no",
    "on",
    "off",
    "optional",
    "required",
    "hidden",
    "empty",
    "unset",
    "missing",
    "invalid",
    "wrong",
    "incorrect",
    "changed",
    "reset",
    "encrypted",
    "plain",
    "plaintext",
    "default",
    "disabled",
    "enabled",
    "prompt",
    "value",
    "password",
    "passwd",
    "passphrase",
    "pass",
    "pwd",
    "pw",
    "secret",
    "token",
    "apikey",
    "api_key",
    "api-key",
    "inherit",
    "input",
    "self",
    "this",
    "the",
    "and",
    "with",
    "your",
    "from",
    "test",
    "todo",
    "tbd",
    "option",
    "options",
    "flag",
    "username",
];

/// Parts that only stand-ins have, in lower case.
const STAND_IN_PARTS: &[&str] = &[
    "your",
    "xxxx",
    "****",
    "placeholder",
    "redacted",
    "${",
    "{{",
    "$(",
    "://",
    "required",
    "<",
    "...",
    "min:",
    "%s",
];

/// Names of algorithms and encodings: their digits do not make a password in a sentence.
const ALGORITHMS: &[&str] = &[
    "sha", "md5", "bcrypt", "scrypt", "argon2", "pbkdf2", "base64", "utf", "hs256", "rs256", "aes",
    "oauth2", "x509", "x86", "http", "ipv", "pkcs",
];

/// Words of messages and labels: a quoted text with one of them is no passphrase.
const SENTENCE_WORDS: &[&str] = &[
    "is", "the", "your", "a", "an", "must", "be", "to", "please", "enter", "for", "of", "and",
    "or", "not", "with", "required", "invalid", "forgot", "at", "least", "in", "was",
];

/// Whether a value after this key, in this setting, is a secret.
pub fn is_secret(value: &[u8], key: Key, setting: Setting) -> bool {
    let head = value.get(..JUDGED_BYTES_MAX).unwrap_or(value);
    // The evidence comes first: nearly every value fails it, and the rest of the work is saved.
    let has_evidence = match key.trust {
        Trust::Literal => is_password(head, key, setting),
        Trust::Mixed => is_random(head) || is_mixed_piece(head, setting),
        Trust::Random => is_random(head) && !is_path(head),
        Trust::Pair => setting.pair && is_random(head) && !is_uuid(head),
        Trust::Dense => is_dense(head) && !is_path(head),
    };
    has_evidence && !is_stand_in(head) && (setting.quoted || !is_code(head, setting.next))
}

/// Whether the value stands for a secret that is elsewhere: a variable, a template, a reference, a
/// type, a mask such as `****`, or an instruction to the reader.
pub fn is_stand_in(value: &[u8]) -> bool {
    let head = value.get(..JUDGED_BYTES_MAX).unwrap_or(value);
    let is_mask = distinct(head) <= 3 && !head.iter().any(u8::is_ascii_alphanumeric);
    let is_repeated = head.len() >= 3 && distinct(head) <= 1;
    let is_variable = match head {
        [b'$' | b':' | b'@' | b'*', name @ ..] => name.iter().all(|&byte| is_name(byte)),
        [b'%', .., b'%'] | [b'%', _] | [b'%', b'(', ..] | [b'{', .., b'}'] => true,
        [b'!' | b'&' | b'#' | b'?', ..] => head.iter().skip(1).all(|&byte| is_name(byte)),
        [b'[', .., b']'] => true,
        _ => false,
    };
    let is_constant = head.contains(&b'_')
        && head
            .iter()
            .all(|byte| byte.is_ascii_uppercase() || *byte == b'_');
    head.is_empty()
        || is_mask
        || is_repeated
        || is_variable
        || is_constant
        || has_template(head)
        || is_no_value(head)
        || has_stand_in_part(head)
}

/// A word for a type, a state or nothing, with the punctuation of a sentence behind it.
fn is_no_value(value: &[u8]) -> bool {
    const BYTES_MAX: usize = 14;
    let closing = value
        .iter()
        .rev()
        .take_while(|&byte| b"?.,;:".contains(byte))
        .count();
    let word = slice(value, 0, value.len() - closing);
    word.len() <= BYTES_MAX
        && NO_VALUES
            .iter()
            .any(|no_value| word.eq_ignore_ascii_case(no_value.as_bytes()))
}

fn has_stand_in_part(value: &[u8]) -> bool {
    let lower = value.to_ascii_lowercase();
    let begins_part = |position: usize| {
        b"yx*pr${:<.m".contains(&at(&lower, position))
            && STAND_IN_PARTS
                .iter()
                .any(|part| starts_with(&lower, position, part.as_bytes()))
    };
    lower.ends_with(b"-here") || lower.ends_with(b"_here") || (0..lower.len()).any(begins_part)
}

/// A name in braces within the value: `{token}`, `Bearer {token}`.
fn has_template(value: &[u8]) -> bool {
    value.split(|&byte| byte == b'{').skip(1).any(|piece| {
        let name = piece
            .iter()
            .take_while(|&&byte| is_name(byte) || byte == b'.')
            .count();
        piece.get(name) == Some(&b'}')
    })
}

/// Whether an unquoted value is an expression: a call, an index, a path of names, a type.
fn is_code(value: &[u8], next: u8) -> bool {
    let name = while_(value, 0, |byte| is_name(byte) || b"!.:?".contains(&byte));
    let is_start = value
        .first()
        .is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_');
    let follows = if name == value.len() {
        next
    } else {
        at(value, name)
    };
    if is_start && matches!(follows, b'(' | b'[' | b'<' | b'{') {
        return true;
    }
    if value.starts_with(b"__") && name == value.len() {
        return true;
    }
    let mut parts = value
        .split(|byte| b".:?>".contains(byte))
        .map(|part| part.strip_suffix(b"-").unwrap_or(part))
        .filter(|part| !part.is_empty());
    let separators = value.iter().any(|byte| matches!(byte, b'.' | b':'));
    let is_word = |byte: &u8| is_name(*byte) && !byte.is_ascii_digit();
    let word = |part: &[u8]| part.iter().all(is_word);
    is_start && separators && parts.all(word)
}

/// Whether a value after the name of a password is evidence of one.
fn is_password(head: &[u8], key: Key, setting: Setting) -> bool {
    const BYTES_MIN: usize = 4;
    if head.len() < BYTES_MIN || is_path(head) {
        return false;
    }
    if head.contains(&b' ') {
        return setting.quoted && is_phrase(head);
    }
    if is_mixed(head) {
        let lower = head.to_ascii_lowercase();
        let names = |name: &str| lower.starts_with(name.as_bytes());
        return setting.quoted || setting.pair || !ALGORITHMS.iter().any(|name| names(name));
    }
    if !head.iter().any(u8::is_ascii_alphabetic) {
        let is_number = head.iter().any(u8::is_ascii_digit);
        return is_number && (setting.quoted || setting.pair || setting.literal);
    }
    if setting.quoted || (key.is_env && setting.pair && setting.literal) {
        return true;
    }
    let is_word = |byte: &u8| byte.is_ascii_lowercase() || *byte == b'-' || *byte >= 0x80;
    let names_secret = classify(head).is_some_and(|named| named.trust != Trust::Dense);
    setting.literal && head.iter().all(is_word) && !names_secret
}

/// Letters with a digit, or letters with a sign that words do not carry; no hexadecimal number.
pub fn is_mixed(value: &[u8]) -> bool {
    const BYTES_MIN: usize = 5;
    let is_hexadecimal = value
        .strip_prefix(b"0x")
        .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    let is_sign = |byte: &u8| b"!@#$%^&*~+=".contains(byte);
    value.len() >= BYTES_MIN
        && !is_hexadecimal
        && value.iter().any(u8::is_ascii_alphabetic)
        && value
            .iter()
            .any(|byte| byte.is_ascii_digit() || is_sign(byte))
}

/// One piece of letters and digits, long enough for a secret that a person made up. The names of
/// tests and resources have the same look, but for the signs between their words.
fn is_mixed_piece(value: &[u8], setting: Setting) -> bool {
    const BYTES_MIN: usize = 8;
    value.len() >= BYTES_MIN
        && is_mixed(value)
        && setting.next != b'-'
        && !value.iter().any(|byte| b"-./ ,:".contains(byte))
        && (setting.pair || !value.contains(&b'_'))
}

/// Words with spaces between that make a passphrase and no sentence.
fn is_phrase(value: &[u8]) -> bool {
    const WORDS_MIN: usize = 3;
    let text = String::from_utf8_lossy(value);
    let words = || text.split(' ').filter(|word| !word.is_empty());
    let is_sentence = words().any(|word| {
        SENTENCE_WORDS.contains(&word.to_ascii_lowercase().as_str()) || word.ends_with(':')
    });
    !is_sentence && (words().count() >= WORDS_MIN || is_mixed(value))
}

/// A file path: the secret is in the file.
fn is_path(value: &[u8]) -> bool {
    let is_rooted = [&b"/"[..], b"./", b"../", b"~/"]
        .iter()
        .any(|root| value.starts_with(root));
    let is_drive = value.get(1) == Some(&b':') && value.get(2) == Some(&b'\\');
    is_drive || (is_rooted && !is_random(value))
}

/// `8-4-4-4-12` hexadecimal digits (RFC 9562).
fn is_uuid(value: &[u8]) -> bool {
    value.len() == 36
        && value
            .iter()
            .enumerate()
            .all(|(position, byte)| match position {
                8 | 13 | 18 | 23 => *byte == b'-',
                _ => byte.is_ascii_hexdigit(),
            })
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Where an unquoted value that begins at a position ends, `limit` at the latest: at a blank, a
/// quote, an angle bracket, an escaped line end or a byte of a wide script; before the next `name=`
/// of a list; without the punctuation of the sentence.
pub fn bare_end(text: &[u8], start: usize, limit: usize) -> usize {
    /// More closing punctuation than this is part of the value.
    const CLOSING_MAX: usize = 4;
    let limit = limit.min(text.len());
    let stops = |position: usize| match at(text, position) {
        0..=b' ' | b'"' | b'\'' | b'`' | b'<' | b'>' | 0x7F | 0xE2..=0xFF => true,
        b'\\' => b"nrt\"'\\".contains(&at(text, position + 1)),
        b'&' | b';' | b',' => is_next_pair(text, position + 1),
        _ => false,
    };
    let stop = (start..limit)
        .find(|&position| stops(position))
        .unwrap_or(limit);
    let value = slice(text, start, stop);
    let closes = |byte: &&u8| match byte {
        b',' | b';' | b'.' | b':' | b'?' | b'|' => true,
        b')' => !value.contains(&b'('),
        b'}' => !value.contains(&b'{'),
        b']' => !value.contains(&b'['),
        _ => false,
    };
    stop - value
        .iter()
        .rev()
        .take(CLOSING_MAX)
        .take_while(closes)
        .count()
}

/// Whether `name=` or `name:` follows, which begins the next item of a list.
fn is_next_pair(text: &[u8], start: usize) -> bool {
    const NAME_BYTES_MAX: usize = 40;
    let window = slice(text, 0, text.len().min(start + NAME_BYTES_MAX));
    let end = while_(window, start, |byte| {
        is_name(byte) || matches!(byte, b'-' | b'.' | b' ')
    });
    end > start && (at(text, end) == b'=' || starts_with(text, end, b": "))
}
