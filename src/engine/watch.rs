//! What happens around a conversation without anybody calling Sage: what hooks leave behind, what
//! is injected, and what became of it.

use std::borrow::Cow;
use std::collections::HashSet;

use sha2::{Digest, Sha256};

use super::Engine;
use crate::blocking::blocking;
use crate::capture::{clean, event_key};
use crate::error::Result;
use crate::memory::{Memory, MemoryId, Project, Scope, Timestamp};
use crate::recall::{self, Held, InjectRequest};
use crate::store::Store;
use crate::store::trace::{Injection, Noted, Outcome, Trace, TraceKind, TraceQuery, Usage};
use crate::text::{Analyser, Quotes, estimate_tokens, strip_injected};

/// What a prompt may be given, in estimated tokens: five passages with their headings.
const PROMPT_TOKENS_MAX: usize = 1_000;

/// What a session may start with, in estimated tokens.
const OPENING_TOKENS_MAX: usize = 800;

/// Claude Code shows a model 10,000 characters of what a hook says, as JavaScript counts them, and
/// of more only a preview. The rest is room for its own words around it.
const UNITS_MAX: usize = 9_500;

/// Notes and summaries that a session starts with at most; 800 tokens have room for fewer.
const OPENING_NOTES_MAX: usize = 12;
/// See [`OPENING_NOTES_MAX`].
const OPENING_SUMMARIES_MAX: usize = 3;

/// Lines of the ledger that tell what a session holds: a context has room for a hundred memories.
const HELD_MAX: usize = 500;

/// A reply uses a memory if it has so many of its words that the prompt had not, or two that are
/// half of them, or quotes it.
const USED_TERMS_MIN: usize = 3;

/// A reply that repeats what was given says something new in so many words of its own.
const OWN_WORDS_MIN: usize = 12;

/// How the ledger's name for the start of a session begins, in the place of a prompt's id.
pub const START: &str = "start";

/// What to give to the client for a prompt or a session.
#[derive(Debug, Clone, Default)]
pub struct Gift {
    /// The text; empty for nothing.
    pub text: String,
    /// What the ledger says about it; to be noted.
    pub injections: Vec<Injection>,
}

impl Engine {
    /// Notes what a hook leaves behind, all or nothing.
    pub async fn note(&self, noted: Noted) -> Result<()> {
        if noted.is_empty() {
            return Ok(());
        }
        let now = Timestamp::now();
        self.with_store(async |store: Store| store.note(noted, now).await)
            .await
    }

    /// What hooks left behind, the oldest first.
    pub async fn traces(&self, query: TraceQuery) -> Result<Vec<Trace>> {
        self.with_store(async |store: Store| store.traces(query).await)
            .await
    }

    /// A text without secrets and private spans.
    pub async fn clean(&self, text: String) -> Result<String> {
        let redact = self.config.redact;
        blocking(move || Ok(clean(&text, redact))).await
    }

    /// The reply to a prompt as it is kept: clean, and without what its session was given. `None`
    /// if it answers a question with hardly more than that: such a turn would only stand before
    /// what it repeats.
    pub async fn as_kept(
        &self,
        session: &str,
        prompt: &str,
        reply: &str,
    ) -> Result<Option<String>> {
        let reply = self.clean(reply.to_owned()).await?;
        let cut = without_quotes(&self.quotes(session).await?, &reply);
        let (repeats, reply) = (cut.is_some(), cut.unwrap_or(reply));
        Ok(Some(reply).filter(|reply| !(repeats && adds_nothing(prompt, reply))))
    }

    /// The memory that an event of a session made.
    pub async fn event_memory(
        &self,
        session: &str,
        project: &Project,
        event: &str,
    ) -> Result<Option<Memory>> {
        let key = event_key(Some(session), project, event);
        self.with_store(async |store: Store| store.event_memory(key).await)
            .await
    }

    /// What fits a prompt and the session does not hold yet. `prompt` must be clean.
    pub async fn gift_for_prompt(
        &self,
        session: &str,
        prompt_id: &str,
        prompt: &str,
        project: &Project,
    ) -> Result<Gift> {
        let held = self.held(session, None).await?;
        let mut gift = self.find_for(held, prompt_id, prompt, project).await?;
        if self.is_held_out(session, prompt_id) {
            gift.text.clear();
            for line in &mut gift.injections {
                if line.outcome == Outcome::Given {
                    line.outcome = Outcome::HeldOut;
                }
            }
        }
        Ok(gift)
    }

    /// What a session that holds nothing would be given for a prompt, and what not.
    pub async fn explain(&self, prompt: &str, project: &Project) -> Result<Vec<Injection>> {
        let prompt = self.clean(prompt.to_owned()).await?;
        let gift = self.find_for(Held::default(), "", &prompt, project);
        Ok(gift.await?.injections)
    }

    async fn find_for(
        &self,
        held: Held,
        prompt_id: &str,
        prompt: &str,
        project: &Project,
    ) -> Result<Gift> {
        let session = held.session.clone();
        let request = InjectRequest {
            prompt: prompt.to_owned(),
            project: project.clone(),
            held,
            tokens_max: PROMPT_TOKENS_MAX,
            units_max: UNITS_MAX,
            by_use: self.config.hooks.by_use,
        };
        let now = Timestamp::now();
        // What the model leaves of a hook's time is for the recall.
        let patience = self.config.hooks.deadline / 2;
        let found = self.with_store(async |store: Store| {
            let (aids, degraded) = self.aids(&store, &request.prompt, patience).await?;
            let mut found = recall::inject(self.means(&store), request, aids).await?;
            found.context.degraded = found.context.degraded.or(degraded);
            Ok(found)
        });
        let found = self.meters.context.time(found).await?;
        self.meters
            .degraded
            .add(u64::from(found.context.degraded.is_some()));
        let lines = found.lines.into_iter().zip(1..);
        let injections = lines.map(|((hit, outcome, terms, tokens), rank)| Injection {
            session: session.clone(),
            prompt: prompt_id.to_owned(),
            memory: hit.memory.id,
            outcome,
            rank,
            score: f64::from(hit.score),
            tokens: u32::try_from(tokens).unwrap_or(u32::MAX),
            terms,
            at: now,
            used: None,
        });
        Ok(Gift {
            injections: injections.collect(),
            text: found.context.text,
        })
    }

    /// What a session starts with; `emptied` says when its context was emptied, if just now.
    pub async fn gift_for_start(
        &self,
        session: &str,
        name: &str,
        project: &Project,
        emptied: Option<Timestamp>,
    ) -> Result<Gift> {
        let held = self.held(session, emptied).await?;
        let (scope, now) = (project.clone(), Timestamp::now());
        let memories = self
            .with_store(async |store: Store| {
                let (notes, summaries) = (OPENING_NOTES_MAX, OPENING_SUMMARIES_MAX);
                store.opening(scope, now, notes, summaries).await
            })
            .await?;
        let context = recall::opening(memories, project, &held, OPENING_TOKENS_MAX, UNITS_MAX);
        let lines = context.hits.iter().zip(1..);
        let injections = lines.map(|(hit, rank)| Injection {
            session: session.to_owned(),
            prompt: name.to_owned(),
            memory: hit.memory.id,
            outcome: Outcome::Given,
            rank,
            score: 1.0,
            tokens: u32::try_from(estimate_tokens(&hit.memory.content.text)).unwrap_or(u32::MAX),
            terms: String::new(),
            at: now,
            used: None,
        });
        Ok(Gift {
            injections: injections.collect(),
            text: context.text,
        })
    }

    /// What a session's context holds.
    async fn held(&self, session: &str, emptied: Option<Timestamp>) -> Result<Held> {
        let emptyings = self.traces(TraceQuery::of(TraceKind::Emptied, session));
        let before = emptyings.await?.iter().map(|trace| trace.at).max();
        let since = emptied.or(before);
        let lines = self.injections(&Scope::All, Some(session), None, HELD_MAX);
        let lines = lines.await?;
        let given = lines.iter().filter(|line| {
            line.outcome == Outcome::Given && since.is_none_or(|since| line.at > since)
        });
        Ok(Held {
            session: session.to_owned(),
            since,
            given: given.map(|line| line.memory).collect(),
        })
    }

    /// The ledger's lines about a session or a memory, the newest first.
    pub async fn injections(
        &self,
        scope: &Scope,
        session: Option<&str>,
        memory: Option<MemoryId>,
        limit: usize,
    ) -> Result<Vec<Injection>> {
        let (scope, session) = (scope.clone(), session.map(str::to_owned));
        self.with_store(async |store: Store| store.injections(scope, session, memory, limit).await)
            .await
    }

    /// How what was given and what was held out for comparison fared.
    pub async fn benefit(&self, scope: &Scope) -> Result<[Usage; 2]> {
        let scope = scope.clone();
        self.with_store(async |store: Store| store.benefit(scope).await)
            .await
    }

    /// Whether the reply to a prompt used what the session was given, to be noted.
    pub async fn judge(
        &self,
        session: &str,
        prompt_id: &str,
        prompt: &str,
        reply: &str,
    ) -> Result<Noted> {
        let lines = self.injections(&Scope::All, Some(session), None, HELD_MAX);
        let mut lines = lines.await?;
        lines.retain(|line| match line.outcome {
            // What a session started with may be of use at any time.
            Outcome::Given if line.prompt.starts_with(START) => line.used != Some(true),
            Outcome::Given => line.prompt == prompt_id,
            Outcome::HeldOut => line.prompt == prompt_id,
            _ => false,
        });
        let ids: Vec<MemoryId> = lines.iter().map(|line| line.memory).collect();
        let memories = self.memories(&Scope::All, &ids).await?;
        let analyser = self.analyser.clone();
        let (prompt, reply) = (prompt.to_owned(), reply.to_owned());
        blocking(move || {
            let known = terms(&analyser, &prompt);
            let said = terms(&analyser, &reply);
            let mut noted = Noted::default();
            for line in lines {
                let text = memories.iter().find(|memory| memory.id == line.memory);
                let text = text.map_or("", |memory| memory.content.text.as_str());
                let used = is_used(&analyser, text, &known, &said, &reply);
                let (session, prompt) = (line.session, line.prompt);
                noted.used.push((session, prompt, line.memory, used));
            }
            Ok(noted)
        })
        .await
    }

    /// Whether a prompt goes without, for comparison: always the same ones.
    fn is_held_out(&self, session: &str, prompt_id: &str) -> bool {
        let digest = Sha256::digest(format!("hold-out {session}/{prompt_id}"));
        let [first, second, ..]: [u8; 32] = digest.into();
        u32::from(u16::from_be_bytes([first, second])) % 100 < self.config.hooks.hold_out_percent
    }

    /// What a session was given, to recognise it when it comes back.
    pub(super) async fn quotes(&self, session: &str) -> Result<Quotes> {
        let lines = self.injections(&Scope::All, Some(session), None, HELD_MAX);
        let given = lines.await?;
        let given = given.iter().filter(|line| line.outcome == Outcome::Given);
        let mut ids: Vec<MemoryId> = given.map(|line| line.memory).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut quotes = Quotes::default();
        if !ids.is_empty() {
            for memory in self.memories(&Scope::All, &ids).await? {
                quotes.add(&memory.content.text);
            }
        }
        Ok(quotes)
    }
}

/// A text without what was given and without quotations of it, and nothing where only marks would
/// be left; `None` if it repeats nothing.
pub(super) fn without_quotes(quotes: &Quotes, text: &str) -> Option<String> {
    let own = strip_injected(text);
    let kept = match (quotes.cut(&own), &own) {
        (Some(kept), _) => kept,
        (None, Cow::Owned(_)) => own.into_owned(),
        (None, Cow::Borrowed(_)) => return None,
    };
    let has_words = kept.contains(char::is_alphanumeric);
    Some(if has_words { kept } else { String::new() })
}

/// Whether a turn whose reply repeats what was given says nothing beside it: the prompt asks, and
/// a few words are left of the reply.
pub(super) fn adds_nothing(prompt: &str, kept: &str) -> bool {
    let words = kept.split(|c: char| !c.is_alphanumeric());
    let own = words.filter(|word| !word.is_empty()).count();
    prompt.trim_end().ends_with(['?', '？']) && own < OWN_WORDS_MIN
}

fn terms(analyser: &Analyser, text: &str) -> HashSet<String> {
    let mut terms = HashSet::new();
    analyser.terms(text, |term| {
        terms.insert(term.to_owned());
    });
    terms
}

fn is_used(
    analyser: &Analyser,
    memory: &str,
    known: &HashSet<String>,
    said: &HashSet<String>,
    reply: &str,
) -> bool {
    let own = terms(analyser, memory);
    let shared = own
        .iter()
        .filter(|term| !known.contains(*term) && said.contains(*term));
    let mut quotes = Quotes::default();
    quotes.add(memory);
    let shared = shared.count();
    let most = shared >= 2 && 2 * shared >= own.difference(known).count();
    shared >= USED_TERMS_MIN || most || quotes.cut(reply).is_some()
}
