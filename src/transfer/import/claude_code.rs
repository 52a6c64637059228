//! Claude Code's transcripts, which it keeps about a month, become turns.

use std::cell::Cell;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::{BATCH_CAPTURES_MAX, BATCH_FILES_MAX, BATCH_TEXT_BYTES, Batch, FileEnd};
use crate::capture::Capture;
use crate::claude::project::{self, IdentitySource};
use crate::claude::transcript::{TranscriptReport, TranscriptTurn, find_transcripts, read_turns};
use crate::error::{Error, Result};
use crate::memory::{Project, Timestamp};
use crate::order::sort;

/// By which way these memories came.
const SOURCE: &str = "claude-code";

/// What there is to read.
#[derive(Debug, Default)]
pub struct Plan {
    /// The transcripts, each once, in sorted order.
    pub files: Vec<PathBuf>,
    /// Their size, in bytes.
    pub bytes: u64,
    /// What could not be looked at, and why.
    pub unreadable: Vec<(PathBuf, String)>,
}

/// Finds the transcripts at the paths: files are taken as they are, folders are searched.
pub fn plan(paths: &[PathBuf]) -> Plan {
    let mut plan = Plan::default();
    for path in paths {
        match find_transcripts(path) {
            Ok(found) => {
                plan.files.extend(found.files);
                let problems = found.unreadable.into_iter();
                plan.unreadable
                    .extend(problems.map(|(path, error)| (path, error.to_string())));
            }
            Err(error) => plan.unreadable.push((path.clone(), error.to_string())),
        }
    }
    sort(&mut plan.files);
    plan.files.dedup();
    let sizes = plan.files.iter().filter_map(|file| file.metadata().ok());
    plan.bytes = sizes.map(|metadata| metadata.len()).sum();
    plan
}

/// Reads the files on a thread of its own. One batch waits in the channel while another is stored
/// and a third is read; dropping the receiver ends the reading.
///
/// # Errors
/// When the system gives no thread.
pub fn read(files: Vec<PathBuf>) -> Result<Receiver<Batch>> {
    let (sender, receiver) = channel(1);
    std::thread::Builder::new()
        .name("import".to_owned())
        .spawn(move || {
            let mut reading = Reading {
                sender,
                batch: Batch::default(),
                text_bytes: 0,
                projects: HashMap::new(),
            };
            read_files(&files, &mut reading);
        })
        .map_err(|error| Error::Internal(format!("no thread to read with: {error}")))?;
    Ok(receiver)
}

/// What is on its way to the storing side.
struct Reading {
    sender: Sender<Batch>,
    batch: Batch,
    text_bytes: usize,
    /// By directory; whether git proved it.
    projects: HashMap<String, (Project, bool)>,
}

fn read_files(files: &[PathBuf], reading: &mut Reading) {
    let bytes_read = Cell::new(0);
    for path in files {
        let end = match read_file(path, &bytes_read, reading) {
            Ok(ControlFlow::Continue(report)) => file_end(path, report),
            // Nobody is there to take the rest.
            Ok(ControlFlow::Break(())) => return,
            Err(error) => FileEnd {
                problem: Some(error.to_string()),
                ..file_end(path, TranscriptReport::default())
            },
        };
        reading.batch.files.push(end);
        reading.batch.bytes_read = bytes_read.get();
        if reading.batch.files.len() >= BATCH_FILES_MAX && reading.send().is_break() {
            return;
        }
    }
    // The last batch: whether somebody still takes it changes nothing here.
    let _ = reading.send();
}

fn read_file(
    path: &Path,
    bytes_read: &Cell<u64>,
    reading: &mut Reading,
) -> io::Result<ControlFlow<(), TranscriptReport>> {
    let reader = BufReader::new(Counted {
        file: File::open(path)?,
        bytes_read,
    });
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let mut flow = ControlFlow::Continue(());
    let report = read_turns(reader, &stem, &mut |turn| {
        reading.batch.bytes_read = bytes_read.get();
        flow = reading.take(&turn);
        flow
    })?;
    Ok(match flow {
        ControlFlow::Continue(()) => ControlFlow::Continue(report),
        ControlFlow::Break(()) => ControlFlow::Break(()),
    })
}

impl Reading {
    fn take(&mut self, turn: &TranscriptTurn) -> ControlFlow<()> {
        self.text_bytes += turn.prompt.len() + turn.reply.len();
        let (project, proven) = self.project(turn);
        let capture = Capture {
            directory: turn.cwd.clone().filter(|_| proven),
            session: Some(turn.session_id.clone()),
            event: Some(turn.prompt_id.clone()),
            created_at: turn
                .started_at_ms
                .and_then(|ms| Timestamp::from_millisecond(ms).ok()),
            ..Capture::turn(project, &turn.prompt, &turn.reply, SOURCE)
        };
        self.batch.captures.push(capture);
        let full =
            self.batch.captures.len() >= BATCH_CAPTURES_MAX || self.text_bytes >= BATCH_TEXT_BYTES;
        if full {
            self.send()
        } else {
            ControlFlow::Continue(())
        }
    }

    fn send(&mut self) -> ControlFlow<()> {
        self.text_bytes = 0;
        let next = Batch {
            bytes_read: self.batch.bytes_read,
            ..Batch::default()
        };
        let batch = std::mem::replace(&mut self.batch, next);
        match self.sender.blocking_send(batch) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }

    /// The project of a turn is that of its own directory, since one session may move between
    /// several; and whether git proved it. A directory of another machine keeps its path as key.
    fn project(&mut self, turn: &TranscriptTurn) -> (Project, bool) {
        let Some(dir) = turn.cwd.as_deref().filter(|dir| !dir.trim().is_empty()) else {
            return (Project::unassigned(), false);
        };
        if let Some(found) = self.projects.get(dir) {
            return found.clone();
        }
        let path = Path::new(dir);
        let found = if path.is_absolute() && path.is_dir() {
            let identity = project::identify(path);
            let proven = identity.how != IdentitySource::Directory;
            (Project::new(identity.key), proven)
        } else {
            (Project::new(dir), false)
        };
        self.projects.insert(dir.to_owned(), found.clone());
        found
    }
}

fn file_end(path: &Path, report: TranscriptReport) -> FileEnd {
    let counts = report.skipped.counts.into_iter();
    let first = report.skipped.first.into_iter();
    FileEnd {
        path: path.to_owned(),
        problem: None,
        broken: counts
            .map(|(reason, count)| (reason.to_string(), count))
            .collect(),
        broken_first: first
            .map(|(line, reason)| (line, reason.to_string()))
            .collect(),
    }
}

/// A file that counts what is read from it.
struct Counted<'a> {
    file: File,
    bytes_read: &'a Cell<u64>,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.bytes_read.set(self.bytes_read.get() + count as u64);
        Ok(count)
    }
}
