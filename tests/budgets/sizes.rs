//! What lies on the disk: executables, image, crates.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use super::figures::{Reading, absent};
use super::subjects::{cargo, host, subjects};
use crate::harness::{Engine, shipped};

fn bytes(path: &Path) -> f64 {
    std::fs::metadata(path).unwrap().len() as f64
}

/// An executable without the table of words in it, which has a budget in the image's.
fn without_table(path: &Path) -> f64 {
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/models/builtin/table.bin");
    bytes(path) - bytes(&table)
}

pub fn host_executable() -> Vec<Reading> {
    vec![Reading::value("sage-host", without_table(host()), "")]
}

pub fn executables() -> Vec<Reading> {
    let of = |name: &'static str, size: fn(&Path) -> f64| match shipped(name) {
        Ok(path) => Reading::value(name, size(&path), ""),
        Err(why) => Reading::missing(name, why),
    };
    vec![of("sage", without_table), of("healthcheck", bytes)]
}

/// Of the image in the engine that was handed over; nobody's own engine is asked.
pub fn image() -> Vec<Reading> {
    if std::env::var_os("SAGE_TEST_ENGINE").is_none() {
        let why = "no container engine was handed over in SAGE_TEST_ENGINE";
        return ["image", "image-layers"]
            .map(|name| Reading::missing(name, why))
            .into();
    }
    let Some(engine) = Engine::handed_over("budgets: image") else {
        return Vec::new();
    };
    let told = engine.inspect(engine.image());
    let layers = told["RootFS"]["Layers"].as_array().unwrap().len();
    let layers = u32::try_from(layers).unwrap();
    let size = told["Size"].as_f64().unwrap();
    let note = format!("{:.2} MB compressed", compressed(engine) / 1e6);
    vec![
        Reading::value("image", size, note),
        Reading::value("image-layers", f64::from(layers), ""),
    ]
}

/// What a pull would transfer, about: the whole archive of the image, compressed.
fn compressed(engine: Engine) -> f64 {
    let mut save = engine
        .command(&["save", engine.image()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let archive = save.stdout.take().unwrap();
    let packed = Command::new("gzip").arg("-9").stdin(archive).output();
    assert!(save.wait().unwrap().success(), "docker save");
    let length = packed.unwrap().stdout.len();
    f64::from(u32::try_from(length).unwrap())
}

pub fn crates() -> Vec<Reading> {
    let count = u32::try_from(release_tree().len()).unwrap();
    vec![Reading::value("crates", f64::from(count), "")]
}

/// The crates that are compiled into what is shipped or for it, each as `name vVERSION`.
fn release_tree() -> BTreeSet<String> {
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let mut tree = cargo(["tree", "--locked", "--edges", "normal", "--prefix", "none"]);
    let output = tree.args(["--target", &target]).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let lines = String::from_utf8(output.stdout).unwrap();
    // What follows name and version differs between the places of one crate.
    let crates = lines.lines().map(|line| {
        let words: Vec<_> = line.split(' ').take(2).collect();
        words.join(" ")
    });
    crates.collect()
}

#[test]
fn nothing_unwanted_is_in_the_tree() {
    let tree = release_tree();
    let holds = |name: &str| {
        tree.iter()
            .any(|line| line.starts_with(&format!("{name} v")))
    };
    assert!(holds("mimalloc"), "the tree was misread: {tree:?}");
    for thing in absent() {
        for name in &thing.crates {
            assert!(!holds(name), "{name} is {}: {}", thing.what, thing.why);
        }
    }
}

#[test]
fn nothing_unwanted_is_in_the_executables() {
    for subject in subjects("marks") {
        let bytes = std::fs::read(&subject.sage).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        let name = subject.name;
        assert!(
            text.contains("mimalloc"),
            "{name}: no mark of its allocator"
        );
        for thing in absent() {
            for mark in &thing.marks {
                let found = text.contains(mark.as_str());
                assert!(!found, "{name}: {mark:?} is {}: {}", thing.what, thing.why);
            }
        }
    }
}
