//! The JSON API: what scripts and people's own programs use. No HTTP in here; `routes` has that.
//!
//! One table, [`OPERATIONS`], is the source of the routes, of the checks of every argument, and of
//! the OpenAPI document.

mod memories;
mod openapi;
mod predecessor;
mod query;
mod recall;
mod sessions;

use std::pin::Pin;

use hyper::{Method, StatusCode};
use serde_json::{Map, Value, json};

use crate::engine::{DecidedBy, Engine, ProjectChoice, ProjectHints};
use crate::error::{Error, Result};
use crate::mcp::arguments::{Arguments, Field, SCOPES, Shape, optional};
use crate::memory::{MemoryId, Scope, Timestamp};
use crate::recall::Silence;
use crate::text::percent_decode;

/// One thing that the API does.
pub struct Operation {
    method: Method,
    /// With `{id}` where an address has a name.
    pub path: &'static str,
    summary: &'static str,
    /// The parameters; in the body where `has_body`, else in the query.
    fields: &'static [Field],
    has_body: bool,
    /// Passes over fields that it does not know, as the predecessor did.
    is_former: bool,
    /// The statuses of answers that are no errors, each with the name of its schema.
    answers: &'static [(u16, &'static str)],
    run: Run,
}

type Outcome<'a> = Pin<Box<dyn Future<Output = Result<Reply>> + Send + 'a>>;
type Run = for<'a> fn(&'a Call<'a>) -> Outcome<'a>;

/// Everything there is, in the order of the document.
static OPERATIONS: [&Operation; 18] = [
    &recall::SEARCH,
    &recall::CONTEXT,
    &memories::LIST,
    &memories::CREATE,
    &memories::READ,
    &memories::UPDATE,
    &memories::DELETE,
    &sessions::LIST,
    &sessions::CREATE,
    &sessions::READ,
    &sessions::RENAME,
    &sessions::PROJECTS,
    &sessions::STATS,
    &sessions::RESET,
    &openapi::DOCUMENT,
    &predecessor::SAVE_CONVERSATION,
    &predecessor::GET_CONTEXT,
    &predecessor::SEARCH_MEMORY,
];

/// Where a path leads.
pub enum Route {
    /// To this.
    Found(&'static Operation),
    /// To something that takes other methods, listed as `Allow` wants them.
    WrongMethod(String),
    /// Nowhere.
    Unknown,
}

/// Finds the operation; a HEAD is answered as the GET of the same path.
pub fn route(method: &Method, path: &str) -> Route {
    let wanted = match *method {
        Method::HEAD => &Method::GET,
        _ => method,
    };
    let mut allowed = Vec::new();
    for operation in OPERATIONS {
        if name_in(operation.path, path).is_none() {
            continue;
        }
        if operation.method == *wanted {
            return Route::Found(operation);
        }
        allowed.push(operation.method.as_str());
        if operation.method == Method::GET {
            allowed.push(Method::HEAD.as_str());
        }
    }
    match allowed.is_empty() {
        true => Route::Unknown,
        false => Route::WrongMethod(allowed.join(", ")),
    }
}

/// The part of `path` that stands for `{id}`, empty where the template has none; `None` where the
/// two do not fit.
fn name_in<'a>(template: &str, path: &'a str) -> Option<&'a str> {
    match template.split_once("{id}") {
        None => (template == path).then_some(""),
        Some((start, _)) => path
            .strip_prefix(start)
            .filter(|name| !name.is_empty() && !name.contains('/')),
    }
}

impl Operation {
    /// Whether it reads a body.
    pub fn has_body(&self) -> bool {
        self.has_body
    }
}

/// What a request brings.
pub struct Request<'a> {
    /// Its path, as it came.
    pub path: &'a str,
    /// What follows the question mark.
    pub query: Option<&'a str>,
    /// Empty where there is none.
    pub body: &'a [u8],
    /// What its headers tell about where the caller stands.
    pub hints: ProjectHints,
    /// The budget of a context when nobody names one.
    pub context_tokens: usize,
}

/// An answer that is no error.
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// What it says.
    pub body: Value,
    /// Where to find what was made.
    pub location: Option<String>,
}

impl Reply {
    fn ok(body: Value) -> Self {
        Self {
            status: StatusCode::OK,
            body,
            location: None,
        }
    }
}

/// Carries out an operation. Errors are those of the engine, and [`Error::Invalid`] for arguments
/// that are not as the document says.
pub async fn handle(engine: &Engine, operation: &Operation, request: Request<'_>) -> Result<Reply> {
    let values = match operation.has_body {
        true => query::of_body(request.query, request.body)?,
        false => query::of_query(operation.fields, request.query)?,
    };
    let arguments = Arguments::read(operation.fields, operation.is_former, &values)?;
    let mut hints = request.hints;
    if let Some(project) = arguments.text("project") {
        if project.trim().is_empty() {
            return Err(Error::invalid("project", "expected a project's name"));
        }
        hints.named = Some(project.to_owned());
    }
    if let (None, Some(session)) = (&hints.session, arguments.text("session")) {
        hints.session = Some(session.to_owned());
    }
    let name = name_in(operation.path, request.path).unwrap_or_default();
    let call = Call {
        engine,
        hints,
        arguments,
        name: percent_decode(name),
        now: Timestamp::now(),
        context_tokens: request.context_tokens,
    };
    (operation.run)(&call).await
}

/// One call, with everything it may use.
struct Call<'a> {
    engine: &'a Engine,
    hints: ProjectHints,
    arguments: Arguments,
    /// What the path names.
    name: Option<String>,
    now: Timestamp,
    context_tokens: usize,
}

/// Where a call looks.
struct Reach {
    scope: Scope,
    choice: ProjectChoice,
}

impl Reach {
    /// Why reading cannot find anything here, if that is so.
    fn silence(&self) -> Option<Silence> {
        // Whoever names `unassigned` means it.
        let is_unknown = self.scope != Scope::All && self.choice.decided_by == DecidedBy::Nothing;
        is_unknown.then_some(Silence::UnknownProject)
    }

    /// The members that tell where a call looked, with those of `body` added.
    fn with(&self, body: Value) -> Value {
        let (project, decided_by) = match &self.scope {
            Scope::All => (Value::Null, "all"),
            Scope::Project(project) => (json!(project.key), self.choice.decided_by.name()),
        };
        let mut object = Map::new();
        object.insert("project".to_owned(), project);
        object.insert("decided_by".to_owned(), json!(decided_by));
        if let Value::Object(body) = body {
            object.extend(body);
        }
        Value::Object(object)
    }
}

impl Call<'_> {
    async fn reach(&self) -> Result<Reach> {
        let choice = self.engine.choose_project(&self.hints).await?;
        let scope = match self.arguments.text("scope") {
            Some("all") => Scope::All,
            _ => Scope::Project(choice.project.clone()),
        };
        Ok(Reach { scope, choice })
    }

    /// The memory that the path names.
    fn id(&self) -> Result<MemoryId> {
        let missing = || Error::NotFound("there is no such memory".to_owned());
        let name = self.name.as_deref().ok_or_else(missing)?;
        // A name that cannot be one is of nothing.
        name.parse().map_err(|_| missing())
    }

    /// The session that the path names.
    fn session(&self) -> Result<&str> {
        let missing = || Error::NotFound("there is no such session".to_owned());
        self.name.as_deref().ok_or_else(missing)
    }

    fn limit(&self, default: usize) -> usize {
        self.arguments.whole("limit").unwrap_or(default)
    }
}

// Fields that several operations have.

const PROJECT: Field = optional(
    "project",
    Shape::Text,
    "The project's key. Default: what the headers Sage-Project, Sage-Session and \
     Sage-Project-Dir tell.",
);
const SCOPE: Field = optional(
    "scope",
    Shape::OneOf(SCOPES),
    "All projects, or one. Default project.",
);
const CURSOR: Field = optional("cursor", Shape::Text, "The `next` of the page before.");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_somewhere_or_not() {
        let found = |method, path: &str| match route(&method, path) {
            Route::Found(operation) => operation.path.to_owned(),
            Route::WrongMethod(allowed) => format!("405 {allowed}"),
            Route::Unknown => "404".to_owned(),
        };
        assert_eq!(found(Method::GET, "/api/search"), "/api/search");
        assert_eq!(found(Method::HEAD, "/api/search"), "/api/search");
        assert_eq!(
            found(Method::PUT, "/api/memories/x%2Fy"),
            "/api/memories/{id}"
        );
        assert_eq!(
            found(Method::POST, "/api/memories/x"),
            "405 GET, HEAD, PUT, DELETE"
        );
        for path in [
            "/api",
            "/api/",
            "/api/memories/",
            "/api/memories/a/b",
            "/api/search/",
        ] {
            assert_eq!(found(Method::GET, path), "404", "{path}");
        }
    }
}
