//! What the server does when nobody asks for anything any more.

use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use crate::allocator;

/// How long a blocking thread waits for more work. What the allocator keeps for it goes when it ends.
pub const BLOCKING_THREAD_REST: Duration = Duration::from_secs(5);

/// The blocking threads have ended by then.
const QUIET: Duration = Duration::from_secs(6);

/// Gives memory back once after each stretch of work; there is nothing to wake up for in between.
pub async fn rest_after(work: &Notify) {
    loop {
        work.notified().await;
        while timeout(QUIET, work.notified()).await.is_ok() {}
        allocator::give_back();
    }
}
