//! What hooks tell becomes memories.

use std::path::PathBuf;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Hooks, SOURCE, Told, deeds, summary};
use crate::blocking::blocking;
use crate::capture::{CONTENT_BYTES_MAX, Capture, is_only_marks};
use crate::claude::transcript::{TranscriptTurn, personal_prompt, turn_in_file};
use crate::engine::{Noted, Trace, TraceKind, TraceQuery};
use crate::error::Result;
use crate::memory::{Filter, Kind as Sort, Memory, Scope, Timestamp};
use crate::text::strip_injected;

/// Prompts without a reply that one start finishes; the next does the rest.
const LEFT_MAX: usize = 16;

/// A prompt of another session that waits this long for its reply has been given up. Before that,
/// the session may be at work.
const GIVEN_UP_MS: i64 = 60 * 60 * 1_000;

/// Turns that a summary looks at.
const SUMMARISED_MAX: usize = 200;

/// The tag of what a subagent said.
const SUBAGENT: &str = "subagent";

impl Hooks<'_> {
    /// The person's words in a prompt, clean; `None` where no person wrote it.
    pub(super) async fn words(&self, told: &Told<'_>) -> Result<Option<String>> {
        let prompt = told.event.text("prompt").unwrap_or_default();
        let Some(words) = personal_prompt(prompt, told.event.text("source")) else {
            return Ok(None);
        };
        let words = self.engine.clean(words).await?;
        let words = strip_injected(&words).into_owned();
        Ok(Some(words).filter(|words| !is_only_marks(words)))
    }

    /// A tool was called: what it did belongs to the turn.
    pub(super) async fn deed(&self, told: &Told<'_>) -> Result<Option<String>> {
        let ids = (told.event.text("prompt_id"), told.event.text("tool_use_id"));
        let ((Some(prompt), Some(call)), Some((what, name))) = (ids, deeds::deed(told.event))
        else {
            return Ok(None);
        };
        let value = match told.rules.forbid(&name) {
            true => FORBIDDEN.to_owned(),
            false => format!("{what} {}", self.engine.clean(name).await?),
        };
        let mut noted = Noted::default();
        let name = format!("{prompt}/{call}");
        noted.traces.push(told.trace(TraceKind::Deed, &name, value));
        self.engine.note(noted).await?;
        Ok(None)
    }

    /// The reply is there: the turn is whole, unless the model goes on and stops again.
    pub(super) async fn stop(&self, told: &Told<'_>) -> Result<Option<String>> {
        let (session, reply) = (
            told.event.session(),
            told.event.text("last_assistant_message"),
        );
        let waiting = self
            .engine
            .traces(TraceQuery::of(TraceKind::Prompt, session))
            .await?;
        let waiting = match told.event.text("prompt_id") {
            Some(id) => waiting.into_iter().find(|trace| trace.name == id),
            None => waiting.into_iter().next_back(),
        };
        let id = waiting.as_ref().map(|trace| trace.name.as_str());
        let Some(id) = id.or(told.event.text("prompt_id")).map(str::to_owned) else {
            return Ok(None);
        };
        let known = self
            .engine
            .event_memory(session, &told.project, &id)
            .await?;
        let prompt = match (&waiting, &known) {
            (Some(waiting), _) => prompt_of(waiting),
            (None, Some(known)) => known.content.prompt().to_owned(),
            // Nobody told of the prompt: no person wrote it, or hooks came in the middle.
            (None, None) => return Ok(None),
        };
        let said = reply.unwrap_or_default();
        let mut noted = match self.engine.as_kept(session, &prompt, said).await? {
            Some(said) => {
                let before = known.as_ref().and_then(|known| known.content.reply());
                let reply = joined(before.unwrap_or_default(), &said);
                let at = known.as_ref().map(|known| known.created_at);
                let at = at.or(waiting.map(|trace| trace.at));
                self.keep_turn(told, &id, &prompt, &reply, known.as_ref(), at)
                    .await?
            }
            None => served(session, &id),
        };
        let judged = self
            .engine
            .judge(session, &id, &prompt, told.reply())
            .await?;
        noted.used = judged.used;
        self.engine.note(noted).await?;
        Ok(None)
    }

    /// Keeps a turn with what it did, unless it touches what is never captured; returns what has
    /// served by that.
    async fn keep_turn(
        &self,
        told: &Told<'_>,
        id: &str,
        prompt: &str,
        reply: &str,
        known: Option<&Memory>,
        at: Option<Timestamp>,
    ) -> Result<Noted> {
        let session = told.event.session();
        let beginning = format!("{id}/");
        let mut deeds = self
            .engine
            .traces(TraceQuery::of(TraceKind::Deed, session))
            .await?;
        deeds.retain(|deed| deed.name.starts_with(&beginning));
        let is_forbidden = deeds.iter().any(|deed| deed.value == FORBIDDEN)
            || told.rules.forbid(prompt)
            || told.rules.forbid(reply);
        if !is_forbidden {
            let capture = Capture {
                session: Some(session.to_owned()),
                event: Some(id.to_owned()),
                metadata: deeds::metadata(known, &deeds),
                created_at: at.or(Some(told.now)),
                ..Capture::turn(told.project.clone(), prompt, reply, SOURCE)
            };
            self.engine.capture(capture).await?;
        }
        let mut noted = served(session, id);
        if is_forbidden {
            // It stays known, in case the model goes on.
            noted.served.retain(|(kind, ..)| *kind != TraceKind::Deed);
        }
        Ok(noted)
    }

    /// What a subagent said is kept as its own: nobody typed its prompt.
    pub(super) async fn subagent_stop(&self, told: &Told<'_>) -> Result<Option<String>> {
        let Some(agent) = told.event.text("agent_id") else {
            return Ok(None);
        };
        if told.rules.forbid(told.reply()) {
            return Ok(None);
        }
        let kind = told.event.text("agent_type").unwrap_or(SUBAGENT);
        let mut metadata = serde_json::Map::new();
        metadata.insert(SUBAGENT.to_owned(), Value::from(kind));
        let capture = Capture {
            session: Some(told.event.session().to_owned()),
            event: Some(format!("agent {agent}")),
            tags: vec![SUBAGENT.to_owned()],
            metadata: Some(metadata),
            created_at: Some(told.now),
            ..Capture::turn(told.project.clone(), "", told.reply(), SOURCE)
        };
        self.engine.capture(capture).await?;
        Ok(None)
    }

    /// The client's own summary of the conversation so far.
    pub(super) async fn compacted(&self, told: &Told<'_>) -> Result<Option<String>> {
        let text = told.event.text("compact_summary").unwrap_or_default();
        if text.is_empty() || told.rules.forbid(text) {
            return Ok(None);
        }
        let prompt = told.event.text("prompt_id").unwrap_or_default();
        let capture = Capture {
            session: Some(told.event.session().to_owned()),
            event: Some(format!("compact {prompt} {}", digest(text))),
            created_at: Some(told.now),
            ..Capture::note(told.project.clone(), Sort::Summary, text, SOURCE)
        };
        self.engine.capture(capture).await?;
        Ok(None)
    }

    /// The session is over: finish what has no reply, and say what it was about.
    pub(super) async fn end(&self, told: &Told<'_>) -> Result<Option<String>> {
        let session = told.event.session();
        let mut noted = Noted::default();
        self.finish_left(told, true, &mut noted).await?;
        let filter = Filter {
            session: Some(session.to_owned()),
            kinds: vec![Sort::Turn],
            ..Filter::default()
        };
        let scope = Scope::Project(told.project.clone());
        let turns = self
            .engine
            .list(&scope, &filter, SUMMARISED_MAX, None)
            .await?;
        let mut turns = turns.items;
        turns.retain(|turn| !turn.tags.iter().any(|tag| tag == SUBAGENT));
        turns.reverse();
        if let Some(text) = summary::summary(&turns) {
            let capture = Capture {
                session: Some(session.to_owned()),
                key: Some(format!("session {session}")),
                created_at: turns.last().map(|turn| turn.created_at),
                ..Capture::note(told.project.clone(), Sort::Summary, &text, SOURCE)
            };
            self.engine.capture(capture).await?;
        }
        noted
            .served
            .push((TraceKind::Deed, session.to_owned(), String::new()));
        self.engine.note(noted).await?;
        Ok(None)
    }

    /// Keeps prompts whose reply nobody told of: with what the transcript says, else alone. Those
    /// of this session, and those of others that were given up; at the end of a session only its
    /// own.
    pub(super) async fn finish_left(
        &self,
        told: &Told<'_>,
        only_own: bool,
        noted: &mut Noted,
    ) -> Result<()> {
        let session = told.event.session();
        let query = match only_own {
            true => TraceQuery::of(TraceKind::Prompt, session),
            false => TraceQuery::in_project(TraceKind::Prompt, &told.project),
        };
        let given_up = told.now.as_millisecond() - GIVEN_UP_MS;
        let mut left = self.engine.traces(query).await?;
        left.retain(|trace| trace.session == session || trace.at.as_millisecond() < given_up);
        for trace in left.into_iter().take(LEFT_MAX) {
            let prompt = prompt_of(&trace);
            let missed = missed(&trace).await?;
            let said = missed.as_ref().map_or("", |turn| turn.reply.as_str());
            let reply = self.engine.as_kept(&trace.session, &prompt, said).await?;
            if let Some(reply) = reply.filter(|reply| !told.rules.forbid(reply)) {
                let capture = Capture {
                    session: Some(trace.session.clone()),
                    event: Some(trace.name.clone()),
                    created_at: Some(trace.at),
                    ..Capture::turn(trace.project.clone(), &prompt, &reply, SOURCE)
                };
                self.engine.capture(capture).await?;
            }
            noted
                .served
                .push((TraceKind::Prompt, trace.session, trace.name));
        }
        Ok(())
    }
}

/// What has served when a turn is whole.
fn served(session: &str, id: &str) -> Noted {
    let of = |kind, name| (kind, session.to_owned(), name);
    Noted {
        served: vec![
            of(TraceKind::Prompt, id.to_owned()),
            of(TraceKind::Deed, format!("{id}/")),
        ],
        ..Noted::default()
    }
}

/// What stands for a deed that touched something which is never captured.
const FORBIDDEN: &str = "forbidden";

impl Told<'_> {
    fn reply(&self) -> &str {
        self.event
            .text("last_assistant_message")
            .unwrap_or_default()
    }
}

fn value_of(trace: &Trace) -> Value {
    serde_json::from_str(&trace.value).unwrap_or_default()
}

fn prompt_of(trace: &Trace) -> String {
    let value = value_of(trace);
    value
        .get("prompt")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// The turn in the transcript, if that can be read from here.
async fn missed(trace: &Trace) -> Result<Option<TranscriptTurn>> {
    let value = value_of(trace);
    let Some(path) = value
        .get("transcript")
        .and_then(Value::as_str)
        .map(PathBuf::from)
    else {
        return Ok(None);
    };
    let (session, prompt) = (trace.session.clone(), trace.name.clone());
    // In a container the file is not there, and the prompt is kept alone.
    blocking(move || Ok(turn_in_file(&path, &session, &prompt).ok().flatten())).await
}

/// A reply with what came after it; what was there already is not said twice.
fn joined(before: &str, said: &str) -> String {
    let said = said.trim();
    let is_known = before.contains(said) || before.len() + said.len() >= CONTENT_BYTES_MAX;
    match (before.is_empty() || said.contains(before), is_known) {
        (true, _) => said.to_owned(),
        (_, true) => before.to_owned(),
        _ => format!("{before}\n\n{said}"),
    }
}

/// Stands for words where only equality matters.
pub(super) fn digest(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
