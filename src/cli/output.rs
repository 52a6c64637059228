//! What leaves the process: fitted and coloured on a terminal, plain on a pipe, harmless on both.
//!
//! Remembered text may hold anything, escape sequences included. It reaches stdout and stderr only
//! through [`clean_line`], [`clean_text`] or [`print_json`].

use std::io::{self, ErrorKind, IsTerminal, Write};

use serde::Serialize;
use serde_json::json;

use crate::config::Environment;
use crate::error::{Error, Result};

/// How stdout likes its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Style {
    /// Whether escape sequences for colour are welcome.
    pub(super) colour: bool,
    /// How many columns a line has.
    pub(super) columns: usize,
}

/// What terminals have had since the VT100. Asking the terminal itself would need a system call
/// that the standard library does not offer; shells tell the real number in `COLUMNS`.
const COLUMNS_DEFAULT: usize = 80;

/// On a pipe nothing has to fit, but a line is still no place for a whole memory.
const COLUMNS_PIPED: usize = 240;

/// Below this a line has no room for anything beside a date.
const COLUMNS_MIN: usize = 40;

impl Style {
    /// The style for stdout: colour only on a terminal, and there only if neither `NO_COLOR` (any
    /// value but none, <https://no-color.org>) nor `TERM=dumb` speaks against it.
    pub(super) fn of_stdout(environment: Environment<'_>) -> Self {
        if !io::stdout().is_terminal() {
            return Self {
                colour: false,
                columns: COLUMNS_PIPED,
            };
        }
        let unwanted = environment("NO_COLOR").is_some_and(|value| !value.is_empty())
            || environment("TERM").as_deref() == Some("dumb");
        let columns = environment("COLUMNS").and_then(|value| value.parse().ok());
        Self {
            colour: !unwanted,
            columns: columns.unwrap_or(COLUMNS_DEFAULT).max(COLUMNS_MIN),
        }
    }

    /// For what matters most.
    pub(super) fn bold(&self, text: &str) -> String {
        self.wrap("1", text)
    }

    /// For what stands back.
    pub(super) fn dim(&self, text: &str) -> String {
        self.wrap("2", text)
    }

    fn wrap(&self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    /// Stored text as one harmless line, which fits on the terminal after `indent` columns.
    pub(super) fn line(&self, text: &str, indent: usize) -> String {
        fit(&clean_line(text), self.columns.saturating_sub(indent))
    }
}

/// Writes to stdout. A reader that has gone away has read enough: that is success.
pub(super) fn print(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Error::Io(format!(
            "the answer could not be written: {error}"
        ))),
        _ => Ok(()),
    }
}

/// Writes one JSON value to stdout.
pub(super) fn print_json(value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Error::Internal(format!("an answer is not JSON: {error}")))?;
    print(&(escape_json(&text) + "\n"))
}

/// Tells a person something that is no part of the answer.
pub(super) fn note(text: &str) {
    write_stderr(&format!("{text}\n"));
}

/// Tells what went wrong; as JSON, one line `{"error":{"kind","message"}}`.
pub(super) fn complain(error: &Error, as_json: bool) {
    let message = error.to_string();
    if as_json {
        let object = json!({"error": {"kind": error.kind(), "message": message}});
        note(&escape_json(&object.to_string()));
    } else {
        note(&format!("sage: {}", clean_text(&message)));
    }
}

/// Writes to stderr as it is.
pub(super) fn write_stderr(text: &str) {
    let mut stderr = io::stderr().lock();
    // There is no other place left to say that stderr is gone.
    let _ = stderr
        .write_all(text.as_bytes())
        .and_then(|()| stderr.flush());
}

/// Stored text as one line: white space becomes single blanks, what steers a terminal a picture.
pub(super) fn clean_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().map(harmless).collect()
}

/// Stored text with its lines and tabs: what steers a terminal becomes a picture of itself.
pub(super) fn clean_text(text: &str) -> String {
    text.replace("\r\n", "\n")
        .chars()
        .map(|c| {
            if matches!(c, '\n' | '\t') {
                c
            } else {
                harmless(c)
            }
        })
        .collect()
}

/// ASCII control characters have pictures of their own in Unicode (block 2400); the others become
/// the replacement character.
fn harmless(c: char) -> char {
    match c {
        '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or(REPLACEMENT),
        '\u{7f}' => '\u{2421}',
        c if steers(c) => REPLACEMENT,
        c => c,
    }
}

const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// Whether a character beyond ASCII steers the terminal instead of being shown: the C1 controls
/// (one of them opens escape sequences), and what reorders or breaks lines.
fn steers(c: char) -> bool {
    matches!(
        c,
        '\u{7f}'..='\u{9f}'
            | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
    )
}

/// JSON escapes ASCII controls by itself; the other dangerous ones occur within strings only,
/// where they may be escaped as well.
fn escape_json(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) {
            escaped.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// Cuts a line to `columns` and marks the cut.
pub(super) fn fit(line: &str, columns: usize) -> String {
    const MARK: &str = "...";
    if width(line) <= columns {
        return line.to_owned();
    }
    let room = columns.saturating_sub(MARK.len());
    let mut used = 0;
    let mut cut: String = line
        .chars()
        .take_while(|c| {
            used += char_width(*c);
            used <= room
        })
        .collect();
    cut.truncate(cut.trim_end().len());
    cut + MARK
}

/// Fills a word up with blanks to `columns`.
pub(super) fn pad(word: &str, columns: usize) -> String {
    let blanks = columns.saturating_sub(width(word));
    format!("{word}{}", " ".repeat(blanks))
}

/// The columns of a terminal that a line takes.
pub(super) fn width(line: &str) -> usize {
    line.chars().map(char_width).sum()
}

/// The blocks that matter of Unicode Standard Annex 11: marks that combine take no column, East
/// Asian characters and pictures take two.
fn char_width(c: char) -> usize {
    match u32::from(c) {
        0x300..=0x36f | 0x200b..=0x200d | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f
        | 0x2e80..=0x303e
        | 0x3041..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1faff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// "1 turn", "2 turns".
pub(super) fn count(number: u64, singular: &str, plural: &str) -> String {
    format!("{number} {}", if number == 1 { singular } else { plural })
}

/// A size in bytes for people: "830 B", "4.2 MB".
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1_000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1e3;
    let mut unit = "kB";
    for larger in UNITS.into_iter().skip(1) {
        if value < 999.95 {
            break;
        }
        value /= 1e3;
        unit = larger;
    }
    format!("{value:.1} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_a_terminal() {
        let hostile = "a\x1b[31mred\x07\u{9b}2J\u{202e}x\r\ny\tz\u{7f}\0";
        assert_eq!(
            clean_text(hostile),
            "a\u{241b}[31mred\u{2407}\u{fffd}2J\u{fffd}x\ny\tz\u{2421}\u{2400}"
        );
        assert!(
            !clean_line(hostile)
                .chars()
                .any(|c| c.is_control() || steers(c))
        );
        assert_eq!(clean_line("  a \n\n b\tc "), "a b c");
    }

    #[test]
    fn json_stays_the_same_value() {
        let value = json!({"text": "\u{9b}31m\u{7f}\u{2066}\u{1b} \u{4e2d}"});
        let escaped = escape_json(&value.to_string());
        assert!(!escaped.chars().any(|c| c.is_control() || steers(c)));
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&escaped).ok(),
            Some(value)
        );
    }

    #[test]
    fn lines_are_cut_by_columns() {
        assert_eq!(fit("short", 5), "short");
        assert_eq!(fit("a longer line", 8), "a lon...");
        assert_eq!(
            fit("\u{6570}\u{636e}\u{5e93}\u{8fc1}\u{79fb}", 9),
            "\u{6570}\u{636e}\u{5e93}..."
        );
        assert_eq!(width("e\u{301}\u{6570}"), 3);
        assert_eq!(pad("\u{6570}", 4), "\u{6570}  ");
    }

    #[test]
    fn sizes_and_counts_read_well() {
        assert_eq!(size(999), "999 B");
        assert_eq!(size(4_200_000), "4.2 MB");
        assert_eq!(size(999_999), "1.0 MB");
        assert_eq!(count(1, "turn", "turns"), "1 turn");
        assert_eq!(count(0, "turn", "turns"), "0 turns");
    }
}
