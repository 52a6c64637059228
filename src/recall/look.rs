//! A closer look at the best of a ranking: what their words say that the index does not know. The
//! order of words, who said it, whether it only asks, the times it names, whether it was said
//! before.

use std::collections::{HashMap, HashSet};

use super::evidence::{Evidence, LeftOut};
use super::query::ByTerm;
use super::rank::{Ranked, day_of};
use super::weights::Weights;
use crate::memory::{Kind, Memory};
use crate::order::sort_by;
use crate::text::{Analyser, spans};

/// So many of the best are read. 30 find half a point of recall at 10 less on LoCoMo, 200 no more.
pub(super) const LOOKED_AT: usize = 50;

/// What a passage gains at most for words that stand together as in the query: 1 point of recall
/// at 10 on questions about code, nothing on conversations.
const TOGETHER: f64 = 0.2;
/// Words count as together with at most one other between them.
const TOGETHER_WITHIN: usize = 2;

/// What a memory gains whose label holds a word of the query: who said it, or what it is about.
/// Worth 1 point of recall at 10 on LoCoMo; 0.1 costs 3 points where the questions name the wrong
/// speaker.
const LABELLED: f64 = 0.05;
/// A label is the beginning of the first line up to a colon, if that is short.
const LABEL_CHARS_MAX: usize = 40;

/// What a turn loses that only asks: it answers nothing. Together with [`ASKED_BEFORE`] worth 2
/// points of the order (nDCG at 10) and 1 of recall at 10 on LoCoMo.
const ONLY_ASKS: f64 = 0.1;
/// How much of the score of a turn that only asks goes to the turn behind it, which answers.
const ASKED_BEFORE: f64 = 0.5;

/// What a memory gains that names a time which the query names too.
const NAMES_THE_TIME: f64 = 0.2;

/// Memories of one kind are told apart by their words up to here.
const COMPARED_CHARS: usize = 1_000;
/// Of so many in a hundred of their different words two must have in common to be the same thing said
/// again.
const SAME_PERCENT: usize = 90;

/// Reads the best of a ranking and puts them in order anew. `read` holds their memories by the
/// store's own number; the ranking's other memories stay behind them as they are. Something that
/// was said several times stays once, as its newest version that is not much shorter than
/// others; the others go behind everything else, with a score of 0.
pub(super) fn look(
    ranked: &mut Vec<Ranked>,
    read: &HashMap<i64, Memory>,
    weights: &Weights,
    analyser: &Analyser,
    left_out: LeftOut,
) {
    let first = ranked.len().min(LOOKED_AT);
    let mut best: Vec<Ranked> = ranked.drain(..first).collect();
    let reader = Reader {
        by_term: weights.query.by_term(),
        weights,
        analyser,
        left_out,
        pairs: weights.query.pairs.iter().copied().collect(),
        pairs_weigh: pairs_weigh(weights),
    };
    let asking: HashMap<(i64, i64), f64> = best
        .iter()
        .filter(|ranked| read.get(&ranked.memory).is_some_and(only_asks))
        .filter_map(|ranked| Some((ranked.place?, ranked.own)))
        .collect();
    for ranked in &mut best {
        let Some(memory) = read.get(&ranked.memory) else {
            continue;
        };
        ranked.score += reader.gain(ranked, memory);
        if left_out.keeps(Evidence::Questions) {
            let before = ranked
                .place
                .map(|(session, position)| (session, position - 1));
            let asked = before.and_then(|before| asking.get(&before));
            ranked.score += ASKED_BEFORE * asked.copied().unwrap_or_default();
        }
    }
    // Stable: equal ones stay in the order of the ranking.
    sort_by(&mut best, |a, b| b.score.total_cmp(&a.score));
    let again = match left_out.keeps(Evidence::Duplicates) {
        true => take_repeated(&mut best, read, analyser),
        false => Vec::new(),
    };
    best.append(ranked);
    *ranked = best;
    level(ranked);
    ranked.extend(again);
}

/// Makes the best 1 and lets no score be larger than the one in front of it.
fn level(ranked: &mut [Ranked]) {
    let top = ranked.first().map_or(1.0, |best| best.score);
    let top = top.max(f64::MIN_POSITIVE);
    let mut least = 1.0_f64;
    for ranked in ranked {
        least = least.min((ranked.score / top).max(0.0));
        ranked.score = least;
    }
}

fn pairs_weigh(weights: &Weights) -> f64 {
    let pairs = weights.query.pairs.iter();
    pairs.map(|pair| pair_weight(weights, *pair)).sum()
}

/// As much as the commoner of the two.
fn pair_weight(weights: &Weights, pair: (usize, usize)) -> f64 {
    weights.of(pair.0).min(weights.of(pair.1))
}

/// Whether a turn is nothing but a question.
fn only_asks(memory: &Memory) -> bool {
    let said = memory.content.text.trim_end();
    memory.kind == Kind::Turn && memory.content.reply().is_none() && said.ends_with(['?', '？'])
}

struct Reader<'a> {
    by_term: ByTerm<'a>,
    weights: &'a Weights,
    analyser: &'a Analyser,
    left_out: LeftOut,
    pairs: HashSet<(usize, usize)>,
    pairs_weigh: f64,
}

impl Reader<'_> {
    fn gain(&self, ranked: &Ranked, memory: &Memory) -> f64 {
        let text = &memory.content.text;
        let passage = text.get(ranked.range.clone()).unwrap_or(text);
        let keeps = |evidence| self.left_out.keeps(evidence);
        let mut gain = 0.0;
        // Reading is most of a closer look.
        if keeps(Evidence::Phrases) && self.pairs_weigh > 0.0 && ranked.may_have_pair {
            gain += TOGETHER * self.together(passage) / self.pairs_weigh;
        }
        if keeps(Evidence::Labels) && label(text).is_some_and(|label| self.has_any(label)) {
            gain += LABELLED;
        }
        if keeps(Evidence::Questions) && only_asks(memory) {
            gain -= ONLY_ASKS;
        }
        let asked = &self.weights.query.spans;
        if !asked.is_empty() {
            let named = spans(passage, day_of(memory.created_at.as_millisecond()));
            let meets = named
                .iter()
                .any(|named| asked.iter().any(|asked| named.meets(*asked)));
            gain += if meets { NAMES_THE_TIME } else { 0.0 };
        }
        gain
    }

    /// The weight of the query's pairs that stand together here, in either order.
    fn together(&self, passage: &str) -> f64 {
        let mut met: HashSet<(usize, usize)> = HashSet::new();
        let mut recent: Vec<(usize, usize)> = Vec::new();
        let mut place = 0;
        self.analyser.terms(passage, |term| {
            place += 1;
            let Some(concept) = self.by_term.get(term) else {
                return;
            };
            recent.retain(|(at, _)| place - at <= TOGETHER_WITHIN);
            for (_, before) in &recent {
                let either = [(*before, concept), (concept, *before)];
                met.extend(either.iter().find(|pair| self.pairs.contains(pair)));
            }
            recent.push((place, concept));
        });
        // In the query's order, because sums of floating point numbers depend on it.
        let pairs = self.weights.query.pairs.iter();
        let met = pairs.filter(|pair| met.contains(pair));
        met.map(|pair| pair_weight(self.weights, *pair)).sum()
    }

    fn has_any(&self, text: &str) -> bool {
        let mut has = false;
        self.analyser
            .terms(text, |term| has |= self.by_term.get(term).is_some());
        has
    }
}

/// What stands before the first colon of a text, if it is short and on the first line.
fn label(text: &str) -> Option<&str> {
    let (label, _) = text.lines().next()?.split_once(':')?;
    (label.chars().nth(LABEL_CHARS_MAX).is_none()).then_some(label)
}

/// Takes out what is said again by another of the best, which then stands where the first of them
/// stood.
fn take_repeated(
    best: &mut Vec<Ranked>,
    read: &HashMap<i64, Memory>,
    analyser: &Analyser,
) -> Vec<Ranked> {
    let words: Vec<Vec<u64>> = best
        .iter()
        .map(|ranked| {
            read.get(&ranked.memory)
                .map_or(Vec::new(), |memory| words(memory, analyser))
        })
        .collect();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (at, own) in words.iter().enumerate() {
        let same = |group: &&mut Vec<usize>| {
            let first = group.first().and_then(|first| words.get(*first));
            first.is_some_and(|first| is_same(first, own))
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push(at),
            None => groups.push(vec![at]),
        }
    }
    let mut again = Vec::new();
    let mut kept = Vec::new();
    for group in groups {
        let all: Vec<Ranked> = group
            .iter()
            .filter_map(|at| best.get(*at).cloned())
            .collect();
        let chosen = chosen(&all, read);
        let score = all.first().map_or(0.0, |first| first.score);
        for (at, ranked) in all.into_iter().enumerate() {
            match at == chosen {
                true => kept.push(Ranked { score, ..ranked }),
                false => again.push(Ranked {
                    score: 0.0,
                    ..ranked
                }),
            }
        }
    }
    *best = kept;
    again
}

/// Of the same thing said several times, the newest that has at least half as many words as the
/// longest: an old full answer is worth more than a new "done".
fn chosen(all: &[Ranked], read: &HashMap<i64, Memory>) -> usize {
    let memories = || all.iter().map(|ranked| read.get(&ranked.memory));
    let length = |memory: Option<&Memory>| memory.map_or(0, |memory| memory.content.text.len());
    let longest = memories().map(length).max().unwrap_or_default();
    let full = memories().enumerate();
    let full = full.filter(|(_, memory)| length(*memory) * 2 >= longest);
    let newest = full.max_by_key(|(_, memory)| memory.map(|memory| (memory.created_at, memory.id)));
    newest.map_or(0, |(at, _)| at)
}

/// The different words by which memories are compared, as hashes in order: those of the prompt of a
/// turn, where it has a reply. The kind is one of them. Fifty memories are compared with one
/// another, which was an eighth of a recall when it compared the words themselves.
fn words(memory: &Memory, analyser: &Analyser) -> Vec<u64> {
    let said = memory.content.prompt();
    let end = said
        .char_indices()
        .nth(COMPARED_CHARS)
        .map_or(said.len(), |(at, _)| at);
    let mut words = Vec::new();
    analyser.terms(said.get(..end).unwrap_or(said), |term| {
        words.push(hash(term))
    });
    if !words.is_empty() {
        // The complement, so that a text with this word in it is no different kind.
        words.push(!hash(memory.kind.name()));
    }
    words.sort_unstable();
    words.dedup();
    words
}

/// FNV-1a, for its few instructions: whoever makes two words meet has their own memory taken for
/// said before, if nine in ten of its other words are the same too.
fn hash(word: &str) -> u64 {
    word.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Whether two have nearly all words in common, both given in order.
fn is_same(a: &[u64], b: &[u64]) -> bool {
    if a.is_empty()
        || b.is_empty()
        || a.len().min(b.len()) * 100 < a.len().max(b.len()) * SAME_PERCENT
    {
        return false;
    }
    let (mut a_rest, mut b_rest, mut common) = (a.iter().peekable(), b.iter().peekable(), 0);
    while let (Some(next_a), Some(next_b)) = (a_rest.peek(), b_rest.peek()) {
        let order = next_a.cmp(next_b);
        common += usize::from(order.is_eq());
        if order.is_le() {
            a_rest.next();
        }
        if order.is_ge() {
            b_rest.next();
        }
    }
    let all = a.len() + b.len() - common;
    common * 100 >= all * SAME_PERCENT
}
