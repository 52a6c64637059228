//! The allocator, and how it gives memory back.

use std::ffi::{c_int, c_long};

// Cargo.toml gives it `no_thp`: huge pages would make an idle process 3.8 MB larger.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

// SAFETY: declared as in mimalloc.h, and any thread may call it at any time.
#[allow(unsafe_code, reason = "the only way to ask the allocator for it")]
unsafe extern "C" {
    safe fn mi_collect(force: bool);
    safe fn mi_option_set(option: c_int, value: c_long);
}

/// `mi_option_purge_delay` of mimalloc.h: for how many milliseconds what is free is kept.
const PURGE_DELAY: c_int = 15;

/// Its own second is so long that a server under load holds what every one of its threads needed
/// within that second: 57 MB and not 47, at the same speed. With 10 ms it is 40 MB, and a fifth
/// slower.
const PURGE_DELAY_MS: c_long = 100;

/// To be called before there are threads.
pub(crate) fn set_up() {
    mi_option_set(PURGE_DELAY, PURGE_DELAY_MS);
}

/// Gives what is free back to the system, which takes milliseconds. The allocator does so by itself
/// only while it is called: what is free when work ends would be kept for good.
pub(crate) fn give_back() {
    mi_collect(true);
}

#[cfg(test)]
mod tests {
    use super::*;

    // SAFETY: as above.
    #[allow(unsafe_code, reason = "as above")]
    unsafe extern "C" {
        safe fn mi_option_get(option: c_int) -> c_long;
    }

    #[test]
    fn the_option_is_the_one_that_is_meant() {
        // Another version of the allocator may count differently; only this one is a second.
        assert_eq!(mi_option_get(PURGE_DELAY), 1_000);
        set_up();
        assert_eq!(mi_option_get(PURGE_DELAY), PURGE_DELAY_MS);
    }
}
