//! The PostgreSQL of `compose.yml`: reached over a socket in a shared volume and over nothing else.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::{Faults, check};
use super::keys::strings;
use super::values::{interpolate, size};
use super::{WITH_DATABASE, hardened, is};
use crate::harness::parse_compose as parse;

/// Where both services see the socket.
const SOCKETS: &str = "/var/run/postgresql";

fn holds(rule: fn(&Value, &mut Faults), breaks: &[(&str, &str)]) {
    check(
        WITH_DATABASE,
        parse,
        |file, faults| rule(&file["services"], faults),
        breaks,
    );
}

#[test]
fn the_database_is_shut_in() {
    holds(
        |services, faults| hardened(&services["postgres"], faults),
        &[
            ("cap_drop: [ALL]", "cap_drop: []"),
            ("mem_limit: 1g", "privileged: true"),
            ("start_interval: 500ms", "start_interval: 5s"),
            ("POSTGRES_DB: sage", "POSTGRES_PASSWORD: sage"),
            ("- database:", "- ./database:"),
        ],
    );
}

#[test]
fn nobody_but_sage_reaches_the_database() {
    holds(
        |services, faults| {
            let (sage, postgres) = (&services["sage"], &services["postgres"]);
            for (key, wanted) in [
                ("network_mode", json!("none")),
                ("networks", Value::Null),
                ("ports", Value::Null),
                ("expose", Value::Null),
                ("user", json!("postgres")),
                ("command", json!(["postgres", "-c", "listen_addresses="])),
                (
                    "image",
                    json!("${SAGE_POSTGRES_IMAGE:-pgvector/pgvector:pg18}"),
                ),
            ] {
                is(postgres, key, wanted, faults);
            }
            let environment = json!({
                "POSTGRES_USER": "sage",
                "POSTGRES_DB": "sage",
                "POSTGRES_HOST_AUTH_METHOD": "trust",
            });
            is(postgres, "environment", environment, faults);
            let mounted = |service: &Value, mount: String| {
                strings(&service["volumes"]).contains(&mount.as_str())
            };
            faults.unless(
                mounted(postgres, format!("socket:{SOCKETS}")),
                "postgres: mount socket where it puts its socket",
            );
            faults.unless(
                mounted(sage, format!("socket:{SOCKETS}:ro")),
                "sage: mount socket, read-only",
            );
            let url = sage["environment"]["SAGE_DATABASE_URL"]
                .as_str()
                .unwrap_or_default();
            let wanted = format!("postgres:///sage?host={SOCKETS}&user=sage");
            faults.unless(url == wanted, format!("SAGE_DATABASE_URL: {wanted}"));
        },
        &[
            ("network_mode: none", "networks: [front]"),
            (
                "network_mode: none",
                "network_mode: none\n    ports: [\"127.0.0.1:5432:5432\"]",
            ),
            ("\"listen_addresses=\"", "\"listen_addresses=*\""),
            ("user: postgres", "user: root"),
            ("POSTGRES_USER: sage", "POSTGRES_USER: root"),
            (
                "- socket:/var/run/postgresql:ro",
                "- socket:/var/run/postgresql",
            ),
            ("- socket:/var/run/postgresql\n", "- socket:/tmp\n"),
            ("pgvector:pg18", "pgvector:pg17"),
            ("user=sage", "user=sage&password=x"),
        ],
    );
}

#[test]
fn the_database_has_room() {
    holds(
        |services, faults| {
            let postgres = &services["postgres"];
            let volumes = strings(&postgres["volumes"]);
            // Since version 18 the image keeps each major version in a folder of its own below.
            let data = volumes.contains(&"database:/var/lib/postgresql");
            faults.unless(data, "mount database at /var/lib/postgresql, not at …/data");
            faults.unless(volumes.len() == 2, format!("volumes: two, not {volumes:?}"));
            let scratch = strings(&postgres["tmpfs"]);
            let scratch = scratch
                .first()
                .and_then(|mount| mount.strip_prefix("/tmp:"));
            let options: Vec<&str> = scratch.unwrap_or_default().split(',').collect();
            for option in ["mode=1777", "noexec", "nosuid", "nodev"] {
                faults.unless(
                    options.contains(&option),
                    format!("tmpfs: /tmp with {option}"),
                );
            }
            let bytes = options
                .iter()
                .find_map(|option| option.strip_prefix("size="));
            faults.unless(bytes.and_then(size).is_some(), "tmpfs: bound /tmp by size=");
            let shared = postgres["shm_size"].as_str().and_then(size);
            faults.unless(
                shared >= Some(128 << 20),
                "shm_size: parallel queries need 128m",
            );
        },
        &[
            (
                "database:/var/lib/postgresql",
                "database:/var/lib/postgresql/data",
            ),
            ("/tmp:size=64m,", "/tmp:"),
            ("noexec,", ""),
            ("shm_size: 128m", "shm_size: 64m"),
        ],
    );
}

#[test]
fn the_database_is_ready_before_sage_starts() {
    holds(
        |services, faults| {
            let waits = json!({"condition": "service_healthy", "restart": true});
            is(
                &services["sage"],
                "depends_on",
                json!({"postgres": waits}),
                faults,
            );
            let test = strings(&services["postgres"]["healthcheck"]["test"]);
            let line = match test[..] {
                ["CMD-SHELL", line] => interpolate(line, &BTreeMap::new()).unwrap_or_default(),
                _ => String::new(),
            };
            let (process, answer) = line.split_once(" && ").unwrap_or_default();
            faults.unless(
                process == "[ \"$(cat /proc/1/comm)\" = postgres ]",
                "healthcheck: process 1 must be postgres",
            );
            let words: Vec<&str> = answer.split_whitespace().collect();
            faults.unless(
                words == ["pg_isready", "-q", "-U", "sage", "-d", "sage"],
                "healthcheck: … and pg_isready -q -U sage -d sage",
            );
        },
        &[
            ("condition: service_healthy", "condition: service_started"),
            ("[ \"$$(cat /proc/1/comm)\" = postgres ] && ", ""),
            ("= postgres ] && ", "= postgres ] || "),
            ("$$(cat", "$(cat"),
            ("-d sage", "-d postgres"),
        ],
    );
}
