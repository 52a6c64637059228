//! The client itself, where it is installed: it alone may write the file in which it keeps its
//! state while it runs.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{SERVER_NAME, Scope};
use crate::error::{Error, Result};

/// It starts in half a second; a machine that is busy needs more.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often it is asked whether it is done.
const LOOK: Duration = Duration::from_millis(10);

/// The executable `claude`.
#[derive(Debug, Clone)]
pub struct Client {
    path: PathBuf,
}

impl Client {
    /// The one on this path, as `PATH` lists folders.
    pub fn on(path: &str) -> Option<Self> {
        find_program("claude", path).map(|path| Self { path })
    }

    /// What it says its version is.
    ///
    /// # Errors
    /// When it does not start, or fails.
    pub fn version(&self) -> Result<String> {
        self.run(&["--version".to_owned()])
    }

    /// The words that register the server, behind `claude`.
    pub fn registration(scope: Scope, entry: &Value) -> Vec<String> {
        let words = ["mcp", "add-json", "--scope", scope.name(), SERVER_NAME];
        let words = words.into_iter().map(str::to_owned);
        words.chain([entry.to_string()]).collect()
    }

    /// The words that take it out, behind `claude`.
    pub fn removal(scope: Scope) -> Vec<String> {
        let words = ["mcp", "remove", "--scope", scope.name(), SERVER_NAME];
        words.map(str::to_owned).to_vec()
    }

    /// Registers the server, in the place of one that is there.
    ///
    /// # Errors
    /// When the client refuses, with what it says.
    pub fn register(&self, scope: Scope, entry: &Value, is_there: bool) -> Result<()> {
        if is_there {
            self.remove(scope)?;
        }
        self.run(&Self::registration(scope, entry)).map(|_| ())
    }

    /// Takes the server out.
    ///
    /// # Errors
    /// When the client refuses, with what it says.
    pub fn remove(&self, scope: Scope) -> Result<()> {
        self.run(&Self::removal(scope)).map(|_| ())
    }

    fn run(&self, words: &[String]) -> Result<String> {
        let called = format!("claude {}", words.join(" "));
        let failed = |why: String| Error::Io(format!("`{called}` failed: {why}"));
        let mut command = Command::new(&self.path);
        command.args(words).stdin(Stdio::null());
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
        let started = Instant::now();
        // It says a line or two, which a pipe holds, so waiting first is safe.
        while matches!(child.try_wait(), Ok(None)) {
            if started.elapsed() > PATIENCE {
                let _ = child.kill();
                let _ = child.wait();
                return Err(failed(format!("no end after {} s", PATIENCE.as_secs())));
            }
            std::thread::sleep(LOOK);
        }
        let output = child.wait_with_output();
        let output = output.map_err(|error| failed(error.to_string()))?;
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        match output.status.success() {
            true => Ok(said(&output.stdout)),
            false => Err(failed(said(&[output.stderr, output.stdout].concat()))),
        }
    }
}

/// An executable by its name, in the folders that `PATH` lists.
pub fn find_program(name: &str, path: &str) -> Option<PathBuf> {
    let mut places = env::split_paths(path).map(|folder| folder.join(name));
    places.find(|place| place.is_absolute() && is_executable(place))
}

/// Whether there is a file that may be run.
pub fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let file = path.metadata();
    file.is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}
