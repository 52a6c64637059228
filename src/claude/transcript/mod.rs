//! Claude Code's session transcripts (JSONL): the prompts in them with their replies.
//!
//! The format is internal to the client and changes between versions, so it is read leniently:
//! only the few fields that a turn needs count, and a broken line costs that line alone. Observed
//! with Claude Code 2.1.330; older files differ in having no `promptId`, which is allowed for.

mod find;
mod last;
mod line;
mod prompt;
mod turns;

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufRead, Read};
use std::ops::ControlFlow;

pub use find::{FoundTranscripts, find_transcripts};
pub use last::turn_in_file;
pub use prompt::personal_prompt;
use turns::Turns;

/// The longest line that is read, in bytes. The longest lines of the client carry pictures and
/// whole files as tool results, a few MiB each; a prompt or a reply is far below. The reader
/// holds a line, the text decoded from it and one turn, so this also bounds its memory: it stays
/// within a small multiple of this.
pub const LINE_BYTES_MAX: usize = 32 << 20;

/// The largest turn that is put together, in bytes of text. What comes after is left out and
/// counted as [`SkipReason::TurnTooLong`].
pub const TURN_BYTES_MAX: usize = LINE_BYTES_MAX;

/// How many skipped lines a report names one by one: enough to look at, few enough to print.
pub const SKIPS_NAMED_MAX: usize = 10;

/// One prompt with its reply, as a transcript tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TranscriptTurn {
    /// The session of the prompt's line, else the name of the file without its ending.
    pub session_id: String,
    /// Unique within the session of one file: the `promptId` of the line, else its `uuid`, else
    /// `line-N`. One that an earlier turn of this file already has is passed over for the next, so
    /// that neither turn can replace the other.
    pub prompt_id: String,
    /// What the person wrote, without what the client added. Never empty.
    pub prompt: String,
    /// The assistant's text blocks joined by blank lines, without thinking and tool calls. Empty
    /// when the prompt was interrupted.
    pub reply: String,
    /// The working directory when the prompt was sent.
    pub cwd: Option<String>,
    /// The branch as the client wrote it, which is `HEAD` when there is none.
    pub git_branch: Option<String>,
    /// When the prompt was sent: Unix time in milliseconds, UTC.
    pub started_at_ms: Option<i64>,
    /// The line of the prompt in its file, counted from 1.
    pub line: u64,
}

/// Why a line of a transcript was left out although it may have held something to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SkipReason {
    /// The line is not a JSON object.
    NotJson,
    /// The line is not UTF-8.
    InvalidUtf8,
    /// The line is longer than [`LINE_BYTES_MAX`].
    TooLong,
    /// The last line has no end: the client was stopped, or is still writing it.
    Unfinished,
    /// The turn already holds [`TURN_BYTES_MAX`].
    TurnTooLong,
}

impl fmt::Display for SkipReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NotJson => "not a JSON object",
            Self::InvalidUtf8 => "not valid UTF-8",
            Self::TooLong => "longer than 32 MiB",
            Self::Unfinished => "the file ends in the middle of the line",
            Self::TurnTooLong => "its turn already holds 32 MiB of text",
        })
    }
}

/// What reading one transcript came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TranscriptReport {
    /// The lines read, empty ones included.
    pub lines: u64,
    /// The turns handed over.
    pub turns: u64,
    /// The lines left out. Lines that are no part of any turn by design are not among them.
    pub skipped: SkippedLines,
}

/// The lines left out of a transcript: how many for which reason, and the first of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SkippedLines {
    /// How many lines were left out, by reason.
    pub counts: BTreeMap<SkipReason, u64>,
    /// The first [`SKIPS_NAMED_MAX`], each with its line number.
    pub first: Vec<(u64, SkipReason)>,
}

impl SkippedLines {
    /// How many lines were left out for any reason.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    fn add(&mut self, line: u64, reason: SkipReason) {
        *self.counts.entry(reason).or_default() += 1;
        if self.first.len() < SKIPS_NAMED_MAX {
            self.first.push((line, reason));
        }
    }
}

/// Reads one transcript and calls `on_turn` for each turn in the order of the file, the last one
/// at the end of the file even if its reply may still be growing. When `on_turn` returns
/// [`ControlFlow::Break`], reading stops at once.
///
/// A turn begins with a person's prompt and takes the assistant's text until the next one. What
/// the client writes by itself is never taken: commands, tool results, notices, reminders,
/// summaries, subagents, attachments (which is where memories given by Sage show up). Prompts of
/// the same `promptId` with no reply between them are one turn, joined by a blank line; behind a
/// reply each begins a turn of its own (see [`TranscriptTurn::prompt_id`]).
///
/// A prompt line that repeats an earlier one (same session and `uuid`) is left out together with
/// the reply repeated behind it; replies are told apart by `uuid`, and by message and text.
///
/// `file_stem` names the session where lines do not.
///
/// # Errors
/// Those of `reader`. Broken lines are no errors; the report tells about them.
pub fn read_turns(
    mut reader: impl BufRead,
    file_stem: &str,
    on_turn: &mut dyn FnMut(TranscriptTurn) -> ControlFlow<()>,
) -> io::Result<TranscriptReport> {
    let mut turns = Turns::new(file_stem, on_turn);
    let mut report = TranscriptReport::default();
    let mut bytes = Vec::new();
    let mut flow = ControlFlow::Continue(());
    while flow.is_continue()
        && let Some(end) = next_line(&mut reader, &mut bytes)?
    {
        report.lines += 1;
        flow = match take_line(&mut turns, &bytes, end, report.lines) {
            Ok(flow) => flow,
            Err(reason) => {
                report.skipped.add(report.lines, reason);
                ControlFlow::Continue(())
            }
        };
    }
    if flow.is_continue() {
        turns.finish();
    }
    report.turns = turns.handed_over();
    Ok(report)
}

/// How a line ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LineEnd {
    Newline,
    /// The file ended first.
    File,
    /// The line is over the limit; the rest of it was passed over unread.
    Limit,
}

/// Reads the next line into `bytes`. `None` at the end of the file.
fn next_line(reader: &mut impl BufRead, bytes: &mut Vec<u8>) -> io::Result<Option<LineEnd>> {
    // One more for the newline, which does not count.
    let limit = LINE_BYTES_MAX as u64 + 1;
    bytes.clear();
    let count = reader.by_ref().take(limit).read_until(b'\n', bytes)?;
    if count == 0 {
        return Ok(None);
    }
    if bytes.last() == Some(&b'\n') {
        return Ok(Some(LineEnd::Newline));
    }
    if (count as u64) < limit {
        return Ok(Some(LineEnd::File));
    }
    reader.skip_until(b'\n')?;
    Ok(Some(LineEnd::Limit))
}

fn take_line(
    turns: &mut Turns<'_>,
    bytes: &[u8],
    end: LineEnd,
    number: u64,
) -> Result<ControlFlow<()>, SkipReason> {
    if end == LineEnd::Limit {
        return Err(SkipReason::TooLong);
    }
    let because = |reason| match end {
        LineEnd::File => SkipReason::Unfinished,
        _ => reason,
    };
    let text = str::from_utf8(bytes).map_err(|_| because(SkipReason::InvalidUtf8))?;
    let json = text.trim_start_matches('\u{feff}').trim();
    if json.is_empty() {
        return Ok(ControlFlow::Continue(()));
    }
    if !json.starts_with('{') {
        return Err(because(SkipReason::NotJson));
    }
    if let Ok(line) = line::parse(json) {
        return turns.take(&line, number);
    }
    match line::replace_lone_surrogates(json)
        .as_deref()
        .map(line::parse)
    {
        Some(Ok(line)) => turns.take(&line, number),
        _ => Err(because(SkipReason::NotJson)),
    }
}
