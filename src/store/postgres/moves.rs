//! The verbs that move all of a store, which no time limit of a call fits.

use std::collections::BTreeSet;

use super::db::{Db, Failure};
use super::{Postgres, TRIES_MAX, explain, export, merge, stats, unknown_fate};
use crate::error::Result;
use crate::memory::Scope;
use crate::store::{Feed, Feeding, Merged, Record, Sink, broken_feed, refuse_to_replace};

/// Chunks of a restore that are taken in at once, some 30 MB with their terms. Until its transaction
/// ends nothing is cleared away, so each time that a term's count or newest chunk is changed leaves
/// a row that every later change steps over: few large steps are faster than many small ones.
const CHUNKS_AT_ONCE: usize = 8;

/// Verbs of [`crate::store::Store`], whose documentation is theirs.
#[allow(missing_docs, reason = "documented once, in the contract")]
impl Postgres {
    pub async fn export(&self, scope: Scope, with_vectors: bool, sink: Sink) -> Result<()> {
        let _turn = self.turn().await?;
        // Not tried again: what was handed out cannot be taken back.
        let db = self.connect().await?;
        let exported = export::export(&db, &scope, with_vectors, &sink).await;
        exported.map_err(|failure| explain::failure(&self.inner.place, failure))
    }

    pub async fn merge(&self, records: Vec<Record>) -> Result<Merged> {
        let locks: BTreeSet<i64> = merge::projects(&records)
            .map(|project| self.project_lock(&project.key))
            .collect();
        let locks: Vec<i64> = locks.into_iter().collect();
        let records = &records;
        self.write(&locks, |db| async move { merge::merge(&db, records).await })
            .await
    }

    pub async fn replace(&self, mut feed: Feeding, anyway: bool) -> Result<Merged> {
        let _turn = self.turn().await?;
        let place = &self.inner.place;
        let explain = |failure| explain::failure(place, failure);
        let db = self.lock_all().await?;
        let held = stats::count(&db, &Scope::All).await.map_err(explain)?;
        refuse_to_replace(held.memories, anyway)?;
        db.batch(merge::CLEAR).await.map_err(explain)?;
        let (mut merged, mut waiting) = (Merged::default(), Vec::new());
        let (mut chunks, mut is_over) = (0, false);
        while !is_over {
            match feed.recv().await {
                Some(Feed::Records(records)) => waiting.extend(records),
                Some(Feed::End) => is_over = true,
                None => return Err(broken_feed()),
            }
            chunks += 1;
            if is_over || chunks == CHUNKS_AT_ONCE {
                merged.add(&merge::merge(&db, &waiting).await.map_err(explain)?);
                waiting.clear();
                chunks = 0;
            }
        }
        if let Err(failure) = db.commit().await {
            return Err(explain(unknown_fate(place, failure)?));
        }
        drop(db);
        // Nothing depends on it: what is not cleared away now autovacuum finds in its own time.
        let _ = self.reclaim(held.memories + merged.stored).await;
        Ok(merged)
    }

    /// A connection in a transaction that keeps every other writer out. Writers take their locks
    /// one by one, so that one of them may stand in the way; then all are let go, and asked again.
    async fn lock_all(&self) -> Result<Db> {
        let mut tries = 1;
        loop {
            let db = self.connect().await?;
            let locked = async {
                db.begin_writing(&[]).await?;
                db.batch(export::LONG_LIMITS).await?;
                db.batch(merge::LOCK).await
            };
            match locked.await {
                Ok(()) => return Ok(db),
                Err(Failure::Sql(error)) if tries < TRIES_MAX && explain::is_lost_race(&error) => {}
                Err(failure) => return Err(explain::failure(&self.inner.place, failure)),
            }
            tries += 1;
        }
    }
}
