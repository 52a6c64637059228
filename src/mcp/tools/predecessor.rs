//! The names of Sage's predecessor: unlisted, but whoever calls them gets what they meant. They
//! pass over arguments they do not know, as the predecessor did.

use super::{Call, Effect, Tool, get_context, get_status, manage_session, save_conversation};
use crate::error::Result;
use crate::mcp::arguments::{Arguments, Shape, optional};

const fn tool(name: &'static str, fields: &'static [super::Field], run: super::Run) -> Tool {
    Tool {
        name,
        title: "",
        about: "",
        fields,
        effect: Effect::Deletes,
        always_load: false,
        run,
    }
}

const TOOLS: [Tool; 5] = [
    tool("S", save_conversation::TOOL.fields, |call, arguments| {
        Box::pin(save_conversation::run(call, arguments))
    }),
    tool("get_memory_stats", &[], |call, arguments| {
        Box::pin(get_status::run(call, arguments))
    }),
    tool(
        "clear_session",
        &[
            optional("session", Shape::Text, ""),
            optional("confirm", Shape::Text, ""),
        ],
        |call, arguments| Box::pin(clear_session(call, arguments)),
    ),
    tool(
        "generate_prompt",
        &[
            optional("context", Shape::Text, ""),
            optional("style", Shape::Text, ""),
        ],
        |call, arguments| Box::pin(generate_prompt(call, arguments)),
    ),
    tool("reset_circuit_breaker", &[], |call, arguments| {
        Box::pin(reset_circuit_breaker(call, arguments))
    }),
];

/// The tool of that name.
pub(super) fn find(name: &str) -> Option<&'static Tool> {
    const { &TOOLS }.iter().find(|tool| tool.name == name)
}

async fn clear_session(call: &Call<'_>, arguments: &Arguments) -> Result<String> {
    let session = manage_session::session_of(call, arguments)?;
    manage_session::clear(call, session, arguments.text("confirm")).await
}

/// A prompt that opens with what is remembered about its subject.
async fn generate_prompt(call: &Call<'_>, arguments: &Arguments) -> Result<String> {
    let subject = arguments.text("context").unwrap_or_default();
    let mut parts = Vec::new();
    if !subject.trim().is_empty() {
        parts.push(get_context::context(call, subject, call.context_tokens, false).await?);
        parts.push(format!("With that in mind, work on this: {subject}"));
    } else {
        parts.push("Look into the project's memory with get_context before you begin.".to_owned());
    }
    if let Some(style) = arguments.text("style") {
        parts.push(format!("Style: {style}"));
    }
    Ok(parts.join("\n\n"))
}

/// Whatever was left alone is asked again, the store at once.
async fn reset_circuit_breaker(call: &Call<'_>, arguments: &Arguments) -> Result<String> {
    let reset = match call.engine.reset_circuits().await.as_slice() {
        [] => "Nothing was left alone.".to_owned(),
        names => format!("To be asked again: {}.", names.join(", ")),
    };
    let status = get_status::run(call, arguments).await?;
    Ok(format!("{reset}\n{status}"))
}

/// Every former name, for tests.
#[cfg(test)]
pub(super) const NAMES: [&str; 5] = [
    "S",
    "get_memory_stats",
    "clear_session",
    "generate_prompt",
    "reset_circuit_breaker",
];
