//! `sage forget`: deletes memories for good, after showing what would go.

use argh::FromArgs;
use serde_json::{Value, json};

use super::select::{self, FilterWords};
use super::{Outcome, Setup, confirm, list, output, show};
use crate::engine::{ForgetPreview, ForgetRequest, Forgotten};
use crate::error::{Error, Result};
use crate::memory::json::MemoryJson;
use crate::memory::{Filter, Scope};

/// Delete memories for good, after showing what would go.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "forget",
    usage = "[OPTIONS] ID... | [OPTIONS] FILTERS",
    help_triggers("-h", "--help"),
    example = "sage forget 0190b5c0-7e11-7c3a-9d5e-2f6f3c1a8b42",
    example = "sage forget --project shop --before 2025-01-01 --yes",
    example = "sage forget --last",
    note = "Filters: --kind, --tag, --session, --after, --before. They select from the current
project only, unless --project or --all says otherwise.",
    note = "Without a terminal to ask on, nothing is deleted unless --yes is given."
)]
pub(super) struct Forget {
    /// ids, as `sage search` and `sage list` print them
    #[argh(positional)]
    id: Vec<String>,
    /// of this kind: turn, note or summary (may be repeated: any of them)
    #[argh(option)]
    kind: Vec<String>,
    /// with this tag (may be repeated: all of them)
    #[argh(option)]
    tag: Vec<String>,
    /// of this conversation
    #[argh(option)]
    session: Option<String>,
    /// said at this time or later
    #[argh(option)]
    after: Option<String>,
    /// said before this time
    #[argh(option)]
    before: Option<String>,
    /// what was kept last in this project
    #[argh(switch)]
    last: bool,
    /// do not ask
    #[argh(switch)]
    yes: bool,
    /// in this project: its key, or the end of it
    #[argh(option)]
    pub(super) project: Option<String>,
    /// in all projects
    #[argh(switch)]
    all: bool,
    /// print JSON: preview (memories, sample), forgotten (memories, passages,
    /// index_entries, vectors; null if nothing was)
    #[argh(switch)]
    json: bool,
    /// the folder that holds the store
    #[argh(option)]
    pub(super) data_dir: Option<std::path::PathBuf>,
}

pub(super) async fn run(args: &Forget, setup: &Setup) -> Result<Outcome> {
    let request = request(args, setup).await?;
    let preview = match setup.engine.forget_preview(&request).await {
        Err(Error::NotFound(_)) => return nothing(args),
        preview => preview?,
    };
    if !args.json {
        show_preview(args, &preview, setup)?;
    }
    if !args.yes && !agreed(args, &preview)? {
        return Ok(Outcome::Done);
    }
    let forgotten = setup.engine.forget(&request, &preview.code).await?;
    if args.json {
        output::print_json(&report(&preview, Some(&forgotten)))?;
    } else {
        output::print(&format!("Forgotten for good: {forgotten}.\n"))?;
    }
    Ok(Outcome::Done)
}

async fn request(args: &Forget, setup: &Setup) -> Result<ForgetRequest> {
    let filter = select::filter(&FilterWords {
        kinds: &args.kind,
        tags: &args.tag,
        session: args.session.as_deref(),
        after: args.after.as_deref(),
        before: args.before.as_deref(),
    })?;
    if args.last {
        return last(args, filter, setup).await;
    }
    match (args.id.is_empty(), filter.is_empty()) {
        (true, true) => Err(Error::invalid(
            "forget",
            "say what to forget: ids, or at least one of --kind, --tag, --session, --after and \
             --before; see `sage forget --help`",
        )),
        (false, false) => Err(Error::invalid(
            "forget",
            "give either ids or filters: together they would not say more",
        )),
        (false, true) => Ok(ForgetRequest {
            scope: match args.all {
                true => Scope::All,
                false => select::scope_of_ids(setup).await?,
            },
            ids: show::ids(&args.id)?,
            filter: Filter::default(),
        }),
        (true, false) => {
            let reach = select::reach_strictly(setup, args.all).await?;
            reach.tell();
            Ok(ForgetRequest {
                scope: reach.scope,
                ids: Vec::new(),
                filter,
            })
        }
    }
}

/// The newest memory that the filter lets through.
async fn last(args: &Forget, filter: Filter, setup: &Setup) -> Result<ForgetRequest> {
    if !args.id.is_empty() {
        return Err(Error::invalid("--last", "give either ids or --last"));
    }
    let reach = select::reach_strictly(setup, args.all).await?;
    reach.tell();
    let newest = setup.engine.list(&reach.scope, &filter, 1, None).await?;
    Ok(ForgetRequest {
        ids: match newest.items.first() {
            Some(memory) => vec![memory.id],
            None => return Err(Error::NotFound("nothing is kept here".to_owned())),
        },
        scope: reach.scope,
        filter: Filter::default(),
    })
}

fn nothing(args: &Forget) -> Result<Outcome> {
    if !args.id.is_empty() {
        return Err(Error::NotFound(
            "there is no memory of that id; `sage search` and `sage list` show ids".to_owned(),
        ));
    }
    if args.json {
        let preview = json!({"memories": 0, "sample": []});
        output::print_json(&json!({"preview": preview, "forgotten": Value::Null}))?;
    } else {
        output::note("Nothing stored answers to these filters, so nothing was forgotten.");
    }
    Ok(Outcome::Done)
}

fn show_preview(args: &Forget, preview: &ForgetPreview, setup: &Setup) -> Result<()> {
    let memories = output::count(preview.memories, "memory", "memories");
    let mut text = format!("This forgets {memories} for good:\n");
    for memory in &preview.sample {
        text.push_str(&list::line(memory, &setup.style));
    }
    if let Some(more @ 1..) = preview.memories.checked_sub(preview.sample.len() as u64) {
        text.push_str(&format!("and {more} more\n"));
    }
    if let Some(missing @ 1..) = (args.id.len() as u64).checked_sub(preview.memories) {
        let ids = output::count(missing, "id is", "ids are");
        text.push_str(&format!("{ids} not here, or given twice\n"));
    }
    output::print(&text)
}

fn agreed(args: &Forget, preview: &ForgetPreview) -> Result<bool> {
    let json = args.json.then(|| report(preview, None));
    confirm::agreed("Forget them?", "forgotten", json.as_ref())
}

fn report(preview: &ForgetPreview, forgotten: Option<&Forgotten>) -> Value {
    let sample: Vec<MemoryJson> = preview.sample.iter().map(MemoryJson::new).collect();
    json!({
        "preview": {"memories": preview.memories, "sample": sample},
        "forgotten": forgotten,
    })
}
