//! What a caller may ask for: scope, filter, page.

use super::{Kind, Project, Timestamp};

/// Which projects a call may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// One project, the rule for tools and hooks.
    Project(Project),
    /// All of them, only when asked for.
    All,
}

impl Scope {
    /// The one project, unless all are meant.
    pub fn project(&self) -> Option<&Project> {
        match self {
            Self::Project(project) => Some(project),
            Self::All => None,
        }
    }
}

/// Which memories of a scope are meant; empty means all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Any of these kinds.
    pub kinds: Vec<Kind>,
    /// All of these tags.
    pub tags: Vec<String>,
    /// This session, by the client's id.
    pub session: Option<String>,
    /// Said at this time or later.
    pub after: Option<Timestamp>,
    /// Said before this time.
    pub before: Option<Timestamp>,
}

impl Filter {
    /// Whether every memory of the scope is meant.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What is to be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// Where.
    pub scope: Scope,
    /// Among what.
    pub filter: Filter,
    /// Which of these.
    pub which: Which,
    /// What has expired by now counts as expired.
    pub now: Timestamp,
}

impl Selection {
    /// The same of others.
    pub fn of(&self, which: Which) -> Self {
        Self {
            which,
            ..self.clone()
        }
    }
}

/// Which memories a [`Selection`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// All, live or superseded.
    Any,
    /// Live ones, but for those that somebody marked to be kept: pinned ones, and notes with a key.
    Unmarked,
    /// Live ones.
    Live,
    /// Superseded ones.
    Superseded,
    /// Those whose time is up, live or superseded.
    Expired,
}

/// A slice of a list, with the way to the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items, in the order of the list.
    pub items: Vec<T>,
    /// An opaque word that continues the list; `None` at its end.
    pub next: Option<String>,
}
