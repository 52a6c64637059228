//! The image in a real container engine; see [`crate::harness::Engine`] for which.

mod compose;
mod exec;
mod image;
mod life;
mod set_up;
