//! Where transcripts lie.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::order::{sort, sort_by, sort_by_key};

/// Folders beside a session's transcript that hold no turns: the conversations of its subagents
/// and the long outputs of its tools.
const FOLDERS_SKIPPED: [&str; 2] = ["subagents", "tool-results"];

/// The transcripts below a path.
#[derive(Debug, Default)]
pub struct FoundTranscripts {
    /// In sorted order.
    pub files: Vec<PathBuf>,
    /// Folders and files that could not be looked at, each with the reason.
    pub unreadable: Vec<(PathBuf, io::Error)>,
}

/// Finds the transcripts at `path`. A file is taken as it is, whatever its name; a folder is
/// searched with all its folders for files that end in `.jsonl`. Symbolic links are followed,
/// but no folder is searched twice, so that a loop of links ends.
///
/// # Errors
/// When there is nothing at `path`, or it cannot be looked at. Below it, what cannot be looked at
/// is listed and the search goes on.
pub fn find_transcripts(path: &Path) -> io::Result<FoundTranscripts> {
    let mut found = FoundTranscripts::default();
    if !fs::metadata(path)?.is_dir() {
        found.files.push(path.to_owned());
        return Ok(found);
    }
    let mut searched = HashSet::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        if let Err(error) = search(&folder, &mut searched, &mut folders, &mut found) {
            found.unreadable.push((folder, error));
        }
    }
    sort(&mut found.files);
    sort_by(&mut found.unreadable, |(a, _), (b, _)| a.cmp(b));
    Ok(found)
}

fn search(
    folder: &Path,
    searched: &mut HashSet<PathBuf>,
    folders: &mut Vec<PathBuf>,
    found: &mut FoundTranscripts,
) -> io::Result<()> {
    if !searched.insert(fs::canonicalize(folder)?) {
        return Ok(());
    }
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    // Where a link and a folder are one, always the same of the two is searched.
    sort_by_key(&mut entries, fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        // Follows links, which the type in the entry does not.
        match fs::metadata(&path) {
            Ok(kind) if kind.is_dir() => {
                if !FOLDERS_SKIPPED
                    .iter()
                    .any(|name| entry.file_name() == *name)
                {
                    folders.push(path);
                }
            }
            // Nothing but a regular file: opening a pipe would wait for somebody to write.
            Ok(kind) => {
                if kind.is_file() && path.extension() == Some(OsStr::new("jsonl")) {
                    found.files.push(path);
                }
            }
            Err(error) => found.unreadable.push((path, error)),
        }
    }
    Ok(())
}
