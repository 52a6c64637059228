//! The machine that the day runs on: a folder of its own, the real executable, servers.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Starting takes milliseconds and ending 5 s at most; whatever takes this long hangs.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How often a process is looked at that should end.
const GLANCE: Duration = Duration::from_millis(2);

/// Lines of a server's log that are kept for a report.
const LOG_LINES_KEPT: usize = 40;

/// Where Sage runs; its folder goes with it.
pub struct Machine {
    executable: PathBuf,
    database_url: Option<String>,
    folder: tempfile::TempDir,
}

impl Machine {
    pub fn new(executable: PathBuf, database_url: Option<String>) -> Result<Self, String> {
        // It runs in a folder of its own.
        let executable = executable.canonicalize().map_err(|error| {
            format!(
                "{}: {error}; build it with `cargo build --release`, or name one with --sage",
                executable.display()
            )
        })?;
        let folder = tempfile::Builder::new().prefix("sage-soak-").tempdir();
        Ok(Self {
            executable,
            database_url,
            folder: folder.map_err(|error| format!("no temporary folder: {error}"))?,
        })
    }

    /// The folder of the embedded store.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub fn is_shared_store(&self) -> bool {
        self.database_url.is_some()
    }

    /// `sage ARGS`, with nothing of our own environment but the path.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.executable);
        command.args(args).current_dir(self.folder.path());
        command.env_clear().env("HOME", self.folder.path());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("SAGE_DATA_DIR", self.data());
        if let Some(url) = &self.database_url {
            command.env("SAGE_DATABASE_URL", url);
        }
        command
    }

    /// Runs `sage ARGS` to its end with `input` on stdin, which is closed when a line of the output
    /// holds `last` (at once without one); returns what it printed.
    pub fn run(&self, args: &[&str], input: &str, last: Option<&str>) -> Result<String, String> {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("could not start sage: {error}"))?;
        let id = Pid::from_child(&child);
        let (done, finished) = channel();
        let (input, last) = (input.to_owned(), last.map(str::to_owned));
        std::thread::spawn(move || {
            let printed = converse(&mut child, &input, last.as_deref());
            let told = child.wait_with_output();
            // Whoever asked may have given up.
            let _ = done.send(told.map(|told| (printed, told)));
        });
        let name = format!("`sage {}`", args.first().copied().unwrap_or_default());
        let Ok(output) = finished.recv_timeout(PATIENCE) else {
            let _ = kill_process(id, Signal::KILL);
            return Err(format!("{name} does not end"));
        };
        let (printed, told) = output.map_err(|error| format!("{name}: {error}"))?;
        match told.status.success() {
            true => Ok(printed),
            false => Err(format!(
                "{name} ended with {}: {}",
                told.status,
                String::from_utf8_lossy(&told.stderr).trim()
            )),
        }
    }

    /// What lies in the data folder.
    pub fn files(&self) -> Files {
        let mut files = Files::default();
        let entries = std::fs::read_dir(self.data()).into_iter().flatten();
        for entry in entries.flatten() {
            // One that went meanwhile is gone.
            let Ok(data) = entry.metadata() else { continue };
            files.count += 1;
            match entry.file_name().to_string_lossy().ends_with("-wal") {
                true => files.log_bytes += data.len(),
                false => files.store_bytes += data.len(),
            }
        }
        files
    }
}

/// What a store takes on disk.
#[derive(Debug, Clone, Copy, Default)]
pub struct Files {
    pub count: u64,
    /// Without its log.
    pub store_bytes: u64,
    /// Of SQLite's write-ahead log, which is long after a large write and short after a forget.
    pub log_bytes: u64,
}

/// Writes and reads to the end. What cannot be written or read is missing in the output, and the
/// exit code tells why.
fn converse(child: &mut Child, input: &str, last: Option<&str>) -> String {
    let mut stdin = child.stdin.take();
    if let Some(stdin) = &mut stdin {
        let _ = stdin.write_all(input.as_bytes());
    }
    let mut printed = String::new();
    let lines = child
        .stdout
        .take()
        .map(|stdout| BufReader::new(stdout).lines());
    if last.is_none() {
        stdin = None;
    }
    for line in lines.into_iter().flatten().map_while(Result::ok) {
        if last.is_some_and(|last| line.contains(last)) {
            stdin = None;
        }
        printed.push_str(&line);
        printed.push('\n');
    }
    drop(stdin);
    printed
}

/// A running `sage serve`; killed when it is dropped.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    /// From exec until it said that it listens.
    pub start: Duration,
    is_ending: Arc<AtomicBool>,
    log: Arc<Mutex<VecDeque<String>>>,
    reader: Option<JoinHandle<()>>,
}

/// Where a server is, for those who call it.
#[derive(Clone)]
pub struct Target {
    pub address: SocketAddr,
    is_ending: Arc<AtomicBool>,
}

impl Target {
    /// Whether it was told to end: then it may be away.
    pub fn is_ending(&self) -> bool {
        self.is_ending.load(SeqCst)
    }
}

impl Server {
    /// Starts one at any free port of 127.0.0.1.
    pub fn start(machine: &Machine) -> Result<Self, String> {
        let begin = Instant::now();
        let mut command = machine.command(&["serve", "--listen", "127.0.0.1:0"]);
        command
            .env("SAGE_LOG_FORMAT", "json")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .map_err(|error| format!("could not start sage: {error}"))?;
        let stderr = child.stderr.take();
        let (tell, told) = channel();
        let log = Arc::<Mutex<VecDeque<String>>>::default();
        let kept = Arc::clone(&log);
        // Somebody has to read all of it: a full pipe costs lines.
        let reader = std::thread::spawn(move || {
            for line in stderr.into_iter().flat_map(|e| BufReader::new(e).lines()) {
                let line = line.unwrap_or_default();
                if let Some(address) = address_in(&line) {
                    // Nobody asks twice.
                    let _ = tell.send(address);
                }
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.push_back(line);
                if kept.len() > LOG_LINES_KEPT {
                    kept.pop_front();
                }
            }
        });
        let mut server = Self {
            child,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            start: Duration::ZERO,
            is_ending: Arc::default(),
            log,
            reader: Some(reader),
        };
        match told.recv_timeout(PATIENCE) {
            Ok(address) => server.address = address,
            Err(_) => return Err(format!("the server did not start: {}", server.log())),
        }
        server.start = begin.elapsed();
        Ok(server)
    }

    pub fn target(&self) -> Target {
        Target {
            address: self.address,
            is_ending: Arc::clone(&self.is_ending),
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The last lines of its log.
    pub fn log(&self) -> String {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.iter().cloned().collect::<Vec<_>>().join("\n")
    }

    /// Sends a signal that ends it, and waits for the end; returns how long that took. An orderly
    /// end must be one.
    pub fn end(mut self, signal: Signal) -> Result<Duration, String> {
        let begin = Instant::now();
        self.is_ending.store(true, SeqCst);
        kill_process(Pid::from_child(&self.child), signal)
            .map_err(|error| format!("the server could not be signalled: {error}"))?;
        let status = self.wait()?;
        let took = begin.elapsed();
        match signal == Signal::KILL || status.success() {
            true => Ok(took),
            false => Err(format!("the server ended with {status}: {}", self.log())),
        }
    }

    fn wait(&mut self) -> Result<ExitStatus, String> {
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            match self.child.try_wait() {
                Ok(Some(status)) => {
                    // The log is over with the process.
                    self.reader.take().map(JoinHandle::join);
                    return Ok(status);
                }
                Ok(None) => std::thread::sleep(GLANCE),
                Err(error) => return Err(format!("the server was not waited for: {error}")),
            }
        }
        Err(format!("the server does not end: {}", self.log()))
    }

    /// Whether it still runs, although nobody ended it.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where a line of the log says that the server listens.
fn address_in(line: &str) -> Option<SocketAddr> {
    let event: Value = serde_json::from_str(line).ok()?;
    let place = event.get("at")?.as_str()?;
    place.split(", ").next()?.parse().ok()
}

/// What a process has in use.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    pub resident: u64,
    /// What is its own alone: no files, nothing shared.
    pub anonymous: u64,
    pub threads: u64,
    pub descriptors: u64,
}

/// Looks at a process, with an error where the system does not tell.
pub fn usage(id: u32) -> Result<Usage, String> {
    let read = |name: &str| {
        let path = format!("/proc/{id}/{name}");
        let mut text = String::new();
        std::fs::File::open(&path)
            .and_then(|mut file| file.read_to_string(&mut text))
            .map_err(|error| format!("{path}: {error}"))?;
        Ok::<_, String>(text)
    };
    let (status, rollup) = (read("status")?, read("smaps_rollup")?);
    let descriptors = std::fs::read_dir(format!("/proc/{id}/fd"))
        .map_err(|error| format!("/proc/{id}/fd: {error}"))?;
    Ok(Usage {
        resident: number(&status, "VmRSS:") * 1024,
        anonymous: number(&rollup, "Anonymous:") * 1024,
        threads: number(&status, "Threads:"),
        descriptors: descriptors.count() as u64,
    })
}

fn number(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let word = line.and_then(|line| line.split_whitespace().next());
    word.and_then(|word| word.parse().ok()).unwrap_or(0)
}
