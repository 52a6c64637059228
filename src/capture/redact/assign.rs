//! Values that stand behind a name: `API_KEY=...`, `"password": "..."`, `const token = '...'`,
//! `Authorization: Bearer ...`, `the password is ...`, `密码：...`.

use super::Finding;
use super::bytes::{at, before, skip_blanks, slice, starts_with, while_, while_back};
use super::keys::{Key, Trust, classify, ideograph, may_announce};
use super::rules::{entry, token_at};
use super::value::{Setting, bare_end, is_mixed, is_secret, is_stand_in};

/// How a name and its value are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Colon,
    /// `=` with nothing around it.
    Pair,
    /// `=`, `:=` and `=>` with spaces.
    Equals,
    /// A place where only a quoted literal can be a secret: `==`, `||`, a call, a second argument.
    Quoted,
    /// `${NAME:-value}`.
    Default,
    /// An XML element.
    Element,
    /// A command-line flag, with a space behind it.
    Flag,
    /// A sentence: `the password is`.
    Phrase,
    /// Only a blank: `ENV API_TOKEN x`, `requirepass x`.
    Blank,
}

/// The bytes of a value, inside its quotes if it has any.
#[derive(Debug, Clone, Copy)]
struct Value {
    start: usize,
    end: usize,
    quoted: bool,
}

/// A bare value is judged by so many bytes; the rest is read only once it counts as a secret.
const WINDOW_BYTES: usize = 128;

/// A quoted value longer than this has lost its closing quote. Typographic quotes need not come in
/// pairs, so a closing one is looked for in the next few words only.
const QUOTED_BYTES_MAX: usize = 8192;
const WIDE_QUOTED_BYTES_MAX: usize = 128;

/// The secret behind the name `start..end`.
pub fn at_word(text: &[u8], start: usize, end: usize) -> Option<Finding> {
    let name = slice(text, start, end);
    if !may_announce(name) {
        return None;
    }
    let (link, position) = separator(text, start, end)?;
    let Some(key) = classify(slice(text, entry(text, start), end)).or_else(|| classify(name))
    else {
        return unnamed(text, start, end, position);
    };
    let key = in_sentence(text, start, name, key);
    let (link, position) = match link {
        Link::Blank if name.starts_with(b"-") => (Link::Flag, position),
        Link::Blank => annotated(text, position)
            .map(|value| (Link::Quoted, value))
            .unwrap_or_else(|| phrase(text, position)),
        _ => (link, position),
    };
    behind(text, start, key, link, scheme_end(text, position)).or_else(|| {
        // `auth` is a name itself, and the end of the name of a call with two arguments.
        unnamed(text, start, end, position)
    })
}

/// The secret behind a Chinese keyword at a position.
pub fn at_ideograph(text: &[u8], start: usize) -> Option<Finding> {
    const JOINTS: &[&str] = &[
        "设置为",
        "设为",
        "改成",
        "改为",
        "就是",
        "是",
        "为",
        "：",
        ":",
        "=",
    ];
    let (key, end) = ideograph(text, start)?;
    let blank_end = skip_blanks(text, end);
    let joint = JOINTS
        .iter()
        .find(|joint| starts_with(text, blank_end, joint.as_bytes()));
    let (link, position) = match joint {
        Some(joint) => (Link::Colon, skip_blanks(text, blank_end + joint.len())),
        None if blank_end > end => (Link::Phrase, blank_end),
        None => return None,
    };
    behind(text, start, key, link, position)
}

/// Secrets that no name of their own announces: `Bearer x` where no header name stands in front,
/// `IDENTIFIED BY 'x'` of SQL, and the second argument in `login("user", "x")`.
fn unnamed(text: &[u8], start: usize, end: usize, position: usize) -> Option<Finding> {
    const IDENTIFIED: &[u8] = b"identified ";
    let word = slice(text, entry(text, start), end).to_ascii_lowercase();
    let lead = slice(text, start.saturating_sub(IDENTIFIED.len()), start);
    let is_call = at(text, end) == b'(' && (word.ends_with(b"auth") || word.ends_with(b"login"));
    let (trust, kind, link, position) = if word == b"by" && lead.eq_ignore_ascii_case(IDENTIFIED) {
        (Trust::Literal, "password", Link::Quoted, position)
    } else if is_call {
        let second = second_argument(text, position)?;
        (Trust::Literal, "password", Link::Quoted, second)
    } else if word == b"bearer" && at(text, end) == b' ' {
        (Trust::Random, "authorization", Link::Colon, position)
    } else {
        return None;
    };
    let key = Key {
        trust,
        kind,
        is_env: false,
    };
    behind(text, start, key, link, position)
}

/// Where the second argument of a call begins, whose first is the quoted string at a position.
fn second_argument(text: &[u8], position: usize) -> Option<usize> {
    let first = value_at(text, position).filter(|first| first.quoted)?;
    let quote_end = while_(text, first.end, |byte| matches!(byte, b'\\' | b'"' | b'\''));
    (at(text, quote_end) == b',').then(|| skip_blanks(text, quote_end + 1))
}

/// `API key` and `secret key` as two words announce what `api_key` does.
fn in_sentence(text: &[u8], start: usize, name: &[u8], key: Key) -> Key {
    let is_two_words = name.eq_ignore_ascii_case(b"key") && before(text, start) == b' ';
    let first = while_back(text, start.saturating_sub(1), |byte| {
        byte.is_ascii_alphabetic()
    });
    let first = slice(text, first, start.saturating_sub(1)).to_ascii_lowercase();
    match first.as_slice() {
        b"api" | b"access" | b"secret" | b"signing" | b"encryption" if is_two_words => Key {
            trust: Trust::Random,
            kind: "api-key",
            is_env: false,
        },
        _ => key,
    }
}

/// What joins the name that ends at `end` to its value, and where the value begins.
fn separator(text: &[u8], start: usize, end: usize) -> Option<(Link, usize)> {
    let escapes = while_(text, end, |byte| byte == b'\\');
    let is_quote = matches!(at(text, escapes), b'"' | b'\'' | b'`');
    let mut position = if is_quote { escapes + 1 } else { end };
    if at(text, position) == b']' {
        position += 1;
    }
    let closed = position;
    position = skip_blanks(text, position);
    let is_spaced = position > closed;
    let tail = text.get(position..).unwrap_or_default();
    let (link, length) = match tail {
        [b'>', ..] if !is_spaced && before(text, start) == b'<' => (Link::Element, 1),
        [b'=' | b'!', b'=', b'=', ..] => (Link::Quoted, 3),
        [b'=' | b'!', b'=', ..] => (Link::Quoted, 2),
        [b'=', b'>', ..] | [b':', b'=', ..] | [b'?', b'=', ..] => (Link::Equals, 2),
        [b':', b':', ..] | [b':', b'/', b'/', ..] => return None,
        [b':', b'-', ..] => (Link::Default, 2),
        [b'|', b'|', ..] | [b'?', b'?', ..] => (Link::Quoted, 2),
        [b'?', b':', ..] => (Link::Colon, 2),
        [0xEF, 0xBC, 0x9A, ..] => (Link::Colon, 3),
        [b'%', b'3', b'D' | b'd', ..] => (Link::Pair, 3),
        [b':', ..] => (Link::Colon, 1),
        [b'=', ..] => (if is_spaced { Link::Equals } else { Link::Pair }, 1),
        [b',', ..] if is_quote => (Link::Quoted, 1),
        [b'(', ..] if !is_quote => (Link::Quoted, 1),
        _ if is_spaced && !is_quote => return Some((Link::Blank, position)),
        _ => return None,
    };
    let value = skip_blanks(text, position + length);
    if link == Link::Pair && value > position + length {
        return Some((Link::Equals, value));
    }
    if link == Link::Colon {
        return Some(annotated(text, value).map_or((link, value), |typed| (Link::Equals, typed)));
    }
    Some((link, value))
}

/// A word that joins a name and a value in a sentence, or nothing but the blank.
fn phrase(text: &[u8], position: usize) -> (Link, usize) {
    const JOINTS: &[&str] = &[
        "is ", "is: ", "was ", "to ", "are ", "-> ", "→ ", "是 ", "是", "为 ", "为",
    ];
    JOINTS
        .iter()
        .find(|joint| starts_with(text, position, joint.as_bytes()))
        .map_or((Link::Blank, position), |joint| {
            (Link::Phrase, skip_blanks(text, position + joint.len()))
        })
}

/// Where the value begins if a type and ` = ` stand in front of it: `token: &str = "x"`.
fn annotated(text: &[u8], position: usize) -> Option<usize> {
    const TYPE_BYTES_MAX: usize = 48;
    let window = slice(text, 0, text.len().min(position + TYPE_BYTES_MAX));
    let end = while_(window, position, |byte| {
        byte.is_ascii_alphanumeric() || b"_&<>[]'|?:. ".contains(&byte)
    });
    (end > position && at(text, end) == b'=' && before(text, end) == b' ')
        .then(|| skip_blanks(text, end + 1))
}

/// Skips the scheme of an authorization header: `Bearer `, `Basic `, `token `.
fn scheme_end(text: &[u8], position: usize) -> usize {
    const SCHEMES: &[&[u8]] = &[b"bearer", b"basic", b"token", b"apikey", b"bot"];
    let quote = while_(text, position, |byte| b"\\\"'`f".contains(&byte));
    let word_end = while_(text, quote, |byte| byte.is_ascii_alphabetic());
    let word = slice(text, quote, word_end);
    let is_scheme = SCHEMES
        .iter()
        .any(|scheme| word.eq_ignore_ascii_case(scheme));
    if is_scheme && at(text, word_end) == b' ' {
        skip_blanks(text, word_end)
    } else {
        position
    }
}

/// The finding for the value at a position, if it is a secret in the place where it stands.
fn behind(text: &[u8], name: usize, key: Key, link: Link, position: usize) -> Option<Finding> {
    let value = value_at(text, position)?;
    let content = slice(text, value.start, value.end);
    let setting = Setting {
        quoted: value.quoted,
        literal: is_literal_place(text, name, link, value),
        pair: link == Link::Pair,
        next: if link == Link::Element {
            0
        } else {
            at(text, value.end)
        },
    };
    let fits = match link {
        Link::Quoted => value.quoted && is_mixed(content) && !is_composed(key, content),
        Link::Element => starts_with(text, value.end, b"</"),
        Link::Phrase => is_mixed(content),
        Link::Blank => is_blank_place(text, name, key, value) && is_mixed(content),
        Link::Flag => value.quoted || is_mixed(content) || setting.literal,
        _ => true,
    };
    let is_pem = content.starts_with(b"-----BEGIN") || content.starts_with(b"-----END");
    if !fits || is_pem || !is_secret(content, key, setting) {
        return None;
    }
    let end = if value.quoted {
        value.end
    } else {
        bare_end(text, value.start, text.len())
    };
    let token = token_at(text, value.start).filter(|token| token.end >= end);
    Some(Finding {
        start: value.start,
        end,
        kind: token.map_or(key.kind, |token| token.kind),
    })
}

/// The value at a position: what the quotes hold, or the bare stretch.
fn value_at(text: &[u8], position: usize) -> Option<Value> {
    let escapes = while_(text, position, |byte| byte == b'\\');
    let prefix = while_(text, escapes, |byte| b"rbfuLR@$".contains(&byte));
    let quote_at = if matches!(at(text, prefix), b'"' | b'\'') {
        prefix
    } else {
        escapes
    };
    let wide: Option<&[u8]> = match text.get(quote_at..) {
        Some([0xE2, 0x80, 0x9C, ..]) => Some("”".as_bytes()),
        Some([0xE3, 0x80, 0x8C, ..]) => Some("」".as_bytes()),
        _ => None,
    };
    let quote = at(text, quote_at);
    let (start, close) = match (quote, wide) {
        (b'"' | b'\'' | b'`', _) => (quote_at + 1, slice(text, quote_at, quote_at + 1)),
        (_, Some(close)) => (quote_at + close.len(), close),
        _ => (position, &b""[..]),
    };
    if let Some(end) = closing(text, start, close, escapes - position) {
        return Some(Value {
            start,
            end,
            quoted: true,
        });
    }
    let end = bare_end(text, start, start + WINDOW_BYTES);
    (end > start).then_some(Value {
        start,
        end,
        quoted: false,
    })
}

/// Where the closing quote stands on the same line; None without one. Inside a string that is
/// itself escaped, the closing quote carries as many backslashes as the opening one.
fn closing(text: &[u8], start: usize, close: &[u8], escapes: usize) -> Option<usize> {
    let first = *close.first()?;
    let bytes_max = if close.len() == 1 {
        QUOTED_BYTES_MAX
    } else {
        WIDE_QUOTED_BYTES_MAX
    };
    let window = slice(text, 0, text.len().min(start + bytes_max));
    let mut position = start;
    loop {
        position = while_(window, position, |byte| {
            byte != first && byte != b'\n' && (byte != b'\\' || escapes > 0)
        });
        match at(window, position) {
            b'\\' => position += 2,
            byte if byte == first && starts_with(text, position, close) => {
                let inner = while_back(text, position, |byte| byte == b'\\');
                return Some(if escapes > 0 {
                    inner.max(start)
                } else {
                    position
                });
            }
            b'\n' | 0 => return None,
            _ => position += 1,
        }
    }
}

/// Hosts, messages and code have these signs between their parts. Behind the weak links a password
/// must not, though a token may.
fn is_composed(key: Key, content: &[u8]) -> bool {
    key.trust == Trust::Literal && content.iter().any(|byte| b" .:/\\(".contains(byte))
}

/// Whether a plain word can only be a value here, and not code or prose.
fn is_literal_place(text: &[u8], name: usize, link: Link, value: Value) -> bool {
    let after = skip_blanks(text, value.end);
    let ends_line = match text.get(after..).unwrap_or_default() {
        [] | [b'\n' | b'\r' | b'"' | b'\'' | b'#', ..] | [b'\\', b'n' | b'r', ..] => true,
        // Chinese punctuation ends a sentence as a line end does.
        [0xE3, 0x80, ..] | [0xEF, 0xBC, ..] => true,
        _ => false,
    };
    let indent = while_back(text, name, |byte| b" \t-\"'`{[$".contains(&byte));
    let is_escaped = before(text, name) == b'\\' && at(text, name) == b'n';
    let is_first = matches!(before(text, name), 0 | b'\n') || is_escaped;
    let starts_line = is_first
        || matches!(before(text, indent), 0 | b'\n')
        || slice(text, 0, indent).ends_with(b"\\n")
        || before(text, name) >= 0x80
        || at(text, name) >= 0x80;
    match link {
        Link::Colon => ends_line && starts_line,
        Link::Equals => ends_line && is_first,
        Link::Pair => {
            let is_argument =
                matches!(before(text, name), b'(') || slice(text, 0, name).ends_with(b", ");
            !is_argument && !matches!(at(text, value.end), b')' | b',')
        }
        Link::Flag => ends_line || starts_with(text, value.end, b" -"),
        Link::Element | Link::Default => true,
        Link::Quoted | Link::Phrase | Link::Blank => value.quoted,
    }
}

/// The places where a blank alone joins a name to its value: a long random token in any sentence,
/// environment commands with a name in capitals, `requirepass` of Redis, SQL, and the
/// `login x password y` of a netrc file.
fn is_blank_place(text: &[u8], name: usize, key: Key, value: Value) -> bool {
    const RANDOM_BYTES_MIN: usize = 24;
    if key.trust == Trust::Random && value.end >= value.start + RANDOM_BYTES_MIN {
        return true;
    }
    let is_single_quoted = value.quoted && before(text, value.start) == b'\'';
    if key.is_env || is_single_quoted || slice(text, name, value.start).ends_with(b"requirepass ") {
        return true;
    }
    let is_blank = |byte: u8| byte.is_ascii_whitespace();
    let user_end = while_back(text, name, is_blank);
    let user = while_back(text, user_end, |byte| !is_blank(byte));
    let login_end = while_back(text, user, is_blank);
    slice(text, 0, login_end).ends_with(b"login") && !is_stand_in(slice(text, user, user_end))
}
