//! `Dockerfile.scratch`: how the image is built, and what comes out.

mod arguments;
mod image;
mod labels;
mod parser;
mod parsing;
mod stages;

pub(in crate::ship) use image::USER;
pub(in crate::ship) use parser::Dockerfile;

use super::{Faults, check};

/// The only Dockerfile there is.
pub(in crate::ship) const FILE: &str = "Dockerfile.scratch";

/// Holds it to a rule; see [`check`].
#[track_caller]
fn holds(rule: impl Fn(&Dockerfile, &mut Faults), breaks: &[(&str, &str)]) {
    check(FILE, Dockerfile::parse, rule, breaks);
}
