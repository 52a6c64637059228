//! `search_memory`: an index of what fits, to choose from.

use super::{Call, Effect, Tool, scope_of};
use crate::error::Result;
use crate::mcp::arguments::{Arguments, KINDS, SCOPES, Shape, optional, required};
use crate::memory::{Scope, time};
use crate::recall::{HITS_MAX, Hit, Recall, RecallRequest, cursor};

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

async fn run(call: &Call<'_>, arguments: &Arguments) -> Result<String> {
    let scope = match scope_of(call, arguments) {
        Ok(scope) => scope,
        Err(reason) => return Ok(reason.to_owned()),
    };
    let limit = arguments.whole("limit").unwrap_or(LIMIT_DEFAULT);
    let offset = arguments.text("cursor").map_or(Ok(0), cursor::read)?;
    let request = RecallRequest {
        query: arguments.required_text("query")?.to_owned(),
        scope,
        filter: arguments.filter(call.now)?,
        limit,
        offset,
    };
    let recall = call.engine.recall(&request).await?;
    Ok(index(&recall, &request))
}

fn index(recall: &Recall, request: &RecallRequest) -> String {
    if recall.hits.is_empty() {
        let reason = recall.silence.map(|silence| silence.reason());
        let reason = reason.unwrap_or("No further hits.").to_owned();
        return reason + &degraded_line(recall.degraded.as_deref());
    }
    let shows_project = request.scope == Scope::All;
    let mut lines: Vec<_> = recall
        .hits
        .iter()
        .map(|hit| index_line(hit, shows_project))
        .collect();
    lines.push("Full text: get_memory with these ids.".to_owned());
    if let Some(next) = cursor::next(request, recall) {
        lines.push(format!("More: the same call with cursor \"{next}\"."));
    }
    lines.extend(recall.corrections());
    lines.join("\n") + &degraded_line(recall.degraded.as_deref())
}

/// What an answer had to do without.
pub(super) fn degraded_line(degraded: Option<&str>) -> String {
    let say = |reason| format!("\nDegraded, searched by words alone: {reason}.");
    degraded.map(say).unwrap_or_default()
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
