//! What the people and their watcher share: a gate, the servers, and the tally.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::client::{PATIENCE, Trouble};
use crate::machine::Target;

/// Troubles whose words are kept; the rest is only counted.
const TROUBLES_KEPT: usize = 20;

/// How long somebody waits who found nobody there.
const BACK_OFF: Duration = Duration::from_millis(10);

/// Everything shared.
#[derive(Default)]
pub struct Stage {
    gate: Mutex<Gate>,
    changed: Condvar,
    is_over: AtomicBool,
    pub operations: AtomicU64,
    pub tally: Mutex<Tally>,
}

#[derive(Default)]
struct Gate {
    is_open: bool,
    parked: usize,
    targets: Vec<Target>,
}

/// What was done, by kind of work.
#[derive(Default)]
pub struct Tally {
    pub kinds: BTreeMap<&'static str, Kind>,
    pub troubles: Vec<String>,
}

/// One kind of work.
#[derive(Default)]
pub struct Kind {
    /// Of each that was done, in microseconds.
    pub took: Vec<u32>,
    /// Broken off by the end of a server.
    pub interrupted: u64,
    pub errors: u64,
}

impl Stage {
    /// Waits at the gate while it is closed; returns the servers, or `None` when the day is over.
    pub fn pass(&self, on_park: impl FnOnce()) -> Option<Vec<Target>> {
        let mut gate = lock(&self.gate);
        if !gate.is_open && !self.is_over() {
            on_park();
            gate.parked += 1;
            self.changed.notify_all();
            while !gate.is_open && !self.is_over() {
                gate = self
                    .changed
                    .wait(gate)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            gate.parked -= 1;
        }
        (!self.is_over()).then(|| gate.targets.clone())
    }

    /// Lets everybody work at these servers.
    pub fn open(&self, targets: Vec<Target>) {
        let mut gate = lock(&self.gate);
        gate.is_open = true;
        gate.targets = targets;
        self.changed.notify_all();
    }

    /// Tells everybody to stop, and waits until they have.
    pub fn close(&self, people: usize) -> Result<(), String> {
        let begin = Instant::now();
        let mut gate = lock(&self.gate);
        gate.is_open = false;
        while gate.parked < people && !self.is_over() {
            if begin.elapsed() > 2 * PATIENCE {
                return Err(format!("{} people do not stop", people - gate.parked));
            }
            let wait = self.changed.wait_timeout(gate, Duration::from_secs(1));
            gate = wait.unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(())
    }

    /// Sends everybody home.
    pub fn end(&self) {
        self.is_over.store(true, SeqCst);
        let _gate = lock(&self.gate);
        self.changed.notify_all();
    }

    pub fn is_over(&self) -> bool {
        self.is_over.load(SeqCst)
    }

    /// Notes how a piece of work went. `is_excused` while the server it went to is being ended.
    pub fn note(&self, kind: &'static str, outcome: Result<Duration, Trouble>, is_excused: bool) {
        self.operations.fetch_add(1, SeqCst);
        let mut tally = lock(&self.tally);
        let told = match outcome {
            Ok(took) => {
                let took = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
                tally.kinds.entry(kind).or_default().took.push(took);
                return;
            }
            Err(Trouble::Away(_)) if is_excused => {
                tally.kinds.entry(kind).or_default().interrupted += 1;
                drop(tally);
                // As clients do that find nobody there.
                std::thread::sleep(BACK_OFF);
                return;
            }
            Err(Trouble::Away(told) | Trouble::Wrong(told)) => told,
        };
        tally.kinds.entry(kind).or_default().errors += 1;
        if tally.troubles.len() < TROUBLES_KEPT {
            tally.troubles.push(format!("{kind}: {told}"));
        }
    }
}

/// Whoever panicked while holding it is reported elsewhere.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
