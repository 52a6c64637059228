//! The line that shows how far a long command is.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use super::output;

/// Often enough to look alive, seldom enough to cost nothing.
const REDRAW: Duration = Duration::from_millis(100);

/// A line on stderr, if that is a terminal.
pub(super) struct Progress {
    on_terminal: bool,
    started: Instant,
    drawn: Option<Instant>,
}

impl Progress {
    pub(super) fn new(started: Instant) -> Self {
        Self {
            on_terminal: std::io::stderr().is_terminal(),
            started,
            drawn: None,
        }
    }

    /// Shows what `line` makes of the seconds so far, unless it was drawn a moment ago.
    pub(super) fn show(&mut self, line: &dyn Fn(f64) -> String) {
        let now = Instant::now();
        let early = |drawn| now.duration_since(drawn) < REDRAW;
        if !self.on_terminal || self.drawn.is_some_and(early) {
            return;
        }
        self.drawn = Some(now);
        let seconds = self.started.elapsed().as_secs_f64();
        // Back to the start of the line, and away with what was there.
        output::write_stderr(&format!("\r\x1b[K{}", line(seconds)));
    }

    pub(super) fn clear(&self) {
        if self.drawn.is_some() {
            output::write_stderr("\r\x1b[K");
        }
    }
}

/// "0:07", "12:30", "2:05:00".
pub(super) fn clock(seconds: f64) -> String {
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
