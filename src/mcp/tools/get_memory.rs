//! `get_memory`: memories in full.

use std::collections::HashSet;

use super::{Call, Effect, Tool, scope_of};
use crate::error::{Error, Result};
use crate::mcp::arguments::{Arguments, SCOPES, Shape, optional, required};
use crate::mcp::render;
use crate::memory::MemoryId;

pub(super) const TOOL: Tool = Tool {
    name: "get_memory",
    title: "Read memories",
    about: "Full text of memories by id.",
    fields: &[
        required("ids", Shape::Texts, "Up to 20."),
        optional("scope", Shape::OneOf(SCOPES), "Default project."),
    ],
    effect: Effect::Reads,
    always_load: false,
    run: |call, arguments| Box::pin(run(call, arguments)),
};

/// Twenty turns are already more than a client shows at once.
const IDS_MAX: usize = 20;

async fn run(call: &Call<'_>, arguments: &Arguments) -> Result<String> {
    let ids = read_ids(arguments)?;
    if ids.is_empty() || ids.len() > IDS_MAX {
        let message = format!("expected 1 to {IDS_MAX} ids, got {}", ids.len());
        return Err(Error::invalid("ids", message));
    }
    let scope = match scope_of(call, arguments) {
        Ok(scope) => scope,
        Err(reason) => return Ok(reason.to_owned()),
    };
    let memories = call.engine.memories(&scope, &ids).await?;
    let missing: Vec<_> = ids
        .iter()
        .filter(|id| !memories.iter().any(|memory| memory.id == **id))
        .map(MemoryId::to_string)
        .collect();
    let place = scope
        .project()
        .map_or("in any project", |_| "in this project");
    let not_found = format!("Not found {place}: {}.", missing.join(", "));
    if memories.is_empty() {
        return Err(Error::NotFound(not_found));
    }
    let mut parts = Vec::with_capacity(memories.len() + 1);
    for memory in &memories {
        let history = call.engine.history(&scope, memory.id).await?;
        parts.push(render::memory(memory, &history));
    }
    if !missing.is_empty() {
        parts.push(not_found);
    }
    Ok(parts.join("\n\n"))
}

/// Reads `ids`, each once.
pub(super) fn read_ids(arguments: &Arguments) -> Result<Vec<MemoryId>> {
    // A message has room for 200,000 of them.
    let (mut ids, mut seen) = (Vec::new(), HashSet::new());
    for word in arguments.texts("ids") {
        let id: MemoryId = word.parse()?;
        if seen.insert(id) {
            ids.push(id);
        }
    }
    Ok(ids)
}
