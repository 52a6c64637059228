//! Sums over questions, and the measures made of them.

use serde_json::{Map, Value};

use super::hundredths;

/// Of so many first hits a measure tells.
const CUTS: [usize; 3] = [1, 5, 10];

/// The names of the measures, in the order in which [`Score::measures`] gives them.
pub(super) const MEASURES: [&str; 9] = [
    "r1", "r5", "r10", "hit1", "hit5", "hit10", "mrr", "ndcg10", "silent",
];

/// Sums over questions of a sort.
#[derive(Default)]
pub(super) struct Score {
    pub(super) questions: f64,
    recall: [f64; 3],
    hit: [f64; 3],
    reciprocal: f64,
    gain: f64,
    silent: f64,
}

impl Score {
    /// Counts a question: for each hit, best first, whether it is relevant, and how many there
    /// are that should have been found.
    pub(super) fn add(&mut self, hits: &[bool], relevant: usize) {
        let found = hits
            .iter()
            .enumerate()
            .filter(|(_, is_relevant)| **is_relevant);
        let ranks: Vec<usize> = found.map(|(rank, _)| rank).collect();
        self.questions += 1.0;
        self.silent += f64::from(u8::from(hits.is_empty()));
        for ((recall, hit), cut) in self.recall.iter_mut().zip(&mut self.hit).zip(CUTS) {
            let count = ranks.iter().filter(|rank| **rank < cut).count();
            *recall += count as f64 / relevant.max(1) as f64;
            *hit += f64::from(u8::from(count > 0));
        }
        let first = ranks.first().map(|rank| 1.0 / (*rank as f64 + 1.0));
        self.reciprocal += first.unwrap_or_default();
        let discount = |rank: usize| 1.0 / (rank as f64 + 2.0).log2();
        let ideal: f64 = (0..relevant.min(10)).map(discount).sum();
        let counting = ranks.iter().filter(|rank| **rank < 10);
        let gain: f64 = counting.map(|rank| discount(*rank)).sum();
        self.gain += gain / ideal.max(f64::MIN_POSITIVE);
    }

    /// Recall and any hit at 1, 5 and 10, the mean reciprocal rank, the normalised discounted
    /// cumulative gain at 10, and the questions that nothing was said to; all in percent.
    pub(super) fn measures(&self) -> [f64; 9] {
        let ([r1, r5, r10], [hit1, hit5, hit10]) = (self.recall, self.hit);
        let sums = [
            r1,
            r5,
            r10,
            hit1,
            hit5,
            hit10,
            self.reciprocal,
            self.gain,
            self.silent,
        ];
        sums.map(|sum| hundredths(100.0 * sum / self.questions.max(1.0)))
    }

    pub(super) fn json(&self) -> Value {
        let named = MEASURES.into_iter().zip(self.measures());
        let mut all: Map<String, Value> = named
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        all.insert("questions".to_owned(), (self.questions as u64).into());
        Value::Object(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_are_those_of_the_textbook() {
        let mut score = Score::default();
        // Second and fourth of two that are relevant.
        score.add(&[false, true, false, true], 2);
        score.add(&[], 1);
        let dcg = 1.0 / 3.0_f64.log2() + 1.0 / 5.0_f64.log2();
        let ndcg = 100.0 * dcg / (1.0 + 1.0 / 3.0_f64.log2()) / 2.0;
        assert_eq!(
            score.measures(),
            [
                0.0,
                50.0,
                50.0,
                0.0,
                50.0,
                50.0,
                25.0,
                hundredths(ndcg),
                50.0
            ]
        );
    }
}
