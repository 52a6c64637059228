//! What a turn did besides talking: files touched and commands run, as short metadata.

use serde_json::{Map, Value, json};

use super::event::{Event, Kind};
use crate::engine::Trace;
use crate::memory::Memory;
use crate::text::one_line;

/// Files and commands of a turn, each: the first ones tell what it was about.
const DEEDS_MAX: usize = 20;

/// Characters of a command: its beginning says what it does.
const COMMAND_CHARS_MAX: usize = 160;

/// What a tool did, in a word and a name; `None` for tools that change nothing to be named.
pub(super) fn deed(event: &Event) -> Option<(&'static str, String)> {
    let failed = event.kind == Kind::PostToolUseFailure;
    match event.text("tool_name")? {
        "Bash" => {
            let command = one_line(event.text("command")?, COMMAND_CHARS_MAX);
            Some((if failed { "failed" } else { "commands" }, command))
        }
        "Edit" | "MultiEdit" | "Write" | "NotebookEdit" if !failed => {
            let file = event.text("file")?;
            let inside = event.text("cwd").and_then(|dir| file.strip_prefix(dir));
            let inside = inside.and_then(|rest| rest.strip_prefix('/'));
            Some(("files", inside.unwrap_or(file).to_owned()))
        }
        _ => None,
    }
}

/// What is kept with a turn: what it did before, and what it did since.
pub(super) fn metadata(known: Option<&Memory>, deeds: &[Trace]) -> Option<Map<String, Value>> {
    let former = known.and_then(|memory| memory.metadata.as_deref());
    let former = former.and_then(|text| serde_json::from_str(text).ok());
    let mut metadata: Map<String, Value> = former.unwrap_or_default();
    for deed in deeds {
        let Some((what, name)) = deed.value.split_once(' ') else {
            continue;
        };
        let list = metadata.entry(what).or_insert_with(|| json!([]));
        if let Value::Array(list) = list
            && list.len() < DEEDS_MAX
            && !list.iter().any(|known| known == name)
        {
            list.push(json!(name));
        }
    }
    Some(metadata).filter(|metadata| !metadata.is_empty())
}
