//! `remember`: keep a fact or a decision, or bring one up to date.

use super::{Call, Effect, Tool};
use crate::capture::Capture;
use crate::error::{Error, Result};
use crate::mcp::arguments::{Arguments, Shape, optional, required};
use crate::mcp::render;
use crate::memory::time::{Direction, parse_when};
use crate::memory::{Kind, Memory, MemoryId};

pub(super) const TOOL: Tool = Tool {
    name: "remember",
    title: "Remember",
    about: "Keep one decision, preference or hard-won fact, with its reason. \
            Write it to be understood without this conversation.",
    fields: &[
        required("content", Shape::Text, ""),
        optional("kind", Shape::OneOf(&["note", "summary"]), "Default note."),
        optional("key", Shape::Text, "Replaces the note with this key."),
        optional("tags", Shape::Texts, ""),
        optional("pinned", Shape::Flag, "Show at every session start."),
        optional("expires", Shape::Text, "Date or duration (30d)."),
        optional("id", Shape::Text, "Update this memory; history is kept."),
    ],
    effect: Effect::Adds,
    always_load: true,
    run: |call, arguments| Box::pin(run(call, arguments)),
};

async fn run(call: &Call<'_>, arguments: &Arguments) -> Result<String> {
    let content = arguments.required_text("content")?;
    let kind = arguments
        .text("kind")
        .map(|word| Kind::parse("kind", word))
        .transpose()?;
    let expires_at = arguments
        .text("expires")
        .map(|word| parse_when("expires", word, call.now, Direction::Forward))
        .transpose()?;
    let former = match arguments.text("id") {
        Some(word) => Some(find(call, word.parse()?).await?),
        None => None,
    };

    let project = call.choice.project.clone();
    let mut capture = Capture::note(project, kind.unwrap_or(Kind::Note), content, "mcp");
    capture.session = call.caller.session();
    if let Some(former) = former {
        inherit(&mut capture, &former, kind);
    }
    if let Some(key) = arguments.text("key") {
        capture.key = Some(key.to_owned());
    }
    let tags = arguments.texts("tags");
    if !tags.is_empty() {
        capture.tags = tags;
    }
    if let Some(pinned) = arguments.flag("pinned") {
        capture.pinned = pinned;
    }
    capture.expires_at = expires_at.or(capture.expires_at);
    let captured = call.engine.capture(capture).await?;
    Ok(render::captured(&captured, call.choice))
}

async fn find(call: &Call<'_>, id: MemoryId) -> Result<Memory> {
    let found = call.engine.memories(&call.scope(), &[id]).await?;
    let memory = found
        .into_iter()
        .next()
        .ok_or_else(|| Error::NotFound(format!("id: no memory {id} in this project")))?;
    match memory.superseded_by {
        None => Ok(memory),
        Some(newer) => Err(Error::invalid(
            "id",
            format!("{id} is history already; update the version that replaced it, {newer}"),
        )),
    }
}

/// An update says only what changes; the rest stays as it was.
fn inherit(capture: &mut Capture, former: &Memory, kind: Option<Kind>) {
    if kind.is_none() && former.kind == Kind::Summary {
        capture.kind = Kind::Summary;
    }
    capture.replaces = Some(former.id);
    capture.key.clone_from(&former.key);
    capture.tags.clone_from(&former.tags);
    capture.pinned = former.pinned;
    capture.expires_at = former.expires_at;
}
