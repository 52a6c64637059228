//! How many connections there are, and which one has to go when there are too many.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::{Resource, getrlimit};
use tokio::sync::Notify;

/// Enough for every client of a team; an idle connection costs some 10 KB.
const CONNECTIONS_MAX: u64 = 512;

/// Descriptors that are not connections: the store's files, listeners, pipes.
const OTHER_DESCRIPTORS: u64 = 64;

/// Every open connection.
pub struct Connections {
    max: usize,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    open: usize,
    next: u64,
    /// Those without a request in progress, longest idle first, with what closes them.
    idle: BTreeMap<u64, Arc<Notify>>,
}

impl Connections {
    /// None yet; as many as this process may have descriptors, up to a limit.
    pub fn new() -> Arc<Self> {
        let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let max = descriptors
            .saturating_sub(OTHER_DESCRIPTORS)
            .clamp(1, CONNECTIONS_MAX);
        Arc::new(Self {
            max: usize::try_from(max).unwrap_or(usize::MAX),
            state: Mutex::default(),
            changed: Notify::new(),
        })
    }

    /// Takes one in. When there are too many, the one that has been idle for longest goes: so
    /// thousands that only sit there keep nobody out. `None` when all are at work.
    pub fn enter(self: &Arc<Self>) -> Option<Arc<Place>> {
        let mut state = self.state();
        if state.open >= self.max {
            // Its task ends by itself and counts itself out; until then one more is open.
            let (_, evicted) = state.idle.pop_first()?;
            evicted.notify_one();
        }
        state.open += 1;
        drop(state);
        let place = Arc::new(Place {
            connections: Arc::clone(self),
            evicted: Arc::default(),
            number: Mutex::new(None),
            was_used: AtomicBool::new(false),
        });
        place.rest();
        Some(place)
    }

    /// How many are open.
    pub fn open(&self) -> usize {
        self.state().open
    }

    /// Waits until none is open.
    pub async fn all_closed(&self) {
        loop {
            let changed = self.changed.notified();
            if self.open() == 0 {
                return;
            }
            changed.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection's place among the others; given back when it is dropped.
pub struct Place {
    connections: Arc<Connections>,
    evicted: Arc<Notify>,
    /// Where it stands among the idle ones.
    number: Mutex<Option<u64>>,
    was_used: AtomicBool,
}

/// A request is in progress; over when it is dropped.
pub struct Busy(Arc<Place>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.rest();
    }
}

impl Place {
    /// A request has begun.
    pub fn work(self: &Arc<Self>) -> Busy {
        self.leave_idle();
        self.was_used.store(true, Relaxed);
        Busy(Arc::clone(self))
    }

    /// Returns when somebody else needs the place.
    pub async fn evicted(&self) {
        self.evicted.notified().await;
    }

    fn rest(&self) {
        let mut state = self.connections.state();
        let number = state.next;
        state.next += 1;
        state.idle.insert(number, Arc::clone(&self.evicted));
        *self.number() = Some(number);
    }

    fn leave_idle(&self) {
        if let Some(number) = self.number().take() {
            self.connections.state().idle.remove(&number);
        }
    }

    /// Whether no request is in progress.
    pub fn is_idle(&self) -> bool {
        self.number().is_some()
    }

    /// Whether a request ever came.
    pub fn was_used(&self) -> bool {
        self.was_used.load(Relaxed)
    }

    fn number(&self) -> MutexGuard<'_, Option<u64>> {
        self.number.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave_idle();
        self.connections.state().open -= 1;
        self.connections.changed.notify_waiters();
    }
}
