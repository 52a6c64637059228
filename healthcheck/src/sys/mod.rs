//! The system, by its calls. Everything unsafe is in this module: towards the rest it is safe.

#[cfg_attr(target_arch = "x86_64", path = "x86_64.rs")]
#[cfg_attr(target_arch = "aarch64", path = "aarch64.rs")]
mod machine;
mod memory;
mod start;

pub use start::Environment;

use machine::{call, number};

#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
compile_error!("the probe speaks to Linux on x86_64 and aarch64 only");

/// An error number of the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Errno(pub u16);

impl Errno {
    /// `EAGAIN`: nothing came in time.
    pub const AGAIN: Self = Self(11);
    /// `ECONNRESET`: the other side broke the connection off.
    pub const RESET: Self = Self(104);
    /// `ECONNREFUSED`: nobody listens.
    pub const REFUSED: Self = Self(111);
    /// `EINPROGRESS`: there was no connection in time.
    pub const IN_PROGRESS: Self = Self(115);
}

/// The values of C's headers, which are the same on both machines.
const AF_INET: u16 = 2;
const SOCK_STREAM: usize = 1;
const SOL_SOCKET: usize = 1;
const SO_RCVTIMEO: usize = 20;
const SO_SNDTIMEO: usize = 21;
const MSG_WAITALL: usize = 0x100;
const SIG_BLOCK: usize = 0;
const SIGPIPE: usize = 13;
const STDERR: usize = 2;

/// A connection over TCP and IPv4. It is never closed: the program's end does that.
pub struct Socket(usize);

/// `struct sockaddr_in`.
#[repr(C)]
struct SocketAddress {
    family: u16,
    port: [u8; 2],
    address: [u8; 4],
    zero: [u8; 8],
}

/// `struct timeval`.
#[repr(C)]
struct Time {
    seconds: i64,
    microseconds: i64,
}

impl Socket {
    /// One that is not connected yet.
    pub fn open() -> Result<Self, Errno> {
        // SAFETY: this call takes numbers only.
        let result = unsafe { call(number::SOCKET, [AF_INET.into(), SOCK_STREAM, 0, 0, 0, 0]) };
        checked(result).map(Self)
    }

    /// Limits the time for connecting and sending, and that for receiving, both in milliseconds.
    pub fn limit(&self, sending: u16, receiving: u16) -> Result<(), Errno> {
        self.limit_one(SO_SNDTIMEO, sending)?;
        self.limit_one(SO_RCVTIMEO, receiving)
    }

    fn limit_one(&self, option: usize, milliseconds: u16) -> Result<(), Errno> {
        let time = Time {
            seconds: 0,
            microseconds: i64::from(milliseconds) * 1_000,
        };
        let (place, size) = ((&raw const time).expose_provenance(), size_of::<Time>());
        let arguments = [self.0, SOL_SOCKET, option, place, size, 0];
        // SAFETY: the system reads `size` bytes at `place`, where `time` lives until the end of
        // this function.
        let result = unsafe { call(number::SETSOCKOPT, arguments) };
        checked(result).map(|_| ())
    }

    /// Connects to that port of 127.0.0.1.
    pub fn connect(&self, port: u16) -> Result<(), Errno> {
        let address = SocketAddress {
            family: AF_INET,
            port: port.to_be_bytes(),
            address: [127, 0, 0, 1],
            zero: [0; 8],
        };
        let (place, size) = (
            (&raw const address).expose_provenance(),
            size_of::<SocketAddress>(),
        );
        let arguments = [self.0, place, size, 0, 0, 0];
        // SAFETY: the system reads `size` bytes at `place`, where `address` lives until the end of
        // this function.
        let result = unsafe { call(number::CONNECT, arguments) };
        checked(result).map(|_| ())
    }

    /// Sends bytes; returns how many the system took.
    pub fn send(&self, bytes: &[u8]) -> Result<usize, Errno> {
        write(self.0, bytes)
    }

    /// Waits until `buffer` is full, the other side ends, or time is up; returns how many bytes
    /// there are. The limit is one for all of them (`MSG_WAITALL`), so a byte now and then does not
    /// prolong it.
    pub fn receive(&self, buffer: &mut [u8]) -> Result<usize, Errno> {
        let (place, size) = (buffer.as_mut_ptr().expose_provenance(), buffer.len());
        let arguments = [self.0, place, size, MSG_WAITALL, 0, 0];
        // SAFETY: the system writes at most `size` bytes at `place`, which are `buffer`, borrowed
        // by nobody else.
        let result = unsafe { call(number::RECVFROM, arguments) };
        checked(result)
    }
}

/// Writes to stderr; returns how many bytes the system took.
pub fn write_error(bytes: &[u8]) -> Result<usize, Errno> {
    write(STDERR, bytes)
}

/// From now on a write that nobody reads is an error, and not the end of the program.
pub fn block_broken_pipe() {
    /// Bytes of a set of signals, one bit each.
    const SIZE: usize = size_of::<u64>();
    let signals: u64 = 1 << (SIGPIPE - 1);
    let place = (&raw const signals).expose_provenance();
    let arguments = [SIG_BLOCK, place, 0, SIZE, 0, 0];
    // SAFETY: the system reads the 8 bytes of `signals`, and writes nothing at address 0.
    let _ = unsafe { call(number::RT_SIGPROCMASK, arguments) };
}

/// Ends the program.
fn exit(code: u8) -> ! {
    loop {
        // SAFETY: this call takes a number only. It does not come back, but the compiler cannot
        // know.
        let _ = unsafe { call(number::EXIT_GROUP, [code.into(), 0, 0, 0, 0, 0]) };
    }
}

fn write(descriptor: usize, bytes: &[u8]) -> Result<usize, Errno> {
    let (place, size) = (bytes.as_ptr().expose_provenance(), bytes.len());
    let arguments = [descriptor, place, size, 0, 0, 0];
    // SAFETY: the system reads `size` bytes at `place`, which are `bytes`.
    let result = unsafe { call(number::WRITE, arguments) };
    checked(result)
}

/// The system answers with a negative error number where it failed.
fn checked(result: isize) -> Result<usize, Errno> {
    usize::try_from(result).map_err(|_| Errno(result.unsigned_abs() as u16))
}
