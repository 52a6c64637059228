//! Writers who go on whatever the database does, and the book that is kept of them.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Ask, Connection, Home, Reply, Server, eventually, tell};

const WRITERS: usize = 4;
const PROJECT: &str = "acme/shop";

/// So long a writer waits before it says again what was refused.
const PAUSE: Duration = Duration::from_millis(10);

/// So much each writer gets done before a fault, and after it.
const SOME: u64 = 10;

/// Writers on some servers, half of them on each of two.
pub struct Load<'a> {
    servers: &'a [Server],
    book: Mutex<Book>,
    is_over: AtomicBool,
}

/// What happened so far.
struct Book {
    attempted: u64,
    acknowledged: Vec<String>,
    /// How often each writer was acknowledged, and refused.
    done: [u64; WRITERS],
    refused: [u64; WRITERS],
    /// What refusals said.
    reasons: BTreeMap<String, u64>,
    /// How often a server was gone.
    broken: u64,
    slowest: Duration,
    /// When somebody was acknowledged last, and the longest time that nobody was.
    last: Instant,
    outage: Duration,
}

/// Has writers write on these servers while `inject` does harm and takes it away again; then all that was
/// acknowledged must be in the home's database once, and no answer may have taken longer than
/// `deadline`. Tells a line about it.
#[track_caller]
pub fn survives(
    fault: &str,
    home: &Home,
    servers: &[Server],
    deadline: Duration,
    inject: impl FnOnce(&Load),
) {
    let broken = survives_with_deaths(fault, home, servers, deadline, inject);
    assert_eq!(broken, 0, "a server went away");
}

/// The same, where servers may die if others take their addresses; returns how often a connection to
/// one broke.
#[track_caller]
pub fn survives_with_deaths(
    fault: &str,
    home: &Home,
    servers: &[Server],
    deadline: Duration,
    inject: impl FnOnce(&Load),
) -> u64 {
    let load = Load {
        servers,
        book: Mutex::new(Book {
            attempted: 0,
            acknowledged: Vec::new(),
            done: [0; WRITERS],
            refused: [0; WRITERS],
            reasons: BTreeMap::new(),
            broken: 0,
            slowest: Duration::ZERO,
            last: Instant::now(),
            outage: Duration::ZERO,
        }),
        is_over: AtomicBool::new(false),
    };
    std::thread::scope(|scope| {
        let load = &load;
        // Also when this test fails.
        let _over = Over(&load.is_over);
        for writer in 0..WRITERS {
            scope.spawn(move || load.write(writer));
        }
        scope.spawn(|| load.search());
        inject(load);
        load.goes_on();
    });
    for server in servers {
        eventually("a server to say that it is well", || {
            (server.get("/health").json()["status"] == "healthy").then_some(())
        });
    }
    let book = load.book.into_inner().unwrap();
    let broken = book.broken;
    book.settle(fault, home, deadline);
    crate::store::check_store(home);
    let last = servers[0].tool("search_memory", json!({"query": "gadget0 writer1"}));
    assert!(last.contains("Gadget0 of writer1"), "{last}");
    broken
}

/// A connection that is made anew when it broke.
struct Caller<'a> {
    server: &'a Server,
    connection: Option<Connection>,
}

impl<'a> Caller<'a> {
    fn new(server: &'a Server) -> Self {
        Self {
            server,
            connection: None,
        }
    }

    /// The answer; nothing where the server is gone.
    fn ask(&mut self, request: &[u8]) -> Option<Reply> {
        let address = format!("127.0.0.1:{}", self.server.port());
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::try_tcp(&address).ok()?,
        };
        let reply = connection.try_send(request).then(|| connection.try_reply());
        self.connection = Some(connection).filter(|_| matches!(reply, Some(Some(_))));
        reply.flatten()
    }
}

struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Load<'_> {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap()
    }

    /// Waits until each writer was acknowledged a few times more.
    #[track_caller]
    pub fn goes_on(&self) {
        let before = self.book().done;
        eventually("all writers to go on", || {
            let done = self.book().done;
            (0..WRITERS)
                .all(|writer| done[writer] >= before[writer] + SOME)
                .then_some(())
        });
    }

    /// Waits until each writer was refused this often more.
    #[track_caller]
    pub fn is_refused(&self, times: u64) {
        let before = self.book().refused;
        eventually("all writers to be refused", || {
            let refused = self.book().refused;
            (0..WRITERS)
                .all(|writer| refused[writer] >= before[writer] + times)
                .then_some(())
        });
    }

    /// Waits until anybody was acknowledged.
    #[track_caller]
    pub fn moves(&self) {
        let before = self.book().acknowledged.len();
        eventually("anybody to be acknowledged", || {
            (self.book().acknowledged.len() > before).then_some(())
        });
    }

    /// One memory after the other, each until it is acknowledged.
    fn write(&self, writer: usize) {
        let mut server = Caller::new(&self.servers[writer % self.servers.len()]);
        for n in 0.. {
            let prompt = format!("Gadget{n} of writer{writer} waits for its widget.");
            let mut body = json!({"project": PROJECT, "session": format!("writer{writer}"),
                "prompt": prompt, "reply": "The widget confirms the signed order."});
            // The others count on it that the same words are the same turn.
            if writer.is_multiple_of(2) {
                body["event"] = json!(format!("prompt{n}"));
            }
            let ask = Ask::post("/api/memories", &body).bytes();
            while !self.is_over.load(Ordering::Relaxed) {
                let begin = Instant::now();
                match server.ask(&ask) {
                    Some(reply) => {
                        self.book().note(writer, &prompt, &reply, begin.elapsed());
                        if reply.status != 503 {
                            break;
                        }
                    }
                    None => self.book().broken += 1,
                }
                std::thread::sleep(PAUSE);
            }
            if self.is_over.load(Ordering::Relaxed) {
                return;
            }
        }
    }

    /// Readers are told what they asked, or why not.
    fn search(&self) {
        let query = json!({"query": "signed order widget", "limit": 2});
        let ask = Ask::tool("search_memory", query).bytes();
        while !self.is_over.load(Ordering::Relaxed) {
            for server in self.servers {
                let begin = Instant::now();
                let Some(reply) = Caller::new(server).ask(&ask) else {
                    self.book().broken += 1;
                    continue;
                };
                let reply = reply.is(200);
                let mut book = self.book();
                book.slowest = book.slowest.max(begin.elapsed());
                let result = &reply.json()["result"];
                if result["isError"] == json!(true) {
                    book.reason(result["content"][0]["text"].as_str().unwrap());
                }
            }
            std::thread::sleep(PAUSE);
        }
    }
}

impl Book {
    fn note(&mut self, writer: usize, prompt: &str, reply: &Reply, took: Duration) {
        self.attempted += 1;
        self.slowest = self.slowest.max(took);
        match reply.status {
            200 | 201 => {
                self.acknowledged.push(prompt.to_owned());
                self.done[writer] += 1;
                self.outage = self.outage.max(self.last.elapsed());
                self.last = Instant::now();
            }
            503 => {
                self.refused[writer] += 1;
                self.reason(
                    reply.json()["error"]["message"]
                        .as_str()
                        .unwrap_or(reply.text()),
                );
            }
            _ => self.reason(&format!("WRONG {reply:?}")),
        }
    }

    fn reason(&mut self, why: &str) {
        *self.reasons.entry(why.to_owned()).or_default() += 1;
    }

    #[track_caller]
    fn settle(self, fault: &str, home: &Home, deadline: Duration) {
        let database = home.postgres().unwrap();
        let rows = database.sql(
            "SELECT split_part(content, '.', 1), count(*) FROM memory
             WHERE superseded_by IS NULL GROUP BY 1",
        );
        let kept: HashMap<String, u64> = rows
            .lines()
            .map(|row| row.split_once('\t').unwrap())
            .map(|(prompt, count)| (format!("{prompt}."), count.parse().unwrap()))
            .collect();
        let found = self
            .acknowledged
            .iter()
            .filter(|text| kept.contains_key(*text));
        let found = found.count();
        let duplicates: u64 = kept.values().map(|count| count - 1).sum();
        tell(&format!(
            "FAULT {fault} (PostgreSQL {}): attempted {}, acknowledged {}, found {found}, \
             duplicates {duplicates}, longest outage {:.2} s, slowest answer {:.2} s",
            database.cluster.version,
            self.attempted,
            self.acknowledged.len(),
            self.outage.as_secs_f64(),
            self.slowest.as_secs_f64(),
        ));
        println!("{:#?}", self.reasons);
        assert_eq!(
            found,
            self.acknowledged.len(),
            "something acknowledged is lost"
        );
        assert_eq!(duplicates, 0);
        let refusals = self.reasons.keys();
        // Each says what to do, or that nothing need be done.
        for why in refusals {
            let is_clear = [
                "by itself",
                "try again",
                "repeat",
                "target_session_attrs",
                "took longer",
            ]
            .iter()
            .any(|words| why.contains(words));
            assert!(is_clear, "{why}");
        }
        assert!(self.slowest < deadline, "{:?}", self.slowest);
    }
}
