//! Work that would hold up everybody else: a server answers all its connections on one thread.

use crate::error::{Error, Result};

/// Runs what waits for a disk, or computes for more than a moment, on a thread where it may. A
/// caller who gives up leaves it behind, and it still runs to its end.
///
/// # Errors
/// Those of the work; [`Error::Internal`] if it panicked.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(Error::Internal(format!("work broke off: {error}"))))
}
