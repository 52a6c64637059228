//! Tells the linker what cannot be said in a profile. The flags suit GNU ld and lld, behind gcc or
//! clang.

fn main() {
    println!("cargo:rerun-if-changed=link.ld");
    let folder = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    for flag in [
        // The program has an entry of its own and calls no library.
        "-nostdlib",
        // Nobody loads it but the kernel, and nothing in it has an address to adjust.
        "-static",
        "-no-pie",
        // The layout of the file.
        &format!("-Wl,-T,{folder}/link.ld"),
        "-Wl,--gc-sections",
        "-Wl,-z,noexecstack",
        // A build id is a note, which would be all there is to load beside the code.
        "-Wl,--build-id=none",
    ] {
        println!("cargo:rustc-link-arg-bins={flag}");
    }
}
