//! Sage: long-term memory for Claude Code.
//!
//! In reading order; an arrow in ARCHITECTURE.md is "may use", and nothing points the other way.

pub mod error;

mod allocator;
mod ask;
mod blocking;
mod breaker;
mod order;
mod tls;

pub mod config;

pub mod memory;
pub mod text;

pub mod models;
pub mod store;

pub mod capture;
pub mod recall;

pub mod engine;

pub mod claude;
pub mod mcp;
pub mod server;
pub mod transfer;

pub mod cli;
