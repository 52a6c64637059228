//! The stored form of a stretch of a posting list: ascending passage numbers, each as its distance
//! from the one before, the first as its distance from the chunk's own number. One to two bytes a
//! posting.

use crate::store::vector::{read_number, write_number};

/// Passages a chunk holds at most. A chunk is written anew for each passage it gets, and read whole
/// for each that is asked for: larger ones cost writers more, smaller ones readers.
pub(super) const PASSAGES_MAX: usize = 128;

/// Writes numbers that ascend and are not below `first`.
pub(super) fn encode(first: i64, passages: &[i64]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(passages.len() * 2);
    let mut before = first;
    for passage in passages {
        write_number(&mut bytes, passage.abs_diff(before));
        before = *passage;
    }
    bytes
}

/// Reads the numbers back, in order; ends early where the bytes are damaged.
pub(super) fn decode(first: i64, bytes: &[u8]) -> Vec<i64> {
    let mut rest = bytes.iter();
    let mut before = first;
    let mut passages = Vec::with_capacity(bytes.len());
    while let Some(distance) = read_number(&mut rest) {
        let Some(passage) = before.checked_add_unsigned(distance) else {
            break;
        };
        passages.push(passage);
        before = passage;
    }
    passages
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(
            first in 0..i64::MAX / 2,
            distances in prop::collection::vec(0..1_000_000_u32, 0..PASSAGES_MAX),
        ) {
            let passages: Vec<i64> = distances
                .iter()
                .scan(first, |at, distance| {
                    *at += i64::from(*distance);
                    Some(*at)
                })
                .collect();
            prop_assert_eq!(decode(first, &encode(first, &passages)), passages);
        }

        #[test]
        fn damage_does_no_harm(first: i64, bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(decode(first, &bytes).len() <= bytes.len());
        }
    }

    #[test]
    fn neighbours_cost_a_byte() {
        let passages: Vec<i64> = (1_000_000..1_000_128).collect();
        assert_eq!(encode(1_000_000, &passages).len(), PASSAGES_MAX);
        assert_eq!(decode(7, &encode(7, &[])), Vec::<i64>::new());
    }
}
