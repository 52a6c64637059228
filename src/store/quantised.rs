//! The stored forms of a vector, and what they tell about a query: the same arithmetic for every
//! store, in the same order, so that both give the same numbers.
//!
//! A vector of length 1 is kept twice. Its *code* has one bit a number, its sign: small enough to
//! look at all of them. Its *row* has 14 bits a number and a scale: as good as the floats, and two
//! rows of 1,024 numbers lie on a page of SQLite's, where with 16 bits there is room for one. A
//! query passes three sieves. The Hamming distance of the codes leaves [`SURVIVORS_MAX`], the
//! query's own numbers against their codes order those, and the rows of the first
//! [`RERANKED_MAX`] decide.

/// How many codes the Hamming distance leaves. It errs by about 1.1 / √dimension in the cosine.
pub const SURVIVORS_MAX: usize = 2_048;

/// How many rows are read: codes against the query's own numbers err by half as much. docs/recall.md
/// says how often the first ten are then those of a float scan.
pub const RERANKED_MAX: usize = 400;

/// How many passages a query gets. The fusion gives the last of them nothing, so that what lies
/// behind makes no difference.
pub const NEAREST_MAX: usize = 200;

/// How many of the newest passages tell how near the query is to anything.
pub const SAMPLE_MAX: usize = 256;

/// As if so many more passages had been looked at that are unrelated in the usual way: among three, chance
/// looks like a rule. Unrelated texts have a cosine of 0 to 0.7, depending on the model.
const PRIOR_COUNT: f64 = 2.0;
const PRIOR_MEAN: f64 = 0.24;
const PRIOR_DEVIATION: f64 = 0.12;

/// The bits of a number; four of them fill seven bytes.
const LEVEL_BITS: usize = 14;
const FOUR_LEVELS_BYTES: usize = 7;

/// The largest number of so many bits with a sign, and what is added to make it positive.
const LEVEL_MAX: f32 = 8191.0;
const OFFSET: i32 = 8192;

/// The bytes of a row before its numbers: the scale.
const SCALE_BYTES: usize = 4;

/// The signs of a vector, the first number in the highest bit of the first byte.
pub(super) fn code(vector: &[f32]) -> Vec<u8> {
    let byte = |numbers: &[f32]| {
        let bits = numbers.iter().zip(0_u32..);
        bits.fold(0_u8, |byte, (x, place)| {
            byte | (u8::from(*x > 0.0) << (7 - place))
        })
    };
    vector.chunks(8).map(byte).collect()
}

/// The scale of a vector, then its numbers, four in seven bytes.
pub(super) fn row(vector: &[f32]) -> Vec<u8> {
    let largest = vector
        .iter()
        .fold(f32::MIN_POSITIVE, |max, x| max.max(x.abs()));
    let scale = largest / LEVEL_MAX;
    let mut bytes = Vec::with_capacity(row_bytes(vector.len()));
    bytes.extend(scale.to_le_bytes());
    for four in vector.chunks(4) {
        let mut levels = 0_u64;
        for (x, place) in four.iter().zip(0..) {
            let level = ((x / scale).round() as i32).clamp(1 - OFFSET, OFFSET - 1) + OFFSET;
            levels |= u64::from(level.unsigned_abs()) << (place * LEVEL_BITS);
        }
        bytes.extend(levels.to_le_bytes().iter().take(FOUR_LEVELS_BYTES));
    }
    bytes
}

/// How long the row of so many numbers is.
pub(super) fn row_bytes(dimension: usize) -> usize {
    SCALE_BYTES + dimension.div_ceil(4) * FOUR_LEVELS_BYTES
}

/// The scale of a row.
pub(super) fn scale(row: &[u8]) -> Option<f32> {
    row.first_chunk().map(|bytes| f32::from_le_bytes(*bytes))
}

fn word(bytes: &[u8; FOUR_LEVELS_BYTES]) -> u64 {
    let [a, b, c, d, e, f, g] = *bytes;
    u64::from_le_bytes([a, b, c, d, e, f, g, 0])
}

/// What a stored vector is worth to a query.
pub(super) struct Query {
    vector: Vec<f32>,
    code: Vec<u8>,
    /// For each byte of a code and each value that it may have, what it adds to the estimate.
    table: Vec<[f32; 256]>,
}

/// A passage whose row is worth reading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Survivor {
    /// The number of the passage.
    pub passage: i64,
    /// Where the store finds its row.
    pub handle: i64,
    /// The cosine, estimated from its code.
    pub estimate: f32,
}

impl Query {
    pub fn new(vector: &[f32]) -> Self {
        let norm = 1.0 / (vector.len().max(1) as f32).sqrt();
        let table = vector.chunks(8).map(|numbers| {
            let all: f32 = numbers.iter().sum();
            let mut sums = [-all * norm; 256];
            // Each number doubles the values that are known: those without its bit, then with it.
            for (x, bit) in numbers.iter().rev().zip(8 - numbers.len()..) {
                let (without, with) = sums.split_at_mut(1 << bit);
                for (with, without) in with.iter_mut().zip(without) {
                    *with = *without + 2.0 * x * norm;
                }
            }
            sums
        });
        Self {
            code: code(vector),
            table: table.collect(),
            vector: vector.to_vec(),
        }
    }

    pub fn code(&self) -> &[u8] {
        &self.code
    }

    pub fn dimension(&self) -> usize {
        self.vector.len()
    }

    /// About 0.8 times the cosine.
    pub fn estimate(&self, code: &[u8]) -> f32 {
        let mut sum = 0.0;
        for (sums, byte) in self.table.iter().zip(code) {
            sum += sums.get(usize::from(*byte)).copied().unwrap_or_default();
        }
        sum
    }

    /// The cosine. Written out for the whole fours, because the executable is compiled for size and
    /// a loop over them takes three times as long.
    pub fn similarity(&self, row: &[u8]) -> f32 {
        let Some((scale, levels)) = row.split_first_chunk::<SCALE_BYTES>() else {
            return 0.0;
        };
        let level = |levels: u64, place: usize| {
            ((levels >> (place * LEVEL_BITS)) as i32 & (2 * OFFSET - 1)) - OFFSET
        };
        let (fours, rest) = self.vector.as_chunks::<4>();
        let (sevens, _) = levels.as_chunks::<FOUR_LEVELS_BYTES>();
        let mut sums = [0.0_f32; 2];
        for ([a, b, c, d], seven) in fours.iter().zip(sevens) {
            let levels = word(seven);
            sums[0] += a * level(levels, 0) as f32 + b * level(levels, 1) as f32;
            sums[1] += c * level(levels, 2) as f32 + d * level(levels, 3) as f32;
        }
        let last = sevens.get(fours.len()).map(word).unwrap_or_default();
        for (x, place) in rest.iter().zip(0..) {
            sums[0] += x * level(last, place) as f32;
        }
        (sums[0] + sums[1]) * f32::from_le_bytes(*scale)
    }

    /// Those whose rows are worth reading, the most promising first.
    pub fn promising(&self, mut survivors: Vec<Survivor>) -> Vec<Survivor> {
        survivors.sort_unstable_by(|a, b| {
            (b.estimate.total_cmp(&a.estimate)).then(b.passage.cmp(&a.passage))
        });
        survivors.truncate(RERANKED_MAX);
        survivors
    }
}

/// Orders what was read, the nearest first.
pub(super) fn nearest_first(mut read: Vec<(Survivor, f32)>) -> Vec<(Survivor, f32)> {
    read.sort_unstable_by(|(a, a_near), (b, b_near)| {
        (b_near.total_cmp(a_near)).then(b.passage.cmp(&a.passage))
    });
    read.truncate(NEAREST_MAX);
    read
}

/// How far the nearest stands out from what is near the query by chance: in standard deviations of
/// the estimates of a sample, itself left out. Only the lower half of the sample tells how far they
/// spread: in the upper one may be others that are meant.
pub(super) fn stands_out(nearest: &[(Survivor, f32)], mut sample: Vec<f32>) -> f64 {
    let Some((best, _)) = nearest.first() else {
        return 0.0;
    };
    if let Some(itself) = sample.iter().position(|x| *x == best.estimate) {
        sample.swap_remove(itself);
    }
    sample.sort_unstable_by(f32::total_cmp);
    let middle = sample.get(sample.len() / 2);
    let middle = middle.map_or(PRIOR_MEAN, |x| f64::from(*x));
    let lower = sample.iter().take(sample.len().div_ceil(2));
    let squares: f64 = lower.map(|x| (f64::from(*x) - middle).powi(2)).sum();
    let spread = squares / sample.len().div_ceil(2).max(1) as f64;

    let seen = sample.len() as f64;
    let count = seen + PRIOR_COUNT;
    let mean = (seen * middle + PRIOR_COUNT * PRIOR_MEAN) / count;
    let part = |weight: f64, spread: f64, at: f64| weight * (spread + (at - mean).powi(2));
    let prior = part(PRIOR_COUNT, PRIOR_DEVIATION.powi(2), PRIOR_MEAN);
    let deviation = ((part(seen, spread, middle) + prior) / count).sqrt();
    (f64::from(best.estimate) - mean) / deviation
}

/// The least distances first, at most [`SURVIVORS_MAX`] of them: places in `distances`, of equal
/// ones the last. `dimension` is the largest distance there is.
pub(super) fn least(distances: &[u16], dimension: usize) -> Vec<usize> {
    let mut counts = vec![0_usize; dimension + 2];
    for distance in distances {
        if let Some(count) = counts.get_mut(usize::from(*distance)) {
            *count += 1;
        }
    }
    let (mut limit, mut below) = (0, 0);
    while let Some(count) = counts.get(limit).filter(|_| limit <= dimension) {
        if below + count > SURVIVORS_MAX {
            break;
        }
        below += count;
        limit += 1;
    }
    let mut room = SURVIVORS_MAX.saturating_sub(below);
    let mut places: Vec<usize> = Vec::with_capacity(SURVIVORS_MAX);
    for (place, distance) in distances.iter().enumerate().rev() {
        let distance = usize::from(*distance);
        if distance < limit {
            places.push(place);
        } else if distance == limit && limit <= dimension && room > 0 {
            room -= 1;
            places.push(place);
        }
    }
    places
}

/// What is farther than anything: left out of a comparison.
pub(super) const OUT_OF_REACH: u16 = u16::MAX;

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(seed: u64, dimension: usize) -> Vec<f32> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut numbers: Vec<f32> = (0..dimension)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 40) as f32 / (1 << 23) as f32 - 1.0
            })
            .collect();
        let length = numbers.iter().map(|x| x * x).sum::<f32>().sqrt();
        numbers.iter_mut().for_each(|x| *x /= length);
        numbers
    }

    #[test]
    fn a_row_gives_the_cosine_back() {
        for dimension in [1, 7, 8, 1_024, 4_096] {
            let (a, b) = (vector(1, dimension), vector(2, dimension));
            let exact: f32 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
            let query = Query::new(&a);
            assert!(
                (query.similarity(&row(&b)) - exact).abs() < 5e-5,
                "{dimension}"
            );
            assert!(
                (query.similarity(&row(&a)) - 1.0).abs() < 2e-4,
                "{dimension}"
            );
            assert!(row(&b).len() == 4 + dimension.div_ceil(4) * 7);
        }
        assert_eq!(Query::new(&[1.0]).similarity(&[]), 0.0);
    }

    #[test]
    fn an_estimate_is_nearly_proportional_to_the_cosine() {
        let a = vector(1, 1_024);
        let query = Query::new(&a);
        for share in [0.0, 0.3, 0.6, 0.9_f32] {
            let other = vector(2, 1_024);
            let rest = (1.0 - share * share).sqrt();
            let mixed: Vec<f32> = a
                .iter()
                .zip(&other)
                .map(|(a, b)| share * a + rest * b)
                .collect();
            let exact = query.similarity(&row(&mixed));
            let estimate = query.estimate(&code(&mixed));
            assert!((estimate / 0.8 - exact).abs() < 0.1, "{estimate} {exact}");
        }
    }

    #[test]
    fn a_code_is_the_signs() {
        assert_eq!(
            code(&[1.0, -1.0, 0.5, 0.0, -2.0, 3.0, 1.0, -1.0, 1.0]),
            [0b1010_0110, 0x80]
        );
    }

    #[test]
    fn the_least_distances_are_left_and_of_equal_ones_the_last() {
        assert_eq!(least(&[3, 1, OUT_OF_REACH, 2, 4], 4), [4, 3, 1, 0]);
        let many = vec![7_u16; SURVIVORS_MAX + 10];
        let places = least(&many, 8);
        assert_eq!(places.len(), SURVIVORS_MAX);
        assert_eq!(
            (places.first(), places.last()),
            (Some(&(SURVIVORS_MAX + 9)), Some(&10))
        );
        assert!(least(&[], 8).is_empty());
    }

    #[test]
    fn what_stands_out_does_so_against_its_background() {
        let hit = |estimate| {
            let survivor = Survivor {
                passage: 1,
                handle: 1,
                estimate,
            };
            [(survivor, 1.0)]
        };
        let near_all = vec![0.6_f32; 200];
        let out = stands_out(&hit(0.6), near_all);
        assert!(out < 1.0, "everything is near");
        let few = vec![0.6_f32, 0.61, 0.59];
        let out = stands_out(&hit(0.62), few);
        assert!(out < 1.5, "everything of a handful is near");
        let far: Vec<f32> = (0..200).map(|n| 0.02 * (n % 5) as f32).collect();
        assert!(stands_out(&hit(0.6), far.clone()) > 5.0);
        assert!(stands_out(&[], far) == 0.0);
        let alone = stands_out(&hit(0.9), Vec::new());
        assert!(alone > 5.0, "a single passage may be meant");
    }
}
