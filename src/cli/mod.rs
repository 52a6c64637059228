//! The command line: one file per subcommand, and what they share.
//!
//! Exit codes: 0 for success (a reader that closed the pipe included), 1 for a failure or a comparison that came
//! out worse, 2 for a
//! call that was wrong, 130 for an import, export or prune that was interrupted, as shells report
//! SIGINT.

mod arguments;
mod backup;
mod bench;
mod config;
mod confirm;
mod context;
mod doctor;
mod export;
mod forget;
mod highlight;
mod hook;
mod import;
mod install;
mod json;
mod list;
mod mcp;
mod output;
mod place;
mod progress;
mod project;
mod prune;
mod reindex;
mod remember;
mod restore;
mod search;
mod select;
mod serve;
mod sessions;
mod show;
mod stats;
mod version;
mod why;

use std::ffi::OsString;
use std::sync::Arc;

use crate::allocator;
use crate::config::{Config, Flags, SETTINGS};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::server::{BLOCKING_THREAD_REST, BLOCKING_THREADS_MAX};
use arguments::{Command, Parsed};
use output::Style;

/// Runs `sage ARGUMENTS` (the program's name left out) and returns the exit code.
pub fn run(arguments: impl Iterator<Item = OsString>) -> u8 {
    allocator::set_up();
    let arguments: Vec<OsString> = arguments.collect();
    // The client takes a failure of a hook for an objection, and 2 keeps the prompt from the model.
    let is_hook = arguments.first().is_some_and(|word| word == "hook");
    match arguments::parse(&arguments).and_then(execute) {
        Ok(Outcome::Done) => 0,
        Ok(Outcome::Worse) => 1,
        Ok(Outcome::Interrupted) => 130,
        Err(error) => {
            output::complain(&error, arguments::asks_for_json(&arguments));
            match error.is_usage() {
                _ if is_hook => 0,
                true => 2,
                false => 1,
            }
        }
    }
}

/// How a command ended when it did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Everything asked for was done.
    Done,
    /// It was done, and what it found out is bad news.
    Worse,
    /// Somebody pressed Ctrl-C, and the command stopped in good order.
    Interrupted,
}

/// What every command works with.
struct Setup {
    config: Config,
    engine: Arc<Engine>,
    style: Style,
}

fn execute(parsed: Parsed) -> Result<Outcome> {
    match parsed {
        Parsed::Help(text) => output::print(&text).map(|()| Outcome::Done),
        Parsed::Command(Command::Version(args)) => version::run(&args),
        Parsed::Command(command) => {
            let config = load(&command.flags())?;
            let setup = Setup {
                engine: Arc::new(Engine::new(&config)),
                config,
                style: Style::of_stdout(&variable),
            };
            // One thread: a command waits for one thing at a time, threads cost start-up, and what
            // blocks or computes has threads of its own.
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .max_blocking_threads(BLOCKING_THREADS_MAX)
                .thread_keep_alive(BLOCKING_THREAD_REST)
                .build()
                .map_err(|error| Error::Internal(format!("the runtime did not start: {error}")))?;
            let outcome = runtime.block_on(perform(command, &setup));
            // What still runs has nobody left to answer to; waiting for it would hold up the exit.
            runtime.shutdown_background();
            outcome
        }
    }
}

async fn perform(command: Command, setup: &Setup) -> Result<Outcome> {
    match command {
        Command::Serve(_) => serve::run(setup).await,
        Command::Mcp(_) => mcp::run(setup).await,
        Command::Bench(args) => bench::run(&args, setup).await,
        Command::Reindex(args) => reindex::run(&args, setup).await,
        Command::Install(args) => install::install(&args, setup),
        Command::Uninstall(args) => install::uninstall(&args),
        Command::Doctor(args) => doctor::run(&args, setup).await,
        Command::Hook(args) => hook::run(&args, setup).await,
        Command::Search(args) => search::run(&args, setup).await,
        Command::Context(args) => context::run(&args, setup).await,
        Command::Remember(args) => remember::run(&args, setup).await,
        Command::Show(args) => show::run(&args, setup).await,
        Command::List(args) => list::run(&args, setup).await,
        Command::Forget(args) => forget::run(&args, setup).await,
        Command::Prune(args) => prune::run(&args, setup).await,
        Command::Sessions(args) => sessions::run(&args, setup).await,
        Command::Stats(args) => stats::run(&args, setup).await,
        Command::Project(args) => project::run(&args, setup).await,
        Command::Why(args) => why::run(&args, setup).await,
        Command::Import(args) => import::run(&args, setup).await,
        Command::Export(args) => export::run(&args, setup).await,
        Command::Backup(args) => backup::run(&args, setup).await,
        Command::Restore(args) => restore::run(&args, setup).await,
        Command::Config(args) => config::run(&args, &setup.config, &setup.style),
        Command::Version(args) => version::run(&args),
    }
}

/// Writes the log back into the store. What was acknowledged is safe without it, so a failure is
/// told and fails nothing.
async fn tidy_up(setup: &Setup) {
    if let Err(error) = setup.engine.close().await {
        let error = output::clean_line(&error.to_string());
        output::note(&format!(
            "sage: all is stored, but the log was not written back: {error}"
        ));
    }
}

fn load(flags: &Flags) -> Result<Config> {
    for setting in SETTINGS {
        if let Err(std::env::VarError::NotUnicode(_)) = std::env::var(setting.variable) {
            return Err(Error::invalid(setting.variable, "expected UTF-8 text"));
        }
    }
    Config::load(flags, &variable)
}

/// A variable of the process's environment, if it is there and is text.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
