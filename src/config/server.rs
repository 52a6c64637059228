//! What only `sage serve` uses: where it listens, who may ask, what it tells.

use std::fmt;
use std::path::PathBuf;

use super::{Flags, Reader, Secret, read_secret, switch_word};
use crate::error::{Error, Result};

/// The port where nobody named one.
const PORT_DEFAULT: u16 = 17_800;

/// A token that is guessed at 1,000 tries a second for a year falls below 35 bits; 16 characters
/// of whatever alphabet are far beyond that.
pub const TOKEN_CHARS_MIN: usize = 16;

/// The settings of `sage serve`.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Where to listen; never empty.
    pub listen: Vec<Address>,
    /// Of `SAGE_LISTEN`'s default, and of the healthcheck.
    pub port: u16,
    /// What every request but health must carry.
    pub token: Option<Secret>,
    /// The file that holds the token.
    pub token_file: Option<PathBuf>,
    /// Whether a listener beyond this machine may do without a token.
    pub allow_insecure_bind: bool,
    /// Names beside this machine's own that a request may call the server by, lower case.
    pub allowed_hosts: Vec<String>,
    /// Origins beside this machine's own, as browsers write them: `https://sage.example`.
    pub allowed_origins: Vec<String>,
    /// The least important events that are told.
    pub log_level: LogLevel,
    /// How they are written.
    pub log_format: LogFormat,
}

/// A place to listen at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A host name or IP address (IPv6 without brackets), and a port; port 0 is any free one.
    Tcp(String, u16),
    /// A socket in the file system.
    Unix(PathBuf),
}

/// How important an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Something does not work.
    Error,
    /// Something is odd: a wrong token, a full table.
    Warn,
    /// What happened: start, end, requests.
    Info,
    /// Also what happens all the time: health checks.
    Debug,
}

/// How events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Plain,
    /// One JSON object a line.
    Json,
}

impl ServerConfig {
    pub(super) fn load(flags: &Flags, reader: &mut Reader<'_>) -> Result<Self> {
        let given = match flags.listen.as_slice() {
            [] => None,
            words => Some(addresses("--listen", words.iter().map(String::as_str))?),
        };
        let listen = reader.read("SAGE_LISTEN", given, |list| {
            addresses("SAGE_LISTEN", list.split(','))
        })?;
        let port = reader
            .parsed("SAGE_PORT", parse_port)?
            .unwrap_or(PORT_DEFAULT);
        let token = reader.text("SAGE_TOKEN")?.map(Secret::new);
        let token_file = reader.text("SAGE_TOKEN_FILE")?.map(PathBuf::from);
        if token.is_some() && token_file.is_some() {
            return Err(Error::invalid(
                "SAGE_TOKEN_FILE",
                "SAGE_TOKEN is set as well; keep one of the two",
            ));
        }
        let level = reader.parsed("SAGE_LOG", LogLevel::parse)?;
        let format = reader.parsed("SAGE_LOG_FORMAT", LogFormat::parse)?;
        Ok(Self {
            listen: listen.unwrap_or_else(|| vec![Address::Tcp("127.0.0.1".to_owned(), port)]),
            port,
            token,
            token_file,
            allow_insecure_bind: reader.switch("SAGE_ALLOW_INSECURE_BIND", false)?,
            allowed_hosts: reader
                .parsed("SAGE_ALLOWED_HOSTS", parse_hosts)?
                .unwrap_or_default(),
            allowed_origins: reader
                .parsed("SAGE_ALLOWED_ORIGINS", parse_origins)?
                .unwrap_or_default(),
            log_level: level.unwrap_or(LogLevel::Info),
            log_format: format.unwrap_or(LogFormat::Plain),
        })
    }

    /// Whether requests must carry a token.
    pub fn has_token(&self) -> bool {
        self.token.is_some() || self.token_file.is_some()
    }

    /// `HOST:PORT` at which those on this machine reach a server with these settings, if they do.
    pub fn own_address(&self) -> Option<String> {
        let own = |address: &Address| match address {
            Address::Tcp(host, port) => match host.as_str() {
                "127.0.0.1" | "localhost" | "0.0.0.0" => Some(format!("127.0.0.1:{port}")),
                "::1" | "::" => Some(format!("[::1]:{port}")),
                _ => None,
            },
            Address::Unix(_) => None,
        };
        self.listen.iter().find_map(own)
    }

    /// The token, wherever it is kept.
    ///
    /// # Errors
    /// When its file cannot be read, or it is too short to be one.
    pub fn read_token(&self) -> Result<Option<String>> {
        let (variable, token) = match (&self.token, &self.token_file) {
            (Some(token), _) => ("SAGE_TOKEN", token.reveal().to_owned()),
            (None, Some(path)) => ("SAGE_TOKEN_FILE", read_secret("SAGE_TOKEN_FILE", path)?),
            (None, None) => return Ok(None),
        };
        let token = token.trim().to_owned();
        // What a header cannot carry nobody could ever send.
        if token.chars().count() < TOKEN_CHARS_MIN || !token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Error::invalid(
                variable,
                format!(
                    "expected at least {TOKEN_CHARS_MIN} ASCII characters without blanks, \
                     as `openssl rand -hex 32` prints them"
                ),
            ));
        }
        Ok(Some(token))
    }

    /// The value of one of these settings in words; nothing where nothing is set.
    pub(super) fn value(&self, variable: &str) -> String {
        match variable {
            "SAGE_LISTEN" => join(&self.listen),
            "SAGE_PORT" => self.port.to_string(),
            "SAGE_TOKEN" => self.token.as_ref().map_or("", Secret::reveal).to_owned(),
            "SAGE_TOKEN_FILE" => {
                let file = self.token_file.as_ref();
                file.map_or(String::new(), |file| file.display().to_string())
            }
            "SAGE_ALLOW_INSECURE_BIND" => switch_word(self.allow_insecure_bind).to_owned(),
            "SAGE_ALLOWED_HOSTS" => join(&self.allowed_hosts),
            "SAGE_ALLOWED_ORIGINS" => join(&self.allowed_origins),
            "SAGE_LOG" => self.log_level.name().to_owned(),
            "SAGE_LOG_FORMAT" => match self.log_format {
                LogFormat::Plain => "plain".to_owned(),
                LogFormat::Json => "json".to_owned(),
            },
            _ => String::new(),
        }
    }
}

fn join(words: &[impl fmt::Display]) -> String {
    let words: Vec<_> = words.iter().map(ToString::to_string).collect();
    words.join(",")
}

impl Address {
    /// Reads `HOST:PORT`, `[IPV6]:PORT` or `unix:PATH`; `field` is who said it.
    fn parse(field: &str, word: &str) -> Result<Self> {
        let wrong = || {
            let expected = "expected HOST:PORT, [IPV6]:PORT or unix:/PATH";
            Error::invalid(field, format!("{expected}, got \"{word}\""))
        };
        if let Some(path) = word.strip_prefix("unix:") {
            let path = PathBuf::from(path);
            return path
                .is_absolute()
                .then_some(Self::Unix(path))
                .ok_or_else(wrong);
        }
        let (host, port) = word.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().map_err(|_| wrong())?;
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        match bare.unwrap_or(host) {
            "" => Err(wrong()),
            name if bare.is_none() && name.contains(':') => Err(wrong()),
            name => Ok(Self::Tcp(name.to_ascii_lowercase(), port)),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp(host, port) => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

fn addresses<'a>(field: &str, words: impl Iterator<Item = &'a str>) -> Result<Vec<Address>> {
    words
        .map(|word| Address::parse(field, word.trim()))
        .collect()
}

fn parse_port(variable: &str, word: &str) -> Result<u16> {
    word.parse().map_err(|_| {
        Error::invalid(
            variable,
            format!("expected a port from 0 to 65535, got \"{word}\""),
        )
    })
}

/// Names as a `Host` header has them; a port is not part of the check, so it is not expected here.
fn parse_hosts(variable: &str, list: &str) -> Result<Vec<String>> {
    list.split(',')
        .map(|word| {
            let name = word.trim().to_ascii_lowercase();
            let is_name = !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte))
                && (!name.contains(':') || name.starts_with('[') && name.ends_with(']'));
            is_name.then_some(name).ok_or_else(|| {
                let expected = "expected names without scheme and port, like sage.local";
                Error::invalid(variable, format!("{expected}, got \"{}\"", word.trim()))
            })
        })
        .collect()
}

fn parse_origins(variable: &str, list: &str) -> Result<Vec<String>> {
    list.split(',')
        .map(|word| {
            let origin = word.trim().trim_end_matches('/').to_ascii_lowercase();
            let is_origin = origin.split_once("://").is_some_and(|(scheme, rest)| {
                !scheme.is_empty() && !rest.is_empty() && !rest.contains('/')
            });
            is_origin.then_some(origin).ok_or_else(|| {
                let expected = "expected origins like https://sage.example";
                Error::invalid(variable, format!("{expected}, got \"{}\"", word.trim()))
            })
        })
        .collect()
}

impl LogLevel {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }

    fn parse(variable: &str, word: &str) -> Result<Self> {
        [Self::Error, Self::Warn, Self::Info, Self::Debug]
            .into_iter()
            .find(|level| level.name() == word.to_ascii_lowercase())
            .ok_or_else(|| {
                let expected = "expected error, warn, info or debug";
                Error::invalid(variable, format!("{expected}, got \"{word}\""))
            })
    }
}

impl LogFormat {
    fn parse(variable: &str, word: &str) -> Result<Self> {
        match word.to_ascii_lowercase().as_str() {
            "plain" => Ok(Self::Plain),
            "json" => Ok(Self::Json),
            _ => Err(Error::invalid(
                variable,
                format!("expected plain or json, got \"{word}\""),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn addresses_are_read_and_written_alike() {
        for word in [
            "127.0.0.1:17800",
            "localhost:0",
            "[::1]:80",
            "unix:/run/sage.sock",
        ] {
            let address = Address::parse("f", word).unwrap();
            assert_eq!(address.to_string(), word);
        }
        for word in ["", "127.0.0.1", ":80", "::1:80", "a:b", "a:70000", "unix:x"] {
            assert!(Address::parse("f", word).is_err(), "{word}");
        }
    }

    #[test]
    fn hosts_and_origins_are_names_and_origins() {
        assert_eq!(
            parse_hosts("f", "Sage, sage.local,[fe80::1]").unwrap(),
            ["sage", "sage.local", "[fe80::1]"]
        );
        for wrong in ["http://sage", "sage:80", "a,,b", "a b"] {
            assert!(parse_hosts("f", wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            parse_origins("f", "https://Sage.example/").unwrap(),
            ["https://sage.example"]
        );
        for wrong in ["sage.example", "https://", "https://a/b"] {
            assert!(parse_origins("f", wrong).is_err(), "{wrong}");
        }
    }
}
