//! The compose files: what Compose takes, and what holds for every container.

mod compose_1;
mod database;
mod keys;
mod model;
mod sage;
mod values;
mod variants;

use serde_json::{Value, json};

use super::Faults;
use keys::{entries, strings};
use values::{duration, size};

/// With PostgreSQL beside it.
const WITH_DATABASE: &str = "compose.yml";

/// Alone.
const EMBEDDED: &str = "compose.embedded.yml";

/// Laid over [`EMBEDDED`].
const REMOTE: &str = "compose.remote.yml";

/// The files in which Sage is described whole.
const WHOLE: &[&str] = &[WITH_DATABASE, EMBEDDED];

const FILES: &[&str] = &[WITH_DATABASE, EMBEDDED, REMOTE];

/// Rights and ties to the host that no container of Sage needs.
const UNNEEDED: &str = "cap_add cgroup cgroup_parent device_cgroup_rules devices env_file \
    extra_hosts gpus group_add ipc links pid privileged sysctls use_api_socket userns_mode uts \
    volumes_from";

/// What holds for each container: no rights, no secrets, bounded in everything.
fn hardened(service: &Value, faults: &mut Faults) {
    is(service, "read_only", json!(true), faults);
    is(service, "cap_drop", json!(["ALL"]), faults);
    is(
        service,
        "security_opt",
        json!(["no-new-privileges:true"]),
        faults,
    );
    is(service, "restart", json!("unless-stopped"), faults);
    for key in UNNEEDED.split_whitespace() {
        is(service, key, Value::Null, faults);
    }
    for mount in strings(&service["volumes"]) {
        let named = !mount.starts_with(['/', '.', '~']);
        faults.unless(
            named,
            format!("volumes: {mount} is of the host; name a volume"),
        );
    }
    bounded(service, faults);
    starts_soon(&service["healthcheck"], faults);
    keeps_no_secret(&service["environment"], faults);
}

/// A key has this value; null is for none.
fn is(service: &Value, key: &str, wanted: Value, faults: &mut Faults) {
    let found = &service[key];
    faults.unless(
        *found == wanted,
        format!("{key}: write {wanted}, not {found}"),
    );
}

fn bounded(service: &Value, faults: &mut Faults) {
    is(service, "pids_limit", json!(256), faults);
    let limited = service["mem_limit"].as_str().and_then(size);
    faults.unless(limited.is_some(), "mem_limit: bound the memory");
    let logging = &service["logging"];
    is(logging, "driver", json!("local"), faults);
    let bytes = logging["options"]["max-size"].as_str().and_then(size);
    faults.unless(bytes.is_some(), "logging: bound each file by max-size");
    let files = logging["options"]["max-file"].as_str();
    let files = files.and_then(|count| count.parse::<u8>().ok());
    faults.unless(
        files.is_some(),
        "logging: bound the files by max-file, a string",
    );
}

/// A secret comes in a file; who lists a container's environment must not find it.
fn keeps_no_secret(environment: &Value, faults: &mut Faults) {
    const SECRET: &[&str] = &["PASSWORD", "TOKEN", "SECRET", "KEY"];
    for (name, value) in entries(environment) {
        let text = value.as_str().unwrap_or_default();
        let secret = SECRET.iter().any(|word| name.contains(word));
        let file = name.ends_with("_FILE") && text.starts_with("/run/secrets/");
        faults.unless(
            !secret || file,
            format!("{name}: hand it in as a secret's file"),
        );
        let (_, rest) = text.split_once("://").unwrap_or_default();
        let user = rest.split_once('@').map_or("", |(user, _)| user);
        let open = user.contains(':') || text.contains("password=");
        faults.unless(
            !open,
            format!("{name}: take the password out of the address"),
        );
    }
}

/// The first checks come quickly, the later ones seldom.
fn starts_soon(healthcheck: &Value, faults: &mut Faults) {
    let milliseconds = |key: &str| {
        healthcheck[key]
            .as_str()
            .and_then(duration)
            .unwrap_or(u64::MAX)
    };
    faults.unless(
        milliseconds("start_interval") < 1_000,
        "start_interval: under a second",
    );
    for key in ["interval", "timeout", "start_period", "retries"] {
        faults.unless(
            !healthcheck[key].is_null(),
            format!("healthcheck: say {key}"),
        );
    }
    faults.unless(
        milliseconds("interval") >= 10_000,
        "interval: each check costs a process",
    );
    faults.unless(
        milliseconds("timeout") < milliseconds("interval"),
        "timeout: under interval",
    );
}
