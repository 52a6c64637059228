//! Every setting once: variable, type, default, meaning.
//!
//! Flags win over environment, environment over defaults. The environment comes in through a
//! function, so that tests hand in a map and nothing reads the process's own behind our back.

mod database;
mod hooks;
mod models;
mod server;
mod settings;

use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

pub use database::{DatabaseConfig, read_secret};
pub use hooks::{HooksConfig, parse_server};
pub use models::{DIMENSION_MAX, ModelsConfig, Names, ServiceConfig};
pub use server::{Address, LogFormat, LogLevel, ServerConfig, TOKEN_CHARS_MIN};
pub use settings::{SETTINGS, Setting};

/// The values that the program runs with.
#[derive(Debug, Clone)]
pub struct Config {
    /// The folder that holds the embedded store.
    pub data_dir: PathBuf,
    /// Where the shared store is, where there is one.
    pub database: DatabaseConfig,
    /// The services that run models, where there are some.
    pub models: ModelsConfig,
    /// The project that every call is about, whatever the directory.
    pub project: Option<String>,
    /// Whether secrets are taken out before anything is stored.
    pub redact: bool,
    /// The budget of a context when the caller names none, in estimated tokens.
    pub context_tokens: usize,
    /// What hooks do.
    pub hooks: HooksConfig,
    /// What only `sage serve` uses.
    pub server: ServerConfig,
    origins: Vec<(&'static str, Origin)>,
}

/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Given on the command line.
    Flag,
    /// Read from the environment.
    Environment,
    /// Nobody said anything.
    Default,
}

impl Origin {
    /// The word that `sage config` prints.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Environment => "environment",
            Self::Default => "default",
        }
    }
}

/// What a context costs at most when nobody says otherwise: five passages with their headings.
const CONTEXT_TOKENS_DEFAULT: usize = 1_000;

/// What the command line said.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `--project`.
    pub project: Option<String>,
    /// `--listen`, each time it was given.
    pub listen: Vec<String>,
}

/// A value that must not be seen: it has no `Display`, and its `Debug` tells nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes what must not be seen.
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// The value, for whoever compares it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

const MASK: &str = "********";

/// The process environment, or a stand-in for it.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Config {
    /// Reads every setting; the first bad value is the error.
    pub fn load(flags: &Flags, environment: Environment<'_>) -> Result<Self> {
        let mut reader = Reader::new(environment);
        let data_dir = data_dir(flags, &mut reader)?;
        let config = Self {
            database: DatabaseConfig::load(&mut reader)?,
            models: ModelsConfig::load(&mut reader, &data_dir)?,
            data_dir,
            project: project(flags, &mut reader)?,
            redact: reader.switch("SAGE_REDACT", true)?,
            context_tokens: reader
                .parsed("SAGE_CONTEXT_TOKENS", parse_tokens)?
                .unwrap_or(CONTEXT_TOKENS_DEFAULT),
            hooks: HooksConfig::load(&mut reader)?,
            server: ServerConfig::load(flags, &mut reader)?,
            origins: Vec::new(),
        };
        Ok(Self {
            origins: reader.origins,
            ..config
        })
    }

    /// Every setting with its value in words and where that came from; secrets masked.
    pub fn rows(&self) -> Vec<(&'static Setting, String, Origin)> {
        SETTINGS
            .iter()
            .map(|setting| {
                let value = match setting.variable {
                    "SAGE_DATA_DIR" => self.data_dir.display().to_string(),
                    "SAGE_PROJECT" => self.project.clone().unwrap_or_default(),
                    "SAGE_REDACT" => switch_word(self.redact).to_owned(),
                    "SAGE_CONTEXT_TOKENS" => self.context_tokens.to_string(),
                    variable => (self.hooks.value(variable))
                        .or_else(|| self.database.value(variable))
                        .or_else(|| self.models.value(variable))
                        .unwrap_or_else(|| self.server.value(variable)),
                };
                (setting, mask(setting, value), self.origin(setting.variable))
            })
            .collect()
    }

    /// Where the value of a variable in [`SETTINGS`] came from.
    pub fn origin(&self, variable: &str) -> Origin {
        self.origins
            .iter()
            .find(|(name, _)| *name == variable)
            .map_or(Origin::Default, |(_, origin)| *origin)
    }
}

/// Hides the value of a secret, but tells whether there is one.
fn mask(setting: &Setting, value: String) -> String {
    if setting.secret && !value.is_empty() {
        MASK.to_owned()
    } else {
        value
    }
}

/// Reads variables, and remembers which of them said something.
struct Reader<'a> {
    environment: Environment<'a>,
    origins: Vec<(&'static str, Origin)>,
}

impl<'a> Reader<'a> {
    fn new(environment: Environment<'a>) -> Self {
        Self {
            environment,
            origins: Vec::with_capacity(SETTINGS.len()),
        }
    }

    /// A variable that is there and not empty: an empty one is how people unset them in compose
    /// files.
    fn get(&self, variable: &str) -> Option<String> {
        (self.environment)(variable).filter(|value| !value.is_empty())
    }

    /// The value of a setting, if somebody set it: the flag's, else the variable's.
    fn read<T>(
        &mut self,
        variable: &'static str,
        flag: Option<T>,
        parse: impl FnOnce(&str) -> Result<T>,
    ) -> Result<Option<T>> {
        let (value, origin) = match (flag, self.get(variable)) {
            (Some(value), _) => (Some(value), Origin::Flag),
            (None, Some(word)) => (Some(parse(&word)?), Origin::Environment),
            (None, None) => (None, Origin::Default),
        };
        self.origins.push((variable, origin));
        Ok(value)
    }

    fn text(&mut self, variable: &'static str) -> Result<Option<String>> {
        self.read(variable, None, |word| Ok(word.to_owned()))
    }

    fn parsed<T>(
        &mut self,
        variable: &'static str,
        parse: impl FnOnce(&str, &str) -> Result<T>,
    ) -> Result<Option<T>> {
        self.read(variable, None, |word| parse(variable, word))
    }

    fn switch(&mut self, variable: &'static str, default: bool) -> Result<bool> {
        Ok(self.parsed(variable, parse_switch)?.unwrap_or(default))
    }
}

fn data_dir(flags: &Flags, reader: &mut Reader<'_>) -> Result<PathBuf> {
    let absolute = |word: &str| {
        let dir = PathBuf::from(word);
        dir.is_absolute().then_some(dir).ok_or_else(|| {
            Error::invalid(
                "SAGE_DATA_DIR",
                format!("expected an absolute path, got \"{word}\""),
            )
        })
    };
    match reader.read("SAGE_DATA_DIR", flags.data_dir.clone(), absolute)? {
        Some(dir) => Ok(dir),
        None => default_data_dir(reader),
    }
}

fn project(flags: &Flags, reader: &mut Reader<'_>) -> Result<Option<String>> {
    let field = match flags.project {
        Some(_) => "--project",
        None => "SAGE_PROJECT",
    };
    let project = reader.read("SAGE_PROJECT", flags.project.clone(), |word| {
        Ok(word.to_owned())
    })?;
    match project {
        Some(name) if name.trim().is_empty() => Err(Error::invalid(
            field,
            "expected a project's name, got nothing",
        )),
        project => Ok(project),
    }
}

/// The place of the XDG base directory specification, 0.8.
fn default_data_dir(reader: &Reader<'_>) -> Result<PathBuf> {
    let xdg = reader
        .get("XDG_DATA_HOME")
        .map(PathBuf::from)
        .filter(|dir| dir.is_absolute());
    let home = || {
        let home = reader.get("HOME")?;
        Some(Path::new(&home).join(".local/share"))
    };
    xdg.or_else(home)
        .map(|base| base.join("sage"))
        .ok_or_else(|| {
            Error::invalid(
                "SAGE_DATA_DIR",
                "there is no home folder to keep memories in; set SAGE_DATA_DIR to a folder",
            )
        })
}

fn parse_switch(variable: &str, word: &str) -> Result<bool> {
    match word.to_ascii_lowercase().as_str() {
        "on" | "true" | "yes" | "1" => Ok(true),
        "off" | "false" | "no" | "0" => Ok(false),
        _ => Err(Error::invalid(
            variable,
            format!("expected on or off, got \"{word}\""),
        )),
    }
}

fn switch_word(is_on: bool) -> &'static str {
    if is_on { "on" } else { "off" }
}

fn parse_tokens(variable: &str, word: &str) -> Result<usize> {
    word.parse::<usize>()
        .ok()
        .filter(|tokens| CONTEXT_TOKENS_RANGE.contains(tokens))
        .ok_or_else(|| {
            let (low, high) = CONTEXT_TOKENS_RANGE.into_inner();
            Error::invalid(
                variable,
                format!("expected {low} to {high} tokens, got \"{word}\""),
            )
        })
}

/// Below 100 not even one passage fits; above 20,000 the client files the answer away unread
/// (it cuts tool results at 25,000 tokens).
pub const CONTEXT_TOKENS_RANGE: std::ops::RangeInclusive<usize> = 100..=20_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_and_nothing_else_is() {
        let setting = |secret| Setting {
            variable: "SAGE_TEST",
            flag: None,
            default: "",
            meaning: "",
            secret,
        };
        let mask = |secret, value: &str| mask(&setting(secret), value.to_owned());
        assert_eq!(mask(true, "hunter2"), "********");
        assert_eq!(mask(true, ""), "", "whether one is set is no secret");
        assert_eq!(mask(false, "visible"), "visible");
    }
}
