//! Keeping things.

use super::Engine;
use crate::blocking::blocking;
use crate::capture::{Capture, Captured, Prepared, Refusal, prepare};
use crate::error::{Error, Result};
use crate::memory::Timestamp;
use crate::store::{Put, Store};

impl Engine {
    /// Keeps one thing.
    pub async fn capture(&self, capture: Capture) -> Result<Captured> {
        let mut outcomes = self.capture_all(vec![capture]).await?;
        outcomes
            .pop()
            .ok_or_else(|| Error::Internal("a capture had no outcome".to_owned()))
    }

    /// Keeps many things in one transaction; the answers are in the same order. An error about
    /// one of them keeps none.
    pub async fn capture_all(&self, captures: Vec<Capture>) -> Result<Vec<Captured>> {
        let all = self.meters.capture.time(self.keep(captures)).await?;
        all.iter()
            .for_each(|captured| self.meters.captured(captured));
        self.vectors.wake();
        Ok(all)
    }

    async fn keep(&self, captures: Vec<Capture>) -> Result<Vec<Captured>> {
        let (analyser, redact) = (self.analyser.clone(), self.config.redact);
        let now = Timestamp::now();
        // Analysis costs about 10 microseconds a kilobyte; a batch of an import must not hold up
        // the answers to others.
        let prepared = blocking(move || {
            captures
                .into_iter()
                .map(|capture| prepare(capture, &analyser, redact, now))
                .collect::<Result<Vec<_>>>()
        })
        .await?;

        let mut memories = Vec::with_capacity(prepared.len());
        let mut pending = Vec::with_capacity(prepared.len());
        for prepared in prepared {
            pending.push(match prepared {
                Prepared::Ready { memory, redacted } => {
                    let id = memory.id;
                    memories.push(*memory);
                    Ok((id, redacted))
                }
                Prepared::Refused(refusal) => Err(refusal),
            });
        }
        let mut stored = match memories.is_empty() {
            true => Vec::new(),
            false => {
                let expiry = memories.iter().filter_map(|new| new.expires_at).min();
                let stored = self.with_store(async |store: Store| store.put(memories).await);
                let stored = stored.await?;
                self.expire_after_write(expiry).await;
                stored
            }
        }
        .into_iter();
        pending
            .into_iter()
            .map(|pending| match pending {
                Err(refusal) => Ok(Captured::Refused(refusal)),
                Ok((id, redacted)) => match stored.next() {
                    Some(Put::Stored { superseded }) => Ok(Captured::Stored {
                        id,
                        superseded,
                        redacted,
                    }),
                    Some(Put::Updated(id)) => Ok(Captured::Updated { id, redacted }),
                    Some(Put::Known(id)) => Ok(Captured::Known { id }),
                    Some(Put::Forgotten) => Ok(Captured::Refused(Refusal::Forgotten)),
                    None => Err(Error::Internal("the store left a memory out".to_owned())),
                },
            })
            .collect()
    }
}
