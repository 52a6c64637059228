//! `sage project`: what a person decides about projects.

use argh::FromArgs;
use serde_json::{Value, json};

use super::{Outcome, Setup, output, select};
use crate::error::{Error, Result};
use crate::memory::{Filter, Project, Scope};

/// List projects, join two, bring in what belongs to none, or have hooks leave one alone.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "project",
    usage = "[OPTIONS] list | alias OLD NEW | assign PROJECT | off [PROJECT] | on [PROJECT]",
    help_triggers("-h", "--help"),
    example = "sage project alias /home/me/old-shop github.com/acme/shop",
    example = "sage project assign github.com/acme/shop --session 4f1f7a2e",
    note = "alias: what OLD holds goes to NEW, now and from now on.",
    note = "assign: what nobody could tell the project of goes to PROJECT; --session picks.",
    note = "off and on: whether hooks keep and say anything there (default: the current project)."
)]
pub(super) struct ManageProjects {
    /// what to do, and with which projects, by their whole keys
    #[argh(positional)]
    words: Vec<String>,
    /// only what belongs to this conversation (assign)
    #[argh(option)]
    session: Option<String>,
    /// print JSON: projects (list), or moved
    #[argh(switch)]
    json: bool,
    /// the folder that holds the store
    #[argh(option)]
    pub(super) data_dir: Option<std::path::PathBuf>,
}

pub(super) async fn run(args: &ManageProjects, setup: &Setup) -> Result<Outcome> {
    let engine = &setup.engine;
    let words: Vec<&str> = args.words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["list"] => list(args, setup).await?,
        ["alias", former, project] => {
            let (former, project) = (Project::new(*former), Project::new(*project));
            moved(args, engine.alias_project(&former, &project).await?)?;
        }
        ["assign", project] => {
            let filter = Filter {
                session: args.session.clone(),
                ..Filter::default()
            };
            let (project, _) = engine.true_project(Project::new(*project)).await?;
            let from = Project::unassigned();
            moved(args, engine.assign(&from, &filter, &project).await?)?;
        }
        [switch @ ("off" | "on"), rest @ ..] if rest.len() <= 1 => {
            let project = match rest.first() {
                Some(name) => engine.true_project(Project::new(*name)).await?.0,
                None => select::project_to_read(setup).await?,
            };
            engine.switch_project(&project, *switch == "off").await?;
            output::note(&output::clean_line(&match *switch {
                "off" => format!("Hooks leave {} alone from now on.", project.key),
                _ => format!("Hooks serve {} from now on.", project.key),
            }));
        }
        _ => {
            return Err(Error::invalid(
                "project",
                "expected list, alias OLD NEW, assign PROJECT, off or on; see `sage project --help`",
            ));
        }
    }
    Ok(Outcome::Done)
}

fn moved(args: &ManageProjects, count: u64) -> Result<()> {
    match args.json {
        true => output::print_json(&json!({"moved": count})),
        false => output::print(&format!(
            "Moved: {}.\n",
            output::count(count, "memory", "memories")
        )),
    }
}

async fn list(args: &ManageProjects, setup: &Setup) -> Result<()> {
    let held = setup.engine.stats(&Scope::All).await?.projects;
    let rules = setup.engine.project_rules().await?;
    let is_off = |project: &Project| {
        let mut rules = rules.iter();
        rules.any(|rule| rule.project == *project && rule.is_off)
    };
    if args.json {
        let projects = held.iter().map(|(project, memories)| {
            json!({"project": project.key, "memories": memories, "off": is_off(project)})
        });
        let names = rules.iter().filter_map(|rule| {
            let alias = rule.alias.as_ref()?;
            Some(json!({"project": rule.project.key, "alias_of": alias.key}))
        });
        let (projects, names): (Vec<Value>, Vec<Value>) = (projects.collect(), names.collect());
        return output::print_json(&json!({"projects": projects, "aliases": names}));
    }
    let mut text = String::new();
    for (project, memories) in &held {
        let off = if is_off(project) { "  (off)" } else { "" };
        let key = output::clean_line(&project.key);
        text.push_str(&format!("{memories:>8}  {key}{off}\n"));
    }
    for rule in &rules {
        let key = output::clean_line(&rule.project.key);
        match &rule.alias {
            Some(alias) => {
                let alias = output::clean_line(&alias.key);
                text.push_str(&format!("          {key}  is {alias}\n"));
            }
            None if rule.is_off && !held.iter().any(|(held, _)| *held == rule.project) => {
                text.push_str(&format!("       0  {key}  (off)\n"));
            }
            None => {}
        }
    }
    output::print(&text)
}
