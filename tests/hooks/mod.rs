//! Claude Code's hooks, through the real executable and with what the real client sends.

mod capture;
mod failures;
mod injection;
mod leaks;
mod ledger;
mod neighbour;
mod projects;
mod proof;
mod samples;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::harness::{Home, Server, finish_with_input};

/// A conversation of the client in a folder.
pub struct Session<'a> {
    home: &'a Home,
    server: Option<&'a Server>,
    id: &'a str,
    dir: PathBuf,
}

impl<'a> Session<'a> {
    /// One whose hooks are commands.
    pub fn new(home: &'a Home, id: &'a str, dir: &Path) -> Self {
        let dir = dir.to_owned();
        Self {
            home,
            server: None,
            id,
            dir,
        }
    }

    /// One whose hooks are requests to a server.
    pub fn over(home: &'a Home, server: &'a Server, id: &'a str, dir: &Path) -> Self {
        let server = Some(server);
        Self {
            server,
            ..Self::new(home, id, dir)
        }
    }

    pub fn event(&self, name: &str, fields: &Value) -> Value {
        let mut event = json!({"hook_event_name": name, "session_id": self.id, "cwd": self.dir});
        let more = fields.as_object().unwrap().clone();
        event.as_object_mut().unwrap().extend(more);
        event
    }

    /// Tells an event; returns what goes to the model.
    #[track_caller]
    pub fn tell(&self, name: &str, fields: Value) -> String {
        let event = self.event(name, &fields);
        let output = match self.server {
            Some(server) => {
                let reply = server.post("/hooks/claude-code", &event);
                reply.is(200).json()
            }
            None => said(&run(self.home, &event, &[])),
        };
        context(&output, name)
    }

    #[track_caller]
    pub fn start(&self, source: &str) -> String {
        self.tell("SessionStart", json!({"source": source}))
    }

    #[track_caller]
    pub fn prompt(&self, id: &str, prompt: &str) -> String {
        self.tell(
            "UserPromptSubmit",
            json!({"prompt_id": id, "prompt": prompt}),
        )
    }

    #[track_caller]
    pub fn stop(&self, id: &str, reply: &str) {
        let fields =
            json!({"prompt_id": id, "last_assistant_message": reply, "stop_hook_active": false});
        assert_eq!(self.tell("Stop", fields), "");
    }

    /// A prompt with its reply; returns what was put before the model.
    #[track_caller]
    pub fn turn(&self, id: &str, prompt: &str, reply: &str) -> String {
        let given = self.prompt(id, prompt);
        self.stop(id, reply);
        given
    }

    #[track_caller]
    pub fn end(&self) {
        assert_eq!(self.tell("SessionEnd", json!({"reason": "other"})), "");
    }
}

/// Runs the command of a hook, which must end well; returns what it printed.
#[track_caller]
pub fn run(home: &Home, event: &Value, variables: &[(&str, &str)]) -> String {
    let mut command = home.command(["hook", "user-prompt-submit"]);
    command.envs(variables.iter().copied());
    let finished = finish_with_input(&mut command, event.to_string().as_bytes());
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    assert_eq!(finished.stderr, "", "for {event}");
    finished.stdout
}

/// What a hook printed: one JSON object, or nothing.
#[track_caller]
pub fn said(stdout: &str) -> Value {
    match stdout {
        "" => json!({}),
        text => serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}")),
    }
}

/// The context in a hook's answer, which must be for this event.
#[track_caller]
pub fn context(output: &Value, name: &str) -> String {
    let Some(given) = output.get("hookSpecificOutput") else {
        assert_eq!(*output, json!({}));
        return String::new();
    };
    assert_eq!(given["hookEventName"], name);
    let text = given["additionalContext"].as_str().unwrap();
    assert!(text.encode_utf16().count() < 10_000, "{text}");
    assert!(
        text.starts_with("<sage-memory ") && text.ends_with("</sage-memory>"),
        "{text}"
    );
    text.to_owned()
}

/// The files of events that wait.
pub fn waiting(home: &Home) -> Vec<PathBuf> {
    let spools = std::fs::read_dir(home.data_dir().join("spool"))
        .into_iter()
        .flatten();
    let files = spools.flat_map(|spool| std::fs::read_dir(spool.unwrap().path()).unwrap());
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

/// All memories of all projects, the oldest first.
#[track_caller]
pub fn kept(home: &Home) -> Vec<Value> {
    let list = home.json(["list", "--all", "--json", "--limit", "500"]);
    let mut memories = list["memories"].as_array().unwrap().clone();
    memories.reverse();
    memories
}

/// Their words.
#[track_caller]
pub fn words(home: &Home) -> Vec<String> {
    let words = kept(home).into_iter();
    words
        .map(|memory| memory["content"].as_str().unwrap().to_owned())
        .collect()
}
