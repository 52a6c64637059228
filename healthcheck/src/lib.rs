//! What the probe decides, without the system: where to ask, what to say, and what to make of the
//! answer.
//!
//! The executable, `main.rs`, says what the probe is for.

#![no_std]
#![forbid(unsafe_code)]

pub mod answer;
pub mod port;
pub mod problem;
pub mod request;
pub mod text;

pub use problem::Problem;
