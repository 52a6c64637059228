//! `manage_session`: look at conversations, name them, and choose where new memories belong.

use super::{Call, Effect, Tool, forget};
use crate::engine::ForgetRequest;
use crate::error::{Error, Result};
use crate::mcp::arguments::{Arguments, Shape, optional, required};
use crate::mcp::render;
use crate::memory::{Filter, MemoryId};

pub(super) const TOOL: Tool = Tool {
    name: "manage_session",
    title: "Manage sessions",
    about: "Sessions of this project: list, info, create, rename; switch decides where new \
            memories go; clear deletes one session's memories (preview first, then confirm). \
            Without session the current one is meant.",
    fields: &[
        required(
            "action",
            Shape::OneOf(&["list", "info", "create", "switch", "rename", "clear"]),
            "",
        ),
        optional("session", Shape::Text, "Id."),
        optional("title", Shape::Text, "For create, rename."),
        optional("confirm", Shape::Text, "For clear: the preview's code."),
        optional("cursor", Shape::Text, "For list."),
    ],
    effect: Effect::Manages,
    always_load: false,
    run: |call, arguments| Box::pin(run(call, arguments)),
};

/// A page of sessions that a model reads in one glance.
const SESSIONS_PER_PAGE: usize = 20;

/// The first look at a session: its latest memories, one line each.
const MEMORIES_SHOWN: usize = 10;

async fn run(call: &Call<'_>, arguments: &Arguments) -> Result<String> {
    let action = arguments.required_text("action")?;
    // Everything but create reads; without a project there is nothing to read.
    if let (Some(reason), true) = (call.silence(), action != "create") {
        return Ok(reason.to_owned());
    }
    match action {
        "list" => list(call, arguments.text("cursor")).await,
        "info" => info(call, &session_of(call, arguments)?).await,
        "create" => create(call, arguments).await,
        "switch" => switch(call, arguments).await,
        "rename" => rename(call, arguments).await,
        _ => {
            let session = session_of(call, arguments)?;
            clear(call, session, arguments.text("confirm")).await
        }
    }
}

async fn list(call: &Call<'_>, cursor: Option<&str>) -> Result<String> {
    let page = call
        .engine
        .sessions(&call.scope(), SESSIONS_PER_PAGE, cursor)
        .await?;
    if page.items.is_empty() {
        return Ok("No sessions here yet.".to_owned());
    }
    let current = call.session();
    let mut lines: Vec<_> = page
        .items
        .iter()
        .map(|session| {
            let is_current = current.as_ref() == Some(&session.id);
            let mark = if is_current { " (current)" } else { "" };
            format!("{}{mark}", render::session_line(session))
        })
        .collect();
    if let Some(next) = page.next {
        lines.push(format!("More: action list with cursor \"{next}\"."));
    }
    Ok(lines.join("\n"))
}

async fn info(call: &Call<'_>, id: &str) -> Result<String> {
    let session = call.engine.session(&call.scope(), id).await?;
    let filter = Filter {
        session: Some(id.to_owned()),
        ..Filter::default()
    };
    let page = call
        .engine
        .list(&call.scope(), &filter, MEMORIES_SHOWN, None)
        .await?;
    let mut lines = vec![render::session_line(&session)];
    if !page.items.is_empty() {
        lines.push("Latest first:".to_owned());
    }
    lines.extend(page.items.iter().map(render::memory_line));
    Ok(lines.join("\n"))
}

async fn create(call: &Call<'_>, arguments: &Arguments) -> Result<String> {
    let id = match arguments.text("session") {
        Some(id) => id.to_owned(),
        None => MemoryId::generate().to_string(),
    };
    let title = arguments.text("title");
    let session = call
        .engine
        .create_session(&call.choice.project, &id, title)
        .await?;
    Ok(format!(
        "{}\nNew memories go there after action switch with session \"{}\".",
        render::session_line(&session),
        session.id
    ))
}

async fn switch(call: &Call<'_>, arguments: &Arguments) -> Result<String> {
    let id = arguments
        .text("session")
        .ok_or_else(|| Error::invalid("session", "missing; switch needs the id to switch to"))?;
    let session = call.engine.session(&call.scope(), id).await?;
    call.caller.switch_session(&session.id);
    Ok(format!(
        "New memories of this connection now go to {}",
        render::session_line(&session)
    ))
}

async fn rename(call: &Call<'_>, arguments: &Arguments) -> Result<String> {
    let title = arguments
        .text("title")
        .ok_or_else(|| Error::invalid("title", "missing; rename needs the new title"))?;
    let id = session_of(call, arguments)?;
    let session = call
        .engine
        .rename_session(&call.scope(), &id, title)
        .await?;
    Ok(format!("Renamed: {}", render::session_line(&session)))
}

/// Forgets what a session holds.
pub(super) async fn clear(call: &Call<'_>, id: String, code: Option<&str>) -> Result<String> {
    let request = ForgetRequest {
        scope: call.scope(),
        ids: Vec::new(),
        filter: Filter {
            session: Some(id),
            ..Filter::default()
        },
    };
    forget::forget(call, &request, code).await
}

/// The session that is meant: the one named, else the current one.
pub(super) fn session_of(call: &Call<'_>, arguments: &Arguments) -> Result<String> {
    arguments
        .text("session")
        .map(str::to_owned)
        .or_else(|| call.session())
        .ok_or_else(|| {
            Error::invalid(
                "session",
                "missing; this client told no session of its own, so name one (action list)",
            )
        })
}
