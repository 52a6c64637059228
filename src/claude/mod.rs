//! What Claude Code writes and where it runs. No other layer knows the client's formats.

pub mod hooks;
pub mod install;
pub mod project;
pub mod transcript;
