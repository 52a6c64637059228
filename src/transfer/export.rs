//! Writing all that a store holds as Sage's own format.

use std::collections::BTreeMap;
use std::io::Write;
use std::pin::pin;

use sha2::{Digest, Sha256};
use tokio::sync::mpsc::{Receiver, channel};

use super::format::{FORMAT, Line, VERSION, type_of};
use crate::engine::{Engine, Origin, Record};
use crate::error::{Error, Result};
use crate::memory::{Scope, Timestamp};

/// What an export came to, or has come to so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exported {
    /// Records by type, header and end left out.
    pub records: BTreeMap<String, u64>,
    /// Bytes written.
    pub bytes: u64,
    /// Live memories that there are, for progress.
    pub memories_total: u64,
    /// The checksum in its last line; none where it has not come to that.
    pub sha256: Option<String>,
    /// Whether it was stopped before its end.
    pub interrupted: bool,
}

impl Exported {
    /// Memories written so far, history included.
    pub fn memories(&self) -> u64 {
        self.records.get("memory").copied().unwrap_or_default()
    }
}

/// Writes what a scope holds at one moment, with its vectors if they are wanted, until all is written
/// or `stop` is done.
///
/// # Errors
/// Those of the store and of the writer; what is written then lacks its last line.
pub async fn export(
    engine: &Engine,
    scope: &Scope,
    with_vectors: bool,
    out: &mut dyn Write,
    stop: impl Future<Output = ()>,
    on_progress: &mut dyn FnMut(&Exported),
) -> Result<Exported> {
    // One chunk waits while another is written, and a third is read.
    let (sink, chunks) = channel(1);
    let mut writing = Writing {
        out,
        scope,
        digest: Sha256::new(),
        line: Vec::new(),
        exported: Exported::default(),
    };
    let (read, written) = tokio::join!(
        engine.export(scope, with_vectors, sink),
        writing.write_all(chunks, stop, on_progress),
    );
    written?;
    if !writing.exported.interrupted {
        read?;
        writing.end()?;
    }
    Ok(writing.exported)
}

struct Writing<'a> {
    out: &'a mut dyn Write,
    scope: &'a Scope,
    digest: Sha256,
    line: Vec<u8>,
    exported: Exported,
}

impl Writing<'_> {
    async fn write_all(
        &mut self,
        mut chunks: Receiver<Vec<Record>>,
        stop: impl Future<Output = ()>,
        on_progress: &mut dyn FnMut(&Exported),
    ) -> Result<()> {
        let mut stop = pin!(stop);
        loop {
            let chunk = tokio::select! {
                biased;
                () = &mut stop => {
                    self.exported.interrupted = true;
                    return Ok(());
                }
                chunk = chunks.recv() => chunk,
            };
            let Some(chunk) = chunk else { return Ok(()) };
            for record in &chunk {
                self.record(record)?;
            }
            on_progress(&self.exported);
        }
    }

    fn record(&mut self, record: &Record) -> Result<()> {
        if let Record::Origin(origin) = record {
            return self.header(origin);
        }
        let Some(line) = Line::of(record) else {
            return Ok(());
        };
        let counts = &mut self.exported.records;
        *counts.entry(type_of(record).to_owned()).or_default() += 1;
        self.line(&line)
    }

    fn header(&mut self, origin: &Origin) -> Result<()> {
        self.exported.memories_total = origin.memories;
        let scope = self.scope;
        self.line(&Line::Header {
            format: FORMAT,
            version: VERSION,
            sage: env!("CARGO_PKG_VERSION"),
            exported_at: Timestamp::now().to_string(),
            store: origin.store,
            store_id: &origin.store_id,
            project: scope.project().map(|project| project.key.as_str()),
            memories: origin.memories,
        })
    }

    fn end(&mut self) -> Result<()> {
        let sha256 = hex(&self.digest.clone().finalize());
        let records = std::mem::take(&mut self.exported.records);
        self.line(&Line::End {
            records: &records,
            sha256: sha256.clone(),
        })?;
        self.exported.records = records;
        self.exported.sha256 = Some(sha256);
        self.out.flush().map_err(|error| unwritten(&error))
    }

    fn line(&mut self, line: &Line<'_>) -> Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, line)
            .map_err(|error| Error::Internal(format!("a record is not JSON: {error}")))?;
        self.line.push(b'\n');
        self.digest.update(&self.line);
        self.exported.bytes += self.line.len() as u64;
        let written = self.out.write_all(&self.line);
        written.map_err(|error| unwritten(&error))
    }
}

fn unwritten(error: &std::io::Error) -> Error {
    Error::Io(format!("the export could not be written: {error}"))
}

/// A digest in the usual digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
