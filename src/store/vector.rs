//! The stored form of a passage's terms: pairs of term id and count, ids ascending, each pair two
//! LEB128 numbers, the id as its distance from the one before. About 3 bytes a term.

/// Writes pairs whose ids ascend and are not negative.
pub(super) fn encode(pairs: &[(i64, u32)]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(pairs.len() * 3);
    let mut before = 0;
    for (id, count) in pairs {
        write_number(&mut bytes, id.abs_diff(before));
        write_number(&mut bytes, u64::from(*count));
        before = *id;
    }
    bytes
}

/// Reads the pairs back, in order; ends early where the bytes are damaged.
pub(super) fn decode(bytes: &[u8]) -> impl Iterator<Item = (i64, u32)> {
    let mut rest = bytes.iter();
    let mut id = 0_i64;
    std::iter::from_fn(move || {
        id = id.checked_add(i64::try_from(read_number(&mut rest)?).ok()?)?;
        let count = u32::try_from(read_number(&mut rest)?).ok()?;
        Some((id, count))
    })
}

/// Writes a LEB128 number.
pub(super) fn write_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Reads a LEB128 number; nothing where it is damaged or the bytes end.
pub(super) fn read_number(bytes: &mut std::slice::Iter<'_, u8>) -> Option<u64> {
    // By hand, since a recall reads 100,000 of them and iterators are not melted down for size. Most
    // are a count, or the distance to the next term, of one byte.
    let first = *bytes.next()?;
    if first < 0x80 {
        return Some(u64::from(first));
    }
    let (mut number, mut shift) = (u64::from(first & 0x7f), 7);
    while shift < u64::BITS {
        let byte = *bytes.next()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
        shift += 7;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_survive_and_damage_does_no_harm() {
        let pairs = vec![
            (1, 1),
            (2, 300),
            (200, 1),
            (1_000_000, 70_000),
            (i64::MAX, u32::MAX),
        ];
        let bytes = encode(&pairs);
        assert_eq!(decode(&bytes).collect::<Vec<_>>(), pairs);
        for cut in 0..bytes.len() {
            assert!(decode(bytes.get(..cut).unwrap_or_default()).count() < pairs.len());
        }
        assert_eq!(decode(&[0xff; 40]).count(), 0);
    }
}
