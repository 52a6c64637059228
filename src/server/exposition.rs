//! The text format of Prometheus, version 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>).

use std::fmt::Write;

use crate::engine::HistogramSnapshot;

/// The media type of the format.
pub const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A label with its value.
pub type Label<'a> = (&'a str, &'a str);

/// A page of metrics, written family by family.
#[derive(Default)]
pub struct Page(String);

impl Page {
    /// Opens a family: the lines that follow belong to it.
    pub fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// One line.
    pub fn sample(&mut self, name: &str, labels: &[Label<'_>], value: impl std::fmt::Display) {
        let _ = writeln!(self.0, "{name}{} {value}", braces(labels));
    }

    /// A family of one line.
    pub fn single(&mut self, name: &str, kind: &str, help: &str, value: impl std::fmt::Display) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }

    /// A family of counters that differ in one label.
    pub fn counters<'a>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        counts: impl IntoIterator<Item = (&'a str, u64)>,
    ) {
        self.family(name, "counter", help);
        for (value, count) in counts {
            self.sample(name, &[(label, value)], count);
        }
    }

    /// The lines of one histogram.
    pub fn histogram(&mut self, name: &str, label: Label<'_>, histogram: &HistogramSnapshot) {
        let bucket = format!("{name}_bucket");
        for (bound, count) in histogram.bounds.iter().zip(histogram.counts) {
            let bound = bound.to_string();
            self.sample(&bucket, &[label, ("le", &bound)], count);
        }
        self.sample(&bucket, &[label, ("le", "+Inf")], histogram.count);
        self.sample(&format!("{name}_sum"), &[label], histogram.sum_seconds);
        self.sample(&format!("{name}_count"), &[label], histogram.count);
    }

    /// The page.
    pub fn finish(self) -> String {
        self.0
    }
}

fn braces(labels: &[Label<'_>]) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let pairs: Vec<_> = labels
        .iter()
        .map(|(name, value)| format!("{name}=\"{}\"", escape(value)))
        .collect();
    format!("{{{}}}", pairs.join(","))
}

fn escape(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        assert_eq!(braces(&[]), "");
        assert_eq!(
            braces(&[("a", "x\\y\"z\n"), ("b", "")]),
            "{a=\"x\\\\y\\\"z\\n\",b=\"\"}"
        );
    }
}
