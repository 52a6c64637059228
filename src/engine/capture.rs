//! Keeping things.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::Engine;
use super::watch::{adds_nothing, without_quotes};
use crate::blocking::blocking;
use crate::capture::{Capture, Captured, Prepared, Refusal, prepare};
use crate::error::{Error, Result};
use crate::memory::{Content, Kind, Project, Timestamp};
use crate::store::{Put, Store};
use crate::text::Quotes;

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

    /// Takes out of replies and summaries what they repeat of what their session was given: it is
    /// kept already. This holds for whatever way they come, an import included.
    async fn cut_quotes(&self, captures: &mut [Capture]) -> Result<()> {
        let mut by_session: HashMap<String, Quotes> = HashMap::new();
        for capture in captures {
            let Some(session) = capture.session.clone() else {
                continue;
            };
            // A note says something on purpose, and so does what has a key.
            if capture.kind == Kind::Note || capture.key.is_some() {
                continue;
            }
            let quotes = match by_session.entry(session) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
                    let quotes = self.quotes(new.key()).await?;
                    new.insert(quotes)
                }
            };
            let (prompt, said) = match capture.kind {
                Kind::Turn => (capture.content.prompt(), capture.content.reply()),
                _ => ("", Some(capture.content.text.as_str())),
            };
            if let Some(kept) = said.and_then(|said| without_quotes(quotes, said)) {
                capture.content = match capture.kind {
                    // Nothing is refused, with the reason.
                    Kind::Turn if adds_nothing(prompt, &kept) => Content::plain(""),
                    Kind::Turn => Content::turn(prompt, &kept),
                    _ => Content::plain(kept),
                };
            }
        }
        Ok(())
    }

    async fn keep(&self, mut captures: Vec<Capture>) -> Result<Vec<Captured>> {
        // Callers who name one project themselves may not know that it is another by now.
        let mut known: HashMap<String, Project> = HashMap::new();
        for capture in &mut captures {
            let given = capture.project.clone();
            let project = match known.get(&given.key) {
                Some(project) => project.clone(),
                None => self.true_project(given.clone()).await?.0,
            };
            known.insert(given.key, project.clone());
            capture.project = project;
        }
        self.cut_quotes(&mut captures).await?;
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
                self.make_builtin_known().await;
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
