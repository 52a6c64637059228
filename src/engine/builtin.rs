//! The built-in model's part of vectors: a passage brings its own when it is captured, so all there
//! is to do is to tell the store of the model, and to make up for what was kept before that.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use super::Engine;
use super::vectors::{Known, LACKING, give_back, later, lock};
use crate::blocking::blocking;
use crate::error::Result;
use crate::memory::Timestamp;
use crate::models::{builtin, builtin_query_vector, builtin_vector};
use crate::recall::{Meaning, Semantic};
use crate::store::{Embedded, Made, Model, Work};

/// How much is claimed at once: some 10 ms of work.
const CLAIM_MAX: usize = 256;

/// Far more than that work takes; then it is somebody else's.
const LEASE: Duration = Duration::from_secs(30);

/// Of a longer query the beginning says what it is about.
const QUERY_BYTES_MAX: usize = 8 * 1024;

/// Hears how many vectors were made and how many still wait.
pub(super) type Told<'a> = &'a mut (dyn FnMut(u64, u64) + Send);

/// What an engine knows about its own model.
#[derive(Default)]
pub(super) struct Builtin {
    /// The store knows the model.
    is_known: AtomicBool,
    /// Passages lack a vector of it.
    is_behind: AtomicBool,
}

/// The store's entry for the built-in model.
pub(super) fn own_model(models: &[Model]) -> Option<&Model> {
    let (name, dimension) = builtin()?;
    let is_own = |model: &&Model| model.name == name && model.dimension == dimension;
    models.iter().find(is_own)
}

impl Engine {
    /// Tells the store of the model before it gets passages with vectors of it. A store that cannot
    /// be told is no reason to keep nothing: vectors are made later.
    pub(super) async fn make_builtin_known(&self) {
        let Some((name, dimension)) = builtin() else {
            return;
        };
        if self.vectors.builtin.is_known.load(Relaxed) {
            return;
        }
        let Ok(store) = Box::pin(self.store()).await else {
            return;
        };
        let told: Result<()> = async {
            let models = store.models().await?;
            let waiting = match own_model(&models) {
                Some(model) => model.waiting,
                None => store.put_model(name.to_owned(), dimension).await?.waiting,
            };
            self.vectors.builtin.is_known.store(true, Relaxed);
            self.vectors
                .builtin
                .is_behind
                .fetch_or(waiting > 0, Relaxed);
            Ok(())
        }
        .await;
        // Whatever is wrong with the store, the capture that follows says it.
        drop(told);
    }

    /// What the built-in model makes of a query, where nearly all passages have its vector.
    pub(super) fn builtin_semantic(&self, known: &Known, query: &str) -> Option<Semantic> {
        builtin()?;
        let model = own_model(&known.models);
        let waiting = model.map_or(known.passages, |model| model.waiting);
        if waiting > 0 {
            self.vectors.builtin.is_behind.store(true, Relaxed);
            self.vectors.wake();
        }
        let model = model.filter(|_| waiting <= known.passages / LACKING)?;
        let part = query.get(..query.floor_char_boundary(QUERY_BYTES_MAX));
        let vector = builtin_query_vector(part.unwrap_or(query))?;
        if vector.iter().all(|x| *x == 0.0) {
            return None;
        }
        Some(Semantic {
            model: model.id,
            vector: vector.into(),
            meaning: Meaning::Words,
        })
    }

    /// Whether somebody noticed that vectors of the built-in model are missing.
    pub(super) fn is_behind(&self) -> bool {
        self.vectors.builtin.is_behind.load(Relaxed)
    }

    /// Makes the vectors of the built-in model that are missing. `told` hears after each step how
    /// many were made and how many still wait.
    pub(super) async fn catch_up(&self, told: Told<'_>) -> Result<u64> {
        let Some((name, dimension)) = builtin() else {
            return Ok(0);
        };
        self.vectors.builtin.is_behind.store(false, Relaxed);
        let store = self.store().await?;
        let model = store.put_model(name.to_owned(), dimension).await?;
        let (mut made, mut waiting) = (0, model.waiting);
        loop {
            let now = Timestamp::now();
            let until = later(now, LEASE);
            let claim = store.claim(model.id, CLAIM_MAX, now, until).await?;
            if claim.work.is_empty() {
                *lock(&self.vectors.known) = None;
                return Ok(made);
            }
            *lock(&self.vectors.claimed) = Some((model.id, claim.clone()));
            let work = claim.work.clone();
            let embedded = blocking(move || Ok(embedded(work))).await?;
            let kept = store.put_vectors(model.id, claim.holder, embedded).await?;
            give_back(&store, model.id, &claim, now).await?;
            *lock(&self.vectors.claimed) = None;
            made += kept;
            waiting = waiting.saturating_sub(kept);
            told(made, waiting);
        }
    }
}

fn embedded(work: Vec<Work>) -> Vec<Embedded> {
    let vectors = work.into_iter().filter_map(|work| {
        let vector: Arc<[f32]> = builtin_vector(&work.text)?.into();
        Some(Embedded {
            passage: work.passage,
            digest: work.digest,
            made: Made::New(vector),
        })
    });
    vectors.collect()
}
