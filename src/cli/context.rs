//! `sage context`: what a model would be given about a question.

use argh::FromArgs;
use serde::Serialize;

use super::json::ScopeJson;
use super::search::{HitJson, advice, tell_degraded};
use super::select::{self, FilterWords};
use super::{Outcome, Setup, output};
use crate::config::CONTEXT_TOKENS_RANGE;
use crate::error::{Error, Result};
use crate::recall::{ContextRequest, Silence};

/// Print what a model would be given about a question.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "context",
    usage = "[OPTIONS] QUERY...",
    help_triggers("-h", "--help"),
    example = "sage context what did we decide about the payment provider",
    example = "sage context --tokens 4000 --kind note --all release checklist",
    note = "Whole passages with dates and ids, best first, within a budget of tokens.",
    note = "Looks in the current project if it holds memories, else in all of them.",
    note = "Times: 2026-11-03, 2026-11-03T14:00Z, or back from now: 12h, 30d, 6w (UTC)."
)]
pub(super) struct Context {
    /// the question, in any words
    #[argh(positional)]
    query: Vec<String>,
    /// the budget, everything included (default: SAGE_CONTEXT_TOKENS)
    #[argh(option)]
    tokens: Option<usize>,
    /// only this kind: turn, note or summary (may be repeated: any of them)
    #[argh(option)]
    kind: Vec<String>,
    /// only what has this tag (may be repeated: all of them)
    #[argh(option)]
    tag: Vec<String>,
    /// only this conversation
    #[argh(option)]
    session: Option<String>,
    /// only what was said at this time or later
    #[argh(option)]
    after: Option<String>,
    /// only what was said before this time
    #[argh(option)]
    before: Option<String>,
    /// only this project: its key, or the end of it
    #[argh(option)]
    pub(super) project: Option<String>,
    /// from all projects
    #[argh(switch)]
    all: bool,
    /// let the model of SAGE_CHAT_URL leave out lines, if more was found than fits
    #[argh(switch)]
    condense: bool,
    /// print JSON: scope, text, tokens, hits, silence, degraded
    #[argh(switch)]
    json: bool,
    /// the folder that holds the store
    #[argh(option)]
    pub(super) data_dir: Option<std::path::PathBuf>,
}

pub(super) async fn run(args: &Context, setup: &Setup) -> Result<Outcome> {
    let query = select::joined("QUERY", &args.query, "sage context payment provider")?;
    let tokens_max = args.tokens.unwrap_or(setup.config.context_tokens);
    if !CONTEXT_TOKENS_RANGE.contains(&tokens_max) {
        let (low, high) = CONTEXT_TOKENS_RANGE.into_inner();
        let message = format!("expected {low} to {high}, got {tokens_max}");
        return Err(Error::invalid("--tokens", message));
    }
    let filter = select::filter(&FilterWords {
        kinds: &args.kind,
        tags: &args.tag,
        session: args.session.as_deref(),
        after: args.after.as_deref(),
        before: args.before.as_deref(),
    })?;
    let reach = select::reach(setup, args.all).await?;
    let request = ContextRequest {
        query,
        scope: reach.scope.clone(),
        filter,
        tokens_max,
        condense: args.condense,
    };
    let context = setup.engine.context(&request).await?;
    if args.json {
        output::print_json(&ContextJson {
            scope: ScopeJson::new(&reach),
            text: &context.text,
            tokens: context.tokens,
            hits: context.hits.iter().map(HitJson::new).collect(),
            silence: context.silence.map(Silence::reason),
            degraded: context.degraded.as_deref(),
        })?;
        return Ok(Outcome::Done);
    }
    reach.tell();
    match (&context.degraded, args.condense) {
        (Some(reason), true) => output::note(&format!("done without: {reason}")),
        (degraded, _) => tell_degraded(degraded.as_deref()),
    }
    if let Some(silence) = context.silence {
        output::note(silence.reason());
        output::note(&advice(silence, &reach, &request.filter, setup).await?);
    } else {
        output::print(&(output::clean_text(context.text.trim_end()) + "\n"))?;
    }
    Ok(Outcome::Done)
}

#[derive(Serialize)]
struct ContextJson<'a> {
    scope: ScopeJson<'a>,
    /// What a model would read; empty when nothing is relevant.
    text: &'a str,
    /// Its estimated size.
    tokens: usize,
    /// The memories in it, best first.
    hits: Vec<HitJson<'a>>,
    /// Why it is empty, as a sentence.
    silence: Option<&'static str>,
    /// What it had to do without, and why; else null.
    degraded: Option<&'a str>,
}
