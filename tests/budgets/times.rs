//! How long things take. The least of many runs counts: a loaded machine only ever adds.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::figures::Reading;
use super::load::{PROJECT, Random, fill};
use super::process::serve;
use super::subjects::Subject;
use crate::harness::{
    Ask, Connection, Database, Home, NO_POSTGRES, PATIENCE, clusters, finish_with_input,
};

const STARTS: usize = 20;
const ENDS: usize = 5;
const HOOK_ROUNDS: usize = 5;
const HOOKS: usize = 100;
const HEALTH_ROUNDS: usize = 5;
const HEALTH_ASKED: usize = 500;

/// Killed when it is dropped.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// That part of the times lies at or below the result; 0.5 is the median.
pub fn percentile(times: &mut [Duration], part: f64) -> Duration {
    times.sort_unstable();

    let index = (times.len() as f64 * part).ceil() as usize;
    times[index.max(1) - 1]
}

pub fn start(subject: &Subject) -> Vec<Reading> {
    let mut times: Vec<_> = (0..STARTS).map(|_| one_start(subject)).collect();
    let median = milliseconds(percentile(&mut times, 0.5));
    let note = format!("median {median:.1} ms of {STARTS}");
    vec![Reading::value("start", milliseconds(times[0]), note)]
}

/// From the spawn to a healthy answer.
fn one_start(subject: &Subject) -> Duration {
    let home = Home::in_memory();
    let socket = home.path().join("socket");
    first_good_answer(&mut listening(subject, &home, &socket), &socket, "/health")
}

/// A server on a socket that nobody else can be behind.
fn listening(subject: &Subject, home: &Home, socket: &Path) -> Command {
    let listen = format!("unix:{}", socket.display());
    let mut command = home.command_of(&subject.sage, ["serve", "--listen", &listen]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn first_good_answer(command: &mut Command, socket: &Path, path: &str) -> Duration {
    let begin = Instant::now();
    let mut server = Started(command.spawn().unwrap());
    loop {
        let answer = ask_once(socket, path).unwrap_or_default();
        if answer.starts_with("HTTP/1.1 200 ") {
            return begin.elapsed();
        }
        assert!(server.0.try_wait().unwrap().is_none(), "it ended");
        assert!(begin.elapsed() < PATIENCE, "no good answer: {answer}");
        std::thread::yield_now();
    }
}

/// The whole answer to a request on a connection of its own, if somebody listens.
fn ask_once(socket: &Path, path: &str) -> Option<String> {
    let mut stream = UnixStream::connect(socket).ok()?;
    let request = Ask::get(path).header("Connection", "close").bytes();
    stream.write_all(&request).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

/// The same with a database server that is up: until it answers at all, and until it is healthy. The
/// first start makes the tables and does not count.
pub fn start_postgres(subject: &Subject) -> Vec<Reading> {
    let Some(cluster) = clusters().last() else {
        let names = ["start-postgres", "healthy-postgres"];
        return names.map(|name| Reading::missing(name, NO_POSTGRES)).into();
    };
    let url = Database::new(cluster).url();
    let started = |path: &str| {
        let home = Home::new();
        let socket = home.path().join("socket");
        let mut command = listening(subject, &home, &socket);
        command.env("SAGE_DATABASE_URL", &url);
        first_good_answer(&mut command, &socket, path)
    };
    started("/health");
    let least = |path: &str| (0..STARTS).map(|_| started(path)).min().unwrap();
    let note = || format!("PostgreSQL {}, least of {STARTS}", cluster.version);
    let answer = milliseconds(least("/health/liveness"));
    let healthy = milliseconds(least("/health"));
    vec![
        Reading::value("start-postgres", answer, note()),
        Reading::value("healthy-postgres", healthy, note()),
    ]
}

/// The process from spawn to exit, over 10,000 memories; beside it the same prompt over HTTP.
pub fn hook(subject: &Subject) -> Vec<Reading> {
    let times = hook_times(subject, 10_000);
    let note = format!(
        "p50 {:.1} ms; over HTTP p50 {:.1}, p99 {:.1} ms",
        times.command.0, times.http.0, times.http.1
    );
    vec![Reading::value("hook", times.command.1, note)]
}

/// Milliseconds of hooks, the 50th and the 99th percentile of each way in.
pub struct HookTimes {
    pub command: (f64, f64),
    pub http: (f64, f64),
}

/// Prompts of as many sessions over a store of that many turns; the least percentiles of some
/// rounds count.
pub fn hook_times(subject: &Subject, memories: usize) -> HookTimes {
    let home = Home::in_memory();
    fill(subject, &home, memories);
    let server = serve(subject, &home);
    let mut connection = server.connect();
    let mut random = Random::new(11);
    let mut times = HookTimes {
        command: (f64::MAX, f64::MAX),
        http: (f64::MAX, f64::MAX),
    };
    for round in 0..HOOK_ROUNDS {
        let (mut command, mut http) = (Vec::new(), Vec::new());
        for number in 0..HOOKS {
            let event = |way: &str, random: &mut Random| {
                json!({"hook_event_name": "UserPromptSubmit", "cwd": PROJECT, "prompt_id": "p",
                    "session_id": format!("{way}-{round}-{number}"), "prompt": random.words(8)})
            };
            command.push(run_hook(subject, &home, &event("command", &mut random)));
            let ask = Ask::post("/hooks/claude-code", &event("http", &mut random));
            http.push(answer_time(&mut connection, &ask));
        }
        for (least, times) in [
            (&mut times.command, &mut command),
            (&mut times.http, &mut http),
        ] {
            least.0 = least.0.min(milliseconds(percentile(times, 0.5)));
            least.1 = least.1.min(milliseconds(percentile(times, 0.99)));
        }
    }
    times
}

fn run_hook(subject: &Subject, home: &Home, event: &Value) -> Duration {
    let mut command = home.command_of(&subject.sage, ["hook", "user-prompt-submit"]);
    command.env("SAGE_HOOK_DEADLINE_MS", "250");
    let input = event.to_string();
    let begin = Instant::now();
    let finished = finish_with_input(&mut command, input.as_bytes());
    let took = begin.elapsed();
    assert_eq!((finished.code, finished.stderr.as_str()), (0, ""));
    assert!(finished.stdout.contains("additionalContext"), "{input}");
    took
}

pub fn health(subject: &Subject) -> Vec<Reading> {
    let home = Home::in_memory();
    let server = serve(subject, &home);
    let mut connection = server.connect();
    let mut rounds = Vec::new();
    for _ in 0..HEALTH_ROUNDS {
        let mut times: Vec<_> = (0..HEALTH_ASKED)
            .map(|_| answer_time(&mut connection, &Ask::get("/health")))
            .collect();
        let median = percentile(&mut times, 0.5);
        rounds.push((percentile(&mut times, 0.99), median));
    }
    let (p99, median) = rounds.into_iter().min().unwrap();
    let note = format!("p50 {:.2} ms", milliseconds(median));
    vec![Reading::value("health", milliseconds(p99), note)]
}

/// How long an answer takes, which must be a success.
pub fn answer_time(connection: &mut Connection, ask: &Ask) -> Duration {
    let begin = Instant::now();
    connection.send(&ask.bytes());
    let reply = connection.reply();
    let took = begin.elapsed();
    reply.is(200);
    took
}

pub fn shutdown(subject: &Subject) -> Vec<Reading> {
    let times = (0..ENDS).map(|_| {
        let home = Home::in_memory();
        let server = serve(subject, &home);
        server.get("/health").is(200);
        let begin = Instant::now();
        server.signal(Signal::TERM);
        let ended = server.wait();
        let took = begin.elapsed();
        assert_eq!(ended.status.code(), Some(0), "{:?}", ended.lines);
        took
    });
    let note = format!("least of {ENDS}");
    vec![Reading::value(
        "shutdown",
        milliseconds(times.min().unwrap()),
        note,
    )]
}
