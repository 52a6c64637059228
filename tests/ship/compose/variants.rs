//! What the files have in common, and what one adds to another.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::{Faults, check, content, settings};
use super::keys::{conforms, entries, strings};
use super::{EMBEDDED, REMOTE, WHOLE, WITH_DATABASE};
use crate::harness::parse_compose as parse;

#[test]
fn only_known_keys() {
    for (file, breaks) in [
        (
            WITH_DATABASE,
            &[
                ("pids_limit", "pid_limit"),
                ("start_interval:", "start_intervall:"),
            ][..],
        ),
        (
            EMBEDDED,
            &[
                ("name: sage", "title: sage"),
                ("max-size", "max-size: 1\n        max-size"),
            ],
        ),
        (
            REMOTE,
            &[
                ("file: ./secrets/database_url", "path: x"),
                ("  database_ca:", "  other:"),
            ],
        ),
    ] {
        check(file, parse, conforms, breaks);
    }
}

#[test]
fn every_variable_is_a_setting() {
    let settings = settings();
    let known: BTreeSet<&str> = settings
        .iter()
        .filter_map(|row| row["variable"].as_str())
        .collect();
    let rule = |file: &Value, faults: &mut Faults| {
        for (name, _) in entries(&file["services"]["sage"]["environment"]) {
            faults.unless(
                known.contains(name.as_str()),
                format!("environment: `sage config` knows no {name}"),
            );
        }
    };
    for file in WHOLE {
        check(file, parse, rule, &[("SAGE_LOG:", "SAGE_LOGS:")]);
    }
    check(
        REMOTE,
        parse,
        rule,
        &[("SAGE_DATABASE_URL_FILE", "SAGE_DATABASE_FILE_URL")],
    );
}

#[test]
fn both_describe_the_same_sage() {
    // What concerns the database, each with what there is to say about it.
    let sage = |text: &str| {
        let mut sage = parse(text).unwrap()["services"]["sage"].take();
        sage.as_object_mut().unwrap().remove("depends_on");
        sage["environment"]
            .as_object_mut()
            .unwrap()
            .remove("SAGE_DATABASE_URL");
        let volumes = sage["volumes"].as_array_mut().unwrap();
        volumes.retain(|mount| mount != "socket:/var/run/postgresql:ro");
        sage
    };
    let with_database = sage(&content(WITH_DATABASE));
    check(
        EMBEDDED,
        |text| Ok(sage(text)),
        |alone, faults| {
            for (key, value) in entries(&with_database) {
                faults.unless(
                    alone[key] == *value,
                    format!("{key}: {value} in {WITH_DATABASE}"),
                );
            }
            for (key, _) in entries(alone) {
                let known = with_database.get(key).is_some();
                faults.unless(known, format!("{key}: not in {WITH_DATABASE}"));
            }
        },
        &[
            ("mem_limit: 256m", "mem_limit: 128m"),
            ("init: false", "tty: false"),
            ("ALL", "NET"),
        ],
    );
    let names: Vec<Value> = WHOLE
        .iter()
        .map(|file| parse(&content(file)).unwrap()["name"].take())
        .collect();
    assert_eq!(
        names,
        ["sage", "sage-embedded"],
        "their volumes must not mix"
    );
}

#[test]
fn remote_only_adds() {
    let base = parse(&content(EMBEDDED)).unwrap();
    check(
        REMOTE,
        parse,
        |file, faults| {
            adds("file", file, &base, faults);
            let services: Vec<_> = entries(&file["services"]).map(|(name, _)| name).collect();
            faults.unless(services == ["sage"], format!("services: {services:?}"));
            hands_in_files(file, faults);
        },
        &[
            ("    environment:", "    user: root\n    environment:"),
            ("SAGE_DATABASE_URL_FILE: /run", "SAGE_LOG: /run"),
            (
                "URL_FILE: /run/secrets/database_url",
                "URL: postgres://sage:x@db/sage",
            ),
            ("secrets: [database_url, ", "secrets: ["),
            ("  sage:", "  other:"),
        ],
    );
}

/// Every path in `over` that ends in a value is new.
fn adds(place: &str, over: &Value, base: &Value, faults: &mut Faults) {
    for (key, value) in entries(over) {
        let place = format!("{place}.{key}");
        match base.get(key) {
            Some(below) if below.is_object() => adds(&place, value, below, faults),
            Some(_) => faults.unless(false, format!("{place}: {EMBEDDED} says it already")),
            None => {}
        }
    }
}

/// Each variable names a file that a secret of this file puts there.
fn hands_in_files(file: &Value, faults: &mut Faults) {
    let granted = strings(&file["services"]["sage"]["secrets"]);
    for (name, value) in entries(&file["services"]["sage"]["environment"]) {
        let secret = value
            .as_str()
            .and_then(|path| path.strip_prefix("/run/secrets/"));
        let there = secret.is_some_and(|secret| granted.contains(&secret));
        faults.unless(
            there && name.ends_with("_FILE"),
            format!("{name}: name a secret's file"),
        );
    }
    for (name, secret) in entries(&file["secrets"]) {
        let path = secret["file"].as_str().unwrap_or_default();
        faults.unless(
            path.starts_with("./secrets/"),
            format!("secrets.{name}: below ./secrets"),
        );
    }
}
