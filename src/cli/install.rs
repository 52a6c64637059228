//! `sage install` and `sage uninstall`: set Claude Code up, and take that back.

use std::env::current_dir;
use std::path::{Path, PathBuf};

use argh::FromArgs;
use serde_json::{Value, json};

use super::{Outcome, Setup, confirm, output, place, variable};
use crate::claude::install::{
    Change, Client, Folders, Plan, Scope, Servers, Via, Way, find_program, hooks_in, read,
    settings_text, shell_word,
};
use crate::config::parse_server;
use crate::error::{Error, Result};

/// Set Claude Code up: hooks in its settings, tools over MCP.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "install",
    usage = "claude-code [OPTIONS]",
    help_triggers("-h", "--help"),
    example = "sage install claude-code",
    example = "sage install claude-code --scope project --via http --dry-run",
    example = "docker exec sage /sage install claude-code --via docker --print",
    note = "It shows what would change and asks. Everything else in the files stays as it is, and what
they were is kept beside them. `sage uninstall claude-code` takes it back.",
    note = "stdio: Claude Code starts sage, no server is needed. http: it asks a running server. docker:
it asks a container named sage."
)]
pub(super) struct Install {
    /// what to set up: claude-code
    #[argh(positional)]
    client: Option<String>,
    /// for whom: user (default), project (everybody in it) or local (you, in this project)
    #[argh(option)]
    scope: Option<String>,
    /// how it reaches Sage: stdio (default), http or docker
    #[argh(option)]
    via: Option<String>,
    /// where the server is, for http and docker: http://HOST:PORT (default: SAGE_SERVER, else the
    /// port of `sage serve` on this machine)
    #[argh(option)]
    server: Option<String>,
    /// show what would change, and change nothing
    #[argh(switch)]
    dry_run: bool,
    /// print what to add by hand; nothing is read or changed
    #[argh(switch)]
    print: bool,
    /// do not ask
    #[argh(switch)]
    yes: bool,
    /// print JSON: scope, changes (file, what, diff, backup), command, done
    #[argh(switch)]
    json: bool,
    /// the folder that holds the store; the client passes it on
    #[argh(option)]
    pub(super) data_dir: Option<PathBuf>,
}

/// Take out what `sage install` added to Claude Code. Memories stay.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "uninstall",
    usage = "claude-code [OPTIONS]",
    help_triggers("-h", "--help"),
    example = "sage uninstall claude-code",
    example = "sage uninstall claude-code --scope project --yes",
    note = "It shows what would change and asks. Files that nobody else changed are what they were
before, byte for byte. Memories stay; `sage forget` deletes them."
)]
pub(super) struct Uninstall {
    /// what to take Sage out of: claude-code
    #[argh(positional)]
    client: Option<String>,
    /// where from: user (default), project or local
    #[argh(option)]
    scope: Option<String>,
    /// show what would change, and change nothing
    #[argh(switch)]
    dry_run: bool,
    /// do not ask
    #[argh(switch)]
    yes: bool,
    /// print JSON: scope, changes (file, what, diff, backup), command, done
    #[argh(switch)]
    json: bool,
}

pub(super) fn install(args: &Install, setup: &Setup) -> Result<Outcome> {
    let scope = target(args.client.as_deref(), args.scope.as_deref(), "install")?;
    let via = match args.via.as_deref() {
        Some(word) => Via::parse(word).ok_or_else(|| {
            let message = format!("expected stdio, http or docker, got \"{word}\"");
            Error::invalid("--via", message)
        })?,
        None => Via::Stdio,
    };
    if args.server.is_some() && via == Via::Stdio {
        let message = "only --via http and --via docker ask a server";
        return Err(Error::invalid("--server", message));
    }
    let is_elsewhere = via == Via::Docker && is_own_container();
    let way = way(args, setup, scope, via, is_elsewhere)?;
    if args.print {
        return print(args, scope, &way);
    }
    if is_elsewhere {
        let message = "this is a container, and Claude Code is not in it; add --print to see what \
                       to paste, or `docker cp sage:/sage ~/.local/bin/sage` and run it from there";
        return Err(Error::invalid("--via", message));
    }
    let folders = folders()?;
    let plan = Plan::install(&folders, scope, &way, client())?;
    let job = Job {
        scope,
        dry_run: args.dry_run,
        yes: args.yes,
        json: args.json,
        question: "Set Claude Code up like this?",
        not_done: "set up",
    };
    if !job.carry_out(&plan)? || args.json {
        return Ok(Outcome::Done);
    }
    output::note(match plan.is_any() {
        true => "Done. Sessions that start from now on remember; `sage doctor` checks it all.",
        false => "Claude Code is set up already; there is nothing to change.",
    });
    for hint in hints(&folders, scope, &way) {
        output::note(&output::clean_line(&hint));
    }
    Ok(Outcome::Done)
}

pub(super) fn uninstall(args: &Uninstall) -> Result<Outcome> {
    let scope = target(args.client.as_deref(), args.scope.as_deref(), "uninstall")?;
    let folders = folders()?;
    let plan = Plan::uninstall(&folders, scope, client())?;
    let job = Job {
        scope,
        dry_run: args.dry_run,
        yes: args.yes,
        json: args.json,
        question: "Take it out?",
        not_done: "taken out",
    };
    if !job.carry_out(&plan)? || args.json {
        return Ok(Outcome::Done);
    }
    output::note(match plan.is_any() {
        true => "Done. What was remembered is still there.",
        false => "Nothing of Sage is set up there, so nothing was changed.",
    });
    for other in elsewhere(&folders, scope) {
        output::note(&output::clean_line(&format!(
            "{} still has hooks of Sage: `sage uninstall claude-code --scope {}`.",
            folders.settings(other).display(),
            other.name()
        )));
    }
    Ok(Outcome::Done)
}

fn target(client: Option<&str>, scope: Option<&str>, command: &str) -> Result<Scope> {
    if client != Some("claude-code") {
        let message = format!("expected claude-code: `sage {command} claude-code`");
        return Err(Error::invalid(command, message));
    }
    let word = scope.unwrap_or("user");
    Scope::parse(word).ok_or_else(|| {
        let message = format!("expected user, project or local, got \"{word}\"");
        Error::invalid("--scope", message)
    })
}

/// What is done with a plan, and how it is told.
struct Job {
    scope: Scope,
    dry_run: bool,
    yes: bool,
    json: bool,
    question: &'static str,
    not_done: &'static str,
}

impl Job {
    /// Shows the plan, asks, and carries it out; whether there is more to say.
    fn carry_out(&self, plan: &Plan) -> Result<bool> {
        if !self.json {
            output::print(&shown(plan))?;
        }
        let json = self.json.then(|| self.report(plan, false));
        let is_meant = plan.is_any() && !self.dry_run;
        let is_done =
            is_meant && (self.yes || confirm::agreed(self.question, self.not_done, json.as_ref())?);
        if is_done {
            plan.apply()?;
        }
        if self.json {
            output::print_json(&self.report(plan, is_done))?;
        }
        if plan.is_any() && self.dry_run {
            output::note("Nothing was changed.");
        }
        Ok(is_done || !plan.is_any())
    }

    fn report(&self, plan: &Plan, is_done: bool) -> Value {
        let changes: Vec<Value> = files(plan)
            .map(|change| {
                json!({
                    "file": change.path,
                    "what": change.what(),
                    "diff": change.diff(),
                    "backup": change.backup(),
                })
            })
            .collect();
        json!({
            "scope": self.scope.name(),
            "changes": changes,
            "command": plan.servers.request().map(|words| command(&words)),
            "done": is_done,
        })
    }
}

/// The files that change.
fn files(plan: &Plan) -> impl Iterator<Item = &Change> {
    let servers = match &plan.servers {
        Servers::File(change) => Some(change),
        Servers::Client { .. } => None,
    };
    let all = [Some(&plan.hooks), servers].into_iter().flatten();
    all.filter(|change| change.is_any())
}

fn shown(plan: &Plan) -> String {
    let mut text = String::new();
    for change in files(plan) {
        let path = output::clean_line(&change.path.display().to_string());
        let what = match (change.what(), change.backup()) {
            ("create", _) => "which is made".to_owned(),
            ("remove", _) => "which goes, since Sage made it".to_owned(),
            (_, Some(backup)) => {
                let name = backup.file_name().unwrap_or_default();
                format!("with a copy of it kept as {}", name.to_string_lossy())
            }
            _ => "which stays".to_owned(),
        };
        text.push_str(&format!(
            "{path}, {what}:\n{}\n",
            output::clean_text(&change.diff())
        ));
    }
    if let Some(words) = plan.servers.request() {
        text.push_str(&format!("{}\n", command(&words)));
    }
    text
}

/// What the client is asked to do, as a shell reads it.
fn command(words: &[String]) -> String {
    let words = words.iter().map(|word| shell_word(word));
    let words: Vec<String> = ["claude".to_owned()].into_iter().chain(words).collect();
    words.join(" ")
}

fn client() -> Option<Client> {
    Client::on(&variable("PATH").unwrap_or_default())
}

/// Where the client of whoever calls this keeps its files.
pub(super) fn folders() -> Result<Folders> {
    let home = variable("HOME").filter(|home| !home.is_empty());
    let config_dir = variable("CLAUDE_CONFIG_DIR").filter(|dir| !dir.is_empty());
    let project = current_dir()
        .map_err(|error| Error::Io(format!("the working directory is gone: {error}")))?;
    let home = home.map(PathBuf::from).ok_or_else(|| {
        Error::invalid(
            "HOME",
            "not set, so nobody knows where Claude Code keeps its settings",
        )
    })?;
    Ok(Folders {
        home,
        config_dir: config_dir.map(PathBuf::from),
        project,
    })
}

fn way(args: &Install, setup: &Setup, scope: Scope, via: Via, is_elsewhere: bool) -> Result<Way> {
    let server = &setup.config.server;
    let address = match (&args.server, &setup.config.hooks.server) {
        (Some(word), _) => parse_server("--server", word)?,
        (None, Some(address)) => address.clone(),
        (None, None) => (server.own_address()).unwrap_or(format!("127.0.0.1:{}", server.port)),
    };
    let data_dir = match &args.data_dir {
        Some(dir) => Some(text(
            &std::path::absolute(dir).unwrap_or_else(|_| dir.clone()),
        )?),
        None => None,
    };
    Ok(Way {
        via,
        program: if is_elsewhere {
            None
        } else {
            Some(program(scope)?)
        },
        data_dir: data_dir.filter(|_| !is_elsewhere),
        server: address,
        wants_token: server.has_token(),
    })
}

/// Whether this is Sage's own container, where there is neither a client nor an executable that one
/// could start. A development container may hold a client, and then `docker` too.
fn is_own_container() -> bool {
    let path = variable("PATH").unwrap_or_default();
    place::in_container(&variable) && find_program("docker", &path).is_none()
}

/// This executable as the client will find it: by its name in a project's files, which other
/// machines read too, else by its path, since the client may be started with another `PATH`.
fn program(scope: Scope) -> Result<String> {
    let own = std::env::current_exe()
        .map_err(|error| Error::Io(format!("this executable is not found any more: {error}")))?;
    let named = find_program("sage", &variable("PATH").unwrap_or_default());
    let named = named.filter(|named| named.canonicalize().ok() == own.canonicalize().ok());
    match named {
        Some(_) if scope == Scope::Project => Ok("sage".to_owned()),
        // A link keeps its name: what it leads to may be replaced by the next version.
        Some(named) => text(&named),
        None => text(&own),
    }
}

fn text(path: &Path) -> Result<String> {
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| Error::Io(format!("{} is no UTF-8 path", path.display())))
}

/// Other scopes whose settings have hooks of Sage.
fn elsewhere(folders: &Folders, scope: Scope) -> Vec<Scope> {
    let has_hooks = |scope: &Scope| {
        let text = read(&folders.settings(*scope)).ok().flatten();
        text.is_some_and(|text| hooks_in(&text).is_ok_and(|hooks| !hooks.is_empty()))
    };
    let others = Scope::ALL
        .into_iter()
        .filter(|other| !folders.is_same(*other, scope));
    others.filter(has_hooks).collect()
}

/// What is left to a person.
fn hints(folders: &Folders, scope: Scope, way: &Way) -> Vec<String> {
    let mut hints = Vec::new();
    if way.via != Via::Stdio && way.wants_token {
        hints.push("The server wants a token: start Claude Code with SAGE_TOKEN set.".to_owned());
    }
    if scope == Scope::Project && way.program.as_deref() != Some("sage") {
        hints.push(
            "The files name this executable by its path; put it on PATH as sage and install again, \
             so that they hold on other machines."
                .to_owned(),
        );
    }
    for other in elsewhere(folders, scope) {
        hints.push(format!(
            "{} has hooks of Sage too, so each event comes twice: `sage uninstall claude-code \
             --scope {}`.",
            folders.settings(other).display(),
            other.name()
        ));
    }
    hints
}

/// What to add by hand.
fn print(args: &Install, scope: Scope, way: &Way) -> Result<Outcome> {
    let settings = settings_text(way)?;
    let words = Client::registration(scope, &way.server_entry());
    let file = match scope {
        Scope::User => "~/.claude/settings.json",
        Scope::Project => ".claude/settings.json",
        Scope::Local => ".claude/settings.local.json",
    };
    if args.json {
        let settings: Value = serde_json::from_str(&settings).unwrap_or_default();
        output::print_json(&json!({
            "file": file,
            "settings": settings,
            "command": command(&words),
            "server": way.server_entry(),
        }))?;
        return Ok(Outcome::Done);
    }
    let mut text = format!(
        "# Into {file}; if it has \"hooks\" already, add these to them:\n{settings}\n\
         # Then run this{}:\n{}\n",
        if scope == Scope::User {
            ""
        } else {
            " in the project's folder"
        },
        command(&words)
    );
    if way.program.is_none() {
        text.push_str(WITHOUT_PROGRAM);
    }
    if way.via != Via::Stdio && way.wants_token {
        text.push_str("\n# The server wants a token: start Claude Code with SAGE_TOKEN set.\n");
    }
    output::print(&text)?;
    Ok(Outcome::Done)
}

/// What it costs to do without the executable on the host.
const WITHOUT_PROGRAM: &str = "
# This needs no executable of Sage outside the container. It costs: a session takes the time of
# `docker exec` to start; git is not seen, so work trees and clones of one repository are projects
# of their own (`docker exec sage /sage project alias` joins two), and `.sage.toml` is not read;
# what happens while the container is down is not kept. To avoid that:
#   mkdir -p ~/.local/bin && docker cp sage:/sage ~/.local/bin/sage
#   sage install claude-code --via docker
";
