//! The server as the first process of a container.

use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{Home, Server, eventually, executable, skipped};

/// Whether this machine lets us make a container of the simplest kind.
fn can_unshare() -> bool {
    let tried = Command::new("unshare")
        .args(["--pid", "--fork", "--mount-proc", "--kill-child", "true"])
        .stderr(Stdio::null())
        .status();
    let entering = Command::new("nsenter")
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    tried.is_ok_and(|status| status.success()) && entering.is_ok()
}

/// The children of a process as the system lists them, dead ones that nobody buried included.
fn children(process: u32) -> Vec<u32> {
    let path = format!("/proc/{process}/task/{process}/children");
    let list = std::fs::read_to_string(path).unwrap_or_default();
    list.split_whitespace()
        .map(|word| word.parse().unwrap())
        .collect()
}

#[test]
fn as_first_process_it_ends_and_buries_orphans() {
    let test = "as_first_process_it_ends_and_buries_orphans";
    if !can_unshare() {
        return skipped(test, "there is no unshare, or it is not allowed");
    }
    let home = Home::new();
    let sage = home.command(["serve", "--listen", "127.0.0.1:0"]);
    let mut command = Command::new("unshare");
    command
        .args(["--pid", "--fork", "--mount-proc", "--kill-child"])
        .arg(executable())
        .args(sage.get_args())
        .env_clear()
        .envs(
            sage.get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .env("SAGE_LOG_FORMAT", "json");
    let server = Server::run(command);
    let value = server.get("/health/detailed").is(200).json();
    assert_eq!(value["process_id"], 1);
    let [sage] = children(server.id())[..] else {
        return skipped(test, "the system does not list children");
    };
    let orphans = 5;
    for _ in 0..orphans {
        let left = Command::new("nsenter")
            .args(["--target", &sage.to_string(), "--pid", "--mount"])
            .args(["sh", "-c", "sleep 1000 >/dev/null 2>&1 &"])
            .status()
            .unwrap();
        assert!(left.success());
    }
    let left = eventually("the orphans to be its children", || {
        Some(children(sage)).filter(|left| left.len() == orphans)
    });
    for orphan in left {
        let orphan = Pid::from_raw(orphan.try_into().unwrap()).unwrap();
        kill_process(orphan, Signal::KILL).unwrap();
    }
    eventually("all of them to be buried", || {
        children(sage).is_empty().then_some(())
    });
    server.get("/health").is(200);
    let sage = Pid::from_raw(sage.try_into().unwrap()).unwrap();
    kill_process(sage, Signal::TERM).unwrap();
    let ended = server.wait();
    assert_eq!(ended.status.code(), Some(0), "{:?}", ended.lines);
    assert!(ended.lines.last().unwrap().contains("stopped"));
}
