//! Work that would hold up everybody else: a server answers all its connections on one thread.

use std::any::Any;

use tokio::task::{JoinHandle, spawn_blocking};

use crate::error::{Error, Result};

/// A result of any type.
type Outcome = Box<dyn Any + Send>;

/// Runs what waits for a disk, or computes for more than a moment, on a thread where it may. A
/// caller who gives up leaves it behind, and it still runs to its end.
///
/// # Errors
/// Those of the work; [`Error::Internal`] if it panicked.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let broken = |why: &dyn std::fmt::Display| Error::Internal(format!("work broke off: {why}"));
    let outcome = start(Box::new(move || Box::new(work())))
        .await
        .map_err(|error| broken(&error))?;
    match outcome.downcast::<Result<T>>() {
        Ok(result) => *result,
        Err(_) => Err(broken(&"its result is of another type")),
    }
}

/// One task for all types of work: each further type of task is 3 kB of the executable.
fn start(work: Box<dyn FnOnce() -> Outcome + Send>) -> JoinHandle<Outcome> {
    spawn_blocking(work)
}
