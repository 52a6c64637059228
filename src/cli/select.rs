//! Which memories a person means: the project or all of them, and the filter.

use super::{Setup, output, place, variable};
use crate::config::Origin;
use crate::engine::{DecidedBy, Engine};
use crate::error::{Error, Result};
use crate::memory::time::{self, Direction};
use crate::memory::{Filter, Kind, Project, Scope, Timestamp};

/// Where a command looks, and why there.
#[derive(Debug, Clone)]
pub(super) struct Reach {
    pub(super) scope: Scope,
    pub(super) decided_by: ReachedBy,
}

/// What decided where a command looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ReachedBy {
    /// `--all`.
    All,
    /// There is a current project, and it holds memories.
    Project(DecidedBy),
    /// The current project holds nothing, so all are used.
    Empty(Project),
    /// Nobody could tell the current project, so all are used.
    Nothing,
}

impl ReachedBy {
    /// The word used in JSON.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Project(by) => by.name(),
            Self::Empty(_) => "empty",
            Self::Nothing => "nothing",
        }
    }
}

impl Reach {
    /// Says on stderr where a command looks.
    pub(super) fn tell(&self) {
        let text = match (&self.scope, &self.decided_by) {
            (Scope::Project(project), _) => format!("in {}", project.key),
            (Scope::All, ReachedBy::Empty(project)) => {
                format!("in all projects, since {} holds no memories", project.key)
            }
            (Scope::All, ReachedBy::Nothing) => {
                "in all projects, since none could be told from here".to_owned()
            }
            (Scope::All, _) => "in all projects".to_owned(),
        };
        output::note(&output::clean_line(&text));
    }
}

/// Where a person looks who did not say otherwise: the current project if it holds memories, else
/// all of them.
pub(super) async fn reach(setup: &Setup, all: bool) -> Result<Reach> {
    if let Some(reach) = asked_for(setup, all).await? {
        return Ok(reach);
    }
    let choice = setup.engine.choose_project(&hints(setup)).await?;
    if choice.decided_by == DecidedBy::Nothing {
        return Ok(all_because(ReachedBy::Nothing));
    }
    let scope = Scope::Project(choice.project.clone());
    if setup.engine.count(&scope).await?.memories == 0 {
        return Ok(all_because(ReachedBy::Empty(choice.project)));
    }
    Ok(Reach {
        scope,
        decided_by: ReachedBy::Project(choice.decided_by),
    })
}

/// The same for what deletes: never wider than what was asked for.
pub(super) async fn reach_strictly(setup: &Setup, all: bool) -> Result<Reach> {
    if let Some(reach) = asked_for(setup, all).await? {
        return Ok(reach);
    }
    let choice = setup.engine.choose_project(&hints(setup)).await?;
    if choice.decided_by == DecidedBy::Nothing {
        return Err(Error::invalid(
            "--project",
            format!(
                "no project could be told from here{}; name one, or say --all",
                why()
            ),
        ));
    }
    Ok(Reach {
        scope: Scope::Project(choice.project),
        decided_by: ReachedBy::Project(choice.decided_by),
    })
}

/// Where a command looks that is about everything unless somebody says otherwise.
pub(super) async fn reach_widely(setup: &Setup, all: bool) -> Result<Scope> {
    let asked_for = asked_for(setup, all).await?;
    Ok(asked_for.map_or(Scope::All, |reach| reach.scope))
}

/// Where a memory goes that somebody writes here, and the directory if that proves it. A project
/// that `--project` names for the first time is made by it.
pub(super) async fn project_to_write(setup: &Setup) -> Result<(Project, Option<String>)> {
    if let Some(name) = named_by_flag(setup) {
        return match find_project(&setup.engine, name).await? {
            Match::One(project) => Ok((project, None)),
            Match::Many(projects) => Err(ambiguous(name, &projects)),
            Match::None => Ok((Project::new(name), None)),
        };
    }
    let hints = hints(setup);
    let choice = setup.engine.choose_project(&hints).await?;
    let place = match choice.decided_by {
        DecidedBy::Environment => hints.project_dir,
        DecidedBy::Directory => hints.working_dir,
        _ => None,
    };
    let proven_by = place.filter(|place| place.project.is_some());
    if choice.decided_by == DecidedBy::Nothing {
        output::note(&format!(
            "no project could be told from here{}; --project names one",
            why()
        ));
    }
    Ok((choice.project, proven_by.map(|place| place.path)))
}

/// The one project that a person means who reads as a hook would.
pub(super) async fn project_to_read(setup: &Setup) -> Result<Project> {
    match reach_strictly(setup, false).await?.scope {
        Scope::Project(project) => Ok(project),
        Scope::All => Ok(Project::unassigned()),
    }
}

/// What a project is said to be in by flags alone, for commands that name memories by id.
pub(super) async fn scope_of_ids(setup: &Setup) -> Result<Scope> {
    match named_by_flag(setup) {
        Some(name) => Ok(Scope::Project(known_project(&setup.engine, name).await?)),
        None => Ok(Scope::All),
    }
}

fn hints(setup: &Setup) -> crate::engine::ProjectHints {
    place::hints(&setup.config, &variable)
}

/// Why a directory does not count, where that may surprise.
fn why() -> &'static str {
    match place::in_container(&variable) {
        true => " (in a container a directory counts only if git names its project)",
        false => "",
    }
}

fn all_because(decided_by: ReachedBy) -> Reach {
    Reach {
        scope: Scope::All,
        decided_by,
    }
}

/// What `--all` and `--project` say.
async fn asked_for(setup: &Setup, all: bool) -> Result<Option<Reach>> {
    match (all, named_by_flag(setup)) {
        (true, Some(_)) => Err(Error::invalid(
            "--all",
            "it contradicts --project; give one of them",
        )),
        (true, None) => Ok(Some(all_because(ReachedBy::All))),
        (false, Some(name)) => Ok(Some(Reach {
            scope: Scope::Project(known_project(&setup.engine, name).await?),
            decided_by: ReachedBy::Project(DecidedBy::Flag),
        })),
        (false, None) => Ok(None),
    }
}

fn named_by_flag(setup: &Setup) -> Option<&str> {
    let by_flag = setup.config.origin("SAGE_PROJECT") == Origin::Flag;
    setup.config.project.as_deref().filter(|_| by_flag)
}

/// What a name on the command line may mean.
enum Match {
    One(Project),
    Many(Vec<Project>),
    None,
}

/// Projects looked through for a name; a person has tens.
const PROJECTS_MAX: usize = 1_000;

/// Finds the project whose key is `name`, else the one whose key ends in it, part by part.
async fn find_project(engine: &Engine, name: &str) -> Result<Match> {
    let ending = format!("/{name}");
    let mut found = engine.projects(name, PROJECTS_MAX).await?;
    if let Some(exact) = found.iter().find(|project| project.key == name) {
        return Ok(Match::One(exact.clone()));
    }
    found.retain(|project| project.key.ends_with(&ending));
    Ok(match found.len() {
        0 => Match::None,
        1 => found.pop().map_or(Match::None, Match::One),
        _ => Match::Many(found),
    })
}

async fn known_project(engine: &Engine, name: &str) -> Result<Project> {
    match find_project(engine, name).await? {
        Match::One(project) => Ok(project),
        Match::Many(projects) => Err(ambiguous(name, &projects)),
        Match::None => {
            let mut near = engine.projects(name, CANDIDATES_MAX + 1).await?;
            if near.is_empty() {
                near = engine.projects("", CANDIDATES_MAX + 1).await?;
            }
            let rest = match near.is_empty() {
                true => "; nothing is stored at all".to_owned(),
                false => format!("; there are:{}", listing(&near)),
            };
            let message = format!("no project named \"{name}\" holds memories{rest}");
            Err(Error::invalid("--project", message))
        }
    }
}

fn ambiguous(name: &str, projects: &[Project]) -> Error {
    Error::invalid(
        "--project",
        format!(
            "\"{name}\" may mean any of these, say more of it:{}",
            listing(projects)
        ),
    )
}

/// How many projects an error lists: what fits on a screen with room to spare.
const CANDIDATES_MAX: usize = 10;

fn listing(projects: &[Project]) -> String {
    let mut lines: String = projects
        .iter()
        .take(CANDIDATES_MAX)
        .map(|project| format!("\n  {}", project.key))
        .collect();
    if projects.len() > CANDIDATES_MAX {
        lines.push_str("\n  ...");
    }
    lines
}

/// The words of the filter flags.
#[derive(Debug, Default)]
pub(super) struct FilterWords<'a> {
    pub(super) kinds: &'a [String],
    pub(super) tags: &'a [String],
    pub(super) session: Option<&'a str>,
    pub(super) after: Option<&'a str>,
    pub(super) before: Option<&'a str>,
}

/// Reads the words of the filter flags.
pub(super) fn filter(words: &FilterWords<'_>) -> Result<Filter> {
    let now = Timestamp::now();
    let past = |field: &str, word: Option<&str>| {
        word.map(|word| time::parse_when(field, word, now, Direction::Back))
            .transpose()
    };
    Ok(Filter {
        kinds: words
            .kinds
            .iter()
            .map(|word| Kind::parse("--kind", word))
            .collect::<Result<_>>()?,
        tags: words.tags.to_vec(),
        session: words.session.map(str::to_owned),
        after: past("--after", words.after)?,
        before: past("--before", words.before)?,
    })
}

/// Reads a number that must lie between 1 and `max`.
pub(super) fn limit(given: Option<usize>, default: usize, max: usize) -> Result<usize> {
    match given {
        None => Ok(default),
        Some(number) if (1..=max).contains(&number) => Ok(number),
        Some(number) => Err(Error::invalid(
            "--limit",
            format!("expected 1 to {max}, got {number}"),
        )),
    }
}

/// Joins the words of a query or a text that came without quotes.
pub(super) fn joined(field: &str, words: &[String], example: &str) -> Result<String> {
    let text = words.join(" ");
    if text.trim().is_empty() {
        return Err(Error::invalid(
            field,
            format!("expected some words, as in `{example}`"),
        ));
    }
    Ok(text)
}
