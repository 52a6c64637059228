//! Asking a person before something goes for good.

use std::io::{self, BufRead, IsTerminal, Read};

use super::output;
use crate::error::{Error, Result};

/// Enough for a yes, whatever is pasted.
const ANSWER_BYTES_MAX: u64 = 100;

/// Whether there is a person to ask: a terminal, and nobody who wants JSON.
pub(super) fn can_ask(as_json: bool) -> bool {
    !as_json && io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// What to say where nobody can be asked. `done` is what was not done.
pub(super) fn needs_yes(done: &str) -> Error {
    let text = format!("there is no terminal to ask on, so nothing was {done}; add --yes to agree");
    Error::invalid("--yes", text)
}

/// Puts a question; everything but a yes is a no.
pub(super) fn ask(question: &str) -> Result<bool> {
    output::write_stderr(&format!("{question} [y/N] "));
    let mut answer = String::new();
    io::stdin()
        .lock()
        .take(ANSWER_BYTES_MAX)
        .read_line(&mut answer)
        .map_err(|error| Error::Io(format!("the answer could not be read: {error}")))?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
