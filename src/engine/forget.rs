//! Forgetting: first a look at what would go, then exactly that.

use sha2::{Digest, Sha256};

use super::{Engine, checked};
use crate::error::{Error, Result};
use crate::memory::{Filter, Memory, MemoryId, Scope, Selection, Timestamp, Which};
use crate::store::{Forgotten, Store};

/// Which memories to forget.
#[derive(Debug, Clone)]
pub struct ForgetRequest {
    /// Where they must be; nothing beyond it is touched.
    pub scope: Scope,
    /// These, by name; or, when empty, all that the filter selects (an empty filter is refused).
    pub ids: Vec<MemoryId>,
    /// Used when `ids` is empty.
    pub filter: Filter,
}

/// What a forget would delete.
#[derive(Debug, Clone)]
pub struct ForgetPreview {
    /// How many memories.
    pub memories: u64,
    /// The first few, to look at.
    pub sample: Vec<Memory>,
    /// Hand this to [`Engine::forget`]; it stands for exactly this set.
    pub code: String,
}

/// The most memories that one forget by filter deletes: what a preview can still be judged by.
pub const FORGET_MAX: usize = 100_000;

/// How many memories a forget's preview shows.
const PREVIEW_SAMPLE: usize = 5;

impl Engine {
    /// What [`Engine::forget`] would delete.
    pub async fn forget_preview(&self, request: &ForgetRequest) -> Result<ForgetPreview> {
        let ids = self.forgettable(request).await?;
        let first = ids.iter().take(PREVIEW_SAMPLE).copied().collect::<Vec<_>>();
        let sample = self.memories(&request.scope, &first).await?;
        Ok(ForgetPreview {
            memories: ids.len() as u64,
            sample,
            code: code_of(&ids),
        })
    }

    /// Deletes for good what the preview with this code showed; if the set has changed since, the
    /// error says so and nothing is deleted.
    pub async fn forget(&self, request: &ForgetRequest, code: &str) -> Result<Forgotten> {
        let ids = self.forgettable(request).await?;
        if code_of(&ids) != code {
            return Err(Error::invalid(
                "confirm",
                "this is not the code of the latest preview, or the memories have changed since; \
                 nothing was deleted. Ask for the preview again",
            ));
        }
        let selection = Selection {
            scope: request.scope.clone(),
            filter: Filter::default(),
            which: Which::Any,
            now: Timestamp::now(),
        };
        self.with_store(async |store: Store| {
            // A caller who goes away in the middle must not leave traces behind.
            let whole = tokio::spawn(async move {
                let forgotten = store.forget(selection, ids).await?;
                store.reclaim(forgotten.memories).await?;
                Ok(forgotten)
            });
            let broken = |error| Err(Error::Internal(format!("a forget broke off: {error}")));
            whole.await.unwrap_or_else(broken)
        })
        .await
    }

    /// The names a forget is about, sorted, so that the same set has the same code.
    async fn forgettable(&self, request: &ForgetRequest) -> Result<Vec<MemoryId>> {
        let mut ids: Vec<MemoryId> = if !request.ids.is_empty() {
            let found = self.memories(&request.scope, &request.ids).await?;
            found.into_iter().map(|memory| memory.id).collect()
        } else if request.filter.is_empty() {
            return Err(Error::invalid(
                "ids",
                "name the memories to forget, or a filter that selects them",
            ));
        } else {
            let selection = Selection {
                scope: request.scope.clone(),
                filter: checked(&request.filter)?,
                which: Which::Live,
                now: Timestamp::now(),
            };
            self.with_store(async |store: Store| store.select(selection, FORGET_MAX + 1).await)
                .await?
        };
        if ids.is_empty() {
            return Err(Error::NotFound(
                "no such memory is here; nothing was deleted".to_owned(),
            ));
        }
        if ids.len() > FORGET_MAX {
            return Err(Error::invalid(
                "filter",
                format!("it selects more than {FORGET_MAX} memories; narrow it, with `before`"),
            ));
        }
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }
}

/// Stands for a set of memories in a confirmation; 32 bits are enough against a mistake.
fn code_of(ids: &[MemoryId]) -> String {
    let mut digest = Sha256::new();
    ids.iter().for_each(|id| digest.update(id.as_bytes()));
    digest
        .finalize()
        .iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
