//! Every test beyond single functions, in one binary so that it links once. Most run the real
//! executable; `capture`, `claude` and `recall` call the library where a thousand runs would be too
//! slow, `engine` where only the library shows what happened; `ship` reads the files that ship it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that cannot go on should fail where it stands"
)]

mod harness;

mod api;
mod budgets;
mod capture;
mod claude;
mod cli;
mod containers;
mod doctor;
mod engine;
mod healthcheck;
mod hooks;
mod install;
mod mcp;
mod postgres;
mod recall;
mod server;
mod ship;
mod store;
mod transfer;
mod vectors;
