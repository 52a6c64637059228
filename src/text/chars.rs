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

pub(super) fn class(c: char) -> Class {
    match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => Class::Word,
        '.' | '-' => Class::Joiner,
        _ if c.is_ascii() => Class::Gap,
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
