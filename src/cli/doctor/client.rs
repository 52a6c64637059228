//! Claude Code: whether it is there, and has hooks and tools of Sage.

use std::path::Path;

use serde::de::IgnoredAny;
use serde_json::Value;

use super::{Finding, variable};
use crate::claude::install::{
    Client, Folders, Scope, Via, Way, find_program, hooks_in, is_executable, plain, read, server_in,
};
use crate::cli::install::folders;
use crate::error::{Error, Result};

/// What was found in the client's files.
#[derive(Default)]
pub(super) struct Installed {
    folders: Option<Folders>,
    hooks: Vec<(Scope, Vec<(String, Value)>)>,
    servers: Vec<(Scope, Value)>,
    /// Whether the plugin is on.
    has_plugin: bool,
    /// Where hooks are switched off altogether.
    switched_off: Option<String>,
    /// Files that are not understood, each with the reason.
    broken: Vec<String>,
    /// `HOST:PORT` that handlers or tools ask.
    pub(super) server: Option<String>,
}

/// Reads the client's files; what is not there says nothing.
pub(super) fn look() -> Installed {
    let mut installed = Installed {
        folders: folders().ok(),
        ..Installed::default()
    };
    let Some(folders) = installed.folders.clone() else {
        return installed;
    };
    for scope in Scope::ALL {
        let path = folders.settings(scope);
        let name = path.display();
        match read(&path).and_then(|text| text.map(|text| settings(&text)).transpose()) {
            Ok(Some((hooks, value))) => {
                let mut known = installed.hooks.iter();
                let is_known = known.any(|(known, _)| folders.is_same(*known, scope));
                if !hooks.is_empty() && !is_known {
                    installed.hooks.push((scope, hooks));
                }
                installed.has_plugin |= has_plugin(&value);
                if value.get("disableAllHooks") == Some(&Value::Bool(true)) {
                    installed.switched_off = Some(name.to_string());
                }
            }
            Ok(None) => {}
            Err(error) => installed.broken.push(format!("{name}: {error}")),
        }
        let (path, holder) = folders.servers(scope);
        let name = path.display();
        match read(&path).and_then(|text| {
            let found = text.map(|text| server_in(&text, &holder)).transpose()?;
            Ok(found.flatten())
        }) {
            Ok(Some((entry, true))) => installed.servers.push((scope, entry)),
            Ok(_) => {}
            Err(error) => installed.broken.push(format!("{name}: {error}")),
        }
    }
    let handlers = installed.hooks.iter().flat_map(|(_, hooks)| hooks);
    let handlers = handlers.flat_map(|(_, group)| handlers_of(group));
    let entries = installed.servers.iter().map(|(_, entry)| entry);
    let url = |value: &Value| value.get("url").and_then(Value::as_str).map(str::to_owned);
    let urls = handlers.chain(entries).filter_map(url);
    installed.server = urls.into_iter().find_map(|url| {
        let rest = url.strip_prefix("http://")?;
        rest.split('/').next().map(str::to_owned)
    });
    installed
}

fn settings(text: &str) -> Result<(Vec<(String, Value)>, Value)> {
    if text.trim().is_empty() {
        return Ok(Default::default());
    }
    let settings = (hooks_in(text)?, plain(text)?);
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => Ok(settings),
        // Claude Code 2.1.330 does so.
        Err(error) => Err(Error::invalid(
            "comments",
            format!("Claude Code reads plain JSON only, and leaves out such a file whole: {error}"),
        )),
    }
}

fn has_plugin(settings: &Value) -> bool {
    let plugins = settings.get("enabledPlugins").and_then(Value::as_object);
    plugins.is_some_and(|plugins| {
        let mut plugins = plugins.iter();
        plugins.any(|(name, is_on)| name.starts_with("sage@") && is_on == &Value::Bool(true))
    })
}

/// A group's handlers, or the handler itself where others' stand beside it.
fn handlers_of(group: &Value) -> Vec<&Value> {
    match group.get("hooks").and_then(Value::as_array) {
        Some(handlers) => handlers.iter().collect(),
        None => vec![group],
    }
}

pub(super) fn check(installed: &Installed) -> Vec<Finding> {
    let mut findings = vec![client()];
    for broken in &installed.broken {
        let advice = "mend it: nothing in it is in effect, hooks of Sage included";
        findings.push(Finding::fail("settings", broken, advice));
    }
    if installed.folders.is_none() {
        let text = "there is no home, so Claude Code's files were not looked for";
        findings.push(Finding::ok("hooks", text));
        return findings;
    }
    findings.push(hooks(installed));
    findings.push(tools(installed));
    findings
}

fn client() -> Finding {
    let name = "client";
    let Some(client) = Client::on(&variable("PATH").unwrap_or_default()) else {
        return Finding::ok(name, "claude is not on PATH, so it was not asked");
    };
    match client.version() {
        Ok(version) => Finding::ok(name, version),
        Err(error) => Finding::warn(name, error.to_string(), "run `claude doctor`"),
    }
}

fn hooks(installed: &Installed) -> Finding {
    let name = "hooks";
    if let Some(file) = &installed.switched_off {
        let text = format!("all hooks are switched off in {file}");
        return Finding::fail(name, text, "take disableAllHooks out of it");
    }
    let mut places: Vec<String> = (installed.hooks.iter())
        .map(|(scope, hooks)| format!("{} scope ({} events)", scope.name(), hooks.len()))
        .collect();
    if installed.has_plugin {
        places.push("the plugin".to_owned());
    }
    let text = places.join(" and ");
    let install = "sage install claude-code";
    match places.as_slice() {
        [] => return Finding::warn(name, "none, so nothing is kept or given by itself", install),
        [_, _, ..] => {
            let advice = "each event comes more than once; keep one: `sage uninstall claude-code \
                          --scope …`, or `claude plugin uninstall sage`";
            return Finding::warn(name, text, advice);
        }
        [_] => {}
    }
    let Some((scope, hooks)) = installed.hooks.first() else {
        return Finding::ok(name, text);
    };
    let again = format!("{install} --scope {}", scope.name());
    let handlers: Vec<&Value> = hooks
        .iter()
        .flat_map(|(_, group)| handlers_of(group))
        .collect();
    if let Some(gone) = handlers.iter().find_map(|handler| gone(handler)) {
        return Finding::fail(name, format!("{text}, but {gone} is not there"), again);
    }
    let is_http = handlers.iter().any(|handler| handler.get("url").is_some());
    let missing = missing(hooks, is_http);
    if !missing.is_empty() {
        let text = format!("{text}, without {}", missing.join(", "));
        return Finding::warn(name, text, again);
    }
    Finding::ok(name, text)
}

/// The events that this version would install too.
fn missing(hooks: &[(String, Value)], is_http: bool) -> Vec<String> {
    let way = Way {
        via: if is_http { Via::Http } else { Via::Stdio },
        program: None,
        data_dir: None,
        server: String::new(),
        wants_token: false,
    };
    let wanted = way
        .hooks()
        .into_iter()
        .filter_map(|mut piece| piece.holder.pop());
    let is_there = |event: &String| hooks.iter().any(|(there, _)| there == event);
    wanted.filter(|event| !is_there(event)).collect()
}

/// The program that a handler or a server's entry starts, if it is not there.
fn gone(entry: &Value) -> Option<String> {
    let command = entry.get("command").and_then(Value::as_str)?;
    // As it was written: words of a shell, with settings before the program.
    let is_setting = |word: &&str| word.contains('=') && !word.starts_with(['/', '\'']);
    let program = match entry.get("args") {
        Some(_) => command.to_owned(),
        None => match command.split_once('\'') {
            Some((_, quoted)) => quoted.split('\'').next()?.to_owned(),
            None => command
                .split_whitespace()
                .find(|word| !is_setting(word))?
                .to_owned(),
        },
    };
    let is_there = match program.contains('/') {
        true => is_executable(Path::new(&program)),
        false => find_program(&program, &variable("PATH").unwrap_or_default()).is_some(),
    };
    (!is_there).then_some(program)
}

fn tools(installed: &Installed) -> Finding {
    let name = "tools";
    let Some((scope, entry)) = installed.servers.first() else {
        return match installed.has_plugin {
            true => Finding::ok(name, "by the plugin"),
            false => Finding::warn(
                name,
                "no MCP server of Sage is registered, so the model cannot look for more",
                "sage install claude-code",
            ),
        };
    };
    let what = match entry.get("url").and_then(Value::as_str) {
        Some(url) => url.to_owned(),
        None => {
            let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
            text(entry.get("command")).unwrap_or_default()
        }
    };
    let text = format!("MCP in {} scope, {what}", scope.name());
    let again = format!("sage install claude-code --scope {}", scope.name());
    match gone(entry) {
        Some(gone) => Finding::fail(name, format!("{text}, but {gone} is not there"), again),
        None => Finding::ok(name, text),
    }
}
