//! From words to a command: what argh parses, and the habits of other tools that it does not know.

use std::ffi::OsString;

use argh::{FromArgs, SubCommands};

use super::{
    backup, bench, config, context, doctor, export, forget, hook, import, install, list, mcp,
    project, prune, reindex, remember, restore, search, serve, sessions, show, stats, version, why,
};
use crate::config::Flags;
use crate::error::{Error, Result};

/// What the command line asks for.
pub(super) enum Parsed {
    /// To run this.
    Command(Command),
    /// To read this.
    Help(String),
}

/// Long-term memory for Claude Code: it keeps what was said and decided, and finds it again.
#[derive(FromArgs)]
#[argh(
    name = "sage",
    help_triggers("-h", "--help"),
    usage = "COMMAND [OPTIONS]",
    example = "sage install claude-code",
    example = "sage import claude-code ~/.claude/projects",
    example = "sage search how did we fix the login timeout",
    note = "`sage COMMAND --help` explains a command, with examples.",
    note = "Nothing leaves this machine unless a setting says so. `sage config` shows where memories are kept."
)]
struct Sage {
    /// print the version
    #[argh(switch, short = 'V')]
    version: bool,
    #[argh(subcommand)]
    command: Option<Command>,
}

/// The subcommands, in the order in which a newcomer meets them.
#[derive(FromArgs)]
#[argh(subcommand)]
pub(super) enum Command {
    Install(install::Install),
    Uninstall(install::Uninstall),
    Doctor(doctor::Doctor),
    Import(import::Import),
    Search(search::Search),
    Context(context::Context),
    Remember(remember::Remember),
    Show(show::Show),
    List(list::List),
    Sessions(sessions::Sessions),
    Forget(forget::Forget),
    Prune(prune::Prune),
    Stats(stats::ShowStats),
    Export(export::Export),
    Backup(backup::Backup),
    Restore(restore::Restore),
    Why(why::Why),
    Project(project::ManageProjects),
    Serve(serve::Serve),
    Mcp(mcp::Mcp),
    Reindex(reindex::Reindex),
    Bench(bench::Bench),
    Hook(hook::Hook),
    Config(config::ShowConfig),
    Version(version::Version),
}

impl Command {
    /// What it says about the settings.
    pub(super) fn flags(&self) -> Flags {
        let (data_dir, project) = match self {
            Self::Import(args) => (args.data_dir(), args.project()),
            Self::Export(args) => (&args.data_dir, args.project.as_ref()),
            Self::Backup(args) => (&args.data_dir, None),
            Self::Restore(args) => (&args.data_dir, None),
            Self::Search(args) => (&args.data_dir, args.project.as_ref()),
            Self::Context(args) => (&args.data_dir, args.project.as_ref()),
            Self::Remember(args) => (&args.data_dir, args.project.as_ref()),
            Self::Show(args) => (&args.data_dir, args.project.as_ref()),
            Self::List(args) => (&args.data_dir, args.project.as_ref()),
            Self::Sessions(args) => (&args.data_dir, args.project.as_ref()),
            Self::Forget(args) => (&args.data_dir, args.project.as_ref()),
            Self::Project(args) => (&args.data_dir, None),
            Self::Why(args) => (&args.data_dir, args.project.as_ref()),
            Self::Prune(args) => (&args.data_dir, args.project.as_ref()),
            Self::Stats(args) => (&args.data_dir, args.project.as_ref()),
            Self::Serve(args) => (&args.data_dir, args.project.as_ref()),
            Self::Mcp(args) => (&args.data_dir, args.project.as_ref()),
            Self::Reindex(args) => (&args.data_dir, None),
            Self::Hook(args) => (&args.data_dir, args.project.as_ref()),
            Self::Install(args) => (&args.data_dir, None),
            Self::Doctor(args) => (&args.data_dir, None),
            Self::Config(args) => return args.flags(),
            Self::Bench(_) | Self::Uninstall(_) | Self::Version(_) => (&None, None),
        };
        let listen = match self {
            Self::Serve(args) => args.listen.clone(),
            _ => Vec::new(),
        };
        Flags {
            data_dir: data_dir.clone(),
            project: project.cloned(),
            listen,
        }
    }
}

/// Reads the words that follow the program's name.
pub(super) fn parse(arguments: &[OsString]) -> Result<Parsed> {
    let words = normalise(arguments)?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if let Some(word) = words.first().filter(|word| !word.starts_with('-')) {
        known_command(word)?;
    }
    match Sage::from_args(&["sage"], &words) {
        Ok(Sage { version: true, .. }) => Ok(Parsed::Command(Command::Version(
            version::Version::default(),
        ))),
        Ok(Sage {
            command: Some(command),
            ..
        }) => Ok(Parsed::Command(command)),
        Ok(Sage { command: None, .. }) => Ok(Parsed::Command(Command::Serve(Default::default()))),
        Err(exit) if exit.status.is_ok() => Ok(Parsed::Help(exit.output)),
        Err(exit) => Err(usage_error(exit.output.trim_end(), words.first())),
    }
}

/// Whether errors are wanted as JSON, even where the rest makes no sense.
pub(super) fn asks_for_json(arguments: &[OsString]) -> bool {
    arguments
        .iter()
        .take_while(|word| *word != "--")
        .any(|word| word == "--json")
}

/// Turns `--name=value` into two words, and `help COMMAND` into `COMMAND --help`. A dash alone is
/// an option to argh, so it ends the options: what follows is text. But where `bench --json` is to
/// write to stdout.
fn normalise(arguments: &[OsString]) -> Result<Vec<String>> {
    let mut words = Vec::with_capacity(arguments.len());
    let mut options_ended = false;
    for argument in arguments {
        let word = argument
            .to_str()
            .ok_or_else(|| Error::invalid(argument.to_string_lossy(), "expected UTF-8 text"))?;
        let is_bench = words.first().is_some_and(|first| first == "bench");
        let is_value = is_bench && words.last().is_some_and(|last| last == "--json");
        if word == "-" && !options_ended && !is_value {
            words.push("--".to_owned());
            options_ended = true;
        }
        options_ended |= word == "--";
        match word.split_once('=') {
            Some((name, value)) if !options_ended && is_option(name) => {
                words.extend([name.to_owned(), value.to_owned()]);
            }
            _ => words.push(word.to_owned()),
        }
    }
    if matches!(
        words.first().map(String::as_str),
        Some("help" | "--help" | "-h")
    ) {
        words.truncate(2);
        words.remove(0);
        words.push("--help".to_owned());
    }
    Ok(words)
}

fn is_option(name: &str) -> bool {
    name.strip_prefix("--").is_some_and(|rest| {
        !rest.is_empty()
            && rest
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
    })
}

fn known_command(word: &str) -> Result<()> {
    let names = || Command::COMMANDS.iter().map(|command| command.name);
    if names().any(|name| name == word) {
        return Ok(());
    }
    let guess = names()
        .map(|name| (distance(name, word), name))
        .min()
        // Two slips of the finger; beyond that a guess is a joke.
        .filter(|(slips, _)| *slips <= 2)
        .map(|(_, name)| format!("did you mean `sage {name}`? "))
        .unwrap_or_default();
    Err(Error::invalid(
        word,
        format!("there is no such command; {guess}`sage --help` lists them"),
    ))
}

/// Levenshtein's distance in characters.
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.chars().count()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = i;
        let mut before = i + 1;
        for (cell, b) in row.iter_mut().skip(1).zip(right.chars()) {
            let here = (diagonal + usize::from(a != b))
                .min(before + 1)
                .min(*cell + 1);
            diagonal = std::mem::replace(cell, here);
            before = here;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

/// Says what argh found in the words that the rest of Sage uses.
fn usage_error(text: &str, command: Option<&&str>) -> Error {
    let help = match command {
        Some(name) if !name.starts_with('-') => format!("see `sage {name} --help`"),
        _ => "see `sage --help`".to_owned(),
    };
    let quoted = |text: &str, after: &str| {
        let (_, rest) = text.split_once(after)?;
        rest.split_once('\'').map(|(word, _)| word.to_owned())
    };
    if let Some(word) = text.strip_prefix("Unrecognized argument: ") {
        let text = "if it is text, it goes behind `--`";
        return Error::invalid(word, format!("not known here; {help}, or, {text}"));
    }
    if let Some(option) = quoted(text, "No value provided for option '") {
        return Error::invalid(option, format!("expected a value after it; {help}"));
    }
    if let Some(option) = quoted(text, "Error parsing option '") {
        let value = quoted(text, "with value '").unwrap_or_default();
        let reason = match text.rsplit_once(": ") {
            Some((_, "duplicate values provided")) => "given twice, once is enough".to_owned(),
            _ => format!("expected a whole number, got \"{value}\""),
        };
        return Error::invalid(option, format!("{reason}; {help}"));
    }
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    Error::invalid("arguments", format!("{line}; {help}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    fn normalised(words: &[&str]) -> Vec<String> {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        normalise(&words).unwrap()
    }

    #[test]
    fn values_may_follow_an_equals_sign() {
        assert_eq!(
            normalised(&["search", "--limit=5", "a=b", "--", "--limit=5"]),
            ["search", "--limit", "5", "a=b", "--", "--limit=5"]
        );
        assert_eq!(
            normalised(&["remember", "--x y=z"]),
            ["remember", "--x y=z"]
        );
    }

    #[test]
    fn a_dash_alone_is_text() {
        assert_eq!(
            normalised(&["remember", "--pin", "A", "-", "not", "B"]),
            ["remember", "--pin", "A", "--", "-", "not", "B"]
        );
        assert_eq!(normalised(&["show", "--", "-"]), ["show", "--", "-"]);
    }

    #[test]
    fn help_may_come_first() {
        assert_eq!(normalised(&["help"]), ["--help"]);
        assert_eq!(normalised(&["help", "search"]), ["search", "--help"]);
        assert_eq!(normalised(&["--help", "list", "x"]), ["list", "--help"]);
    }

    #[test]
    fn distance_counts_slips() {
        assert_eq!(distance("search", "search"), 0);
        assert_eq!(distance("search", "serch"), 1);
        assert_eq!(distance("list", "lsit"), 2);
        assert_eq!(distance("", "abc"), 3);
    }

    #[test]
    fn every_help_text_has_two_examples() {
        for command in Command::COMMANDS {
            let words = [command.name, "--help"].map(OsString::from);
            let Ok(Parsed::Help(text)) = parse(&words) else {
                panic!("{} has no help", command.name);
            };
            let examples = text.split_once("Examples:").map_or("", |(_, rest)| rest);
            let count = examples
                .lines()
                .filter(|line| line.contains("sage "))
                .count();
            assert!(count >= 2, "{text}");
        }
    }
}
