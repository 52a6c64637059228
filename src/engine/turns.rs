//! How many recalls run at once.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::{Error, Result};

/// A recall computes most of its time and takes about 6 MB while it does: more of them than cores
/// are slower together, and larger. With one core two still share it fairly; more than four would
/// not fit the budget of memory under load.
const AT_ONCE: std::ops::RangeInclusive<usize> = 2..=4;

/// The turns that recalls take.
pub(super) struct Turns {
    free: Semaphore,
    places: usize,
    waiting: AtomicUsize,
}

/// One caller who waits, counted until it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Turns {
    pub(super) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let places = cores.clamp(*AT_ONCE.start(), *AT_ONCE.end());
        Self {
            free: Semaphore::new(places),
            places,
            waiting: AtomicUsize::new(0),
        }
    }

    /// Waits for a turn; first come, first served.
    pub(super) async fn take(&self) -> Result<SemaphorePermit<'_>> {
        self.waiting.fetch_add(1, Relaxed);
        let _waiting = Waiting(&self.waiting);
        let turn = self.free.acquire().await;
        turn.map_err(|_| Error::Internal("the turns of recalls were closed".to_owned()))
    }

    /// How many have a turn, and how many wait for one.
    pub(super) fn taken_and_waiting(&self) -> (usize, usize) {
        let taken = self.places - self.free.available_permits();
        (taken, self.waiting.load(Relaxed))
    }
}
