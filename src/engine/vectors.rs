//! Making vectors beside everything else, and asking with them.
//!
//! What waits for a vector stands in the store, so nothing is lost with a process, and whoever has
//! a model works it off. Between stretches of work nothing runs: captures wake the worker up.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::Engine;
use crate::config::ModelsConfig;
use crate::error::{Error, Result};
use crate::memory::{Scope, Timestamp};
use crate::models::{BATCH_MAX, Embedder, Embedding, Failure, ServiceHealth};
use crate::recall::Semantic;
use crate::store::{Claim, Embedded, Made, Model, Store, Work};

/// How much is claimed at once: two requests, which are sent together.
const CLAIM_MAX: usize = 2 * BATCH_MAX;

/// Beyond what four tries of a request may take, what was claimed is somebody else's.
const CLAIM_TRIES: u32 = 4;
const CLAIM_SLACK: Duration = Duration::from_secs(10);

/// A text that the service refuses is not sent again before that.
const REFUSED_PAUSE: Duration = Duration::from_secs(24 * 60 * 60);

/// The least pause after a failure.
const FAILURE_PAUSE: Duration = Duration::from_secs(1);

/// How long what is known about the models holds.
const KNOWN_FOR: Duration = Duration::from_secs(2);

/// A model answers when no more than this share of the passages lacks a vector of it: 1 in so many.
/// Until then a former model answers, if there is one.
const LACKING: u64 = 10;

/// Sent once to learn how many numbers a model's vectors have.
const PROBE: &str = "How long is a vector?";

/// The part of an engine that has to do with vectors.
#[derive(Default)]
pub(super) struct Vectors {
    embedder: OnceLock<Result<Option<Embedder>>>,
    work: Notify,
    known: Mutex<Option<(Instant, Known)>>,
    /// Former models that the service does not have.
    foreign: Mutex<HashSet<i64>>,
    claimed: Mutex<Option<(i64, Claim)>>,
    /// Why the last stretch of work broke off, if it did.
    broken_off: Mutex<Option<String>>,
}

/// What the store says about models.
#[derive(Debug, Clone)]
struct Known {
    models: Vec<Model>,
    passages: u64,
}

/// How vectors are.
#[derive(Debug, Clone)]
pub struct VectorStatus {
    /// The model of the settings.
    pub model: String,
    /// How its service is.
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

/// What a stretch of work came to.
enum Step {
    /// So many passages have a vector now; there may be more.
    Made(u64),
    /// Nothing is left, or others have it until then.
    Idle(Option<Timestamp>),
}

/// Why a stretch of work broke off.
enum Stop {
    Store(Error),
    Model(Failure),
}

impl Stop {
    fn message(&self) -> String {
        match self {
            Self::Store(error) => error.to_string(),
            Self::Model(failure) => failure.message().to_owned(),
        }
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Model(failure)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Vectors {
    fn embedder(&self, config: &ModelsConfig) -> Result<Option<Embedder>> {
        self.embedder.get_or_init(|| Embedder::load(config)).clone()
    }

    /// Something may wait for a vector.
    pub fn wake(&self) {
        self.work.notify_one();
    }

    async fn known(&self, store: &Store) -> Result<Known> {
        let known = lock(&self.known).clone();
        if let Some((at, known)) = known
            && at.elapsed() < KNOWN_FOR
        {
            return Ok(known);
        }
        let models = store.models().await?;
        let passages = store.count(Scope::All).await?.passages;
        let known = Known { models, passages };
        *lock(&self.known) = Some((Instant::now(), known.clone()));
        Ok(known)
    }

    /// The model that answers: the one of the settings, unless it lacks many vectors that a former
    /// one has.
    fn answering(&self, embedder: &Embedder, known: &Known) -> Option<Model> {
        let current = current(embedder, &known.models);
        if let Some(current) = current.filter(|model| model.waiting <= known.passages / LACKING) {
            return Some(current.clone());
        }
        let foreign = lock(&self.foreign);
        let mut best: Option<&Model> = current.filter(|model| model.waiting < known.passages);
        for model in &known.models {
            let least = best.map_or(known.passages, |best| best.waiting);
            if model.waiting < least && !foreign.contains(&model.id) {
                best = Some(model);
            }
        }
        best.cloned()
    }
}

fn current<'a>(embedder: &Embedder, models: &'a [Model]) -> Option<&'a Model> {
    let asked = embedder.asked_dimension();
    models.iter().find(|model| {
        model.name == embedder.model() && asked.is_none_or(|asked| asked == model.dimension)
    })
}

impl Engine {
    /// What the vectors' leg of a recall needs; nothing where no model is configured or nothing has
    /// a vector yet. Second is why it is missing when it should not be.
    pub(super) async fn semantic(
        &self,
        store: &Store,
        query: &str,
        patience: Duration,
    ) -> (Option<Semantic>, Option<String>) {
        let embedder = match self.vectors.embedder(&self.config.models) {
            Ok(Some(embedder)) => embedder,
            Ok(None) => return (None, None),
            Err(error) => return (None, Some(error.to_string())),
        };
        let known = match self.vectors.known(store).await {
            Ok(known) => known,
            Err(error) => return (None, Some(error.to_string())),
        };
        let current = current(&embedder, &known.models);
        if known.passages > 0 && current.is_none_or(|model| model.waiting > 0) {
            self.vectors.wake();
        }
        let Some(model) = self.vectors.answering(&embedder, &known) else {
            return (None, None);
        };
        let asking = embedder.embed_query(query, &model.name, model.dimension, patience);
        match asking.await {
            Ok(vector) => (
                Some(Semantic {
                    model: model.id,
                    vector,
                }),
                None,
            ),
            Err(failure) => {
                let is_former = current.is_none_or(|current| current.id != model.id);
                let is_lasting = !matches!(failure, Failure::Away(_) | Failure::Spent(_));
                if is_former && is_lasting {
                    lock(&self.vectors.foreign).insert(model.id);
                }
                (None, Some(failure.message().to_owned()))
            }
        }
    }

    /// Makes vectors whenever something waits for one; ends at once where no model is configured.
    /// Where it should not begin with what waits already, it does so after the first call.
    pub async fn keep_making_vectors(&self, begin_at_once: bool) {
        let Ok(Some(embedder)) = self.vectors.embedder(&self.config.models) else {
            return;
        };
        if !begin_at_once {
            self.vectors.work.notified().await;
        }
        loop {
            let step = self.make_some(&embedder).await;
            *lock(&self.vectors.broken_off) = step.as_ref().err().map(Stop::message);
            match step {
                Ok(Step::Made(_)) => {}
                Ok(Step::Idle(None)) => self.vectors.work.notified().await,
                Ok(Step::Idle(Some(next))) => {
                    let wait = until(next).max(FAILURE_PAUSE);
                    // Whoever held it may have given it back by then.
                    drop(timeout(wait, self.vectors.work.notified()).await);
                }
                Err(Stop::Model(Failure::Spent(_))) => sleep(until_midnight()).await,
                Err(_) => sleep(embedder.pause().max(FAILURE_PAUSE)).await,
            }
        }
    }

    /// Makes every vector that is missing. `told` hears after each step how many were made and how
    /// many still wait.
    ///
    /// # Errors
    /// Where no model is configured, or it does not answer.
    pub async fn reindex(&self, mut told: impl FnMut(u64, u64)) -> Result<u64> {
        let embedder = self.vectors.embedder(&self.config.models)?.ok_or_else(|| {
            Error::invalid(
                "SAGE_EMBED_URL",
                "no model is configured, so there are no vectors to make; set it, and \
                 SAGE_EMBED_MODEL, or SAGE_PROVIDER",
            )
        })?;
        let mut made = 0;
        loop {
            match self.make_some(&embedder).await {
                Ok(Step::Made(more)) => {
                    made += more;
                    let known = self.known_models().await?;
                    let waiting =
                        current(&embedder, &known.models).map_or(0, |model| model.waiting);
                    told(made, waiting);
                }
                Ok(Step::Idle(None)) => return Ok(made),
                // What a service refuses waits until tomorrow; what others hold, a moment.
                Ok(Step::Idle(Some(next))) if until(next) > REFUSED_PAUSE / 2 => return Ok(made),
                Ok(Step::Idle(Some(next))) => sleep(until(next).max(FAILURE_PAUSE)).await,
                Err(Stop::Store(error)) => return Err(error),
                Err(Stop::Model(failure)) => {
                    return Err(Error::Unavailable(format!(
                        "{}; what has a vector keeps it, and the same command goes on from there",
                        failure.message()
                    )));
                }
            }
        }
    }

    /// Forgets all models but that of the settings, with their vectors; returns how many.
    ///
    /// # Errors
    /// Where that of the settings is not known yet: then nothing is left to search with.
    pub async fn prune_models(&self) -> Result<usize> {
        let embedder = self.vectors.embedder(&self.config.models)?;
        let known = self.known_models().await?;
        let current = embedder.and_then(|embedder| current(&embedder, &known.models).cloned());
        let current = current.ok_or_else(|| {
            Error::invalid(
                "--prune",
                "the configured model has no vectors; make them first",
            )
        })?;
        let others = known.models.iter().filter(|model| model.id != current.id);
        let mut count = 0;
        for model in others {
            self.with_store(async |store: Store| store.forget_model(model.id).await)
                .await?;
            count += 1;
        }
        *lock(&self.vectors.known) = None;
        Ok(count)
    }

    async fn known_models(&self) -> Result<Known> {
        *lock(&self.vectors.known) = None;
        self.with_store(async |store: Store| self.vectors.known(&store).await)
            .await
    }

    /// How vectors are; nothing where no model is configured.
    pub async fn vector_status(&self) -> Option<VectorStatus> {
        self.config.models.embed.url.as_ref()?;
        let loaded = self.vectors.embedder(&self.config.models);
        let embedder = loaded.as_ref().ok().and_then(Option::as_ref);
        let asked = self.store().await;
        let (mut known, mut store_problem) = (None, None);
        if let Ok(store) = asked {
            *lock(&self.vectors.known) = None;
            known = self.vectors.known(&store).await.ok();
            store_problem = store.vector_problem().await.ok().flatten();
        }
        let model = embedder
            .zip(known.as_ref())
            .and_then(|(embedder, known)| current(embedder, &known.models));
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
            model: self.config.models.embed.model.clone(),
            dimension: model.map(|model| model.dimension),
            waiting,
            problem: problem.or(lock(&self.vectors.broken_off).clone()),
            health,
            store_problem,
        })
    }

    /// Gives back what was claimed: another process may go on with it at once.
    pub(super) async fn give_claim_back(&self, store: &Store) -> Result<()> {
        let claimed = lock(&self.vectors.claimed).take();
        match claimed {
            Some((model, claim)) => give_back(store, model, &claim, Timestamp::now()).await,
            None => Ok(()),
        }
    }

    async fn make_some(&self, embedder: &Embedder) -> std::result::Result<Step, Stop> {
        let store = self.store().await?;
        let model = self.known_model(&store, embedder).await?;
        let now = Timestamp::now();
        let lease = self.config.models.embed.timeout * CLAIM_TRIES + CLAIM_SLACK;
        let claim = store
            .claim(model.id, CLAIM_MAX, now, later(now, lease))
            .await?;
        if claim.work.is_empty() {
            return Ok(Step::Idle(claim.next));
        }
        *lock(&self.vectors.claimed) = Some((model.id, claim.clone()));
        let outcome = make(embedder, &model, &claim.work).await;
        let kept = store
            .put_vectors(model.id, claim.holder, outcome.made)
            .await?;
        // Those that are kept do not wait any more, so giving all back concerns the others only.
        if !outcome.refused.is_empty() {
            let tomorrow = later(now, REFUSED_PAUSE);
            let (id, holder) = (model.id, claim.holder);
            store
                .give_back(id, holder, outcome.refused, tomorrow)
                .await?;
        }
        give_back(&store, model.id, &claim, now).await?;
        *lock(&self.vectors.claimed) = None;
        *lock(&self.vectors.known) = None;
        match outcome.failure {
            Some(failure) => Err(failure.into()),
            None => Ok(Step::Made(kept)),
        }
    }

    /// The store's entry for the model of the settings.
    async fn known_model(
        &self,
        store: &Store,
        embedder: &Embedder,
    ) -> std::result::Result<Model, Stop> {
        let known = store.models().await?;
        let dimension = match current(embedder, &known) {
            Some(model) => model.dimension,
            None => match embedder.asked_dimension() {
                Some(asked) => asked,
                None => {
                    let probe = embedder.embed(&[PROBE], None).await?;
                    probe.first().map_or(0, |vector| vector.len())
                }
            },
        };
        let name = embedder.model().to_owned();
        Ok(store.put_model(name, dimension).await?)
    }
}

async fn give_back(store: &Store, model: i64, claim: &Claim, until: Timestamp) -> Result<()> {
    let passages = claim.work.iter().map(|work| work.passage).collect();
    store.give_back(model, claim.holder, passages, until).await
}

/// What became of claimed work.
#[derive(Default)]
struct Outcome {
    made: Vec<Embedded>,
    /// Passages whose text the service does not take.
    refused: Vec<i64>,
    failure: Option<Failure>,
}

/// Makes the vectors of claimed passages: each different text once, two requests at a time.
async fn make(embedder: &Embedder, model: &Model, work: &[Work]) -> Outcome {
    let mut by_digest: HashMap<[u8; 16], &str> = HashMap::new();
    let mut texts: Vec<([u8; 16], &str)> = Vec::new();
    for work in work.iter().filter(|work| !work.is_known) {
        if by_digest.insert(work.digest, &work.text).is_none() {
            texts.push((work.digest, &work.text));
        }
    }
    let (first, second) = texts.split_at(texts.len().min(BATCH_MAX));
    let (first, second) = tokio::join!(
        batch(embedder, model, first),
        batch(embedder, model, second),
    );
    let mut vectors: HashMap<[u8; 16], Option<Embedding>> = HashMap::new();
    let mut outcome = Outcome::default();
    for (found, failure) in [first, second] {
        vectors.extend(found);
        outcome.failure = outcome.failure.or(failure);
    }
    let mut same = Vec::new();
    for work in work {
        let embedded = |made| Embedded {
            passage: work.passage,
            digest: work.digest,
            made,
        };
        match vectors.get_mut(&work.digest) {
            _ if work.is_known => same.push(embedded(Made::Same)),
            Some(Some(vector)) => outcome.made.push(embedded(Made::New(vector.clone()))),
            Some(None) => outcome.refused.push(work.passage),
            None => {}
        }
    }
    outcome.made.extend(same);
    outcome
}

type Batch = (Vec<([u8; 16], Option<Embedding>)>, Option<Failure>);

/// The vectors of some texts. Of a batch that is refused each text is tried by itself, so that one
/// of them does not hold up the others; one that is refused alone has no vector.
async fn batch(embedder: &Embedder, model: &Model, texts: &[([u8; 16], &str)]) -> Batch {
    if texts.is_empty() {
        return (Vec::new(), None);
    }
    let words: Vec<&str> = texts.iter().map(|(_, text)| *text).collect();
    let digests = texts.iter().map(|(digest, _)| *digest);
    match embedder.embed(&words, Some(model.dimension)).await {
        Ok(vectors) => (digests.zip(vectors.into_iter().map(Some)).collect(), None),
        Err(Failure::Refused(_)) if texts.len() > 1 => {
            let mut found = Vec::new();
            for (digest, text) in texts {
                match embedder.embed(&[*text], Some(model.dimension)).await {
                    Ok(mut vectors) => found.push((*digest, vectors.pop())),
                    Err(Failure::Refused(_)) => found.push((*digest, None)),
                    Err(failure) => return (found, Some(failure)),
                }
            }
            (found, None)
        }
        Err(Failure::Refused(_)) => (digests.map(|digest| (digest, None)).collect(), None),
        Err(failure) => (Vec::new(), Some(failure)),
    }
}

fn later(now: Timestamp, by: Duration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}

fn until(then: Timestamp) -> Duration {
    let left = then.duration_since(Timestamp::now());
    Duration::try_from(left).unwrap_or(Duration::ZERO)
}

fn until_midnight() -> Duration {
    const DAY: i64 = 24 * 60 * 60;
    let seconds = DAY - Timestamp::now().as_second().rem_euclid(DAY);
    Duration::from_secs(seconds.unsigned_abs())
}
