//! `search_memory`: an index of what fits, to choose from.

use super::{Call, Effect, KINDS, SCOPES, Tool, filter_of, scope_of};
use crate::error::{Error, Result};
use crate::mcp::arguments::{Arguments, Shape, optional, required};
use crate::memory::{Scope, time};
use crate::recall::{HITS_MAX, Hit, Recall, RecallRequest};

pub(super) const TOOL: Tool = Tool {
    name: "search_memory",
    title: "Search memory",
    about: "Ranked index of memories: id, date, kind, score, one line each. \
            Read the promising ones with get_memory.",
    fields: &[
        required("query", Shape::Text, "Distinctive words."),
        optional("kinds", Shape::SomeOf(KINDS), ""),
        optional("tags", Shape::Texts, "All of them."),
        optional("session", Shape::Text, "Session id."),
        optional(
            "after",
            Shape::Text,
            "Date (2026-05-01), RFC 3339 or age (7d).",
        ),
        optional("before", Shape::Text, "The same."),
        optional("scope", Shape::OneOf(SCOPES), "Default project."),
        optional("limit", Shape::Whole(1, HITS_MAX as u64), "Default 10."),
        optional("cursor", Shape::Text, "From the last page."),
    ],
    effect: Effect::Reads,
    always_load: true,
    run: |call, arguments| Box::pin(run(call, arguments)),
};

/// A page that a model reads in one glance, about 600 tokens.
const LIMIT_DEFAULT: usize = 10;

/// Whoever pages deeper should ask a better question; it also bounds the work of a page.
const OFFSET_MAX: usize = 1_000;

async fn run(call: &Call<'_>, arguments: &Arguments) -> Result<String> {
    let scope = match scope_of(call, arguments) {
        Ok(scope) => scope,
        Err(reason) => return Ok(reason.to_owned()),
    };
    let limit = arguments.whole("limit").unwrap_or(LIMIT_DEFAULT);
    let offset = arguments.text("cursor").map_or(Ok(0), read_cursor)?;
    let request = RecallRequest {
        query: arguments.required_text("query")?.to_owned(),
        scope,
        filter: filter_of(arguments, call.now)?,
        limit,
        offset,
    };
    let recall = call.engine.recall(&request).await?;
    Ok(index(&recall, &request))
}

fn index(recall: &Recall, request: &RecallRequest) -> String {
    if recall.hits.is_empty() {
        let reason = recall.silence.map(|silence| silence.reason());
        return reason.unwrap_or("No further hits.").to_owned();
    }
    let shows_project = request.scope == Scope::All;
    let mut lines: Vec<_> = recall
        .hits
        .iter()
        .map(|hit| index_line(hit, shows_project))
        .collect();
    lines.push("Full text: get_memory with these ids.".to_owned());
    let next = request.offset + recall.hits.len();
    if recall.more && next <= OFFSET_MAX {
        lines.push(format!(
            "More: the same call with cursor \"{}\".",
            write_cursor(next)
        ));
    }
    lines.join("\n")
}

fn index_line(hit: &Hit, shows_project: bool) -> String {
    let Hit { memory, score, .. } = hit;
    let project = match shows_project {
        true => format!(" {}", memory.project.key),
        false => String::new(),
    };
    format!(
        "{} {} {} {score:.2}{project} {}",
        memory.id,
        time::date(memory.created_at),
        memory.kind.name(),
        hit.extract
    )
}

/// How many hits to pass over, in a form that nobody is tempted to do arithmetic with.
fn write_cursor(offset: usize) -> String {
    format!("s{offset:04x}")
}

fn read_cursor(word: &str) -> Result<usize> {
    word.strip_prefix('s')
        .filter(|digits| digits.len() == 4 && !digits.starts_with('+'))
        .and_then(|digits| usize::from_str_radix(digits, 16).ok())
        .filter(|offset| *offset <= OFFSET_MAX)
        .ok_or_else(|| {
            Error::invalid(
                "cursor",
                "expected the cursor of an earlier page; leave it out to start again",
            )
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn cursors_come_back() {
        for offset in [0, 10, OFFSET_MAX] {
            assert_eq!(read_cursor(&write_cursor(offset)).unwrap(), offset);
        }
        for word in ["", "s", "10", "s+00a", "sffff", "s00000", "s\u{e9}00"] {
            assert!(read_cursor(word).is_err(), "{word}");
        }
    }
}
