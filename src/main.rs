//! The executable: parse, run, exit code; nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(sage::cli::run(std::env::args_os().skip(1)))
}
