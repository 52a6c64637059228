//! Setting Claude Code up: hooks in its settings, and the MCP server in its configuration.
//!
//! `way` says what is wanted, `pieces` puts it into a text and finds it again, `change` carries
//! that out on a file, `client` asks the client itself where the file is the client's own state,
//! and `plan` is all of it together.

mod change;
mod client;
mod diff;
mod edit;
mod jsonc;
mod pieces;
mod plan;
mod way;

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::Result;
use pieces::Sort;

pub use change::{Change, read};
pub use client::{Client, find_program, is_executable};
pub use pieces::SERVER_NAME;
pub use plan::{Plan, Servers};
pub use way::{Via, Way, shell_word};

/// For whom the client is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// For this person, in every project.
    User,
    /// For everybody who works in this project: the files go into its repository.
    Project,
    /// For this person in this project.
    Local,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::User, Self::Project, Self::Local];

    /// The client's word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Project => "project",
            Self::Local => "local",
        }
    }

    /// Reads the client's word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == word)
    }
}

/// Where the client keeps its files.
#[derive(Debug, Clone)]
pub struct Folders {
    /// The person's home.
    pub home: PathBuf,
    /// `CLAUDE_CONFIG_DIR`, where somebody set it.
    pub config_dir: Option<PathBuf>,
    /// The folder that the client is started in.
    pub project: PathBuf,
}

impl Folders {
    /// The settings of a scope.
    pub fn settings(&self, scope: Scope) -> PathBuf {
        match scope {
            Scope::User => self.own().join("settings.json"),
            Scope::Project => self.project.join(".claude/settings.json"),
            Scope::Local => self.project.join(".claude/settings.local.json"),
        }
    }

    /// Whether two scopes have the same settings: in the home, the project's are the person's.
    pub fn is_same(&self, one: Scope, other: Scope) -> bool {
        let [one, other] = [one, other].map(|scope| {
            let path = self.settings(scope);
            path.canonicalize().unwrap_or(path)
        });
        one == other
    }

    /// The client's folder for this person.
    pub fn own(&self) -> PathBuf {
        match &self.config_dir {
            Some(dir) => dir.clone(),
            None => self.home.join(".claude"),
        }
    }

    /// The file that holds the MCP servers of a scope, and the names that lead to them in it.
    pub fn servers(&self, scope: Scope) -> (PathBuf, Vec<String>) {
        let state = match &self.config_dir {
            Some(dir) => dir.join(".claude.json"),
            None => self.home.join(".claude.json"),
        };
        let servers = "mcpServers".to_owned();
        match scope {
            Scope::User => (state, vec![servers]),
            Scope::Project => (self.project.join(".mcp.json"), vec![servers]),
            Scope::Local => {
                let root = self.work_tree().display().to_string();
                (state, vec!["projects".to_owned(), root, servers])
            }
        }
    }

    /// The client files a project under the top of its work tree.
    fn work_tree(&self) -> &Path {
        let mut above = self.project.ancestors();
        let top = above.find(|folder| folder.join(".git").exists());
        top.unwrap_or(&self.project)
    }
}

/// The handlers of Sage's hooks in a text of settings: each event with its handlers' group.
///
/// # Errors
/// When the text is no JSON.
pub fn hooks_in(text: &str) -> Result<Vec<(String, Value)>> {
    let found = pieces::found(text, &Sort::Hooks)?.into_iter();
    Ok(found
        .map(|(holder, group)| (holder.last().cloned().unwrap_or_default(), group))
        .collect())
}

/// What stands under Sage's name among the MCP servers at this path of a text; the second is
/// whether that is Sage.
///
/// # Errors
/// When the text is no JSON.
pub fn server_in(text: &str, holder: &[String]) -> Result<Option<(Value, bool)>> {
    let root = jsonc::parse(text)?;
    let steps: Vec<_> = holder.iter().map(|name| edit::Step::Name(name)).collect();
    let servers = edit::find(&root, &steps);
    let entry = servers.and_then(|servers| servers.member(SERVER_NAME));
    Ok(entry.map(|entry| {
        let value = entry.value(text);
        let is_own = pieces::is_server(&value);
        (value, is_own)
    }))
}

/// The value of a text, without comments.
///
/// # Errors
/// When the text is no JSON.
pub fn plain(text: &str) -> Result<Value> {
    Ok(jsonc::parse(text)?.value(text))
}

/// What to write into a file of settings where there is none.
///
/// # Errors
/// None that is expected.
pub fn settings_text(way: &Way) -> Result<String> {
    pieces::put(pieces::EMPTY, &way.hooks())
}
