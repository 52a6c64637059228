//! `save_conversation`: keep an exchange as it was said.

use super::{Call, Effect, Tool};
use crate::capture::Capture;
use crate::error::Result;
use crate::mcp::arguments::{Arguments, Shape, optional, required};
use crate::mcp::render;

pub(super) const TOOL: Tool = Tool {
    name: "save_conversation",
    title: "Save conversation",
    about: "Keep a prompt with its reply word for word. \
            Where hooks are installed they do this by themselves.",
    fields: &[
        required("user_prompt", Shape::Text, ""),
        required("assistant_response", Shape::Text, ""),
        optional("metadata", Shape::Object, ""),
    ],
    effect: Effect::Adds,
    always_load: false,
    run: |call, arguments| Box::pin(run(call, arguments)),
};

pub(super) async fn run(call: &Call<'_>, arguments: &Arguments) -> Result<String> {
    let mut capture = Capture::turn(
        call.choice.project.clone(),
        arguments.required_text("user_prompt")?,
        arguments.required_text("assistant_response")?,
        "mcp",
    );
    capture.session = call.session();
    capture.metadata = arguments.object("metadata").cloned();
    let captured = call.engine.capture(capture).await?;
    Ok(render::captured(&captured, call.choice))
}
