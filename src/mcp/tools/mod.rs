//! The tools: one file each, one table, one way to call them.

mod forget;
mod get_context;
mod get_memory;
mod get_status;
mod manage_session;
mod predecessor;
mod remember;
mod save_conversation;
mod search_memory;

pub(super) use self::get_status::describe as describe_status;

use std::pin::Pin;

use serde_json::{Value, json};

use super::arguments::{self, Arguments, Field};
use super::rpc::{Fault, Object};
use super::{Caller, Mcp, param_text, render};
use crate::engine::{Engine, ProjectChoice, ProjectHints};
use crate::error::Result;
use crate::memory::{Scope, Timestamp};
use crate::recall::Silence;

/// What a model can call.
struct Tool {
    name: &'static str,
    title: &'static str,
    /// When and how to use it, as short as possible: it costs every client's context.
    about: &'static str,
    fields: &'static [Field],
    effect: Effect,
    /// Claude Code shows only the names of tools until it needs one; not of these.
    always_load: bool,
    run: Run,
}

type Answer<'a> = Pin<Box<dyn Future<Output = Result<String>> + Send + 'a>>;
type Run = for<'a> fn(&'a Call<'a>, &'a Arguments) -> Answer<'a>;

/// What a tool does to what is stored.
#[derive(Clone, Copy)]
enum Effect {
    /// Nothing.
    Reads,
    /// Adds to it; the same call again changes nothing.
    Adds,
    /// May delete; the same call again changes nothing.
    Deletes,
    /// May delete, and may do something new each time.
    Manages,
}

/// What `tools/list` shows, in the order in which a model meets the need.
const LISTED: [&Tool; 8] = [
    &get_context::TOOL,
    &search_memory::TOOL,
    &get_memory::TOOL,
    &remember::TOOL,
    &save_conversation::TOOL,
    &forget::TOOL,
    &manage_session::TOOL,
    &get_status::TOOL,
];

/// One call of a tool, with everything it may use.
struct Call<'a> {
    engine: &'a Engine,
    caller: &'a Caller,
    choice: &'a ProjectChoice,
    now: Timestamp,
    context_tokens: usize,
}

impl Call<'_> {
    fn scope(&self) -> Scope {
        Scope::Project(self.choice.project.clone())
    }

    /// The session that writes belong to.
    fn session(&self) -> Option<String> {
        self.caller
            .session()
            .or_else(|| self.choice.session.clone())
    }

    /// Why reading cannot find anything here, if that is so.
    fn silence(&self) -> Option<&'static str> {
        silence(self.choice)
    }
}

/// The result of `tools/list`.
pub(super) fn list() -> Value {
    json!({"tools": LISTED.map(Tool::to_value)})
}

/// The name of a tool, former ones included, as Sage itself spells it.
pub(super) fn name_of(name: &str) -> Option<&'static str> {
    find(name).map(|tool| tool.name)
}

fn find(name: &str) -> Option<&'static Tool> {
    let listed = LISTED.into_iter().find(|tool| tool.name == name);
    listed.or_else(|| predecessor::find(name))
}

/// The result of `tools/call`. An unknown tool is a fault, everything else that fails is a result
/// that says so, because only results reach the model.
pub(super) async fn call(
    mcp: &Mcp,
    caller: &Caller,
    params: &Object,
) -> std::result::Result<Value, Fault> {
    let name = param_text(params, "name")?;
    let tool = find(name).ok_or_else(|| unknown(name))?;
    let is_lenient = predecessor::find(name).is_some();
    let hints = hints_of(caller, params);
    let values = params.get("arguments").unwrap_or(&Value::Null);
    let arguments = match Arguments::read(tool.fields, is_lenient, values) {
        Ok(arguments) => arguments,
        Err(error) => {
            let chosen = mcp.engine.choose_project(&hints).await.ok();
            let project = chosen.map(|choice| format!("\n{}", render::project_line(&choice)));
            return Ok(failure(&format!("{error}{}", project.unwrap_or_default())));
        }
    };
    let choice = match mcp.engine.choose_project(&hints).await {
        Ok(choice) => choice,
        Err(error) if tool.is_diagnosis() => {
            let status = describe_status(&mcp.engine.status().await);
            mcp.engine.count_degraded();
            return Ok(success(&format!("{status}\nproject: unknown ({error})")));
        }
        Err(error) => return Ok(failure(&error.to_string())),
    };
    let call = Call {
        engine: &mcp.engine,
        caller,
        choice: &choice,
        now: Timestamp::now(),
        context_tokens: mcp.context_tokens,
    };
    let project = render::project_line(&choice);
    Ok(match (tool.run)(&call, &arguments).await {
        Ok(text) => success(&format!("{project}\n{text}")),
        Err(error) => failure(&format!("{error}\n{project}")),
    })
}

/// What is known about where a call comes from. Claude Code names each call, and its hook has told
/// that name before.
fn hints_of(caller: &Caller, params: &Object) -> ProjectHints {
    let meta = params
        .get("_meta")
        .and_then(|meta| meta.get("claudecode/toolUseId"));
    ProjectHints {
        call: meta.and_then(Value::as_str).map(str::to_owned),
        ..caller.hints.clone()
    }
}

/// Why reading cannot find anything in the project of `choice`, if that is so.
pub(super) fn silence(choice: &ProjectChoice) -> Option<&'static str> {
    choice
        .project
        .is_unassigned()
        .then(|| Silence::UnknownProject.reason())
}

impl Tool {
    fn to_value(&self) -> Value {
        let (reads, deletes, is_idempotent) = match self.effect {
            Effect::Reads => (true, false, true),
            Effect::Adds => (false, false, true),
            Effect::Deletes => (false, true, true),
            Effect::Manages => (false, true, false),
        };
        let mut value = json!({
            "name": self.name,
            "title": self.title,
            "description": self.about,
            "inputSchema": arguments::schema(self.fields),
            "annotations": {
                "readOnlyHint": reads,
                "destructiveHint": deletes,
                "idempotentHint": is_idempotent,
                "openWorldHint": false,
            },
        });
        if let (true, Some(value)) = (self.always_load, value.as_object_mut()) {
            value.insert("_meta".to_owned(), json!({"anthropic/alwaysLoad": true}));
        }
        value
    }

    /// Whether it is about Sage itself and has an answer even when the store has none.
    fn is_diagnosis(&self) -> bool {
        ["get_status", "get_memory_stats", "reset_circuit_breaker"].contains(&self.name)
    }
}

fn success(text: &str) -> Value {
    json!({"content": [{"type": "text", "text": text}]})
}

fn failure(text: &str) -> Value {
    json!({"content": [{"type": "text", "text": text}], "isError": true})
}

fn unknown(name: &str) -> Fault {
    let names: Vec<_> = LISTED.iter().map(|tool| tool.name).collect();
    let shown: String = name.chars().take(60).collect();
    Fault::params(format!(
        "unknown tool \"{}\"; known are {}",
        shown.escape_debug(),
        names.join(", ")
    ))
}

/// The scope that a reading call asks for, or why it would find nothing.
fn scope_of(call: &Call<'_>, arguments: &Arguments) -> std::result::Result<Scope, &'static str> {
    match (arguments.text("scope"), call.silence()) {
        (Some("all"), _) => Ok(Scope::All),
        (_, Some(reason)) => Err(reason),
        (_, None) => Ok(call.scope()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::arguments::KINDS;
    use crate::memory::Kind;
    use crate::text::estimate_tokens;

    #[test]
    fn the_whole_list_is_cheap_to_carry() {
        let tokens = estimate_tokens(&list().to_string());
        println!("tools/list: {tokens} tokens");
        assert!(tokens <= 2_000, "{tokens} tokens");
    }

    #[test]
    fn the_words_for_kinds_are_those_of_the_domain() {
        assert_eq!(KINDS, Kind::ALL.map(Kind::name));
    }

    #[test]
    fn names_follow_the_rules() {
        let names = LISTED.iter().map(|tool| tool.name);
        for name in names.chain(predecessor::NAMES) {
            let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            assert!(is_plain && !name.is_empty() && name.len() <= 64, "{name}");
        }
    }
}
