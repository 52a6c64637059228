//! The day: people work, servers end and start again, and in between everything is counted.

use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::book::Book;
use crate::client::{Ask, Trouble, Wire};
use crate::machine::{Machine, Server, usage};
use crate::person::{ask_for, is_found, project_of};
use crate::report;
use crate::stage::{Stage, lock};
use crate::watch::Sample;

/// A server is ended after so many operations, or after this part of the day, whichever comes first:
/// every quarter must have some samples however slow the machine is.
const LIFE_OPERATIONS: u64 = 2_000;
const LIFE_SHARE: u32 = 32;

/// Up to here one server is alone, so that its successor is the one who recovers the log; then a
/// second one joins, which stays to the end, and whose memory tells about growth.
const ALONE_SHARE: u32 = 8;

/// Memories of each person that are searched for after a restart; all are read and compared.
const FINDS: u64 = 3;

/// So many errors are no accident: the day ends early.
const ERRORS_MAX: usize = 10;

const PROGRESS: Duration = Duration::from_secs(10);

/// How often the watcher looks.
const GLANCE: Duration = Duration::from_millis(20);

/// A page of a list.
const PAGE: usize = 500;

/// How a server is ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    AtRest,
    AtWork,
    Killed,
}

/// In turn; an orderly end is the usual one.
const ENDS: [End; 4] = [End::AtRest, End::Killed, End::AtRest, End::AtWork];

/// Everything about one run.
pub struct Day {
    pub machine: Arc<Machine>,
    pub stage: Arc<Stage>,
    pub books: Vec<Arc<Mutex<Book>>>,
    pub run: String,
    pub length: Duration,
    begin: Instant,
    /// Restarted all the time.
    restless: Option<Server>,
    /// There from the end of the time alone.
    steady: Option<Server>,
    pub samples: Vec<Sample>,
    /// Of the servers: starts, orderly ends, and how many ended in each way.
    pub starts: Vec<Duration>,
    pub ends: Vec<Duration>,
    pub kills: u64,
    /// What was found lost, duplicated or otherwise wrong.
    pub problems: Vec<String>,
    /// Memories compared after restarts.
    pub compared: u64,
    told: Instant,
    is_complete: bool,
}

impl Day {
    pub fn new(
        machine: Arc<Machine>,
        stage: Arc<Stage>,
        books: Vec<Arc<Mutex<Book>>>,
        run: &str,
        length: Duration,
    ) -> Self {
        Self {
            machine,
            stage,
            books,
            run: run.to_owned(),
            length,
            begin: Instant::now(),
            restless: None,
            steady: None,
            samples: Vec::new(),
            starts: Vec::new(),
            ends: Vec::new(),
            kills: 0,
            problems: Vec::new(),
            compared: 0,
            told: Instant::now(),
            is_complete: false,
        }
    }

    /// Lives through it. An error ends it early; what was counted so far stays.
    pub fn live(&mut self) -> Result<(), String> {
        self.start()?;
        for end in ENDS.into_iter().cycle() {
            self.stage.open(self.targets());
            self.work()?;
            let is_late = self.begin.elapsed() >= self.length;
            if self.stage.is_over() || is_late || self.has_failed() {
                break;
            }
            self.restart(end)?;
            let is_alone = self.begin.elapsed() < self.length / ALONE_SHARE;
            if self.steady.is_none() && !is_alone {
                self.steady = Some(Server::start(&self.machine)?);
            }
        }
        self.finish()
    }

    /// Whether it was lived to its end.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// In the middle of work everything is killed; one server finds all that was kept, and ends in
    /// order.
    fn finish(&mut self) -> Result<(), String> {
        for server in [self.restless.take(), self.steady.take()]
            .into_iter()
            .flatten()
        {
            server.end(Signal::KILL)?;
            self.kills += 1;
        }
        self.stage.close(self.books.len())?;
        if self.stage.is_over() {
            return Ok(());
        }
        self.start()?;
        self.compare()?;
        if let Some(server) = self.restless.take() {
            self.ends.push(server.end(Signal::TERM)?);
        }
        self.is_complete = true;
        self.stage.end();
        Ok(())
    }

    /// Takes out of a shared store what this run brought; the embedded one goes with its folder.
    pub fn clean_up(&mut self) -> Result<(), String> {
        self.restless = None;
        self.steady = None;
        if !self.machine.is_shared_store() {
            return Ok(());
        }
        for number in 0..self.books.len() as u64 {
            let project = project_of(&self.run, number);
            let args = ["forget", "--project", &project, "--after", "30d", "--yes"];
            self.machine.run(&args, "", None)?;
        }
        Ok(())
    }

    fn start(&mut self) -> Result<(), String> {
        let server = Server::start(&self.machine)?;
        self.starts.push(server.start);
        self.restless = Some(server);
        Ok(())
    }

    fn targets(&self) -> Vec<crate::machine::Target> {
        let servers = self.restless.iter().chain(&self.steady);
        servers.map(Server::target).collect()
    }

    fn has_failed(&self) -> bool {
        lock(&self.stage.tally).troubles.len() + self.problems.len() >= ERRORS_MAX
    }

    /// Lets people work for the life of a server.
    fn work(&mut self) -> Result<(), String> {
        let (begin, before) = (Instant::now(), self.stage.operations.load(SeqCst));
        loop {
            let done = self.stage.operations.load(SeqCst) - before;
            let is_enough = done >= LIFE_OPERATIONS || begin.elapsed() > self.length / LIFE_SHARE;
            if is_enough || self.stage.is_over() || self.has_failed() {
                return Ok(());
            }
            for server in self.restless.iter_mut().chain(&mut self.steady) {
                if !server.is_running() {
                    return Err(format!("a server ended by itself: {}", server.log()));
                }
            }
            if self.told.elapsed() > PROGRESS {
                self.told = Instant::now();
                eprintln!("{}", report::progress(self, self.begin.elapsed()));
            }
            std::thread::sleep(GLANCE);
        }
    }

    fn restart(&mut self, end: End) -> Result<(), String> {
        if end != End::AtRest {
            self.end_restless(end)?;
        }
        self.stage.close(self.books.len())?;
        if self.stage.is_over() {
            return Ok(());
        }
        // A store that still fills grows, as it should.
        let is_full = self.books.iter().all(|book| lock(book).is_full);
        if let (Some(steady), true) = (&self.steady, is_full) {
            rest(steady)?;
            let books = self.books.iter().map(|book| lock(book));
            self.samples.push(Sample {
                at: self.begin.elapsed(),
                usage: usage(steady.id())?,
                files: self.machine.files(),
                forgotten_events: books.map(|book| book.forgotten_events).sum(),
            });
        }
        if end == End::AtRest {
            self.end_restless(end)?;
        }
        self.start()?;
        self.compare()
    }

    fn end_restless(&mut self, end: End) -> Result<(), String> {
        let signal = match end {
            End::Killed => Signal::KILL,
            End::AtRest | End::AtWork => Signal::TERM,
        };
        let Some(server) = self.restless.take() else {
            return Ok(());
        };
        let took = server.end(signal)?;
        match end {
            End::Killed => self.kills += 1,
            End::AtRest | End::AtWork => self.ends.push(took),
        }
        Ok(())
    }

    /// Whether everything acknowledged is there, once, with its words, and is found.
    fn compare(&mut self) -> Result<(), String> {
        let Some(server) = &self.restless else {
            return Ok(());
        };
        let told = |trouble: Trouble| format!("after a restart: {trouble:?}; {}", server.log());
        let mut wire = Wire::open(server.address).map_err(told)?;
        let mut live = 0;
        for (number, book) in self.books.iter().enumerate() {
            let project = project_of(&self.run, number as u64);
            let stored = all(&mut wire, &project).map_err(told)?;
            self.compared += stored.len() as u64;
            let mut book = lock(book);
            let problems = book.compare(&stored);
            self.problems.extend(problems);
            live += book.live() as u64;
            for random in 0..FINDS {
                let picked = book.pick(self.compared.wrapping_mul(random + 1));
                let Some((id, draft)) = picked else { continue };
                let answer = wire.exchange(&ask_for(&draft.marker, &project));
                let answer = answer.and_then(|answer| answer.json()).map_err(told)?;
                if let Err(Trouble::Wrong(told)) = is_found(&answer, &id) {
                    self.problems.push(told);
                }
            }
        }
        let health = wire.exchange(&Ask::get("/health"));
        let health = health.and_then(|answer| answer.json()).map_err(told)?;
        let store = health
            .get("store")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if self.machine.is_shared_store() == store.starts_with("sqlite") {
            return Err(format!(
                "the memories are not where they were to be, but in {store}"
            ));
        }
        let counted = health.get("memory_count").and_then(Value::as_u64);
        // A shared store may hold what others keep.
        if !self.machine.is_shared_store() && counted != Some(live) {
            let problem = format!("the server counts {counted:?} memories, there are {live}");
            self.problems.push(problem);
        }
        Ok(())
    }
}

/// Everything that is stored in a project.
fn all(wire: &mut Wire, project: &str) -> Result<Vec<Value>, Trouble> {
    let mut memories = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/api/memories?project={project}&limit={PAGE}{cursor}");
        let mut page = wire.exchange(&Ask::get(&path))?.json()?;
        match page.get_mut("memories").map(Value::take) {
            Some(Value::Array(items)) => memories.extend(items),
            _ => return Trouble::wrong(format!("a list without memories: {page}")),
        }
        match page.get("next").and_then(Value::as_str) {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(memories),
        }
    }
}

/// Waits until a server has nothing to do and nobody is connected but the one who asks.
fn rest(server: &Server) -> Result<(), String> {
    let mut wire = Wire::open(server.address).map_err(|trouble| format!("{trouble:?}"))?;
    let begin = Instant::now();
    loop {
        let health = wire.exchange(&Ask::get("/health/detailed"));
        let health = health
            .and_then(|answer| answer.json())
            .map_err(|trouble| format!("a server at rest: {trouble:?}; {}", server.log()))?;
        let is = |name: &str, number: u64| health.get(name).and_then(Value::as_u64) == Some(number);
        let is_idle = [
            "requests_receiving",
            "requests_in_progress",
            "recalls_running",
            "recalls_waiting",
        ];
        if is_idle.iter().all(|name| is(name, 0)) && is("connections", 1) {
            return Ok(());
        }
        if begin.elapsed() > crate::machine::PATIENCE {
            return Err(format!("a server does not come to rest: {health}"));
        }
        std::thread::sleep(GLANCE);
    }
}
