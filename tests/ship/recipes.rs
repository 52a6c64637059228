//! The recipes of the Justfile and the scripts that they call.

use std::collections::BTreeMap;
use std::process::Command;

use super::dockerfile::{Dockerfile, FILE};
use super::{Faults, check, content, installed, repository, succeed, tracked};
use crate::harness::skipped;

const JUSTFILE: &str = "Justfile";

/// What people and CI count on.
const RECIPES: &[&str] = &[
    "build",
    "test",
    "dist",
    "build-image",
    "up",
    "down",
    "logs",
    "exec-mcp",
    "budgets",
    "size",
    "lint",
    "soak",
    "claude-e2e",
    "ci",
];

/// A recipe's comment and its lines, by name.
type Recipes = BTreeMap<String, Recipe>;

#[derive(Debug)]
struct Recipe {
    help: String,
    lines: Vec<String>,
}

/// Reads recipes; what else begins a line must be a comment or a setting.
fn recipes(text: &str) -> Result<Recipes, String> {
    let mut recipes = Recipes::new();
    let (mut name, mut above) = (None::<String>, "");
    for line in text.lines() {
        if line.starts_with([' ', '\t']) {
            let recipe = name.as_ref().and_then(|name| recipes.get_mut(name));
            let recipe = recipe.ok_or_else(|| format!("belongs to no recipe: {line}"))?;
            recipe.lines.push(line.trim().to_owned());
        } else if line.is_empty() || line.starts_with('#') || line.contains(":=") {
            // A comment or a setting.
        } else if let Some((head, _)) = line.split_once(':') {
            let own = head
                .split_whitespace()
                .next()
                .unwrap_or_default()
                .to_owned();
            let help = above.strip_prefix("# ").unwrap_or_default().to_owned();
            let recipe = Recipe {
                help,
                lines: Vec::new(),
            };
            if recipes.insert(own.clone(), recipe).is_some() {
                return Err(format!("{own} comes twice"));
            }
            name = Some(own);
        } else {
            return Err(format!("neither recipe nor setting: {line}"));
        }
        above = line;
    }
    Ok(recipes)
}

#[test]
fn every_recipe_says_what_it_does() {
    check(
        JUSTFILE,
        recipes,
        |recipes, faults| {
            for name in RECIPES {
                faults.unless(recipes.contains_key(*name), format!("add a recipe {name}"));
            }
            for (name, recipe) in recipes {
                let told = recipe.help.len() > 10;
                faults.unless(
                    told,
                    format!("{name}: say above it, in a comment, what it does"),
                );
            }
        },
        &[
            ("# Stop it; memories stay in their volumes\n", ""),
            (
                "# Stop it; memories stay in their volumes\n",
                "# Stop it, and so on\n\n",
            ),
            ("\nlint:", "\nclippy:"),
            ("\nci:", "\nlint:"),
        ],
    );
}

#[test]
fn recipes_call_what_is_there() {
    let dockerfile = Dockerfile::parse(&content(FILE)).unwrap();
    let declared: Vec<String> = dockerfile
        .stages
        .iter()
        .flat_map(|stage| stage.pairs("ARG").into_keys())
        .collect();
    let declares = |name: &str| {
        declared.iter().any(|known| known == name) || dockerfile.defaults().contains_key(name)
    };
    check(
        JUSTFILE,
        recipes,
        |recipes, faults| {
            let image = recipes
                .get("build-image")
                .map_or(String::new(), |it| it.lines.join(" "));
            faults.unless(
                image.contains(&format!("--file {FILE} ")),
                format!("--file {FILE}"),
            );
            faults.unless(
                image.starts_with("DOCKER_BUILDKIT=1 docker build "),
                "old engines need DOCKER_BUILDKIT=1",
            );
            for argument in image.split("--build-arg ").skip(1) {
                let name = argument.split('=').next().unwrap();
                faults.unless(declares(name), format!("{FILE} has no ARG {name}"));
            }
            for (name, recipe) in recipes {
                for line in &recipe.lines {
                    called(name, line, faults);
                }
            }
        },
        &[
            ("--build-arg VERSION", "--build-arg RELEASE"),
            ("--file Dockerfile.scratch", "--file Dockerfile"),
            ("DOCKER_BUILDKIT=1 ", ""),
            ("    tools/dist", "    tools/dust"),
            ("cargo test --locked\n", "cargo test\n"),
        ],
    );
}

fn called(name: &str, line: &str, faults: &mut Faults) {
    let word = line.split_whitespace().next().unwrap_or_default();
    if word.starts_with("tools/") || word.starts_with('.') {
        let there = repository().join(word).is_file();
        faults.unless(there, format!("{name}: there is no {word}"));
    }
    let resolves = line.starts_with("cargo ") && !line.starts_with("cargo fmt");
    faults.unless(
        !resolves || line.contains("--locked"),
        format!("{name}: cargo … --locked"),
    );
}

#[test]
fn just_reads_them() {
    if installed("just").is_none() {
        return skipped("just_reads_them", "there is no just; cargo install just");
    }
    let just = |args: &[&str]| succeed(Command::new("just").args(args));
    let list = just(&["--list"]);
    for (name, recipe) in recipes(&content(JUSTFILE)).unwrap() {
        let told = list.lines().any(|line| {
            line.split_whitespace().next() == Some(&name) && line.ends_with(&recipe.help)
        });
        assert!(told, "just --list does not tell of {name}: {list}");
    }
    let build = just(&["--dry-run", "build-image", "dist"]);
    assert!(
        build.contains("docker build --file Dockerfile.scratch"),
        "{build}"
    );
    assert!(build.contains("--build-arg BINARIES=dist"), "{build}");
}

#[test]
fn scripts_parse() {
    let Some(files) = tracked() else {
        return skipped("scripts_parse", "this is not a git checkout");
    };
    let mut parsed = Vec::new();
    for file in files {
        let Ok(text) = std::fs::read_to_string(repository().join(&file)) else {
            continue;
        };
        let Some(shell) = shell(&file, &text) else {
            continue;
        };
        succeed(Command::new(shell).args(["-n", &file]));
        parsed.push(file);
    }
    for file in [".ci/run", "tools/dist", "tools/dist-debian"] {
        assert!(
            parsed.iter().any(|it| it == file),
            "{file} was not read: {parsed:?}"
        );
    }
    let broken = Command::new("sh")
        .args(["-n", "-c", "if true; then"])
        .output();
    assert!(
        !broken.unwrap().status.success(),
        "sh -n must see what is broken"
    );
}

/// The shell that a script is for, by its first line; `tools/dist` reads `tools/dist-debian`.
fn shell(file: &str, text: &str) -> Option<&'static str> {
    if file == "tools/dist-debian" {
        return Some("sh");
    }
    match text.lines().next()? {
        "#!/bin/sh" | "#!/usr/bin/env sh" => Some("sh"),
        "#!/bin/bash" | "#!/usr/bin/env bash" => Some("bash"),
        _ => None,
    }
}
