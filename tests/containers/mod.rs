//! The image in a real container engine; see [`crate::harness::Engine`] for which.

mod exec;
mod image;
mod life;
