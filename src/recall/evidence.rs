//! What a ranking goes by besides words, by name, so that a measurement can do without each.

use crate::error::{Error, Result};

/// One thing that a ranking goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// Turns beside a turn.
    Neighbours,
    /// The session that a turn belongs to.
    Session,
    /// Words that the query repeats.
    Repeats,
    /// Other forms of the query's words: "went" for "go", `db` for "database".
    Forms,
    /// Words that stand together as in the query.
    Phrases,
    /// Who said it, or what a memory says it is about.
    Labels,
    /// Turns that only ask, and those behind them.
    Questions,
    /// Times that the query names.
    Dates,
    /// What was said several times comes once.
    Duplicates,
    /// Unknown words that are one slip away from a known one.
    Typos,
    /// Nearness in meaning, where vectors say how near.
    Meaning,
    /// What is too far from the query is not returned.
    Floor,
}

/// Each with its name.
const NAMES: [(&str, Evidence); 12] = [
    ("neighbours", Evidence::Neighbours),
    ("session", Evidence::Session),
    ("repeats", Evidence::Repeats),
    ("forms", Evidence::Forms),
    ("phrases", Evidence::Phrases),
    ("labels", Evidence::Labels),
    ("questions", Evidence::Questions),
    ("dates", Evidence::Dates),
    ("duplicates", Evidence::Duplicates),
    ("typos", Evidence::Typos),
    ("meaning", Evidence::Meaning),
    ("floor", Evidence::Floor),
];

/// Evidence that a ranking does without; nothing by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeftOut(u32);

impl LeftOut {
    /// Reads names.
    ///
    /// # Errors
    /// Where one is not known; the error lists those that are.
    pub fn parse(words: &[String]) -> Result<Self> {
        let mut all = Self::default();
        for word in words {
            let Some((_, evidence)) = NAMES.iter().find(|(name, _)| name == word) else {
                let names = NAMES.map(|(name, _)| name).join(", ");
                let what = format!("expected one of {names}, got \"{word}\"");
                return Err(Error::invalid("--without", what));
            };
            all.0 |= 1 << *evidence as u32;
        }
        Ok(all)
    }

    /// Whether the evidence counts.
    pub(super) fn keeps(self, evidence: Evidence) -> bool {
        self.0 & (1 << evidence as u32) == 0
    }
}
