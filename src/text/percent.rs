//! Texts as segments of an address.

/// Percent-encodes what RFC 3986 does not call unreserved.
pub fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// The reverse; `None` for what no encoder writes.
pub fn percent_decode(word: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => hex(rest.next()?)? * 16 + hex(rest.next()?)?,
            plain => plain,
        });
    }
    String::from_utf8(bytes).ok()
}

fn hex(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn texts_survive_an_address() {
        for text in ["0190-abc", "a b/c?d#e%", "\u{4f60}\u{597d}", "", "%41"] {
            let encoded = percent_encode(text);
            assert!(encoded.is_ascii());
            assert_eq!(percent_decode(&encoded).unwrap(), text);
        }
        for word in ["%", "%4", "%zz", "%ff", "%\u{e9}"] {
            assert_eq!(percent_decode(word), None, "{word}");
        }
    }
}
