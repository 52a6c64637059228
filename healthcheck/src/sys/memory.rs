//! What the compiler calls to copy, fill and compare memory, and would find in a C library.
//! `no_builtins` keeps it from seeing that these loops are just that, and calling them from
//! themselves.

/// Copies `count` bytes to a place that does not overlap.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    for index in 0..count {
        // SAFETY: the compiler calls this with two places of `count` bytes.
        unsafe { *to.add(index) = *from.add(index) };
    }
    to
}

/// Fills `count` bytes with one.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, count: usize) -> *mut u8 {
    for index in 0..count {
        // SAFETY: the compiler calls this with a place of `count` bytes. Only the low byte counts,
        // as in C.
        unsafe { *to.add(index) = byte as u8 };
    }
    to
}

/// Compares `count` bytes: negative, zero or positive, as the first one that differs is.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(one: *const u8, other: *const u8, count: usize) -> i32 {
    for index in 0..count {
        // SAFETY: the compiler calls this with two places of `count` bytes.
        let (one, other) = unsafe { (*one.add(index), *other.add(index)) };
        if one != other {
            return i32::from(one) - i32::from(other);
        }
    }
    0
}

/// The same for whoever only wants to know whether they differ.
#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(one: *const u8, other: *const u8, count: usize) -> i32 {
    // SAFETY: the compiler calls this as it calls `memcmp`.
    unsafe { memcmp(one, other, count) }
}
