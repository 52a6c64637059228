//! The façade: every way in calls this, and only this.

mod place;

use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use crate::capture::redact::{redact, strip_private};
use crate::capture::{Capture, Captured, Prepared, Refusal, TAGS_MAX, normal_tags, prepare};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::memory::{Filter, Memory, MemoryId, Page, Project, Scope, Session, Timestamp};
use crate::recall::{self, Context, ContextRequest, Recall, RecallRequest};
use crate::store::{Put, Store};
use crate::text::{Analyser, one_line};

pub use crate::store::{Forgotten, Stats};
pub use place::{DecidedBy, Place, ProjectChoice, ProjectHints};

/// Sage without a way in. Cheap to make: the store is opened at the first call that needs it, and
/// a store that could not be opened, or was moved away, is tried again at the next call.
pub struct Engine {
    config: Config,
    analyser: Arc<Analyser>,
    store: Mutex<Option<Store>>,
}

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

/// The most memories that one forget by filter deletes: what a preview can still be judged by.
pub const FORGET_MAX: usize = 100_000;

/// How many memories a forget's preview shows.
const PREVIEW_SAMPLE: usize = 5;

/// The most items on a page of a list.
pub const PAGE_MAX: usize = 500;

/// Characters of a session's name.
const TITLE_CHARS_MAX: usize = 200;

impl Engine {
    /// An engine over the store that `config` names. Touches nothing.
    pub fn new(config: &Config) -> Self {
        let analyser = Arc::new(Analyser::default());
        Self {
            config: config.clone(),
            analyser,
            store: Mutex::new(None),
        }
    }

    async fn store(&self) -> Result<Store> {
        let mut store = self.store.lock().await;
        match store.as_ref() {
            Some(store) if store.is_in_place() => Ok(store.clone()),
            _ => {
                // The old one lets go of its files before new ones are made in their place.
                *store = None;
                let opened = Store::open(&self.config).await?;
                *store = Some(opened.clone());
                Ok(opened)
            }
        }
    }

    /// Decides the project of a call: what was named, else the session's binding, else the
    /// client's project directory, else the working directory. Only reads.
    pub async fn choose_project(&self, hints: &ProjectHints) -> Result<ProjectChoice> {
        let chosen = |project, decided_by| {
            Ok(ProjectChoice {
                project,
                decided_by,
            })
        };
        if let Some(name) = &hints.named {
            return chosen(Project::new(name.as_str()), DecidedBy::Flag);
        }
        if let Some(session) = &hints.session
            && let Some(project) = self.store().await?.session_project(session.clone()).await?
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
        chosen(Project::unassigned(), DecidedBy::Nothing)
    }

    /// The project of a place: what git says, else what was learned about the directory or its
    /// parents, else the directory itself.
    pub async fn project_of(&self, place: &Place) -> Result<Project> {
        if let Some(project) = &place.project {
            return Ok(project.clone());
        }
        let known = self
            .store()
            .await?
            .directory_project(place.path.clone())
            .await?;
        Ok(known.unwrap_or_else(|| Project::new(place.path.as_str())))
    }

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
        let (analyser, redact) = (self.analyser.clone(), self.config.redact);
        let now = Timestamp::now();
        // Analysis costs about 10 microseconds a kilobyte; a batch of an import must not hold up
        // the answers to others.
        let prepared = tokio::task::spawn_blocking(move || {
            captures
                .into_iter()
                .map(|capture| prepare(capture, &analyser, redact, now))
                .collect::<Result<Vec<_>>>()
        })
        .await
        .unwrap_or_else(|error| Err(Error::Internal(format!("a capture ended: {error}"))))?;

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
            false => self.store().await?.put(memories).await?,
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

    /// Finds memories.
    pub async fn recall(&self, request: &RecallRequest) -> Result<Recall> {
        let filter = checked(&request.filter)?;
        let request = RecallRequest {
            filter,
            ..request.clone()
        };
        let store = self.store().await?;
        recall::recall(&store, &self.analyser, &request, Timestamp::now()).await
    }

    /// Finds memories and renders them for a model.
    pub async fn context(&self, request: &ContextRequest) -> Result<Context> {
        let filter = checked(&request.filter)?;
        let request = ContextRequest {
            filter,
            ..request.clone()
        };
        let store = self.store().await?;
        recall::context(&store, &self.analyser, &request, Timestamp::now()).await
    }

    /// Reads memories by name, in the order asked; what is not in the scope is left out.
    pub async fn memories(&self, scope: &Scope, ids: &[MemoryId]) -> Result<Vec<Memory>> {
        self.store()
            .await?
            .memories(scope.clone(), ids.to_vec())
            .await
    }

    /// A memory with everything it superseded and was superseded by, oldest first.
    pub async fn history(&self, scope: &Scope, id: MemoryId) -> Result<Vec<Memory>> {
        self.store().await?.history(scope.clone(), id).await
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
        let cursor = cursor.map(str::to_owned);
        self.store()
            .await?
            .list(scope, filter, Timestamp::now(), limit, cursor)
            .await
    }

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
        self.store().await?.forget(request.scope.clone(), ids).await
    }

    /// The names a forget is about, sorted, so that the same set has the same code.
    async fn forgettable(&self, request: &ForgetRequest) -> Result<Vec<MemoryId>> {
        let store = self.store().await?;
        let scope = request.scope.clone();
        let mut ids: Vec<MemoryId> = if !request.ids.is_empty() {
            let found = store.memories(scope, request.ids.clone()).await?;
            found.into_iter().map(|memory| memory.id).collect()
        } else if request.filter.is_empty() {
            return Err(Error::invalid(
                "ids",
                "name the memories to forget, or a filter that selects them",
            ));
        } else {
            let filter = checked(&request.filter)?;
            store
                .select(scope, filter, Timestamp::now(), FORGET_MAX + 1)
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

    /// Sessions, the latest first, at most [`PAGE_MAX`]. `cursor` is a former page's `next`.
    pub async fn sessions(
        &self,
        scope: &Scope,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Page<Session>> {
        let limit = page_limit(limit)?;
        self.store()
            .await?
            .sessions(scope.clone(), limit, cursor.map(str::to_owned))
            .await
    }

    /// One session by the client's id.
    pub async fn session(&self, scope: &Scope, id: &str) -> Result<Session> {
        let found = self
            .store()
            .await?
            .session(scope.clone(), id.to_owned())
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
        if id.is_empty() || id.len() > crate::capture::NAME_BYTES_MAX {
            return Err(Error::invalid(
                "session",
                "expected a short name, not nothing or a text",
            ));
        }
        let title = title.map(|title| match self.config.redact {
            true => one_line(&redact(title).text, TITLE_CHARS_MAX),
            false => one_line(&strip_private(title).0, TITLE_CHARS_MAX),
        });
        let title = title.filter(|title| !title.is_empty());
        let store = self.store().await?;
        store
            .put_session(project.clone(), id.to_owned(), title, Timestamp::now())
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
        self.store().await?.projects(part.to_owned(), limit).await
    }

    /// Numbers about a scope.
    pub async fn stats(&self, scope: &Scope) -> Result<Stats> {
        self.store().await?.stats(scope.clone()).await
    }

    /// How many live memories a scope holds; cheap.
    pub async fn count(&self, scope: &Scope) -> Result<u64> {
        self.store().await?.count(scope.clone()).await
    }

    /// How Sage is; never fails, a broken store is told in it.
    pub async fn status(&self) -> Status {
        let counted = self.count(&Scope::All).await;
        Status {
            version: env!("CARGO_PKG_VERSION"),
            store: Store::describe(&self.config),
            memories: counted.as_ref().ok().copied(),
            problem: counted.err(),
        }
    }

    /// Writes the log back into the store and closes it.
    pub async fn close(&self) -> Result<()> {
        match self.store.lock().await.take() {
            Some(store) => store.checkpoint().await,
            None => Ok(()),
        }
    }
}

/// A filter as the store compares it: tags spelled as they are kept, each thing once.
fn checked(filter: &Filter) -> Result<Filter> {
    let mut filter = filter.clone();
    filter.tags = normal_tags(filter.tags);
    filter.kinds.sort_unstable();
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
