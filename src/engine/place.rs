//! Where a call comes from, and which project that means.

use crate::memory::Project;

/// What a way in knows about where it stands; the first that is known decides.
#[derive(Debug, Clone, Default)]
pub struct ProjectHints {
    /// `--project` or `SAGE_PROJECT`.
    pub named: Option<String>,
    /// The client's id of this very call; a hook has announced it with its session.
    pub call: Option<String>,
    /// The client's session id; its binding in the store decides.
    pub session: Option<String>,
    /// `CLAUDE_PROJECT_DIR`.
    pub project_dir: Option<Place>,
    /// The working directory; in a container only if git names its project.
    pub working_dir: Option<Place>,
    /// The project of a server's calls that nothing else tells the project of.
    pub fallback: Option<String>,
}

/// A directory, and the project that git says it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The directory, absolute.
    pub path: String,
    /// The project's identity, where git could be seen.
    pub project: Option<Project>,
}

/// The project of a call, and how it was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectChoice {
    /// The project.
    pub project: Project,
    /// By what.
    pub decided_by: DecidedBy,
    /// The session, where a hook named it.
    pub session: Option<String>,
}

/// What decided the project of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecidedBy {
    /// A flag or setting.
    Flag,
    /// The hook that announced the call.
    Hook,
    /// The session's binding in the store.
    Session,
    /// `CLAUDE_PROJECT_DIR`.
    Environment,
    /// The working directory.
    Directory,
    /// Nothing: writes go to `unassigned`, reads find nothing.
    Nothing,
}

impl DecidedBy {
    /// The word used in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Hook => "hook",
            Self::Session => "session",
            Self::Environment => "environment",
            Self::Directory => "directory",
            Self::Nothing => "nothing",
        }
    }
}
