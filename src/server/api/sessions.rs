//! Sessions, projects, and numbers about both.

use hyper::{Method, StatusCode};
use serde_json::json;

use super::{CURSOR, Call, Operation, PROJECT, Reply, SCOPE};
use crate::engine::{PAGE_MAX, Stats};
use crate::error::{Error, Result};
use crate::mcp::arguments::{Field, Shape, optional, required};
use crate::memory::json::{ProjectJson, SessionJson};
use crate::memory::{MemoryId, Scope};
use crate::recall::Silence;
use crate::text::percent_encode;

/// A page that is quickly read.
const LIMIT_DEFAULT: usize = 50;

const LIMIT: Field = optional("limit", Shape::Whole(1, PAGE_MAX as u64), "Default 50.");

pub(super) static LIST: Operation = Operation {
    method: Method::GET,
    path: "/api/sessions",
    summary: "Sessions, the latest first.",
    fields: &[PROJECT, SCOPE, LIMIT, CURSOR],
    has_body: false,
    is_former: false,
    answers: &[(200, "Sessions")],
    run: |call| Box::pin(list(call)),
};

pub(super) static CREATE: Operation = Operation {
    method: Method::POST,
    path: "/api/sessions",
    summary: "Make a session (201), or give a known one a title (200).",
    fields: &[
        optional("id", Shape::Text, "The client's id. Default: a new one."),
        optional("title", Shape::Text, "Its name, for people."),
        PROJECT,
    ],
    has_body: true,
    is_former: false,
    answers: &[(201, "Session"), (200, "Session")],
    run: |call| Box::pin(create(call)),
};

pub(super) static READ: Operation = Operation {
    method: Method::GET,
    path: "/api/sessions/{id}",
    summary: "One session.",
    fields: &[PROJECT, SCOPE],
    has_body: false,
    is_former: false,
    answers: &[(200, "Session")],
    run: |call| Box::pin(read(call)),
};

pub(super) static RENAME: Operation = Operation {
    method: Method::PATCH,
    path: "/api/sessions/{id}",
    summary: "Give a session a title.",
    fields: &[
        required("title", Shape::Text, "Its name, for people."),
        PROJECT,
    ],
    has_body: true,
    is_former: false,
    answers: &[(200, "Session")],
    run: |call| Box::pin(rename(call)),
};

pub(super) static PROJECTS: Operation = Operation {
    method: Method::GET,
    path: "/api/projects",
    summary: "Projects that hold memories, the largest first.",
    fields: &[],
    has_body: false,
    is_former: false,
    answers: &[(200, "Projects")],
    run: |call| Box::pin(projects(call)),
};

pub(super) static STATS: Operation = Operation {
    method: Method::GET,
    path: "/api/stats",
    summary: "Numbers about what is remembered.",
    fields: &[PROJECT, SCOPE],
    has_body: false,
    is_former: false,
    answers: &[(200, "Stats")],
    run: |call| Box::pin(stats(call)),
};

pub(super) static RESET: Operation = Operation {
    method: Method::POST,
    path: "/api/circuits/reset",
    summary: "Ask again, at the next call, whatever is left alone since it did not answer: a database, \
              a model's service.",
    fields: &[],
    has_body: false,
    is_former: false,
    answers: &[(200, "Reset")],
    run: |call| Box::pin(reset(call)),
};

async fn reset(call: &Call<'_>) -> Result<Reply> {
    let names = call.engine.reset_circuits().await;
    Ok(Reply::ok(json!({"reset": names})))
}

async fn list(call: &Call<'_>) -> Result<Reply> {
    let reach = call.reach().await?;
    if let Some(silence) = reach.silence() {
        let nothing = json!({"sessions": [], "next": null, "silence": silence.reason()});
        return Ok(Reply::ok(reach.with(nothing)));
    }
    let cursor = call.arguments.text("cursor");
    let page = call
        .engine
        .sessions(&reach.scope, call.limit(LIMIT_DEFAULT), cursor)
        .await?;
    let is_empty = page.items.is_empty() && cursor.is_none();
    Ok(Reply::ok(reach.with(json!({
        "sessions": page.items.iter().map(SessionJson::new).collect::<Vec<_>>(),
        "next": page.next,
        "silence": is_empty.then(|| Silence::NothingStored.reason()),
    }))))
}

async fn create(call: &Call<'_>) -> Result<Reply> {
    let project = call.reach().await?.choice.project;
    let id = match call.arguments.text("id") {
        Some(id) => id.to_owned(),
        None => MemoryId::generate().to_string(),
    };
    let title = call.arguments.text("title");
    let scope = Scope::Project(project.clone());
    let is_known = call.engine.session(&scope, id.trim()).await.is_ok();
    let session = call.engine.create_session(&project, &id, title).await?;
    let location = format!(
        "/api/sessions/{}?project={}",
        percent_encode(&session.id),
        percent_encode(&session.project.key)
    );
    Ok(Reply {
        status: match is_known {
            true => StatusCode::OK,
            false => StatusCode::CREATED,
        },
        body: json!(SessionJson::new(&session)),
        location: Some(location),
    })
}

/// Where to look for the session that the path names.
async fn scope(call: &Call<'_>) -> Result<Scope> {
    let reach = call.reach().await?;
    match reach.silence() {
        None => Ok(reach.scope),
        Some(_) => Err(Error::NotFound(
            "no project is known to look for this session in: name it".to_owned(),
        )),
    }
}

async fn read(call: &Call<'_>) -> Result<Reply> {
    let scope = scope(call).await?;
    let session = call.engine.session(&scope, call.session()?).await?;
    Ok(Reply::ok(json!(SessionJson::new(&session))))
}

async fn rename(call: &Call<'_>) -> Result<Reply> {
    let scope = scope(call).await?;
    let title = call.arguments.required_text("title")?;
    let session = call
        .engine
        .rename_session(&scope, call.session()?, title)
        .await?;
    Ok(Reply::ok(json!(SessionJson::new(&session))))
}

async fn projects(call: &Call<'_>) -> Result<Reply> {
    let stats = call.engine.stats(&Scope::All).await?;
    Ok(Reply::ok(json!({"projects": projects_json(&stats)})))
}

fn projects_json(stats: &Stats) -> Vec<ProjectJson<'_>> {
    let projects = stats.projects.iter();
    projects
        .map(|(project, memories)| ProjectJson::new(project, *memories))
        .collect()
}

async fn stats(call: &Call<'_>) -> Result<Reply> {
    let reach = call.reach().await?;
    let stats = match reach.silence() {
        Some(_) => Stats::default(),
        None => call.engine.stats(&reach.scope).await?,
    };
    let [turns, notes, summaries] = stats.by_kind;
    Ok(Reply::ok(reach.with(json!({
        "memories": {"turn": turns, "note": notes, "summary": summaries},
        "superseded": stats.superseded,
        "passages": stats.passages,
        "sessions": stats.sessions,
        "projects": projects_json(&stats),
        "oldest": stats.span.map(|(oldest, _)| oldest.to_string()),
        "newest": stats.span.map(|(_, newest)| newest.to_string()),
        "store_bytes": stats.store_bytes,
        "silence": reach.silence().map(Silence::reason),
    }))))
}
