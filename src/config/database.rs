//! Where the shared store is, where there is one.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::{Reader, Secret};
use crate::error::{Error, Result};

/// The schema where nobody named one.
const SCHEMA_DEFAULT: &str = "sage";

/// PostgreSQL cuts longer names off.
const SCHEMA_BYTES_MAX: usize = 63;

/// The settings of the PostgreSQL store. Without an address, memories are in the embedded one.
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    /// Its address, with or without a password in it.
    pub url: Option<Secret>,
    /// The file that holds the address.
    pub url_file: Option<PathBuf>,
    /// The file that holds the password.
    pub password_file: Option<PathBuf>,
    /// The file with the certificates of those who may vouch for the server, in PEM.
    pub ca_file: Option<PathBuf>,
    /// The schema that holds the tables: a plain identifier.
    pub schema: String,
}

impl DatabaseConfig {
    pub(super) fn load(reader: &mut Reader<'_>) -> Result<Self> {
        let url = reader.text("SAGE_DATABASE_URL")?.map(Secret::new);
        let url_file = reader.text("SAGE_DATABASE_URL_FILE")?.map(PathBuf::from);
        if url.is_some() && url_file.is_some() {
            return Err(Error::invalid(
                "SAGE_DATABASE_URL_FILE",
                "SAGE_DATABASE_URL is set as well; keep one of the two",
            ));
        }
        let password_file = reader.text("SAGE_DATABASE_PASSWORD_FILE")?;
        let ca_file = reader.text("SAGE_DATABASE_CA_FILE")?;
        let schema = reader.parsed("SAGE_DATABASE_SCHEMA", parse_schema)?;
        Ok(Self {
            url,
            url_file,
            password_file: password_file.map(PathBuf::from),
            ca_file: ca_file.map(PathBuf::from),
            schema: schema.unwrap_or_else(|| SCHEMA_DEFAULT.to_owned()),
        })
    }

    /// Whether memories are in PostgreSQL.
    pub fn is_set(&self) -> bool {
        self.url.is_some() || self.url_file.is_some()
    }

    /// The value of one of these settings in words; nothing where nothing is set.
    pub(super) fn value(&self, variable: &str) -> Option<String> {
        let path = |path: &Option<PathBuf>| {
            let path = path.as_deref().unwrap_or(Path::new(""));
            path.display().to_string()
        };
        Some(match variable {
            "SAGE_DATABASE_URL" => self.url.as_ref().map_or("", Secret::reveal).to_owned(),
            "SAGE_DATABASE_URL_FILE" => path(&self.url_file),
            "SAGE_DATABASE_PASSWORD_FILE" => path(&self.password_file),
            "SAGE_DATABASE_CA_FILE" => path(&self.ca_file),
            "SAGE_DATABASE_SCHEMA" => self.schema.clone(),
            _ => return None,
        })
    }
}

/// What an unquoted name may look like, so that nobody has to quote it.
fn parse_schema(variable: &str, word: &str) -> Result<String> {
    let mut bytes = word.bytes();
    let begins = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    let is_name = bytes.next().is_some_and(begins)
        && bytes.all(|byte| begins(byte) || byte.is_ascii_digit())
        && word.len() <= SCHEMA_BYTES_MAX
        && !word.starts_with("pg_");
    if is_name {
        return Ok(word.to_owned());
    }
    Err(Error::invalid(
        variable,
        format!(
            "expected a name of at most {SCHEMA_BYTES_MAX} lower case letters, digits and _, which \
             does not begin with a digit or pg_, got \"{word}\""
        ),
    ))
}

/// A file with a secret that is longer than this is some other file.
const SECRET_FILE_BYTES_MAX: u64 = 4_096;

/// Reads a file that holds a secret; `variable` named it.
///
/// # Errors
/// Where it cannot be read or is too long for a secret. The error holds the path and nothing of
/// what is in the file.
pub fn read_secret(variable: &str, path: &Path) -> Result<String> {
    let unreadable = |why: String| {
        let message = format!("{} could not be read: {why}", path.display());
        Error::invalid(variable, message)
    };
    let file = File::open(path).map_err(|error| unreadable(error.to_string()))?;
    let mut text = String::new();
    // Some files have no end.
    file.take(SECRET_FILE_BYTES_MAX + 1)
        .read_to_string(&mut text)
        .map_err(|error| unreadable(error.to_string()))?;
    if text.len() as u64 > SECRET_FILE_BYTES_MAX {
        return Err(unreadable("it is too long for a secret".to_owned()));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_a_plain_name() {
        for name in ["sage", "_", "sage_2", &"a".repeat(63)] {
            assert_eq!(parse_schema("S", name).as_deref(), Ok(name));
        }
        for name in [
            "Sage",
            "2sage",
            "sa-ge",
            "pg_sage",
            "a\"b",
            "ä",
            &"a".repeat(64),
        ] {
            assert!(parse_schema("S", name).is_err(), "{name}");
        }
    }
}
