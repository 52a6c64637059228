//! Leaves a server alone that does not answer anybody: a database, a model's service.
//!
//! After [`FAILURES_MAX`] failures in a row calls fail at once, so that nobody waits for what will
//! not come. After a pause one call tries again, for all. Nothing runs meanwhile: whether the
//! pause is over is asked by the calls.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::error::{Error, Result};

/// Fewer would give up on a server that restarts; more let people wait in turn.
const FAILURES_MAX: u32 = 5;

/// Counts how the tries end.
#[derive(Debug)]
pub(crate) struct Breaker {
    state: Mutex<State>,
    pause_min: Duration,
    pause_max: Duration,
}

/// Whether calls are let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Circuit {
    /// All of them.
    Closed,
    /// None, for a while.
    Open,
    /// One, to see whether it works again.
    HalfOpen,
}

impl Circuit {
    /// Every state, in the order of trouble.
    pub const ALL: [Self; 3] = [Self::Closed, Self::HalfOpen, Self::Open];

    /// The word in status and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

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

/// A try. Dropped without a word it counts as none.
pub(crate) struct Try<'a> {
    breaker: &'a Breaker,
    is_probe: bool,
}

impl Breaker {
    /// One with these limits of its pause: the first, and the longest, to which it doubles.
    pub fn new(pause_min: Duration, pause_max: Duration) -> Self {
        Self {
            state: Mutex::default(),
            pause_min,
            pause_max,
        }
    }

    /// How it stands, and how the last try failed if the trouble lasts.
    pub fn circuit(&self, now: Instant) -> (Circuit, Option<Error>) {
        let state = self.state();
        let circuit = match state.until {
            _ if state.failures < FAILURES_MAX => Circuit::Closed,
            Some(until) if now < until && !state.is_probing => Circuit::Open,
            _ => Circuit::HalfOpen,
        };
        (circuit, state.last.clone())
    }

    /// How long nobody is to try.
    pub fn pause(&self, now: Instant) -> Duration {
        let until = self.state().until;
        until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }

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

    /// Forgets all failures: somebody has put right what was wrong. Tells whether calls had failed at
    /// once.
    pub fn reset(&self) -> bool {
        let (circuit, _) = self.circuit(Instant::now());
        *self.state() = State::default();
        circuit != Circuit::Closed
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
            state.pause = (state.pause * 2).clamp(self.breaker.pause_min, self.breaker.pause_max);
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
pub(crate) fn spread(pause: Duration) -> Duration {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    pause + pause / 4 * (now.subsec_micros() % 1_000) / 1_000
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const PAUSE_MIN: Duration = Duration::from_millis(250);
    const PAUSE_MAX: Duration = Duration::from_secs(5);

    fn breaker() -> Breaker {
        Breaker::new(PAUSE_MIN, PAUSE_MAX)
    }

    fn fail(breaker: &Breaker, now: Instant) {
        let error = Error::Unavailable("away".to_owned());
        breaker.enter(now).unwrap().failed(&error, now);
    }

    #[test]
    fn after_five_failures_one_call_at_a_time_tries() {
        let (breaker, start) = (breaker(), Instant::now());
        for _ in 0..FAILURES_MAX {
            fail(&breaker, start);
        }
        assert!(breaker.enter(start).is_err());
        assert_eq!(breaker.circuit(start).0, Circuit::Open);
        assert_eq!(breaker.circuit(start + PAUSE_MIN * 2).0, Circuit::HalfOpen);
        assert!(breaker.enter(start + PAUSE_MIN / 2).is_err());
        let later = start + PAUSE_MIN * 2;
        let probe = breaker.enter(later).unwrap();
        assert!(breaker.enter(later).is_err(), "one is enough");
        drop(probe);
        fail(&breaker, later);
        assert!(breaker.enter(later + PAUSE_MIN).is_err(), "the pause grows");
        assert!(breaker.reset(), "it was open");
        assert!(!breaker.reset(), "it was closed");
        for _ in 0..FAILURES_MAX {
            fail(&breaker, later);
        }
        let probe = breaker.enter(later + PAUSE_MIN * 3).unwrap();
        probe.succeeded();
        assert_eq!(breaker.circuit(later), (Circuit::Closed, None));
        for _ in 0..FAILURES_MAX {
            assert!(breaker.enter(later).is_ok());
        }
    }

    #[test]
    fn the_pause_has_an_end() {
        let (breaker, mut now) = (breaker(), Instant::now());
        for _ in 0..40 {
            fail(&breaker, now);
            now += PAUSE_MAX * 2;
        }
        assert!(breaker.enter(now).is_ok());
    }
}
