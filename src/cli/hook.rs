//! `sage hook EVENT`: what Claude Code runs when something happens.

use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use argh::FromArgs;
use tokio::time::{timeout, timeout_at};

use super::{Outcome, Setup, output};
use crate::blocking::blocking;
use crate::claude::hooks::{EVENT_BYTES_MAX, Event, Home, Kind, Spool, rules_at};
use crate::error::{Error, Result};
use crate::memory::Timestamp;

/// Take in an event of Claude Code, JSON on stdin; its settings run this.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "hook",
    usage = "EVENT [OPTIONS]",
    help_triggers("-h", "--help"),
    example = "sage hook session-start < event.json",
    example = "sage hook user-prompt-submit < event.json",
    note = "It prints one JSON object or nothing, and never fails: a prompt must not wait for Sage.",
    note = "With SAGE_SERVER it tells that server and opens no store; without, a server that runs
here, if that has the same store, else the store itself."
)]
pub(super) struct Hook {
    /// what happened: session-start, user-prompt-submit, stop, ...
    #[argh(positional)]
    event: String,
    /// the project of the event
    #[argh(option)]
    pub(super) project: Option<String>,
    /// the folder that holds the store
    #[argh(option)]
    pub(super) data_dir: Option<std::path::PathBuf>,
}

/// How long the client may take to say what happened. It writes at once; a pipe that nobody closes
/// must not hold up a prompt.
const STDIN_PATIENCE: Duration = Duration::from_secs(2);

/// What fails is told on stderr, which the client shows to whoever looks for it, and stops nobody.
pub(super) async fn run(args: &Hook, setup: &Setup) -> Result<Outcome> {
    match answer(args, setup).await {
        Ok(Some(text)) => output::print(&format!("{text}\n"))?,
        Ok(None) => {}
        Err(error) => complain(&error),
    }
    Ok(Outcome::Done)
}

pub(super) fn complain(error: &Error) {
    output::note(&format!(
        "sage hook: {}",
        output::clean_line(&error.to_string())
    ));
}

async fn answer(args: &Hook, setup: &Setup) -> Result<Option<String>> {
    let named = Kind::parse(&args.event);
    let read = timeout(STDIN_PATIENCE, blocking(read_event)).await;
    let bytes = read.map_err(|_| Error::invalid("stdin", "no event came"))??;
    let deadline = Instant::now() + setup.config.hooks.deadline;
    let Some(mut event) = Event::parse(&bytes, named)? else {
        return Ok(None);
    };
    event.clean(&setup.engine).await?;
    let (config, at) = (&setup.config, Timestamp::now());
    // In Sage's own container the directory is not there, and nothing is added.
    let dir = event.text("cwd").map(Path::new);
    let rules = dir.filter(|dir| dir.is_absolute()).and_then(rules_at);
    event.locate(rules);
    let spool = Spool::new(&config.data_dir, config.hooks.server.as_deref());
    let late = |_| {
        Err(Error::Unavailable(format!(
            "it took longer than {} ms",
            config.hooks.deadline.as_millis()
        )))
    };
    let bring = async {
        let home = Home::of(&setup.engine, config).await?;
        home.bring(&event, &spool).await
    };
    let brought = timeout_at(deadline.into(), bring).await;
    match brought.unwrap_or_else(late) {
        Ok(answer) => Ok(answer),
        Err(error) if event.kind.is_kept() && may_come_again(&error) => {
            spool.add(&event, at)?;
            Err(error)
        }
        Err(error) => Err(error),
    }
}

/// Whether the same event may be taken in later.
fn may_come_again(error: &Error) -> bool {
    !matches!(error, Error::Invalid { .. } | Error::NotFound(_))
}

/// Reads until the event is whole; the client closes the pipe behind it, but others may not.
fn read_event() -> Result<Vec<u8>> {
    let failed = |error: std::io::Error| Error::Io(format!("stdin: {error}"));
    let mut stdin = std::io::stdin().lock();
    let (mut bytes, mut part) = (Vec::new(), [0; 64 * 1024]);
    loop {
        let count = stdin.read(&mut part).map_err(failed)?;
        bytes.extend_from_slice(part.get(..count).unwrap_or_default());
        if count == 0 || is_whole(&bytes) {
            return Ok(bytes);
        }
        if bytes.len() > EVENT_BYTES_MAX {
            let message = format!("longer than {EVENT_BYTES_MAX} bytes");
            return Err(Error::invalid("event", message));
        }
    }
}

fn is_whole(bytes: &[u8]) -> bool {
    bytes.trim_ascii_end().last() == Some(&b'}')
        && serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok()
}
