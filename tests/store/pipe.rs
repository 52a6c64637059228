//! A client of `sage mcp` that sends many requests before it reads an answer.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

/// A running `sage mcp`, without the schema checks of the MCP tests: 8 of them write at once.
pub struct Pipe {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

/// What a tool answered.
#[derive(Debug)]
pub struct Answer {
    pub is_error: bool,
    pub text: String,
}

impl Pipe {
    pub fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self {
            child,
            stdin,
            stdout,
        }
    }

    /// Sends requests from a thread of its own, so that neither side waits for the other, and
    /// hands every answer to `take` until there are as many as requests, `take` says false, or the
    /// server is gone.
    pub fn exchange(&mut self, requests: &[String], mut take: impl FnMut(Answer) -> bool) {
        let stdin = self.stdin.as_mut().unwrap();
        let (child, stdout) = (&mut self.child, &mut self.stdout);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for request in requests {
                    // A server that was killed on purpose takes no more.
                    if stdin.write_all(request.as_bytes()).is_err() {
                        return;
                    }
                }
            });
            for _ in requests {
                let mut line = String::new();
                if stdout.read_line(&mut line).unwrap() == 0 {
                    return;
                }
                if !take(Answer::read(&line)) {
                    // Frees the thread above, whatever it still has to send.
                    child.kill().unwrap();
                    return;
                }
            }
        });
    }

    /// Sends one request and returns its answer.
    pub fn ask(&mut self, request: String) -> Answer {
        let mut answer = None;
        self.exchange(&[request], |got| {
            answer = Some(got);
            true
        });
        answer.expect("the server answers")
    }

    /// Saves a turn, which must work.
    #[track_caller]
    pub fn save(&mut self, n: u64, prompt: &str, reply: &str) -> String {
        let answer = self.ask(save(n, prompt, reply));
        assert!(!answer.is_error, "{answer:?}");
        answer.text
    }

    /// Ends the server by the end of its input.
    pub fn end(mut self) {
        self.stdin = None;
        assert!(self.child.wait().unwrap().success());
    }

    /// Ends the server as a crash would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Pipe {
    /// A test that failed leaves no process behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Answer {
    #[track_caller]
    fn read(line: &str) -> Self {
        let reply: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("not JSON ({error}): {line}"));
        let result = &reply["result"];
        Self {
            is_error: result.get("content").is_none() || result["isError"] == json!(true),
            text: match result["content"][0]["text"].as_str() {
                Some(text) => text.to_owned(),
                None => line.to_owned(),
            },
        }
    }
}

/// A call of a tool, as a line.
pub fn call(id: u64, tool: &str, arguments: Value) -> String {
    let request = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call",
        "params": {"name": tool, "arguments": arguments}});
    format!("{request}\n")
}

/// A request to save a turn.
pub fn save(id: u64, prompt: &str, reply: &str) -> String {
    let turn = json!({"user_prompt": prompt, "assistant_response": reply});
    call(id, "save_conversation", turn)
}

/// The turns of a session, numbered: each has words of its own among words that all share.
pub fn saves(session: &str, numbers: std::ops::Range<u64>) -> Vec<String> {
    numbers
        .map(|n| {
            let (prompt, reply) = turn(session, n);
            save(n, &prompt, &reply)
        })
        .collect()
}

/// Prompt and reply of turn `n`.
pub fn turn(session: &str, n: u64) -> (String, String) {
    let prompt = format!("How does gadget{n} of {session} talk to the payment gateway?");
    let reply = format!(
        "Gadget{n} opens a connection to port {}, sends the signed order and waits for widget{n} \
         to confirm it. A lost confirmation is asked for again after {} seconds.",
        4_000 + n,
        n % 60
    );
    (prompt, reply)
}
