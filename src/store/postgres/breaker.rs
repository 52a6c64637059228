//! Leaves a server alone that does not let anybody in.
//!
//! After [`FAILURES_MAX`] failures in a row calls fail at once, so that nobody waits for what will
//! not come. After a pause one call tries again, for all. Nothing runs meanwhile: whether the
//! pause is over is asked by the calls.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::error::{Error, Result};

/// Fewer would give up on a server that restarts; more let people wait in turn.
const FAILURES_MAX: u32 = 5;

/// The first pause, and the longest, to which it doubles.
const PAUSE_MIN: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Counts how the tries to connect end.
#[derive(Debug, Default)]
pub(super) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    /// How the last try failed.
    last: Option<Error>,
    pause: Duration,
    /// Until when nobody tries.
    until: Option<Instant>,
    /// Whether somebody tries for all at this moment.
    is_probing: bool,
}

/// A try to connect. Dropped without a word it counts as none.
pub(super) struct Try<'a> {
    breaker: &'a Breaker,
    is_probe: bool,
}

impl Breaker {
    /// Begins a try, or tells how the last one failed.
    pub fn enter(&self, now: Instant) -> Result<Try<'_>> {
        let mut state = self.state();
        let is_probe = state.failures >= FAILURES_MAX;
        if is_probe {
            let is_pausing = state.until.is_some_and(|until| now < until);
            if let Some(last) = state
                .last
                .clone()
                .filter(|_| is_pausing || state.is_probing)
            {
                return Err(last);
            }
            state.is_probing = true;
        }
        Ok(Try {
            breaker: self,
            is_probe,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Try<'_> {
    /// It is let in: all is forgotten.
    pub fn succeeded(self) {
        *self.breaker.state() = State::default();
    }

    /// It is not let in, and this is why.
    pub fn failed(self, error: &Error, now: Instant) {
        let mut state = self.breaker.state();
        state.failures = state.failures.saturating_add(1);
        state.last = Some(error.clone());
        if state.failures >= FAILURES_MAX {
            state.pause = (state.pause * 2).clamp(PAUSE_MIN, PAUSE_MAX);
            state.until = Some(now + spread(state.pause));
        }
    }
}

impl Drop for Try<'_> {
    fn drop(&mut self) {
        if self.is_probe {
            self.breaker.state().is_probing = false;
        }
    }
}

/// A pause up to a quarter longer, at random, so that many processes do not knock together.
fn spread(pause: Duration) -> Duration {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    pause + pause / 4 * (now.subsec_micros() % 1_000) / 1_000
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn fail(breaker: &Breaker, now: Instant) {
        let error = Error::Unavailable("away".to_owned());
        breaker.enter(now).unwrap().failed(&error, now);
    }

    #[test]
    fn after_five_failures_one_call_at_a_time_tries() {
        let (breaker, start) = (Breaker::default(), Instant::now());
        for _ in 0..FAILURES_MAX {
            fail(&breaker, start);
        }
        assert!(breaker.enter(start).is_err());
        assert!(breaker.enter(start + PAUSE_MIN / 2).is_err());
        let later = start + PAUSE_MIN * 2;
        let probe = breaker.enter(later).unwrap();
        assert!(breaker.enter(later).is_err(), "one is enough");
        drop(probe);
        fail(&breaker, later);
        assert!(breaker.enter(later + PAUSE_MIN).is_err(), "the pause grows");
        let probe = breaker.enter(later + PAUSE_MIN * 3).unwrap();
        probe.succeeded();
        for _ in 0..FAILURES_MAX {
            assert!(breaker.enter(later).is_ok());
        }
    }

    #[test]
    fn the_pause_has_an_end() {
        let (breaker, mut now) = (Breaker::default(), Instant::now());
        for _ in 0..40 {
            fail(&breaker, now);
            now += PAUSE_MAX * 2;
        }
        assert!(breaker.enter(now).is_ok());
    }
}
