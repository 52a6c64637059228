//! Linux on aarch64: how it starts a program, and how it is called.

use core::arch::{asm, naked_asm};

/// The numbers of the calls, of `include/uapi/asm-generic/unistd.h`.
pub mod number {
    pub const WRITE: usize = 64;
    pub const EXIT_GROUP: usize = 94;
    pub const RT_SIGPROCMASK: usize = 135;
    pub const SOCKET: usize = 198;
    pub const CONNECT: usize = 203;
    pub const RECVFROM: usize = 207;
    pub const SETSOCKOPT: usize = 208;
}

/// The first instructions of the program. The system starts it with its arguments and environment
/// on the stack, and a stack pointer that is a multiple of 16.
#[unsafe(naked)]
#[unsafe(no_mangle)]
extern "C" fn healthcheck_start() -> ! {
    naked_asm!(
        // No frame is above this one, and there is nowhere to return to: a debugger stops here.
        "mov x29, xzr",
        "mov x30, xzr",
        // The first parameter of `begin` is where the arguments lie.
        "mov x0, sp",
        // It never returns.
        "b {begin}",
        begin = sym super::start::begin,
    )
}

/// Calls the system; a negative result is an error number.
///
/// # Safety
///
/// The arguments are what the call of that number takes. What they point to lives and is of the
/// right size.
#[inline(always)]
pub unsafe fn call(number: usize, arguments: [usize; 6]) -> isize {
    let [a, b, c, d, e, f] = arguments;
    let result;
    // SAFETY: the registers are those of the system's calling convention, which keeps all others,
    // and the caller answers for the rest.
    unsafe {
        asm!(
            // Enters the system, with the call's number in x8; comes back with its result in x0.
            "svc 0",
            in("x8") number,
            inlateout("x0") a => result,
            in("x1") b,
            in("x2") c,
            in("x3") d,
            in("x4") e,
            in("x5") f,
            options(nostack),
        );
    }
    result
}
