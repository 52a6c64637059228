//! What models add to a recall.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tokio::sync::SemaphorePermit;

use super::Engine;
use crate::config::ServiceConfig;
use crate::error::Error;
use crate::error::Result;
use crate::models::{Chooser, Reranker, ServiceHealth};
use crate::recall::{Aids, Condenser, Rerank};
use crate::store::Store;

/// A reranker that is left less than this is not asked: none answers so fast.
const RERANK_PATIENCE_MIN: Duration = Duration::from_millis(20);

/// The reranker of the settings, once somebody asked for it.
#[derive(Default)]
pub(super) struct Reranking {
    model: OnceLock<Result<Option<Reranker>>>,
}

/// The model of the settings that converses, once somebody asked for it.
#[derive(Default)]
pub(super) struct Condensing {
    model: OnceLock<Result<Option<Chooser>>>,
}

/// How reranking or condensing is.
#[derive(Debug, Clone)]
pub struct ServiceStatus {
    /// The model of the settings.
    pub model: String,
    /// How its service is.
    pub health: Option<ServiceHealth>,
    /// Why it does not work at the moment, if it does not.
    pub problem: Option<String>,
}

impl Engine {
    /// The models' part of a recall and a turn to compute it. Second is what is missing, and why,
    /// when it should not be. `patience` is for all models together; whoever waits for one takes
    /// nobody's turn.
    pub(super) async fn aids(
        &self,
        store: &Store,
        query: &str,
        patience: Duration,
    ) -> Result<(Aids<SemaphorePermit<'_>>, Option<String>)> {
        let until = Instant::now() + patience;
        let (semantic, mut degraded) = self.semantic(store, query, patience).await;
        let turn = self.turns.take().await?;
        let rerank = match self.reranker() {
            Ok(None) => None,
            Ok(Some(model)) => {
                let left = until.saturating_duration_since(Instant::now());
                match left > RERANK_PATIENCE_MIN {
                    true => Some(Rerank { model, until }),
                    false => {
                        let late = "no time was left for the reranking service";
                        degraded.get_or_insert(late.to_owned());
                        None
                    }
                }
            }
            Err(error) => {
                degraded.get_or_insert(error.to_string());
                None
            }
        };
        let aids = Aids {
            semantic,
            rerank,
            turn,
        };
        Ok((aids, degraded))
    }

    fn reranker(&self) -> Result<Option<Reranker>> {
        let loaded = &self.reranking.model;
        loaded
            .get_or_init(|| Reranker::load(&self.config.models))
            .clone()
    }

    fn chooser(&self) -> Result<Option<Chooser>> {
        let loaded = &self.condensing.model;
        loaded
            .get_or_init(|| Chooser::load(&self.config.models))
            .clone()
    }

    /// What leaves out of a context what a question does not need, for a caller who waits for it.
    ///
    /// # Errors
    /// Where no such model is configured, or not rightly.
    pub(super) fn condenser(&self) -> Result<Condenser> {
        let patience = self.config.models.chat.timeout;
        let model = self.chooser()?;
        let model = model.ok_or_else(|| {
            let variable = self.config.models.chat.names.url;
            Error::Unavailable(format!("nothing was condensed: {variable} is not set"))
        });
        model.map(|model| Condenser { model, patience })
    }

    /// Has whatever is left alone, since it did not answer, asked again at the next call, and names
    /// it.
    pub async fn reset_circuits(&self) -> Vec<&'static str> {
        let store = self.store.lock().await.clone();
        let embedder = self.vectors.embedder(&self.config.models).ok().flatten();
        let reranker = self.reranker().ok().flatten();
        let chooser = self.chooser().ok().flatten();
        let models = &self.config.models;
        let were_open = [
            ("the store", store.is_some_and(|store| store.reset())),
            (
                models.embed.names.service,
                embedder.is_some_and(|embedder| embedder.reset()),
            ),
            (
                models.rerank.names.service,
                reranker.is_some_and(|reranker| reranker.reset()),
            ),
            (
                models.chat.names.service,
                chooser.is_some_and(|chooser| chooser.reset()),
            ),
        ];
        // Its queue waits for the end of a pause that is over.
        self.vectors.wake();
        let named = were_open.into_iter().filter(|(_, was_open)| *was_open);
        named.map(|(name, _)| name).collect()
    }

    /// How reranking is; nothing where no model is configured.
    pub fn rerank_status(&self) -> Option<ServiceStatus> {
        let health = self
            .reranker()
            .map(|model| model.map(|model| model.health()));
        status(&self.config.models.rerank, health)
    }

    /// How condensing is; nothing where no model is configured.
    pub fn condense_status(&self) -> Option<ServiceStatus> {
        let health = self
            .chooser()
            .map(|model| model.map(|model| model.health()));
        status(&self.config.models.chat, health)
    }
}

fn status(config: &ServiceConfig, health: Result<Option<ServiceHealth>>) -> Option<ServiceStatus> {
    config.url.as_ref()?;
    let problem = match &health {
        Err(error) => Some(error.to_string()),
        Ok(health) => health.as_ref().and_then(|health| health.problem.clone()),
    };
    Some(ServiceStatus {
        model: config.model.clone(),
        health: health.ok().flatten(),
        problem,
    })
}
