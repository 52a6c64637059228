//! The compose files, up and down.

use std::net::TcpListener;
use std::sync::MutexGuard;

use serde_json::json;

use crate::harness::{
    Ask, Client, Connection, Engine, Era, Finished, Home, Reply, eventually, finish, for_compose_1,
    skipped,
};

/// What `tests/containers/postgres/make-image` makes.
const POSTGRES: &str = "sage-test-postgres:18";

/// A compose file that is up; taken down with its volumes when it is dropped.
struct Stack {
    engine: Engine,
    project: String,
    file: String,
    port: u16,
    is_first: bool,
    _home: Home,
    _alone: MutexGuard<'static, ()>,
}

impl Stack {
    /// Prepares a file of the repository; nothing runs yet.
    fn of(engine: Engine, file: &str) -> Self {
        engine.image();
        let alone = engine.alone();
        let home = Home::new();
        // Compose 1 is what Debian 12 has; it reads a reduced copy.
        let is_first = finish(&mut engine.program("docker", &["compose", "version"])).code != 0;
        let repository = env!("CARGO_MANIFEST_DIR");
        let original = format!("{repository}/{file}");
        let file = if is_first {
            let text = std::fs::read_to_string(&original).unwrap();
            let copy = home.file(file, for_compose_1(&text));
            copy.to_str().unwrap().to_owned()
        } else {
            original
        };
        Self {
            engine,
            project: engine.name(),
            file,
            port: free_port(),
            is_first,
            _home: home,
            _alone: alone,
        }
    }

    fn run(&self, args: &[&str]) -> Finished {
        let (program, first) = match self.is_first {
            true => ("docker-compose", None),
            false => ("docker", Some("compose")),
        };
        let repository = env!("CARGO_MANIFEST_DIR");
        let mut all: Vec<&str> = first.into_iter().collect();
        all.extend(["-p", &self.project, "-f", &self.file]);
        all.extend(["--project-directory", repository]);
        all.extend(args);
        let mut command = self.engine.program(program, &all);
        command
            .env("SAGE_POSTGRES_IMAGE", POSTGRES)
            .env("SAGE_PORT", self.port.to_string());
        finish(&mut command)
    }

    #[track_caller]
    fn ok(&self, args: &[&str]) {
        let finished = self.run(args);
        assert_eq!(finished.code, 0, "compose {args:?}: {}", finished.stderr);
    }

    /// One request to the published port; nothing if nobody answers.
    fn ask(&self, request: &Ask) -> Option<Reply> {
        let at = format!("127.0.0.1:{}", self.port);
        // A port of a container that is not up refuses, or is closed at once by the engine's proxy.
        std::net::TcpStream::connect(&at).ok()?;
        let mut connection = Connection::tcp(&at);
        if !connection.try_send(&request.bytes()) {
            return None;
        }
        connection.try_reply()
    }

    fn wait_for(&self, what: &str, status: u16) {
        eventually(what, || {
            let reply = self.ask(&Ask::get("/health"))?;
            (reply.status == status).then_some(())
        });
    }

    fn remember(&self, content: &str) {
        let reply = self.ask(&Ask::tool("remember", json!({"content": content})));
        let text = crate::harness::text_of_tool(&reply.unwrap());
        assert!(text.contains("project: acme/shop"), "{text}");
    }

    #[track_caller]
    fn recalls(&self, query: &str, content: &str) {
        let reply = self.ask(&Ask::tool("search_memory", json!({"query": query})));
        let text = crate::harness::text_of_tool(&reply.unwrap());
        assert!(text.contains(content), "{text}");
    }

    fn logs(&self) -> String {
        let finished = self.run(&["logs", "--no-color"]);
        finished.stdout + &finished.stderr
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if std::thread::panicking() {
            crate::harness::tell(&self.logs());
        }
        self.run(&["down", "--volumes", "--timeout", "10"]);
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn with_postgres(test: &str) -> Option<Stack> {
    let engine = Engine::handed_over(test)?;
    if engine.run(&["image", "inspect", POSTGRES]).code != 0 {
        skipped(
            test,
            "there is no image of PostgreSQL; tests/containers/postgres/make-image makes it",
        );
        return None;
    }
    Some(Stack::of(engine, "compose.yml"))
}

#[test]
fn the_whole_stack_keeps_what_it_was_told() {
    let Some(stack) = with_postgres("containers::compose") else {
        return;
    };
    stack.ok(&["up", "--detach"]);
    stack.wait_for("the stack to answer", 200);
    let health = stack.ask(&Ask::get("/health")).unwrap().json();
    let store = health["store"].as_str().unwrap();
    assert!(store.starts_with("postgres "), "{store}");
    stack.remember("The walrus answers at noon");

    // A session by the name that the file promises.
    let session = [
        "exec",
        "-i",
        "-e",
        "CLAUDE_PROJECT_DIR=/home/me/shop",
        "sage",
    ];
    let mut command = stack.engine.command(&session);
    command.args(["/sage", "mcp"]);
    let mut client = Client::start(command, Era::Modern);
    client.tool("remember", json!({"content": "The seal answers at one"}));
    let other = client.tool("search_memory", json!({"query": "walrus"}));
    assert!(!other.contains("noon"), "another project's: {other}");
    client.end();

    stack.ok(&["restart"]);
    stack.wait_for("the stack after a restart", 200);
    stack.recalls("walrus", "The walrus answers at noon");

    stack.ok(&["down"]);
    stack.ok(&["up", "--detach"]);
    stack.wait_for("the stack after down and up", 200);
    stack.recalls("walrus", "The walrus answers at noon");
    let healthy = || stack.engine.inspect("sage")["State"]["Health"]["Status"] == "healthy";
    eventually("the engine to call it healthy", || {
        std::thread::sleep(std::time::Duration::from_millis(50));
        healthy().then_some(())
    });
}

#[test]
fn it_outlives_its_database() {
    let Some(stack) = with_postgres("containers::compose") else {
        return;
    };
    // Sage first: there is no database yet, then one that is only temporary, then the real one.
    stack.ok(&["up", "--detach", "--no-deps", "sage"]);
    stack.wait_for("an answer without a database", 503);
    stack.ok(&["up", "--detach", "--no-deps", "postgres"]);
    stack.wait_for("the database to be found", 200);
    stack.remember("The walrus answers at noon");

    stack.ok(&["stop", "postgres"]);
    stack.wait_for("the loss to be noticed", 503);
    stack.ok(&["start", "postgres"]);
    stack.wait_for("the database to be found again", 200);
    stack.recalls("walrus", "The walrus answers at noon");
    let restarts = &stack.engine.inspect("sage")["RestartCount"];
    assert_eq!(restarts, 0, "{}", stack.logs());
}

#[test]
fn the_embedded_store_needs_one_container() {
    let Some(engine) = Engine::handed_over("containers::compose") else {
        return;
    };
    let stack = Stack::of(engine, "compose.embedded.yml");
    stack.ok(&["up", "--detach"]);
    stack.wait_for("Sage to answer", 200);
    stack.remember("The walrus answers at noon");
    stack.ok(&["down"]);
    stack.ok(&["up", "--detach"]);
    stack.wait_for("Sage after down and up", 200);
    stack.recalls("walrus", "The walrus answers at noon");

    let container = engine.inspect("sage");
    let host = &container["HostConfig"];
    assert_eq!(host["ReadonlyRootfs"], true);
    assert_eq!(host["CapDrop"], json!(["ALL"]));
    assert_eq!(host["SecurityOpt"], json!(["no-new-privileges:true"]));
    assert_eq!(host["Memory"], 256 << 20);
    assert_eq!(host["PidsLimit"], 256);
    let ports = &host["PortBindings"]["17800/tcp"];
    assert_eq!(ports.as_array().unwrap().len(), 1);
    assert_eq!(ports[0]["HostIp"], "127.0.0.1");
}
