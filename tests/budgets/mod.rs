//! What Sage may cost, by `tests/budgets.toml`, and the table of what it does cost.
//!
//! Whatever is there is measured: the host's release executable always, what `tools/dist` made, and
//! the image in an engine that was handed over. `SAGE_TEST_FULL=1` measures at full length, which
//! takes minutes.

mod figures;
mod load;
mod process;
mod sizes;
mod subjects;
mod times;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use figures::{Reading, hold};
use subjects::{Subject, best_subject, root, subjects};

/// The figure of that name in its unit, for a test elsewhere that holds it in its own way.
pub fn limit(name: &str) -> f64 {
    figures::budget(name).budget
}

/// How much is measured.
struct Lengths {
    is_full: bool,
    idle: Duration,
    memories: usize,
    requests: usize,
    connections: usize,
}

impl Lengths {
    fn of_this_run() -> Self {
        match std::env::var("SAGE_TEST_FULL").as_deref() {
            Ok("1") => Self {
                is_full: true,
                idle: Duration::from_secs(60),
                memories: 100_000,
                requests: 12_000,
                connections: 64,
            },
            _ => Self {
                is_full: false,
                idle: Duration::from_secs(5),
                memories: 10_000,
                requests: 2_000,
                connections: 16,
            },
        }
    }
}

/// One measurement at a time: side by side they would measure each other.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    // What failed in one says nothing about the next.
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Holds what `measure` takes of every executable that is here.
#[track_caller]
fn hold_each(test: &str, measure: impl Fn(&Subject) -> Vec<Reading>) {
    let _alone = alone();
    for subject in subjects(test) {
        hold(subject.name, &measure(&subject));
    }
}

#[test]
fn executables_are_small() {
    let _alone = alone();
    hold("host's release", &sizes::host_executable());
    hold("shipped", &sizes::executables());
}

#[test]
fn the_image_is_small() {
    hold("image", &sizes::image());
}

#[test]
fn the_crates_are_few() {
    hold("crates", &sizes::crates());
}

#[test]
fn a_server_starts_at_once() {
    hold_each("start", times::start);
}

#[test]
fn a_server_starts_at_once_with_postgresql() {
    hold_each("start with PostgreSQL", times::start_postgres);
}

#[test]
fn a_hook_is_over_at_once() {
    hold_each("hook", times::hook);
}

#[test]
fn health_is_told_at_once() {
    hold_each("health", times::health);
}

#[test]
fn a_server_ends_at_once() {
    hold_each("end", times::shutdown);
}

#[test]
fn a_server_sleeps_while_nobody_asks() {
    let lengths = Lengths::of_this_run();
    hold_each("idle", |subject| load::idle(subject, &lengths));
}

#[test]
fn memory_is_bounded_under_load_and_given_back() {
    let lengths = Lengths::of_this_run();
    hold_each("load", |subject| load::load(subject, &lengths));
}

#[test]
#[ignore = "prints how long hooks take over 10,000 and 100,000 memories; it takes minutes"]
fn hooks_by_size() {
    let _alone = alone();
    let subject = best_subject();
    for memories in [10_000, 100_000] {
        let times = times::hook_times(&subject, memories);
        println!(
            "{memories} memories: command p50 {:.1} p99 {:.1} ms; HTTP p50 {:.1} p99 {:.1} ms",
            times.command.0, times.command.1, times.http.0, times.http.1
        );
    }
}

/// Everything, of what is shipped where that is there.
fn everything() -> Vec<Reading> {
    let _alone = alone();
    let lengths = Lengths::of_this_run();
    let subject = best_subject();
    let groups = [
        sizes::image(),
        sizes::executables(),
        sizes::host_executable(),
        times::start(&subject),
        times::start_postgres(&subject),
        times::health(&subject),
        load::idle(&subject, &lengths),
        load::idle_host(),
        load::load(&subject, &lengths),
        times::shutdown(&subject),
        times::hook(&subject),
        sizes::crates(),
    ];
    groups.into_iter().flatten().collect()
}

#[test]
#[ignore = "prints the table of README.md and takes minutes: `just budgets`"]
fn table() {
    let readings = everything();
    println!(
        "\n\nTimes, memory and load are of: {}.\n",
        best_subject().name
    );
    println!("| what | predecessor | budget | measured |\n|---|---|---|---|");
    for budget in figures::budgets() {
        let reading = readings.iter().find(|reading| reading.name == budget.name);
        let measured = reading.map_or("not measured: only at full length".to_owned(), |reading| {
            reading.to_string()
        });
        println!("{} {measured} |", budget.row());
    }
    println!();
    let complaints: Vec<_> = readings.iter().filter_map(Reading::complaint).collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn the_readme_states_the_budgets() {
    for page in ["README.md", "README.zh-CN.md"] {
        let text = std::fs::read_to_string(root().join(page)).unwrap();
        for budget in figures::budgets() {
            let row = budget.row();
            let is_there = match page {
                "README.md" => text.contains(&row),
                // Its words are its own, its figures are not.
                _ => text.contains(&format!("| {} |", budget.shown())),
            };
            assert!(is_there, "{page} has no row {row}");
        }
    }
}
