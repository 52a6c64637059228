//! The identity of a project, told from a directory without running git.

mod config;
mod place;
mod remote;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use config::GitConfig;

pub use place::place;

/// How much of a repository's `config` is read, in bytes. A branch takes about
/// 80, so configs with ten thousand of them stay below.
const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// How much of a `.git` or `commondir` file is read, in bytes: twice the longest path of Linux.
const LINK_BYTES_MAX: u64 = 8192;

/// Where a directory belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectIdentity {
    /// What makes it the same project: `host/path` of the git remote, else an absolute path. The
    /// two cannot be confused, since only a path begins with a slash.
    pub key: String,
    /// The last part of the key, for people.
    pub name: String,
    /// The folder that stands for the project on this machine: the main work tree of a
    /// repository (the repository itself where there is none), else the directory.
    pub root: PathBuf,
    /// What the key was told from.
    pub how: IdentitySource,
}

/// What a project's key was told from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentitySource {
    /// The address of the git remote `origin`, else of the first remote: see `remote.rs` for how
    /// addresses are made equal. It agrees between clones and machines.
    Remote,
    /// The repository: work trees and folders of one clone agree.
    GitCommonDir,
    /// The directory alone.
    Directory,
}

/// Tells which project `dir` belongs to.
///
/// Repositories are found as git finds them: `.git` is looked for in `dir` and in each folder
/// above it. Never fails: what is missing, broken or unreadable counts as not being there, and the
/// next of the three sources is used. A `.git` file that leads nowhere (a work tree whose
/// repository is not on this machine) makes its folder a project of its own, and so the folders in
/// it. For a directory that does not exist, the key is its path made absolute, with `.` and `..`
/// taken out. The environment (`GIT_DIR`) and the user's own git settings have no influence.
pub fn identify(dir: &Path) -> ProjectIdentity {
    let Ok(dir) = fs::canonicalize(dir) else {
        // Fails without a current directory; an absolute path it is all the same.
        let absolute = std::path::absolute(dir).unwrap_or_else(|_| Path::new("/").join(dir));
        return of_path(normalise(&absolute), IdentitySource::Directory);
    };
    let Some(place) = dir.ancestors().find_map(look_at) else {
        return of_path(dir, IdentitySource::Directory);
    };
    match place {
        Place::Repository(git_dir) => of_repository(&git_dir),
        Place::DeadEnd(folder) => of_path(folder, IdentitySource::Directory),
    }
}

/// What one folder tells about the project of the directories in it.
enum Place {
    /// There is a repository; this is its folder, or that of one of its work trees.
    Repository(PathBuf),
    /// The folder has a `.git` file that leads nowhere.
    DeadEnd(PathBuf),
}

fn look_at(folder: &Path) -> Option<Place> {
    let dot_git = folder.join(".git");
    if dot_git.is_dir() {
        // A repository always has a HEAD. Git too passes over an empty `.git`.
        if may_exist(&dot_git.join("HEAD")) {
            return Some(Place::Repository(dot_git));
        }
    } else if dot_git.is_file() {
        let target = read_link_file(&dot_git, "gitdir:").map(|target| folder.join(target));
        return Some(match target.filter(|target| target.is_dir()) {
            Some(git_dir) => Place::Repository(git_dir),
            None => Place::DeadEnd(folder.to_owned()),
        });
    }
    // A bare repository, or the inside of any `.git`.
    let is_repository = folder.join("HEAD").is_file()
        && folder.join("objects").is_dir()
        && folder.join("refs").is_dir();
    is_repository.then(|| Place::Repository(folder.to_owned()))
}

/// Whether something is there, or cannot be seen for want of permission.
fn may_exist(path: &Path) -> bool {
    match fs::symlink_metadata(path) {
        Ok(_) => true,
        Err(error) => error.kind() == ErrorKind::PermissionDenied,
    }
}

fn of_repository(git_dir: &Path) -> ProjectIdentity {
    let common_dir = common_dir(git_dir);
    let config = read_config(&common_dir.join("config"));
    let root = root_of(&common_dir, config.worktree.as_deref());
    match config
        .remote()
        .and_then(|remote| remote::identity(&remote.url))
    {
        Some(key) => ProjectIdentity {
            name: key.rsplit('/').next().unwrap_or(&key).to_owned(),
            key,
            root,
            how: IdentitySource::Remote,
        },
        None => of_path(root, IdentitySource::GitCommonDir),
    }
}

/// Of a file that cannot be read, and of the lines beyond the limit, nothing is known.
fn read_config(path: &Path) -> GitConfig {
    let mut bytes = read_start(path, CONFIG_BYTES_MAX).unwrap_or_default();
    if bytes.len() as u64 == CONFIG_BYTES_MAX {
        // Half an address would be the address of something else.
        bytes.truncate(bytes.iter().rposition(|byte| *byte == b'\n').unwrap_or(0));
    }
    GitConfig::parse(&String::from_utf8_lossy(&bytes))
}

/// The folder that a repository's work trees share, which a work tree's own folder names in its
/// `commondir` file.
fn common_dir(git_dir: &Path) -> PathBuf {
    read_link_file(&git_dir.join("commondir"), "")
        .and_then(|common| fs::canonicalize(git_dir.join(common)).ok())
        .filter(|common| common.is_dir())
        .or_else(|| fs::canonicalize(git_dir).ok())
        .unwrap_or_else(|| git_dir.to_owned())
}

/// The folder that stands for a repository.
fn root_of(common_dir: &Path, worktree: Option<&str>) -> PathBuf {
    let worktree = worktree.and_then(|tree| fs::canonicalize(common_dir.join(tree)).ok());
    if let Some(worktree) = worktree {
        return worktree;
    }
    // `.git`, or `.bare` as some name the repository that stands beside its work trees.
    let is_hidden = |name: &OsStr| name.as_bytes().starts_with(b".");
    match (common_dir.parent(), common_dir.file_name()) {
        (Some(parent), Some(name)) if is_hidden(name) => parent.to_owned(),
        _ => common_dir.to_owned(),
    }
}

fn of_path(path: PathBuf, how: IdentitySource) -> ProjectIdentity {
    let key = text_of(path.as_os_str());
    let name = path.file_name().map_or_else(|| key.clone(), text_of);
    ProjectIdentity {
        name: match name.strip_suffix(".git") {
            Some(bare) if !bare.is_empty() => bare.to_owned(),
            _ => name,
        },
        key,
        root: path,
        how,
    }
}

/// A path as text. Bytes that are not UTF-8 are written as `\xNN`, so that two paths do not
/// become one.
fn text_of(path: &OsStr) -> String {
    let mut text = String::new();
    for chunk in path.as_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// Takes `.` and `..` out of a path without looking at the disk.
fn normalise(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            // Above the root is the root.
            Component::ParentDir => {
                normal.pop();
            }
            other => normal.push(other),
        }
    }
    normal
}

/// The path in a file that consists of `prefix` and a path.
fn read_link_file(path: &Path, prefix: &str) -> Option<PathBuf> {
    let bytes = read_start(path, LINK_BYTES_MAX)?;
    let target = bytes.strip_prefix(prefix.as_bytes())?.trim_ascii();
    (!target.is_empty()).then(|| PathBuf::from(OsStr::from_bytes(target)))
}

/// The first bytes of a regular file. Anything else is not opened: a pipe would never end.
fn read_start(path: &Path, bytes_max: u64) -> Option<Vec<u8>> {
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(path)
        .ok()?
        .take(bytes_max)
        .read_to_end(&mut bytes)
        .ok()?;
    Some(bytes)
}
