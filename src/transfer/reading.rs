//! Reading Sage's own format, line by line, whoever wrote it.

use std::collections::BTreeMap;
use std::io::{BufRead, Read};
use std::ops::ControlFlow;

use sha2::{Digest, Sha256};

use super::export::hex;
use super::format::{LINE_BYTES_MAX, type_of};
use super::parse::{End, Found, Header, parse};
use crate::engine::Record;
use crate::error::{Error, Result};

/// What reading an export came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadExport {
    /// Its first line.
    pub header: Header,
    /// Lines read, empty ones included.
    pub lines: u64,
    /// Records by type that this Sage does not know, and passed over.
    pub unknown: BTreeMap<String, u64>,
    /// What speaks against its being what was written: its end and its checksum.
    pub doubt: Option<Doubt>,
    /// Whether its last line was reached.
    pub is_whole: bool,
}

/// Why an export may not be what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// It has no last line.
    CutOff,
    /// The last line has other counts, or another checksum.
    Changed,
}

/// Reads an export and calls `on_record` with each record and the bytes read so far. What is not
/// whole is told in what comes back; a broken line is an error with its number.
///
/// # Errors
/// When reading fails, when it is no export or one of a later version, and when a line is broken.
pub fn read(
    input: &mut dyn BufRead,
    on_record: &mut dyn FnMut(Record, u64) -> ControlFlow<()>,
) -> Result<ReadExport> {
    let mut reading = Reading {
        read: ReadExport::default(),
        records: BTreeMap::new(),
        digest: Sha256::new(),
        bytes: 0,
    };
    let mut line = Vec::new();
    let (mut end, mut flow) = (None, ControlFlow::Continue(()));
    while end.is_none() {
        if !reading.next_line(input, &mut line)? {
            break;
        }
        match reading.found(&line)? {
            Some(Found::End(found)) => {
                end = Some(found);
                continue;
            }
            Some(Found::Record(record)) => flow = on_record(record, reading.bytes),
            _ => {}
        }
        if flow.is_break() {
            return Ok(reading.read);
        }
        reading.digest.update(&line);
    }
    if reading.read.lines == 0 {
        return Err(Error::Io("it is empty".to_owned()));
    }
    if end.is_some() && reading.next_line(input, &mut line)? {
        return Err(reading.broken("nothing may follow the last line of an export"));
    }
    reading.read.is_whole = end.is_some();
    reading.read.doubt = reading.doubt(end);
    Ok(reading.read)
}

struct Reading {
    read: ReadExport,
    records: BTreeMap<String, u64>,
    digest: Sha256,
    bytes: u64,
}

impl Reading {
    /// Reads a line with its end; false where there is none.
    fn next_line(&mut self, input: &mut dyn BufRead, line: &mut Vec<u8>) -> Result<bool> {
        line.clear();
        let mut limited = input.take(LINE_BYTES_MAX as u64 + 1);
        let count = limited
            .read_until(b'\n', line)
            .map_err(|error| Error::Io(format!("it could not be read further: {error}")))?;
        if count == 0 {
            return Ok(false);
        }
        self.read.lines += 1;
        self.bytes += count as u64;
        match line.len() > LINE_BYTES_MAX {
            true => Err(self.broken(&format!("it is longer than {LINE_BYTES_MAX} bytes"))),
            false => Ok(true),
        }
    }

    /// What a line is; none for an empty one.
    fn found(&mut self, line: &[u8]) -> Result<Option<Found>> {
        let text = std::str::from_utf8(line).map_err(|_| self.broken("it is no UTF-8"))?;
        let is_first = self.read.lines == 1;
        if text.trim().is_empty() && !is_first {
            return Ok(None);
        }
        let found = parse(text);
        match (&found, is_first) {
            (Ok(Found::Header(header)), true) => self.read.header = header.clone(),
            (Ok(Found::Header(_)), false) => {
                return Err(self.broken("a second header; one file is one export"));
            }
            (Ok(_), true) => return Err(self.broken("expected the header of an export of Sage")),
            (Ok(Found::Unknown(name)), false) => {
                // A name out of a file that nobody vouches for.
                let name: String = name.chars().take(NAME_CHARS_SHOWN).collect();
                tally(&mut self.read.unknown, &name);
                tally(&mut self.records, &name);
            }
            (Ok(Found::Record(record)), false) => tally(&mut self.records, type_of(record)),
            (Ok(Found::End(_)), false) => {}
            (Err(problem), _) => return Err(self.broken(problem)),
        }
        found.map(Some).map_err(|problem| self.broken(&problem))
    }

    fn broken(&self, problem: &str) -> Error {
        Error::Io(format!("line {}: {problem}", self.read.lines))
    }

    fn doubt(&self, end: Option<End>) -> Option<Doubt> {
        let Some(end) = end else {
            return Some(Doubt::CutOff);
        };
        let is_same =
            end.sha256 == hex(&self.digest.clone().finalize()) && end.records == self.records;
        (!is_same).then_some(Doubt::Changed)
    }
}

fn tally(counts: &mut BTreeMap<String, u64>, name: &str) {
    if let Some(count) = counts.get_mut(name) {
        *count += 1;
    } else if counts.len() < UNKNOWN_MAX {
        counts.insert(name.to_owned(), 1);
    }
}

/// How many types a file may have that are counted one by one; there are nine.
const UNKNOWN_MAX: usize = 100;

/// Characters of the name of an unknown type that are kept.
const NAME_CHARS_SHOWN: usize = 40;
