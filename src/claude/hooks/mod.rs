//! Claude Code's hooks: what they tell is kept, and what is remembered is put before the model.
//!
//! One implementation for both ways in, the command `sage hook` and `POST /hooks/claude-code`. A
//! hook is a process, or a request, of its own; what one must know of another is in the store
//! ([`Trace`]). Every event may come twice and changes nothing the second time.

mod deeds;
mod event;
mod home;
mod keep;
mod rules;
mod spool;
mod summary;

use std::path::Path;

use serde_json::{Value, json};

pub use event::{EVENT_BYTES_MAX, Event, Kind};
pub use home::{AT_HEADER, Home};
pub use rules::rules_at;
pub use spool::Spool;

use rules::Rules;

use crate::blocking::blocking;
use crate::config::{Config, HooksConfig};
use crate::engine::{Engine, Gift, Noted, ProjectHints, START, Trace, TraceKind, TraceQuery};
use crate::error::Result;
use crate::memory::{Project, Timestamp};

/// Where these memories say they come from.
const SOURCE: &str = "claude-code";

/// Claude Code's hooks over an engine.
pub struct Hooks<'a> {
    engine: &'a Engine,
    config: &'a HooksConfig,
    /// The project that every call is about, and the one of calls that nothing else tells it of.
    named: Option<String>,
    fallback: Option<String>,
}

/// An event with everything that is known about where it belongs.
struct Told<'a> {
    event: &'a Event,
    project: Project,
    rules: Rules,
    /// The directory, where git proved that it is of this project.
    proven: Option<String>,
    now: Timestamp,
}

impl<'a> Hooks<'a> {
    /// Those of a command, whose settings may name the project.
    pub fn of_command(engine: &'a Engine, config: &'a Config) -> Self {
        Self {
            engine,
            config: &config.hooks,
            named: config.project.clone(),
            fallback: None,
        }
    }

    /// Those of a server, whose settings only help where nothing else does.
    pub fn of_server(engine: &'a Engine, config: &'a HooksConfig, project: Option<&str>) -> Self {
        Self {
            engine,
            config,
            named: None,
            fallback: project.map(str::to_owned),
        }
    }

    /// Keeps what an event tells, and returns what to answer. One that was kept back and comes
    /// late is only kept.
    ///
    /// # Errors
    /// Those of the store; the event then has left nothing, or may come again.
    pub async fn handle(&self, event: &Event, at: Option<Timestamp>) -> Result<Option<String>> {
        let told = self.told(event, at).await?;
        let gives = at.is_none() && self.config.inject && told.rules.inject;
        let keeps = self.config.capture && told.rules.capture;
        match event.kind {
            Kind::SessionStart => self.start(&told, gives, keeps).await,
            Kind::UserPromptSubmit => self.prompt(&told, gives, keeps).await,
            Kind::PreToolUse => self.announce(&told).await,
            Kind::PostToolUse | Kind::PostToolUseFailure if keeps => self.deed(&told).await,
            Kind::Stop if keeps => self.stop(&told).await,
            Kind::SubagentStop if keeps => self.subagent_stop(&told).await,
            Kind::PostCompact if keeps => self.compacted(&told).await,
            Kind::SessionEnd if keeps => self.end(&told).await,
            _ => Ok(None),
        }
    }

    async fn told<'e>(&self, event: &'e Event, at: Option<Timestamp>) -> Result<Told<'e>> {
        let seen = event.clone();
        let (place, text) = blocking(move || {
            let dir = seen.text("cwd").map(Path::new);
            let text = seen.text("sage_rules").map(str::to_owned);
            let here = || {
                dir.filter(|dir| dir.is_absolute())
                    .and_then(rules::rules_at)
            };
            Ok((seen.place(), text.or_else(here)))
        })
        .await?;
        let proven = place.as_ref().filter(|place| place.project.is_some());
        let (path, proven) = (proven.map(|place| place.path.clone()), proven.cloned());
        let hints = ProjectHints {
            call: None,
            named: self.named.clone(),
            session: Some(event.session().to_owned()),
            project_dir: place,
            working_dir: None,
            fallback: self.fallback.clone(),
        };
        let project = self.engine.choose_project(&hints).await?.project;
        let (project, is_off) = self.engine.true_project(project).await?;
        let text = match text {
            Some(text) => text,
            // A server may not see the directory; the session's start has told it.
            None => {
                let query = TraceQuery::of(TraceKind::Session, event.session());
                let bound = self.engine.traces(query).await?.into_iter().next();
                bound.map_or(String::new(), |bound| bound.value)
            }
        };
        let is_its = proven.is_some_and(|place| place.project.as_ref() == Some(&project));
        Ok(Told {
            event,
            project,
            rules: if is_off {
                rules::NOTHING_ALLOWED
            } else {
                Rules::parse(&text)
            },
            proven: path.filter(|_| is_its),
            now: at.unwrap_or_else(Timestamp::now),
        })
    }

    /// A session begins or goes on: bind it, finish what others left, say what is known.
    async fn start(&self, told: &Told<'_>, gives: bool, keeps: bool) -> Result<Option<String>> {
        let session = told.event.session();
        let source = told.event.text("source").unwrap_or("startup");
        let mut noted = told.binding();
        noted.directory = (told.proven.clone()).map(|path| (path, told.project.clone()));
        if keeps {
            self.finish_left(told, false, &mut noted).await?;
        }
        // A compaction is named by its prompt; without one, every start with an empty context
        // counts.
        let name = match told.event.text("prompt_id") {
            Some(prompt) => prompt.to_owned(),
            None => told.now.as_millisecond().to_string(),
        };
        let mut emptied = None;
        if matches!(source, "compact" | "clear") {
            let known = self
                .engine
                .traces(TraceQuery::of(TraceKind::Emptied, session));
            if !known.await?.iter().any(|trace| trace.name == name) {
                emptied = Some(told.now);
                noted
                    .traces
                    .push(told.trace(TraceKind::Emptied, &name, String::new()));
            }
        }
        let mut gift = Gift::default();
        if gives && !told.project.is_unassigned() {
            let name = format!("{START} {source} {name}");
            let (engine, project) = (self.engine, &told.project);
            gift = engine
                .gift_for_start(session, &name, project, emptied)
                .await?;
        }
        self.give(told, gift, noted).await
    }

    /// A prompt: keep it until its reply comes, and say what is known about it.
    async fn prompt(&self, told: &Told<'_>, gives: bool, keeps: bool) -> Result<Option<String>> {
        let Some(prompt) = self.words(told).await? else {
            return Ok(None);
        };
        let id = told.prompt_id(&prompt);
        let mut noted = told.binding();
        if keeps && !told.rules.forbid(&prompt) {
            let transcript = told.event.text("transcript_path");
            let value = json!({"prompt": prompt, "transcript": transcript}).to_string();
            noted.traces.push(told.trace(TraceKind::Prompt, &id, value));
        }
        let mut gift = Gift::default();
        if gives && !told.project.is_unassigned() {
            let (engine, session) = (self.engine, told.event.session());
            let project = &told.project;
            gift = engine
                .gift_for_prompt(session, &id, &prompt, project)
                .await?;
        }
        self.give(told, gift, noted).await
    }

    /// A tool of Sage's is about to be called: the call that comes proves its project by this.
    async fn announce(&self, told: &Told<'_>) -> Result<Option<String>> {
        let is_own = |name: &str| name.starts_with("mcp__") && name.contains("sage");
        let (tool, call) = (told.event.text("tool_name"), told.event.text("tool_use_id"));
        if let (Some(_), Some(call), false) = (
            tool.filter(|name| is_own(name)),
            call,
            told.project.is_unassigned(),
        ) {
            let mut noted = told.binding();
            noted
                .traces
                .push(told.trace(TraceKind::Call, call, String::new()));
            self.engine.note(noted).await?;
        }
        Ok(None)
    }

    /// Notes what is to be noted, then answers: what was said and is not in the ledger would be
    /// said again.
    async fn give(&self, told: &Told<'_>, gift: Gift, mut noted: Noted) -> Result<Option<String>> {
        noted.injections = gift.injections;
        self.engine.note(noted).await?;
        if gift.text.is_empty() {
            return Ok(None);
        }
        let output: Value = json!({"hookSpecificOutput": {
            "hookEventName": told.event.kind.name(), "additionalContext": gift.text}});
        Ok(Some(output.to_string()))
    }
}

impl Told<'_> {
    fn trace(&self, kind: TraceKind, name: &str, value: String) -> Trace {
        Trace {
            kind,
            session: self.event.session().to_owned(),
            name: name.to_owned(),
            project: self.project.clone(),
            at: self.now,
            value,
        }
    }

    /// From now on the session is of this project, wherever it goes. One without proof may still
    /// get it.
    fn binding(&self) -> Noted {
        let mut noted = Noted::default();
        if !self.project.is_unassigned() {
            let rules = self.event.text("sage_rules").unwrap_or_default();
            let bound = self.trace(TraceKind::Session, "", rules.to_owned());
            noted.traces.push(bound);
        }
        noted
    }

    /// The prompt's id; older clients give none, and there its words stand for it.
    fn prompt_id(&self, prompt: &str) -> String {
        match self.event.text("prompt_id") {
            Some(id) => id.to_owned(),
            None => format!("words {}", keep::digest(prompt)),
        }
    }
}
