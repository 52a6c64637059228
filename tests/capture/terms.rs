//! Properties of the analyser: the limits of a term, and spellings that mean the same.

use proptest::prelude::*;
use sage::text::{Analyser, TERM_BYTES_MAX};
use unicode_normalization::UnicodeNormalization;

fn terms(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    Analyser::default().terms(text, |term| all.push(term.to_owned()));
    all
}

fn check(text: &str) -> Result<(), TestCaseError> {
    for term in terms(text) {
        prop_assert!(!term.is_empty());
        prop_assert!(term.len() <= TERM_BYTES_MAX, "{} bytes: {term}", term.len());
        prop_assert_eq!(&term.to_lowercase(), &term);
    }
    Ok(())
}

/// Identifiers, accents, unspaced scripts, and letters that grow when they become lower case.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            "get", "User", "HTTP", "ing", "ies", "sses", "y", "Y", "_", ".", "-", "'", "2", "10",
            " ", "\n", "é", "É", "e\u{301}", "ß", "İ", "ı", "Ⱥ", "Σ", "ς", "ǅ", "ﬁ", "²", "½",
            "Ａ", "ｂ", "１", "ｶﾞ", "カ", "한", "각", "数", "的", "ไทย", "Ж", "й", "\u{301}", "\0",
            "𝐀", "𐐀", "\u{200d}", "🎉",
        ]).prop_map(str::to_owned),
        1 => "[a-zA-Z0-9_.-]{1,80}",
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// The text as Japanese and Chinese input methods write ASCII.
fn full_width(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '!'..='~' => char::from_u32(u32::from(c) + 0xfee0).unwrap(),
            ' ' => '\u{3000}',
            c => c,
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 512,
        failure_persistence: None,
        ..Default::default()
    })]

    #[test]
    fn terms_of_any_text_keep_their_limits(text in any::<String>()) {
        check(&text)?;
    }

    #[test]
    fn terms_of_hostile_text_keep_their_limits(text in pieces()) {
        check(&text)?;
    }

    #[test]
    fn the_way_a_text_is_composed_does_not_matter(text in pieces()) {
        let expected = terms(&text);
        prop_assert_eq!(&terms(&text.nfc().to_string()), &expected);
        prop_assert_eq!(&terms(&text.nfd().to_string()), &expected);
        prop_assert_eq!(&terms(&text.nfkc().to_string()), &expected);
    }

    #[test]
    fn the_width_of_a_text_does_not_matter(text in "[ -~]{0,80}") {
        prop_assert_eq!(terms(&full_width(&text)), terms(&text));
    }

    #[test]
    fn the_case_of_a_plain_word_does_not_matter(word in "[a-z]{1,20}") {
        prop_assert_eq!(terms(&word.to_uppercase()), terms(&word));
    }
}

#[test]
fn a_term_keeps_its_limit_where_lower_case_is_longer() {
    // Two bytes become three.
    let run = format!("{}_a", "Ⱥ".repeat(TERM_BYTES_MAX / 2 - 1));
    assert_eq!(run.len(), TERM_BYTES_MAX);
    assert_eq!(terms(&run), ["a"; 0]);
}
