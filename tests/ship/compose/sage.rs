//! The service that is Sage, wherever it is described whole.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::dockerfile::{self, Dockerfile, USER};
use super::super::{Faults, check, content, default_port};
use super::keys::strings;
use super::values::{Port, duration, interpolate};
use super::{WHOLE, hardened, is};
use crate::harness::parse_compose as parse;

/// Runs a rule over the service that is Sage, wherever it is described whole.
fn holds(rule: fn(&Value, &mut Faults), breaks: &[(&str, &str)]) {
    for file in WHOLE {
        check(
            file,
            parse,
            |file, faults| rule(&file["services"]["sage"], faults),
            breaks,
        );
    }
}

#[test]
fn sage_is_shut_in() {
    holds(
        hardened,
        &[
            ("read_only: true", "read_only: false"),
            ("cap_drop: [ALL]", "cap_drop: [NET_RAW]"),
            ("init: false", "cap_add: [CHOWN]"),
            ("init: false", "privileged: true"),
            ("init: false", "pid: host"),
            ("init: false", "devices: [/dev/fuse]"),
            ("no-new-privileges:true", "no-new-privileges:false"),
            ("unless-stopped", "always"),
            ("pids_limit: 256", "pids_limit: -1"),
            ("mem_limit: 256m", "mem_limit: much"),
            ("max-file: \"3\"", "compress: \"true\""),
            ("driver: local", "driver: json-file"),
            ("- data:/data", "- /var/run/docker.sock:/data"),
            ("start_interval: 200ms", "start_interval: 2s"),
            ("SAGE_LOG:", "SAGE_TOKEN:"),
        ],
    );
}

#[test]
fn sage_is_the_image_of_the_dockerfile() {
    holds(
        |sage, faults| {
            let image = Dockerfile::parse(&content(dockerfile::FILE)).unwrap();
            is(sage, "container_name", json!("sage"), faults);
            is(sage, "image", json!("sage:latest"), faults);
            is(
                sage,
                "build",
                json!({"context": ".", "dockerfile": dockerfile::FILE}),
                faults,
            );
            is(sage, "user", json!(format!("{USER}:{USER}")), faults);
            is(sage, "command", Value::Null, faults);
            is(sage, "entrypoint", Value::Null, faults);
            let check = image.last().last("HEALTHCHECK").unwrap();
            for (key, flag) in [
                ("interval", "interval"),
                ("timeout", "timeout"),
                ("start_period", "start-period"),
            ] {
                let found = sage["healthcheck"][key].as_str();
                faults.unless(found == check.flag(flag), format!("{key}: as in the image"));
            }
            let test = json!(["CMD", "/healthcheck"]);
            is(&sage["healthcheck"], "test", test, faults);
        },
        &[
            ("container_name: sage", "container_name: sage-1"),
            ("image: sage:latest", "image: sage"),
            ("dockerfile: Dockerfile.scratch", "dockerfile: Dockerfile"),
            ("user: \"65532:65532\"", "user: root"),
            ("\"/healthcheck\"]", "\"healthcheck\"]"),
            ("interval: 30s", "interval: 20s"),
        ],
    );
}

#[test]
fn sage_is_bounded_and_local() {
    holds(
        |sage, faults| {
            for (key, wanted) in [
                ("mem_limit", json!("256m")),
                ("memswap_limit", json!("256m")),
                ("cpus", json!(1)),
                ("init", json!(false)),
            ] {
                is(sage, key, wanted, faults);
            }
            let grace = sage["stop_grace_period"].as_str().and_then(duration);
            faults.unless(
                grace >= Some(5_000),
                "stop_grace_period: Sage takes up to 5 s",
            );
            let port = default_port();
            let ports: Vec<Port> = strings(&sage["ports"])
                .into_iter()
                .map(|port| interpolate(port, &BTreeMap::new()).unwrap_or_default())
                .filter_map(|port| Port::parse(&port).ok())
                .collect();
            let wanted = Port::parse(&format!("127.0.0.1:{port}:{port}")).unwrap();
            faults.unless(
                ports == [wanted],
                format!("ports: 127.0.0.1 alone, not {ports:?}"),
            );
            let networks = strings(&sage["networks"]);
            faults.unless(
                networks == ["front"],
                "networks: one that nobody else joins",
            );
            is(sage, "network_mode", Value::Null, faults);
            let data = strings(&sage["volumes"]).contains(&"data:/data");
            faults.unless(data, "volumes: memories are in data:/data");
        },
        &[
            ("\"127.0.0.1:${SAGE_PORT", "\"0.0.0.0:${SAGE_PORT"),
            ("\"127.0.0.1:${SAGE_PORT", "\"${SAGE_PORT"),
            (":-17800}:17800\"", ":-17800}:17801\""),
            ("memswap_limit: 256m", "memswap_limit: 512m"),
            ("cpus: 1", "cpus: 8"),
            ("init: false", "init: true"),
            ("networks: [front]", "network_mode: host"),
            ("- data:/data", "- data:/var"),
        ],
    );
}
