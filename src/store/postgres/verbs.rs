//! The verbs of the contract: which locks each takes, and who carries it out.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::db::Db;
use super::{
    Postgres, candidates, forget, list, memories, nearest, put, reassign, sessions, stats, traces,
    vectors,
};
use crate::error::{Error, Result};
use crate::memory::{
    Filter, Memory, MemoryId, Page, Project, Scope, Selection, Session, Timestamp,
};
use crate::store::page::Start;
use crate::store::trace::{Injection, Noted, ProjectRule, Trace, TraceQuery, Usage};
use crate::store::{
    Candidate, CandidateQuery, Candidates, Claim, Counts, Embedded, Forgotten, Inspection, Model,
    Nearest, NewMemory, NewPassage, Put, Stats,
};

/// The verbs of [`crate::store::Store`], whose documentation is theirs.
#[allow(missing_docs, reason = "documented once, in the contract")]
impl Postgres {
    pub async fn put(&self, new: Vec<NewMemory>) -> Result<Vec<Put>> {
        let locks: BTreeSet<i64> = new
            .iter()
            .map(|memory| self.project_lock(&memory.project.key))
            .collect();
        let locks: Vec<i64> = locks.into_iter().collect();
        let new = &new;
        self.write(&locks, |db| async move { put::put(&db, new).await })
            .await
    }

    pub async fn candidates(&self, query: CandidateQuery) -> Result<Candidates> {
        let query = &query;
        self.read(|db| async move { candidates::candidates(&db, query).await })
            .await
    }

    pub async fn frequencies(&self, query: CandidateQuery) -> Result<Vec<u64>> {
        let query = &query;
        self.read(|db| async move { candidates::frequencies(&db, query).await })
            .await
    }

    pub async fn neighbours(
        &self,
        query: CandidateQuery,
        places: Vec<(i64, i64)>,
    ) -> Result<Vec<Candidate>> {
        let (query, places) = (&query, &places);
        self.read(|db| async move { candidates::neighbours(&db, query, places).await })
            .await
    }

    pub async fn put_model(&self, name: String, dimension: usize) -> Result<Model> {
        let (name, dimension) = (&name, i32::try_from(dimension).unwrap_or(i32::MAX));
        let known = |db: Arc<Db>| async move { vectors::known_model(&db, name, dimension).await };
        let model = match self.read(known).await? {
            Some(model) => model,
            None => {
                self.write(&[], |db| async move {
                    vectors::make_model(&db, name, dimension).await
                })
                .await?;
                self.read(known).await?.ok_or_else(|| {
                    Error::Unavailable(format!("the model {name} was forgotten at once"))
                })?
            }
        };
        self.make_index(&model).await?;
        Ok(model)
    }

    pub async fn models(&self) -> Result<Vec<Model>> {
        self.read_at_once(|db| async move { vectors::models(&db).await })
            .await
    }

    pub async fn forget_model(&self, model: i64) -> Result<()> {
        self.write(
            &[],
            |db| async move { vectors::forget_model(&db, model).await },
        )
        .await
    }

    pub async fn claim(
        &self,
        model: i64,
        limit: usize,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Claim> {
        self.write(&[], |db| async move {
            vectors::claim(&db, model, limit, now, until).await
        })
        .await
    }

    pub async fn put_vectors(&self, model: i64, holder: i64, made: Vec<Embedded>) -> Result<u64> {
        let made = &made;
        self.write(&[], |db| async move {
            vectors::put_vectors(&db, model, holder, made).await
        })
        .await
    }

    pub async fn give_back(
        &self,
        model: i64,
        holder: i64,
        passages: Vec<i64>,
        until: Timestamp,
    ) -> Result<()> {
        let passages = &passages;
        self.write(&[], |db| async move {
            vectors::give_back(&db, model, holder, passages, until).await
        })
        .await
    }

    pub async fn nearest(
        &self,
        query: CandidateQuery,
        model: i64,
        vector: Arc<[f32]>,
    ) -> Result<Nearest> {
        let (query, vector) = (&query, &vector);
        self.read(|db| async move { nearest::nearest(&db, query, model, vector).await })
            .await
    }

    pub async fn similarities(
        &self,
        model: i64,
        vector: Arc<[f32]>,
        passages: Vec<i64>,
    ) -> Result<Vec<(i64, f32)>> {
        let (vector, passages) = (&vector, &passages);
        self.read_at_once(
            |db| async move { nearest::similarities(&db, model, vector, passages).await },
        )
        .await
    }

    pub async fn vector_problem(&self, of_service: bool) -> Result<Option<String>> {
        self.read_at_once(|db| async move { vectors::problem(&db, of_service).await })
            .await
    }

    pub async fn session_lengths(&self, scope: Scope, ids: Vec<i64>) -> Result<Vec<(i64, u64)>> {
        let (scope, ids) = (&scope, &ids);
        self.read(|db| async move { sessions::lengths(&db, scope, ids).await })
            .await
    }

    pub async fn memories_by_row(
        &self,
        scope: Scope,
        rows: Vec<i64>,
    ) -> Result<Vec<(i64, Memory)>> {
        let (scope, rows) = (&scope, &rows);
        self.read(|db| async move { memories::by_row(&db, scope, rows).await })
            .await
    }

    pub async fn memories(&self, scope: Scope, ids: Vec<MemoryId>) -> Result<Vec<Memory>> {
        let (scope, ids) = (&scope, &ids);
        self.read(|db| async move { memories::by_name(&db, scope, ids).await })
            .await
    }

    pub async fn history(&self, scope: Scope, id: MemoryId) -> Result<Vec<Memory>> {
        let scope = &scope;
        self.read(|db| async move { memories::history(&db, scope, id).await })
            .await
    }

    pub async fn list(
        &self,
        scope: Scope,
        filter: Filter,
        now: Timestamp,
        limit: usize,
        cursor: Option<String>,
    ) -> Result<Page<Memory>> {
        let start = Start::parse(cursor.as_deref())?;
        let (scope, filter) = (&scope, &filter);
        self.read(|db| async move { list::list(&db, scope, filter, now, limit, start).await })
            .await
    }

    pub async fn select(&self, selection: Selection, limit: usize) -> Result<Vec<MemoryId>> {
        let selection = &selection;
        self.read(|db| async move { list::select(&db, selection, limit).await })
            .await
    }

    pub async fn forget(&self, selection: Selection, ids: Vec<MemoryId>) -> Result<Forgotten> {
        let locks = self.locks_of(&selection.scope, &ids).await?;
        let (selection, ids) = (&selection, &ids);
        self.write(&locks, |db| async move {
            forget::forget(&db, selection, ids).await
        })
        .await
    }

    pub async fn sessions(
        &self,
        scope: Scope,
        limit: usize,
        cursor: Option<String>,
    ) -> Result<Page<Session>> {
        let start = Start::parse(cursor.as_deref())?;
        let scope = &scope;
        self.read(|db| async move { sessions::page(&db, scope, limit, start).await })
            .await
    }

    pub async fn session(&self, scope: Scope, id: String) -> Result<Option<Session>> {
        let (scope, id) = (&scope, &id);
        self.read(|db| async move { sessions::by_client_id(&db, scope, id).await })
            .await
    }

    pub async fn put_session(
        &self,
        project: Project,
        id: String,
        title: Option<String>,
        now: Timestamp,
    ) -> Result<Session> {
        let lock = self.project_lock(&project.key);
        let (project, id) = (&project, &id);
        let title = title.as_deref();
        self.write(&[lock], |db| async move {
            sessions::put(&db, project, id, title, now).await
        })
        .await
    }

    pub async fn session_project(&self, id: String) -> Result<Option<Project>> {
        let id = &id;
        self.read(|db| async move { sessions::project(&db, id).await })
            .await
    }

    pub async fn directory_project(&self, path: String) -> Result<Option<Project>> {
        let path = &path;
        self.read(|db| async move { sessions::directory_project(&db, path).await })
            .await
    }

    pub async fn projects(&self, part: String, limit: usize) -> Result<Vec<Project>> {
        let part = &part;
        self.read(|db| async move { stats::projects(&db, part, limit).await })
            .await
    }

    pub async fn count(&self, scope: Scope) -> Result<Counts> {
        let scope = &scope;
        self.read_at_once(|db| async move { stats::count(&db, scope).await })
            .await
    }

    pub async fn stats(&self, scope: Scope) -> Result<Stats> {
        let scope = &scope;
        self.read(|db| async move { stats::stats(&db, scope).await })
            .await
    }

    pub async fn inspect(&self, _is_thorough: bool) -> Result<Inspection> {
        self.read_at_once(|db| async move { stats::inspect(&db).await })
            .await
    }

    pub async fn note(&self, noted: Noted, now: Timestamp) -> Result<()> {
        let project = noted.directory.as_ref().map(|(_, project)| &project.key);
        let locks: Vec<i64> = project
            .map(|key| self.project_lock(key))
            .into_iter()
            .collect();
        let noted = &noted;
        self.write(
            &locks,
            |db| async move { traces::note(&db, noted, now).await },
        )
        .await
    }

    pub async fn traces(&self, query: TraceQuery) -> Result<Vec<Trace>> {
        let query = &query;
        self.read(|db| async move { traces::find(&db, query).await })
            .await
    }

    pub async fn injections(
        &self,
        scope: Scope,
        session: Option<String>,
        memory: Option<MemoryId>,
        limit: usize,
    ) -> Result<Vec<Injection>> {
        let (scope, session) = (&scope, session.as_deref());
        self.read(|db| async move { traces::injections(&db, scope, session, memory, limit).await })
            .await
    }

    pub async fn usage(&self, ids: Vec<MemoryId>) -> Result<Vec<Usage>> {
        let ids = &ids;
        self.read(|db| async move { traces::usage(&db, ids).await })
            .await
    }

    pub async fn benefit(&self, scope: Scope) -> Result<[Usage; 2]> {
        let scope = &scope;
        self.read(|db| async move { traces::benefit(&db, scope).await })
            .await
    }

    pub async fn event_memory(&self, event: String) -> Result<Option<Memory>> {
        let event = &event;
        self.read(|db| async move { traces::event_memory(&db, event).await })
            .await
    }

    pub async fn project_rules(&self) -> Result<Vec<ProjectRule>> {
        self.read(|db| async move { reassign::rules(&db).await })
            .await
    }

    pub async fn put_project_rule(&self, rule: ProjectRule) -> Result<()> {
        let lock = self.project_lock(&rule.project.key);
        let rule = &rule;
        self.write(
            &[lock],
            |db| async move { reassign::put_rule(&db, rule).await },
        )
        .await
    }

    pub async fn reassign(
        &self,
        moved: Vec<(MemoryId, Vec<NewPassage>)>,
        from: Project,
        to: Project,
    ) -> Result<u64> {
        let keys = [&from.key, &to.key];
        let locks: BTreeSet<i64> = keys.iter().map(|key| self.project_lock(key)).collect();
        let locks: Vec<i64> = locks.into_iter().collect();
        let (moved, from, to) = (&moved, &from, &to);
        self.write(&locks, |db| async move {
            reassign::reassign(&db, moved, from, to).await
        })
        .await
    }

    pub async fn opening(
        &self,
        project: Project,
        now: Timestamp,
        notes_max: usize,
        summaries_max: usize,
    ) -> Result<Vec<Memory>> {
        let project = &project;
        self.read(
            |db| async move { traces::opening(&db, project, now, notes_max, summaries_max).await },
        )
        .await
    }

    /// There is no log to write back: the server does that.
    pub async fn checkpoint(&self) -> Result<()> {
        Ok(())
    }
}
