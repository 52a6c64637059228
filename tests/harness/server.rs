//! A running `sage serve`.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::http::{Ask, Connection, Reply, text_of_tool};
use super::{Home, PATIENCE};

/// A running `sage serve`; killed when it is dropped.
pub struct Server {
    child: Child,
    /// Everywhere it listens, as it says it: `127.0.0.1:40001`, `unix:/PATH`.
    pub addresses: Vec<String>,
    log: Arc<Log>,
    reader: Option<JoinHandle<()>>,
}

/// How a server ended.
pub struct Ended {
    pub status: ExitStatus,
    /// Everything that it wrote to stderr.
    pub lines: Vec<String>,
}

#[derive(Default)]
struct Log {
    written: Mutex<Written>,
    more: Condvar,
}

#[derive(Default)]
struct Written {
    lines: Vec<String>,
    is_over: bool,
}

impl Server {
    /// One at any free port of 127.0.0.1.
    pub fn start(home: &Home) -> Self {
        Self::with(home, &[])
    }

    /// The same with these variables set.
    pub fn with(home: &Home, variables: &[(&str, &str)]) -> Self {
        Self::at(home, &["127.0.0.1:0"], variables)
    }

    /// One that listens there.
    pub fn at(home: &Home, addresses: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = home.command(["serve"]);
        for address in addresses {
            command.args(["--listen", address]);
        }
        command
            .env("SAGE_LOG_FORMAT", "json")
            .envs(variables.iter().copied());
        Self::run(command)
    }

    /// Runs a command that becomes a server, and waits until it says that it listens.
    #[track_caller]
    pub fn run(mut command: Command) -> Self {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let log = Arc::<Log>::default();
        let filled = Arc::clone(&log);
        // Somebody has to read all of it: a full pipe would hold the server up.
        let reader = std::thread::spawn(move || filled.fill(stderr));
        let mut server = Self {
            child,
            addresses: Vec::new(),
            log,
            reader: Some(reader),
        };
        let line = server.line_with("listening");
        server.addresses = listed(&line);
        server
    }

    /// Where it listens first, as HOST:PORT.
    pub fn address(&self) -> &str {
        &self.addresses[0]
    }

    pub fn port(&self) -> u16 {
        let (_, port) = self.address().rsplit_once(':').unwrap();
        port.parse().unwrap()
    }

    /// A new connection to the first address, over 127.0.0.1.
    pub fn connect(&self) -> Connection {
        Connection::tcp(&format!("127.0.0.1:{}", self.port()))
    }

    /// Sends one request on a connection of its own.
    #[track_caller]
    pub fn ask(&self, request: &Ask) -> Reply {
        let mut connection = self.connect();
        connection.send(&request.bytes());
        match request.method.as_str() {
            "HEAD" => connection.head_reply(),
            _ => connection.reply(),
        }
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Reply {
        self.ask(&Ask::get(path))
    }

    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Reply {
        self.ask(&Ask::post(path, body))
    }

    /// Calls a tool of the project `acme/shop`; insists that it worked and returns its text.
    #[track_caller]
    pub fn tool(&self, name: &str, arguments: Value) -> String {
        text_of_tool(&self.ask(&Ask::tool(name, arguments)))
    }

    /// The first line on stderr, old or new, that holds `part`.
    #[track_caller]
    pub fn line_with(&self, part: &str) -> String {
        let begin = Instant::now();
        let mut written = self.log.written.lock().unwrap();
        loop {
            if let Some(line) = written.lines.iter().find(|line| line.contains(part)) {
                return line.clone();
            }
            assert!(!written.is_over, "it ended: {:?}", written.lines);
            let left = PATIENCE.checked_sub(begin.elapsed());
            let left = left.unwrap_or_else(|| panic!("no {part} in {:?}", written.lines));
            written = self.log.more.wait_timeout(written, left).unwrap().0;
        }
    }

    /// Everything on stderr so far.
    pub fn lines(&self) -> Vec<String> {
        self.log.written.lock().unwrap().lines.clone()
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Ends it as a service manager does.
    pub fn end(self) -> Ended {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(mut self) -> Ended {
        let begin = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(begin.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(Duration::from_millis(1));
        };
        self.reader.take().unwrap().join().unwrap();
        let lines = self.lines();
        Ended { status, lines }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Log {
    fn fill(&self, stderr: impl BufRead) {
        for line in stderr.lines() {
            self.written.lock().unwrap().lines.push(line.unwrap());
            self.more.notify_all();
        }
        self.written.lock().unwrap().is_over = true;
        self.more.notify_all();
    }
}

/// The addresses in the line that says where the server listens.
fn listed(line: &str) -> Vec<String> {
    let list = match serde_json::from_str::<Value>(line) {
        Ok(event) => event["at"].as_str().unwrap().to_owned(),
        Err(_) => {
            let (_, rest) = line.split_once(" at=").unwrap();
            rest.split(' ').next().unwrap().to_owned()
        }
    };
    list.split(", ").map(str::to_owned).collect()
}
