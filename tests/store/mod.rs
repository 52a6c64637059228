//! The embedded store under many writers, crashes, power cuts, full disks and bad files.

pub mod consistency;
mod crash;
mod damaged;
mod full_disk;
mod limits;
mod permissions;
mod pipe;
mod power_cut;
mod retention;
pub mod rules;
mod secrets;
mod sharing;
mod shim;
mod updates;
mod writers;

use std::path::{Path, PathBuf};
use std::process::Command;

use rusqlite::Connection;

use crate::harness::Home;
pub use consistency::check_store;
use pipe::Pipe;

/// The project of every call, so that nothing depends on where the tests run.
const PROJECT: &str = "acme/shop";

/// `sage mcp` for a session of the project.
fn server(home: &Home, session: &str) -> Command {
    let mut command = home.command(["mcp", "--project", PROJECT]);
    command.env("CLAUDE_CODE_SESSION_ID", session);
    command
}

fn connect(home: &Home, session: &str) -> Pipe {
    Pipe::start(server(home, session))
}

/// Every file of the store, as `sage.db` and its companions.
fn store_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// All that is in the files of the store, to be searched for plain words.
fn bytes_of(folder: &Path) -> String {
    let files = store_files(folder).into_iter();
    let bytes = files.flat_map(|file| std::fs::read(file).unwrap());
    // What is no text becomes a mark of its own and hides no letter beside it.
    String::from_utf8_lossy(&bytes.collect::<Vec<_>>()).into_owned()
}

/// One number out of the database.
#[track_caller]
fn number(db: &Connection, sql: &str) -> i64 {
    db.query_row(sql, [], |row| row.get(0))
        .unwrap_or_else(|error| panic!("{sql}: {error}"))
}
