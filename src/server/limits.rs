//! How much is done at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use super::body::LARGE_BODIES_MAX;

/// Requests in progress, those that wait included. Beyond it callers are told to come back, which
/// is kinder than a queue that nobody reaches the end of.
const IN_PROGRESS_MAX: usize = 256;

/// Requests that are carried out even when their caller has gone away, who then holds no other
/// place: as many as clients have in flight, and with the largest messages 32 MB.
const UNSTOPPABLE_MAX: usize = 16;

/// Callers who are told at the same moment that every connection is taken: a fraction of the
/// descriptors that are kept free of connections.
const TURNED_AWAY_MAX: usize = 16;

/// Threads that may block: the writer, recalls (the engine limits those to four), and readers, who
/// take a millisecond or two; what waits for one of them costs nothing. Each keeps some memory for
/// itself: under load on 100,000 memories a server has 43 MB with 6 threads, 57 MB with 12, and is
/// no faster.
pub const BLOCKING_THREADS_MAX: usize = 6;

/// The places that requests take.
pub struct Limits {
    in_progress: Semaphore,
    receiving: AtomicUsize,
    /// See [`super::body::read`].
    pub large_bodies: Semaphore,
    unstoppable: Arc<Semaphore>,
    /// For callers for whom there is no place.
    pub turned_away: Semaphore,
}

impl Limits {
    /// All places free.
    pub fn new() -> Self {
        Self {
            in_progress: Semaphore::new(IN_PROGRESS_MAX),
            receiving: AtomicUsize::new(0),
            large_bodies: Semaphore::new(LARGE_BODIES_MAX),
            unstoppable: Arc::new(Semaphore::new(UNSTOPPABLE_MAX)),
            turned_away: Semaphore::new(TURNED_AWAY_MAX),
        }
    }

    /// Takes a request in, unless there are too many.
    pub fn enter(&self) -> Option<SemaphorePermit<'_>> {
        self.in_progress.try_acquire().ok()
    }

    /// Waits for a place for work that goes on without its caller; the caller may go while it waits.
    /// `None` would be a closed semaphore, which this never is.
    pub async fn unstoppable(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.unstoppable).acquire_owned().await.ok()
    }

    /// Counts a request as being received until what this returns is dropped.
    pub fn receive(&self) -> Receiving<'_> {
        self.receiving.fetch_add(1, Relaxed);
        Receiving(&self.receiving)
    }

    /// How many requests are being received: their head is here, their body is not.
    pub fn receiving(&self) -> usize {
        self.receiving.load(Relaxed)
    }

    /// How many requests are in progress.
    pub fn in_progress(&self) -> usize {
        IN_PROGRESS_MAX - self.in_progress.available_permits()
    }
}

/// A request whose body is awaited.
pub struct Receiving<'a>(&'a AtomicUsize);

impl Drop for Receiving<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
