//! Puts the lines of a transcript together into turns.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::ops::ControlFlow;

use super::line::{Line, Text};
use super::prompt::{Said, classify};
use super::{SkipReason, TURN_BYTES_MAX, TranscriptTurn};

/// How many prompts of a file are remembered to recognise repeated ones, at two entries each:
/// beyond every real file, a few MiB of memory. Later prompts are taken as they come.
const PROMPTS_SEEN_MAX: usize = 1 << 16;

/// What a text block counts beside its bytes: the two entries that recognise a repeat of it.
const BLOCK_EXTRA_BYTES: usize = 64;

/// The model that the client names for replies it wrote itself, such as error notices.
const SYNTHETIC_MODEL: &str = "<synthetic>";

/// What the client writes where the API gave no text.
const NO_TEXT: &str = "(no content)";

/// The turns of one file while it is being read.
pub(super) struct Turns<'a> {
    file_stem: &'a str,
    on_turn: &'a mut dyn FnMut(TranscriptTurn) -> ControlFlow<()>,
    open: Option<OpenTurn>,
    /// Hashes of the prompts of this file, by session with `uuid` or the turn's name.
    seen: HashSet<u64>,
    hasher: RandomState,
    handed_over: u64,
}

/// The turn whose reply is being gathered.
struct OpenTurn {
    turn: TranscriptTurn,
    /// What the prompt's line says, which the turn's own id may differ from.
    prompt_id: Option<String>,
    /// Somebody else is being answered, so replies do not belong to this turn.
    paused: bool,
    /// Hashes of the lines and blocks in this turn.
    seen: HashSet<u64>,
    bytes: usize,
}

impl<'a> Turns<'a> {
    pub(super) fn new(
        file_stem: &'a str,
        on_turn: &'a mut dyn FnMut(TranscriptTurn) -> ControlFlow<()>,
    ) -> Self {
        Self {
            file_stem,
            on_turn,
            open: None,
            seen: HashSet::new(),
            hasher: RandomState::new(),
            handed_over: 0,
        }
    }

    /// Takes line `number` of the file. `Break` comes from `on_turn`.
    ///
    /// # Errors
    /// [`SkipReason::TurnTooLong`].
    pub(super) fn take(
        &mut self,
        line: &Line<'_>,
        number: u64,
    ) -> Result<ControlFlow<()>, SkipReason> {
        if line.is_sidechain {
            return Ok(ControlFlow::Continue(()));
        }
        match line.kind.as_deref() {
            Some("user") => self.take_user(line, number),
            Some("assistant") => {
                self.take_reply(line)?;
                Ok(ControlFlow::Continue(()))
            }
            _ => Ok(ControlFlow::Continue(())),
        }
    }

    /// Hands over the turn that is still open at the end of the file.
    pub(super) fn finish(&mut self) {
        // Nothing is left to be stopped.
        let _ = self.close();
    }

    pub(super) fn handed_over(&self) -> u64 {
        self.handed_over
    }

    fn take_user(&mut self, line: &Line<'_>, number: u64) -> Result<ControlFlow<()>, SkipReason> {
        match classify(line) {
            Said::Prompt(text) => return self.take_prompt(line, text, number),
            // A command sent while the assistant works looks like one sent after it. The turn's own
            // `promptId` on a later line, as tool results carry it, tells that the turn goes on.
            said => match self.open.as_mut().filter(|open| open.is_of(line)) {
                Some(open) => open.paused = false,
                None if said == Said::OtherPrompt => self.pause(),
                None => {}
            },
        }
        Ok(ControlFlow::Continue(()))
    }

    fn take_prompt(
        &mut self,
        line: &Line<'_>,
        text: String,
        number: u64,
    ) -> Result<ControlFlow<()>, SkipReason> {
        let uuid = line.uuid.as_ref().map(|uuid| self.hasher.hash_one(uuid));
        if self.repeats_prompt(line) {
            let of_open_turn = |open: &OpenTurn| uuid.is_some_and(|uuid| open.seen.contains(&uuid));
            if !self.open.as_ref().is_some_and(of_open_turn) {
                // Old history is being repeated, with the replies to it.
                self.pause();
            }
            return Ok(ControlFlow::Continue(()));
        }
        match self.open.as_mut().filter(|open| open.is_of(line)) {
            // Text beside a tool result is the client's remark on it.
            Some(open) if line.message.content.has_tool_result => open.paused = false,
            Some(open) if open.turn.reply.is_empty() => {
                open.make_room(text.len() + BLOCK_EXTRA_BYTES)?;
                open.paused = false;
                open.seen.extend(uuid);
                append(&mut open.turn.prompt, &text);
            }
            _ => {
                let stopped = self.close();
                self.open = Some(self.begin(line, text, number));
                return Ok(stopped);
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn begin(&mut self, line: &Line<'_>, prompt: String, number: u64) -> OpenTurn {
        let owned = |text: &Text<'_>| text.as_deref().map(str::to_owned);
        OpenTurn {
            bytes: prompt.len(),
            prompt_id: owned(&line.prompt_id),
            paused: false,
            seen: line
                .uuid
                .iter()
                .map(|uuid| self.hasher.hash_one(uuid))
                .collect(),
            turn: TranscriptTurn {
                session_id: self.session(line).to_owned(),
                prompt_id: self.name(line, number),
                prompt,
                reply: String::new(),
                cwd: owned(&line.cwd),
                git_branch: owned(&line.git_branch),
                started_at_ms: line.timestamp.as_deref().and_then(unix_ms),
                line: number,
            },
        }
    }

    /// The id of the turn that begins at `line`: see [`TranscriptTurn::prompt_id`].
    fn name(&mut self, line: &Line<'_>, number: u64) -> String {
        for id in [&line.prompt_id, &line.uuid].into_iter().flatten() {
            if self.is_new(("name", self.session(line), id)) {
                return id.clone().into_owned();
            }
        }
        format!("line-{number}")
    }

    fn take_reply(&mut self, line: &Line<'_>) -> Result<(), SkipReason> {
        let message = &line.message;
        let by_client = line.is_meta
            || line.is_compact_summary
            || line.is_visible_in_transcript_only
            || line.is_api_error_message
            || message.model.as_deref() == Some(SYNTHETIC_MODEL);
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        if by_client || open.paused || !open.shares_session(line) {
            return Ok(());
        }
        let texts = message.content.texts.iter().map(|text| text.trim());
        let texts: Vec<&str> = texts
            .filter(|text| !text.is_empty() && *text != NO_TEXT)
            .collect();
        if texts.is_empty() {
            return Ok(());
        }
        open.make_room(
            texts
                .iter()
                .map(|text| text.len() + BLOCK_EXTRA_BYTES)
                .sum(),
        )?;
        if let Some(uuid) = &line.uuid
            && !open.seen.insert(self.hasher.hash_one(uuid))
        {
            return Ok(());
        }
        for text in texts {
            let block = message
                .id
                .as_ref()
                .map(|id| self.hasher.hash_one((id, text)));
            if block.is_none_or(|block| open.seen.insert(block)) {
                append(&mut open.turn.reply, text);
            }
        }
        Ok(())
    }

    /// Hands over the open turn, if there is one.
    fn close(&mut self) -> ControlFlow<()> {
        let Some(open) = self.open.take() else {
            return ControlFlow::Continue(());
        };
        self.handed_over += 1;
        (self.on_turn)(open.turn)
    }

    fn pause(&mut self) {
        if let Some(open) = &mut self.open {
            open.paused = true;
        }
    }

    fn repeats_prompt(&mut self, line: &Line<'_>) -> bool {
        match &line.uuid {
            Some(uuid) => !self.is_new(("uuid", self.session(line), uuid)),
            None => false,
        }
    }

    /// Whether this prompt is met for the first time in the file.
    fn is_new(&mut self, prompt: (&str, &str, &str)) -> bool {
        let key = self.hasher.hash_one(prompt);
        if self.seen.len() < 2 * PROMPTS_SEEN_MAX {
            self.seen.insert(key)
        } else {
            !self.seen.contains(&key)
        }
    }

    fn session<'l>(&self, line: &'l Line<'_>) -> &'l str
    where
        'a: 'l,
    {
        line.session_id.as_deref().unwrap_or(self.file_stem)
    }
}

impl OpenTurn {
    /// Whether the line names this turn's prompt as its own.
    fn is_of(&self, line: &Line<'_>) -> bool {
        self.prompt_id.is_some()
            && self.prompt_id.as_deref() == line.prompt_id.as_deref()
            && self.shares_session(line)
    }

    fn shares_session(&self, line: &Line<'_>) -> bool {
        line.session_id
            .as_ref()
            .is_none_or(|session| *session == self.turn.session_id)
    }

    fn make_room(&mut self, bytes: usize) -> Result<(), SkipReason> {
        let bytes = self.bytes.saturating_add(bytes);
        if bytes > TURN_BYTES_MAX {
            return Err(SkipReason::TurnTooLong);
        }
        self.bytes = bytes;
        Ok(())
    }
}

/// Adds a text after a blank line.
fn append(joined: &mut String, text: &str) {
    if !joined.is_empty() {
        joined.push_str("\n\n");
    }
    joined.push_str(text);
}

/// Unix time in milliseconds of an RFC 3339 timestamp, such as `2026-11-23T19:24:54.175Z`.
fn unix_ms(timestamp: &str) -> Option<i64> {
    let timestamp: jiff::Timestamp = timestamp.parse().ok()?;
    Some(timestamp.as_millisecond())
}
