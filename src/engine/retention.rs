//! Retention: what goes because of its age, or because its time is up.
//!
//! An expired memory goes at once, without grace: whoever set the time meant it, and until it has
//! passed the same words, said again, hold for longer.

use std::pin::pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

use super::{Engine, checked};
use crate::error::{Error, Result};
use crate::memory::{Filter, MemoryId, Scope, Selection, Timestamp, Which};
use crate::store::{Due, Forgotten, Store, Survey};

/// Memories of a batch: in the 0.1 seconds or so that one takes other writers wait.
const BATCH: usize = 250;

/// Names that are read at once: 1.6 MB.
const NAMES_MAX: usize = 100_000;

/// After each batch others get their turn: of the embedded store, whoever waits for the lock looks
/// for it every 1 to 9 ms.
const TURN_OF_OTHERS: Duration = Duration::from_millis(10);

/// How many expired memories a write takes along, in some 10 ms; the next one goes on.
const EXPIRED_PER_WRITE: u64 = 20;

/// How often at most the embedded store is written anew because something expired, in
/// milliseconds. What deleting leaves in the file until then are bytes that no call can reach;
/// writing a gigabyte each time one of many memories expires would cost more than that is worth.
const RECLAIM_PAUSE_MS: i64 = 3_600_000;

/// How a prune ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// What it deleted.
    pub forgotten: Forgotten,
    /// Whether it was stopped before its end.
    pub interrupted: bool,
}

/// What a process knows of what it will have to do.
pub(super) struct Upkeep {
    /// Told when a store was opened, which nobody has looked at yet.
    pub opened: Notify,
    /// When the next memory expires; in the past until this process has looked.
    expiry_ms: AtomicI64,
    /// When the store may be written anew again.
    reclaim_ms: AtomicI64,
}

impl Default for Upkeep {
    fn default() -> Self {
        Self {
            opened: Notify::new(),
            expiry_ms: AtomicI64::new(i64::MIN),
            reclaim_ms: AtomicI64::new(i64::MIN),
        }
    }
}

impl Upkeep {
    fn hear_of(&self, expiry: Option<Timestamp>) {
        if let Some(expiry) = expiry {
            let at_ms = expiry.as_millisecond();
            self.expiry_ms.fetch_min(at_ms, Ordering::Relaxed);
        }
    }

    /// Asks what is due, and remembers when something will be.
    async fn look(&self, store: &Store) -> Result<Due> {
        // Before it asks, so that nothing is lost that others hear of meanwhile.
        let known_ms = self.expiry_ms.swap(i64::MAX, Ordering::Relaxed);
        let due = store.due().await.inspect_err(|_| {
            self.expiry_ms.fetch_min(known_ms, Ordering::Relaxed);
        })?;
        self.hear_of(due.expiry);
        Ok(due)
    }
}

impl Engine {
    /// What [`Engine::prune`] would delete.
    pub async fn prune_preview(&self, selection: &Selection) -> Result<Survey> {
        let selection = complete(selection)?;
        self.with_store(async |store: Store| store.survey(selection).await)
            .await
    }

    /// Deletes a selection for good, batch by batch, until there is no more of it or `stop` is
    /// done; then makes its space free. `on_progress` is called after each batch.
    ///
    /// # Errors
    /// Those of the store; what was deleted before stays deleted, and the message says how much.
    pub async fn prune(
        &self,
        selection: &Selection,
        stop: impl Future<Output = ()>,
        on_progress: &mut dyn FnMut(&Forgotten),
    ) -> Result<Pruned> {
        let selection = complete(selection)?;
        let mut stop = pin!(stop);
        let mut pruned = Pruned::default();
        loop {
            let before = pruned.forgotten.memories;
            let names = self.names(&selection, NAMES_MAX).await;
            let names = names.map_err(|error| with_progress(error, &pruned.forgotten))?;
            for batch in names.chunks(BATCH) {
                pruned.interrupted = tokio::select! {
                    biased;
                    () = &mut stop => true,
                    () = sleep(TURN_OF_OTHERS) => false,
                };
                if pruned.interrupted {
                    break;
                }
                let gone = self.forget_selected(&selection, batch).await;
                pruned.forgotten +=
                    gone.map_err(|error| with_progress(error, &pruned.forgotten))?;
                on_progress(&pruned.forgotten);
            }
            if pruned.interrupted || pruned.forgotten.memories == before {
                break;
            }
        }
        self.reclaim(pruned.forgotten.memories).await?;
        Ok(pruned)
    }

    /// Deletes what has expired, and what of that is still in the files, to be called when there
    /// is time. Returns when the next call has something to do.
    pub async fn upkeep(&self) -> Result<Option<Timestamp>> {
        let (gone, due) = self.expire(u64::MAX).await?;
        if gone == 0 && !due.has_traces {
            return Ok(due.expiry);
        }
        let now = Timestamp::now();
        let reclaim_ms = self.upkeep.reclaim_ms.load(Ordering::Relaxed);
        if now.as_millisecond() < reclaim_ms {
            let reclaim = Timestamp::from_millisecond(reclaim_ms).ok();
            let reclaim = reclaim.filter(|_| due.has_traces);
            return Ok(due.expiry.into_iter().chain(reclaim).min());
        }
        let next_ms = now.as_millisecond().saturating_add(RECLAIM_PAUSE_MS);
        self.upkeep.reclaim_ms.store(next_ms, Ordering::Relaxed);
        self.reclaim(gone).await?;
        Ok(due.expiry)
    }

    async fn reclaim(&self, memories: u64) -> Result<()> {
        self.with_store(async |store: Store| store.reclaim(memories).await)
            .await
    }

    /// Returns when a store was opened since the last call: it may hold what has expired.
    pub async fn store_opened(&self) {
        self.upkeep.opened.notified().await;
    }

    /// After a write that brought something which expires then: deletes a little of what is due.
    /// What was written is written, so that this failed is only counted, and tried again.
    pub(super) async fn expire_after_write(&self, expiry: Option<Timestamp>) {
        self.upkeep.hear_of(expiry);
        let due_ms = self.upkeep.expiry_ms.load(Ordering::Relaxed);
        if due_ms <= Timestamp::now().as_millisecond() {
            let _counted = self.expire(EXPIRED_PER_WRITE).await;
        }
    }

    /// Deletes what has expired until at least `enough` is gone. Returns how much it was, and what
    /// is due then.
    async fn expire(&self, enough: u64) -> Result<(u64, Due)> {
        let expired = Selection {
            scope: Scope::All,
            filter: Filter::default(),
            which: Which::Expired,
            now: Timestamp::now(),
        };
        let limit = BATCH.min(usize::try_from(enough).unwrap_or(BATCH));
        let mut gone = 0;
        loop {
            let due = self.with_store(async |store: Store| self.upkeep.look(&store).await);
            let due = due.await?;
            if gone >= enough || due.expiry.is_none_or(|at| at > expired.now) {
                return Ok((gone, due));
            }
            if gone > 0 {
                sleep(TURN_OF_OTHERS).await;
            }
            let names = self.names(&expired, limit).await?;
            let more = self.forget_selected(&expired, &names).await?.memories;
            self.meters.expired.add(more);
            gone += more;
            if more == 0 {
                // Another process has them in hand.
                return Ok((gone, due));
            }
        }
    }

    async fn names(&self, selection: &Selection, limit: usize) -> Result<Vec<MemoryId>> {
        let selection = selection.clone();
        self.with_store(async |store: Store| store.select(selection, limit).await)
            .await
    }

    async fn forget_selected(&self, selection: &Selection, ids: &[MemoryId]) -> Result<Forgotten> {
        let (selection, ids) = (selection.clone(), ids.to_vec());
        self.with_store(async |store: Store| store.forget(selection, ids).await)
            .await
    }
}

/// A selection as the store compares it.
fn complete(selection: &Selection) -> Result<Selection> {
    Ok(Selection {
        filter: checked(&selection.filter)?,
        ..selection.clone()
    })
}

/// Adds to an error of the store what it leaves behind.
fn with_progress(error: Error, forgotten: &Forgotten) -> Error {
    if forgotten.memories == 0 {
        return error;
    }
    let more = format!(
        "; {forgotten} had been deleted before and stay deleted, run the same prune again to go on"
    );
    match error {
        Error::Store(message) => Error::Store(message + &more),
        Error::Unavailable(message) => Error::Unavailable(message + &more),
        other => other,
    }
}
