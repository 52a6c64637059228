//! The keys that the Compose specification knows, and the shapes of the values that ours use. What
//! is not here is a mistake: Compose itself takes some unknown keys without a word.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::super::Faults;
use super::values::{Port, duration, interpolate, size};

/// At the top of a file. `version` is left out: Compose v2 ignores it and says so.
const TOP: &str = "name include services models networks volumes secrets configs";

const SERVICE: &str = "annotations attach blkio_config build cap_add cap_drop cgroup cgroup_parent \
    command configs container_name cpu_count cpu_percent cpu_period cpu_quota cpu_rt_period \
    cpu_rt_runtime cpu_shares cpus cpuset credential_spec depends_on deploy develop \
    device_cgroup_rules devices dns dns_opt dns_search domainname entrypoint env_file environment \
    expose extends external_links extra_hosts gpus group_add healthcheck hostname image init ipc \
    isolation label_file labels links logging mac_address mem_limit mem_reservation \
    mem_swappiness memswap_limit models network_mode networks oom_kill_disable oom_score_adj pid \
    pids_limit platform ports post_start pre_stop privileged profiles provider pull_policy \
    pull_refresh_after read_only restart runtime scale secrets security_opt shm_size stdin_open \
    stop_grace_period stop_signal storage_opt sysctls tmpfs tty ulimits use_api_socket user \
    userns_mode uts volumes volumes_from working_dir";

const BUILD: &str = "additional_contexts args cache_from cache_to context dockerfile \
    dockerfile_inline entitlements extra_hosts isolation labels network no_cache platforms \
    privileged pull secrets shm_size ssh tags target ulimits";

const HEALTHCHECK: &str = "disable interval retries start_interval start_period test timeout";

const DEPENDS_ON: &str = "condition required restart";

const LOGGING: &str = "driver options";

const NETWORK: &str =
    "attachable driver driver_opts enable_ipv4 enable_ipv6 external internal ipam labels name";

const VOLUME: &str = "driver driver_opts external labels name";

const SECRET: &str = "driver driver_opts environment external file labels name template_driver";

/// What a value must be, wherever its key stands in a service.
type Shape = (&'static str, &'static str, fn(&Value) -> bool);

const SHAPES: &[Shape] = &[
    ("cpus", "a number of cores", |value| {
        value.as_f64().is_some_and(|cores| cores > 0.0)
    }),
    ("condition", "a condition", |value| {
        let known = [
            "service_started",
            "service_healthy",
            "service_completed_successfully",
        ];
        known.iter().any(|word| value == word)
    }),
    ("init", "true or false", Value::is_boolean),
    ("interval", "a duration", is_duration),
    ("mem_limit", "a size in bytes", is_size),
    ("mem_reservation", "a size in bytes", is_size),
    ("memswap_limit", "a size in bytes", is_size),
    ("pids_limit", "a count", is_count),
    ("privileged", "true or false", Value::is_boolean),
    ("read_only", "true or false", Value::is_boolean),
    ("required", "true or false", Value::is_boolean),
    ("retries", "a count", is_count),
    ("shm_size", "a size in bytes", is_size),
    ("start_interval", "a duration", is_duration),
    ("start_period", "a duration", is_duration),
    ("stop_grace_period", "a duration", is_duration),
    (
        "test",
        "a list that begins with CMD, CMD-SHELL or NONE",
        |value| {
            ["CMD", "CMD-SHELL", "NONE"]
                .iter()
                .any(|word| value[0] == *word)
        },
    ),
    ("timeout", "a duration", is_duration),
];

/// The lists in a service whose entries are strings.
const LISTS: &str =
    "cap_add cap_drop command networks ports secrets security_opt test tmpfs volumes";

/// The restart policies.
const RESTART: &[&str] = &["no", "always", "on-failure", "unless-stopped"];

/// What is wrong with a file, by the specification alone.
pub(super) fn conforms(file: &Value, faults: &mut Faults) {
    keys("file", file, TOP, faults);
    for (section, known) in [
        ("networks", NETWORK),
        ("volumes", VOLUME),
        ("secrets", SECRET),
    ] {
        for (name, value) in entries(&file[section]) {
            keys(&format!("{section}.{name}"), value, known, faults);
        }
    }
    for (name, service) in entries(&file["services"]) {
        let place = format!("services.{name}");
        keys(&place, service, SERVICE, faults);
        shapes(&place, service, faults);
        for (part, known) in [
            ("build", BUILD),
            ("healthcheck", HEALTHCHECK),
            ("logging", LOGGING),
        ] {
            let place = format!("{place}.{part}");
            keys(&place, &service[part], known, faults);
            shapes(&place, &service[part], faults);
        }
        for (other, condition) in entries(&service["depends_on"]) {
            let place = format!("{place}.depends_on.{other}");
            keys(&place, condition, DEPENDS_ON, faults);
            shapes(&place, condition, faults);
            let known = file["services"].get(other).is_some();
            faults.unless(known, format!("{place}: there is no such service"));
        }
        references(&place, service, file, faults);
    }
}

/// The entries of a map; none where there is no map.
pub(super) fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

/// The strings of a list; none where there is no list.
pub(super) fn strings(value: &Value) -> Vec<&str> {
    let items = value.as_array().into_iter().flatten();
    items.filter_map(Value::as_str).collect()
}

fn keys(place: &str, value: &Value, known: &str, faults: &mut Faults) {
    let map = value.is_object() || value.is_null();
    faults.unless(map, format!("{place}: write a map, not {value}"));
    for (key, _) in entries(value) {
        let known = key.starts_with("x-") || known.split_whitespace().any(|name| name == key);
        faults.unless(known, format!("{place}.{key}: Compose knows no such key"));
    }
}

fn shapes(place: &str, value: &Value, faults: &mut Faults) {
    for (key, value) in entries(value) {
        if let Some((_, wanted, fits)) = SHAPES.iter().find(|(name, ..)| name == key) {
            faults.unless(
                fits(value),
                format!("{place}.{key}: {value} is not {wanted}"),
            );
        }
        if LISTS.split_whitespace().any(|name| name == key) {
            let all = value
                .as_array()
                .is_some_and(|list| list.iter().all(Value::is_string));
            faults.unless(
                all,
                format!("{place}.{key}: {value} is not a list of strings"),
            );
        }
        if key == "restart" {
            let known = match place.contains(".depends_on.") {
                true => value.is_boolean(),
                false => RESTART.iter().any(|policy| value == policy),
            };
            faults.unless(
                known,
                format!("{place}.{key}: {value} is not one of {RESTART:?}"),
            );
        }
        if key == "environment" {
            let plain = entries(value).all(|(_, value)| value.is_string());
            faults.unless(
                plain && value.is_object(),
                format!("{place}: {key} maps to strings"),
            );
        }
    }
}

/// What a service names must be declared in the same file.
fn references(place: &str, service: &Value, file: &Value, faults: &mut Faults) {
    let mut declared = |section: &str, name: &str| {
        let known = file[section].get(name).is_some();
        faults.unless(known, format!("{place}: declare {name} under {section}"));
    };
    for network in strings(&service["networks"]) {
        declared("networks", network);
    }
    for secret in strings(&service["secrets"]) {
        declared("secrets", secret);
    }
    for mount in strings(&service["volumes"]) {
        let source = mount.split(':').next().unwrap();
        if !source.starts_with(['/', '.', '~']) {
            declared("volumes", source);
        }
    }
    for port in strings(&service["ports"]) {
        if let Err(error) = interpolate(port, &BTreeMap::new()).and_then(|port| Port::parse(&port))
        {
            faults.unless(false, format!("{place}.ports: {error}"));
        }
    }
}

fn is_duration(value: &Value) -> bool {
    value.as_str().and_then(duration).is_some()
}

fn is_size(value: &Value) -> bool {
    value.as_str().and_then(size).is_some()
}

fn is_count(value: &Value) -> bool {
    value.as_u64().is_some_and(|count| count > 0)
}
