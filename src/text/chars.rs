//! Which characters belong together.

/// What a character is to the analyser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Letters and digits of scripts that put blanks between words.
    Word,
    /// Scripts without blanks between words: every character and every pair is a term.
    Unspaced,
    /// Between two word characters it may join them: `main.rs`, `1.54.1`, `claude-code`.
    Joiner,
    /// Everything else.
    Gap,
}

/// What a character is.
#[inline]
pub(super) fn class(c: char) -> Class {
    // A recall asks this of each character of fifty passages, several times.
    match ASCII.get(c as usize) {
        Some(class) => *class,
        None => class_beyond_ascii(c),
    }
}

#[allow(clippy::indexing_slicing, reason = "the compiler runs it")]
const ASCII: [Class; 128] = {
    let mut classes = [Class::Gap; 128];
    let mut byte = 0;
    while byte < 128 {
        classes[byte as usize] = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => Class::Word,
            b'.' | b'-' => Class::Joiner,
            _ => Class::Gap,
        };
        byte += 1;
    }
    classes
};

fn class_beyond_ascii(c: char) -> Class {
    match c {
        _ if is_unspaced(c) => Class::Unspaced,
        _ if c.is_alphanumeric() => Class::Word,
        _ => Class::Gap,
    }
}

/// Han, kana, Hangul, and the South-East Asian scripts, by Unicode block.
fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{0e00}'..='\u{0eff}'     // Thai, Lao
        | '\u{1000}'..='\u{109f}'   // Myanmar
        | '\u{1780}'..='\u{17ff}'   // Khmer
        | '\u{3005}'..='\u{3007}'   // 々 〆 〇
        | '\u{3040}'..='\u{30ff}'   // Hiragana, Katakana
        | '\u{31f0}'..='\u{31ff}'   // Katakana extensions
        | '\u{3400}'..='\u{4dbf}'   // Han, extension A
        | '\u{4e00}'..='\u{9fff}'   // Han
        | '\u{ac00}'..='\u{d7a3}'   // Hangul syllables
        | '\u{f900}'..='\u{faff}'   // Han, compatibility
        | '\u{20000}'..='\u{3ffff}' // Han, further extensions
    ) && c.is_alphanumeric()
}
