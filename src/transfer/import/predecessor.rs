//! What Sage's predecessor kept in PostgreSQL becomes turns.

use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;

use super::{BATCH_CAPTURES_MAX, BATCH_TEXT_BYTES, Batch};
use crate::capture::{Capture, METADATA_BYTES_MAX, NAME_BYTES_MAX};
use crate::engine::predecessor::{FormerTurn, FormerTurns};
use crate::error::Result;
use crate::memory::{Project, Timestamp};

/// By which way these memories came.
const SOURCE: &str = "predecessor";

/// Reads in a task of its own, as long as somebody takes the batches; how it ended, the handle says.
pub fn read(turns: FormerTurns, project: Project) -> (Receiver<Batch>, JoinHandle<Result<()>>) {
    let (sender, receiver) = channel(1);
    let reading = tokio::spawn(send_batches(turns, project, sender));
    (receiver, reading)
}

async fn send_batches(
    mut turns: FormerTurns,
    project: Project,
    sender: Sender<Batch>,
) -> Result<()> {
    let (mut batch, mut text_bytes) = (Batch::default(), 0);
    loop {
        let some = turns.next().await?;
        let is_end = some.is_empty();
        for turn in some {
            text_bytes += turn.prompt.len() + turn.reply.len();
            batch.captures.push(capture(turn, &project));
        }
        let is_full = batch.captures.len() >= BATCH_CAPTURES_MAX || text_bytes >= BATCH_TEXT_BYTES;
        if is_full || is_end {
            text_bytes = 0;
            let is_taken = sender.send(std::mem::take(&mut batch)).await.is_ok();
            if is_end || !is_taken {
                return Ok(());
            }
        }
    }
}

fn capture(turn: FormerTurn, project: &Project) -> Capture {
    let created_at = turn.created_ms;
    // What is no object, or beyond what a memory may carry, is no part of what was said.
    let metadata = turn
        .metadata
        .filter(|text| text.len() <= METADATA_BYTES_MAX)
        .and_then(|text| serde_json::from_str(&text).ok());
    let session = turn
        .session
        .filter(|session| !session.trim().is_empty() && session.len() <= NAME_BYTES_MAX);
    Capture {
        session,
        // The row, by which a second import knows it.
        event: Some(format!("{SOURCE}-{}", turn.id)),
        created_at: created_at.and_then(|ms| Timestamp::from_millisecond(ms).ok()),
        metadata,
        ..Capture::turn(project.clone(), &turn.prompt, &turn.reply, SOURCE)
    }
}
