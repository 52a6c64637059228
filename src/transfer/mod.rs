//! Moving memories in and out: for now, bringing in what other programs kept.

pub mod import;
