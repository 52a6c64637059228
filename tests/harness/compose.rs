//! Compose files, read as Compose reads them, and cut down to what the old one knows.

use serde_json::Value;

/// What Compose 1.29 refuses, the one that Debian 12 has beside Engine 20.10: where it stands (`*`
/// is any name), and what is lost without it.
pub const UNKNOWN_TO_COMPOSE_1: &[(&str, &str)] = &[
    ("name", "the project is named by -p or by the folder"),
    (
        "services.*.depends_on.*.restart",
        "Sage reconnects by itself",
    ),
    (
        "services.*.healthcheck.start_interval",
        "Engine 20.10 has one interval; it takes 30 s",
    ),
];

/// Reads a file with anchors and `<<` resolved; a key that comes twice is an error.
pub fn parse(text: &str) -> Result<Value, String> {
    // As YAML 1.2 and Compose have it: `no` and `on` are words.
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| error.to_string())
}

/// The same file for Compose 1.29, as JSON, which is YAML too. It needs no `version`: 1.29 reads a
/// file without one by the specification, and `mem_limit`, `cpus` and `pids_limit` with it.
pub fn for_compose_1(text: &str) -> String {
    let mut file = parse(text).unwrap_or_else(|error| panic!("not a compose file: {error}"));
    for (path, _) in UNKNOWN_TO_COMPOSE_1 {
        let path: Vec<&str> = path.split('.').collect();
        remove(&mut file, &path);
    }
    serde_json::to_string_pretty(&file).unwrap()
}

/// Takes out what a path leads to, if there is anything.
fn remove(value: &mut Value, path: &[&str]) {
    let (Some(map), Some((name, rest))) = (value.as_object_mut(), path.split_first()) else {
        return;
    };
    if rest.is_empty() {
        map.remove(*name);
        return;
    }
    for (key, inner) in map.iter_mut() {
        if *name == "*" || name == key {
            remove(inner, rest);
        }
    }
}
