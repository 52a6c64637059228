//! A query, taken apart: what to look up, which of it means the same, and the times it speaks of.

use std::collections::{HashMap, HashSet};

use jiff::tz::TimeZone;

use super::evidence::{Evidence, LeftOut};
use crate::memory::Timestamp;
use crate::order::{sort, sort_by_key};
use crate::store::candidates::TERMS_MAX;
use crate::text::{Analyser, Span, other_forms, spans};

/// Of those that are looked up, the rarest 64 bring candidates; looking up costs microseconds each.
const QUERY_TERMS_MAX: usize = 2_000;

/// What another form of a word counts beside the word itself ("went" where "go" was asked for, `db`
/// for "database"). From 0.4 to 0.8 conversations and code are found equally well; dialogues as
/// queries, which are full of common verbs, lose 2 points of recall at 10 above 0.4.
const OTHER_FORM: f64 = 0.4;

/// A query without other forms of its words: of a long one, a pasted log, the words say enough.
const FORMS_TERMS_MAX: usize = TERMS_MAX;

/// Of longer queries no word is taken for mistyped: they have others to go by, and words that are
/// merely unknown. Dialogues as queries lose 4 points of recall at 10 by it.
const TYPO_TERMS_MAX: usize = 12;

/// Words shorter than this are not taken for mistyped: there is always another one letter away.
const TYPO_CHARS_MIN: usize = 5;

/// So many unknown words are looked at for slips of the finger; more are another language, or noise.
const TYPO_WORDS_MAX: usize = 4;

/// What the ranking knows of a query.
#[derive(Debug, Clone, Default)]
pub(super) struct Query {
    /// Different terms to look up.
    pub terms: Vec<String>,
    /// For each term, which concept it stands for, and what an occurrence counts.
    pub stands_for: Vec<(usize, f64)>,
    /// For each concept, how often the query names it.
    pub counts: Vec<u32>,
    /// Concepts that follow one another in the query, each pair once.
    pub pairs: Vec<(usize, usize)>,
    /// The times that the query speaks of.
    pub spans: Vec<Span>,
    /// For each concept the word that was typed, where it could be a slip of the finger.
    words: Vec<Option<String>>,
    /// Concepts whose word was taken for another.
    pub guessed: Vec<usize>,
}

impl Query {
    /// Takes a text apart; `now` is what "yesterday" counts from.
    pub fn new(text: &str, analyser: &Analyser, now: Timestamp, left_out: LeftOut) -> Self {
        let mut query = Self::default();
        let mut known: HashMap<String, usize> = HashMap::new();
        let (mut before, mut paired) = (None, HashSet::new());
        analyser.terms(text, |term| {
            let concept = match known.get(term) {
                Some(concept) => *concept,
                None if query.terms.len() < QUERY_TERMS_MAX => {
                    let concept = query.counts.len();
                    known.insert(term.to_owned(), concept);
                    query.add(term, concept, 1.0);
                    query.counts.push(0);
                    concept
                }
                None => return,
            };
            if let Some(count) = query.counts.get_mut(concept) {
                *count += 1;
            }
            if let Some(before) = before.filter(|before| *before != concept)
                && paired.len() < QUERY_TERMS_MAX
                && paired.insert((before, concept))
            {
                query.pairs.push((before, concept));
            }
            before = Some(concept);
        });
        if !left_out.keeps(Evidence::Repeats) {
            query.counts.fill(1);
        }
        if query.terms.len() <= FORMS_TERMS_MAX {
            if left_out.keeps(Evidence::Forms) {
                query.add_forms(&known);
            }
            if query.counts.len() <= TYPO_TERMS_MAX && left_out.keeps(Evidence::Typos) {
                query.words = typed_words(text, analyser, &known, query.counts.len());
            }
        }
        if left_out.keeps(Evidence::Dates) {
            query.spans = spans(text, TimeZone::UTC.to_datetime(now).date());
        }
        query
    }

    fn add(&mut self, term: &str, concept: usize, counts: f64) {
        self.terms.push(term.to_owned());
        self.stands_for.push((concept, counts));
    }

    fn add_forms(&mut self, known: &HashMap<String, usize>) {
        for concept in 0..self.counts.len() {
            let term = self.terms.get(concept).cloned().unwrap_or_default();
            for form in other_forms(&term).filter(|form| !known.contains_key(*form)) {
                self.add(form, concept, OTHER_FORM);
            }
        }
    }

    /// In how many passages each concept occurs, given it of each term.
    pub fn concept_frequencies(&self, frequencies: &[u64]) -> Vec<u64> {
        let mut sums = vec![0; self.counts.len()];
        for ((concept, _), frequency) in self.stands_for.iter().zip(frequencies) {
            if let Some(sum) = sums.get_mut(*concept) {
                *sum += frequency;
            }
        }
        sums
    }

    /// Which concepts a passage holds, ascending, and how much of each, given how often each term
    /// occurs in it.
    pub fn concepts(&self, matches: &[(usize, u32)]) -> Vec<(usize, f64)> {
        let mut held: Vec<(usize, f64)> = matches
            .iter()
            .filter_map(|(term, count)| {
                let (concept, counts) = self.stands_for.get(*term)?;
                Some((*concept, counts * f64::from(*count)))
            })
            .collect();
        // Stable, so that sums are made in the order of the terms.
        sort_by_key(&mut held, |(concept, _)| *concept);
        held.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
            }
            same
        });
        held
    }

    /// Whether any of these concepts, given ascending, follow one another in the query.
    pub fn has_pair(&self, held: &[(usize, f64)]) -> bool {
        let has = |concept: usize| held.binary_search_by_key(&concept, |held| held.0).is_ok();
        held.len() > 1 && self.pairs.iter().any(|(a, b)| has(*a) && has(*b))
    }

    /// Each term with its concept, for reading a text.
    pub fn by_term(&self) -> ByTerm<'_> {
        let terms = self.terms.iter().map(String::as_str);
        ByTerm::new(terms.zip(self.stands_for.iter().map(|of| of.0)))
    }

    /// Words that nothing stored has, each with its concept: perhaps slips of the finger.
    pub fn unknown_words(&self, frequencies: &[u64]) -> Vec<(usize, &str)> {
        let held = self.concept_frequencies(frequencies);
        let words = self.words.iter().zip(held).enumerate();
        words
            .filter(|(_, (_, held))| *held == 0)
            .filter_map(|(concept, (word, _))| Some((concept, word.as_deref()?)))
            .take(TYPO_WORDS_MAX)
            .collect()
    }

    /// Takes a word for another, which is stored.
    pub fn correct(&mut self, concept: usize, term: &str) {
        self.guessed.push(concept);
        match self.terms.iter().position(|known| known == term) {
            // It is asked for already: what looked like another word was the same.
            Some(_) => {}
            None => self.add(term, concept, 1.0),
        }
    }
}

/// Numbers by term. A recall asks it for each word of fifty passages, so most of the others are told
/// by a bit, without being hashed.
pub(super) struct ByTerm<'a> {
    /// A bit for each term, several for one.
    bits: u64,
    sorted: Vec<(&'a str, usize)>,
}

impl<'a> ByTerm<'a> {
    pub fn new(terms: impl Iterator<Item = (&'a str, usize)>) -> Self {
        let mut sorted: Vec<(&str, usize)> = terms.collect();
        sort(&mut sorted);
        let bits = sorted.iter().fold(0, |bits, (term, _)| bits | bit(term));
        Self { bits, sorted }
    }

    pub fn get(&self, term: &str) -> Option<usize> {
        if self.bits & bit(term) == 0 {
            return None;
        }
        let place = self
            .sorted
            .binary_search_by(|(known, _)| (*known).cmp(term));
        self.sorted.get(place.ok()?).map(|(_, number)| *number)
    }
}

/// By the last two bytes and the length: terms often begin alike.
fn bit(term: &str) -> u64 {
    let ends = term.bytes().rev().take(2).map(usize::from);
    let sum = ends.fold(term.len(), |sum, byte| 3 * sum + byte);
    1 << (sum % 64)
}

/// For each concept the word that made it, if it is one of at least five letters a to z.
fn typed_words(
    text: &str,
    analyser: &Analyser,
    known: &HashMap<String, usize>,
    concepts: usize,
) -> Vec<Option<String>> {
    let mut words = vec![None; concepts];
    for word in text.split(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_uppercase()) {
        if word.len() < TYPO_CHARS_MIN {
            continue;
        }
        let word = word.to_ascii_lowercase();
        analyser.terms(&word, |term| {
            if let Some(place) = known.get(term).and_then(|concept| words.get_mut(*concept)) {
                *place = Some(word.clone());
            }
        });
    }
    words
}

/// Every word that is one slip away, each behind its term: a letter left out, put in or mistaken,
/// or two swapped.
pub(super) fn one_slip_away(word: &str, analyser: &Analyser) -> Vec<(String, String)> {
    const LETTERS: std::ops::RangeInclusive<char> = 'a'..='z';
    let mut all = Vec::new();
    for at in 0..=word.len() {
        let Some((head, tail)) = word.split_at_checked(at) else {
            continue;
        };
        all.extend(LETTERS.map(|letter| format!("{head}{letter}{tail}")));
        let mut rest = tail.chars();
        let Some(first) = rest.next() else {
            continue;
        };
        let rest = rest.as_str();
        all.push([head, rest].concat());
        all.extend(LETTERS.map(|letter| format!("{head}{letter}{rest}")));
        let mut after = rest.chars();
        if let Some(second) = after.next() {
            all.push(format!("{head}{second}{first}{}", after.as_str()));
        }
    }
    all.retain(|other| other != word);
    let mut terms = Vec::with_capacity(all.len());
    for other in all {
        let mut term = None;
        analyser.terms(&other, |first| term = Some(first.to_owned()));
        terms.extend(term.map(|term| (term, other)));
    }
    sort(&mut terms);
    terms.dedup_by(|next, kept| next.0 == kept.0);
    terms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Query {
        let now = Timestamp::UNIX_EPOCH;
        Query::new(text, &Analyser::default(), now, LeftOut::default())
    }

    #[test]
    fn forms_share_a_concept() {
        let query = query("win the database, win");
        assert_eq!(query.terms, ["win", "databas", "won", "db"]);
        assert_eq!(query.counts, [2, 1]);
        assert_eq!(
            query.concept_frequencies(&[1, 10, 100, 1_000]),
            [101, 1_010]
        );
        assert_eq!(
            query.concepts(&[(0, 1), (2, 2)]),
            [(0, 1.0 + 2.0 * OTHER_FORM)]
        );
        assert_eq!(query.pairs, [(0, 1), (1, 0)]);
    }

    #[test]
    fn terms_are_found_by_name_and_others_are_not() {
        let names: Vec<String> = (0..200).map(|number| format!("t{number}")).collect();
        let known = ByTerm::new(names.iter().map(String::as_str).zip(0..));
        for (number, name) in names.iter().enumerate() {
            assert_eq!(known.get(name), Some(number));
            assert_eq!(known.get(&format!("{name}.")), None);
        }
        assert_eq!(known.get(""), None);
    }

    #[test]
    fn slips_are_corrected() {
        for (typed, meant) in [
            ("kubernets", "kubernetes"),
            ("postgers", "postgres"),
            ("educaton", "education"),
            ("mmigrate", "migrate"),
            ("nigrate", "migrate"),
        ] {
            let all = one_slip_away(typed, &Analyser::default());
            let mut wanted = String::new();
            Analyser::default().terms(meant, |term| wanted = term.to_owned());
            assert!(all.iter().any(|(term, _)| *term == wanted), "{typed}");
        }
        let mut query = query("kubernets rollout");
        assert_eq!(query.unknown_words(&[0, 3]), [(0, "kubernets")]);
        query.correct(0, "kubernet");
        assert_eq!(query.concept_frequencies(&[0, 3, 5]), [5, 3]);
    }
}
