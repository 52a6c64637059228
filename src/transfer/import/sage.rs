//! Sage's own exports become what they were, in whichever store.

use std::io::BufRead;
use std::ops::ControlFlow;
use std::pin::pin;

use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::engine::{Chunk, Engine, Merged, Record};
use crate::error::{Error, Result};
use crate::transfer::reading::{ReadExport, read};

/// What reading has come to.
#[derive(Debug)]
pub enum Piece {
    /// To be taken in together; so much has been read with it, in bytes.
    Records(Vec<Record>, u64),
    /// That was all.
    End(Box<ReadExport>),
    /// It cannot be read any further.
    Broken(Error),
}

/// What an import came to, or has come to so far.
#[derive(Debug, Clone, Default)]
pub struct SageSummary {
    /// What became of the records.
    pub merged: Merged,
    /// Records taken in, whatever became of them.
    pub records: u64,
    /// How much has been read, in bytes.
    pub bytes_read: u64,
    /// How the file was, where its end was reached.
    pub read: Option<ReadExport>,
    /// Whether it was stopped before its end.
    pub interrupted: bool,
}

/// Reads on a thread of its own; dropping the receiver ends it.
///
/// # Errors
/// When the system gives no thread.
pub fn read_pieces(input: Box<dyn BufRead + Send>) -> Result<Receiver<Piece>> {
    let (sender, receiver) = channel(1);
    std::thread::Builder::new()
        .name("import".to_owned())
        .spawn(move || send_pieces(input, &sender))
        .map_err(|error| Error::Internal(format!("no thread to read with: {error}")))?;
    Ok(receiver)
}

fn send_pieces(mut input: Box<dyn BufRead + Send>, sender: &Sender<Piece>) {
    let mut chunk = Chunk::default();
    let mut bytes = 0;
    let read = read(&mut *input, &mut |record, bytes_read| {
        bytes = bytes_read;
        let full = chunk.push(record);
        match full.map(|full| sender.blocking_send(Piece::Records(full, bytes))) {
            Some(Err(_)) => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    });
    // Whether somebody still takes these changes nothing here.
    let _ = sender.blocking_send(Piece::Records(chunk.take(), bytes));
    let _ = sender.blocking_send(match read {
        Ok(read) => Piece::End(Box::new(read)),
        Err(error) => Piece::Broken(error),
    });
}

/// Takes pieces in, each in a transaction, until there are no more or `stop` is done, in which case
/// the piece at hand is still taken in.
///
/// # Errors
/// Those of the store, and a broken line; what was taken in before stays, and the message says so.
pub async fn take_in(
    engine: &Engine,
    mut pieces: Receiver<Piece>,
    stop: impl Future<Output = ()>,
    on_progress: &mut dyn FnMut(&SageSummary),
) -> Result<SageSummary> {
    let mut stop = pin!(stop);
    let mut summary = SageSummary::default();
    loop {
        let piece = tokio::select! {
            biased;
            () = &mut stop => {
                summary.interrupted = true;
                return Ok(summary);
            }
            piece = pieces.recv() => piece,
        };
        match piece {
            Some(Piece::Records(records, bytes)) => {
                let count = records.len() as u64;
                let merged = engine.merge(records).await;
                summary
                    .merged
                    .add(&merged.map_err(|error| with_progress(error, &summary))?);
                summary.records += count;
                summary.bytes_read = bytes;
                on_progress(&summary);
            }
            Some(Piece::End(read)) => {
                summary.read = Some(*read);
                return Ok(summary);
            }
            Some(Piece::Broken(error)) => return Err(with_progress(error, &summary)),
            None => return Err(Error::Internal("reading broke off".to_owned())),
        }
    }
}

/// Adds to an error what it leaves behind.
fn with_progress(error: Error, summary: &SageSummary) -> Error {
    let more = match summary.records {
        0 => "; nothing was taken in".to_owned(),
        records => format!(
            "; {records} records were taken in and stay, run the same import again to go on"
        ),
    };
    match error {
        Error::Store(message) => Error::Store(message + &more),
        Error::Unavailable(message) => Error::Unavailable(message + &more),
        Error::Io(message) => Error::Io(message + &more),
        other => other,
    }
}
