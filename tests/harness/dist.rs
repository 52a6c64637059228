//! What is shipped, made by `tools/dist`.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The shipped executable of that name, or why there is none to test: `tools/dist` makes them, in a
/// folder that `SAGE_TEST_DIST` may name.
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

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
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
