//! The probe of the image, built as it is shipped and run as the container engine runs it.

mod answers;
mod binary;
mod settings;

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::{Finished, executable, finish, finish_soon};

/// What the probe promises is under a second; a loaded machine may add as much.
const PROBE_SECONDS_MAX: Duration = Duration::from_secs(2);

/// The probe, built by the first test that asks for it.
fn probe() -> &'static Path {
    static PROBE: OnceLock<PathBuf> = OnceLock::new();
    PROBE.get_or_init(|| {
        let target = executable().ancestors().nth(2).unwrap();
        build(Path::new(env!("CARGO_MANIFEST_DIR")), target)
    })
}

/// Builds the probe of a copy of the repository into a folder of that target folder.
#[track_caller]
fn build(repository: &Path, target: &Path) -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--release", "--locked", "--message-format=json"])
        .arg("--manifest-path")
        .arg(repository.join("healthcheck/Cargo.toml"))
        .arg("--target-dir")
        .arg(target.join("healthcheck"))
        // Flags for a build of Sage (of coverage, say) are not meant for the probe.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    let built = finish(&mut cargo);
    assert_eq!(built.code, 0, "{}", built.stderr);
    let message = |line: &str| serde_json::from_str::<Value>(line).unwrap();
    let path = built
        .stdout
        .lines()
        .find_map(|line| message(line)["executable"].as_str().map(PathBuf::from));
    path.expect("cargo names the executable")
}

/// Runs the probe with nothing in its environment but these; it must keep its promises.
#[track_caller]
fn run<V: AsRef<OsStr>>(variables: &[(&str, V)]) -> Finished {
    let mut command = Command::new(probe());
    command.env_clear();
    for (name, value) in variables {
        command.env(name, value);
    }
    let start = Instant::now();
    let finished = finish_soon(&mut command);
    let took = start.elapsed();
    assert!(took < PROBE_SECONDS_MAX, "{took:?}: {finished:?}");
    assert_eq!(finished.stdout, "");
    match finished.code {
        0 => assert_eq!(finished.stderr, ""),
        code => {
            assert_eq!(code, 1, "{finished:?}");
            let line = finished.stderr.strip_suffix('\n').unwrap();
            assert!(line.starts_with("healthcheck: "), "{line}");
            assert!(!line.contains('\n'), "{line}");
        }
    }
    finished
}

/// Probes a port, and finds the server healthy.
#[track_caller]
fn is_healthy(port: u16) {
    let finished = run(&[("SAGE_PORT", port.to_string())]);
    assert_eq!(finished.code, 0, "{finished:?}");
}

/// Probes a port, and finds it not healthy for a reason in which these words are.
#[track_caller]
fn is_unhealthy(port: u16, words: &[&str]) {
    has_reason(&run(&[("SAGE_PORT", port.to_string())]), words);
}

#[track_caller]
fn has_reason(finished: &Finished, words: &[&str]) {
    assert_eq!(finished.code, 1, "{finished:?}");
    for word in words {
        assert!(finished.stderr.contains(word), "{word} in {finished:?}");
    }
}

/// Listens, and treats the first caller like this.
fn listen<T: Send + 'static>(
    treat: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (u16, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let treated = std::thread::spawn(move || treat(listener.accept().unwrap().0));
    (port, treated)
}

/// Reads a request to the empty line that ends it.
fn request(stream: &TcpStream) -> Vec<String> {
    let lines = BufReader::new(stream).lines().map(Result::unwrap);
    lines.take_while(|line| !line.is_empty()).collect()
}

/// Waits until the other side is gone.
fn wait_for_the_end(mut stream: TcpStream) {
    // A reset is an end as well.
    let _ = stream.read_to_end(&mut Vec::new());
}
