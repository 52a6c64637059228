//! The executables that are measured: those that are shipped, and what `cargo build --release` makes.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::harness::{shipped, skipped, tell};

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

pub fn host_subject() -> Subject {
    let name = "host's release";
    let sage = host().to_owned();
    Subject { name, sage }
}

fn shipped_subject(sage: PathBuf) -> Subject {
    let name = "shipped";
    Subject { name, sage }
}
