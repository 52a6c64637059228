//! A change of one of the client's files: planned, shown, and carried out whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::diff::diff;
use super::pieces::{self, Piece, Sort};
use crate::error::{Error, Result};
use crate::order::sort_by;

/// The longest file that is read, in bytes. The client's own state grows to a few megabytes.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// What the copy of a file from before Sage is called, behind the file's name.
const BACKUP_ENDING: &str = ".before-sage";

/// The mode of a file that is made: the client's own mode for settings.
const MODE_NEW: u32 = 0o644;

/// What would become of a file.
#[derive(Debug)]
pub struct Change {
    /// The file, with symbolic links followed.
    pub path: PathBuf,
    before: Option<String>,
    after: Option<String>,
    backup: Backup,
}

/// What becomes of the copy beside the file.
#[derive(Debug, PartialEq, Eq)]
enum Backup {
    /// It is written: this is what the file was without Sage.
    Keep(String),
    /// It has served, or belongs to a file that is gone.
    Drop,
    /// It stays as it is.
    Leave,
}

impl Change {
    /// Plans to put these pieces into a file, in the place of those that are there.
    ///
    /// # Errors
    /// When the file cannot be read, or is nothing that can be changed without guessing.
    pub fn install(path: &Path, sort: &Sort, wanted: &[Piece]) -> Result<Self> {
        let (path, before, former) = look(path)?;
        let text = before.as_deref();
        let plan = || -> Result<_> {
            let Some(text) = text.filter(|text| !pieces::is_blank(text)) else {
                return Ok((None, Some(pieces::put(text.unwrap_or_default(), wanted)?)));
            };
            let fresh = pieces::put(pieces::EMPTY, wanted)?;
            if same(pieces::found(text, sort)?, pieces::found(&fresh, sort)?) {
                return Ok((None, None));
            }
            let base = pieces::take(text, sort, former.as_deref())?;
            let after = pieces::put(base.as_deref().unwrap_or_default(), wanted)?;
            Ok((base, Some(after)))
        };
        let (base, after) = plan().map_err(|error| unfit(&path, &error))?;
        let base = base.or_else(|| before.clone().filter(|text| pieces::is_blank(text)));
        let is_change = after.is_some();
        Ok(Self {
            path,
            after: after.or_else(|| before.clone()),
            before,
            backup: match (is_change, base) {
                (false, _) => Backup::Leave,
                (true, Some(base)) => Backup::Keep(base),
                (true, None) => Backup::Drop,
            },
        })
    }

    /// Plans to take Sage's pieces out of a file.
    ///
    /// # Errors
    /// As [`Change::install`].
    pub fn uninstall(path: &Path, sort: &Sort) -> Result<Self> {
        let (path, before, former) = look(path)?;
        let text = before.as_deref().filter(|text| !pieces::is_blank(text));
        let plan = || -> Result<_> {
            match text {
                Some(text) if !pieces::found(text, sort)?.is_empty() => {
                    pieces::take(text, sort, former.as_deref())
                }
                _ => Ok(before.clone()),
            }
        };
        let after = plan().map_err(|error| unfit(&path, &error))?;
        let is_as_before = after == former;
        Ok(Self {
            backup: match before != after && is_as_before {
                true => Backup::Drop,
                false => Backup::Leave,
            },
            path,
            before,
            after,
        })
    }

    /// Whether anything changes.
    pub fn is_any(&self) -> bool {
        self.before != self.after
    }

    /// "create", "change", "remove" or "none".
    pub fn what(&self) -> &'static str {
        match (&self.before, &self.after) {
            (before, after) if before == after => "none",
            (None, _) => "create",
            (_, None) => "remove",
            _ => "change",
        }
    }

    /// The lines that change, `-` and `+` before them.
    pub fn diff(&self) -> String {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        diff(&text(&self.before), &text(&self.after))
    }

    /// Where the file is kept as it was, if it is.
    pub fn backup(&self) -> Option<PathBuf> {
        let is_kept = matches!(self.backup, Backup::Keep(_));
        is_kept.then(|| backup_of(&self.path))
    }

    /// Carries it out. Whoever reads the file meanwhile sees the old one or the new one.
    ///
    /// # Errors
    /// When somebody changed the file since it was read, or the disk refuses; the file then is what
    /// it was.
    pub fn apply(&self) -> Result<()> {
        if !self.is_any() {
            return Ok(());
        }
        self.check()?;
        if let Backup::Keep(base) = &self.backup {
            replace(&backup_of(&self.path), base, &self.path, || Ok(()))?;
        }
        match &self.after {
            Some(after) => replace(&self.path, after, &self.path, || self.check())?,
            None => fs::remove_file(&self.path).map_err(|error| refused(&self.path, &error))?,
        }
        if self.backup == Backup::Drop {
            let gone = fs::remove_file(backup_of(&self.path));
            gone.or_else(|error| match error.kind() {
                ErrorKind::NotFound => Ok(()),
                _ => Err(refused(&backup_of(&self.path), &error)),
            })?;
        }
        Ok(())
    }

    /// Whether the file still is what it was.
    fn check(&self) -> Result<()> {
        match read(&self.path)? == self.before {
            true => Ok(()),
            false => Err(Error::Unavailable(format!(
                "{} was changed by somebody else at the same time, and was left alone; run it again",
                self.path.display()
            ))),
        }
    }
}

/// Whether the same pieces are there, in whatever order a file has its holders.
fn same(mut left: Vec<(Vec<String>, Value)>, mut right: Vec<(Vec<String>, Value)>) -> bool {
    for pieces in [&mut left, &mut right] {
        sort_by(pieces, |(left, _), (right, _)| left.cmp(right));
    }
    left == right
}

/// A file with its text, and the text that it had before Sage.
fn look(path: &Path) -> Result<(PathBuf, Option<String>, Option<String>)> {
    let path = follow(path);
    let (before, former) = (read(&path)?, read(&backup_of(&path))?);
    Ok((path, before, former))
}

/// How many links lead to a file at most, as Linux counts them.
const LINKS_MAX: usize = 40;

/// The file that a link means, even if it is not there yet.
fn follow(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        match (fs::read_link(&path), path.parent()) {
            (Ok(target), Some(folder)) => path = folder.join(target),
            _ => break,
        }
    }
    path
}

fn backup_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(BACKUP_ENDING);
    PathBuf::from(name)
}

/// The text of a file; `None` where there is none.
///
/// # Errors
/// When it is there and cannot be read, or is no text.
pub fn read(path: &Path) -> Result<Option<String>> {
    let failed = |why: &dyn std::fmt::Display| {
        Error::Io(format!("{} cannot be read: {why}", path.display()))
    };
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(&error)),
        Ok(file) if !file.is_file() => return Err(failed(&"it is no file")),
        Ok(file) if file.len() > FILE_BYTES_MAX => return Err(failed(&"it is too long")),
        Ok(_) => {}
    }
    let bytes = fs::read(path).map_err(|error| failed(&error))?;
    let text = String::from_utf8(bytes).map_err(|_| failed(&"it is no UTF-8 text"))?;
    Ok(Some(text))
}

/// Puts a text in the place of a file, with owner and mode of `like`. `last_look` may still refuse.
fn replace(path: &Path, text: &str, like: &Path, last_look: impl Fn() -> Result<()>) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|error| refused(folder, &error))?;
    let like = fs::metadata(like).ok();
    let mode = like
        .as_ref()
        .map_or(MODE_NEW, |file| file.permissions().mode() & 0o777);
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.sage-new", std::process::id()));
    let new = folder.join(name);
    let write = || -> std::io::Result<()> {
        let mut options = OpenOptions::new();
        let options = options.write(true).create_new(true).mode(mode);
        let mut file = options.open(&new)?;
        if let Some(like) = &like {
            file.set_permissions(fs::Permissions::from_mode(mode))?;
            let own = file.metadata()?;
            if (own.uid(), own.gid()) != (like.uid(), like.gid()) {
                chown(&new, Some(like.uid()), Some(like.gid()))?;
            }
        }
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    let replaced = write()
        .map_err(|error| refused(path, &error))
        .and_then(|()| {
            last_look()?;
            let moved = fs::rename(&new, path).and_then(|()| File::open(folder)?.sync_all());
            moved.map_err(|error| refused(path, &error))
        });
    if replaced.is_err() {
        // It may never have been made; what was the error is told.
        let _ = fs::remove_file(&new);
    }
    replaced
}

fn refused(path: &Path, error: &std::io::Error) -> Error {
    Error::Io(format!("{} cannot be written: {error}", path.display()))
}

/// What to tell of a file that cannot be changed without guessing.
fn unfit(path: &Path, error: &Error) -> Error {
    Error::Io(format!(
        "{} was left alone, because it cannot be changed without guessing: {error}. Mend it, or add \
         by hand what --print shows",
        path.display()
    ))
}
