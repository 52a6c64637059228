//! Import: what other programs kept becomes memories, batch by batch, as often as one likes.
//!
//! A source reads on a thread of its own and hands over batches; storing them is the same for
//! every source. The captures carry what makes each of them unique, so a second import, or one
//! after an interruption, stores only what is missing.

pub mod claude_code;
pub mod predecessor;
pub mod sage;

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;

use tokio::sync::mpsc::Receiver;

use crate::capture::{Capture, Captured, Refusal};
use crate::engine::Engine;
use crate::error::{Error, Result};

/// The most captures of a batch. A batch is one transaction, and others who want to write wait for
/// it: a few hundred turns take some tens of milliseconds, and larger batches are hardly faster.
pub const BATCH_CAPTURES_MAX: usize = 256;

/// A batch is full when it holds this much text, in bytes. Its last capture may go beyond.
pub const BATCH_TEXT_BYTES: usize = 1 << 20;

/// The most files whose end one batch tells, so that a million files without a single turn do not
/// pile up.
pub const BATCH_FILES_MAX: usize = 256;

/// How many broken lines and unreadable files a summary names: enough to look at.
pub const NAMED_MAX: usize = 10;

/// What a source hands over at a time.
#[derive(Debug, Default)]
pub struct Batch {
    /// To be stored in one transaction.
    pub captures: Vec<Capture>,
    /// The files that were read to their end since the batch before.
    pub files: Vec<FileEnd>,
    /// How much of all files has been read so far, in bytes.
    pub bytes_read: u64,
}

/// How the reading of a file ended.
#[derive(Debug)]
pub struct FileEnd {
    /// The file.
    pub path: PathBuf,
    /// Why it could not be read, or not to its end.
    pub problem: Option<String>,
    /// The lines left out, by reason.
    pub broken: BTreeMap<String, u64>,
    /// The first of those lines: number, counted from 1, and reason.
    pub broken_first: Vec<(u64, String)>,
}

/// What an import came to, or has come to so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Files read to their end.
    pub files_read: u64,
    /// Files and folders that could not be read, or not to their end, and why.
    pub unreadable: Vec<(PathBuf, String)>,
    /// How much of the files has been read, in bytes.
    pub bytes_read: u64,
    /// New memories.
    pub stored: u64,
    /// Memories that were known with fewer words.
    pub updated: u64,
    /// Memories that were there already.
    pub known: u64,
    /// What was not worth keeping, by reason.
    pub refused: BTreeMap<Refusal, u64>,
    /// What the store does not take, such as text beyond its limit, and the reason of the first.
    pub invalid: Option<(u64, String)>,
    /// Secrets and private spans taken out.
    pub redacted: u64,
    /// Lines left out, by reason.
    pub broken: BTreeMap<String, u64>,
    /// The first [`NAMED_MAX`] of those lines: file, number and reason.
    pub broken_first: Vec<(PathBuf, u64, String)>,
    /// Whether it was stopped before its end.
    pub interrupted: bool,
}

impl Summary {
    /// Everything that a source handed over and that has been dealt with.
    pub fn turns(&self) -> u64 {
        let refused: u64 = self.refused.values().sum();
        let invalid = self.invalid.as_ref().map_or(0, |(count, _)| *count);
        self.stored + self.updated + self.known + refused + invalid
    }

    fn count(&mut self, captured: &Captured) {
        match captured {
            Captured::Stored { redacted, .. } => {
                self.stored += 1;
                self.redacted += u64::from(*redacted);
            }
            Captured::Updated { redacted, .. } => {
                self.updated += 1;
                self.redacted += u64::from(*redacted);
            }
            Captured::Known { .. } => self.known += 1,
            Captured::Refused(refusal) => *self.refused.entry(*refusal).or_default() += 1,
        }
    }

    fn count_file(&mut self, end: FileEnd) {
        for (reason, count) in end.broken {
            *self.broken.entry(reason).or_default() += count;
        }
        let room = NAMED_MAX.saturating_sub(self.broken_first.len());
        for (line, reason) in end.broken_first.into_iter().take(room) {
            self.broken_first.push((end.path.clone(), line, reason));
        }
        match end.problem {
            None => self.files_read += 1,
            Some(problem) => self.unreadable.push((end.path, problem)),
        }
    }
}

/// Stores batches until there are no more or `stop` is done, in which case the batch at hand is
/// still stored. `on_progress` is called after each batch.
///
/// # Errors
/// Those of the store; what was stored before stays, and the message says how much.
pub async fn store_batches(
    engine: &Engine,
    mut batches: Receiver<Batch>,
    stop: impl Future<Output = ()>,
    on_progress: &mut dyn FnMut(&Summary),
) -> Result<Summary> {
    let mut stop = pin!(stop);
    let mut summary = Summary::default();
    loop {
        let batch = tokio::select! {
            biased;
            () = &mut stop => {
                summary.interrupted = true;
                break;
            }
            batch = batches.recv() => batch,
        };
        let Some(batch) = batch else { break };
        store(engine, batch.captures, &mut summary)
            .await
            .map_err(|error| with_progress(error, &summary))?;
        for end in batch.files {
            summary.count_file(end);
        }
        summary.bytes_read = batch.bytes_read;
        on_progress(&summary);
    }
    Ok(summary)
}

async fn store(engine: &Engine, captures: Vec<Capture>, summary: &mut Summary) -> Result<()> {
    if captures.is_empty() {
        return Ok(());
    }
    match engine.capture_all(captures.clone()).await {
        Ok(all) => all.iter().for_each(|captured| summary.count(captured)),
        // One of them is at fault, and the others must not suffer for it.
        Err(Error::Invalid { .. }) => {
            for capture in captures {
                match engine.capture(capture).await {
                    Ok(captured) => summary.count(&captured),
                    Err(error @ Error::Invalid { .. }) => {
                        let first = || (0, error.to_string());
                        summary.invalid.get_or_insert_with(first).0 += 1;
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Adds to an error of the store what it leaves behind.
fn with_progress(error: Error, summary: &Summary) -> Error {
    let more = format!(
        "; {} turns had been dealt with and stay, run the same import again to go on",
        summary.turns()
    );
    match error {
        Error::Store(message) => Error::Store(message + &more),
        Error::Unavailable(message) => Error::Unavailable(message + &more),
        Error::Io(message) => Error::Io(message + &more),
        other => other,
    }
}
