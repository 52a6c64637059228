//! What a person decides about projects.

use super::{Engine, PAGE_MAX};
use crate::blocking::blocking;
use crate::capture::passages_of;
use crate::error::{Error, Result};
use crate::memory::{Filter, Project, Scope};
use crate::store::Store;
use crate::store::trace::ProjectRule;

/// Memories moved in one transaction: others who want to write wait for it.
const BATCH: usize = 256;

const _: () = assert!(BATCH <= PAGE_MAX);

impl Engine {
    /// What was decided about projects, by identity.
    pub async fn project_rules(&self) -> Result<Vec<ProjectRule>> {
        self.with_store(async |store: Store| store.project_rules().await)
            .await
    }

    /// The project that this one is in truth, and whether hooks leave it alone.
    pub async fn true_project(&self, project: Project) -> Result<(Project, bool)> {
        let rules = self.project_rules().await?;
        let rule = |project: &Project| rules.iter().find(|rule| rule.project == *project);
        let alias = rule(&project).and_then(|rule| rule.alias.clone());
        let project = alias.unwrap_or(project);
        let is_off = rule(&project).is_some_and(|rule| rule.is_off);
        Ok((project, is_off))
    }

    /// Whether hooks leave a project alone from now on.
    pub async fn switch_project(&self, project: &Project, is_off: bool) -> Result<()> {
        let rule = ProjectRule {
            project: project.clone(),
            alias: None,
            is_off,
        };
        self.with_store(async |store: Store| store.put_project_rule(rule).await)
            .await
    }

    /// From now on `former` is another name for `project`, and what it holds goes there.
    pub async fn alias_project(&self, former: &Project, project: &Project) -> Result<u64> {
        let (project, _) = self.true_project(project.clone()).await?;
        if former.is_unassigned() || *former == project {
            let message = format!("{} cannot be another name for {}", former.key, project.key);
            return Err(Error::invalid("project", message));
        }
        let rule = ProjectRule {
            project: former.clone(),
            alias: Some(project.clone()),
            is_off: false,
        };
        self.with_store(async |store: Store| store.put_project_rule(rule).await)
            .await?;
        self.assign(former, &Filter::default(), &project).await
    }

    /// Moves what a filter selects of a project to another; returns how many memories.
    pub async fn assign(&self, from: &Project, filter: &Filter, to: &Project) -> Result<u64> {
        if to.is_unassigned() || from == to {
            return Err(Error::invalid("project", "expected another project"));
        }
        let scope = Scope::Project(from.clone());
        let mut moved = 0;
        loop {
            // What is moved is not there any more, so the first page is the next one.
            let page = self.list(&scope, filter, BATCH, None).await?;
            if page.items.is_empty() {
                return Ok(moved);
            }
            let analyser = self.analyser.clone();
            let batch = blocking(move || {
                let items = page.items.into_iter();
                Ok(items
                    .map(|memory| {
                        let text = &memory.content.text;
                        (memory.id, passages_of(text, memory.created_at, &analyser))
                    })
                    .collect::<Vec<_>>())
            })
            .await?;
            let (from, to) = (from.clone(), to.clone());
            let count = self
                .with_store(async |store: Store| store.reassign(batch, from, to).await)
                .await?;
            if count == 0 {
                return Ok(moved);
            }
            moved += count;
        }
    }
}
