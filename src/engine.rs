//! The façade: every way in calls this, and only this.

mod aids;
mod builtin;
mod capture;
mod forget;
mod measured;
mod meters;
mod moves;
mod place;
mod projects;
mod retention;
mod turns;
mod vector_status;
mod vectors;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use crate::blocking::blocking;
use crate::capture::redact::{redact, strip_private};
use crate::capture::{TAGS_MAX, normal_tags};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::memory::{Filter, Memory, MemoryId, Page, Project, Scope, Session, Timestamp};
use crate::order::sort;
use crate::recall::{self, Context, ContextRequest, LeftOut, Means, Recall, RecallRequest};
use crate::store::Store;
use crate::text::{Analyser, one_line};

use aids::{Condensing, Reranking};
use retention::Upkeep;
use turns::Turns;
use vectors::Vectors;

pub use crate::models::{Circuit, ServiceHealth};
pub use crate::store::NewMemory;
pub use crate::store::postgres::predecessor;
pub use crate::store::trace::{
    Injection, Noted, Outcome, ProjectRule, Trace, TraceKind, TraceQuery, Usage,
};
pub use crate::store::{Chunk, Feed, Feeding, MovedMemory, MovedSession, MovedVector, Origin};
pub use crate::store::{Counts, Forgotten, Group, Inspection, Merged, Stats, Survey};
pub use crate::store::{Record, Sink};
pub use aids::ServiceStatus;
pub use forget::{FORGET_MAX, ForgetPreview, ForgetRequest};
pub use meters::{Counter, Histogram, HistogramSnapshot, LATENCY_BOUNDS, Meters};
pub use place::{DecidedBy, Place, ProjectChoice, ProjectHints};
pub use retention::Pruned;
pub use vector_status::VectorStatus;
pub use watch::{Gift, START};

/// Sage without a way in. Cheap to make: the store is opened at the first call that needs it, and
/// a store that could not be opened, or was moved away, is tried again at the next call.
pub struct Engine {
    config: Config,
    analyser: Arc<Analyser>,
    store: Arc<Mutex<Option<Store>>>,
    meters: Meters,
    turns: Turns,
    left_out: LeftOut,
    upkeep: Arc<Upkeep>,
    vectors: Vectors,
    reranking: Reranking,
    condensing: Condensing,
}

/// How Sage is.
#[derive(Debug, Clone)]
pub struct Status {
    /// Of this executable.
    pub version: &'static str,
    /// `sqlite` and its path.
    pub store: String,
    /// What is wrong, if something is.
    pub problem: Option<Error>,
    /// Live memories in all projects, when the store answers.
    pub memories: Option<u64>,
}

/// The most items on a page of a list.
pub const PAGE_MAX: usize = 500;

/// How long a search waits for models, for its query's vector and an order: a person or a model
/// waits, and services answer in 50 to 500 ms.
const SEARCH_PATIENCE: Duration = Duration::from_secs(1);

/// The same for a context, which a hook puts before a prompt within 250 ms.
const CONTEXT_PATIENCE: Duration = Duration::from_millis(200);

/// Characters of a session's name.
const TITLE_CHARS_MAX: usize = 200;

impl Engine {
    /// An engine over the store that `config` names. Touches nothing.
    pub fn new(config: &Config) -> Self {
        let analyser = Arc::new(Analyser::default());
        Self {
            config: config.clone(),
            analyser,
            store: Arc::default(),
            meters: Meters::default(),
            turns: Turns::new(),
            left_out: LeftOut::default(),
            upkeep: Arc::default(),
            vectors: Vectors::default(),
            reranking: Reranking::default(),
            condensing: Condensing::default(),
        }
    }

    async fn store(&self) -> Result<Store> {
        let mut kept = Arc::clone(&self.store).lock_owned().await;
        if let Some(store) = kept.as_ref().filter(|store| store.is_in_place()) {
            return Ok(store.clone());
        }
        let (config, upkeep) = (self.config.clone(), Arc::clone(&self.upkeep));
        // A task of its own ends even when its caller gives up: opening may take longer than a
        // probe waits, and the next one must find what this one began.
        let opening = tokio::spawn(async move {
            // The old one lets go of its files before new ones are made in their place.
            *kept = None;
            let opened = Store::open(&config).await?;
            *kept = Some(opened.clone());
            upkeep.opened.notify_one();
            Ok(opened)
        });
        opening.await.unwrap_or_else(|error| {
            Err(Error::Internal(format!(
                "opening the store broke off: {error}"
            )))
        })
    }

    /// Asks the store. Whatever a call wants of it goes through here, once, so that a store that
    /// fails a call is counted once.
    async fn with_store<T>(&self, verb: impl AsyncFnOnce(Store) -> Result<T>) -> Result<T> {
        // Boxed, so that opening stands in the executable once and not in each caller.
        let outcome = match Box::pin(self.store()).await {
            Ok(store) => verb(store).await,
            Err(error) => Err(error),
        };
        outcome.inspect_err(|error| self.meters.failed(error))
    }

    /// What it has counted about itself since it was made.
    pub fn meters(&self) -> &Meters {
        &self.meters
    }

    /// Counts an answer that had to leave something out because the store was away.
    pub fn count_degraded(&self) {
        self.meters.degraded.add(1);
    }

    /// Decides the project of a call: what was named, else what a hook announced about this call,
    /// else the session's binding, else the client's project directory, else the working
    /// directory. Only reads.
    pub async fn choose_project(&self, hints: &ProjectHints) -> Result<ProjectChoice> {
        let mut choice = self.decide_project(hints).await?;
        if !choice.project.is_unassigned() {
            choice.project = self.true_project(choice.project).await?.0;
        }
        Ok(choice)
    }

    async fn decide_project(&self, hints: &ProjectHints) -> Result<ProjectChoice> {
        let chosen = |project, decided_by| {
            Ok(ProjectChoice {
                project,
                decided_by,
                session: None,
            })
        };
        if let Some(name) = &hints.named {
            return chosen(Project::new(name.as_str()), DecidedBy::Flag);
        }
        if let Some(call) = &hints.call {
            let announced = self
                .traces(TraceQuery::named(TraceKind::Call, call))
                .await?;
            // Two sessions cannot make the same call; if they say so, it proves nothing.
            if let [announced] = announced.as_slice() {
                return Ok(ProjectChoice {
                    project: announced.project.clone(),
                    decided_by: DecidedBy::Hook,
                    session: Some(announced.session.clone()),
                });
            }
        }
        if let Some(session) = &hints.session
            && let Some(project) = self.session_project(session).await?
            && !project.is_unassigned()
        {
            return chosen(project, DecidedBy::Session);
        }
        let places = [
            (&hints.project_dir, DecidedBy::Environment),
            (&hints.working_dir, DecidedBy::Directory),
        ];
        for (place, decided_by) in places {
            if let Some(place) = place {
                return chosen(self.project_of(place).await?, decided_by);
            }
        }
        match &hints.fallback {
            Some(name) => chosen(Project::new(name.as_str()), DecidedBy::Flag),
            None => chosen(Project::unassigned(), DecidedBy::Nothing),
        }
    }

    async fn session_project(&self, session: &str) -> Result<Option<Project>> {
        let session = session.to_owned();
        self.with_store(async |store: Store| store.session_project(session).await)
            .await
    }

    /// The project of a place: what git says, else what was learned about the directory or its
    /// parents, else the directory itself.
    pub async fn project_of(&self, place: &Place) -> Result<Project> {
        if let Some(project) = &place.project {
            return Ok(project.clone());
        }
        let path = place.path.clone();
        let known = self
            .with_store(async |store: Store| store.directory_project(path).await)
            .await?;
        Ok(known.unwrap_or_else(|| Project::new(place.path.as_str())))
    }

    /// Finds memories.
    pub async fn recall(&self, request: &RecallRequest) -> Result<Recall> {
        let filter = checked(&request.filter)?;
        let request = RecallRequest {
            filter,
            ..request.clone()
        };
        let found = self.with_store(async |store: Store| {
            let (aids, degraded) = self.aids(&store, &request.query, SEARCH_PATIENCE).await?;
            let mut found = recall::recall(self.means(&store), &request, aids).await?;
            found.degraded = found.degraded.or(degraded);
            Ok(found)
        });
        let found = self.meters.recall.time(found).await?;
        self.meters
            .degraded
            .add(u64::from(found.degraded.is_some()));
        Ok(found)
    }

    /// Finds memories and renders them for a model.
    pub async fn context(&self, request: &ContextRequest) -> Result<Context> {
        let filter = checked(&request.filter)?;
        let request = ContextRequest {
            filter,
            ..request.clone()
        };
        let packed = self.with_store(async |store: Store| {
            let (aids, mut degraded) = self.aids(&store, &request.query, CONTEXT_PATIENCE).await?;
            let condenser = request.condense.then(|| self.condenser()).transpose();
            let condenser = condenser.unwrap_or_else(|error| {
                degraded.get_or_insert(error.to_string());
                None
            });
            let means = self.means(&store);
            let mut packed = recall::context(means, &request, aids, condenser).await?;
            packed.degraded = packed.degraded.or(degraded);
            Ok(packed)
        });
        let packed = self.meters.context.time(packed).await?;
        self.meters
            .degraded
            .add(u64::from(packed.degraded.is_some()));
        Ok(packed)
    }

    fn means<'a>(&'a self, store: &'a Store) -> Means<'a> {
        Means {
            store,
            analyser: &self.analyser,
            now: Timestamp::now(),
            left_out: self.left_out,
        }
    }

    /// How many recalls and contexts are being computed, and how many wait for their turn.
    pub fn recalls(&self) -> (usize, usize) {
        self.turns.taken_and_waiting()
    }

    /// Reads memories by name, in the order asked; what is not in the scope is left out.
    pub async fn memories(&self, scope: &Scope, ids: &[MemoryId]) -> Result<Vec<Memory>> {
        let (scope, ids) = (scope.clone(), ids.to_vec());
        self.with_store(async |store: Store| store.memories(scope, ids).await)
            .await
    }

    /// A memory that may be updated: it is in the scope, and nothing has taken its place.
    pub async fn current(&self, scope: &Scope, id: MemoryId) -> Result<Memory> {
        let found = self.memories(scope, &[id]).await?.into_iter().next();
        let memory =
            found.ok_or_else(|| Error::NotFound(format!("id: no memory {id} in this project")))?;
        match memory.superseded_by {
            None => Ok(memory),
            Some(newer) => Err(Error::invalid(
                "id",
                format!("{id} is history already; update the version that replaced it, {newer}"),
            )),
        }
    }

    /// A memory with everything it superseded and was superseded by, oldest first.
    pub async fn history(&self, scope: &Scope, id: MemoryId) -> Result<Vec<Memory>> {
        let scope = scope.clone();
        self.with_store(async |store: Store| store.history(scope, id).await)
            .await
    }

    /// Live memories, newest first, at most [`PAGE_MAX`]. `cursor` is a former page's `next`.
    pub async fn list(
        &self,
        scope: &Scope,
        filter: &Filter,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Page<Memory>> {
        let limit = page_limit(limit)?;
        let (scope, filter) = (scope.clone(), checked(filter)?);
        let (now, cursor) = (Timestamp::now(), cursor.map(str::to_owned));
        self.with_store(async |store: Store| store.list(scope, filter, now, limit, cursor).await)
            .await
    }

    /// Sessions, the latest first, at most [`PAGE_MAX`]. `cursor` is a former page's `next`.
    pub async fn sessions(
        &self,
        scope: &Scope,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Page<Session>> {
        let limit = page_limit(limit)?;
        let (scope, cursor) = (scope.clone(), cursor.map(str::to_owned));
        self.with_store(async |store: Store| store.sessions(scope, limit, cursor).await)
            .await
    }

    /// One session by the client's id.
    pub async fn session(&self, scope: &Scope, id: &str) -> Result<Session> {
        let (scope, name) = (scope.clone(), id.to_owned());
        let found = self
            .with_store(async |store: Store| store.session(scope, name).await)
            .await?;
        found.ok_or_else(|| Error::NotFound(format!("there is no session {id} here")))
    }

    /// Makes a session that has no memories yet; a known one gets the title, if one is given.
    pub async fn create_session(
        &self,
        project: &Project,
        id: &str,
        title: Option<&str>,
    ) -> Result<Session> {
        let id = id.trim();
        if id.is_empty() || id.len() > crate::capture::NAME_BYTES_MAX || id.contains('\0') {
            return Err(Error::invalid(
                "session",
                "expected a short name, not nothing or a text",
            ));
        }
        let title = match title {
            Some(title) => self.clean_title(title).await?,
            None => None,
        };
        let (project, id, now) = (project.clone(), id.to_owned(), Timestamp::now());
        self.with_store(async |store: Store| store.put_session(project, id, title, now).await)
            .await
    }

    /// A title as it is kept. Whoever gives a text of megabytes must not hold up others.
    async fn clean_title(&self, title: &str) -> Result<Option<String>> {
        let (redact_secrets, title) = (self.config.redact, title.to_owned());
        blocking(move || {
            let title = match redact_secrets {
                true => one_line(&redact(&title).text, TITLE_CHARS_MAX),
                false => one_line(&strip_private(&title).0, TITLE_CHARS_MAX),
            };
            Ok(Some(title).filter(|title| !title.is_empty()))
        })
        .await
    }

    /// Gives a session a name.
    pub async fn rename_session(&self, scope: &Scope, id: &str, title: &str) -> Result<Session> {
        if title.trim().is_empty() {
            return Err(Error::invalid("title", "expected a name, got nothing"));
        }
        let session = self.session(scope, id).await?;
        self.create_session(&session.project, id, Some(title)).await
    }

    /// Projects that hold memories, whose identity contains `part`, at most `limit`.
    pub async fn projects(&self, part: &str, limit: usize) -> Result<Vec<Project>> {
        let part = part.to_owned();
        self.with_store(async |store: Store| store.projects(part, limit).await)
            .await
    }

    /// Numbers about a scope.
    pub async fn stats(&self, scope: &Scope) -> Result<Stats> {
        let scope = scope.clone();
        self.with_store(async |store: Store| store.stats(scope).await)
            .await
    }

    /// How much a scope holds. Cheap, and waits for no writer: a probe may ask several times a
    /// second.
    pub async fn count(&self, scope: &Scope) -> Result<Counts> {
        let scope = scope.clone();
        self.with_store(async |store: Store| store.count(scope).await)
            .await
    }

    /// Which store this is and, if that is asked for, whether it is sound; that reads all of it.
    pub async fn inspect(&self, is_thorough: bool) -> Result<Inspection> {
        self.with_store(async |store: Store| store.inspect(is_thorough).await)
            .await
    }

    /// Which store this is, in words; touches nothing.
    pub fn store_name(&self) -> String {
        Store::describe(&self.config)
    }

    /// How Sage is; never fails, a broken store is told in it.
    pub async fn status(&self) -> Status {
        let counted = self.count(&Scope::All).await;
        Status {
            version: env!("CARGO_PKG_VERSION"),
            store: Store::describe(&self.config),
            memories: counted.as_ref().ok().map(|held| held.memories),
            problem: counted.err(),
        }
    }

    /// Writes the log back into the store and closes it.
    pub async fn close(&self) -> Result<()> {
        match self.store.lock().await.take() {
            Some(store) => {
                self.give_claim_back(&store).await?;
                store.checkpoint().await
            }
            None => Ok(()),
        }
    }
}

/// A filter as the store compares it: tags spelled as they are kept, each thing once.
fn checked(filter: &Filter) -> Result<Filter> {
    let mut filter = filter.clone();
    filter.tags = normal_tags(filter.tags);
    sort(&mut filter.kinds);
    filter.kinds.dedup();
    if filter.tags.len() > TAGS_MAX {
        return Err(Error::invalid(
            "tags",
            format!(
                "expected at most {TAGS_MAX} tags, got {}",
                filter.tags.len()
            ),
        ));
    }
    Ok(filter)
}

fn page_limit(limit: usize) -> Result<usize> {
    if (1..=PAGE_MAX).contains(&limit) {
        Ok(limit)
    } else {
        Err(Error::invalid(
            "limit",
            format!("expected 1 to {PAGE_MAX}, got {limit}"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use tokio::time::timeout;

    use super::*;
    use crate::config::Flags;

    #[tokio::test]
    async fn an_opening_goes_on_when_its_caller_gives_up() {
        let folder = tempfile::tempdir().unwrap();
        // Whoever makes the database holds this lock, so now nobody can.
        let held = File::open(folder.path()).unwrap();
        held.lock().unwrap();
        let flags = Flags {
            data_dir: Some(folder.path().to_owned()),
            ..Flags::default()
        };
        let engine = Engine::new(&Config::load(&flags, &|_| None).unwrap());
        let probe = timeout(Duration::from_millis(20), engine.count(&Scope::All));
        assert!(probe.await.is_err(), "it did not wait for the opening");
        assert!(engine.store.try_lock().is_err(), "the opening was given up");
        held.unlock().unwrap();
        assert!(engine.store.lock().await.is_some());
    }
}
