//! Asking a person before something goes for good.

use std::io::{self, BufRead, IsTerminal, Read};

use serde_json::Value;

use super::output;
use crate::error::{Error, Result};

/// Enough for a yes, whatever is pasted.
const ANSWER_BYTES_MAX: u64 = 100;

/// Asks on the terminal; says what was not `done` where the answer is no. Where there is nobody to ask,
/// or somebody wants JSON, it prints the preview as that and says what to add.
pub(super) fn agreed(question: &str, done: &str, json: Option<&Value>) -> Result<bool> {
    if json.is_some() || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        json.map_or(Ok(()), output::print_json)?;
        return Err(Error::invalid(
            "--yes",
            format!("there is no terminal to ask on, so nothing was {done}; add --yes to agree"),
        ));
    }
    let agreed = ask(question)?;
    if !agreed {
        output::note(&format!("Nothing was {done}."));
    }
    Ok(agreed)
}

/// Puts a question; everything but a yes is a no.
fn ask(question: &str) -> Result<bool> {
    output::write_stderr(&format!("{question} [y/N] "));
    let mut answer = String::new();
    io::stdin()
        .lock()
        .take(ANSWER_BYTES_MAX)
        .read_line(&mut answer)
        .map_err(|error| Error::Io(format!("the answer could not be read: {error}")))?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
