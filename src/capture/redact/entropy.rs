//! Whether a string looks minted by a machine or written by a person.

/// How many bytes of a value are judged: a long one is judged by its head, which bounds the cost.
pub const JUDGED_BYTES_MAX: usize = 128;

/// A machine-made value has at least this many bytes that are no part of a word. Below it, names
/// with a version or a build number in them ("db-creds-v2") would count.
const UNWORDLY_BYTES_MIN: usize = 8;

/// Whether the bytes look random: letters and digits mixed in a way that words, version numbers and
/// identifiers are not. Only the bytes of tokens in the common encodings may occur.
pub fn is_random(value: &[u8]) -> bool {
    let head = value.get(..JUDGED_BYTES_MAX).unwrap_or(value);
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=_-.~%:".contains(&byte);
    if !head.iter().copied().all(allowed) || distinct(head) < UNWORDLY_BYTES_MIN {
        return false;
    }
    let has_letter = head.iter().any(u8::is_ascii_alphabetic);
    let unwordly: usize = head
        .split(|byte| !byte.is_ascii_alphanumeric())
        .filter(|chunk| !is_wordly(chunk))
        .map(<[u8]>::len)
        .sum();
    has_letter && unwordly >= UNWORDLY_BYTES_MIN && unwordly * 2 >= head.len()
}

/// Random, and of upper and lower case letters and digits in one piece: no hash, no cache key.
pub fn is_dense(value: &[u8]) -> bool {
    const BYTES_MIN: usize = 24;
    let head = value.get(..JUDGED_BYTES_MAX).unwrap_or(value);
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=_".contains(byte);
    value.len() >= BYTES_MIN
        && head.iter().all(plain)
        && head.iter().any(u8::is_ascii_lowercase)
        && head.iter().any(u8::is_ascii_uppercase)
        && head.iter().any(u8::is_ascii_digit)
        && is_random(head)
}

/// How many different bytes occur in the judged head of the value.
pub fn distinct(value: &[u8]) -> usize {
    let head = value.get(..JUDGED_BYTES_MAX).unwrap_or(value);
    let seen = head.iter().fold([0u128; 2], |[low, high], &byte| {
        let bit = 1u128 << (byte & 0x7F);
        if byte < 0x80 {
            [low | bit, high]
        } else {
            [low, high | bit]
        }
    });
    seen.iter().map(|set| set.count_ones() as usize).sum()
}

/// Whether a chunk of letters and digits is a word or a number as people write them: one case
/// style with few humps, and digits only at the end and few ("sha256", "v2", "CreateUser").
fn is_wordly(chunk: &[u8]) -> bool {
    const DIGITS_MAX: usize = 4;
    let digits = chunk
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let letters = chunk.get(..chunk.len() - digits).unwrap_or_default();
    if digits > DIGITS_MAX || !letters.iter().all(u8::is_ascii_alphabetic) {
        return false;
    }
    let upper = letters
        .iter()
        .filter(|byte| byte.is_ascii_uppercase())
        .count();
    upper == letters.len() || upper * 3 <= letters.len() + 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_made_values_are_random() {
        for value in [
            "a1b2c3d4e5f6a7b8",
            "Xk9vQ2mLp0sT7",
            "abcdef123456",
            "550e8400-e29b-41d4",
        ] {
            assert!(is_random(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn names_and_versions_are_not() {
        for value in [
            "db-credentials-v2",
            "node-modules-Linux",
            "us-east-1",
            "CancellationToken",
            "2026-07-14",
            "x86_64-unknown-linux-musl",
            "aaaaaaaa1111111111",
        ] {
            assert!(!is_random(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn a_hash_is_not_dense() {
        assert!(!is_dense(b"0123456789abcdef0123456789abcdef01234567"));
        assert!(is_dense(b"Zx81qLmN0pRs7TuVw3XyA2bC"));
    }
}
