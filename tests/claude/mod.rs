//! What Claude Code writes, and where a directory belongs.

mod project;
mod transcript;
