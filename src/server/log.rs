//! One line per event on stderr. No event ever holds the words of a memory, a query or a token.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use serde_json::{Map, Value};

use crate::config::{LogFormat, LogLevel};
use crate::error::{Error, Result};
use crate::memory::Timestamp;

/// Lines that may wait for a reader of stderr that is slow. More are left out and counted: a log
/// that nobody reads must not hold up those who ask.
const WAITING_MAX: usize = 1_024;

/// How long the end of the process waits for the last lines.
const FLUSH_PATIENCE: Duration = Duration::from_millis(100);

/// Writes events, on a thread of its own.
pub struct Log {
    level: LogLevel,
    format: LogFormat,
    lines: SyncSender<Entry>,
    left_out: AtomicU64,
}

enum Entry {
    Line(String),
    /// Answered when everything before it is written.
    Flush(SyncSender<()>),
}

impl Log {
    /// Tells events of `level` and above.
    pub fn new(level: LogLevel, format: LogFormat) -> Result<Self> {
        let (lines, entries) = sync_channel(WAITING_MAX);
        std::thread::Builder::new()
            .name("sage-log".to_owned())
            .spawn(move || write(&entries))
            .map_err(|error| Error::Io(format!("could not start a thread for the log: {error}")))?;
        Ok(Self {
            level,
            format,
            lines,
            left_out: AtomicU64::new(0),
        })
    }

    /// Tells that something happened, with what belongs to it.
    pub fn event(&self, level: LogLevel, event: &str, fields: &[(&str, Value)]) {
        if level > self.level {
            return;
        }
        let left_out = self.left_out.swap(0, Relaxed);
        if left_out > 0 {
            let fields = [("events", Value::from(left_out))];
            self.send(
                self.line(LogLevel::Warn, "log was held up", &fields),
                left_out,
            );
        }
        self.send(self.line(level, event, fields), 1);
    }

    fn line(&self, level: LogLevel, event: &str, fields: &[(&str, Value)]) -> String {
        // Milliseconds: finer differences are in the fields.
        let time = format!("{:.3}", Timestamp::now());
        match self.format {
            LogFormat::Plain => plain(&time, level, event, fields),
            LogFormat::Json => json(&time, level, event, fields),
        }
    }

    fn send(&self, line: String, stands_for: u64) {
        if self.lines.try_send(Entry::Line(line)).is_err() {
            self.left_out.fetch_add(stands_for, Relaxed);
        }
    }

    /// Waits a moment until everything told so far is written.
    pub fn flush(&self) {
        let (done, written) = sync_channel(1);
        if self.lines.try_send(Entry::Flush(done)).is_ok() {
            // A reader who has not read by now is not waited for.
            let _ = written.recv_timeout(FLUSH_PATIENCE);
        }
    }
}

fn write(entries: &Receiver<Entry>) {
    for entry in entries {
        match entry {
            // One write a line, so that lines of several processes do not mix. There is no other
            // place left to say that stderr is gone.
            Entry::Line(line) => drop(std::io::stderr().write_all(line.as_bytes())),
            // Whoever asked may have stopped waiting.
            Entry::Flush(done) => drop(done.send(())),
        }
    }
}

fn plain(time: &str, level: LogLevel, event: &str, fields: &[(&str, Value)]) -> String {
    let mut line = format!("{time} {:5} {event}", level.name());
    for (name, value) in fields {
        line.push_str(&format!(" {name}={}", word(value)));
    }
    line.push('\n');
    line
}

/// A text without blanks and quotes stands as it is; everything else as JSON, so that nobody can
/// write a second line or a false field.
fn word(value: &Value) -> String {
    match value {
        Value::String(text) if is_plain(text) => text.clone(),
        Value::String(text) => Value::String(text.chars().map(visible).collect()).to_string(),
        other => other.to_string(),
    }
}

fn is_plain(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\"=".contains(&byte);
    !text.is_empty() && text.bytes().all(is_plain)
}

/// JSON escapes ASCII controls by itself, but not those beyond, which steer terminals too.
fn visible(c: char) -> char {
    if c.is_control() && !c.is_ascii() {
        char::REPLACEMENT_CHARACTER
    } else {
        c
    }
}

fn json(time: &str, level: LogLevel, event: &str, fields: &[(&str, Value)]) -> String {
    let mut object = Map::new();
    object.insert("time".to_owned(), Value::from(time));
    object.insert("level".to_owned(), Value::from(level.name()));
    object.insert("event".to_owned(), Value::from(event));
    for (name, value) in fields {
        object.insert((*name).to_owned(), value.clone());
    }
    Value::Object(object).to_string() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_cannot_pretend_to_be_another() {
        let fields = [
            ("path", Value::from("/a b\n2026 error x=1")),
            ("status", Value::from(200)),
            ("id", Value::from("0a1b")),
        ];
        assert_eq!(
            plain("T", LogLevel::Info, "request", &fields),
            "T info  request path=\"/a b\\n2026 error x=1\" status=200 id=0a1b\n"
        );
        assert_eq!(word(&Value::from("\u{9b}2J")), "\"\u{fffd}2J\"");
        let line = json("T", LogLevel::Warn, "denied", &fields);
        assert_eq!(line.matches('\n').count(), 1);
    }
}
