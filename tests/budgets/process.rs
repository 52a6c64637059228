//! A process as the system sees it: memory, threads, wake-ups, processor time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::harness::{Home, PATIENCE, Server};

use super::subjects::Subject;

/// A server of the subject at a free port of 127.0.0.1, over the store of the home.
pub fn serve(subject: &Subject, home: &Home) -> Server {
    let mut command = home.command_of(&subject.sage, ["serve", "--listen", "127.0.0.1:0"]);
    command.env("SAGE_PROJECT", super::load::PROJECT);
    Server::run(command)
}

fn read(process: u32, file: &str) -> String {
    let path = format!("/proc/{process}/{file}");
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The number behind `name:`.
fn field(text: &str, name: &str) -> f64 {
    let line = text.lines().find(|line| {
        let rest = line.strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with(':'))
    });
    let line = line.unwrap_or_else(|| panic!("no {name} in {text}"));
    let number = line.split_ascii_whitespace().nth(1).unwrap();
    number.parse().unwrap()
}

/// What the kernel counts as 1 kB.
const KIBIBYTE: f64 = 1024.0;

/// Bytes in memory, shared ones too.
pub fn resident(process: u32) -> f64 {
    field(&read(process, "smaps_rollup"), "Rss") * KIBIBYTE
}

/// Of them those that no file stands behind.
pub fn anonymous(process: u32) -> f64 {
    field(&read(process, "smaps_rollup"), "Anonymous") * KIBIBYTE
}

/// The most that ever was in memory.
pub fn highest_resident(process: u32) -> f64 {
    field(&read(process, "status"), "VmHWM") * KIBIBYTE
}

/// What a thread has done so far.
#[derive(Clone, Copy)]
struct Thread {
    switches: f64,
    on_processor: Duration,
    is_pooled: bool,
}

fn threads(process: u32) -> BTreeMap<String, Thread> {
    let mut threads = BTreeMap::new();
    for entry in std::fs::read_dir(format!("/proc/{process}/task")).unwrap() {
        let id = entry.unwrap().file_name().into_string().unwrap();
        // One that ends meanwhile has ended.
        if let Some(thread) = thread(&format!("/proc/{process}/task/{id}")) {
            threads.insert(id, thread);
        }
    }
    threads
}

fn thread(path: &str) -> Option<Thread> {
    let status = std::fs::read_to_string(format!("{path}/status")).ok()?;
    let times = std::fs::read_to_string(format!("{path}/schedstat")).ok()?;
    let nanoseconds = times.split(' ').next()?.parse().ok()?;
    let voluntary = field(&status, "voluntary_ctxt_switches");
    Some(Thread {
        switches: voluntary + field(&status, "nonvoluntary_ctxt_switches"),
        on_processor: Duration::from_nanos(nanoseconds),
        is_pooled: status.starts_with("Name:\ttokio-rt-worker"),
    })
}

/// Waits until the pool of blocking threads has shrunk to nothing, as it does when nobody asks.
pub fn settle(process: u32) {
    let begin = Instant::now();
    while threads(process).values().any(|thread| thread.is_pooled) {
        assert!(begin.elapsed() < PATIENCE, "its pool does not shrink");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What a process did in a stretch of time.
pub struct Stretch {
    /// How often one of its threads was put on a processor or taken off.
    pub switches: f64,
    /// Processor time in per cent of one core.
    pub percent: f64,
}

/// Looks on for that long. Only what happens counts, so a loaded machine does not change it.
pub fn watch(process: u32, window: Duration) -> Stretch {
    let before = threads(process);
    let begin = Instant::now();
    std::thread::sleep(window);
    let after = threads(process);
    let ended = before.keys().filter(|id| !after.contains_key(*id)).count();
    // A thread does not end without running.
    let mut switches = f64::from(u32::try_from(ended).unwrap());
    let mut busy = Duration::ZERO;
    for (id, now) in &after {
        let then = before.get(id);
        switches += now.switches - then.map_or(0.0, |thread| thread.switches);
        busy += now.on_processor - then.map_or(Duration::ZERO, |thread| thread.on_processor);
    }
    let percent = 100.0 * busy.as_secs_f64() / begin.elapsed().as_secs_f64();
    Stretch { switches, percent }
}
