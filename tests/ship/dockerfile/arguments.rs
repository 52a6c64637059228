//! The arguments of the build, and what they decide: base images, compiler, lock file.

use std::collections::BTreeSet;

use super::super::{Faults, check, content};
use super::holds;
use super::parser::{Dockerfile, Instruction, Stage, expand, variables};

/// What the executables can come from: the values of the argument that names a stage.
const SOURCES: &[&str] = &["source", "dist"];

/// What BuildKit sets by itself where a stage declares it.
const PLATFORM: &[&str] = &["TARGETARCH", "TARGETOS", "TARGETPLATFORM", "BUILDPLATFORM"];

#[test]
fn bases_have_an_exact_tag() {
    holds(
        |file, faults| {
            for base in bases(file) {
                faults.unless(
                    exact(&base),
                    format!("{base}: name a tag like 1.95.0-alpine3.23, and no digest"),
                );
            }
        },
        &[
            ("RUST_VERSION=1.95.0", "RUST_VERSION=1.95"),
            ("ALPINE_VERSION=3.23", "ALPINE_VERSION="),
            (
                "rust:${RUST_VERSION}-alpine${ALPINE_VERSION}",
                "rust:latest",
            ),
            ("rust:${RUST_VERSION}-alpine${ALPINE_VERSION}", "rust"),
            ("${ALPINE_VERSION} AS", "${ALPINE_VERSION}@sha256:0123 AS"),
        ],
    );
}

/// The images that are fetched, whatever the executables come from.
fn bases(file: &Dockerfile) -> BTreeSet<String> {
    let mut bases = BTreeSet::new();
    for source in SOURCES {
        let mut values = file.defaults();
        values.insert("BINARIES".into(), (*source).into());
        for stage in &file.stages {
            let base = expand(&stage.base, &values);
            if base != "scratch" && file.stage(&base).is_none() {
                bases.insert(base);
            }
        }
    }
    bases
}

/// `name:x.y.z-alpineX.Y`
fn exact(image: &str) -> bool {
    let numbers = |text: &str, count: usize| {
        let parts: Vec<&str> = text.split('.').collect();
        let number = |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
        parts.len() == count && parts.iter().all(number)
    };
    image
        .split_once(':')
        .and_then(|(_, tag)| tag.split_once("-alpine"))
        .is_some_and(|(version, alpine)| numbers(version, 3) && numbers(alpine, 2))
}

#[test]
fn the_compiler_is_the_one_of_the_package() {
    holds(
        |file, faults| {
            let wanted = concat!(env!("CARGO_PKG_RUST_VERSION"), ".");
            let defaults = file.defaults();
            let version = defaults.get("RUST_VERSION").map_or("", String::as_str);
            faults.unless(
                version.starts_with(wanted),
                format!("RUST_VERSION is {version:?}, rust-version of Cargo.toml {wanted}x"),
            );
        },
        &[("RUST_VERSION=1.95.0", "RUST_VERSION=1.9.0")],
    );
}

#[test]
fn cargo_keeps_to_the_lock_file() {
    let compiles = |text: &String, faults: &mut Faults| {
        let text = text.replace("\\\n", " ");
        let calls: Vec<&str> = text
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'))
            .filter(|line| {
                ["build", "fetch"]
                    .iter()
                    .any(|verb| calls_cargo(line, verb))
            })
            .collect();
        faults.unless(calls.len() >= 2, "fetch and build with \"$cargo\"");
        for call in calls {
            faults.unless(call.contains(" --locked"), format!("add --locked: {call}"));
        }
    };
    check(
        "tools/dist",
        |text| Ok(text.to_owned()),
        compiles,
        &[
            ("build --release --locked", "build --release"),
            ("fetch --locked", "fetch"),
        ],
    );
    holds(
        |file, faults| {
            let runs: Vec<_> = file
                .stages
                .iter()
                .flat_map(|stage| stage.all("RUN"))
                .collect();
            let through = runs.iter().all(|run| run.rest == "tools/dist --out /out");
            faults.unless(
                through && runs.len() == 1,
                "compile through tools/dist alone",
            );
        },
        &[("tools/dist --out /out", "cargo build --release")],
    );
}

fn calls_cargo(line: &str, verb: &str) -> bool {
    line.contains(&format!("\"$cargo\" {verb}")) || line.contains(&format!("cargo {verb}"))
}

#[test]
fn arguments_are_declared_and_used() {
    holds(
        |file, faults| {
            let mut global: BTreeSet<String> = file.defaults().into_keys().collect();
            for stage in &file.stages {
                for name in variables(&stage.base) {
                    faults.unless(
                        global.contains(&name),
                        format!("declare ARG {name} before the first FROM"),
                    );
                }
                declared(stage, faults);
            }
            for stage in &file.stages {
                global.retain(|name| !variables(&stage.base).contains(name));
            }
            faults.unless(global.is_empty(), format!("nobody uses {global:?}"));
        },
        &[
            ("ARG BINARIES=source\n", ""),
            ("ARG VERSION=0.1.0\n", ""),
            ("ARG TARGETARCH\n", ""),
            ("ARG ALPINE_VERSION", "ARG UNUSED=1\nARG ALPINE_VERSION"),
            ("ARG VERSION", "ARG UNUSED=1\nARG VERSION"),
            ("ARG VERSION=0.1.0", "ARG VERSION"),
        ],
    );
}

/// Within one stage: declared before it is used, used, and with a default unless BuildKit has one.
fn declared(stage: &Stage, faults: &mut Faults) {
    let script = content("tools/dist");
    let mut known = BTreeSet::new();
    let mut used = BTreeSet::new();
    for instruction in &stage.instructions {
        for name in instruction.variables() {
            let line = instruction.line;
            faults.unless(
                known.contains(&name),
                format!("line {line}: declare ARG {name}"),
            );
            used.insert(name);
        }
        if instruction.word == "ARG" {
            for (name, value) in instruction.pairs() {
                let worth = !value.is_empty() || PLATFORM.contains(&name.as_str());
                faults.unless(worth, format!("ARG {name}: give it a default"));
                known.insert(name);
            }
        }
    }
    let by_script = |name: &String| stage.last("RUN").is_some() && script.contains(name.as_str());
    known.retain(|name| !used.contains(name) && !by_script(name));
    faults.unless(known.is_empty(), format!("nobody uses ARG {known:?}"));
}

#[test]
fn nothing_secret_is_built_in() {
    const SECRET: &[&str] = &[
        "TOKEN",
        "PASS",
        "SECRET",
        "KEY",
        "CREDENTIAL",
        "PRIVATE",
        "URL",
    ];
    holds(
        |file, faults| {
            let set = file.stages.iter().flat_map(|stage| &stage.instructions);
            let set = set
                .chain(&file.arguments)
                .filter(|i| i.word == "ARG" || i.word == "ENV");
            for (name, _) in set.flat_map(Instruction::pairs) {
                let secret = SECRET
                    .iter()
                    .any(|word| name.to_ascii_uppercase().contains(word));
                faults.unless(!secret, format!("{name}: secrets come in when it runs"));
            }
        },
        &[
            ("ARG VERSION", "ARG SAGE_TOKEN=x\nARG VERSION"),
            ("SAGE_DATA_DIR=/data", "SAGE_DATABASE_PASSWORD=x"),
        ],
    );
}
