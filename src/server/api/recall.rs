//! Search and context.

use hyper::Method;
use serde_json::{Value, json};

use super::{CURSOR, Call, Operation, PROJECT, Reply, SCOPE};
use crate::config::CONTEXT_TOKENS_RANGE;
use crate::error::Result;
use crate::mcp::arguments::{Field, KINDS, Shape, optional, required};
use crate::memory::json::MemoryJson;
use crate::recall::{ContextRequest, HITS_MAX, Hit, RecallRequest, Silence, cursor};

const QUERY: Field = required("query", Shape::Text, "The question, in any words.");
pub(super) const KINDS_FIELD: Field = optional("kinds", Shape::SomeOf(KINDS), "Only these kinds.");
pub(super) const TAGS: Field = optional("tags", Shape::Texts, "Only with all of these tags.");
pub(super) const SESSION: Field = optional("session", Shape::Text, "Only of this session.");
pub(super) const AFTER: Field = optional(
    "after",
    Shape::Text,
    "Only said then or later: a date (2026-05-01), RFC 3339, or an age (12h, 7d, 2w).",
);
pub(super) const BEFORE: Field = optional("before", Shape::Text, "Only said before; the same.");

/// As many as a page of a terminal shows.
const LIMIT_DEFAULT: usize = 10;

pub(super) static SEARCH: Operation = Operation {
    method: Method::GET,
    path: "/api/search",
    summary: "Find memories, best first.",
    fields: &[
        QUERY,
        PROJECT,
        SCOPE,
        KINDS_FIELD,
        TAGS,
        SESSION,
        AFTER,
        BEFORE,
        optional("limit", Shape::Whole(1, HITS_MAX as u64), "Default 10."),
        CURSOR,
    ],
    has_body: false,
    is_former: false,
    answers: &[(200, "Found")],
    run: |call| Box::pin(search(call)),
};

pub(super) static CONTEXT: Operation = Operation {
    method: Method::GET,
    path: "/api/context",
    summary: "What a model would be given about a question.",
    fields: &[
        QUERY,
        PROJECT,
        SCOPE,
        KINDS_FIELD,
        TAGS,
        SESSION,
        AFTER,
        BEFORE,
        MAX_TOKENS,
        optional(
            "condense",
            Shape::Flag,
            "Let a model leave out lines, if more was found than fits; takes seconds.",
        ),
    ],
    has_body: false,
    is_former: false,
    answers: &[(200, "Context")],
    run: |call| Box::pin(context(call)),
};

pub(super) const MAX_TOKENS: Field = optional(
    "max_tokens",
    Shape::Whole(
        *CONTEXT_TOKENS_RANGE.start() as u64,
        *CONTEXT_TOKENS_RANGE.end() as u64,
    ),
    "The budget, in estimated tokens.",
);

pub(super) async fn search(call: &Call<'_>) -> Result<Reply> {
    let reach = call.reach().await?;
    let request = RecallRequest {
        query: call.arguments.required_text("query")?.to_owned(),
        scope: reach.scope.clone(),
        filter: call.arguments.filter(call.now)?,
        limit: call.limit(LIMIT_DEFAULT),
        offset: call.arguments.text("cursor").map_or(Ok(0), cursor::read)?,
    };
    let found = match reach.silence() {
        Some(_) => None,
        None => Some(call.engine.recall(&request).await?),
    };
    let hits = found.iter().flat_map(|found| &found.hits);
    let silence = match &found {
        Some(found) => found.silence,
        None => reach.silence(),
    };
    Ok(Reply::ok(reach.with(json!({
        "hits": hits.map(hit_json).collect::<Vec<_>>(),
        "next": found.as_ref().and_then(|found| cursor::next(&request, found)),
        "silence": silence.map(Silence::reason),
        "degraded": found.as_ref().and_then(|found| found.degraded.as_deref()),
    }))))
}

fn hit_json(hit: &Hit) -> Value {
    json!({
        // The digits that mean something; JSON would print seven more.
        "score": (f64::from(hit.score) * 1e4).round() / 1e4,
        "extract": hit.extract,
        "memory": MemoryJson::new(&hit.memory),
    })
}

pub(super) async fn context(call: &Call<'_>) -> Result<Reply> {
    let reach = call.reach().await?;
    let tokens_max = call.arguments.whole("max_tokens");
    let request = ContextRequest {
        query: call.arguments.required_text("query")?.to_owned(),
        scope: reach.scope.clone(),
        filter: call.arguments.filter(call.now)?,
        tokens_max: tokens_max.unwrap_or(call.context_tokens),
        condense: call.arguments.flag("condense").unwrap_or_default(),
    };
    if let Some(silence) = reach.silence() {
        return Ok(Reply::ok(reach.with(json!({
            "text": "", "tokens": 0, "memories": [], "silence": silence.reason(),
            "degraded": null,
        }))));
    }
    let context = call.engine.context(&request).await?;
    let ids: Vec<_> = context
        .hits
        .iter()
        .map(|hit| hit.memory.id.to_string())
        .collect();
    Ok(Reply::ok(reach.with(json!({
        "text": context.text,
        "tokens": context.tokens,
        "memories": ids,
        "silence": context.silence.map(Silence::reason),
        "degraded": context.degraded,
    }))))
}
