//! Between the system's entry and `run`: the environment, and the way out.

use core::panic::PanicInfo;

/// Goes on where the machine's entry left off.
///
/// # Safety
///
/// `stack` is the stack pointer that the system started the program with.
pub unsafe extern "C" fn begin(stack: *const usize) -> ! {
    // SAFETY: there lies the count of the arguments, then their addresses, a zero, and the
    // addresses of the environment's strings.
    let environment = unsafe { Environment(stack.add(1 + *stack + 1).cast()) };
    super::exit(crate::run(&environment))
}

/// Nothing panics here that is known of.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    let _ = super::write_error(b"healthcheck: the probe itself is broken\n");
    super::exit(1)
}

/// The environment that the program was started with: addresses of strings `NAME=VALUE` which end
/// with a zero, and after the last one a zero. Nobody ever changes them.
pub struct Environment(*const *const u8);

impl Environment {
    /// The value of a variable: of the first one of that name, like `getenv`, should there be
    /// several.
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        let mut entries = self.0;
        loop {
            // SAFETY: `entries` has not passed the zero that ends the list.
            let entry = unsafe { *entries };
            if entry.is_null() {
                return None;
            }
            // SAFETY: the entry is a string that ends with a zero, and lives as long as the
            // program.
            let entry = unsafe { string(entry) };
            if let Some(value) = entry
                .strip_prefix(name)
                .and_then(|rest| rest.strip_prefix(b"="))
            {
                return Some(value);
            }
            // SAFETY: this entry was not the zero that ends the list.
            entries = unsafe { entries.add(1) };
        }
    }
}

/// The bytes of a string before its zero.
///
/// # Safety
///
/// `start` is a string that ends with a zero, and neither changes nor goes away.
unsafe fn string<'a>(start: *const u8) -> &'a [u8] {
    let mut len = 0;
    // SAFETY: no byte before this one was the zero, so this one belongs to the string.
    while unsafe { *start.add(len) } != 0 {
        len += 1;
    }
    // SAFETY: these bytes were just read, and the caller answers for their life.
    unsafe { core::slice::from_raw_parts(start, len) }
}
