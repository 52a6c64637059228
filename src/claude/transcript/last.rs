//! One turn near the end of a transcript: what a hook missed.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::path::Path;

use super::{TranscriptTurn, read_turns};

/// How much of a transcript's end is read, in bytes: a hook has little time, and the turn that is
/// missing was among the last.
const END_BYTES: u64 = 8 << 20;

/// The turn of this prompt in the end of a session's transcript. A path comes from whoever calls
/// the hook, so nothing is opened but a regular file that is named after the session.
///
/// # Errors
/// When there is no such file, or it cannot be read.
pub fn turn_in_file(
    path: &Path,
    session: &str,
    prompt_id: &str,
) -> io::Result<Option<TranscriptTurn>> {
    let is_its = path.file_stem() == Some(OsStr::new(session));
    let is_transcript = path.extension() == Some(OsStr::new("jsonl"));
    if !is_its || !is_transcript || !path.metadata()?.is_file() {
        return Err(io::ErrorKind::NotFound.into());
    }
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut found = None;
    let begin = file.seek(SeekFrom::Start(length.saturating_sub(END_BYTES)))?;
    let mut reader = BufReader::new(file);
    if begin > 0 {
        // What is left of a line that began before.
        reader.skip_until(b'\n')?;
    }
    read_turns(reader, session, &mut |turn| {
        if turn.session_id == session && turn.prompt_id == prompt_id {
            found = Some(turn);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    })?;
    Ok(found)
}
