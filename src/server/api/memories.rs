//! Memories: list, make, read, replace, delete.

use hyper::{Method, StatusCode};
use serde_json::json;

use super::recall::{AFTER, BEFORE, KINDS_FIELD, SESSION, TAGS};
use super::{CURSOR, Call, Operation, PROJECT, Reach, Reply, SCOPE};
use crate::capture::{Capture, Captured};
use crate::engine::{ForgetRequest, PAGE_MAX};
use crate::error::{Error, Result};
use crate::mcp::arguments::{Field, KINDS, Shape, optional, required};
use crate::memory::json::MemoryJson;
use crate::memory::time::Direction;
use crate::memory::{Filter, Kind, Memory};
use crate::recall::Silence;
use crate::text::percent_encode;

/// Where it came from, as memories say it.
const SOURCE: &str = "api";

/// A page that is quickly read and quickly sent.
const LIMIT_DEFAULT: usize = 50;

const KEY: Field = optional(
    "key",
    Shape::Text,
    "Takes the place of the note with this key.",
);
const TAGS_TO_SET: Field = optional("tags", Shape::Texts, "Words to file it under.");
const PINNED: Field = optional("pinned", Shape::Flag, "Show it at every session start.");
const EXPIRES: Field = optional(
    "expires",
    Shape::Text,
    "A date, RFC 3339, or a duration (30d).",
);

pub(super) static LIST: Operation = Operation {
    method: Method::GET,
    path: "/api/memories",
    summary: "Memories, newest first.",
    fields: &[
        PROJECT,
        SCOPE,
        KINDS_FIELD,
        TAGS,
        SESSION,
        AFTER,
        BEFORE,
        optional("limit", Shape::Whole(1, PAGE_MAX as u64), "Default 50."),
        CURSOR,
    ],
    has_body: false,
    is_former: false,
    answers: &[(200, "Memories")],
    run: |call| Box::pin(list(call)),
};

pub(super) static CREATE: Operation = Operation {
    method: Method::POST,
    path: "/api/memories",
    summary: "Keep a note, a summary, or a prompt with its reply. 201 where it is new; 200 where it \
              was known, or not worth keeping, which `outcome` tells.",
    fields: &[
        optional("content", Shape::Text, "The words of a note or summary."),
        optional(
            "prompt",
            Shape::Text,
            "What a person said; with `reply`, instead of `content`.",
        ),
        optional("reply", Shape::Text, "What was answered."),
        optional(
            "kind",
            Shape::OneOf(KINDS),
            "Default note, or turn where there is a prompt.",
        ),
        KEY,
        TAGS_TO_SET,
        PINNED,
        EXPIRES,
        optional(
            "session",
            Shape::Text,
            "The client's id of the conversation.",
        ),
        optional(
            "event",
            Shape::Text,
            "What makes it unique in its session: a repeat is known.",
        ),
        optional("metadata", Shape::Object, "Whatever belongs to it."),
        PROJECT,
    ],
    has_body: true,
    is_former: false,
    answers: &[(201, "Captured"), (200, "Captured")],
    run: |call| Box::pin(create(call)),
};

pub(super) static READ: Operation = Operation {
    method: Method::GET,
    path: "/api/memories/{id}",
    summary: "One memory, with the versions before and after it.",
    fields: &[PROJECT, SCOPE],
    has_body: false,
    is_former: false,
    answers: &[(200, "MemoryWithHistory")],
    run: |call| Box::pin(read(call)),
};

pub(super) static UPDATE: Operation = Operation {
    method: Method::PUT,
    path: "/api/memories/{id}",
    summary: "Put new words in the place of a memory; the old ones stay as history, under their \
              old id. What is not given stays as it was; a turn becomes a note.",
    fields: &[
        required("content", Shape::Text, "The new words."),
        KEY,
        TAGS_TO_SET,
        PINNED,
        EXPIRES,
        PROJECT,
    ],
    has_body: true,
    is_former: false,
    answers: &[(200, "Captured")],
    run: |call| Box::pin(update(call)),
};

pub(super) static DELETE: Operation = Operation {
    method: Method::DELETE,
    path: "/api/memories/{id}",
    summary: "Delete a memory for good, with its history.",
    fields: &[PROJECT, SCOPE],
    has_body: false,
    is_former: false,
    answers: &[(200, "Deleted")],
    run: |call| Box::pin(delete(call)),
};

async fn list(call: &Call<'_>) -> Result<Reply> {
    let reach = call.reach().await?;
    let filter = call.arguments.filter(call.now)?;
    if let Some(silence) = reach.silence() {
        let nothing = json!({"memories": [], "next": null, "silence": silence.reason()});
        return Ok(Reply::ok(reach.with(nothing)));
    }
    let cursor = call.arguments.text("cursor");
    let page = call
        .engine
        .list(&reach.scope, &filter, call.limit(LIMIT_DEFAULT), cursor)
        .await?;
    let silence = page.items.is_empty() && cursor.is_none() && filter == Filter::default();
    let silence = silence.then(|| Silence::NothingStored.reason());
    Ok(Reply::ok(reach.with(json!({
        "memories": page.items.iter().map(MemoryJson::new).collect::<Vec<_>>(),
        "next": page.next,
        "silence": silence,
    }))))
}

async fn create(call: &Call<'_>) -> Result<Reply> {
    let reach = call.reach().await?;
    let arguments = &call.arguments;
    let kind = arguments
        .text("kind")
        .map(|word| Kind::parse("kind", word))
        .transpose()?;
    let project = reach.choice.project.clone();
    let mut capture = match (arguments.text("content"), arguments.text("prompt")) {
        (Some(content), None) => {
            let kind = kind.unwrap_or(Kind::Note);
            if kind == Kind::Turn || arguments.text("reply").is_some() {
                return Err(Error::invalid(
                    "prompt",
                    "missing; a turn is given as prompt and reply",
                ));
            }
            Capture::note(project, kind, content, SOURCE)
        }
        (None, Some(prompt)) => {
            if kind.is_some_and(|kind| kind != Kind::Turn) {
                return Err(Error::invalid("kind", "a prompt with its reply is a turn"));
            }
            let reply = arguments.text("reply").unwrap_or_default();
            Capture::turn(project, prompt, reply, SOURCE)
        }
        _ => {
            return Err(Error::invalid(
                "content",
                "expected either content, or prompt with reply",
            ));
        }
    };
    capture.session = arguments
        .text("session")
        .or(call.hints.session.as_deref())
        .map(str::to_owned);
    capture.event = arguments.text("event").map(str::to_owned);
    capture.metadata = arguments.object("metadata").cloned();
    set(call, &mut capture)?;
    let captured = call.engine.capture(capture).await?;
    let mut reply = told(call, &reach, &captured).await?;
    if let Captured::Stored { id, .. } = &captured {
        reply.status = StatusCode::CREATED;
        reply.location = Some(format!(
            "/api/memories/{id}?project={}",
            percent_encode(&reach.choice.project.key)
        ));
    }
    Ok(reply)
}

/// Puts on a capture what making and replacing have in common.
fn set(call: &Call<'_>, capture: &mut Capture) -> Result<()> {
    let arguments = &call.arguments;
    if let Some(key) = arguments.text("key") {
        capture.key = Some(key.to_owned());
    }
    if arguments.has("tags") {
        capture.tags = arguments.texts("tags");
    }
    if let Some(pinned) = arguments.flag("pinned") {
        capture.pinned = pinned;
    }
    if let Some(expires) = arguments.when("expires", call.now, Direction::Forward)? {
        capture.expires_at = Some(expires);
    }
    Ok(())
}

/// What became of something that was handed over.
pub(super) async fn told(call: &Call<'_>, reach: &Reach, captured: &Captured) -> Result<Reply> {
    let (outcome, id, superseded, redacted) = match captured {
        Captured::Stored {
            id,
            superseded,
            redacted,
        } => ("stored", Some(*id), *superseded, *redacted),
        Captured::Updated { id, redacted } => ("updated", Some(*id), None, *redacted),
        Captured::Known { id } => ("known", Some(*id), None, 0),
        Captured::Refused(_) => ("refused", None, None, 0),
    };
    let reason = match captured {
        Captured::Refused(refusal) => Some(refusal.reason()),
        _ => None,
    };
    let memories = match id {
        Some(id) => call.engine.memories(&reach.scope, &[id]).await?,
        None => Vec::new(),
    };
    Ok(Reply::ok(reach.with(json!({
        "outcome": outcome,
        "reason": reason,
        "redacted": redacted,
        "superseded": superseded.map(|id| id.to_string()),
        "memory": memories.first().map(MemoryJson::new),
    }))))
}

async fn read(call: &Call<'_>) -> Result<Reply> {
    let (reach, memory) = found(call).await?;
    let history = call.engine.history(&reach.scope, memory.id).await?;
    let others = history.iter().filter(|other| other.id != memory.id);
    Ok(Reply::ok(json!({
        "memory": MemoryJson::new(&memory),
        "history": others.map(MemoryJson::new).collect::<Vec<_>>(),
    })))
}

/// The memory that the path names, where the caller may look.
async fn found(call: &Call<'_>) -> Result<(Reach, Memory)> {
    let (reach, id) = (call.reach().await?, call.id()?);
    let memory = match reach.silence() {
        Some(_) => None,
        None => call
            .engine
            .memories(&reach.scope, &[id])
            .await?
            .into_iter()
            .next(),
    };
    match memory {
        Some(memory) => Ok((reach, memory)),
        None => Err(Error::NotFound(format!(
            "there is no memory {id} {}",
            place(&reach)
        ))),
    }
}

/// Where a call looked, in words, with what to do if that was not meant.
fn place(reach: &Reach) -> String {
    match reach.silence() {
        Some(_) => "that could be looked for: name its project".to_owned(),
        None => "in this project; the parameter project names another".to_owned(),
    }
}

async fn update(call: &Call<'_>) -> Result<Reply> {
    let (reach, memory) = found(call).await?;
    let former = call.engine.current(&reach.scope, memory.id).await?;
    let content = call.arguments.required_text("content")?;
    let kind = match former.kind {
        Kind::Summary => Kind::Summary,
        Kind::Note | Kind::Turn => Kind::Note,
    };
    let mut capture = Capture::note(former.project.clone(), kind, content, SOURCE);
    capture.session.clone_from(&former.session);
    capture.take_place_of(&former);
    set(call, &mut capture)?;
    let captured = call.engine.capture(capture).await?;
    told(call, &reach, &captured).await
}

async fn delete(call: &Call<'_>) -> Result<Reply> {
    let (reach, memory) = found(call).await?;
    let request = ForgetRequest {
        scope: reach.scope.clone(),
        ids: vec![memory.id],
        filter: Filter::default(),
    };
    // Whoever names one memory by its id has seen it; there is nothing to preview.
    let preview = call.engine.forget_preview(&request).await?;
    let forgotten = call.engine.forget(&request, &preview.code).await?;
    Ok(Reply::ok(json!(forgotten)))
}
