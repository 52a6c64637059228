//! What goes, and what went.

use std::fmt;
use std::ops::AddAssign;

use serde::Serialize;

use crate::memory::{Kind, Project, Timestamp};

/// How much was deleted. Fields are added, never renamed or taken away: it is printed as JSON.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Forgotten {
    /// Memories, superseded versions included.
    pub memories: u64,
    /// Their passages.
    pub passages: u64,
    /// What led from terms to those passages: one entry for each different term of each passage.
    pub index_entries: u64,
    /// Their vectors, of every model: one for each passage that had one.
    pub vectors: u64,
}

impl AddAssign for Forgotten {
    fn add_assign(&mut self, more: Self) {
        self.memories += more.memories;
        self.passages += more.passages;
        self.index_entries += more.index_entries;
        self.vectors += more.vectors;
    }
}

impl fmt::Display for Forgotten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one = |number, singular, plural| if number == 1 { singular } else { plural };
        write!(
            f,
            "{} {}, with {} {}, {} index {} and {} {}",
            self.memories,
            one(self.memories, "memory", "memories"),
            self.passages,
            one(self.passages, "passage", "passages"),
            self.index_entries,
            one(self.index_entries, "entry", "entries"),
            self.vectors,
            one(self.vectors, "vector", "vectors"),
        )
    }
}

/// What a selection holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// Memories, superseded versions included, by project and kind, in this order.
    pub groups: Vec<Group>,
    /// Pinned memories that would be selected if they were not spared.
    pub pinned: u64,
    /// Notes with a key, not pinned, for which the same holds.
    pub keyed: u64,
}

/// Memories of a project and kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Where they are.
    pub project: Project,
    /// What they are.
    pub kind: Kind,
    /// How many.
    pub memories: u64,
    /// When the oldest and the newest of them was said.
    pub span: (Timestamp, Timestamp),
}

/// What there is to do when nobody asks for anything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Due {
    /// When the next memory expires; may be past.
    pub expiry: Option<Timestamp>,
    /// Whether deleted words may still be in the files.
    pub has_traces: bool,
}
