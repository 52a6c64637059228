//! Claude Code set up for a container by the commands of the README, and what that wrote used as
//! the client uses it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::MutexGuard;

use serde_json::{Value, json};

use crate::harness::{
    Ask, Client, Connection, Container, Engine, Era, Finished, Home, finish, finish_with_input,
};
use crate::hooks::{context, said};

const COPY: &str = "mkdir -p ~/.local/bin && docker cp sage:/sage ~/.local/bin/sage";
const INSTALL: &str = "sage install claude-code --via docker";
const PRINT: &str = "docker exec sage /sage install claude-code --via docker --print";

const PROMPT: &str = "The walrus swims at noon.";
const QUESTION: &str = "When does the walrus swim?";
const TOKEN: &str = "correct-horse_battery.staple~42";
/// What the compose files do without, and what a server for more than this machine has.
const TOKENS: [Option<&str>; 2] = [None, Some(TOKEN)];

/// Somebody's machine with the container that the README has them start.
struct Machine {
    home: Home,
    container: Container,
    token: Option<&'static str>,
    _alone: MutexGuard<'static, ()>,
}

/// What the client was told: the text of its settings, and its entry of the MCP server.
struct Told {
    settings: Value,
    server: Value,
}

impl Machine {
    fn start(engine: Engine, token: Option<&'static str>) -> Self {
        let alone = engine.alone();
        // A loaded machine is slower than what hooks are held to.
        let mut settings = vec!["SAGE_HOOK_DEADLINE_MS=20000".to_owned()];
        settings.extend(token.map(|token| format!("SAGE_TOKEN={token}")));
        let container = Container::named(engine, "sage".to_owned(), &settings);
        container.healthy();
        let home = Home::new();
        // Nothing else is on its PATH, so no client of the machine that the tests run on.
        let bin = home.project("bin");
        for program in ["docker", "mkdir"] {
            symlink(found(program), bin.join(program)).unwrap();
        }
        Self {
            home,
            container,
            token,
            _alone: alone,
        }
    }

    /// A program as the client starts it, in a folder.
    fn program(&self, program: &str, dir: &Path) -> Command {
        let mut command = self.home.command_of(Path::new(program), [""; 0]);
        let home = self.home.path().display();
        command
            .env_remove("SAGE_DATA_DIR")
            .env("PATH", format!("{home}/.local/bin:{home}/bin"))
            .env("DOCKER_HOST", self.container.engine.host)
            .current_dir(dir);
        if let Some(token) = self.token {
            command.env("SAGE_TOKEN", token);
        }
        command
    }

    fn shell(&self, line: &str, dir: &Path) -> Command {
        let mut command = self.program("/bin/sh", dir);
        command.args(["-c", line]);
        command
    }

    /// Runs a line in the home, where a terminal opens.
    #[track_caller]
    fn ok(&self, line: &str) -> Finished {
        let finished = finish(&mut self.shell(line, self.home.path()));
        assert_eq!(finished.code, 0, "{line}: {}", finished.stderr);
        finished
    }

    /// `--server`, since the port is any that was free.
    fn server(&self) -> String {
        format!("--server http://{}", self.container.address())
    }

    fn read(&self, name: &str) -> Value {
        let text = fs::read_to_string(self.home.path().join(name)).unwrap();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}: {text}"))
    }

    /// What git writes, as far as it tells the project of a folder.
    fn clone_of(&self, remote: &str, folder: &str) -> PathBuf {
        self.home.project(&format!("{folder}/.git/objects"));
        self.home.project(&format!("{folder}/.git/refs"));
        let head = "ref: refs/heads/main\n";
        self.home.file(&format!("{folder}/.git/HEAD"), head);
        let config = format!("[remote \"origin\"]\n\turl = https://{remote}.git\n");
        self.home.file(&format!("{folder}/.git/config"), config);
        self.home.project(folder)
    }
}

/// A conversation in a folder.
struct Session<'a> {
    machine: &'a Machine,
    told: &'a Told,
    id: &'a str,
    dir: &'a Path,
}

impl Session<'_> {
    /// Does what the settings say about an event; returns what goes to the model.
    #[track_caller]
    fn tell(&self, name: &str, fields: Value) -> String {
        let mut event = json!({"hook_event_name": name, "session_id": self.id, "cwd": self.dir});
        let more = fields.as_object().unwrap().clone();
        event.as_object_mut().unwrap().extend(more);
        let handler = &self.told.settings["hooks"][name][0]["hooks"][0];
        let output = match handler["type"].as_str().unwrap() {
            "command" => self.run(handler, &event),
            "http" => self.post(handler, &event),
            other => panic!("no handler of hooks: {other}"),
        };
        context(&output, name)
    }

    #[track_caller]
    fn run(&self, handler: &Value, event: &Value) -> Value {
        let line = handler["command"].as_str().unwrap();
        let mut command = self.machine.shell(line, self.dir);
        command.env("CLAUDE_PROJECT_DIR", self.dir);
        let finished = finish_with_input(&mut command, event.to_string().as_bytes());
        let ended = (finished.code, finished.stderr.as_str());
        assert_eq!(ended, (0, ""), "{line}");
        said(&finished.stdout)
    }

    #[track_caller]
    fn post(&self, handler: &Value, event: &Value) -> Value {
        let url = handler["url"].as_str().unwrap();
        let (address, path) = url
            .strip_prefix("http://")
            .and_then(|rest| rest.split_once('/'))
            .unwrap();
        let mut ask = Ask::post(&format!("/{path}"), event).host(address);
        let headers = handler["headers"].as_object().into_iter().flatten();
        for (name, value) in headers {
            // The client puts in the variables that the handler may see.
            let mut value = value.as_str().unwrap().to_owned();
            if handler["allowedEnvVars"] == json!(["SAGE_TOKEN"]) {
                value = value.replace("${SAGE_TOKEN}", self.machine.token.unwrap_or_default());
            }
            ask = ask.header(name, &value);
        }
        let mut connection = Connection::tcp(address);
        connection.send(&ask.bytes());
        connection.reply().is(200).json()
    }

    #[track_caller]
    fn start(&self) -> String {
        self.tell("SessionStart", json!({"source": "startup"}))
    }

    #[track_caller]
    fn prompt(&self, id: &str, prompt: &str) -> String {
        let fields = json!({"prompt_id": id, "prompt": prompt});
        self.tell("UserPromptSubmit", fields)
    }

    #[track_caller]
    fn stop(&self, id: &str) {
        let fields = json!({"prompt_id": id, "last_assistant_message": "Noted."});
        assert_eq!(self.tell("Stop", fields), "");
    }

    /// What the model finds when it looks with the tool.
    #[track_caller]
    fn search(&self, query: &str) -> String {
        let words = |value: &Value| value.as_str().unwrap().to_owned();
        let server = &self.told.server;
        let program = words(&server["command"]);
        let mut command = self.machine.program(&program, self.dir);
        command
            .args(server["args"].as_array().unwrap().iter().map(words))
            .env("CLAUDE_PROJECT_DIR", self.dir)
            .env("CLAUDE_CODE_SESSION_ID", self.id);
        let mut client = Client::start(command, Era::Legacy("2025-11-25"));
        let listed = client.request("tools/list", json!({}));
        let tools = listed["result"]["tools"].as_array().unwrap();
        assert!(tools.iter().any(|tool| tool["name"] == "search_memory"));
        let found = client.tool("search_memory", json!({"query": query}));
        let (status, rest) = client.end();
        assert!(status.success() && rest.is_empty(), "{status} {rest:?}");
        found
    }
}

/// A program of this machine.
fn found(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    let mut places = std::env::split_paths(&path).map(|folder| folder.join(name));
    places.find(|place| place.is_file()).unwrap()
}

/// A command that both READMEs show, on a line of its own.
#[track_caller]
fn shown(command: &str) -> &str {
    for name in ["README.md", "README.zh-CN.md"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        let text = fs::read_to_string(path).unwrap();
        let line = format!("    {command}");
        assert!(text.lines().any(|shown| shown == line), "{name}: {command}");
    }
    command
}

/// What one session said is known to the next of the project, and to none of another.
#[track_caller]
fn remembers(machine: &Machine, told: &Told, project: &str, folders: [&Path; 3]) {
    let [dir, again, elsewhere] = folders;
    let session = |id, dir| Session {
        machine,
        told,
        id,
        dir,
    };
    let first = session("first", dir);
    assert_eq!(first.start(), "");
    for (id, prompt) in [("p1", PROMPT), ("p2", "The seal sleeps till one.")] {
        first.prompt(id, prompt);
        first.stop(id);
    }
    let end = first.tell("SessionEnd", json!({"reason": "other"}));
    assert_eq!(end, "");
    let found = first.search("walrus");
    assert!(found.contains(PROMPT), "{found}");
    let place = found.lines().next().unwrap();
    assert!(
        place.starts_with(&format!("project: {project} ")),
        "{place}"
    );

    let second = session("second", again);
    let given = second.start();
    assert!(given.contains(PROMPT), "{given}");
    let given = second.prompt("q", QUESTION);
    assert!(given.contains("swims at noon"), "{given}");
    let found = second.search("walrus");
    assert!(found.contains(PROMPT), "{found}");

    let other = session("other", elsewhere);
    assert_eq!(
        (other.start(), other.prompt("q", QUESTION)),
        Default::default()
    );
    let found = other.search("walrus");
    assert!(!found.contains(PROMPT), "{found}");
}

#[test]
fn with_the_executable_of_the_image() {
    let Some(engine) = Engine::handed_over("containers::set_up") else {
        return;
    };
    for token in TOKENS {
        let machine = Machine::start(engine, token);
        machine.ok(shown(COPY));
        let version = machine.ok("sage version").stdout;
        assert!(version.contains(env!("CARGO_PKG_VERSION")), "{version}");
        let before = "{\"model\": \"opus\"}";
        let settings = machine.home.file(".claude/settings.json", before);
        let line = format!("{} --yes {}", shown(INSTALL), machine.server());
        let installed = machine.ok(&line);
        // In the home, the settings of the project are those of the person, and no second ones.
        assert!(!installed.stderr.contains("twice"), "{}", installed.stderr);
        assert_eq!(installed.stderr.contains("SAGE_TOKEN"), token.is_some());

        let told = Told {
            settings: machine.read(".claude/settings.json"),
            server: machine.read(".claude.json")["mcpServers"]["sage"].clone(),
        };
        // Only this machine sees that two clones are one project, wherever in them somebody is.
        let remote = "example.org/acme/shop";
        let dir = machine.clone_of(remote, "shop").join("src");
        fs::create_dir(&dir).unwrap();
        let again = machine.clone_of(remote, "again");
        let elsewhere = machine.clone_of("example.org/acme/bakery", "bakery");
        remembers(&machine, &told, remote, [&dir, &again, &elsewhere]);

        machine.ok("sage uninstall claude-code --yes");
        assert_eq!(fs::read_to_string(settings).unwrap(), before);
        let home = machine.home.path();
        assert_eq!(fs::read_dir(home.join(".claude")).unwrap().count(), 1);
        assert!(!home.join(".claude.json").exists());
    }
}

#[test]
fn with_nothing_outside_the_container() {
    let Some(engine) = Engine::handed_over("containers::set_up") else {
        return;
    };
    for token in TOKENS {
        let machine = Machine::start(engine, token);
        let line = format!("{} {}", shown(PRINT), machine.server());
        let printed = machine.ok(&line).stdout;
        assert_eq!(printed.contains("SAGE_TOKEN set"), token.is_some());
        for better in [COPY, INSTALL] {
            assert!(printed.contains(&format!("\n#   {better}\n")), "{printed}");
        }
        let (settings, rest) = printed.split_once("# Then run this:\n").unwrap();
        let (_, settings) = settings.split_once('\n').unwrap();
        let (command, _) = rest.split_once('\n').unwrap();

        // Instead of the client, one that notes what it is told.
        let client = "#!/bin/sh\n[ \"$1 $2 $3 $4 $5\" = 'mcp add-json --scope user sage' ] || exit 1\n\
                      printf %s \"$6\" > ~/server.json\n";
        let client = machine.home.file("bin/claude", client);
        fs::set_permissions(client, fs::Permissions::from_mode(0o755)).unwrap();
        machine.ok(command);
        let told = Told {
            settings: serde_json::from_str(settings).unwrap(),
            server: machine.read("server.json"),
        };
        let [dir, elsewhere] = ["shop", "bakery"].map(|name| machine.home.project(name));
        let project = dir.canonicalize().unwrap();
        let project = project.to_str().unwrap();
        remembers(&machine, &told, project, [&dir, &dir, &elsewhere]);
    }
}
