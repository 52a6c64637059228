//! All that setting up, or taking back, changes.

use serde_json::Value;

use super::change::{Change, read};
use super::pieces::{SERVER_NAME, Sort};
use super::{Client, Folders, Scope, Way, server_in};
use crate::error::{Error, Result};

/// What would change: nothing has, until [`Plan::apply`].
#[derive(Debug)]
pub struct Plan {
    /// In the settings.
    pub hooks: Change,
    /// Among the MCP servers.
    pub servers: Servers,
}

/// How the MCP server is registered.
#[derive(Debug)]
pub enum Servers {
    /// In a file that is everybody's to change.
    File(Change),
    /// By the client, in the file in which it keeps its state.
    Client {
        /// Who is asked.
        client: Client,
        /// For whom it registers.
        scope: Scope,
        /// What should be registered; `None` for nothing.
        wanted: Option<Value>,
        /// What is registered now.
        present: Option<Value>,
    },
}

impl Plan {
    /// What it takes to set the client up.
    ///
    /// # Errors
    /// When one of its files cannot be changed, or another program is registered as `sage`.
    pub fn install(
        folders: &Folders,
        scope: Scope,
        way: &Way,
        client: Option<Client>,
    ) -> Result<Self> {
        let hooks = Change::install(&folders.settings(scope), &Sort::Hooks, &way.hooks())?;
        let wanted = Some(way.server_entry());
        let (path, holder) = folders.servers(scope);
        let present = registered(folders, scope)?;
        let servers = match by_client(scope, client) {
            Some(client) => Servers::Client {
                client,
                scope,
                wanted,
                present,
            },
            None => {
                let piece = way.server_piece(holder.clone());
                Servers::File(Change::install(&path, &Sort::Server(holder), &[piece])?)
            }
        };
        Ok(Self { hooks, servers })
    }

    /// What it takes to take that back.
    ///
    /// # Errors
    /// When one of the client's files cannot be read.
    pub fn uninstall(folders: &Folders, scope: Scope, client: Option<Client>) -> Result<Self> {
        let hooks = Change::uninstall(&folders.settings(scope), &Sort::Hooks)?;
        let (path, holder) = folders.servers(scope);
        // Another program's entry of that name is not ours to take out.
        let present = registered(folders, scope).unwrap_or_default();
        let servers = match by_client(scope, client) {
            Some(client) => Servers::Client {
                client,
                scope,
                wanted: None,
                present,
            },
            None => Servers::File(Change::uninstall(&path, &Sort::Server(holder))?),
        };
        Ok(Self { hooks, servers })
    }

    /// Whether anything changes.
    pub fn is_any(&self) -> bool {
        self.hooks.is_any() || self.servers.is_any()
    }

    /// Carries it out: first what the client has a say in.
    ///
    /// # Errors
    /// When the client or the disk refuses. What was done then stays, and doing it all again
    /// completes it.
    pub fn apply(&self) -> Result<()> {
        match &self.servers {
            Servers::File(change) => change.apply()?,
            Servers::Client {
                client,
                scope,
                wanted: Some(entry),
                present,
            } if self.servers.is_any() => client.register(*scope, entry, present.is_some())?,
            Servers::Client { client, scope, .. } if self.servers.is_any() => {
                client.remove(*scope)?;
            }
            Servers::Client { .. } => {}
        }
        self.hooks.apply()
    }
}

impl Servers {
    /// Whether anything changes.
    pub fn is_any(&self) -> bool {
        match self {
            Self::File(change) => change.is_any(),
            Self::Client {
                wanted, present, ..
            } => wanted != present,
        }
    }

    /// What the client is asked to do, the words behind `claude`, if it is asked.
    pub fn request(&self) -> Option<Vec<String>> {
        match self {
            Self::Client { scope, wanted, .. } if self.is_any() => Some(match wanted {
                Some(entry) => Client::registration(*scope, entry),
                None => Client::removal(*scope),
            }),
            _ => None,
        }
    }
}

/// `.mcp.json` is a project's own file, with comments and an order that the client would not keep.
fn by_client(scope: Scope, client: Option<Client>) -> Option<Client> {
    client.filter(|_| scope != Scope::Project)
}

/// What is registered as Sage.
fn registered(folders: &Folders, scope: Scope) -> Result<Option<Value>> {
    let (path, holder) = folders.servers(scope);
    let entry = match read(&path)? {
        Some(text) if !text.trim().is_empty() => server_in(&text, &holder).map_err(|error| {
            let path = path.display();
            Error::Io(format!(
                "{path} is not understood, and was left alone: {error}"
            ))
        })?,
        _ => None,
    };
    match entry {
        Some((_, false)) => Err(Error::Io(format!(
            "another program is registered as the MCP server {SERVER_NAME} in {}; take it out with \
             `claude mcp remove --scope {} {SERVER_NAME}`, or register it under another name",
            path.display(),
            scope.name()
        ))),
        entry => Ok(entry.map(|(value, _)| value)),
    }
}
