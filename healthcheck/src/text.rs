//! Short texts in the making, and numbers in them; what `core` has for that would be larger than
//! the rest of the probe.

/// The longest text is a reason, of about 120 bytes.
const CAPACITY: usize = 256;

/// A text of at most 256 bytes; what is beyond them is left out.
pub struct Text {
    bytes: [u8; CAPACITY],
    len: usize,
}

impl Text {
    /// An empty text.
    pub const fn new() -> Self {
        Self {
            bytes: [0; CAPACITY],
            len: 0,
        }
    }

    /// Adds a word.
    pub fn add(&mut self, word: &str) -> &mut Self {
        for byte in word.bytes() {
            self.add_byte(byte);
        }
        self
    }

    /// Adds a byte.
    pub fn add_byte(&mut self, byte: u8) -> &mut Self {
        if let Some(place) = self.bytes.get_mut(self.len) {
            *place = byte;
            self.len += 1;
        }
        self
    }

    /// Adds a number, in decimal.
    pub fn add_number(&mut self, number: u16) -> &mut Self {
        let mut unit = 10_000;
        while unit > 0 {
            let rest = number / unit;
            if rest > 0 || unit == 1 {
                // The remainder of ten fits a byte.
                self.add_byte(b'0' + (rest % 10) as u8);
            }
            unit /= 10;
        }
        self
    }

    /// What was added.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::new()
    }
}

/// Reads a number as the server does, which takes `+80` and `0080` as well. `str::parse` would be
/// 800 bytes more.
pub fn parse_number(word: &[u8]) -> Option<u16> {
    let digits = word.strip_prefix(b"+").unwrap_or(word);
    if digits.is_empty() {
        return None;
    }
    let mut number = 0_u16;
    for digit in digits {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number = number.checked_mul(10)?.checked_add(digit.into())?;
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_numbers_follow_each_other() {
        for (number, written) in [
            (0, "0"),
            (7, "7"),
            (80, "80"),
            (100, "100"),
            (9_090, "9090"),
            (10_001, "10001"),
            (65_535, "65535"),
        ] {
            let mut text = Text::new();
            text.add_number(number);
            assert_eq!(text.as_bytes(), written.as_bytes());
        }
        let mut text = Text::new();
        text.add("port ").add_number(17_800).add(".");
        assert_eq!(text.as_bytes(), b"port 17800.");
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let mut text = Text::new();
        for _ in 0..CAPACITY {
            text.add("ab");
        }
        assert_eq!(text.as_bytes(), b"ab".repeat(CAPACITY / 2));
    }
}
