//! Names of memories.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::error::Error;

/// The name of a memory: a UUID of version 7, so names sort by the time they were given.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MemoryId(Uuid);

impl MemoryId {
    /// A new name, different from every other, later than those before.
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }

    /// The sixteen bytes that the store keeps.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// Reads the sixteen bytes back.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

impl fmt::Display for MemoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl fmt::Debug for MemoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for MemoryId {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self, Error> {
        Uuid::try_parse(word.trim()).map(Self).map_err(|_| {
            Error::invalid(
                "id",
                format!(
                    "expected a memory id as search prints them, got \"{}\"",
                    shorten(word)
                ),
            )
        })
    }
}

/// Keeps an error message to one line, whatever was pasted.
fn shorten(word: &str) -> String {
    word.chars().take(60).collect()
}
