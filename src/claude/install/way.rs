//! What the client is told to do: run a command, or ask a server.

use serde_json::{Value, json};

use super::pieces::{Piece, SERVER_NAME};
use crate::claude::hooks::Kind;

/// How the client reaches Sage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// By starting `sage`, over stdin and stdout.
    Stdio,
    /// By asking a server.
    Http,
    /// By asking a container for hooks, and starting `/sage` in it for tools.
    Docker,
}

/// All that decides what is written into the client's files.
#[derive(Debug, Clone)]
pub struct Way {
    /// How the client reaches Sage.
    pub via: Via,
    /// The executable as the client will start it; `None` where this machine has none.
    pub program: Option<String>,
    /// `--data-dir`, if the client should pass it.
    pub data_dir: Option<String>,
    /// `HOST:PORT` of the server.
    pub server: String,
    /// Whether the server wants a token; it is read from `SAGE_TOKEN` and never written down.
    pub wants_token: bool,
}

/// The name of the container in the compose files.
const CONTAINER: &str = "sage";

/// Each event with the tools that it is about and the seconds that the client waits at most. Sage
/// itself takes a quarter of a second; a machine that just woke up takes longer. SessionEnd needs
/// one, because the client gives it 1.5 s otherwise.
const EVENTS: [(Kind, Option<&str>, u32); 10] = [
    (Kind::SessionStart, None, 10),
    (Kind::UserPromptSubmit, None, 5),
    (Kind::PreToolUse, Some("mcp__.*sage.*__.*"), 5),
    (Kind::PostToolUse, Some(DEEDS), 5),
    (Kind::PostToolUseFailure, Some("Bash"), 5),
    (Kind::Stop, None, 10),
    (Kind::SubagentStop, None, 10),
    (Kind::PreCompact, None, 5),
    (Kind::PostCompact, None, 10),
    (Kind::SessionEnd, None, 5),
];

/// The tools whose calls are kept with a turn.
const DEEDS: &str = "Bash|Edit|MultiEdit|NotebookEdit|Write";

impl Via {
    /// Reads the word of the command line.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "stdio" => Some(Self::Stdio),
            "http" => Some(Self::Http),
            "docker" => Some(Self::Docker),
            _ => None,
        }
    }
}

impl Way {
    /// The handlers of hooks, in the order in which the events come.
    pub fn hooks(&self) -> Vec<Piece> {
        let wanted = EVENTS.iter().filter(|(kind, ..)| {
            // No process for each call of a tool.
            self.via != Via::Stdio || *kind != Kind::PostToolUse
        });
        let piece = |(kind, matcher, seconds): &(Kind, Option<&str>, u32)| {
            let matcher = matcher.map_or(String::new(), |matcher| {
                format!("\"matcher\": {}, ", Value::from(matcher))
            });
            let handler = self.handler(*kind, *seconds);
            Piece {
                holder: vec!["hooks".to_owned(), kind.name().to_owned()],
                item: format!("{{{matcher}\"hooks\": [{handler}]}}"),
            }
        };
        wanted.map(piece).collect()
    }

    /// The client runs no handler of type `http` at a session's start, and only a command sees the
    /// directory's repository. At a session's end it complains on the terminal about a server that
    /// is away (2.1.330, and about no other event), where a command keeps the event for later.
    fn handler(&self, kind: Kind, seconds: u32) -> String {
        let is_command = match kind {
            Kind::SessionStart => true,
            Kind::SessionEnd => self.program.is_some(),
            _ => false,
        };
        if self.via == Via::Stdio || is_command {
            let command = Value::from(self.command(kind));
            return format!(
                "{{\"type\": \"command\", \"command\": {command}, \"timeout\": {seconds}}}"
            );
        }
        let url = Value::from(format!("http://{}/hooks/claude-code", self.server));
        let token = match self.wants_token {
            true => {
                ", \"headers\": {\"Authorization\": \"Bearer ${SAGE_TOKEN}\"}, \
                 \"allowedEnvVars\": [\"SAGE_TOKEN\"]"
            }
            false => "",
        };
        format!("{{\"type\": \"http\", \"url\": {url}, \"timeout\": {seconds}{token}}}")
    }

    fn command(&self, kind: Kind) -> String {
        let Some(program) = &self.program else {
            return format!("docker exec -i {CONTAINER} /sage hook {}", kind.argument());
        };
        let server = match self.via {
            Via::Stdio => String::new(),
            Via::Http | Via::Docker => format!("SAGE_SERVER=http://{} ", self.server),
        };
        let data_dir = self.data_dir.as_ref().map_or(String::new(), |dir| {
            format!(" --data-dir {}", shell_word(dir))
        });
        let program = shell_word(program);
        format!("{server}{program} hook {}{data_dir}", kind.argument())
    }

    /// The entry of the MCP server, as `claude mcp add-json` takes it.
    pub fn server_entry(&self) -> Value {
        match self.via {
            Via::Stdio => {
                let program = self.program.as_deref().unwrap_or(SERVER_NAME);
                let mut args = vec!["mcp"];
                if let Some(dir) = &self.data_dir {
                    args.extend(["--data-dir", dir]);
                }
                json!({"type": "stdio", "command": program, "args": args})
            }
            Via::Http => {
                let mut entry =
                    json!({"type": "http", "url": format!("http://{}/mcp", self.server)});
                if let (true, Some(entry)) = (self.wants_token, entry.as_object_mut()) {
                    let token = json!({"Authorization": "Bearer ${SAGE_TOKEN}"});
                    entry.insert("headers".to_owned(), token);
                }
                entry
            }
            Via::Docker => json!({"type": "stdio", "command": "docker", "args": [
                "exec", "-i", "-e", "CLAUDE_PROJECT_DIR", "-e", "CLAUDE_CODE_SESSION_ID",
                CONTAINER, "/sage", "mcp"]}),
        }
    }

    /// The same as a piece of the client's MCP configuration.
    pub fn server_piece(&self, holder: Vec<String>) -> Piece {
        let (name, entry) = (Value::from(SERVER_NAME), self.server_entry());
        Piece {
            holder,
            item: format!("{name}: {entry}"),
        }
    }
}

/// A word as a shell reads it.
pub fn shell_word(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+:@,".contains(&byte);
    match !word.is_empty() && word.bytes().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}
