//! Tells the linker what cannot be said in a profile. The flags suit GNU ld and lld, behind gcc or
//! clang or called as they are.

use std::env::var;

fn main() {
    println!("cargo:rerun-if-changed=link.ld");
    let folder = var("CARGO_MANIFEST_DIR").unwrap_or_default();
    // A compiler hands on what is marked for the linker; Rust's own is called without one.
    let is_bare = var("RUSTC_LINKER").is_ok_and(|linker| linker.ends_with("rust-lld"));
    let mark = if is_bare { "" } else { "-Wl," };
    for flag in [
        // The program has an entry of its own and calls no library.
        "-nostdlib",
        // Nobody loads it but the kernel, and nothing in it has an address to adjust.
        "-static",
        "-no-pie",
        // The layout of the file.
        &format!("{mark}-T{folder}/link.ld"),
        &format!("{mark}--gc-sections"),
        &format!("{mark}-znoexecstack"),
        // A build id is a note, which would be all there is to load beside the code.
        &format!("{mark}--build-id=none"),
    ] {
        println!("cargo:rustc-link-arg-bins={flag}");
    }
}
