//! What the engine counts about itself, without locks: any thread may count, any may read.
//!
//! Numbers only grow, begin at 0 with the process, and are read one by one, so that two of them
//! may be a call apart.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::capture::{Captured, Refusal};
use crate::error::Error;

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Counts `more` at once.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Relaxed);
    }

    /// How much was counted.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// The upper bounds of a histogram's buckets, in seconds, each inclusive: from a count, which takes
/// a fraction of a millisecond, to the patience of a client.
pub const LATENCY_BOUNDS: [f64; 14] = [
    0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];

/// How long something took, sorted by [`LATENCY_BOUNDS`].
#[derive(Debug, Default)]
pub struct Histogram {
    /// How many are in each bucket alone; the last holds those beyond every bound.
    buckets: [Counter; LATENCY_BOUNDS.len() + 1],
    /// Nanoseconds: 584 years until they overflow.
    sum_ns: Counter,
}

/// A histogram at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct HistogramSnapshot {
    /// Upper bounds in seconds, inclusive, ascending.
    pub bounds: &'static [f64],
    /// Cumulative: for each bound, how many took at most so long.
    pub counts: [u64; LATENCY_BOUNDS.len()],
    /// How many there are in all, beyond the last bound too.
    pub count: u64,
    /// How long all of them took together.
    pub sum_seconds: f64,
}

impl Histogram {
    /// Notes that something took so long.
    pub fn observe(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let index = LATENCY_BOUNDS.partition_point(|bound| *bound < seconds);
        if let Some(bucket) = self.buckets.get(index) {
            bucket.add(1);
        }
        self.sum_ns
            .add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Does the work and notes how long it took, however it ended. Work that is dropped before its
    /// end is not noted.
    pub async fn time<T>(&self, work: impl Future<Output = T>) -> T {
        let start = Instant::now();
        let outcome = work.await;
        self.observe(start.elapsed());
        outcome
    }

    /// How it stands.
    pub fn snapshot(&self) -> HistogramSnapshot {
        let mut count = 0;
        let mut counts = [0; LATENCY_BOUNDS.len()];
        for (at, bucket) in self.buckets.iter().enumerate() {
            count += bucket.get();
            if let Some(up_to_here) = counts.get_mut(at) {
                *up_to_here = count;
            }
        }
        HistogramSnapshot {
            bounds: &LATENCY_BOUNDS,
            counts,
            count,
            sum_seconds: Duration::from_nanos(self.sum_ns.get()).as_secs_f64(),
        }
    }
}

/// Everything that an [`Engine`](super::Engine) counts. Each list has a fixed order and length, and
/// its names are stable words in snake_case.
#[derive(Debug, Default)]
pub struct Meters {
    pub(super) capture: Histogram,
    pub(super) recall: Histogram,
    pub(super) context: Histogram,
    stored: Counter,
    updated: Counter,
    known: Counter,
    refused: Refused,
    redactions: Counter,
    pub(super) expired: Counter,
    pub(super) degraded: Counter,
    store_failed: Counter,
    store_unavailable: Counter,
}

/// One for each [`Refusal`].
#[derive(Debug, Default)]
struct Refused {
    empty: Counter,
    nothing_of_its_own: Counter,
    trivial: Counter,
    forgotten: Counter,
}

impl Refused {
    fn of(&self, refusal: Refusal) -> &Counter {
        match refusal {
            Refusal::Empty => &self.empty,
            Refusal::NothingOfItsOwn => &self.nothing_of_its_own,
            Refusal::Trivial => &self.trivial,
            Refusal::Forgotten => &self.forgotten,
        }
    }
}

impl Meters {
    /// How long calls took, failed ones included: `capture` (a batch is one call), `recall`,
    /// `context`.
    pub fn latencies(&self) -> [(&'static str, HistogramSnapshot); 3] {
        [
            ("capture", self.capture.snapshot()),
            ("recall", self.recall.snapshot()),
            ("context", self.context.snapshot()),
        ]
    }

    /// What captures came to that were not refused: `stored`, `updated`, `known`.
    pub fn captures(&self) -> [(&'static str, u64); 3] {
        [
            ("stored", self.stored.get()),
            ("updated", self.updated.get()),
            ("known", self.known.get()),
        ]
    }

    /// Captures not worth keeping, by [`Refusal::name`].
    pub fn refusals(&self) -> [(&'static str, u64); Refusal::ALL.len()] {
        Refusal::ALL.map(|refusal| (refusal.name(), self.refused.of(refusal).get()))
    }

    /// Secrets and private spans that were taken out of what was stored or updated.
    pub fn redactions(&self) -> u64 {
        self.redactions.get()
    }

    /// Memories deleted because their time was up, earlier versions included.
    pub fn expired(&self) -> u64 {
        self.expired.get()
    }

    /// Answers that had to leave something out because the store was away.
    pub fn degraded(&self) -> u64 {
        self.degraded.get()
    }

    /// Calls that the store failed, by [`Error::kind`]: `store`, `unavailable`.
    pub fn store_errors(&self) -> [(&'static str, u64); 2] {
        [
            ("store", self.store_failed.get()),
            ("unavailable", self.store_unavailable.get()),
        ]
    }

    pub(super) fn captured(&self, captured: &Captured) {
        match captured {
            Captured::Stored { redacted, .. } => {
                self.stored.add(1);
                self.redactions.add(u64::from(*redacted));
            }
            Captured::Updated { redacted, .. } => {
                self.updated.add(1);
                self.redactions.add(u64::from(*redacted));
            }
            Captured::Known { .. } => self.known.add(1),
            Captured::Refused(refusal) => self.refused.of(*refusal).add(1),
        }
    }

    pub(super) fn failed(&self, error: &Error) {
        match error {
            Error::Store(_) => self.store_failed.add(1),
            Error::Unavailable(_) => self.store_unavailable.add(1),
            Error::Invalid { .. } | Error::NotFound(_) | Error::Io(_) | Error::Internal(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_adds_up_from_many_threads() {
        let counter = Counter::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1_000).for_each(|_| counter.add(2)));
            }
        });
        assert_eq!(counter.get(), 8_000);
    }

    #[test]
    fn bounds_ascend_and_include_what_equals_them() {
        assert!(LATENCY_BOUNDS.is_sorted_by(|a, b| a < b));
        for (at, bound) in LATENCY_BOUNDS.iter().enumerate() {
            let histogram = Histogram::default();
            let at_bound = Duration::from_secs_f64(*bound);
            histogram.observe(at_bound);
            histogram.observe(at_bound + Duration::from_nanos(1));
            let counts = histogram.snapshot().counts;
            assert_eq!(counts[at], 1, "at most {bound} s");
            assert_eq!(counts.get(at + 1).copied().unwrap_or(2), 2);
            assert!(counts[..at].iter().all(|count| *count == 0), "{counts:?}");
        }
    }

    #[test]
    fn counts_are_cumulative_and_beyond_the_last_bound_only_in_the_total() {
        let histogram = Histogram::default();
        for ms in [0, 3, 4, 700, 60_000] {
            histogram.observe(Duration::from_millis(ms));
        }
        let snapshot = histogram.snapshot();
        let at_most = |seconds: f64| {
            let mut pairs = snapshot.bounds.iter().zip(snapshot.counts);
            pairs.find(|(bound, _)| **bound == seconds).unwrap().1
        };
        assert_eq!(snapshot.bounds.len(), snapshot.counts.len());
        assert_eq!(at_most(0.000_25), 1);
        assert_eq!(at_most(0.002_5), 1);
        assert_eq!(at_most(0.005), 3);
        assert_eq!(at_most(1.0), 4);
        assert_eq!(at_most(10.0), 4);
        assert_eq!(snapshot.count, 5);
        assert!((snapshot.sum_seconds - 60.707).abs() < 1e-9);
    }

    #[test]
    fn a_huge_duration_is_counted_and_breaks_nothing() {
        let histogram = Histogram::default();
        histogram.observe(Duration::MAX);
        assert_eq!(histogram.snapshot().count, 1);
    }

    #[test]
    fn errors_are_counted_under_their_kind() {
        let meters = Meters::default();
        let errors = [
            Error::Store(String::new()),
            Error::Unavailable(String::new()),
        ];
        for (at, error) in errors.iter().enumerate() {
            meters.failed(error);
            assert_eq!(meters.store_errors()[at], (error.kind(), 1));
        }
        meters.failed(&Error::NotFound(String::new()));
        assert!(meters.store_errors().iter().all(|(_, count)| *count == 1));
    }

    #[test]
    fn each_refusal_is_counted_under_its_own_name() {
        let meters = Meters::default();
        for (count, refusal) in (1..).zip(Refusal::ALL) {
            (0..count).for_each(|_| meters.captured(&Captured::Refused(refusal)));
        }
        let expected = [
            ("empty", 1),
            ("nothing_of_its_own", 2),
            ("trivial", 3),
            ("forgotten", 4),
        ];
        assert_eq!(meters.refusals(), expected);
    }
}
