//! The allocator, and how it gives memory back.

// Cargo.toml gives it `no_thp`: huge pages would make an idle process 3.8 MB larger.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

// SAFETY: declared as in mimalloc.h, and any thread may call it at any time.
#[allow(unsafe_code, reason = "the only way to ask the allocator for it")]
unsafe extern "C" {
    safe fn mi_collect(force: bool);
}

/// Gives what is free back to the system, which takes milliseconds. The allocator does so by itself
/// only while it is called: what is free when work ends would be kept for good.
pub(crate) fn give_back() {
    mi_collect(true);
}
