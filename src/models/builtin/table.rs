//! The table's file, which is read where it lies.
//!
//! | what | bytes |
//! |---|---|
//! | `SAGETAB1` | 8 |
//! | name of the model, filled up with zeros | 24 |
//! | parts P, numbers in a part N, bits of a bucket's number B, a zero | 4 × 2 |
//! | rows R | 4 |
//! | what a number of the codebooks is worth | 4, a float |
//! | codebooks: for each part 256 times N numbers | P × 256 × N |
//! | for each bucket the number of its first row, and R at the end | (2^B + 1) × 4 |
//! | for each row 16 bits of its key's hash | R × 2 |
//! | for each row its length, in steps of a logarithm | R |
//! | for each row the places of its parts in the codebooks | R × P |
//!
//! Numbers are little endian. Keys are not in it: a key's hash says in which bucket its row stands,
//! and which of the bucket's rows it is. A key that has no row finds one by mistake once in 20,000
//! times; that adds a word to a sum.

const MAGIC: &[u8; 8] = b"SAGETAB1";
const NAME_BYTES: usize = 24;
const CODES: usize = 256;

/// A row's length is 2 to the power of its number divided by this, less [`LENGTH_OFFSET`].
const LENGTH_STEPS: f32 = 16.0;
const LENGTH_OFFSET: f32 = 14.0;

/// The table.
pub(super) struct Table<'a> {
    /// What the model is called.
    pub name: &'a str,
    numbers_of_part: usize,
    parts: usize,
    bucket_bits: u32,
    unit: f32,
    codebooks: &'a [u8],
    buckets: &'a [u8],
    fingerprints: &'a [u8],
    lengths: &'a [u8],
    codes: &'a [u8],
}

impl<'a> Table<'a> {
    /// The table in these bytes; nothing where there is none, or it is not whole.
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = bytes;
        let mut take = |count: usize| {
            let (taken, after) = rest.split_at_checked(count)?;
            rest = after;
            Some(taken)
        };
        if take(MAGIC.len())? != MAGIC {
            return None;
        }
        let name = std::str::from_utf8(take(NAME_BYTES)?).ok()?;
        let parts = usize::from(half(take(2)?));
        let numbers_of_part = usize::from(half(take(2)?));
        let bucket_bits = u32::from(half(take(2)?));
        take(2)?;
        let rows = word(take(4)?) as usize;
        let unit = f32::from_bits(word(take(4)?));
        let buckets = 1_usize.checked_shl(bucket_bits)?.checked_add(1)?;
        Some(Self {
            name: name.trim_end_matches('\0'),
            numbers_of_part,
            parts,
            bucket_bits,
            unit,
            codebooks: take(parts.checked_mul(CODES)?.checked_mul(numbers_of_part)?)?,
            buckets: take(buckets.checked_mul(4)?)?,
            fingerprints: take(rows.checked_mul(2)?)?,
            lengths: take(rows)?,
            codes: take(rows.checked_mul(parts)?)?,
        })
    }

    /// Numbers of a vector.
    pub fn dimension(&self) -> usize {
        self.parts * self.numbers_of_part
    }

    /// The row of a key.
    pub fn find(&self, key: &[u8]) -> Option<usize> {
        let hash = hash(key);
        let bucket = (hash & ((1 << self.bucket_bits) - 1)) as usize;
        let fingerprint = (hash >> 48) as u16;
        let first = |bucket: usize| {
            let bytes = self.buckets.get(bucket * 4..bucket * 4 + 4)?;
            Some(word(bytes) as usize)
        };
        let (from, to) = (first(bucket)?, first(bucket + 1)?);
        let rows = self.fingerprints.get(from * 2..to * 2)?.chunks_exact(2);
        let place = rows.map(half).position(|held| held == fingerprint)?;
        Some(from + place)
    }

    /// Adds a row to a sum.
    pub fn add(&self, row: usize, times: f32, sum: &mut [f32]) {
        let Some(length) = self.lengths.get(row) else {
            return;
        };
        let length = (f32::from(*length) / LENGTH_STEPS - LENGTH_OFFSET).exp2() * self.unit * times;
        let codes = self.codes.get(row * self.parts..).unwrap_or_default();
        let parts = sum.chunks_exact_mut(self.numbers_of_part);
        let books = self.codebooks.chunks_exact(CODES * self.numbers_of_part);
        for ((part, book), code) in parts.zip(books).zip(codes) {
            let at = usize::from(*code) * self.numbers_of_part;
            let numbers = book.get(at..).unwrap_or_default();
            for (sum, number) in part.iter_mut().zip(numbers) {
                *sum += f32::from(number.cast_signed()) * length;
            }
        }
    }
}

fn half(bytes: &[u8]) -> u16 {
    bytes
        .first_chunk()
        .map_or(0, |two| u16::from_le_bytes(*two))
}

fn word(bytes: &[u8]) -> u32 {
    bytes
        .first_chunk()
        .map_or(0, |four| u32::from_le_bytes(*four))
}

/// FNV-1a of 64 bits, whose bits are then mixed once more as in SplitMix64.
fn hash(key: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in key {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_table_is_none() {
        assert!(Table::new(&[]).is_none());
        assert!(Table::new(b"SAGETAB1").is_none());
        let mut cut = b"SAGETAB1".to_vec();
        cut.extend([0xff; 60]);
        assert!(Table::new(&cut).is_none());
    }
}
