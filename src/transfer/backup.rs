//! Backups: an export of all, proven before it gets its name, and put back whole or not at all.

use std::fs::File;
use std::io::{BufReader, Seek};
use std::ops::ControlFlow;
use std::path::Path;

use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::export::{Exported, export};
use super::file::NewFile;
use super::reading::{Doubt, ReadExport, read};
use crate::blocking::blocking;
use crate::engine::{Chunk, Engine, Feed, Merged};
use crate::error::{Error, Result};
use crate::memory::Scope;

/// Writes all that is stored to a file, as it is at one moment, and reads it back before the file
/// gets its name. Vectors are in it if they are wanted: they can be made anew, which costs time and
/// perhaps money.
///
/// # Errors
/// Those of the store and of the disk; then there is no new file, and a former one stays.
pub async fn backup(
    engine: &Engine,
    path: &Path,
    with_vectors: bool,
    stop: impl Future<Output = ()>,
    on_progress: &mut dyn FnMut(&Exported),
) -> Result<Exported> {
    let mut file = NewFile::create(path)?;
    let exported = export(
        engine,
        &Scope::All,
        with_vectors,
        &mut file,
        stop,
        on_progress,
    )
    .await?;
    if exported.interrupted {
        return Ok(exported);
    }
    let mut written = file.synced()?.try_clone().map_err(|error| lost(&error))?;
    blocking(move || verify(&mut written)).await?;
    file.finish()?;
    Ok(exported)
}

/// A backup that was looked through and is sound.
pub struct Backup {
    file: File,
    /// What it holds.
    pub read: ReadExport,
}

/// Looks through a backup from its beginning to its end.
///
/// # Errors
/// When it is not what was written, of a later version, or of one project only.
pub async fn open(path: &Path) -> Result<Backup> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| Error::Io(format!("{name}: {error}")))?;
    blocking(move || {
        let mut file = file;
        let read = verify(&mut file).map_err(|error| untouched(&name, &error))?;
        match &read.header.project {
            None => Ok(Backup { file, read }),
            Some(project) => {
                let why = format!(
                    "it holds the project {project} only, and a restore replaces all of them; \
                     `sage import sage` adds it to what is there"
                );
                Err(untouched(&name, &Error::Io(why)))
            }
        }
    })
    .await
}

/// Puts a backup in the place of all that is stored; `on_progress` hears how many records are done.
///
/// # Errors
/// Those of the store, and when the file is not what it was when it was opened. Then all is as
/// before.
pub async fn restore(
    engine: &Engine,
    backup: Backup,
    anyway: bool,
    on_progress: &mut dyn FnMut(u64),
) -> Result<Merged> {
    let (sender, pieces) = channel(1);
    let (feeding, feed) = channel(1);
    let reading = blocking(move || {
        feed_from(backup.file, &sender);
        Ok(())
    });
    let passing = pass_on(pieces, feeding, on_progress);
    let (replaced, read, ()) = tokio::join!(engine.replace(feed, anyway), reading, passing);
    read?;
    replaced
}

/// Passes pieces on and tells how many records they were.
async fn pass_on(
    mut pieces: Receiver<Feed>,
    feeding: Sender<Feed>,
    on_progress: &mut dyn FnMut(u64),
) {
    let mut records = 0;
    while let Some(piece) = pieces.recv().await {
        if let Feed::Records(some) = &piece {
            records += some.len() as u64;
        }
        if feeding.send(piece).await.is_err() {
            return;
        }
        on_progress(records);
    }
}

/// Reads a file once more; only one that is still sound has an end.
fn feed_from(mut file: File, sender: &Sender<Feed>) {
    let mut chunk = Chunk::default();
    let read = file.rewind().map_err(|error| lost(&error)).and_then(|()| {
        read(&mut BufReader::new(file), &mut |record, _| {
            let full = chunk.push(record).map(Feed::Records);
            match full.map(|full| sender.blocking_send(full)) {
                Some(Err(_)) => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        })
    });
    if read.is_ok_and(|read| read.is_whole && read.doubt.is_none()) {
        // Whoever stopped taking has said why.
        let _ = sender.blocking_send(Feed::Records(chunk.take()));
        let _ = sender.blocking_send(Feed::End);
    }
}

fn verify(file: &mut File) -> Result<ReadExport> {
    file.rewind().map_err(|error| lost(&error))?;
    let read = read(&mut BufReader::new(file), &mut |_, _| {
        ControlFlow::Continue(())
    })?;
    match read.doubt {
        None => Ok(read),
        Some(Doubt::CutOff) => Err(Error::Io(
            "it is cut off: its last line is missing".to_owned(),
        )),
        Some(Doubt::Changed) => Err(Error::Io(
            "it was changed or damaged after it was written: its checksum is another".to_owned(),
        )),
    }
}

fn lost(error: &std::io::Error) -> Error {
    Error::Io(format!("the file could not be read back: {error}"))
}

fn untouched(name: &str, error: &Error) -> Error {
    Error::Io(format!("{name}: {error}; the store was not touched"))
}
