//! The figures of `tests/budgets.toml`, and what it takes to be within them.

use std::fmt;
use std::sync::OnceLock;

use serde::Deserialize;

use crate::harness::skipped;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    budget: Vec<Budget>,
    absent: Vec<Absent>,
}

/// What something may cost.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    pub name: String,
    pub what: String,
    pub predecessor: Option<String>,
    pub budget: f64,
    pub unit: Unit,
    /// What is held instead, where the budget is not reached yet; the table says so.
    pub held: Option<f64>,
    /// Whether it must stand close to what is measured.
    #[serde(default)]
    pub tight: bool,
    /// What it waits for, where it does not stand close yet.
    pub growing: Option<String>,
    pub why: String,
}

/// What must not be there.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Absent {
    pub what: String,
    pub crates: Vec<String>,
    /// Texts that an executable with it would hold.
    pub marks: Vec<String>,
    pub why: String,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    Bytes,
    Ms,
    Percent,
    Count,
}

/// A figure that was taken, or why it was not.
pub struct Reading {
    /// The name of its budget.
    pub name: &'static str,
    pub taken: Taken,
}

pub enum Taken {
    /// In the budget's unit, with what else is worth telling.
    Value(f64, String),
    /// This machine lacks something: a failure where `CI=true`.
    Missing(String),
}

/// How far a tight budget may stand above what is measured.
const SLACK: f64 = 1.2;

/// A fifth of a small count is less than one.
const COUNT_SLACK: f64 = 1.0;

fn file() -> &'static File {
    static FILE: OnceLock<File> = OnceLock::new();
    FILE.get_or_init(|| toml::from_str(include_str!("../budgets.toml")).unwrap())
}

/// All budgets, in the order of the table.
pub fn budgets() -> &'static [Budget] {
    &file().budget
}

pub fn absent() -> &'static [Absent] {
    &file().absent
}

/// The budget of that name.
#[track_caller]
pub fn budget(name: &str) -> &'static Budget {
    let found = budgets().iter().find(|budget| budget.name == name);
    found.unwrap_or_else(|| panic!("tests/budgets.toml has no {name}"))
}

impl Budget {
    /// What is wrong with a value, if anything is.
    pub fn complaint(&self, value: f64) -> Option<String> {
        let what = &self.what;
        let held = self.held.unwrap_or(self.budget);
        let (shown, limit) = (self.unit.show(value), self.unit.show(held));
        if value > held {
            return Some(format!(
                "{what}: {shown} is over its budget of {limit} ({})",
                self.why
            ));
        }
        if self.held.is_some() && value <= self.budget {
            return Some(format!(
                "{what}: {shown} is within its budget; take `held` out of tests/budgets.toml"
            ));
        }
        let allowed = match self.unit {
            Unit::Count => (value * SLACK).max(value + COUNT_SLACK),
            _ => value * SLACK,
        };
        let is_held = self.tight && self.growing.is_none();
        (is_held && held > allowed).then(|| {
            format!("{what}: it takes {shown} only; tighten {limit} in tests/budgets.toml")
        })
    }

    /// The row of the table, up to what was measured.
    pub fn row(&self) -> String {
        let predecessor = self.predecessor.as_deref().unwrap_or("");
        let row = format!("| {} | {predecessor} | {} |", self.what, self.shown());
        row.replace("|  |", "| |")
    }

    /// The figure as people read it.
    pub fn shown(&self) -> String {
        self.unit.show(self.budget)
    }
}

impl Unit {
    /// A value as people read it.
    pub fn show(self, value: f64) -> String {
        match self {
            Self::Bytes if value < 1e6 => format!("{} KB", digits(value / 1e3)),
            Self::Bytes => format!("{} MB", digits(value / 1e6)),
            Self::Ms => format!("{} ms", digits(value)),
            Self::Percent => format!("{} %", digits(value)),
            Self::Count => value.to_string(),
        }
    }
}

/// Two digits behind the point, none that say nothing.
fn digits(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl Reading {
    pub fn value(name: &'static str, value: f64, note: impl Into<String>) -> Self {
        let taken = Taken::Value(value, note.into());
        Self { name, taken }
    }

    pub fn missing(name: &'static str, why: impl Into<String>) -> Self {
        let taken = Taken::Missing(why.into());
        Self { name, taken }
    }

    /// What is wrong with it, if anything is.
    pub fn complaint(&self) -> Option<String> {
        match &self.taken {
            Taken::Value(value, _) => budget(self.name).complaint(*value),
            Taken::Missing(_) => None,
        }
    }
}

/// What stands in the table's last column.
impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.taken {
            Taken::Value(value, note) => {
                let budget = budget(self.name);
                f.write_str(&budget.unit.show(*value))?;
                if !note.is_empty() {
                    write!(f, " ({note})")?;
                }
                match *value > budget.budget {
                    true => f.write_str(", **over**"),
                    false => Ok(()),
                }
            }
            Taken::Missing(why) => write!(f, "not measured: {why}"),
        }
    }
}

/// Insists that all that was taken is within its budget, and tells of the rest.
#[track_caller]
pub fn hold(of: &str, readings: &[Reading]) {
    for reading in readings {
        match &reading.taken {
            Taken::Value(..) => {}
            Taken::Missing(why) => skipped(&format!("budgets: {}", reading.name), why),
        }
    }
    let complaints: Vec<_> = readings.iter().filter_map(Reading::complaint).collect();
    assert!(complaints.is_empty(), "{of}: {}", complaints.join("\n"));
}

fn example(tight: bool, growing: Option<&str>) -> Budget {
    Budget {
        name: "example".to_owned(),
        what: "an example".to_owned(),
        predecessor: None,
        budget: 1_200_000.0,
        unit: Unit::Bytes,
        held: None,
        tight,
        growing: growing.map(str::to_owned),
        why: "for example".to_owned(),
    }
}

#[test]
fn too_much_is_told_whatever_else_holds() {
    for (tight, growing) in [(false, None), (true, None), (true, Some("a part"))] {
        let budget = example(tight, growing);
        let complaint = budget.complaint(1_250_000.0).unwrap();
        assert!(complaint.contains("over its budget"), "{complaint}");
        assert_eq!(budget.complaint(1_100_000.0), None);
    }
}

#[test]
fn a_loose_figure_is_told_where_it_must_be_tight() {
    let complaint = example(true, None).complaint(900_000.0).unwrap();
    assert!(complaint.contains("tighten 1.2 MB"), "{complaint}");
    assert_eq!(example(true, Some("a part")).complaint(900_000.0), None);
    assert_eq!(example(false, None).complaint(900_000.0), None);
}

#[test]
fn what_is_held_instead_of_a_budget_is_told_when_it_is_no_longer_needed() {
    let mut budget = example(true, None);
    budget.held = Some(1_500_000.0);
    assert_eq!(budget.complaint(1_400_000.0), None);
    assert!(budget.complaint(1_600_000.0).is_some());
    let complaint = budget.complaint(1_200_000.0).unwrap();
    assert!(complaint.contains("take `held` out"), "{complaint}");
    budget.budget = 900_000.0;
    let complaint = budget.complaint(1_000_000.0).unwrap();
    assert!(complaint.contains("tighten 1.5 MB"), "{complaint}");
}

#[test]
fn a_small_count_may_stand_one_above() {
    let mut budget = example(true, None);
    (budget.unit, budget.budget) = (Unit::Count, 3.0);
    assert_eq!(budget.complaint(3.0), None);
    assert_eq!(budget.complaint(2.0), None);
    assert!(budget.complaint(1.0).is_some());
    assert!(budget.complaint(4.0).is_some());
}
