//! Real PostgreSQL servers: one of each version that is installed, started when the first test asks
//! and gone with the tests' process, however that ends.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::skipped;

/// A running server.
pub struct Cluster {
    /// Its version: "15.14".
    pub version: String,
    /// The folder of its socket, and of its data.
    pub folder: PathBuf,
    bin: PathBuf,
    /// The server ends when this is closed, which the system does when the process ends.
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    watch: Child,
}

/// Starts a server and tells its folder; then stops and starts it as its stdin says, until nobody
/// holds that any more.
const WATCH: &str = r#"
    bin=$1 port=$2
    dir=$(mktemp -d "${TMPDIR:-/tmp}/sage-postgres-XXXXXX")
    end() { [ -z "$server" ] || { kill -INT "$server"; wait "$server"; }; rm -rf "$dir"; exit; }
    trap end EXIT
    "$bin/initdb" -D "$dir/data" -A trust -U sage -E UTF8 --no-locale --no-sync >"$dir/log" 2>&1 \
        || { cat "$dir/log" >&2; exit 1; }
    options="-c listen_addresses="
    if [ -n "$port" ]; then
        [ -n "$("$bin/postgres" -C ssl_library -D "$dir/data")" ] || { echo none; exit; }
        cd "$dir"
        {
            openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority \
                -keyout authority.key -out authority.pem
            openssl req -newkey rsa:2048 -nodes -subj /CN=localhost \
                -keyout server.key -out server.csr
            echo subjectAltName=DNS:localhost >names
            openssl x509 -req -in server.csr -CA authority.pem -CAkey authority.key \
                -CAcreateserial -days 2 -extfile names -out server.pem
        } >>"$dir/log" 2>&1 || { echo none; exit; }
        chmod 600 server.key
        printf 'local all all trust\nhostssl all all 127.0.0.1/32 trust\n' >data/pg_hba.conf
        options="-c listen_addresses=127.0.0.1 -p $port -c ssl=on
            -c ssl_cert_file=$dir/server.pem -c ssl_key_file=$dir/server.key"
    fi
    begin() {
        "$bin/postgres" -D "$dir/data" -k "$dir" $options -c fsync=off \
            -c max_connections=300 -c shared_buffers=64MB >>"$dir/log" 2>&1 </dev/null &
        server=$!
        until "$bin/psql" -h "$dir" -p "${port:-5432}" -U sage -d postgres -c '' >/dev/null 2>&1; do
            kill -0 "$server" || { cat "$dir/log" >&2; exit 1; }
            sleep 0.02
        done
        echo "$dir"
    }
    begin
    while read -r order; do
        case $order in
            start) begin ;;
            stop) kill -INT "$server"; wait "$server"; server=; echo stopped ;;
        esac
    done
"#;

/// Nobody: PostgreSQL refuses to be run by root.
const UNPRIVILEGED: &str = "65534";

impl Cluster {
    /// One of these programs, for TLS at this port, if one is named; nothing where it cannot.
    fn start(bin: &Path, port: Option<u16>) -> Option<Self> {
        let is_root = rustix::process::geteuid().is_root();
        let mut command = if is_root {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", UNPRIVILEGED, "--regid", UNPRIVILEGED]);
            command.args(["--clear-groups", "sh"]);
            command
        } else {
            Command::new("sh")
        };
        let mut watch = command
            .args(["-c", WATCH, "sh"])
            .arg(bin)
            .arg(port.map_or(String::new(), |port| port.to_string()))
            .current_dir("/")
            // Ctrl-C is for the tests; the server goes after them.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut folder = String::new();
        let mut told = BufReader::new(watch.stdout.take().unwrap());
        told.read_line(&mut folder).unwrap();
        assert!(!folder.is_empty(), "{} did not start", bin.display());
        if folder.trim() == "none" {
            watch.wait().unwrap();
            return None;
        }
        let version = Command::new(bin.join("postgres")).arg("-V").output();
        let version = String::from_utf8(version.unwrap().stdout).unwrap();
        Some(Self {
            version: version.split_whitespace().nth(2).unwrap().to_owned(),
            folder: PathBuf::from(folder.trim()),
            bin: bin.to_owned(),
            orders: watch.stdin.take(),
            answers: told,
            watch,
        })
    }

    /// A server of the same version for one test, to be stopped and started.
    pub fn another(&self) -> Self {
        Self::start(&self.bin, None).unwrap()
    }

    /// A server of the same version that speaks TLS as `localhost` at this port of 127.0.0.1, and
    /// nothing else there; `authority.pem` in its folder vouches for it. Nothing where the server
    /// has no TLS or there is no openssl to make certificates.
    pub fn with_tls(&self, port: u16) -> Option<Self> {
        Self::start(&self.bin, Some(port))
    }

    /// `stop` or `start`; returns when it is done.
    pub fn order(&mut self, order: &str) {
        writeln!(self.orders.as_ref().unwrap(), "{order}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        assert!(!answer.is_empty(), "the server did not {order}");
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
            .output()
            .unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{sql}: {complaint}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.orders.take());
        let _ = self.watch.wait();
    }
}

/// Every server, each version once.
pub fn clusters() -> &'static [Cluster] {
    static CLUSTERS: OnceLock<Vec<Cluster>> = OnceLock::new();
    CLUSTERS.get_or_init(|| {
        let bins = installations();
        let starting = bins.iter().map(|bin| {
            std::thread::spawn({
                let bin = bin.clone();
                move || Cluster::start(&bin, None).unwrap()
            })
        });
        let starting: Vec<_> = starting.collect();
        let started = starting.into_iter();
        started.map(|cluster| cluster.join().unwrap()).collect()
    })
}

/// Where Debian puts them, and what `SAGE_TEST_POSTGRES` names.
fn installations() -> Vec<PathBuf> {
    let debian = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let mut bins: Vec<PathBuf> = debian
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    let named = std::env::var_os("SAGE_TEST_POSTGRES").unwrap_or_default();
    bins.extend(std::env::split_paths(&named).filter(|path| path != Path::new("")));
    bins.retain(|bin| bin.join("initdb").is_file());
    bins.sort();
    bins.dedup();
    bins
}

/// An empty database of a server.
pub struct Database {
    pub cluster: &'static Cluster,
    pub name: String,
}

impl Database {
    pub fn new(cluster: &'static Cluster) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        cluster.sql("postgres", &format!("CREATE DATABASE {name}"));
        Self { cluster, name }
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

/// Runs a test on a database of each version; says so where there is none.
#[track_caller]
pub fn on_postgres(test: &str, body: impl Fn(Database)) {
    if clusters().is_empty() {
        return skipped(
            test,
            "no PostgreSQL is installed; SAGE_TEST_POSTGRES may name its bin folders",
        );
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
