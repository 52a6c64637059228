//! The predecessor's three paths, for programs that still call them.

use hyper::Method;

use super::{Call, Operation, PROJECT, Reply, SCOPE, memories, recall};
use crate::capture::Capture;
use crate::error::Result;
use crate::mcp::arguments::{Shape, optional, required};
use crate::recall::HITS_MAX;

pub(super) static SAVE_CONVERSATION: Operation = Operation {
    method: Method::POST,
    path: "/save_conversation",
    summary: "POST /api/memories, for former callers.",
    fields: &[
        required("user_prompt", Shape::Text, ""),
        required("assistant_response", Shape::Text, ""),
        optional("metadata", Shape::Object, ""),
        optional("session", Shape::Text, "Also as session_id."),
        PROJECT,
    ],
    has_body: true,
    is_former: true,
    answers: &[(200, "Captured")],
    run: |call| Box::pin(save_conversation(call)),
};

pub(super) static GET_CONTEXT: Operation = Operation {
    method: Method::POST,
    path: "/get_context",
    summary: "GET /api/context, for former callers.",
    fields: &[
        required("query", Shape::Text, ""),
        recall::MAX_TOKENS,
        PROJECT,
        SCOPE,
    ],
    has_body: true,
    is_former: true,
    answers: &[(200, "Context")],
    run: |call| Box::pin(recall::context(call)),
};

pub(super) static SEARCH_MEMORY: Operation = Operation {
    method: Method::POST,
    path: "/search_memory",
    summary: "GET /api/search, for former callers.",
    fields: &[
        required("query", Shape::Text, ""),
        optional(
            "limit",
            Shape::Whole(1, HITS_MAX as u64),
            "Also as max_results.",
        ),
        PROJECT,
        SCOPE,
    ],
    has_body: true,
    is_former: true,
    answers: &[(200, "Found")],
    run: |call| Box::pin(recall::search(call)),
};

async fn save_conversation(call: &Call<'_>) -> Result<Reply> {
    let reach = call.reach().await?;
    let mut capture = Capture::turn(
        reach.choice.project.clone(),
        call.arguments.required_text("user_prompt")?,
        call.arguments.required_text("assistant_response")?,
        "api",
    );
    let session = call.arguments.text("session");
    capture.session = session.or(call.hints.session.as_deref()).map(str::to_owned);
    capture.metadata = call.arguments.object("metadata").cloned();
    let captured = call.engine.capture(capture).await?;
    memories::told(call, &reach, &captured).await
}
