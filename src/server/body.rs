//! Bodies: reading one within its limits, and what an answer's is made of.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use super::connections::Busy;

/// Whoever sends slower than this takes the room of others.
const BODY_DEADLINE: Duration = Duration::from_secs(10);

/// Whoever sends nothing for this long has stopped.
const PIECE_DEADLINE: Duration = Duration::from_secs(5);

/// How long a large body waits for others to be done.
const PLACE_PATIENCE: Duration = Duration::from_secs(5);

/// Real requests are smaller; what is larger needs one of the few places for large bodies.
const SMALL_BODY_BYTES: usize = 64 * 1024;

/// How many large bodies are in memory at once, with what parsing makes of them: about 15 times
/// their size at worst. Two of them stay below the budget of memory under load.
pub const LARGE_BODIES_MAX: usize = 2;

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    /// It is longer than the route allows.
    TooLarge,
    /// It did not come in time.
    TooSlow,
    /// There was no place for it.
    NoPlace,
    /// It broke off, or was no body.
    Broken,
}

/// Reads a whole body of at most `bytes_max`. One that turns out to be large waits for one of
/// `large_places`, which stays taken until `Read` is dropped.
pub async fn read(
    mut body: Incoming,
    bytes_max: usize,
    large_places: &Semaphore,
) -> Result<Read<'_>, Unread> {
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(Unread::TooLarge);
    }
    let mut read = Read {
        bytes: Vec::new(),
        _place: None,
    };
    let mut time_left = BODY_DEADLINE;
    loop {
        let begin = Instant::now();
        let next = timeout(time_left.min(PIECE_DEADLINE), body.frame()).await;
        time_left = time_left.saturating_sub(begin.elapsed());
        let Some(frame) = next.map_err(|_| Unread::TooSlow)? else {
            return Ok(read);
        };
        let Ok(data) = frame.map_err(|_| Unread::Broken)?.into_data() else {
            continue;
        };
        let bytes = read.bytes.len() + data.len();
        if bytes > bytes_max {
            return Err(Unread::TooLarge);
        }
        if read._place.is_none() && bytes > SMALL_BODY_BYTES {
            // Not before that much is here: an announcement alone takes no place from anybody.
            let place = timeout(PLACE_PATIENCE, large_places.acquire()).await;
            read._place = place.map_err(|_| Unread::NoPlace)?.ok();
        }
        read.bytes.extend_from_slice(&data);
    }
}

/// A body that was read.
pub struct Read<'a> {
    /// All of it.
    pub bytes: Vec<u8>,
    _place: Option<tokio::sync::SemaphorePermit<'a>>,
}

/// The body of an answer.
pub struct Answer {
    content: Content,
    /// The connection counts as busy until the body is handed over.
    _busy: Option<Busy>,
}

enum Content {
    Whole(Option<Bytes>),
    Events(mpsc::UnboundedReceiver<Bytes>),
}

impl Answer {
    /// A body that is there already.
    pub fn whole(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self {
            content: Content::Whole(Some(bytes).filter(|bytes| !bytes.is_empty())),
            _busy: None,
        }
    }

    /// A body that comes piece by piece.
    pub fn events(pieces: mpsc::UnboundedReceiver<Bytes>) -> Self {
        Self {
            content: Content::Events(pieces),
            _busy: None,
        }
    }

    /// Keeps the connection busy for as long as there is something to send.
    pub fn keeping(mut self, busy: Busy) -> Self {
        self._busy = Some(busy);
        self
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let piece = match &mut self.content {
            Content::Whole(bytes) => Poll::Ready(bytes.take()),
            Content::Events(pieces) => pieces.poll_recv(cx),
        };
        piece.map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.content, Content::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Content::Events(_) => SizeHint::default(),
        }
    }
}
