//! What `--json` says about the command itself; memories, sessions and projects have the shapes of
//! [`crate::memory::json`]. Fields are added, never renamed or taken away.

use serde::Serialize;

use super::select::Reach;

/// Where a command looked.
#[derive(Serialize)]
pub(super) struct ScopeJson<'a> {
    /// The key of the one project; null for all of them.
    project: Option<&'a str>,
    /// `flag`, `session`, `environment` or `directory`, where a project was decided; `all` where
    /// `--all` was given; `empty` where the project holds nothing and all were used instead;
    /// `nothing` where no project was known.
    decided_by: &'static str,
}

impl<'a> ScopeJson<'a> {
    pub(super) fn new(reach: &'a Reach) -> Self {
        Self {
            project: reach.scope.project().map(|project| project.key.as_str()),
            decided_by: reach.decided_by.name(),
        }
    }
}
