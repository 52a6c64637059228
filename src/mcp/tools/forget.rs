//! `forget`: delete for good, after a look at what would go.

use super::get_memory::read_ids;
use super::{Call, Effect, Tool};
use crate::engine::ForgetRequest;
use crate::error::{Error, Result};
use crate::mcp::arguments::{Arguments, KINDS, Shape, optional};
use crate::mcp::render;

pub(super) const TOOL: Tool = Tool {
    name: "forget",
    title: "Forget",
    about: "Delete memories for good, by ids or by filter. The first call only previews and gives \
            a code; the same call with confirm deletes.",
    fields: &[
        optional("ids", Shape::Texts, "These; else use the filter."),
        optional("kinds", Shape::SomeOf(KINDS), ""),
        optional("tags", Shape::Texts, ""),
        optional("session", Shape::Text, ""),
        optional("after", Shape::Text, "As in search_memory."),
        optional("before", Shape::Text, "The same."),
        optional("confirm", Shape::Text, "The preview's code."),
    ],
    effect: Effect::Deletes,
    always_load: false,
    run: |call, arguments| Box::pin(run(call, arguments)),
};

async fn run(call: &Call<'_>, arguments: &Arguments) -> Result<String> {
    let request = ForgetRequest {
        scope: call.scope(),
        ids: read_ids(arguments)?,
        filter: arguments.filter(call.now)?,
    };
    let names_ids = !request.ids.is_empty();
    if names_ids != request.filter.is_empty() {
        let message = match names_ids {
            true => "give either ids or a filter (kinds, tags, session, after, before), not both",
            false => "say what to forget: ids, or a filter (kinds, tags, session, after, before)",
        };
        return Err(Error::invalid("ids", message));
    }
    forget(call, &request, arguments.text("confirm")).await
}

/// Previews, or with the preview's code deletes.
pub(super) async fn forget(
    call: &Call<'_>,
    request: &ForgetRequest,
    code: Option<&str>,
) -> Result<String> {
    if let Some(reason) = call.silence() {
        return Ok(reason.to_owned());
    }
    if let Some(code) = code {
        let gone = call.engine.forget(request, code).await?;
        return Ok(format!(
            "Forgotten for good, earlier versions included: {gone}."
        ));
    }
    let preview = match call.engine.forget_preview(request).await {
        Ok(preview) => preview,
        Err(Error::NotFound(_)) => {
            return Ok("Nothing here matches; there is nothing to forget.".to_owned());
        }
        Err(error) => return Err(error),
    };
    let mut lines = vec![format!(
        "This would delete {} for good, earlier versions included:",
        render::count(preview.memories, "memory", "memories")
    )];
    lines.extend(preview.sample.iter().map(render::memory_line));
    let shown = preview.sample.len() as u64;
    if preview.memories > shown {
        lines.push(format!("and {} more", preview.memories - shown));
    }
    lines.push(format!(
        "Nothing is deleted yet. To delete exactly these, make the same call with confirm \"{}\".",
        preview.code
    ));
    Ok(lines.join("\n"))
}
