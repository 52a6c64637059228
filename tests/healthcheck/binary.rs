//! How the probe is built: it has to run where there is nothing but itself.

use std::path::Path;

use super::{build, probe};
use crate::harness::Home;
use crate::harness::elf::{
    DT_NEEDED, ET_EXEC, Elf, PF_W, PF_X, PT_DYNAMIC, PT_GNU_STACK, PT_INTERP, PT_LOAD,
};

/// Bytes of the file.
const SIZE_MAX: u64 = 4_096;

#[test]
fn it_is_small() {
    let size = probe().metadata().unwrap().len();
    assert!(size <= SIZE_MAX, "{size} bytes");
}

#[test]
fn it_needs_nothing_and_can_change_nothing() {
    let elf = Elf::read(probe());
    assert_eq!(elf.kind, ET_EXEC);
    for kind in [PT_INTERP, PT_DYNAMIC] {
        assert!(elf.segment(kind).is_none(), "{elf:?}");
    }
    assert_eq!(elf.entry(DT_NEEDED), None);
    let stack = elf.segment(PT_GNU_STACK).expect("one that says it");
    assert_eq!(stack.flags & PF_X, 0, "code on the stack: {elf:?}");
    let loaded = elf
        .segments
        .iter()
        .filter(|segment| segment.kind == PT_LOAD);
    let flags: Vec<_> = loaded.map(|segment| segment.flags).collect();
    assert_eq!(flags.len(), 1, "{elf:?}");
    assert_eq!(flags[0] & PF_W, 0, "{elf:?}");
    assert!(!elf.has_symbols(), "{elf:?}");
}

#[test]
fn it_is_the_same_from_every_folder() {
    let home = Home::new();
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("healthcheck");
    for file in walk(&package) {
        let name = file.strip_prefix(&package).unwrap();
        let copy = Path::new("elsewhere/healthcheck").join(name);
        home.file(copy.to_str().unwrap(), std::fs::read(&file).unwrap());
    }
    let other = build(&home.path().join("elsewhere"), &home.path().join("target"));
    let same = std::fs::read(other).unwrap() == std::fs::read(probe()).unwrap();
    assert!(same, "the file depends on the folder it was built in");
}

/// The files of a folder, but not what was built in it.
fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    let entries = entries.filter(|entry| entry.file_name() != "target");
    entries
        .flat_map(|entry| match entry.file_type().unwrap().is_dir() {
            true => walk(&entry.path()),
            false => vec![entry.path()],
        })
        .collect()
}
