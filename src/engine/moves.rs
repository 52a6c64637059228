//! Moving everything from one store to another.

use std::sync::Arc;

use tokio::sync::mpsc::channel;

use super::Engine;
use crate::blocking::blocking;
use crate::capture::index;
use crate::error::Result;
use crate::memory::Scope;
use crate::store::{Feed, Feeding, Merged, Record, Sink, Store};
use crate::text::Analyser;

impl Engine {
    /// Hands out all that a scope holds, as it is at one moment, while others go on writing.
    pub async fn export(&self, scope: &Scope, with_vectors: bool, sink: Sink) -> Result<()> {
        let scope = scope.clone();
        self.with_store(async |store: Store| store.export(scope, with_vectors, sink).await)
            .await
    }

    /// Takes in what another store handed out, in one transaction. It was redacted and admitted
    /// there, so it is kept as it is.
    pub async fn merge(&self, records: Vec<Record>) -> Result<Merged> {
        let records = analysed(records, &self.analyser).await?;
        self.with_store(async |store: Store| store.merge(records).await)
            .await
    }

    /// Puts what it is fed with in the place of all that is stored, if the feed comes to its end;
    /// else all stays as it was. A store that holds memories refuses, unless told `anyway`.
    pub async fn replace(&self, mut feed: Feeding, anyway: bool) -> Result<Merged> {
        let (sender, analysed_feed) = channel(1);
        let analysing = async {
            while let Some(more) = feed.recv().await {
                let more = match more {
                    Feed::Records(records) => {
                        Feed::Records(analysed(records, &self.analyser).await?)
                    }
                    Feed::End => Feed::End,
                };
                if sender.send(more).await.is_err() {
                    break;
                }
            }
            drop(sender);
            Ok(())
        };
        let replacing =
            self.with_store(async |store: Store| store.replace(analysed_feed, anyway).await);
        let (analysed, replaced) = tokio::join!(analysing, replacing);
        analysed.and(replaced)
    }
}

/// Makes what is indexed of memories anew, on a thread where it holds up nobody.
async fn analysed(mut records: Vec<Record>, analyser: &Arc<Analyser>) -> Result<Vec<Record>> {
    let analyser = Arc::clone(analyser);
    blocking(move || {
        for record in &mut records {
            if let Record::Memory(moved) = record {
                index(&mut moved.memory, &analyser);
            }
        }
        Ok(records)
    })
    .await
}
