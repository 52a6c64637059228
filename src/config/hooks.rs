//! What hooks do, and where they go.

use std::time::Duration;

use super::{Reader, switch_word};
use crate::error::{Error, Result};

/// More would make Sage worse than it shows.
const HOLD_OUT_PERCENT_MAX: u32 = 50;

/// How long a hook may take where nobody says otherwise, in milliseconds: somebody has pressed
/// return and waits.
const DEADLINE_MS_DEFAULT: u64 = 250;

/// Below this nothing is found in time; the client itself gives up after 30 seconds.
const DEADLINE_MS_RANGE: std::ops::RangeInclusive<u64> = 10..=25_000;

/// The settings of hooks.
#[derive(Debug, Clone)]
pub struct HooksConfig {
    /// `HOST:PORT` of the server that hooks talk to.
    pub server: Option<String>,
    /// Whether what hooks tell is kept.
    pub capture: bool,
    /// Whether hooks put memories before the model.
    pub inject: bool,
    /// Whether what replies used before counts.
    pub by_use: bool,
    /// How long a hook may take; what is late is left out.
    pub deadline: Duration,
    /// Of 100 prompts, how many go without memories.
    pub hold_out_percent: u32,
}

impl HooksConfig {
    pub(super) fn load(reader: &mut Reader<'_>) -> Result<Self> {
        Ok(Self {
            server: reader.parsed("SAGE_SERVER", parse_server)?,
            capture: reader.switch("SAGE_CAPTURE", true)?,
            inject: reader.switch("SAGE_INJECT", true)?,
            by_use: reader.switch("SAGE_RANK_BY_USE", true)?,
            deadline: Duration::from_millis(
                reader
                    .parsed("SAGE_HOOK_DEADLINE_MS", parse_deadline)?
                    .unwrap_or(DEADLINE_MS_DEFAULT),
            ),
            hold_out_percent: reader
                .parsed("SAGE_HOLD_OUT", parse_percent)?
                .unwrap_or_default(),
        })
    }

    /// The value of one of these settings in words; `None` for other variables.
    pub(super) fn value(&self, variable: &str) -> Option<String> {
        Some(match variable {
            "SAGE_SERVER" => {
                let server = self.server.as_ref();
                server.map_or(String::new(), |server| format!("http://{server}"))
            }
            "SAGE_CAPTURE" => switch_word(self.capture).to_owned(),
            "SAGE_INJECT" => switch_word(self.inject).to_owned(),
            "SAGE_RANK_BY_USE" => switch_word(self.by_use).to_owned(),
            "SAGE_HOOK_DEADLINE_MS" => self.deadline.as_millis().to_string(),
            "SAGE_HOLD_OUT" => self.hold_out_percent.to_string(),
            _ => return None,
        })
    }
}

/// Reads `http://HOST:PORT`; `variable` is who said it. Only plain HTTP: a hook is too short for
/// more, and beyond this machine a tunnel does it.
///
/// # Errors
/// When it is something else.
pub fn parse_server(variable: &str, word: &str) -> Result<String> {
    let address = word
        .strip_prefix("http://")
        .map(|rest| rest.trim_end_matches('/'));
    let is_address = |address: &&str| {
        let host_and_port = address.rsplit_once(':');
        host_and_port.is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
            && !address.contains(['/', '@', '?', '#'])
            && address.bytes().all(|byte| byte.is_ascii_graphic())
    };
    address
        .filter(is_address)
        .map(str::to_owned)
        .ok_or_else(|| {
            let message = format!("expected http://HOST:PORT, got \"{word}\"");
            Error::invalid(variable, message)
        })
}

fn parse_deadline(variable: &str, word: &str) -> Result<u64> {
    let milliseconds = word.parse().ok();
    milliseconds
        .filter(|milliseconds| DEADLINE_MS_RANGE.contains(milliseconds))
        .ok_or_else(|| {
            let (low, high) = DEADLINE_MS_RANGE.into_inner();
            let message = format!("expected {low} to {high} milliseconds, got \"{word}\"");
            Error::invalid(variable, message)
        })
}

fn parse_percent(variable: &str, word: &str) -> Result<u32> {
    let percent = word.parse().ok();
    percent
        .filter(|percent| *percent <= HOLD_OUT_PERCENT_MAX)
        .ok_or_else(|| {
            let message = format!("expected 0 to {HOLD_OUT_PERCENT_MAX}, got \"{word}\"");
            Error::invalid(variable, message)
        })
}
