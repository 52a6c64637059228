//! What the server does when nobody asks for anything any more.

use std::future::{pending, ready};
use std::time::Duration;

use serde_json::json;
use tokio::time::{sleep, timeout};

use super::Server;
use crate::allocator;
use crate::config::LogLevel;
use crate::memory::Timestamp;

/// How long a blocking thread waits for more work. What the allocator keeps for it goes when it ends.
pub const BLOCKING_THREAD_REST: Duration = Duration::from_secs(5);

/// The blocking threads have ended so long after the last of them worked.
const QUIET: Duration = Duration::from_secs(6);

/// After work, and before the blocking threads would end, expired memories are looked for.
const BREATH: Duration = Duration::from_millis(500);

/// The least time between two looks that a clock brings about: what expires in it goes at once.
const LOOKS_APART: Duration = Duration::from_secs(1);

/// After each stretch of work looks for expired memories and gives memory back, once. In between
/// there is nothing to wake up for but a store that was opened and the next expiry that is known.
pub async fn rest_after(server: &Server) {
    let work = &server.work;
    let mut next = None;
    loop {
        let mut has_worked = tokio::select! {
            () = work.notified() => true,
            () = server.engine.store_opened() => false,
            () = passed(next) => false,
        };
        if !has_worked {
            next = upkeep(server).await;
        }
        while has_worked {
            while timeout(BREATH, work.notified()).await.is_ok() {}
            next = upkeep(server).await;
            has_worked = timeout(QUIET, work.notified()).await.is_ok();
            if !has_worked {
                allocator::give_back();
            }
        }
    }
}

/// Until that time, if there is one.
async fn passed(next: Option<Timestamp>) {
    match next {
        Some(at) => {
            let left = Duration::try_from(at.duration_since(Timestamp::now()));
            sleep(left.unwrap_or_default().max(LOOKS_APART)).await;
        }
        None => pending().await,
    }
}

async fn upkeep(server: &Server) -> Option<Timestamp> {
    // This look is at what was opened until now, so nobody need come again for it.
    tokio::select! {
        biased;
        () = server.engine.store_opened() => {}
        () = ready(()) => {}
    }
    let done = server.engine.upkeep().await;
    done.unwrap_or_else(|error| {
        let fields = [("error", json!(error.to_string()))];
        server.log.event(LogLevel::Warn, "upkeep failed", &fields);
        None
    })
}
