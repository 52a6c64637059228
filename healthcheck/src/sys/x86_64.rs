//! Linux on x86_64: how it starts a program, and how it is called.

use core::arch::{asm, naked_asm};

/// The numbers of the calls, of `arch/x86/entry/syscalls/syscall_64.tbl`.
pub mod number {
    pub const WRITE: usize = 1;
    pub const RT_SIGPROCMASK: usize = 14;
    pub const SOCKET: usize = 41;
    pub const CONNECT: usize = 42;
    pub const RECVFROM: usize = 45;
    pub const SETSOCKOPT: usize = 54;
    pub const EXIT_GROUP: usize = 231;
}

/// The first instructions of the program. The system starts it with its arguments and environment
/// on the stack, and a stack pointer that is a multiple of 16.
#[unsafe(naked)]
#[unsafe(no_mangle)]
extern "C" fn healthcheck_start() -> ! {
    naked_asm!(
        // No frame is above this one: a debugger stops here.
        "xor ebp, ebp",
        // The first parameter of `begin` is where the arguments lie.
        "mov rdi, rsp",
        // As every function it expects a return address on the stack, although it never returns.
        "call {begin}",
        // Not reached.
        "ud2",
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
    // SAFETY: the registers are those of the system's calling convention, the two that it
    // overwrites are named, and the caller answers for the rest.
    unsafe {
        asm!(
            // Enters the system, with the call's number in rax; comes back with its result there.
            "syscall",
            inlateout("rax") number => result,
            in("rdi") a,
            in("rsi") b,
            in("rdx") c,
            in("r10") d,
            in("r8") e,
            in("r9") f,
            // The processor keeps the way back and the flags in these two.
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
}
