//! Moving memories in and out: exports and backups in Sage's own format, and bringing in what other
//! programs kept.

pub mod backup;
pub mod export;
pub mod file;
pub mod format;
pub mod import;
pub mod parse;
pub mod reading;
