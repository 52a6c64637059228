//! `sage import predecessor`: brings in what Sage's predecessor kept in PostgreSQL.

use std::path::PathBuf;
use std::time::Duration;

use argh::FromArgs;
use serde_json::{Value, json};

use super::{close, interrupted, turn_rows, turns_json};
use crate::cli::progress::Progress;
use crate::cli::{Outcome, Setup, output, select, variable};
use crate::config::{Secret, read_secret};
use crate::engine::predecessor::{Address, FormerTurns};
use crate::error::{Error, Result};
use crate::memory::Project;
use crate::transfer::import::predecessor::read;
use crate::transfer::import::{Summary, store_batches};

/// Bring in what Sage's predecessor kept in PostgreSQL.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "predecessor",
    usage = "[OPTIONS] [URL]",
    help_triggers("-h", "--help"),
    example = "sage import predecessor --project shop --from-env OLD_DATABASE_URL",
    example = "sage import predecessor --url-file old-database.url",
    example = "sage import predecessor 'postgres:///memory?host=/run/postgresql'",
    note = "It reads the tables `memories` and `sessions`, and writes nothing there.",
    note = "The predecessor knew no projects: --project names the one that all of it goes to, else
it goes to `unassigned`.",
    note = "Run it as often as you like: what is known already is left alone."
)]
pub(super) struct Predecessor {
    /// the database's address, if there is no password in it
    #[argh(positional)]
    url: Option<String>,
    /// the environment variable that holds the address
    #[argh(option)]
    from_env: Option<String>,
    /// the file that holds the address
    #[argh(option)]
    url_file: Option<PathBuf>,
    /// the project that all of it goes to
    #[argh(option)]
    pub(super) project: Option<String>,
    /// print the summary as JSON: turns, redacted, interrupted, seconds
    #[argh(switch)]
    json: bool,
    /// the folder that holds the store
    #[argh(option)]
    pub(super) data_dir: Option<PathBuf>,
}

pub(super) async fn run(args: &Predecessor, setup: &Setup) -> Result<Outcome> {
    let address = address(args, setup)?;
    let stop = interrupted()?;
    let project = match args.project {
        Some(_) => select::project_to_write(setup).await?.0,
        None => Project::unassigned(),
    };
    let turns = FormerTurns::open(&address).await?;
    let total = turns.total;
    let mut progress = Progress::new();
    let (batches, reading) = read(turns, project);
    let stored = store_batches(&setup.engine, batches, stop, &mut |summary| {
        progress.count(summary.turns(), total, "turns");
    })
    .await;
    progress.clear();
    crate::cli::tidy_up(setup).await;
    let summary = stored?;
    if summary.interrupted {
        reading.abort();
    } else {
        let ended = reading.await;
        ended.map_err(|error| Error::Internal(format!("reading broke off: {error}")))??;
    }
    conclude(args, &summary, progress.elapsed())
}

/// The address, by whichever way it was told.
fn address(args: &Predecessor, setup: &Setup) -> Result<Address> {
    let ca_file = setup.config.database.ca_file.clone();
    let of = |named_by: &str, url: String| Address {
        named_by: named_by.to_owned(),
        url: Secret::new(url),
        ca_file,
    };
    match (&args.url, &args.from_env, &args.url_file) {
        (Some(url), None, None) => {
            let address = of("URL", url.clone());
            match address.has_password()? {
                false => Ok(address),
                true => Err(Error::invalid(
                    "URL",
                    "it holds a password, and others on this machine can see the words of a \
                     command; put it into a variable (--from-env NAME) or a file (--url-file PATH)",
                )),
            }
        }
        (None, Some(name), None) => match variable(name).filter(|url| !url.is_empty()) {
            Some(url) => Ok(of(name, url)),
            None => Err(Error::invalid(
                "--from-env",
                format!("there is no variable {name} in the environment"),
            )),
        },
        (None, None, Some(path)) => Ok(of("--url-file", read_secret("--url-file", path)?)),
        _ => Err(Error::invalid(
            "URL",
            "expected the database's address in one way: as an argument, with --from-env or with \
             --url-file; see `sage import predecessor --help`",
        )),
    }
}

fn conclude(args: &Predecessor, summary: &Summary, elapsed: Duration) -> Result<Outcome> {
    match args.json {
        true => output::print_json(&summary_json(summary, elapsed))?,
        false => {
            let mut text = String::new();
            turn_rows(&mut text, summary);
            close(&mut text, elapsed, summary.interrupted);
            output::print(&text)?;
        }
    }
    Ok(match summary.interrupted {
        true => Outcome::Interrupted,
        false => Outcome::Done,
    })
}

fn summary_json(summary: &Summary, elapsed: Duration) -> Value {
    json!({
        "turns": turns_json(summary),
        "redacted": summary.redacted,
        "interrupted": summary.interrupted,
        "seconds": elapsed.as_secs_f64(),
    })
}
