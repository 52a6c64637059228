//! Files that are there whole or not at all.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// A file under a temporary name, readable by its owner alone. It gets its own name when it is
/// done; one that is dropped before that leaves nothing behind.
pub struct NewFile {
    path: PathBuf,
    temporary: PathBuf,
    out: BufWriter<File>,
    is_done: bool,
}

impl NewFile {
    /// Begins a file that will be at `path`.
    ///
    /// # Errors
    /// When the folder is not there or cannot be written.
    pub fn create(path: &Path) -> Result<Self> {
        let unwritable = |why: &dyn std::fmt::Display| {
            Error::Io(format!("{} cannot be written: {why}", path.display()))
        };
        if path.is_dir() {
            return Err(unwritable(&"it is a folder"));
        }
        let name = path.file_name().ok_or_else(|| unwritable(&"no name"))?;
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}.tmp", std::process::id()));
        let temporary = path.with_file_name(hidden);
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)
            .map_err(|error| unwritable(&error))?;
        Ok(Self {
            path: path.to_owned(),
            temporary,
            out: BufWriter::new(file),
            is_done: false,
        })
    }

    /// What is written so far, on disk; to be looked at before it gets its name.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub fn synced(&mut self) -> Result<&File> {
        let synced = self
            .out
            .flush()
            .and_then(|()| self.out.get_ref().sync_all());
        synced.map_err(|error| self.failed(&error))?;
        Ok(self.out.get_ref())
    }

    /// Gives it its name, over whatever had that name, and survives a power cut from then on.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub fn finish(mut self) -> Result<()> {
        self.synced()?;
        let named = std::fs::rename(&self.temporary, &self.path);
        named.map_err(|error| self.failed(&error))?;
        self.is_done = true;
        let folder = match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &std::io::Error) -> Error {
        Error::Io(format!(
            "{} cannot be written: {error}",
            self.path.display()
        ))
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.is_done {
            // It is of no use to anybody; that it could not be removed, neither.
            let _ = std::fs::remove_file(&self.temporary);
        }
    }
}
