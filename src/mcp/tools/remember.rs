//! `remember`: keep a fact or a decision, or bring one up to date.

use super::{Call, Effect, Tool};
use crate::capture::Capture;
use crate::error::Result;
use crate::mcp::arguments::{Arguments, Shape, optional, required};
use crate::mcp::render;
use crate::memory::Kind;
use crate::memory::time::Direction;

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
    let expires_at = arguments.when("expires", call.now, Direction::Forward)?;
    let former = match arguments.text("id") {
        Some(word) => Some(call.engine.current(&call.scope(), word.parse()?).await?),
        None => None,
    };

    let project = call.choice.project.clone();
    let mut capture = Capture::note(project, kind.unwrap_or(Kind::Note), content, "mcp");
    capture.session = call.session();
    if let Some(former) = former {
        capture.kind = kind.unwrap_or(match former.kind {
            Kind::Summary => Kind::Summary,
            Kind::Note | Kind::Turn => Kind::Note,
        });
        capture.take_place_of(&former);
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
