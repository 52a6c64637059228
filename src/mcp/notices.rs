//! What a request tells its client before it is answered.
//!
//! A transport hands a [`Notices`] in with every request, and sends what comes out of its channel
//! before the answer. The product has nothing to tell yet; its own answers take milliseconds.

use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;

use super::rpc::{self, Id, Object};

/// The way from a request to its client, for lines that come before the answer. Nothing holds a
/// sender back, so a request must tell a bounded number of things.
#[derive(Debug, Clone)]
pub struct Notices {
    lines: Option<UnboundedSender<String>>,
}

impl Notices {
    /// Nobody listens: what is told is dropped.
    pub fn none() -> Self {
        Self { lines: None }
    }

    /// Each notice is one message, a line without its end. All of them are in the channel before
    /// [`super::Mcp::handle`] returns.
    pub fn to(lines: UnboundedSender<String>) -> Self {
        Self { lines: Some(lines) }
    }

    /// The progress of the request with these parameters. Without a `progressToken` in their
    /// `_meta` the client wants to hear of none, and none is sent.
    pub fn progress(&self, params: &Object) -> Progress<'_> {
        let meta = params.get("_meta").and_then(Value::as_object);
        let token = meta.and_then(|meta| meta.get("progressToken"));
        Progress {
            notices: self,
            // A token has the shapes of an id; what has another was not given by the protocol.
            token: token.and_then(Id::read),
            last: None,
        }
    }

    fn send(&self, line: String) {
        if let Some(lines) = &self.lines {
            // Nobody takes it: the client has gone, or has called the request off.
            let _ = lines.send(line);
        }
    }
}

/// How far one request has come.
pub struct Progress<'a> {
    notices: &'a Notices,
    token: Option<Id>,
    last: Option<u64>,
}

impl Progress<'_> {
    /// Tells that `done` of `total` are done. Progress only ever increases: what is no more than
    /// was told before is not told again.
    pub fn report(&mut self, done: u64, total: u64) {
        let Some(token) = &self.token else {
            return;
        };
        if self.last.is_some_and(|last| done <= last) {
            return;
        }
        self.last = Some(done);
        let params = json!({"progressToken": token.to_value(), "progress": done, "total": total});
        let line = rpc::notification("notifications/progress", params);
        self.notices.send(line);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    /// What is told when 0, 40, 40, 30 and 100 are reported with that token.
    fn told_with(token: Value) -> Vec<Value> {
        let (sender, mut lines) = unbounded_channel();
        let mut params = Object::new();
        params.insert("_meta".to_owned(), json!({"progressToken": token}));
        let notices = Notices::to(sender);
        let mut progress = notices.progress(&params);
        for done in [0, 40, 40, 30, 100] {
            progress.report(done, 100);
        }
        let mut told = Vec::new();
        while let Ok(line) = lines.try_recv() {
            told.push(serde_json::from_str(&line).unwrap_or_default());
        }
        told
    }

    #[test]
    fn progress_only_increases() {
        for token in [json!("a"), json!(7)] {
            let expected = [0, 40, 100].map(|done| {
                json!({"jsonrpc": "2.0", "method": "notifications/progress", "params":
                    {"progressToken": token, "progress": done, "total": 100}})
            });
            assert_eq!(told_with(token), expected);
        }
    }

    #[test]
    fn without_a_token_nothing_is_told() {
        for token in [json!(null), json!(1.5), json!({})] {
            assert_eq!(told_with(token), Vec::<Value>::new());
        }
        Notices::none().progress(&Object::new()).report(1, 2);
    }
}
