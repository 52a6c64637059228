//! What the strict model refuses, and how values are read.

use std::collections::BTreeMap;

use serde_json::json;

use super::super::Faults;
use super::keys::conforms;
use super::values::{Port, duration, interpolate, size};
use crate::harness::parse_compose as parse;

#[test]
fn the_model_is_strict() {
    let sound = "services: {a: {image: x}}\nvolumes: {v: {}}\nx-y: 1\n";
    let judge = |text: &str| {
        let mut faults = Faults::default();
        match parse(text) {
            Ok(file) => conforms(&file, &mut faults),
            Err(error) => faults.0.push(error),
        }
        faults.0
    };
    assert_eq!(judge(sound), Vec::<String>::new());
    for entry in [
        "imagee: x",
        "image: x, image: y",
        "build: .",
        "build: {file: x}",
        "healthcheck: {start-period: 1s}",
        "healthcheck: {interval: 30}",
        "healthcheck: {interval: 1x}",
        "healthcheck: {test: [/healthcheck]}",
        "healthcheck: {retries: 0}",
        "logging: {options: {}, drive: x}",
        "depends_on: {b: {condition: service_healthy}}",
        "depends_on: {a: {condition: healthy}}",
        "depends_on: {a: {when: service_healthy}}",
        "mem_limit: 256q",
        "mem_limit: 256",
        "pids_limit: many",
        "cpus: \"two\"",
        "read_only: yes",
        "restart: sometimes",
        "restart: true",
        "networks: [nowhere]",
        "secrets: [nothing]",
        "volumes: [w:/w]",
        "volumes: v",
        "ports: [\"127.0.0.1:80\"]",
        "ports: [\"localhost:80:80\"]",
        "ports: [\"127.0.0.1:$PORT:80\"]",
        "ports: [80]",
        "environment: {A: 1}",
        "environment: [A=1]",
    ] {
        let broken = sound.replace("image: x", entry);
        assert!(!judge(&broken).is_empty(), "{entry} went unnoticed");
    }
    for broken in [
        "version: \"3\"",
        "service: {}",
        "volumes: {v: {size: 1}}",
        "networks: {n: 1}",
    ] {
        assert!(!judge(broken).is_empty(), "{broken} went unnoticed");
    }
}

#[test]
fn values_are_read_as_compose_reads_them() {
    let merged = parse("x: &a {b: 1, c: [2]}\ny: {<<: *a, b: 3, d: no}").unwrap();
    assert_eq!(merged["y"], json!({"b": 3, "c": [2], "d": "no"}));
    for (text, milliseconds) in [
        ("200ms", Some(200)),
        ("1m30s", Some(90_000)),
        ("5", None),
        ("", None),
        ("s", None),
    ] {
        assert_eq!(duration(text), milliseconds, "{text:?}");
    }
    for (text, bytes) in [
        ("1k", Some(1024)),
        ("2gb", Some(2 << 30)),
        ("5", None),
        ("1x", None),
    ] {
        assert_eq!(size(text), bytes, "{text:?}");
    }
    let environment = BTreeMap::from([("A".to_owned(), "1".to_owned())]);
    assert_eq!(
        interpolate("${A:-2} ${B:-3} $$C", &environment).unwrap(),
        "1 3 $C"
    );
    assert!(interpolate("$A", &environment).is_err() && interpolate("${A}", &environment).is_err());
    let port = Port::parse("127.0.0.1:80:8080/tcp").unwrap();
    assert_eq!(
        (port.host.as_deref(), port.published, port.container),
        (Some("127.0.0.1"), Some(80), 8080)
    );
}
