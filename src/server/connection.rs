//! One connection: HTTP/1.1 by hyper, with limits on time and size.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderName};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_io_timeout::TimeoutWriter;

use super::connections::Place;
use super::listen::Stream;
use super::{Server, reply, routes};

/// From the first byte of silence to the end of a request's head: an idle connection lives this
/// long, and so does one that sends its headers letter by letter.
const HEAD_DEADLINE: Duration = Duration::from_secs(30);

/// Tells clients to stop using an idle connection before it is closed under their hands.
const KEEP_ALIVE: (HeaderName, &str) = (HeaderName::from_static("keep-alive"), "timeout=25");

/// Whoever takes no byte of an answer for this long is gone.
const WRITE_DEADLINE: Duration = Duration::from_secs(20);

/// A browser with many cookies sends about 40.
const HEADERS_MAX: usize = 64;

/// Request line and headers together; also how much hyper reads ahead.
const HEAD_BYTES_MAX: usize = 32 * 1024;

/// How long, and for how much more of what it sends, a client gets to read why it was answered
/// early.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Serves one connection to its end.
pub async fn serve(
    server: Arc<Server>,
    stream: Stream,
    is_local: bool,
    place: Arc<Place>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut stream = TimeoutWriter::new(stream);
    stream.set_timeout(Some(WRITE_DEADLINE));
    let service = service_fn(|request: Request<Incoming>| {
        let (server, busy) = (Arc::clone(&server), place.work());
        Box::pin(async move {
            let mut reply = routes::answer(server, is_local, request).await;
            if !reply.headers().contains_key(CONNECTION) {
                let (name, value) = KEEP_ALIVE;
                reply::set(&mut reply, name, value);
            }
            Ok::<_, Infallible>(reply.map(|body| body.keeping(busy)))
        })
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_DEADLINE)
        .max_headers(HEADERS_MAX)
        .max_header_size(HEAD_BYTES_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
    // How a connection ends is the caller's business: broken off, timed out or done, it is over.
    let end = tokio::select! {
        // A request that came in together with the wish to end is seen first, and answered.
        biased;
        _ = poll_fn(|cx| connection.poll_without_shutdown(cx)) => End::Over,
        () = place.evicted() => End::Evicted,
        () = stop(&mut stopped) => End::Stopped,
    };
    let was_idle = place.is_idle();
    match end {
        End::Over => {}
        End::Evicted if was_idle => return,
        End::Stopped if !place.was_used() => return,
        End::Evicted | End::Stopped => {
            // An idle connection ends as soon as its last answer is sent, any other after the next.
            Pin::new(&mut connection).graceful_shutdown();
            let _ = poll_fn(|cx| connection.poll_without_shutdown(cx)).await;
            if was_idle {
                return;
            }
        }
    }
    tokio::select! {
        () = linger(connection.into_parts().io.into_inner()) => {}
        () = place.evicted() => {}
    }
}

/// Why a connection is not served any longer.
enum End {
    /// Its client is gone, or was told to go.
    Over,
    /// Somebody else needs the place.
    Evicted,
    /// The server stops.
    Stopped,
}

/// Closes a connection so that the last answer arrives: with bytes of the client unread, closing at
/// once would make the system take the answer back.
async fn linger(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let mut unread = stream.take(LINGER_BYTES_MAX);
    // The end, an error, or too much of it: all of them end the connection.
    let _ = timeout(LINGER, tokio::io::copy(&mut unread, &mut tokio::io::sink())).await;
}

/// Returns when the server stops; a sender that is gone stopped long ago.
async fn stop(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// Tells a caller that every connection is taken by one at work.
pub async fn turn_away(mut stream: Stream) {
    const ANSWER: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\
                            Retry-After: 1\r\nConnection: close\r\n\r\n";
    // A new stream has room for these bytes.
    if stream.write_all(ANSWER).await.is_ok() {
        linger(stream).await;
    }
}
