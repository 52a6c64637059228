//! `get_context`: what matters for a question, ready to read.

use super::search_memory::degraded_line;
use super::{Call, Effect, Tool};
use crate::config::CONTEXT_TOKENS_RANGE;
use crate::error::Result;
use crate::mcp::arguments::{Arguments, Shape, optional, required};
use crate::mcp::render;
use crate::memory::Filter;
use crate::recall::ContextRequest;
use crate::text::estimate_tokens;

pub(super) const TOOL: Tool = Tool {
    name: "get_context",
    title: "Get context",
    about: "What earlier sessions of this project say about a question, within a token budget. \
            Call it first when past decisions, errors or preferences may matter.",
    fields: &[
        required("query", Shape::Text, "The question, in plain words."),
        optional(
            "max_tokens",
            Shape::Whole(
                *CONTEXT_TOKENS_RANGE.start() as u64,
                *CONTEXT_TOKENS_RANGE.end() as u64,
            ),
            "Budget.",
        ),
        optional(
            "condense",
            Shape::Flag,
            "Let a model leave out lines, if more was found than fits; takes seconds.",
        ),
    ],
    effect: Effect::Reads,
    always_load: true,
    run: |call, arguments| Box::pin(run(call, arguments)),
};

async fn run(call: &Call<'_>, arguments: &Arguments) -> Result<String> {
    let tokens_max = arguments.whole("max_tokens").unwrap_or(call.context_tokens);
    let condense = arguments.flag("condense").unwrap_or_default();
    context(
        call,
        arguments.required_text("query")?,
        tokens_max,
        condense,
    )
    .await
}

/// The context, or the reason why there is none. The line that names the project counts, too.
pub(super) async fn context(
    call: &Call<'_>,
    query: &str,
    tokens_max: usize,
    condense: bool,
) -> Result<String> {
    if let Some(reason) = call.silence() {
        return Ok(reason.to_owned());
    }
    let head_tokens = estimate_tokens(&render::project_line(call.choice)) + 1;
    let context = call
        .engine
        .context(&ContextRequest {
            query: query.to_owned(),
            scope: call.scope(),
            filter: Filter::default(),
            tokens_max: tokens_max.saturating_sub(head_tokens),
            condense,
        })
        .await?;
    Ok(match context.silence {
        Some(silence) if context.text.is_empty() => {
            silence.reason().to_owned() + &degraded_line(context.degraded.as_deref())
        }
        _ => context.text + &done_without(condense, context.degraded.as_deref()),
    })
}

/// What a caller who waited for a model had to do without.
fn done_without(condense: bool, degraded: Option<&str>) -> String {
    let reason = degraded.filter(|_| condense);
    let say = |reason| format!("\nDegraded: {reason}.");
    reason.map(say).unwrap_or_default()
}
