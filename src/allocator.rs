//! The allocator, and how it gives memory back.

use std::ffi::{c_int, c_long, c_void};
use std::ptr::null_mut;

use rusqlite::ffi::{SQLITE_CONFIG_MALLOC, SQLITE_OK, sqlite3_config, sqlite3_mem_methods};

// Cargo.toml gives it `no_thp`: huge pages would make an idle process 3.8 MB larger.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

// SAFETY: declared as in mimalloc.h, and any thread may call it at any time.
#[allow(unsafe_code, reason = "the only way to ask the allocator for it")]
unsafe extern "C" {
    safe fn mi_collect(force: bool);
    safe fn mi_option_set(option: c_int, value: c_long);
    safe fn mi_malloc(size: usize) -> *mut c_void;
    fn mi_realloc(block: *mut c_void, size: usize) -> *mut c_void;
    fn mi_free(block: *mut c_void);
    fn mi_usable_size(block: *const c_void) -> usize;
}

/// `mi_option_purge_delay` of mimalloc.h: for how many milliseconds what is free is kept.
const PURGE_DELAY: c_int = 15;

/// Its own second is so long that a server under load holds what every one of its threads needed
/// within that second: 57 MB and not 47, at the same speed. With 10 ms it is 40 MB, and a fifth
/// slower.
const PURGE_DELAY_MS: c_long = 100;

/// To be called before there are threads and databases.
pub(crate) fn set_up() {
    mi_option_set(PURGE_DELAY, PURGE_DELAY_MS);
    serve_sqlite();
}

/// Gives SQLite, which is C, the same allocator. musl's asks the system for each larger block: a
/// hook, which lives for one recall, takes 2 of 18 ms longer with it.
#[allow(unsafe_code, reason = "the only way to give SQLite an allocator")]
fn serve_sqlite() {
    let methods = sqlite3_mem_methods {
        xMalloc: Some(sqlite::allocate),
        xFree: Some(sqlite::free),
        xRealloc: Some(sqlite::resize),
        xSize: Some(sqlite::size),
        xRoundup: Some(sqlite::round_up),
        xInit: Some(sqlite::begin),
        xShutdown: Some(sqlite::end),
        pAppData: null_mut(),
    };
    // SAFETY: SQLite copies what it is handed, and no thread uses SQLite yet.
    let outcome = unsafe { sqlite3_config(SQLITE_CONFIG_MALLOC, &raw const methods) };
    // It refuses only if it is in use already; then it keeps the allocator that it has.
    debug_assert_eq!(outcome, SQLITE_OK);
}

/// What SQLite asks of an allocator (`sqlite3_mem_methods`): sizes are positive, blocks its own.
#[allow(
    unsafe_code,
    reason = "C calls them with blocks that it was given here"
)]
mod sqlite {
    use super::{c_int, c_void, mi_free, mi_malloc, mi_realloc, mi_usable_size};

    pub extern "C" fn allocate(size: c_int) -> *mut c_void {
        mi_malloc(unsigned(size))
    }

    pub unsafe extern "C" fn free(block: *mut c_void) {
        // SAFETY: SQLite frees what `allocate` or `resize` gave it, once.
        unsafe { mi_free(block) }
    }

    pub unsafe extern "C" fn resize(block: *mut c_void, size: c_int) -> *mut c_void {
        // SAFETY: as above; what it had is gone unless this fails.
        unsafe { mi_realloc(block, unsigned(size)) }
    }

    pub unsafe extern "C" fn size(block: *mut c_void) -> c_int {
        // SAFETY: the block is one of those that are not freed.
        let size = unsafe { mi_usable_size(block) };
        c_int::try_from(size).unwrap_or(c_int::MAX)
    }

    pub extern "C" fn round_up(size: c_int) -> c_int {
        // The allocator's smallest step.
        size.saturating_add(7) & !7
    }

    pub extern "C" fn begin(_: *mut c_void) -> c_int {
        super::SQLITE_OK
    }

    pub extern "C" fn end(_: *mut c_void) {}

    fn unsigned(size: c_int) -> usize {
        usize::try_from(size).unwrap_or_default()
    }
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
