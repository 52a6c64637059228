//! The one error type: what happened, what it means, what to do.
//!
//! Layers return it and never print; `main` decides the exit code, `mcp` the shape of the reply.

use std::fmt;

/// The result of everything that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, sorted by what the caller can do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The caller's input is at fault; `field` names the argument.
    Invalid {
        /// The argument, flag or variable that was wrong.
        field: String,
        /// What was expected and what came instead.
        message: String,
    },
    /// Nothing by that name or id is visible to the caller.
    NotFound(String),
    /// The store cannot be used until somebody acts: corrupt, read-only, full, from a newer Sage.
    Store(String),
    /// The store is busy or away for the moment; the same call may work later.
    Unavailable(String),
    /// A file or folder outside the store could not be read or written.
    Io(String),
    /// A broken promise inside Sage: worth a bug report.
    Internal(String),
}

impl Error {
    /// An error about the argument `field`.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid {
            field: field.into(),
            message: message.into(),
        }
    }

    /// Whether the person at the terminal called the command wrongly (exit code 2).
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Invalid { .. })
    }

    /// A short stable name for JSON output and, later, metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "invalid",
            Self::NotFound(_) => "not_found",
            Self::Store(_) => "store",
            Self::Unavailable(_) => "unavailable",
            Self::Io(_) => "io",
            Self::Internal(_) => "internal",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid { field, message } => write!(f, "{field}: {message}"),
            Self::NotFound(message)
            | Self::Store(message)
            | Self::Unavailable(message)
            | Self::Io(message) => f.write_str(message),
            Self::Internal(message) => write!(f, "internal error, please report it: {message}"),
        }
    }
}

impl std::error::Error for Error {}
