//! The codes of a model's vectors in memory: 148 bytes a passage at 1,024 numbers, read once.
//!
//! Rows are only added to the table and deleted, under numbers that are never given twice. So what
//! is in memory is brought up to date by reading what is newer; what was deleted stays behind, is
//! found to be gone when its row is asked for, and leaves when there is much of it.

use std::collections::HashSet;

use rusqlite::{Connection, params};

use crate::store::quantised::{OUT_OF_REACH, Query, Survivor, least};

/// Codes are kept in stretches of so many, so that growing copies nothing.
const STRETCH: usize = 4_096;

/// So many codes that are gone are not worth reading all anew.
const GONE_MIN: u64 = 1_024;

/// The codes of one model.
#[derive(Default)]
pub(super) struct Codes {
    model: i64,
    /// Words of 64 bits that a code has.
    words: usize,
    newest: i64,
    /// What the table said was gone when this was read from the start.
    gone: u64,
    stretches: Vec<Stretch>,
}

#[derive(Default)]
struct Stretch {
    codes: Vec<u64>,
    about: Vec<About>,
}

/// Whose code it is.
#[derive(Clone, Copy)]
struct About {
    /// The number of the code.
    id: i64,
    passage: i64,
    /// SQLite numbers projects from 1; nobody has four billion.
    project: u32,
}

/// Which codes are compared.
pub(super) struct Among {
    pub project: Option<u32>,
    /// The passages that a filter lets through, if there is one.
    pub passages: Option<HashSet<i64>>,
}

impl Among {
    fn has(&self, about: &About) -> bool {
        self.project.is_none_or(|project| project == about.project)
            && (self.passages.as_ref()).is_none_or(|passages| passages.contains(&about.passage))
    }
}

impl Codes {
    /// Whether it holds what the table holds, but for a few that are gone.
    pub fn is_current(
        &self,
        db: &Connection,
        model: i64,
        dimension: usize,
    ) -> rusqlite::Result<bool> {
        let newest: Option<i64> = db
            .prepare_cached("SELECT max(id) FROM code WHERE model_id = ?1")?
            .query_row([model], |row| row.get(0))?;
        Ok(self.is_of(model, dimension)
            && newest.is_none_or(|newest| newest <= self.newest)
            && !self.is_worn(gone(db)?))
    }

    fn is_of(&self, model: i64, dimension: usize) -> bool {
        self.model == model && self.words == dimension.div_ceil(64)
    }

    fn is_worn(&self, gone: u64) -> bool {
        let held = self.stretches.len() * STRETCH;
        gone.saturating_sub(self.gone) > GONE_MIN.max(held as u64 / 8)
    }

    /// Reads what is missing.
    pub fn refresh(
        &mut self,
        db: &Connection,
        model: i64,
        dimension: usize,
    ) -> rusqlite::Result<()> {
        let gone = gone(db)?;
        if !self.is_of(model, dimension) || self.is_worn(gone) {
            *self = Self {
                model,
                words: dimension.div_ceil(64),
                gone,
                ..Self::default()
            };
        }
        let mut select = db.prepare_cached(
            "SELECT id, passage_id, project_id, bits FROM code
             WHERE model_id = ?1 AND id > ?2 ORDER BY id",
        )?;
        let mut rows = select.query(params![model, self.newest])?;
        while let Some(row) = rows.next()? {
            let about = About {
                id: row.get(0)?,
                passage: row.get(1)?,
                project: row.get(2)?,
            };
            self.newest = about.id;
            self.push(about, row.get_ref(3)?.as_blob()?);
        }
        Ok(())
    }

    fn push(&mut self, about: About, bits: &[u8]) {
        let is_full = |stretch: &Stretch| stretch.about.len() >= STRETCH;
        if self.stretches.last().is_none_or(is_full) {
            self.stretches.push(Stretch::default());
        }
        let Some(stretch) = self.stretches.last_mut() else {
            return;
        };
        stretch.about.push(about);
        let bytes = bits.chunks(8).map(word);
        let missing = self.words.saturating_sub(bits.len().div_ceil(8));
        let padded = bytes.chain(std::iter::repeat_n(0, missing));
        stretch.codes.extend(padded.take(self.words));
    }

    /// The most promising of those that may be compared.
    pub fn promising(&self, query: &Query, among: &Among) -> Vec<Survivor> {
        let asked: Vec<u64> = query.code().chunks(8).map(word).collect();
        let held: usize = self
            .stretches
            .iter()
            .map(|stretch| stretch.about.len())
            .sum();
        let mut distances = Vec::with_capacity(held);
        for stretch in &self.stretches {
            let codes = stretch.codes.chunks_exact(self.words.max(1));
            distances.extend(codes.zip(&stretch.about).map(
                |(code, about)| match among.has(about) {
                    true => hamming(&asked, code),
                    false => OUT_OF_REACH,
                },
            ));
        }
        let survivors = least(&distances, query.dimension())
            .into_iter()
            .filter_map(|place| self.survivor(query, place));
        query.promising(survivors.collect())
    }

    fn survivor(&self, query: &Query, place: usize) -> Option<Survivor> {
        let stretch = self.stretches.get(place / STRETCH)?;
        let about = stretch.about.get(place % STRETCH)?;
        let code = stretch
            .codes
            .chunks_exact(self.words.max(1))
            .nth(place % STRETCH)?;
        let mut bytes = Vec::with_capacity(code.len() * 8);
        for word in code {
            bytes.extend_from_slice(&word.to_be_bytes());
        }
        Some(Survivor {
            passage: about.passage,
            handle: about.id,
            estimate: query.estimate(&bytes),
        })
    }

    /// Estimates for the newest passages of a project, or of all.
    pub fn sample(&self, query: &Query, project: Option<u32>, count: usize) -> Vec<f32> {
        let mut newest: Vec<(i64, usize)> = Vec::new();
        let about = self.stretches.iter().flat_map(|stretch| &stretch.about);
        let of_scope = about
            .enumerate()
            .filter(|(_, about)| project.is_none_or(|project| project == about.project));
        // Never all at once: of a large store they would be megabytes.
        for (place, about) in of_scope {
            newest.push((-about.passage, place));
            if newest.len() > 2 * count {
                keep_least(&mut newest, count);
            }
        }
        keep_least(&mut newest, count);
        newest.sort_unstable();
        let survivors = newest
            .iter()
            .filter_map(|(_, place)| self.survivor(query, *place));
        survivors.map(|survivor| survivor.estimate).collect()
    }
}

fn keep_least(numbers: &mut Vec<(i64, usize)>, count: usize) {
    if numbers.len() > count {
        numbers.select_nth_unstable(count);
        numbers.truncate(count);
    }
}

fn gone(db: &Connection) -> rusqlite::Result<u64> {
    db.prepare_cached("SELECT codes FROM gone")?
        .query_row([], |row| row.get::<_, i64>(0))
        .map(i64::unsigned_abs)
}

fn word(bytes: &[u8]) -> u64 {
    let shifted = bytes.iter().zip([56, 48, 40, 32, 24, 16, 8, 0]);
    shifted.fold(0, |word, (byte, shift)| word | (u64::from(*byte) << shift))
}

/// The words whose counts of bits fit into bytes side by side: 31 times 8 bits are below 256.
const WORDS_AT_ONCE: usize = 31;

/// How many bits differ. Most processors have an instruction that counts bits, but the one that all
/// of them have in common does not, so the words' counts are added up before they are spread out.
fn hamming(a: &[u64], b: &[u64]) -> u16 {
    const PAIRS: u64 = 0x5555_5555_5555_5555;
    const FOURS: u64 = 0x3333_3333_3333_3333;
    const BYTES: u64 = 0x0f0f_0f0f_0f0f_0f0f;
    const TWO_BYTES: u64 = 0x00ff_00ff_00ff_00ff;
    let mut bits = 0;
    for (a, b) in a.chunks(WORDS_AT_ONCE).zip(b.chunks(WORDS_AT_ONCE)) {
        let mut sums = 0;
        for (a, b) in a.iter().zip(b) {
            let word = a ^ b;
            let word = word - ((word >> 1) & PAIRS);
            let word = (word & FOURS) + ((word >> 2) & FOURS);
            sums += (word + (word >> 4)) & BYTES;
        }
        let sums = (sums & TWO_BYTES) + ((sums >> 8) & TWO_BYTES);
        bits += sums.wrapping_mul(0x0001_0001_0001_0001) >> 48;
    }
    bits as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hamming_counts_bits() {
        let mut state = 1_u64;
        let mut words = |count: usize| -> Vec<u64> {
            let word = |_| {
                state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(11);
                state ^ (state >> 29)
            };
            (0..count).map(word).collect()
        };
        for count in [0, 1, 2, 16, 31, 32, 64, 256] {
            let (a, b) = (words(count), words(count));
            let bits: u32 = a.iter().zip(&b).map(|(a, b)| (a ^ b).count_ones()).sum();
            assert_eq!(u32::from(hamming(&a, &b)), bits, "{count}");
            let inverse: Vec<u64> = a.iter().map(|word| !word).collect();
            assert_eq!(usize::from(hamming(&a, &inverse)), count * 64);
        }
    }
}
