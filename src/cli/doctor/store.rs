//! The store, the folder that it is in, and the clock that its times come from.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{Finding, Setup, State};
use crate::claude::hooks::Spool;
use crate::cli::output;
use crate::memory::{Scope, Timestamp};

/// Below this something is bound to fail soon: a write of the log, or writing the database anew.
const FREE_BYTES_WARN: u64 = 1 << 30;

/// Below this not even a day's work fits.
const FREE_BYTES_FAIL: u64 = 64 << 20;

/// Before this there was no Sage: 2026-01-01, in seconds since 1970.
const EPOCH_S: u64 = 1_767_225_600;

/// Clocks of machines that keep time by the network differ by less.
pub(super) const CLOCK_SLACK: Duration = Duration::from_secs(300);

/// Events that wait longer than a session usually takes wait for something that does not come.
const WAITING_MAX: usize = 100;

/// Folders in the data folder that are looked into.
const DEPTH_MAX: usize = 3;

pub(super) async fn check(setup: &Setup) -> Vec<Finding> {
    let is_embedded = !setup.config.database.is_set();
    let folder = &setup.config.data_dir;
    let mut findings = Vec::new();
    // Looking must not make what is not there.
    let is_there = !is_embedded || folder.join("sage.db").exists();
    match is_there {
        true => findings.push(store(setup).await),
        false => {
            let text = format!("{}, made by the first memory", setup.engine.store_name());
            findings.push(Finding::ok("store", text));
        }
    }
    findings.push(permissions(folder));
    findings.extend(space(folder));
    findings.push(spool(setup));
    findings.push(clock(setup, is_there).await);
    findings
}

async fn store(setup: &Setup) -> Finding {
    let name = setup.engine.store_name();
    let inspection = match setup.engine.inspect(true).await {
        Ok(inspection) => inspection,
        // The error says what to do.
        Err(error) => return Finding::fail("store", name, error.to_string()),
    };
    if let Some(damage) = inspection.damage.first() {
        return Finding::fail(
            "store",
            format!("{name} is damaged: {damage}"),
            "save what can be read with `sage export`, move the database away with the -wal file \
             beside it, and `sage restore` a backup or `sage import sage` the export",
        );
    }
    let held = setup.engine.count(&Scope::All).await;
    let held = held.map_or(String::new(), |held| {
        format!(", {}", output::count(held.memories, "memory", "memories"))
    });
    let text = format!("{name}, schema {}{held}, sound", inspection.schema);
    Finding::ok("store", text)
}

/// What others on the machine could read.
fn permissions(folder: &Path) -> Finding {
    let name = "folder";
    let path = folder.display();
    let status = match fs::metadata(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Finding::ok(name, format!("{path}, not there yet"));
        }
        Err(error) => {
            let advice = "check who owns it, or set SAGE_DATA_DIR to another one";
            return Finding::fail(name, format!("{path} cannot be read: {error}"), advice);
        }
        Ok(status) => status,
    };
    let own = rustix::process::geteuid().as_raw();
    if status.uid() != own && own != 0 {
        let text = format!("{path} belongs to another user ({})", status.uid());
        return Finding::fail(name, text, "set SAGE_DATA_DIR to a folder of your own");
    }
    if status.permissions().mode() & 0o300 != 0o300 {
        let text = format!("{path} cannot be written");
        return Finding::fail(name, text, format!("chmod u+rwx {path}"));
    }
    let mut open = Vec::new();
    readable_by_others(folder, DEPTH_MAX, &mut open);
    match open.first() {
        Some(first) => Finding::warn(
            name,
            format!("other users may read {}", first.display()),
            format!("chmod -R go= {path}"),
        ),
        None => Finding::ok(name, format!("{path}, yours alone")),
    }
}

fn readable_by_others(path: &Path, depth: usize, open: &mut Vec<PathBuf>) {
    let Ok(status) = fs::symlink_metadata(path) else {
        return;
    };
    if status.permissions().mode() & 0o077 != 0 && !status.is_symlink() {
        open.push(path.to_owned());
    }
    if status.is_dir() && depth > 0 {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            readable_by_others(&entry.path(), depth - 1, open);
        }
    }
}

fn space(folder: &Path) -> Option<Finding> {
    let there = folder.ancestors().find(|folder| folder.is_dir())?;
    let disk = rustix::fs::statvfs(there).ok()?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let text = format!("{} free", output::size(free));
    let advice = "free some space: what does not fit is not kept";
    Some(match free {
        0..FREE_BYTES_FAIL => Finding::fail("disk", text, advice),
        FREE_BYTES_FAIL..FREE_BYTES_WARN => Finding::warn("disk", text, advice),
        _ => Finding::ok("disk", text),
    })
}

/// Events that wait for a store or a server.
fn spool(setup: &Setup) -> Finding {
    let name = "spool";
    let (mut waiting, mut damaged) = (0, 0);
    let folder = Spool::root(&setup.config.data_dir);
    let spools = fs::read_dir(&folder).into_iter().flatten().flatten();
    for spool in spools {
        for entry in fs::read_dir(spool.path()).into_iter().flatten().flatten() {
            match entry.file_name().to_string_lossy() {
                name if name.starts_with("damaged-") => damaged += 1,
                name if name.ends_with(".json") && !name.starts_with('.') => waiting += 1,
                _ => {}
            }
        }
    }
    let place = folder.display();
    match (waiting, damaged) {
        (0, 0) => Finding::ok(name, "nothing waits"),
        (0, _) => Finding::warn(
            name,
            format!("damaged events were set aside: {damaged}"),
            format!("look at damaged-* below {place} and delete them"),
        ),
        (1..WAITING_MAX, _) => Finding::new(
            name,
            State::Ok,
            format!("events wait: {waiting}"),
            "the next hook takes them in, if the store or the server is there",
        ),
        _ => Finding::warn(
            name,
            format!("events wait: {waiting}"),
            "the store or the server that they are for is away: see below and above",
        ),
    }
}

async fn clock(setup: &Setup, has_store: bool) -> Finding {
    let name = "clock";
    let now = Timestamp::now();
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    if since.unwrap_or_default() < Duration::from_secs(EPOCH_S) {
        let advice = "set the clock: memories are dated and ranked by it";
        return Finding::fail(name, format!("{now}, which is long ago"), advice);
    }
    let stats = match has_store {
        true => setup.engine.stats(&Scope::All).await.ok(),
        false => None,
    };
    let newest = stats.and_then(|stats| stats.span).map(|(_, newest)| newest);
    let ahead = newest.map_or(0, |newest| newest.as_millisecond() - now.as_millisecond());
    if u128::try_from(ahead).unwrap_or(0) > CLOCK_SLACK.as_millis() {
        let text = format!("{now}, and there is a memory from later than that");
        return Finding::warn(name, text, "set the clock, if it is behind");
    }
    Finding::ok(name, now.to_string())
}
