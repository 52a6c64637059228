//! The line that shows how far something long is.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use super::output;

/// Draws on a terminal, and nowhere else.
pub(super) struct Progress {
    on_terminal: bool,
    started: Instant,
    drawn: Option<Instant>,
}

/// Often enough to look alive, seldom enough to cost nothing.
const REDRAW: Duration = Duration::from_millis(100);

impl Progress {
    pub(super) fn new() -> Self {
        Self {
            on_terminal: std::io::stderr().is_terminal(),
            started: Instant::now(),
            drawn: None,
        }
    }

    /// How long it has taken so far.
    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Draws what `line` says, with what the pace of `done` of `total` promises.
    pub(super) fn show(&mut self, done: u64, total: u64, line: &dyn Fn(f64) -> String) {
        let now = Instant::now();
        let early = |drawn| now.duration_since(drawn) < REDRAW;
        if !self.on_terminal || self.drawn.is_some_and(early) {
            return;
        }
        self.drawn = Some(now);
        let seconds = self.elapsed().as_secs_f64().max(0.001);
        let left = seconds * total.saturating_sub(done) as f64 / (done as f64).max(1.0);
        let left = match total {
            0 => String::new(),
            _ => format!("  {} left", clock(left)),
        };
        // Back to the start of the line, and away with what was there.
        output::write_stderr(&format!("\r\x1b[K{}{left}", line(seconds)));
    }

    /// The same for what is counted in one thing.
    pub(super) fn count(&mut self, done: u64, total: u64, things: &str) {
        self.show(done, total, &|seconds| {
            let of_total = match total {
                0 => String::new(),
                _ => format!("/{total}"),
            };
            format!("{done}{of_total} {things}  {:.0}/s", done as f64 / seconds)
        });
    }

    pub(super) fn clear(&self) {
        if self.drawn.is_some() {
            output::write_stderr("\r\x1b[K");
        }
    }
}

/// "0:07", "12:30", "2:05:00".
fn clock(seconds: f64) -> String {
    let seconds = seconds.ceil() as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_reads_well() {
        assert_eq!(clock(0.2), "0:01");
        assert_eq!(clock(61.0), "1:01");
        assert_eq!(clock(7_500.0), "2:05:00");
    }
}
