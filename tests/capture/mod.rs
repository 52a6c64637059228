//! The capture path: what is taken out, and what is kept.

mod passages;
mod redaction;
mod redaction_properties;
mod terms;
