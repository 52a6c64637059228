//! The built-in model: a table of English WordPieces and Chinese words, each with a vector. A text's
//! vector is the sum of those of its words. No network, no file: the table is part of the
//! executable, and is read where it lies.
//!
//! `tools/static-table` makes the table, and `table.provenance.json` beside it says of what. The
//! teachers are all-MiniLM-L6-v2 and universal-sentence-encoder-multilingual (both Apache-2.0).

mod table;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::text::{Word, words};
use table::Table;

#[cfg(feature = "builtin-table")]
static BYTES: &[u8] = include_bytes!("table.bin");
#[cfg(not(feature = "builtin-table"))]
static BYTES: &[u8] = &[];

/// Only where things stand in [`BYTES`]: a dozen numbers, nothing is copied.
static TABLE: LazyLock<Option<Table<'static>>> = LazyLock::new(|| Table::new(BYTES));

/// The longest key of the table: WordPieces are shorter, and so are four Chinese characters.
const KEY_BYTES_MAX: usize = 24;

/// What marks a WordPiece that continues a word.
const CONTINUES: &[u8] = b"##";

/// The longest Chinese word that the table may hold, in characters.
const WORD_CHARS_MAX: usize = 4;

/// The name and dimension of the built-in model; nothing where Sage was built without it.
pub fn builtin() -> Option<(&'static str, usize)> {
    TABLE.as_ref().map(|table| (table.name, table.dimension()))
}

/// The vector of a text, of length 1; of length 0 where the table knows no word of it. Nothing where
/// Sage was built without the table.
pub fn builtin_vector(text: &str) -> Option<Vec<f32>> {
    let table = TABLE.as_ref()?;
    let mut sum = vec![0.0; table.dimension()];
    rows(table, text, &mut |row| table.add(row, 1.0, &mut sum));
    Some(of_length_1(sum))
}

/// The same of a question: what it says again and again, as a dialogue does, counts less each time.
pub fn builtin_query_vector(text: &str) -> Option<Vec<f32>> {
    let table = TABLE.as_ref()?;
    let mut counts: BTreeMap<usize, f32> = BTreeMap::new();
    rows(table, text, &mut |row| {
        *counts.entry(row).or_default() += 1.0
    });
    let mut sum = vec![0.0; table.dimension()];
    for (row, count) in counts {
        table.add(row, count.powf(REPEATS), &mut sum);
    }
    Some(of_length_1(sum))
}

/// What a word of a question counts is its count to this power, as in the ranking by words: dialogues
/// as queries gain 0.3 points of recall at 10 over counting in full; at 0 Chinese ones lose 1.5.
const REPEATS: f32 = 0.5;

fn of_length_1(mut sum: Vec<f32>) -> Vec<f32> {
    let square: f32 = sum.iter().map(|x| x * x).sum();
    if square > 0.0 {
        let length = square.sqrt();
        sum.iter_mut().for_each(|x| *x /= length);
    }
    sum
}

/// The rows of all words of a text.
fn rows(table: &Table<'_>, text: &str, each: &mut dyn FnMut(usize)) {
    words(text, |word| match word {
        Word::Spaced(word) => pieces(table, word.as_bytes(), each),
        Word::Unspaced(run) => runs(table, run, each),
    });
}

/// The longest piece that the table knows, then the longest of the rest, and so on; a byte that
/// begins none is passed over.
fn pieces(table: &Table<'_>, word: &[u8], each: &mut dyn FnMut(usize)) {
    let mut rest = word;
    let mut is_first = true;
    let mut key = Vec::with_capacity(KEY_BYTES_MAX);
    while !rest.is_empty() {
        key.clear();
        if !is_first {
            key.extend_from_slice(CONTINUES);
        }
        let marked = key.len();
        let most = rest.len().min(KEY_BYTES_MAX - marked);
        key.extend(rest.iter().take(most));
        let mut taken = 1;
        while key.len() > marked {
            if let Some(row) = table.find(&key) {
                each(row);
                taken = key.len() - marked;
                break;
            }
            key.pop();
        }
        rest = rest.get(taken..).unwrap_or_default();
        is_first = false;
    }
}

/// Every stretch of up to four characters that the table knows: nobody need say where a word ends.
fn runs(table: &Table<'_>, run: &str, each: &mut dyn FnMut(usize)) {
    let mut rest = run;
    while let Some(first) = rest.chars().next() {
        let mut end = 0;
        for c in rest.chars().take(WORD_CHARS_MAX) {
            end += c.len_utf8();
            let key = rest.get(..end).unwrap_or_default();
            if let Some(row) = table.find(key.as_bytes()) {
                each(row);
            }
        }
        rest = rest.get(first.len_utf8()..).unwrap_or_default();
    }
}

#[cfg(feature = "builtin-table")]
#[cfg(test)]
mod tests {
    use super::*;

    fn cosine(a: &str, b: &str) -> f32 {
        let (a, b) = (builtin_vector(a).unwrap(), builtin_vector(b).unwrap());
        a.iter().zip(&b).map(|(a, b)| a * b).sum()
    }

    /// What the tool computed of each text, from the same table.
    #[test]
    fn vectors_are_those_of_the_tool() {
        let golden = include_str!("golden.json");
        let golden: Vec<(String, Vec<f32>)> = serde_json::from_str(golden).unwrap();
        assert!(golden.len() >= 10);
        for (text, wanted) in golden {
            let got = builtin_vector(&text).unwrap();
            assert_eq!(got.len(), wanted.len());
            for (got, wanted) in got.iter().zip(&wanted) {
                assert!((got - wanted).abs() < 2e-5, "{text:?}: {got} {wanted}");
            }
        }
    }

    #[test]
    fn what_means_the_same_is_near() {
        let other = "The meeting was moved to Thursday";
        assert!(cosine("the car is broken", "a defective automobile") > 0.4);
        assert!(cosine("the car is broken", other) < 0.3);
        assert!(cosine("数据库", "database") > 0.3);
        assert!(cosine("数据库", other) < 0.3);
    }

    #[test]
    fn a_question_may_repeat_itself() {
        let near = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        let car = builtin_vector("car").unwrap();
        let asked = builtin_query_vector("car car car car bread").unwrap();
        let said = builtin_vector("car car car car bread").unwrap();
        assert!(near(&car, &asked) < near(&car, &said));
        let (once, text) = ("is the car broken", "the car is broken");
        let once = builtin_query_vector(once).unwrap();
        assert!(near(&once, &builtin_vector(text).unwrap()) > 0.9999);
    }

    #[test]
    fn what_has_no_word_has_no_direction() {
        for text in ["", "…!?", "🎉", "Привет"] {
            assert!(builtin_vector(text).unwrap().iter().all(|x| *x == 0.0));
        }
    }
}
