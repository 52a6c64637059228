//! Words too common to look for.
//!
//! Leaving these out is worth 3 to 5 points of recall at 10 on conversations (measured in
//! November 2026 on LoCoMo and CoSQA). Month names and words that name code ("return", "class")
//! stay in: they are what people search for.

/// The bytes of the longest, "themselves".
const LONGEST: usize = 10;

/// Whether an English word, lower case, is left out of the index and of queries.
pub(super) fn is_stop_word(word: &str) -> bool {
    word.len() <= LONGEST && NUMBERS.binary_search(&number(word)).is_ok()
}

/// The stop words as numbers, in the same order. A recall asks for every word of fifty passages, and
/// numbers are compared in a quarter of the time.
#[allow(clippy::indexing_slicing, reason = "the compiler runs it")]
const NUMBERS: [u128; ENGLISH.len()] = {
    let mut numbers = [0; ENGLISH.len()];
    let mut index = 0;
    while index < ENGLISH.len() {
        numbers[index] = number(ENGLISH[index]);
        index += 1;
    }
    numbers
};

/// The bytes of a word of at most [`LONGEST`], as the first of a number's, so that numbers are
/// ordered as words are.
const fn number(word: &str) -> u128 {
    let (mut number, mut rest, mut shift) = (0, word.as_bytes(), u128::BITS);
    while let [first, others @ ..] = rest
        && let Some(left) = shift.checked_sub(u8::BITS)
    {
        number |= (*first as u128) << left;
        (rest, shift) = (others, left);
    }
    number
}

/// Whether a Chinese or Japanese character only holds a sentence together.
pub(super) fn is_stop_char(c: char) -> bool {
    CHINESE.contains(&c)
}

/// Particles, pronouns, measure words and question words of Chinese; kana particles occur inside
/// words and stay in.
const CHINESE: [char; 42] = [
    '的', '了', '是', '在', '我', '你', '他', '她', '它', '们', '这', '那', '有', '和', '就', '不',
    '也', '都', '而', '及', '与', '着', '或', '一', '个', '吗', '呢', '吧', '啊', '么', '什', '怎',
    '之', '以', '于', '被', '把', '让', '给', '对', '很', '会',
];

const ENGLISH: [&str; 160] = [
    "a",
    "about",
    "above",
    "after",
    "again",
    "ain",
    "all",
    "also",
    "am",
    "an",
    "and",
    "any",
    "are",
    "aren",
    "as",
    "at",
    "be",
    "because",
    "been",
    "before",
    "being",
    "below",
    "between",
    "both",
    "but",
    "by",
    "can",
    "could",
    "couldn",
    "d",
    "did",
    "didn",
    "do",
    "does",
    "doesn",
    "doing",
    "don",
    "down",
    "during",
    "each",
    "either",
    "else",
    "ever",
    "few",
    "for",
    "from",
    "further",
    "had",
    "hadn",
    "has",
    "hasn",
    "have",
    "haven",
    "having",
    "he",
    "her",
    "here",
    "hers",
    "herself",
    "him",
    "himself",
    "his",
    "how",
    "i",
    "if",
    "im",
    "in",
    "into",
    "is",
    "isn",
    "it",
    "its",
    "itself",
    "just",
    "let",
    "ll",
    "m",
    "me",
    "might",
    "mightn",
    "more",
    "most",
    "must",
    "mustn",
    "my",
    "myself",
    "needn",
    "no",
    "nor",
    "not",
    "now",
    "of",
    "off",
    "on",
    "once",
    "only",
    "or",
    "other",
    "our",
    "ours",
    "ourselves",
    "out",
    "over",
    "own",
    "re",
    "s",
    "same",
    "shan",
    "she",
    "should",
    "shouldn",
    "so",
    "some",
    "such",
    "t",
    "than",
    "that",
    "the",
    "their",
    "theirs",
    "them",
    "themselves",
    "then",
    "there",
    "these",
    "they",
    "this",
    "those",
    "through",
    "to",
    "too",
    "under",
    "until",
    "up",
    "us",
    "ve",
    "very",
    "was",
    "wasn",
    "we",
    "were",
    "weren",
    "what",
    "when",
    "where",
    "which",
    "while",
    "who",
    "whom",
    "whose",
    "why",
    "will",
    "with",
    "would",
    "wouldn",
    "you",
    "your",
    "yours",
    "yourself",
    "yourselves",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_for_its_search() {
        assert!(ENGLISH.is_sorted());
        assert!(ENGLISH.iter().all(|word| is_stop_word(word)));
        assert!(!is_stop_word("may") && !is_stop_word("return"));
    }
}
