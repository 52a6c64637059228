//! A container engine, handed over for tests.
//!
//! Only one that `SAGE_TEST_ENGINE` names (a `DOCKER_HOST`) is ever used: the tests take down a
//! container called `sage`, and somebody's own may be running under that name.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use serde_json::Value;

use super::{Ask, Connection, Finished, PATIENCE, Reply, eventually, finish, skipped};

/// The engine, and the image of the committed sources in it.
#[derive(Clone, Copy)]
pub struct Engine {
    /// Its `DOCKER_HOST`.
    pub host: &'static str,
}

static NUMBER: AtomicU32 = AtomicU32::new(0);

impl Engine {
    /// The engine, if one was handed over; if not, says that `test` was skipped.
    pub fn handed_over(test: &str) -> Option<Self> {
        static HOST: OnceLock<Option<String>> = OnceLock::new();
        let host = HOST.get_or_init(|| std::env::var("SAGE_TEST_ENGINE").ok());
        if host.is_none() {
            skipped(
                test,
                "no container engine was handed over; set SAGE_TEST_ENGINE to the DOCKER_HOST of \
                 one whose containers may be removed",
            );
        }
        host.as_deref().map(|host| Self { host })
    }

    /// `docker ARGS` against the engine, in the root of the repository.
    pub fn command(self, args: &[&str]) -> Command {
        self.program("docker", args)
    }

    /// Any program that asks `DOCKER_HOST` where the engine is.
    pub fn program(self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("DOCKER_HOST", self.host)
            .env("DOCKER_BUILDKIT", "1")
            .env("COMPOSE_DOCKER_CLI_BUILD", "1")
            .stdin(Stdio::null());
        command
    }

    /// Runs `docker ARGS` to its end.
    pub fn run(self, args: &[&str]) -> Finished {
        finish(&mut self.command(args))
    }

    /// Runs it and insists on exit code 0; returns what it printed, without the last line break.
    #[track_caller]
    pub fn ok(self, args: &[&str]) -> String {
        let finished = self.run(args);
        assert_eq!(finished.code, 0, "docker {args:?}: {}", finished.stderr);
        finished.stdout.trim_end().to_owned()
    }

    /// What the engine knows of a container or an image.
    #[track_caller]
    pub fn inspect(self, name: &str) -> Value {
        let text = self.ok(&["inspect", name]);
        let value: Value = serde_json::from_str(&text).unwrap();
        value[0].clone()
    }

    /// The image, built once from the executables in `dist/`, as `sage:latest`.
    #[track_caller]
    pub fn image(self) -> &'static str {
        const NAME: &str = "sage:latest";
        static BUILT: OnceLock<()> = OnceLock::new();
        BUILT.get_or_init(|| {
            self.ok(&[
                "build",
                "--file=Dockerfile.scratch",
                "--build-arg=BINARIES=dist",
                "--build-arg=REVISION=0000000000000000000000000000000000000000",
                "--build-arg=CREATED=2026-01-02T03:04:05Z",
                "--tag",
                NAME,
                ".",
            ]);
        });
        NAME
    }

    /// One test at a time may use the name that compose.yml gives its container.
    pub fn alone(self) -> MutexGuard<'static, ()> {
        static ONE: Mutex<()> = Mutex::new(());
        ONE.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A name that no other test uses.
    pub fn name(self) -> String {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        format!("sage-test-{}-{number}", std::process::id())
    }
}

/// A container with a volume at `/data`; both are removed when it is dropped.
pub struct Container {
    pub engine: Engine,
    pub name: String,
}

impl Container {
    /// Starts the image as compose.embedded.yml does: read-only, without capabilities, limited.
    #[track_caller]
    pub fn start(engine: Engine) -> Self {
        Self::named(engine, engine.name(), &[])
    }

    /// The same under this name and with these settings. For the name that the compose files give
    /// it, take [`Engine::alone`] first.
    #[track_caller]
    pub fn named(engine: Engine, name: String, settings: &[String]) -> Self {
        let image = engine.image();
        let data = format!("{name}:/data");
        #[rustfmt::skip]
        let mut args = vec![
            "run", "--detach", "--name", &name, "--volume", &data, "--publish", "127.0.0.1::17800",
            "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges:true",
            "--memory", "256m", "--memory-swap", "256m", "--pids-limit", "256",
            "--env", "SAGE_ALLOW_INSECURE_BIND=1", "--health-interval", "1s",
        ];
        let settings = settings.iter().map(String::as_str);
        args.extend(settings.flat_map(|setting| ["--env", setting]));
        args.push(image);
        engine.ok(&args);
        Self { engine, name }
    }

    /// Waits until the engine itself says that it is healthy.
    #[track_caller]
    pub fn healthy(&self) {
        eventually("a healthy container", || {
            std::thread::sleep(std::time::Duration::from_millis(50));
            let state = self.engine.inspect(&self.name)["State"].clone();
            assert_eq!(state["Running"], true, "it ended: {}", self.logs());
            (state["Health"]["Status"] == "healthy").then_some(())
        });
    }

    /// Sends a request to the published port.
    #[track_caller]
    pub fn ask(&self, request: &Ask) -> Reply {
        let mut connection = Connection::tcp(&self.address());
        connection.send(&request.bytes());
        connection.reply()
    }

    /// Where its port is published, as `HOST:PORT`.
    #[track_caller]
    pub fn address(&self) -> String {
        self.engine.ok(&["port", &self.name, "17800"])
    }

    /// `docker exec -i … NAME /sage ARGS`, as Claude Code is told to start it.
    pub fn sage(&self, variables: &[&str], args: &[&str]) -> Command {
        let mut all = vec!["exec", "-i"];
        for variable in variables {
            all.extend(["-e", variable]);
        }
        all.extend([self.name.as_str(), "/sage"]);
        all.extend(args);
        self.engine.command(&all)
    }

    /// The command lines of its processes.
    pub fn processes(&self) -> Vec<String> {
        let table = self.engine.ok(&["top", &self.name, "-eo", "pid,args"]);
        let lines = table.lines().skip(1);
        lines
            .filter_map(|line| line.trim().split_once(' '))
            .map(|(_, args)| args.trim().to_owned())
            .collect()
    }

    /// What it wrote to stdout and stderr.
    pub fn logs(&self) -> String {
        let finished = self.engine.run(&["logs", &self.name]);
        finished.stdout + &finished.stderr
    }

    /// Ends it as `docker stop` does, and returns its exit code.
    #[track_caller]
    pub fn stop(&self) -> i64 {
        let seconds = PATIENCE.as_secs().to_string();
        self.engine.ok(&["stop", "--time", &seconds, &self.name]);
        let state = &self.engine.inspect(&self.name)["State"];
        state["ExitCode"].as_i64().unwrap()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.engine.run(&["rm", "--force", &self.name]);
        self.engine.run(&["volume", "rm", "--force", &self.name]);
    }
}
