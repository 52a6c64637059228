//! Names that announce a secret: `db_password`, `apiKey`, `GITHUB_TOKEN`, `口令`.

use super::bytes::{slice, starts_with};

/// How much evidence the value itself must give before it counts as a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// A password: any literal value is one, even a plain word.
    Literal,
    /// A secret such as a signing secret: random, or a single piece with letters and digits.
    Mixed,
    /// A token or an API key: the value must look random.
    Random,
    /// A session or a signature, only as `name=value` in a cookie or URL, and random.
    Pair,
    /// A name used for much else (`key`): only a dense value that can be no hash and no name.
    Dense,
}

/// What a name announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    pub trust: Trust,
    pub kind: &'static str,
    /// The name is written as environment variables are: `DB_PASSWORD`.
    pub is_env: bool,
}

/// Endings of names, in lower case and without `_`, `-`: the last word of a name says what it
/// holds, so that `token_count` or `password_reset_url` announce nothing.
const ENDINGS: &[(&str, Trust, &str)] = &[
    ("password", Trust::Literal, "password"),
    ("passwd", Trust::Literal, "password"),
    ("passwort", Trust::Literal, "password"),
    ("passphrase", Trust::Literal, "password"),
    ("passcode", Trust::Literal, "password"),
    ("requirepass", Trust::Literal, "password"),
    ("pwd", Trust::Literal, "password"),
    ("secretaccesskey", Trust::Random, "aws-secret-key"),
    ("secretkey", Trust::Mixed, "secret"),
    ("secretid", Trust::Random, "secret"),
    ("secret", Trust::Mixed, "secret"),
    ("nexttoken", Trust::Dense, "token"),
    ("pagetoken", Trust::Dense, "token"),
    ("token", Trust::Random, "token"),
    ("apikey", Trust::Random, "api-key"),
    ("appkey", Trust::Random, "api-key"),
    ("accesskey", Trust::Random, "access-key"),
    ("privatekey", Trust::Random, "private-key"),
    ("signingkey", Trust::Random, "signing-key"),
    ("encryptionkey", Trust::Random, "encryption-key"),
    ("masterkey", Trust::Random, "encryption-key"),
    ("accountkey", Trust::Random, "access-key"),
    ("storagekey", Trust::Random, "access-key"),
    ("authkey", Trust::Random, "access-key"),
    ("licensekey", Trust::Random, "license-key"),
    ("subscriptionkey", Trust::Random, "api-key"),
    ("authorization", Trust::Random, "authorization"),
    ("credential", Trust::Random, "credential"),
    ("credentials", Trust::Random, "credential"),
    ("signature", Trust::Pair, "signature"),
    ("session", Trust::Pair, "session"),
    ("sessionid", Trust::Pair, "session"),
    ("sessid", Trust::Pair, "session"),
];

/// Endings so short that they must be a whole word of the name: `db_pass`, not `compass`.
const SHORT_ENDINGS: &[(&str, Trust, &str)] = &[
    ("pass", Trust::Literal, "password"),
    ("psk", Trust::Literal, "password"),
    ("pw", Trust::Literal, "password"),
    ("sid", Trust::Pair, "session"),
    ("sig", Trust::Pair, "signature"),
    ("auth", Trust::Pair, "token"),
    ("key", Trust::Dense, "high-entropy"),
];

/// Words after the one that counts: `DB_PASSWORD_PROD`, `SECRET_KEY_BASE`, `API_KEY_2`.
const TRAILERS: &[&str] = &[
    "prod",
    "production",
    "staging",
    "dev",
    "test",
    "live",
    "base",
    "old",
    "new",
    "value",
    "primary",
    "secondary",
    "backup",
];

/// Keys that are published, or that only sort and look things up.
const HARMLESS_KEYS: &[&str] = &[
    "public",
    "pub",
    "cache",
    "primary",
    "foreign",
    "sort",
    "partition",
    "host",
    "index",
    "row",
    "idempotency",
    "routing",
    "translation",
    "publishable",
    "site",
    "group",
    "unique",
    "lookup",
];

/// Names longer than this are read by their end.
const NAME_BYTES_MAX: usize = 64;

/// What the name announces; None for most words.
pub fn classify(name: &[u8]) -> Option<Key> {
    let from = name.len().saturating_sub(NAME_BYTES_MAX);
    let name = slice(name, from, name.len());
    let mut words = Words::of(name);
    while words.last().0 > 0 && is_trailer(words.last().1) {
        words.pop();
    }
    let is_env = !name.iter().any(u8::is_ascii_lowercase);
    let key = |&(_, trust, kind): &(&str, Trust, &'static str)| Key {
        trust,
        kind,
        is_env,
    };
    // The last byte rules most endings out before they are compared.
    let tail = words.joined().last();
    let ends = |(ending, ..): &&(&str, Trust, &str)| {
        ending.as_bytes().last() == tail && words.joined().ends_with(ending.as_bytes())
    };
    if let Some(found) = ENDINGS.iter().find(ends) {
        return Some(key(found));
    }
    let (before_last, last) = words.last();
    let is_last = |(ending, ..): &&(&str, Trust, &str)| last == ending.as_bytes();
    let mut found = SHORT_ENDINGS.iter().find(is_last).map(key)?;
    let is_alone = before_last == 0;
    match last {
        // `pass` alone counts tests; `key` behind a harmless word finds rows.
        b"pass" | b"pw" if is_alone => found.trust = Trust::Mixed,
        b"key" if !is_alone => {
            words.pop();
            let (_, word) = words.last();
            if HARMLESS_KEYS
                .iter()
                .any(|harmless| word == harmless.as_bytes())
            {
                return None;
            }
            if is_env {
                found.trust = Trust::Random;
            }
        }
        _ => {}
    }
    Some(found)
}

fn is_trailer(word: &[u8]) -> bool {
    let is =
        |trailer: &&str| trailer.as_bytes().first() == word.first() && trailer.as_bytes() == word;
    TRAILERS.iter().any(is) || word.iter().all(u8::is_ascii_digit)
}

/// The words of an identifier, split at `_`, `-` and where a capital begins a word.
struct Words {
    /// The words in lower case, one behind the other, in the first `length` bytes.
    joined: [u8; NAME_BYTES_MAX],
    length: usize,
    /// Bit `n` is set when a word begins at byte `n`; [`NAME_BYTES_MAX`] bytes fit.
    starts: u64,
}

impl Words {
    /// Reads at most [`NAME_BYTES_MAX`] bytes of the name.
    fn of(name: &[u8]) -> Words {
        let mut joined = [0; NAME_BYTES_MAX];
        let mut length = 0;
        let mut starts = 0;
        let mut previous = b'_';
        for &byte in name {
            if !matches!(byte, b'_' | b'-')
                && let Some(slot) = joined.get_mut(length)
            {
                let is_hump = byte.is_ascii_uppercase() && !previous.is_ascii_uppercase();
                if is_hump || matches!(previous, b'_' | b'-') {
                    starts |= 1u64 << length;
                }
                *slot = byte.to_ascii_lowercase();
                length += 1;
            }
            previous = byte;
        }
        Words {
            joined,
            length,
            starts,
        }
    }

    fn joined(&self) -> &[u8] {
        slice(&self.joined, 0, self.length)
    }

    /// Where the last word begins, and the word.
    fn last(&self) -> (usize, &[u8]) {
        let start = self.starts.checked_ilog2().map_or(0, |bit| bit as usize);
        (start, slice(&self.joined, start, self.length))
    }

    fn pop(&mut self) {
        let (start, _) = self.last();
        self.length = start;
        self.starts &= !(1u64 << start);
    }
}

/// Whether a word can end a name that announces something, judged by the last three letters of all
/// endings and trailers: a first look that most words of prose fail.
pub fn may_announce(name: &[u8]) -> bool {
    let [.., first, middle, last] = name else {
        return name.eq_ignore_ascii_case(b"pw") || name.eq_ignore_ascii_case(b"by");
    };
    let tail = [*first, *middle, *last].map(|byte| byte.to_ascii_lowercase());
    matches!(
        &tail,
        [_, b'p', b'w']
            | [_, _, b'0'..=b'9' | b'_']
            | b"als"
            | b"ary"
            | b"ase"
            | b"ass"
            | b"dev"
            | b"est"
            | b"gin"
            | b"ial"
            | b"ing"
            | b"ion"
            | b"ive"
            | b"ken"
            | b"key"
            | b"kup"
            | b"lue"
            | b"new"
            | b"nid"
            | b"ode"
            | b"old"
            | b"ord"
            | b"ort"
            | b"psk"
            | b"pwd"
            | b"rer"
            | b"ret"
            | b"rod"
            | b"sid"
            | b"sig"
            | b"swd"
            | b"tid"
            | b"ure"
            | b"uth"
    )
}

/// The Chinese words that announce a secret, in both scripts.
const IDEOGRAPHS: &[(&str, Trust, &str)] = &[
    ("密码", Trust::Literal, "password"),
    ("密碼", Trust::Literal, "password"),
    ("口令", Trust::Literal, "password"),
    ("密钥", Trust::Random, "secret"),
    ("密鑰", Trust::Random, "secret"),
    ("秘钥", Trust::Random, "secret"),
    ("私钥", Trust::Random, "secret"),
    ("令牌", Trust::Random, "token"),
];

/// The Chinese keyword at a position, and where it ends.
pub fn ideograph(text: &[u8], position: usize) -> Option<(Key, usize)> {
    let found = IDEOGRAPHS
        .iter()
        .find(|(word, ..)| starts_with(text, position, word.as_bytes()));
    let &(word, trust, kind) = found?;
    let key = Key {
        trust,
        kind,
        is_env: false,
    };
    Some((key, position + word.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trust(name: &str) -> Option<Trust> {
        assert!(may_announce(name.as_bytes()) || classify(name.as_bytes()).is_none());
        classify(name.as_bytes()).map(|key| key.trust)
    }

    #[test]
    fn the_last_word_decides() {
        for name in [
            "password",
            "DB_PASSWORD",
            "userPassword",
            "db_pass",
            "PASSWORD_2",
            "npwd",
        ] {
            assert_eq!(trust(name), Some(Trust::Literal), "{name}");
        }
        for name in [
            "apiKey",
            "X-Api-Key",
            "GITHUB_TOKEN",
            "_authToken",
            "STRIPE_KEY",
        ] {
            assert_eq!(trust(name), Some(Trust::Random), "{name}");
        }
        for name in [
            "max_tokens",
            "token_count",
            "compass",
            "secretName",
            "primary_key",
            "key_id",
        ] {
            assert_eq!(trust(name), None, "{name}");
        }
    }

    #[test]
    fn every_ending_passes_the_first_look() {
        for (ending, ..) in ENDINGS.iter().chain(SHORT_ENDINGS) {
            assert!(may_announce(ending.as_bytes()), "{ending}");
        }
        for trailer in TRAILERS {
            assert!(may_announce(trailer.as_bytes()), "{trailer}");
        }
    }
}
