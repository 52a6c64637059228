//! Reports of `sage bench recall`: as a table, and beside a former one.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::number;
use super::score::MEASURES;
use crate::cli::output;
use crate::error::{Error, Result};
use crate::order::sort_by;

/// Points by which a measure may fall without being worse: less is a question that changed places
/// with another in a thousand.
const SLACK: f64 = 0.1;

/// Reads a report that was written with `--json`.
///
/// # Errors
/// Where it cannot be read or is none.
pub(super) fn read(path: &str) -> Result<Value> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Error::Io(format!("{path} could not be read: {error}")))?;
    let report: Option<Value> = serde_json::from_str(&text).ok();
    report
        .filter(|report| report.get("sets").is_some())
        .ok_or_else(|| {
            let what = format!("{path} is no report; `sage bench recall --json FILE` writes one");
            Error::invalid("--compare", what)
        })
}

/// For people: a row for each category of each set.
pub(super) fn table(report: &Value) -> String {
    let mut text = String::new();
    for (name, set) in entries(report, "sets") {
        let of = |pointer: &str| number(set, pointer);
        let _ = writeln!(
            text,
            "{}: {} stores, {} documents, {} questions",
            output::clean_line(name),
            of("/stores"),
            of("/documents"),
            of("/questions"),
        );
        let _ = write!(text, "{:24}{:>9}", "", "questions");
        for measure in MEASURES {
            let _ = write!(text, "{measure:>8}");
        }
        text.push('\n');
        for (level, category, score) in rows(set) {
            let label = output::clean_line(&format!("{level} {category}"));
            let label = output::pad(&output::fit(&label, LABEL_COLUMNS), LABEL_COLUMNS);
            let _ = write!(text, "{label} {:>9}", number(score, "/questions"));
            for measure in MEASURES {
                let _ = write!(text, "{:>8.1}", measured(score, measure));
            }
            text.push('\n');
        }
        if let Some(foreign) = set.get("foreign").filter(|foreign| !foreign.is_null()) {
            let silent = measured(foreign, "silent");
            let _ = writeln!(text, "{silent:.1} % of foreign questions return nothing");
        }
        let _ = writeln!(
            text,
            "context: {:.0} tokens a question, p50 {:.1} ms, p99 {:.1} ms; index {}\n",
            of("/tokens"),
            of("/latency_ms/p50"),
            of("/latency_ms/p99"),
            output::size(of("/index_bytes") as u64),
        );
    }
    text
}

const LABEL_COLUMNS: usize = 23;

/// What differs between two reports, and whether the second is worse: whether a measure of all
/// questions, or the silence on foreign ones, fell. What both do not have is not compared.
pub(super) fn compare(former: &Value, report: &Value) -> (String, bool) {
    let (mut text, mut is_worse) = (String::new(), false);
    for (name, set) in entries(report, "sets") {
        let Some(before) = former.pointer("/sets").and_then(|sets| sets.get(name)) else {
            let _ = writeln!(
                text,
                "{}: not in the former report",
                output::clean_line(name)
            );
            continue;
        };
        let mut tell = |what: &str, measure: &str, before: f64, now: f64, counts: bool| {
            let by = now - before;
            if by.abs() < SLACK {
                return;
            }
            // Silence is good where there is no answer, and bad where there is one.
            let fell = match measure == "silent" && what != FOREIGN {
                true => by > 0.0,
                false => by < 0.0,
            };
            is_worse |= fell && counts;
            let word = if fell && counts { "  worse" } else { "" };
            let name = output::clean_line(&format!("{name} {what}"));
            let _ = writeln!(
                text,
                "{name} {measure}: {before:.1} -> {now:.1} ({by:+.1}){word}"
            );
        };
        for (level, category, score) in rows(set) {
            let place = before
                .get("levels")
                .and_then(|levels| levels.get(level)?.get(category));
            let Some(old) = place else {
                continue;
            };
            for measure in MEASURES {
                let (old, new) = (measured(old, measure), measured(score, measure));
                let what = format!("{level} {category}");
                tell(&what, measure, old, new, category == "all");
            }
        }
        for (what, measure, pointer, counts) in [
            (FOREIGN, "silent", "/foreign/silent", true),
            ("context", "tokens", "/tokens", false),
            ("context", "p50 ms", "/latency_ms/p50", false),
            ("context", "p99 ms", "/latency_ms/p99", false),
        ] {
            tell(
                what,
                measure,
                number(before, pointer),
                number(set, pointer),
                counts,
            );
        }
    }
    let verdict = match (is_worse, text.is_empty()) {
        (true, _) => "It finds less than before.\n",
        (false, true) => "No difference.\n",
        (false, false) => "Nothing is worse.\n",
    };
    (text + verdict, is_worse)
}

const FOREIGN: &str = "foreign";

fn measured(score: &Value, measure: &str) -> f64 {
    score
        .get(measure)
        .and_then(Value::as_f64)
        .unwrap_or_default()
}

fn entries<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    let object = value.get(name).and_then(Value::as_object);
    object.into_iter().flat_map(Map::iter)
}

/// Level, category and score, memories before sessions.
fn rows(set: &Value) -> Vec<(&String, &String, &Value)> {
    let levels = entries(set, "levels");
    let mut all: Vec<_> = levels
        .flat_map(|(level, scores)| {
            let scores = scores.as_object().into_iter().flat_map(Map::iter);
            scores.map(move |(category, score)| (level, category, score))
        })
        .collect();
    // Stable, and "turn" is behind "session" in the alphabet.
    sort_by(&mut all, |(a, ..), (b, ..)| b.cmp(a));
    all
}
