//! Resources: memories and sessions by address, for clients that let people attach them.

use serde_json::{Value, json};

use super::eras::Era;
use super::rpc::{Fault, INVALID_PARAMS, Object, RESOURCE_NOT_FOUND};
use super::{Caller, Mcp, handoff, param_text, render, tools};
use crate::engine::ProjectChoice;
use crate::error::{Error, Result};
use crate::memory::{MemoryId, Page, Scope, Session};
use crate::text::{one_line, percent_decode, percent_encode};

const SCHEME: &str = "sage://";
const SESSIONS_URI: &str = "sage://sessions";
const STATUS_URI: &str = "sage://status";

/// A page of resources that a person picks from.
const SESSIONS_PER_PAGE: usize = 50;

/// Pickers show about this much of a title.
const TITLE_CHARS_MAX: usize = 80;

const MARKDOWN: &str = "text/markdown";
const PLAIN: &str = "text/plain";

/// The template whose variable completes to sessions.
pub(super) const SESSION_TEMPLATE: &str = "sage://session/{id}";
const MEMORY_TEMPLATE: &str = "sage://memory/{id}";

/// The result of `resources/templates/list`.
pub(super) fn templates() -> Value {
    json!({"resourceTemplates": [
        {
            "uriTemplate": MEMORY_TEMPLATE,
            "name": "memory",
            "title": "Memory",
            "description": "One memory in full.",
            "mimeType": MARKDOWN,
        },
        {
            "uriTemplate": SESSION_TEMPLATE,
            "name": "session",
            "title": "Session",
            "description": "Everything remembered of one session, oldest first.",
            "mimeType": MARKDOWN,
        },
    ]})
}

/// The result of `resources/list`: the two fixed ones, then the sessions, latest first. When the
/// store is away the fixed ones are listed all the same; the status among them says what is wrong.
pub(super) async fn list(
    mcp: &Mcp,
    caller: &Caller,
    params: &Object,
) -> std::result::Result<Value, Fault> {
    let cursor = match params.get("cursor") {
        None | Some(Value::Null) => None,
        Some(Value::String(cursor)) => Some(cursor.as_str()),
        Some(_) => return Err(Fault::params("cursor: expected a text")),
    };
    let page = match (sessions(mcp, caller, cursor).await, cursor) {
        (Ok(page), _) => page,
        (Err(Error::Invalid { .. }), Some(_)) => {
            return Err(Fault::params("cursor: not one of this list; start without"));
        }
        (Err(error), Some(_)) => return Err(error.into()),
        (Err(_), None) => {
            mcp.engine.count_degraded();
            Page {
                items: Vec::new(),
                next: None,
            }
        }
    };
    let fixed = match cursor {
        None => vec![
            resource(SESSIONS_URI, "sessions", "Sessions of this project", PLAIN),
            resource(STATUS_URI, "status", "How Sage is", PLAIN),
        ],
        Some(_) => Vec::new(),
    };
    let resources: Vec<_> = fixed
        .into_iter()
        .chain(page.items.iter().map(session_resource))
        .collect();
    Ok(match page.next {
        Some(next) => json!({"resources": resources, "nextCursor": next}),
        None => json!({"resources": resources}),
    })
}

async fn sessions(mcp: &Mcp, caller: &Caller, cursor: Option<&str>) -> Result<Page<Session>> {
    let choice = mcp.engine.choose_project(&caller.hints).await?;
    let scope = Scope::Project(choice.project);
    mcp.engine.sessions(&scope, SESSIONS_PER_PAGE, cursor).await
}

fn resource(uri: &str, name: &str, title: &str, mime: &str) -> Value {
    json!({"uri": uri, "name": name, "title": title, "mimeType": mime})
}

fn session_resource(session: &Session) -> Value {
    let title = session.title.as_deref().unwrap_or(&session.id);
    resource(
        &format!("{SCHEME}session/{}", percent_encode(&session.id)),
        &session.id,
        &one_line(title, TITLE_CHARS_MAX),
        MARKDOWN,
    )
}

/// The result of `resources/read`.
pub(super) async fn read(
    mcp: &Mcp,
    caller: &Caller,
    era: Era,
    params: &Object,
) -> std::result::Result<Value, Fault> {
    let uri = param_text(params, "uri")?;
    match content(mcp, caller, uri).await {
        Ok(Some((mime, text))) => {
            Ok(json!({"contents": [{"uri": uri, "mimeType": mime, "text": text}]}))
        }
        Ok(None) | Err(Error::NotFound(_) | Error::Invalid { .. }) => Err(not_found(era, uri)),
        Err(error) => Err(error.into()),
    }
}

fn not_found(era: Era, uri: &str) -> Fault {
    let code = match era {
        Era::Legacy => RESOURCE_NOT_FOUND,
        Era::Modern => INVALID_PARAMS,
    };
    Fault::new(code, "no such resource in this project").with(json!({"uri": uri}))
}

/// What is at an address, with its type; `None` where nothing can be.
async fn content(mcp: &Mcp, caller: &Caller, uri: &str) -> Result<Option<(&'static str, String)>> {
    if uri == STATUS_URI {
        let status = mcp.engine.status().await;
        if status.problem.is_some() {
            mcp.engine.count_degraded();
        }
        return Ok(Some((PLAIN, tools::describe_status(&status))));
    }
    let Some(path) = uri.strip_prefix(SCHEME) else {
        return Ok(None);
    };
    let choice = mcp.engine.choose_project(&caller.hints).await?;
    let (kind, id) = path.split_once('/').unwrap_or((path, ""));
    let body = match (kind, percent_decode(id).as_deref()) {
        ("sessions", Some("")) if uri == SESSIONS_URI => {
            let text = session_index(mcp, &choice).await?;
            return Ok(Some((PLAIN, named(&choice, &text))));
        }
        ("memory", Some(id)) => memory(mcp, &choice, id).await?,
        ("session", Some(id)) if !id.is_empty() => session(mcp, &choice, id).await?,
        _ => return Ok(None),
    };
    Ok(Some((MARKDOWN, named(&choice, &body))))
}

fn named(choice: &ProjectChoice, text: &str) -> String {
    format!("{}\n\n{text}", render::project_line(choice))
}

async fn session_index(mcp: &Mcp, choice: &ProjectChoice) -> Result<String> {
    if let Some(reason) = tools::silence(choice) {
        return Ok(reason.to_owned());
    }
    let scope = Scope::Project(choice.project.clone());
    let page = mcp.engine.sessions(&scope, SESSIONS_PER_PAGE, None).await?;
    if page.items.is_empty() {
        return Ok("No sessions here yet.".to_owned());
    }
    let mut lines: Vec<_> = page.items.iter().map(render::session_line).collect();
    if page.next.is_some() {
        lines.push("Older ones: manage_session, action list.".to_owned());
    }
    Ok(lines.join("\n"))
}

async fn memory(mcp: &Mcp, choice: &ProjectChoice, id: &str) -> Result<String> {
    let id: MemoryId = id.parse()?;
    let missing = || Error::NotFound(format!("no memory {id} in this project"));
    if tools::silence(choice).is_some() {
        return Err(missing());
    }
    let scope = Scope::Project(choice.project.clone());
    let found = mcp.engine.memories(&scope, &[id]).await?;
    let memory = found.first().ok_or_else(missing)?;
    let history = mcp.engine.history(&scope, id).await?;
    Ok(render::memory(memory, &history))
}

async fn session(mcp: &Mcp, choice: &ProjectChoice, id: &str) -> Result<String> {
    if tools::silence(choice).is_some() {
        return Err(Error::NotFound(format!("no session {id}")));
    }
    let scope = Scope::Project(choice.project.clone());
    let session = mcp.engine.session(&scope, id).await?;
    let memories = handoff::memories_of(&mcp.engine, &scope, id).await?;
    let mut parts = vec![format!("# {}", render::session_line(&session))];
    parts.extend(memories.iter().map(|memory| render::memory(memory, &[])));
    Ok(parts.join("\n\n"))
}
