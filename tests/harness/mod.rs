//! Runs the real executable in a home of its own.
#![allow(dead_code, reason = "each subject uses its own part of the harness")]

mod compose;
mod containers;
mod dist;
pub mod elf;
mod embedder;
mod http;
mod mcp;
mod postgres;
mod schema;
mod server;

pub use compose::{UNKNOWN_TO_COMPOSE_1, for_compose_1, parse as parse_compose};
pub use containers::{Container, Engine};
pub use dist::shipped;
pub use embedder::{Embedder, KEY, Mood, embed};
pub use http::{Ask, Connection, Reply, text_of_tool};
pub use mcp::{Client, Era};
pub(crate) use postgres::on_every_store;
pub use postgres::{Cluster, Database, NO_POSTGRES, Setup, clusters, on_postgres};
pub use schema::Checker;
pub use server::Server;

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a test waits for something that must happen; far beyond what a loaded machine needs.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A person's machine: an empty home, no settings, a data folder of its own.
pub struct Home {
    dir: TempDir,
    /// Where the memories are, if not in the data folder.
    postgres: Option<Database>,
}

impl Home {
    pub fn new() -> Self {
        Self {
            dir: tempfile::Builder::new()
                .prefix("sage-test-")
                .tempdir()
                .unwrap(),
            postgres: None,
        }
    }

    /// A home whose memories are in this database.
    pub fn on(database: Database) -> Self {
        Self {
            postgres: Some(database),
            ..Self::new()
        }
    }

    /// Another home with an empty store of the same sort.
    pub fn another(&self) -> Self {
        match &self.postgres {
            Some(database) => Self::on(Database::new(&database.cluster)),
            None => Self::new(),
        }
    }

    /// Whether a call has made the store by now.
    pub fn has_store(&self) -> bool {
        match &self.postgres {
            Some(database) => {
                let sql = "SELECT count(*) FROM pg_namespace WHERE nspname = 'sage'";
                database.sql(sql) == "1"
            }
            None => self.database().exists(),
        }
    }

    /// The PostgreSQL database of the memories, if they are in one.
    pub fn postgres(&self) -> Option<&Database> {
        self.postgres.as_ref()
    }

    /// A home on a disk that needs no time for an fsync, where there is one: for tests that count
    /// on thousands of commits and not on the disk.
    pub fn in_memory() -> Self {
        let memory = Path::new("/dev/shm");
        let dir = tempfile::Builder::new()
            .prefix("sage-test-")
            .tempdir_in(memory);
        dir.map_or_else(
            |_| Self::new(),
            |dir| Self {
                dir,
                postgres: None,
            },
        )
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The store's folder, which the executable makes at its first write.
    pub fn data_dir(&self) -> PathBuf {
        self.path().join("data")
    }

    pub fn database(&self) -> PathBuf {
        self.data_dir().join("sage.db")
    }

    /// A folder that stands for a project, made if it is not there.
    pub fn project(&self, name: &str) -> PathBuf {
        let dir = self.path().join(name);
        std::fs::create_dir_all(&dir).unwrap();
        dir
    }

    /// Writes a file below the home and returns its path.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// `sage ARGS`, with nothing of our own environment but the path; its directory is the home.
    pub fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        self.command_of(executable(), args)
    }

    /// The same of another executable than the one under test.
    pub fn command_of<S: AsRef<OsStr>>(
        &self,
        executable: &Path,
        args: impl IntoIterator<Item = S>,
    ) -> Command {
        let mut command = Command::new(executable);
        command.args(args).current_dir(self.path()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
            .env("HOME", self.path())
            .env("SAGE_DATA_DIR", self.data_dir())
            // A loaded machine is slower than what hooks are held to; tests of that say so.
            .env("SAGE_HOOK_DEADLINE_MS", "20000");
        if let Some(database) = &self.postgres {
            command.env("SAGE_DATABASE_URL", database.url());
        }
        command.stdin(Stdio::null());
        command
    }

    /// Runs `sage ARGS` to its end.
    pub fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Finished {
        finish(&mut self.command(args))
    }

    /// Runs it and insists on exit code 0; returns what it printed.
    #[track_caller]
    pub fn ok<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> String {
        let finished = self.run(args);
        assert_eq!(finished.code, 0, "stderr: {}", finished.stderr);
        finished.stdout
    }

    /// The same with `--json` in the arguments, parsed.
    #[track_caller]
    pub fn json<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> serde_json::Value {
        let text = self.ok(args);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("not JSON ({error}): {text}"))
    }
}

/// The executable under test.
pub fn executable() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_sage"))
}

/// How a command ended.
#[derive(Debug)]
pub struct Finished {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a command to its end; a signal counts as code -1.
pub fn finish(command: &mut Command) -> Finished {
    finished(command.output().unwrap())
}

/// Runs a command that must end by itself, and soon: one that goes on is killed, and is a failure.
#[track_caller]
pub fn finish_soon(command: &mut Command) -> Finished {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("it does not end: {:?}", child.wait_with_output());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    finished(child.wait_with_output().unwrap())
}

/// Runs a command with `input` on its stdin.
pub fn finish_with_input(command: &mut Command, input: &[u8]) -> Finished {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A reader that stops early must not block the writer.
    let writer = std::thread::spawn(move || {
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    finished(output)
}

fn finished(output: Output) -> Finished {
    Finished {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Waits until `condition` gives something, at most [`PATIENCE`].
#[track_caller]
pub fn eventually<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(start.elapsed() < PATIENCE, "gave up waiting for {what}");
        std::thread::yield_now();
    }
}

/// Prints a line that is seen although the test passes: what `println!` writes is kept back then.
pub fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Says why a test did not run; with `CI=true` that is a failure.
pub fn skipped(test: &str, why: &str) {
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "SKIPPED {test}: {why}"
    );
    tell(&format!("SKIPPED {test}: {why}"));
}
