//! Completion of what a person types into a prompt's argument or an address.

use serde_json::{Value, json};

use super::rpc::{Fault, Object};
use super::{Caller, Mcp, param_text, prompts, resources, tools};
use crate::error::Result;
use crate::memory::{Scope, Session};

/// The protocol's own limit on values in one answer.
const VALUES_MAX: usize = 100;

/// How many sessions are looked through, latest first: a person means a recent one.
const SESSIONS_SCANNED_MAX: usize = 500;

/// How many sessions one question to the store fetches.
const SESSIONS_PER_PAGE: usize = 100;

/// The result of `completion/complete`: sessions for `handoff` and `sage://session/{id}`, projects
/// for any argument of that name, nothing for free text.
pub(super) async fn complete(
    mcp: &Mcp,
    caller: &Caller,
    params: &Object,
) -> std::result::Result<Value, Fault> {
    let target = Target::read(object(params, "ref")?)?;
    let argument = object(params, "argument")?;
    let name = param_text(argument, "name")?;
    let typed = param_text(argument, "value")?;
    let found = match (target, name) {
        (_, "project") => projects(mcp, typed).await?,
        (Target::Handoff, "session") => sessions(mcp, caller, typed, id_or_title).await?,
        (Target::SessionTemplate, "id") => {
            sessions(mcp, caller, typed, |session, _| session.id.clone()).await?
        }
        _ => Found::default(),
    };
    let mut completion = json!({"values": found.values, "hasMore": found.has_more});
    if let (false, Some(completion)) = (found.has_more, completion.as_object_mut()) {
        completion.insert("total".to_owned(), json!(found.values.len()));
    }
    Ok(json!({"completion": completion}))
}

/// What is being filled in.
enum Target {
    Handoff,
    SessionTemplate,
    /// Nothing is known that would complete it; that is no mistake of whoever types.
    Other,
}

impl Target {
    fn read(reference: &Object) -> std::result::Result<Self, Fault> {
        match param_text(reference, "type")? {
            "ref/prompt" => Ok(match param_text(reference, "name")? {
                prompts::HANDOFF => Self::Handoff,
                _ => Self::Other,
            }),
            "ref/resource" => Ok(match param_text(reference, "uri")? {
                resources::SESSION_TEMPLATE => Self::SessionTemplate,
                _ => Self::Other,
            }),
            _ => Err(Fault::params(
                "ref: expected type ref/prompt or ref/resource",
            )),
        }
    }
}

#[derive(Default)]
struct Found {
    values: Vec<String>,
    has_more: bool,
}

impl Found {
    /// Keeps what one answer may hold.
    fn of(mut values: Vec<String>, has_more: bool) -> Self {
        let has_more = has_more || values.len() > VALUES_MAX;
        values.truncate(VALUES_MAX);
        Self { values, has_more }
    }
}

async fn projects(mcp: &Mcp, typed: &str) -> Result<Found> {
    let projects = mcp.engine.projects(typed, VALUES_MAX + 1).await?;
    let keys = projects.into_iter().map(|project| project.key).collect();
    Ok(Found::of(keys, false))
}

/// Sessions of the caller's project whose id begins with what was typed, or whose title holds it.
async fn sessions(
    mcp: &Mcp,
    caller: &Caller,
    typed: &str,
    value_of: fn(&Session, &str) -> String,
) -> Result<Found> {
    let choice = mcp.engine.choose_project(&caller.hints).await?;
    if tools::silence(&choice).is_some() {
        return Ok(Found::default());
    }
    let scope = Scope::Project(choice.project);
    let typed = typed.to_lowercase();
    let mut values = Vec::new();
    let mut cursor: Option<String> = None;
    let mut scanned = 0;
    loop {
        let page = mcp
            .engine
            .sessions(&scope, SESSIONS_PER_PAGE, cursor.as_deref())
            .await?;
        scanned += page.items.len();
        values.extend(
            page.items
                .iter()
                .filter(|session| session.id.starts_with(&typed) || has_title(session, &typed))
                .map(|session| value_of(session, &typed)),
        );
        cursor = page.next;
        let is_enough = values.len() > VALUES_MAX || scanned >= SESSIONS_SCANNED_MAX;
        if cursor.is_none() || is_enough {
            return Ok(Found::of(values, cursor.is_some()));
        }
    }
}

fn has_title(session: &Session, typed: &str) -> bool {
    let title = session.title.as_deref().unwrap_or_default();
    title.to_lowercase().contains(typed)
}

/// People know titles, not ids; `handoff` takes either.
fn id_or_title(session: &Session, typed: &str) -> String {
    let by_id = !typed.is_empty() && session.id.starts_with(typed);
    match &session.title {
        Some(title) if !by_id => title.clone(),
        _ => session.id.clone(),
    }
}

fn object<'a>(params: &'a Object, name: &str) -> std::result::Result<&'a Object, Fault> {
    params
        .get(name)
        .and_then(Value::as_object)
        .ok_or_else(|| Fault::params(format!("{name}: expected an object")))
}
