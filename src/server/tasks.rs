//! Tasks that end with whoever waits for them.

use tokio::task::AbortHandle;

/// Ends a task when it is dropped; one that has ended by itself does not notice.
pub struct AbortOnDrop(pub AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
