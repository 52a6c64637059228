//! How vectors stand.

use super::Engine;
use super::builtin::own_model;
use super::vectors::{current, lock};
use crate::models::{Embedder, ServiceHealth, builtin};

/// How vectors are.
#[derive(Debug, Clone)]
pub struct VectorStatus {
    /// The model of the settings, else the built-in one.
    pub model: String,
    /// How its service is, if it has one.
    pub health: Option<ServiceHealth>,
    /// Why no vectors are made at the moment, if there is a reason.
    pub problem: Option<String>,
    /// Numbers in a vector, once they are known.
    pub dimension: Option<usize>,
    /// Passages that wait for a vector of it, when the store answers.
    pub waiting: Option<u64>,
    /// What holds vectors back in the store, if something does.
    pub store_problem: Option<String>,
}

impl Engine {
    /// How vectors are; nothing where there is no model.
    pub async fn vector_status(&self) -> Option<VectorStatus> {
        let is_asked = self.config.models.embed.url.is_some();
        let name = match is_asked {
            true => self.config.models.embed.model.as_str(),
            false => builtin()?.0,
        };
        let loaded = self.vectors.embedder(&self.config.models);
        let embedder = loaded.as_ref().ok().and_then(Option::as_ref);
        let asked = self.store().await;
        let (mut known, mut store_problem) = (None, None);
        if let Ok(store) = asked {
            *lock(&self.vectors.known) = None;
            known = self.vectors.known(&store).await.ok();
            store_problem = store.vector_problem(is_asked).await.ok().flatten();
        }
        let model = known.as_ref().and_then(|known| match is_asked {
            true => current(embedder?, &known.models),
            false => own_model(&known.models),
        });
        let waiting = known.as_ref().map(|known| {
            // A model that nobody has met yet lacks them all.
            model.map_or(known.passages, |model| model.waiting)
        });
        let health = embedder.map(Embedder::health);
        let problem = match &loaded {
            Err(error) => Some(error.to_string()),
            Ok(_) => health.as_ref().and_then(|health| health.problem.clone()),
        };
        Some(VectorStatus {
            model: name.to_owned(),
            dimension: model.map(|model| model.dimension),
            waiting,
            problem: problem.or(lock(&self.vectors.broken_off).clone()),
            health,
            store_problem,
        })
    }
}
