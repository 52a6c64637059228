//! Events that found no store wait on disk, and are taken in by the next hook that finds one.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::Event;
use super::keep::digest;
use crate::error::{Error, Result};
use crate::memory::Timestamp;
use crate::order::sort;

/// Events that wait at most, and their bytes: days of work without a store. What comes beyond is
/// not taken, so that what waits stays whole.
const EVENTS_MAX: usize = 2_000;
/// See [`EVENTS_MAX`].
const BYTES_MAX: u64 = 32 << 20;

/// How names of damaged events begin.
const DAMAGED: &str = "damaged-";

/// The events that wait for one server, or for the store of this machine.
pub struct Spool {
    folder: PathBuf,
}

/// An event that waits.
pub struct Waiting {
    /// What happened.
    pub event: Event,
    /// When.
    pub at: Timestamp,
    path: PathBuf,
}

impl Spool {
    /// The folder that holds all spools.
    pub fn root(data_dir: &Path) -> PathBuf {
        data_dir.join("spool")
    }

    /// The spool in the data folder for a server, or for this machine's own store. Touches nothing.
    pub fn new(data_dir: &Path, server: Option<&str>) -> Self {
        let name = server.map_or("store".to_owned(), digest);
        Self {
            folder: Self::root(data_dir).join(name),
        }
    }

    /// Whether anything has ever waited here.
    pub fn is_there(&self) -> bool {
        self.folder.is_dir()
    }

    /// Puts an event, which must be clean, behind those that wait. It survives a power cut.
    ///
    /// # Errors
    /// When the disk does not take it, or too many wait already.
    pub fn add(&self, event: &Event, at: Timestamp) -> Result<()> {
        let failed = |error: std::io::Error| {
            let folder = self.folder.display();
            Error::Io(format!("the event could not be kept in {folder}: {error}"))
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)
            .map_err(failed)?;
        let (events, bytes) = self.size().map_err(failed)?;
        if events >= EVENTS_MAX || bytes >= BYTES_MAX {
            return Err(Error::Store(format!(
                "{events} events wait in {} already, and this one was not kept; start the server, \
                 or run `sage doctor`",
                self.folder.display()
            )));
        }
        // Names sort by time; the number tells apart what came in the same moment.
        let id = uuid::Uuid::now_v7().simple();
        let name = format!("{:013}-{id}.json", at.as_millisecond());
        let hidden = self.folder.join(format!(".{name}"));
        let entry = json!({"at_ms": at.as_millisecond(), "event": event.to_value()});
        let write = || -> std::io::Result<()> {
            let mut options = OpenOptions::new();
            let mut file = options
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&hidden)?;
            file.write_all(entry.to_string().as_bytes())?;
            file.sync_all()?;
            fs::rename(&hidden, self.folder.join(name))?;
            File::open(&self.folder)?.sync_all()
        };
        write().map_err(|error| {
            // Half a file is no event; if it stays, nobody takes it for one.
            let _ = fs::remove_file(&hidden);
            failed(error)
        })
    }

    fn size(&self) -> std::io::Result<(usize, u64)> {
        let mut size = (0, 0);
        for entry in fs::read_dir(&self.folder)? {
            size.0 += 1;
            size.1 += entry?.metadata().map_or(0, |file| file.len());
        }
        Ok(size)
    }

    /// The events that wait, the oldest first, at most `limit`; what is damaged is set aside, and
    /// told. Empty while another process takes them: they must come in their order. `None` for the
    /// lock where there is nothing.
    ///
    /// # Errors
    /// When the folder is there and cannot be read.
    pub fn waiting(&self, limit: usize) -> Result<(Vec<Waiting>, Option<File>)> {
        let nothing = Ok((Vec::new(), None));
        let failed = |error: std::io::Error| {
            Error::Io(format!("{} cannot be read: {error}", self.folder.display()))
        };
        let mut names = match self.names() {
            Err(error) if error.kind() == ErrorKind::NotFound => return nothing,
            names => names.map_err(failed)?,
        };
        if names.is_empty() {
            return nothing;
        }
        let lock = File::open(&self.folder).map_err(failed)?;
        if lock.try_lock().is_err() {
            return nothing;
        }
        // Another may have taken some before the lock was free.
        names = self.names().map_err(failed)?;
        sort(&mut names);
        let mut found = Vec::new();
        for path in names.into_iter().take(limit) {
            match read(&path) {
                Some((event, at)) => found.push(Waiting { event, at, path }),
                None => self.set_aside(&path).map_err(failed)?,
            }
        }
        Ok((found, Some(lock)))
    }

    fn names(&self) -> std::io::Result<Vec<PathBuf>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.ends_with(".json") && !name.starts_with('.') && !name.starts_with(DAMAGED) {
                names.push(entry.path());
            }
        }
        Ok(names)
    }

    fn set_aside(&self, path: &Path) -> std::io::Result<()> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        fs::rename(path, self.folder.join(format!("{DAMAGED}{name}")))?;
        // The hook must not speak on stdout; stderr is shown to whoever looks for it.
        let _ = writeln!(
            std::io::stderr(),
            "sage: {} is damaged and was set aside",
            path.display()
        );
        Ok(())
    }
}

impl Waiting {
    /// The event has been taken in.
    ///
    /// # Errors
    /// When its file stays.
    pub fn done(&self) -> Result<()> {
        fs::remove_file(&self.path).map_err(|error| {
            Error::Io(format!(
                "{} stays and comes again: {error}",
                self.path.display()
            ))
        })
    }
}

fn read(path: &Path) -> Option<(Event, Timestamp)> {
    let entry: Value = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    let at = Timestamp::from_millisecond(entry.get("at_ms")?.as_i64()?).ok()?;
    let event = entry.get("event")?.to_string();
    Some((Event::parse(event.as_bytes(), None).ok()??, at))
}
