//! Redaction against its labelled corpus: what must go goes, what only looks like it stays.

use sage::capture::redact::redact;

use crate::harness::tell;

const SECRETS: &str = include_str!("../fixtures/redaction/secrets.txt");
const LOOKALIKES: &str = include_str!("../fixtures/redaction/lookalikes.txt");

/// Of each corpus so many cases may be wrong, in percent.
const MISSED_PERCENT_MAX: usize = 1;
const TOUCHED_PERCENT_MAX: usize = 2;

/// The cases of a corpus file, with its escapes undone and the token breaks taken out.
fn cases(file: &str) -> Vec<String> {
    file.lines()
        .filter(|line| !line.is_empty() && !line.starts_with("# "))
        .map(unescape)
        .collect()
}

fn unescape(line: &str) -> String {
    let mut out = String::new();
    let mut chars = line.chars().filter(|&char| char != '¦').peekable();
    while let Some(char) = chars.next() {
        let escaped = match (char, chars.peek()) {
            ('\\', Some('n')) => Some('\n'),
            ('\\', Some('t')) => Some('\t'),
            ('\\', Some('\\')) => Some('\\'),
            _ => None,
        };
        if escaped.is_some() {
            chars.next();
        }
        out.push(escaped.unwrap_or(char));
    }
    out
}

/// The text of a case without its marks, and the marked parts.
fn unmark(case: &str) -> (String, Vec<String>) {
    let parts = case.split('«').skip(1);
    let secrets = parts.map(|part| part.split('»').next().unwrap_or_default().to_owned());
    (case.replace(['«', '»'], ""), secrets.collect())
}

#[test]
fn secrets_of_the_corpus_are_hidden() {
    let mut all = 0;
    let mut missed = Vec::new();
    for case in cases(SECRETS) {
        let (text, secrets) = unmark(&case);
        assert!(!secrets.is_empty(), "no mark in {case}");
        let done = redact(&text);
        for secret in secrets {
            all += 1;
            if done.text.contains(&secret) {
                missed.push(format!("{secret:?} in {:?}", done.text));
            }
        }
    }
    tell(&format!("missed {} of {all} secrets", missed.len()));
    assert!(all >= 200, "the corpus has shrunk to {all}");
    assert!(
        missed.len() * 100 <= all * MISSED_PERCENT_MAX,
        "missed {} of {all} secrets:\n{}",
        missed.len(),
        missed.join("\n")
    );
}

#[test]
fn lookalikes_of_the_corpus_stay() {
    let all = cases(LOOKALIKES);
    let touched: Vec<String> = all
        .iter()
        .filter(|case| redact(case).text != **case)
        .map(|case| format!("{case:?} became {:?}", redact(case).text))
        .collect();
    tell(&format!(
        "touched {} of {} look-alikes",
        touched.len(),
        all.len()
    ));
    assert!(all.len() >= 200, "the corpus has shrunk to {}", all.len());
    assert!(
        touched.len() * 100 <= all.len() * TOUCHED_PERCENT_MAX,
        "touched {} of {} look-alikes:\n{}",
        touched.len(),
        all.len(),
        touched.join("\n")
    );
}

#[test]
fn redacting_the_corpus_twice_changes_nothing() {
    for case in cases(SECRETS).iter().chain(&cases(LOOKALIKES)) {
        let once = redact(&unmark(case).0).text.into_owned();
        let twice = redact(&once);
        assert_eq!((twice.text.as_ref(), twice.secrets), (once.as_str(), 0));
    }
}
