//! An accelerated day: a few people save, ask, correct and forget while servers end and start again.
//!
//!     cargo build --release && cargo run --release --example soak -- --seconds 120
//!
//! In a folder of TMPDIR; on a slow disk `TMPDIR=/dev/shm` does more in the same time.
//!
//! Everything acknowledged must be there after every restart, once, and be found; and a server that
//! stays must not grow: memory, threads, descriptors, files. Exit code 1 where that does not hold. It
//! speaks to servers that it starts itself, over loopback, in a temporary folder that goes with it.
#![allow(clippy::indexing_slicing, reason = "a program for developers")]

mod book;
mod client;
mod day;
mod machine;
mod person;
mod report;
mod stage;
mod watch;
#[path = "../../src/cli/bench/words.rs"]
mod words;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use argh::FromArgs;

use crate::book::Book;
use crate::day::Day;
use crate::machine::Machine;
use crate::person::Person;
use crate::stage::{Stage, lock};

/// A few people, as many as a small team.
const PEOPLE: u64 = 6;

/// Memories that are kept in all; then the oldest go. A growth shows on a store that has stopped
/// growing, and this many are there within seconds.
const MEMORIES: usize = 2_000;

/// Soak Sage for a day that takes minutes.
#[derive(FromArgs)]
struct Options {
    /// how long (default 1200)
    #[argh(option, default = "1200")]
    seconds: u64,
    /// the executable (default: `sage` beside this program's folder)
    #[argh(option)]
    sage: Option<PathBuf>,
    /// a PostgreSQL to keep the memories in, instead of the embedded store
    #[argh(option)]
    database_url: Option<String>,
    /// what people do depends on this number (default 1)
    #[argh(option, default = "1")]
    seed: u64,
    /// write the result there as well, as JSON
    #[argh(option)]
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    let options: Options = argh::from_env();
    match soak(&options) {
        Ok(failures) if failures.is_empty() => {
            println!("\nsoak: passed");
            ExitCode::SUCCESS
        }
        Ok(failures) => {
            for failure in failures {
                println!("\nsoak: {failure}");
            }
            println!("\nsoak: FAILED");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("soak: {error}");
            ExitCode::from(2)
        }
    }
}

/// Returns what failed, each as a line; an error where nothing could be tried.
fn soak(options: &Options) -> Result<Vec<String>, String> {
    let executable = match &options.sage {
        Some(path) => path.clone(),
        None => beside()?,
    };
    let machine = Arc::new(Machine::new(executable, options.database_url.clone())?);
    let stage = Arc::<Stage>::default();
    end_on_signal(&stage)?;
    // Several runs may share a database.
    let run = format!("{:x}-{}", std::process::id(), options.seed);
    let books: Vec<_> = (0..PEOPLE).map(|_| Arc::<Mutex<Book>>::default()).collect();
    let keeps = MEMORIES / PEOPLE as usize;
    let people = (0..PEOPLE).zip(&books).map(|(number, book)| {
        let identity = (run.as_str(), options.seed, number);
        let person = Person::new(&machine, &stage, book, identity, keeps);
        std::thread::spawn(|| person.work())
    });
    let people: Vec<_> = people.collect();
    let length = Duration::from_secs(options.seconds);
    let mut day = Day::new(
        Arc::clone(&machine),
        Arc::clone(&stage),
        books,
        &run,
        length,
    );
    let lived = day.live();
    let was_called_off = lived.is_ok() && !day.is_complete();
    stage.end();
    let forgotten = day.clean_up();
    let panicked = people.into_iter().filter_map(|person| person.join().err());
    let panicked = panicked.count();

    let mut failures: Vec<String> = lived.err().into_iter().collect();
    failures.extend(forgotten.err());
    if panicked > 0 {
        failures.push(format!("{panicked} people broke down"));
    }
    if was_called_off {
        failures.push("it was ended early".to_owned());
    }
    failures.extend(day.problems.iter().cloned());
    failures.extend(lock(&stage.tally).troubles.iter().cloned());
    let verdicts = match watch::judge(&day.samples, length) {
        Ok(verdicts) => verdicts,
        Err(error) => {
            // A day that ended early has too little to show; why it did is said already.
            if failures.is_empty() {
                failures.push(error);
            }
            Vec::new()
        }
    };
    let grown = verdicts.iter().filter(|verdict| verdict.has_grown());
    failures.extend(grown.map(|verdict| format!("{} grew", verdict.name)));
    println!("\n{}", report::table(&day, &verdicts));
    if let Some(path) = &options.json {
        let text = format!("{:#}\n", report::json(&day, &verdicts, &failures));
        std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(failures)
}

/// The executable that cargo built with this example.
fn beside() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| format!("who am I: {error}"))?;
    let folder = own.parent().and_then(|examples| examples.parent());
    folder
        .map(|folder| folder.join("sage"))
        .ok_or_else(|| "name the executable with --sage".to_owned())
}

/// Ctrl-C and SIGTERM end the day, and everything is cleaned up.
fn end_on_signal(stage: &Arc<Stage>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("no runtime for signals: {error}"))?;
    let stage = Arc::clone(stage);
    std::thread::spawn(move || {
        runtime.block_on(async {
            use tokio::signal::unix::{SignalKind, signal};
            match (
                signal(SignalKind::interrupt()),
                signal(SignalKind::terminate()),
            ) {
                (Ok(mut interrupt), Ok(mut terminate)) => {
                    tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
                }
                (Err(error), _) | (_, Err(error)) => eprintln!("soak: no signals: {error}"),
            }
        });
        stage.end();
    });
    Ok(())
}
