//! How the shipped executable is linked: it has to run where there is nothing but itself, and a
//! fault in it should find as little to work with as possible.

use std::path::PathBuf;

use crate::harness::elf::{
    DF_BIND_NOW, DT_BIND_NOW, DT_FLAGS, DT_NEEDED, ET_DYN, Elf, PF_W, PF_X, PT_GNU_RELRO,
    PT_GNU_STACK, PT_INTERP, PT_LOAD,
};
use crate::harness::{shipped, skipped};

fn sage(test: &str) -> Option<PathBuf> {
    shipped("sage")
        .inspect_err(|why| skipped(&format!("ship::executable::{test}"), why))
        .ok()
}

#[test]
fn it_needs_nothing_and_may_lie_anywhere() {
    let Some(path) = sage("it_needs_nothing_and_may_lie_anywhere") else {
        return;
    };
    let elf = Elf::read(&path);
    // A static executable that asks for no interpreter and still moves itself: a static-pie.
    assert_eq!(elf.kind, ET_DYN, "its addresses can be guessed");
    assert!(elf.segment(PT_INTERP).is_none(), "an image has no loader");
    assert_eq!(elf.entry(DT_NEEDED), None, "an image has no libraries");
    assert!(!elf.has_symbols(), "strip it");
}

#[test]
fn nothing_can_be_written_and_run() {
    let Some(path) = sage("nothing_can_be_written_and_run") else {
        return;
    };
    let elf = Elf::read(&path);
    let stack = elf.segment(PT_GNU_STACK).expect("a word about the stack");
    assert_eq!(stack.flags & PF_X, 0, "the stack can be run");
    for segment in elf.segments.iter().filter(|one| one.kind == PT_LOAD) {
        assert_ne!(segment.flags & (PF_W | PF_X), PF_W | PF_X, "{segment:?}");
    }
    assert!(elf.segment(PT_GNU_RELRO).is_some(), "addresses stay open");
    let is_bound = elf.entry(DT_BIND_NOW).is_some()
        || elf
            .entry(DT_FLAGS)
            .is_some_and(|flags| flags & DF_BIND_NOW != 0);
    assert!(is_bound, "addresses stay open until they are used");
}

#[test]
fn it_does_not_tell_where_it_was_built() {
    let Some(path) = sage("it_does_not_tell_where_it_was_built") else {
        return;
    };
    let bytes = std::fs::read(path).unwrap();
    let home = std::env::var("CARGO_HOME").or_else(|_| std::env::var("HOME"));
    // What is short may stand there for another reason.
    let places = [env!("CARGO_MANIFEST_DIR").to_owned(), home.unwrap()];
    for place in places.iter().filter(|place| place.len() > 6) {
        let is_there = bytes
            .windows(place.len())
            .any(|window| window == place.as_bytes());
        assert!(!is_there, "{place} stands in it");
    }
    let marks = [b"/crates/tokio-".as_slice(), b"/crates/hyper-"];
    let is_marked = marks
        .iter()
        .any(|mark| bytes.windows(mark.len()).any(|window| window == *mark));
    assert!(is_marked, "paths of crates were renamed, so some are there");
}
