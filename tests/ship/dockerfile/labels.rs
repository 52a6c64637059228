//! What the image says about itself.

use super::super::content;
use super::holds;
use super::parser::expand;

/// The keys that the OCI image specification defines, after `org.opencontainers.image.`.
const LABELS: &[&str] = &[
    "authors",
    "base.digest",
    "base.name",
    "created",
    "description",
    "documentation",
    "licenses",
    "ref.name",
    "revision",
    "source",
    "title",
    "url",
    "vendor",
    "version",
];

#[test]
fn labels_are_those_of_the_specification() {
    holds(
        |file, faults| {
            let stage = file.last();
            let labels = stage.pairs("LABEL");
            let defaults = stage.pairs("ARG");
            for key in labels.keys() {
                let known = key
                    .strip_prefix("org.opencontainers.image.")
                    .is_some_and(|name| LABELS.contains(&name));
                faults.unless(
                    known,
                    format!("{key} is no key of the OCI image specification"),
                );
            }
            let worth = |name: &str| {
                let label = labels.get(&format!("org.opencontainers.image.{name}"));
                expand(label.map_or("", String::as_str), &defaults)
            };
            for (name, wanted) in [
                ("title", "Sage"),
                ("version", env!("CARGO_PKG_VERSION")),
                ("licenses", env!("CARGO_PKG_LICENSE")),
                ("base.name", "scratch"),
                ("revision", "unknown"),
            ] {
                let found = worth(name);
                faults.unless(
                    found == wanted,
                    format!("label {name}: {found:?}, not {wanted:?}"),
                );
            }
            faults.unless(
                !worth("description").is_empty(),
                "label description: say what it is",
            );
            let created: Result<jiff::Timestamp, _> = worth("created").parse();
            faults.unless(
                created.is_ok(),
                "label created: a time like 1970-01-01T00:00:00Z",
            );
            faults.unless(
                licensed(&worth("licenses")),
                "label licenses: an SPDX expression",
            );
        },
        &[
            ("image.title", "title"),
            ("image.licenses", "image.license"),
            ("ARG VERSION=0.1.0", "ARG VERSION=0.0.1"),
            ("MIT OR Apache-2.0", "MIT/Apache-2.0"),
            ("1970-01-01T00:00:00Z", "1970-01-01"),
            ("=\"Long-term memory for Claude Code\"", "=\"\""),
        ],
    );
}

/// Whether an SPDX expression is one, and names only licences that the repository holds.
fn licensed(expression: &str) -> bool {
    let held = |identifier: &str| match identifier {
        "MIT" => content("LICENSE-MIT").starts_with("MIT License"),
        "Apache-2.0" => content("LICENSE-APACHE").contains("Apache License"),
        _ => false,
    };
    let mut words = expression.split(' ').enumerate();
    words.all(|(place, word)| match place % 2 {
        0 => held(word),
        _ => word == "OR",
    }) && expression.split(' ').count() % 2 == 1
}
