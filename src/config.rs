//! Every setting once: variable, type, default, meaning.
//!
//! Flags win over environment, environment over defaults. The environment comes in through a
//! function, so that tests hand in a map and nothing reads the process's own behind our back.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The values that the program runs with.
#[derive(Debug, Clone)]
pub struct Config {
    /// The folder that holds the embedded store.
    pub data_dir: PathBuf,
    /// The project that every call is about, whatever the directory.
    pub project: Option<String>,
    /// Whether secrets are taken out before anything is stored.
    pub redact: bool,
    /// The budget of a context when the caller names none, in estimated tokens.
    pub context_tokens: usize,
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

/// One row of the table of settings.
#[derive(Debug)]
pub struct Setting {
    /// The environment variable.
    pub variable: &'static str,
    /// The command line flag that wins over it, if there is one.
    pub flag: Option<&'static str>,
    /// What holds when nobody says anything, in words.
    pub default: &'static str,
    /// What it does, one sentence.
    pub meaning: &'static str,
    /// Never printed.
    pub secret: bool,
}

/// Every setting there is, in the order in which `sage config` prints them.
pub const SETTINGS: &[Setting] = &[
    Setting {
        variable: "SAGE_DATA_DIR",
        flag: Some("--data-dir"),
        default: "$XDG_DATA_HOME/sage, else ~/.local/share/sage",
        meaning: "The folder that holds the embedded store.",
        secret: false,
    },
    Setting {
        variable: "SAGE_PROJECT",
        flag: Some("--project"),
        default: "decided by session, CLAUDE_PROJECT_DIR or directory",
        meaning: "The project that every call is about.",
        secret: false,
    },
    Setting {
        variable: "SAGE_REDACT",
        flag: None,
        default: "on",
        meaning: "Take secrets out before anything is stored: on or off.",
        secret: false,
    },
    Setting {
        variable: "SAGE_CONTEXT_TOKENS",
        flag: None,
        default: "1000",
        meaning: "The budget of a context when the caller names none, in tokens.",
        secret: false,
    },
];

/// What a context costs at most when nobody says otherwise: five passages with their headings.
const CONTEXT_TOKENS_DEFAULT: usize = 1_000;

/// What the command line said.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `--project`.
    pub project: Option<String>,
}

/// The process environment, or a stand-in for it.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Config {
    /// Reads every setting; the first bad value is the error.
    pub fn load(flags: &Flags, environment: Environment<'_>) -> Result<Self> {
        let mut origins = Vec::with_capacity(SETTINGS.len());
        let mut note = |variable, origin| origins.push((variable, origin));

        let (data_dir, origin) = match (&flags.data_dir, set(environment, "SAGE_DATA_DIR")) {
            (Some(dir), _) => (dir.clone(), Origin::Flag),
            (None, Some(dir)) => (PathBuf::from(dir), Origin::Environment),
            (None, None) => (default_data_dir(environment)?, Origin::Default),
        };
        if !data_dir.is_absolute() && origin != Origin::Flag {
            return Err(Error::invalid(
                "SAGE_DATA_DIR",
                format!("expected an absolute path, got \"{}\"", data_dir.display()),
            ));
        }
        note("SAGE_DATA_DIR", origin);

        let (project, origin) = match (&flags.project, set(environment, "SAGE_PROJECT")) {
            (Some(name), _) => (Some(name.clone()), Origin::Flag),
            (None, Some(name)) => (Some(name), Origin::Environment),
            (None, None) => (None, Origin::Default),
        };
        if project
            .as_deref()
            .is_some_and(|name| name.trim().is_empty())
        {
            let field = if origin == Origin::Flag {
                "--project"
            } else {
                "SAGE_PROJECT"
            };
            return Err(Error::invalid(
                field,
                "expected a project's name, got nothing",
            ));
        }
        note("SAGE_PROJECT", origin);

        let (redact, origin) = match set(environment, "SAGE_REDACT") {
            Some(word) => (parse_switch("SAGE_REDACT", &word)?, Origin::Environment),
            None => (true, Origin::Default),
        };
        note("SAGE_REDACT", origin);

        let (context_tokens, origin) = match set(environment, "SAGE_CONTEXT_TOKENS") {
            Some(word) => (
                parse_tokens("SAGE_CONTEXT_TOKENS", &word)?,
                Origin::Environment,
            ),
            None => (CONTEXT_TOKENS_DEFAULT, Origin::Default),
        };
        note("SAGE_CONTEXT_TOKENS", origin);

        Ok(Self {
            data_dir,
            project,
            redact,
            context_tokens,
            origins,
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
                    "SAGE_REDACT" => if self.redact { "on" } else { "off" }.to_owned(),
                    "SAGE_CONTEXT_TOKENS" => self.context_tokens.to_string(),
                    _ => String::new(),
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
        "********".to_owned()
    } else {
        value
    }
}

/// A variable that is there and not empty: an empty one is how people unset them in compose files.
fn set(environment: Environment<'_>, variable: &str) -> Option<String> {
    environment(variable).filter(|value| !value.is_empty())
}

/// The place of the XDG base directory specification, 0.8.
fn default_data_dir(environment: Environment<'_>) -> Result<PathBuf> {
    let xdg = set(environment, "XDG_DATA_HOME")
        .map(PathBuf::from)
        .filter(|dir| dir.is_absolute());
    let home = || set(environment, "HOME").map(|home| Path::new(&home).join(".local/share"));
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
