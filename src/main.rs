//! The executable: allocator, parse, run, exit code; nothing else.

use std::process::ExitCode;

// Cargo.toml gives it `no_thp`: huge pages would make an idle process 3.8 MB larger.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ExitCode::from(sage::cli::run(std::env::args_os().skip(1)))
}
