//! What is in the image.

use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{Engine, Home, finish};

/// All that the engine adds to a container of an empty image.
const OF_THE_ENGINE: [&str; 12] = [
    ".dockerenv",
    "dev/",
    "dev/console",
    "dev/pts/",
    "dev/shm/",
    "etc/",
    "etc/hostname",
    "etc/hosts",
    "etc/mtab",
    "etc/resolv.conf",
    "proc/",
    "sys/",
];

#[test]
fn it_holds_two_executables_a_folder_and_who_they_run_as() {
    let Some(engine) = Engine::handed_over("containers::image") else {
        return;
    };
    let container = engine.ok(&["create", engine.image()]);
    let home = Home::new();
    let archive = home.path().join("root.tar").to_str().unwrap().to_owned();
    engine.ok(&["export", "--output", &archive, &container]);
    engine.ok(&["rm", &container]);
    let mut tar = Command::new("tar");
    tar.args(["--list", "--verbose", "--numeric-owner", "--file", &archive]);
    let table = finish(&mut tar).stdout;

    let mut files: Vec<_> = table
        .lines()
        .map(|line| {
            let words: Vec<_> = line.split_whitespace().collect();
            (words[5], words[0], words[1])
        })
        .filter(|(name, ..)| !OF_THE_ENGINE.contains(name))
        .collect();
    files.sort_unstable();
    assert_eq!(
        files,
        [
            ("data/", "drwxr-xr-x", "65532/65532"),
            ("etc/group", "-r--r--r--", "0/0"),
            ("etc/passwd", "-r--r--r--", "0/0"),
            ("healthcheck", "-r-xr-xr-x", "0/0"),
            ("sage", "-r-xr-xr-x", "0/0"),
        ]
    );
}

#[test]
fn the_engine_is_told_how_to_run_it() {
    let Some(engine) = Engine::handed_over("containers::image") else {
        return;
    };
    let image = engine.inspect(engine.image());
    let config = &image["Config"];
    assert_eq!(config["User"], "65532:65532");
    assert_eq!(config["WorkingDir"], "/data");
    assert_eq!(config["Entrypoint"], json!(["/sage"]));
    assert_eq!(config["Cmd"], json!(["serve"]));
    assert_eq!(config["StopSignal"], "SIGTERM");
    assert_eq!(config["ExposedPorts"], json!({"17800/tcp": {}}));
    assert_eq!(
        config["Healthcheck"]["Test"],
        json!(["CMD", "/healthcheck"])
    );
    let environment = config["Env"].as_array().unwrap();
    for setting in ["SAGE_LISTEN=0.0.0.0:17800", "SAGE_DATA_DIR=/data"] {
        assert!(
            environment.contains(&json!(setting)),
            "{setting}: {environment:?}"
        );
    }
    let label = |name: &str| &config["Labels"][format!("org.opencontainers.image.{name}")];
    assert_eq!(label("version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(
        label("revision"),
        "0000000000000000000000000000000000000000"
    );
    assert_eq!(label("created"), "2026-01-02T03:04:05Z");
    assert_eq!(image["Architecture"], architecture());
}

fn architecture() -> Value {
    json!(match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    })
}

#[test]
fn started_bare_it_says_in_one_line_what_to_add() {
    let Some(engine) = Engine::handed_over("containers::image") else {
        return;
    };
    let bare = engine.run(&["run", "--rm", engine.image()]);
    assert_ne!(bare.code, 0);
    assert_eq!(bare.stderr.lines().count(), 1, "{}", bare.stderr);
    for word in [
        "SAGE_TOKEN_FILE",
        "SAGE_TOKEN",
        "SAGE_ALLOW_INSECURE_BIND=1",
    ] {
        assert!(bare.stderr.contains(word), "{word}: {}", bare.stderr);
    }
}
