//! The MCP surface, through the real executable.

mod bytes;
mod conversations;
#[cfg(feature = "conformance-fixtures")]
mod fixtures;
mod http;
mod life;
mod mistakes;
mod protocol;
mod readings;
mod sessions;
mod tools;
mod unassigned;
mod upkeep;

use crate::harness::{Client, Era, Home};

/// The newest version with a handshake: what most clients spoke in the year before 2026-07-28.
const NEWEST_LEGACY: Era = Era::Legacy("2025-11-25");

/// Both generations; what holds for one must hold for the other.
const ERAS: [Era; 2] = [NEWEST_LEGACY, Era::Modern];

/// A client whose project is fixed, so that answers read the same on every machine.
fn connect(home: &Home, era: Era) -> Client {
    connect_to(home, "acme/shop", era)
}

fn connect_to(home: &Home, project: &str, era: Era) -> Client {
    Client::start(home.command(["mcp", "--project", project]), era)
}

/// A client that has said nothing yet.
fn silent(home: &Home) -> Client {
    connect(home, Era::Modern)
}

/// The id in an answer like `Kept as ID.`.
#[track_caller]
pub fn id_in(text: &str) -> String {
    text.split(|c: char| !c.is_ascii_hexdigit() && c != '-')
        .find(|word| word.len() == 36 && word.matches('-').count() == 4)
        .unwrap_or_else(|| panic!("no id in: {text}"))
        .to_owned()
}

/// The word between the last two quotation marks: a code or a cursor.
#[track_caller]
pub fn quoted_in(text: &str) -> String {
    let mut parts = text.rsplit('"');
    parts.next();
    parts.next().expect("a quoted word").to_owned()
}
