//! MCP over stdin and stdout: one JSON object a line, and nothing but protocol on stdout.
//!
//! Three parts, connected by channels. A thread reads lines, another writes them, because both can
//! block for as long as the client likes. Between them `Conversation` answers at once what needs
//! no store, and everything else one after the other, in the order in which it came, so that a
//! script can pipe a whole conversation.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::notices::Notices;
use super::rpc::{self, Fault, Id, Item, Message};
use super::{Answer, Caller, Mcp};
use crate::engine::{Engine, ProjectHints};
use crate::error::{Error, Result};

/// The longest line that is read. A million-token conversation is about 4 MB of text, and JSON
/// escapes at worst about double it; anything longer is a mistake and would only cost memory.
pub const MESSAGE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How much may wait for the store, in bytes of input: two of the longest messages. Beyond it
/// reading pauses, so a script may pipe any length and Sage stays small.
const QUEUE_BYTES_MAX: usize = 2 * MESSAGE_BYTES_MAX;

/// How many messages may wait for the store. Real clients have a handful in flight; a script that
/// pipes more is slowed down to the pace of the store.
const QUEUE_LENGTH_MAX: usize = 256;

/// How many answers may wait for a client that does not read.
const ANSWERS_MAX: usize = 64;

/// How long what was asked before the end of input may take to be answered. The process has 100 ms
/// to be gone; the rest is for leaving.
const GRACE_MS: u64 = 80;

/// Serves one client on this process's stdin and stdout, until either ends. Work that is in flight
/// then is left behind; what was acknowledged is durable already. Needs a runtime with time and
/// signals.
pub async fn serve(engine: Arc<Engine>, hints: ProjectHints, context_tokens: usize) -> Result<()> {
    let (line_sender, lines) = mpsc::channel(1);
    let (end_sender, end_of_input) = oneshot::channel();
    spawn("sage-stdin", move || {
        read_lines(&mut io::stdin().lock(), &line_sender);
        // The receiver is gone when the conversation has ended by itself.
        let _ = end_sender.send(());
    })?;

    let (answers, answer_receiver) = mpsc::channel(ANSWERS_MAX);
    let (broken_sender, end_of_output) = oneshot::channel();
    spawn("sage-stdout", move || {
        write_lines(&mut io::stdout().lock(), answer_receiver);
        let _ = broken_sender.send(());
    })?;

    let conversation = Conversation {
        mcp: Arc::new(Mcp::new(engine, context_tokens)),
        caller: Arc::new(Caller::new(hints)),
        answers,
        queue: VecDeque::new(),
        queue_bytes: 0,
        running: None,
    };
    let answered = async {
        let talked = conversation.run(lines);
        tokio::pin!(talked);
        tokio::pin!(end_of_output);
        // The writer ends after the conversation when all is written, before it when nobody reads.
        tokio::select! {
            () = &mut talked => { let _ = end_of_output.await; }
            _ = &mut end_of_output => {}
        }
    };
    let out_of_time = async {
        let _ = end_of_input.await;
        tokio::time::sleep(Duration::from_millis(GRACE_MS)).await;
    };
    tokio::select! {
        () = answered => {}
        () = out_of_time => {}
        // The client ends a server this way, and the store is to be closed as at any other end.
        end = told_to_end() => end?,
    }
    Ok(())
}

/// Returns at the first SIGINT or SIGTERM.
async fn told_to_end() -> Result<()> {
    let listen = |kind| {
        signal(kind).map_err(|error| Error::Io(format!("could not listen for signals: {error}")))
    };
    let (mut interrupt, mut terminate) = (
        listen(SignalKind::interrupt())?,
        listen(SignalKind::terminate())?,
    );
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<()> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map(drop)
        .map_err(|error| Error::Io(format!("could not start a thread to talk through: {error}")))
}

/// A message with the bytes it took.
struct Received {
    message: Message,
    bytes: usize,
}

/// Reads until the end of input, or until nobody listens. An unreadable stdin is an ended one.
fn read_lines(input: &mut impl BufRead, lines: &mpsc::Sender<Received>) {
    let mut line = Vec::new();
    loop {
        let message = match read_line(input, &mut line) {
            Ok(Line::Whole) if line.iter().all(u8::is_ascii_whitespace) => continue,
            Ok(Line::Whole) => Message::read(&line),
            Ok(Line::TooLong) => Message::One(Item::Broken {
                id: None,
                fault: Fault::new(
                    rpc::INVALID_REQUEST,
                    format!("the message is longer than {MESSAGE_BYTES_MAX} bytes; it was skipped"),
                ),
            }),
            Ok(Line::End) | Err(_) => return,
        };
        let bytes = line.len();
        // One huge message must not be held on to for the rest of the conversation.
        if line.capacity() > KEPT_CAPACITY {
            line = Vec::new();
        }
        if lines.blocking_send(Received { message, bytes }).is_err() {
            return;
        }
    }
}

/// The line buffer that is kept between messages: most are far below it.
const KEPT_CAPACITY: usize = 64 * 1024;

/// What was found on the input.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    /// The buffer holds it, without its end; the last one may lack the end.
    Whole,
    /// It was longer than [`MESSAGE_BYTES_MAX`]; none of it was kept.
    TooLong,
    /// There is no more.
    End,
}

/// Reads one line into `line`, never holding more than [`MESSAGE_BYTES_MAX`] of it.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Line> {
    line.clear();
    let limit = MESSAGE_BYTES_MAX as u64 + 1;
    if input.by_ref().take(limit).read_until(b'\n', line)? == 0 {
        return Ok(Line::End);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        return Ok(Line::Whole);
    }
    if line.len() <= MESSAGE_BYTES_MAX {
        return Ok(Line::Whole);
    }
    *line = Vec::new();
    input.skip_until(b'\n')?;
    Ok(Line::TooLong)
}

/// Writes until there is nothing more to write, or until nobody reads: a broken pipe is how a
/// client goes away, not a failure to report.
fn write_lines(output: &mut impl Write, mut answers: mpsc::Receiver<String>) {
    while let Some(mut answer) = answers.blocking_recv() {
        answer.push('\n');
        let written = output.write_all(answer.as_bytes());
        if written.and_then(|()| output.flush()).is_err() {
            return;
        }
    }
}

/// Everything between the two threads.
struct Conversation {
    mcp: Arc<Mcp>,
    caller: Arc<Caller>,
    answers: mpsc::Sender<String>,
    queue: VecDeque<Job>,
    queue_bytes: usize,
    running: Option<Running>,
}

/// One message that waits for the store, or is being answered.
struct Job {
    items: VecDeque<Item>,
    is_batch: bool,
    answers: Vec<String>,
    bytes: usize,
}

/// The item of the first job that is being answered.
struct Running {
    id: Option<Id>,
    notices: mpsc::UnboundedReceiver<String>,
    task: JoinHandle<Option<Answer>>,
}

/// What comes of the item that is being answered.
enum Said {
    /// Something before the answer.
    Notice(String),
    /// The answer, where one is expected; then it is through.
    Answer(Option<Answer>),
}

impl Conversation {
    /// Runs until the input has ended and everything is answered, or nobody takes the answers.
    async fn run(mut self, mut lines: mpsc::Receiver<Received>) {
        let mut is_open = true;
        loop {
            if self.start_next().await.is_err() {
                return;
            }
            let has_room =
                self.queue_bytes < QUEUE_BYTES_MAX && self.queue.len() < QUEUE_LENGTH_MAX;
            let outcome = tokio::select! {
                biased;
                received = lines.recv(), if is_open && has_room => match received {
                    Some(received) => self.accept(received).await,
                    None => {
                        is_open = false;
                        Ok(())
                    }
                },
                said = next_said(&mut self.running), if self.running.is_some() => match said {
                    Said::Notice(notice) => self.send(notice).await,
                    Said::Answer(answer) => {
                        self.running = None;
                        if let (Some(job), Some(answer)) = (self.queue.front_mut(), answer) {
                            job.answers.push(answer.line);
                        }
                        Ok(())
                    }
                },
                else => return,
            };
            if outcome.is_err() {
                return;
            }
        }
    }

    /// Answers what can be answered at once, and queues the rest.
    async fn accept(&mut self, received: Received) -> Outcome {
        let unfolded = self.mcp.unfold(&self.caller, received.message);
        for id in unfolded.items.iter().filter_map(cancelled) {
            self.cancel(&id);
        }
        if !unfolded.is_batch && !unfolded.items.iter().any(Mcp::waits) {
            let nobody = Notices::none();
            for item in &unfolded.items {
                if let Some(answer) = self.mcp.handle(&self.caller, item, &nobody).await {
                    self.send(answer.line).await?;
                }
            }
            return Ok(());
        }
        self.queue_bytes += received.bytes;
        self.queue.push_back(Job {
            items: unfolded.items.into(),
            is_batch: unfolded.is_batch,
            answers: Vec::new(),
            bytes: received.bytes,
        });
        Ok(())
    }

    /// Starts the next item unless one is running; sends the answers of jobs that are through.
    async fn start_next(&mut self) -> Outcome {
        while self.running.is_none() {
            let Some(job) = self.queue.front_mut() else {
                return Ok(());
            };
            if let Some(item) = job.items.pop_front() {
                self.running = Some(self.start(item));
                continue;
            }
            let Some(job) = self.queue.pop_front() else {
                return Ok(());
            };
            self.queue_bytes = self.queue_bytes.saturating_sub(job.bytes);
            if job.is_batch {
                if let Some(answer) = rpc::answer_batch(&job.answers) {
                    self.send(answer).await?;
                }
            } else {
                for answer in job.answers {
                    self.send(answer).await?;
                }
            }
        }
        Ok(())
    }

    /// A task of its own, so that a panic in it ends one request and not the conversation.
    fn start(&self, item: Item) -> Running {
        let id = match &item {
            Item::Request(request) => Some(request.id.clone()),
            _ => None,
        };
        let (mcp, caller) = (Arc::clone(&self.mcp), Arc::clone(&self.caller));
        let (sender, notices) = mpsc::unbounded_channel();
        let sender = Notices::to(sender);
        let task = tokio::spawn(async move { mcp.handle(&caller, &item, &sender).await });
        Running { id, notices, task }
    }

    /// Drops the request of that name, wherever it is; nothing is sent for it any more.
    fn cancel(&mut self, id: &Id) {
        if let Some(running) = self
            .running
            .take_if(|running| running.id.as_ref() == Some(id))
        {
            running.task.abort();
        }
        for job in &mut self.queue {
            job.items
                .retain(|item| !matches!(item, Item::Request(request) if request.id == *id));
        }
    }

    async fn send(&self, answer: String) -> Outcome {
        self.answers.send(answer).await.map_err(|_| NobodyListens)
    }
}

/// Whether the conversation can go on.
type Outcome = std::result::Result<(), NobodyListens>;

/// The writer is gone, and with it the client.
struct NobodyListens;

/// Waits for what the running item says next. Dropping this future loses nothing.
async fn next_said(running: &mut Option<Running>) -> Said {
    let Some(running) = running else {
        return Said::Answer(None);
    };
    // The channel ends with the task, so the answer comes after every notice.
    if let Some(notice) = running.notices.recv().await {
        return Said::Notice(notice);
    }
    Said::Answer(match (&mut running.task).await {
        Ok(answer) => answer,
        Err(_) => running.id.as_ref().map(Mcp::broke_down),
    })
}

/// The request that a notification calls off.
fn cancelled(item: &Item) -> Option<Id> {
    match item {
        Item::Notification { method, params } if method == "notifications/cancelled" => {
            params.get("requestId").and_then(Id::read)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    /// Every line of the input: its length, or `None` for one that was skipped.
    fn lines_of(mut input: impl BufRead) -> Vec<Option<usize>> {
        let mut lines = Vec::new();
        let mut line = Vec::new();
        loop {
            match read_line(&mut input, &mut line).unwrap() {
                Line::Whole => lines.push(Some(line.len())),
                Line::TooLong => lines.push(None),
                Line::End => return lines,
            }
            assert!(line.len() <= MESSAGE_BYTES_MAX);
        }
    }

    #[test]
    fn lines_end_with_lf_crlf_or_the_input() {
        assert_eq!(lines_of(&b""[..]), []);
        let lines = lines_of(&b"a\nbc\r\n\nd"[..]);
        assert_eq!(lines, [Some(1), Some(2), Some(0), Some(1)]);
    }

    #[test]
    fn a_line_beyond_the_limit_is_skipped_and_the_next_one_read() {
        let long = vec![b'x'; MESSAGE_BYTES_MAX];
        let fits = [&long[..], b"\nab\n"].concat();
        assert_eq!(lines_of(&fits[..]), [Some(MESSAGE_BYTES_MAX), Some(2)]);
        let too_long = [&long[..], b"x\nab"].concat();
        assert_eq!(lines_of(&too_long[..]), [None, Some(2)]);
        let endless = [&long[..], &long[..]].concat();
        assert_eq!(lines_of(&endless[..]), [None]);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_request_that_panics_is_answered_all_the_same() {
        let (sender, notices) = mpsc::unbounded_channel();
        let mut running = Some(Running {
            id: Some(Id::Text("x".to_owned())),
            notices,
            task: tokio::spawn(async move {
                sender.send("first".to_owned()).unwrap();
                panic!("as a bug would")
            }),
        });
        let notice = next_said(&mut running).await;
        assert!(matches!(notice, Said::Notice(line) if line == "first"));
        let Said::Answer(Some(answer)) = next_said(&mut running).await else {
            panic!("no answer");
        };
        assert!(answer.line.contains("-32603") && answer.line.contains("\"id\":\"x\""));
    }
}
