//! The executables that are measured: those that are shipped, and what `cargo build --release` makes.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

use crate::harness::{skipped, tell};

/// An executable to measure.
pub struct Subject {
    /// What it is called in reports.
    pub name: &'static str,
    pub sage: PathBuf,
}

/// The repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The shipped executable of that name, or why there is none to measure: `tools/dist` makes them,
/// in a folder that `SAGE_TEST_DIST` may name.
pub fn shipped(name: &str) -> Result<PathBuf, String> {
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => return Err(format!("nothing is shipped for {other}")),
    };
    let named = std::env::var_os("SAGE_TEST_DIST").map(PathBuf::from);
    let dir = named.unwrap_or_else(|| root().join("dist").join(arch));
    match name {
        "sage" => fresh(&dir, name, &["src", "Cargo.toml", "Cargo.lock", ".cargo"]),
        _ => fresh(&dir, name, &[name]),
    }
}

/// An executable that is not older than its sources.
fn fresh(dir: &Path, name: &str, sources: &[&str]) -> Result<PathBuf, String> {
    let path = dir.join(name);
    let made = std::fs::metadata(&path).and_then(|file| file.modified());
    let Ok(made) = made else {
        return Err(format!("no {name} in {}: run tools/dist", dir.display()));
    };
    let changed = sources.iter().filter_map(|name| newest(&root().join(name)));
    match changed.max() > Some(made) {
        true => Err(format!("{name} is older than its sources: run tools/dist")),
        false => Ok(path),
    }
}

/// When something at or below the path was last changed.
fn newest(path: &Path) -> Option<SystemTime> {
    if path.is_dir() {
        let entries = std::fs::read_dir(path).unwrap();
        let times = entries.map(|entry| newest(&entry.unwrap().path()));
        return times.max().flatten();
    }
    path.metadata().ok()?.modified().ok()
}

/// The host's release executable, built once, where cargo builds the tests too.
pub fn host() -> &'static Path {
    static HOST: OnceLock<PathBuf> = OnceLock::new();
    HOST.get_or_init(|| {
        // TARGET/PROFILE/deps/tests-HASH
        let tests = std::env::current_exe().unwrap();
        let target = tests.ancestors().nth(3).unwrap();
        let sage = target.join("release/sage");
        if !sage.exists() {
            tell("budgets: building the release executable; it takes a minute or two, once");
        }
        let built = cargo(["build", "--release", "--locked", "--bin", "sage"])
            .arg("--target-dir")
            .arg(target)
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&built.stderr);
        assert!(built.status.success(), "{stderr}");
        sage
    })
}

/// `cargo ARGS` in the repository.
pub fn cargo<const N: usize>(args: [&str; N]) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(args).current_dir(root());
    command
}

/// Everything that is to be measured here; says what is not.
pub fn subjects(test: &str) -> Vec<Subject> {
    let mut subjects = vec![host_subject()];
    match shipped("sage") {
        Ok(sage) => subjects.push(shipped_subject(sage)),
        Err(why) => skipped(&format!("budgets: {test} of what is shipped"), &why),
    }
    subjects
}

/// What the table shows: what is shipped, else what the host has.
pub fn best_subject() -> Subject {
    shipped("sage").map_or_else(|_| host_subject(), shipped_subject)
}

fn host_subject() -> Subject {
    let name = "host's release";
    let sage = host().to_owned();
    Subject { name, sage }
}

fn shipped_subject(sage: PathBuf) -> Subject {
    let name = "shipped";
    Subject { name, sage }
}
