//! Who may ask: the name that the server is called by, the web page that asks, and the token.

use hyper::header::{AUTHORIZATION, HOST, HeaderMap, HeaderName, ORIGIN};
use hyper::http::request::Parts;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::config::{Address, ServerConfig};
use crate::error::Result;

/// What this machine is called by those who are on it.
const OWN_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// The rules for whom to answer.
pub struct Guard {
    /// Only the digest is kept: digests have one length, so comparing them tells nothing.
    token: Option<[u8; 32]>,
    hosts: Vec<String>,
    origins: Vec<String>,
}

/// Why a request is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// The request does not say by which name it calls the server, or says it twice.
    NoHost,
    /// It calls the server by a name that is not the server's: a page whose name was pointed at
    /// this machine does that.
    Host,
    /// It comes from a page of another site.
    Origin,
    /// It lacks the token, or has another.
    Token,
}

impl Denial {
    /// A short stable name for metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoHost => "no_host",
            Self::Host => "host",
            Self::Origin => "origin",
            Self::Token => "token",
        }
    }

    /// What happened and what to do, one sentence for the caller.
    pub fn message(self) -> &'static str {
        match self {
            Self::NoHost => "expected one Host header",
            Self::Host => {
                "this name is not known to be this server's; \
                 add it to SAGE_ALLOWED_HOSTS if it is"
            }
            Self::Origin => {
                "pages of this origin may not ask; add it to SAGE_ALLOWED_ORIGINS if they should"
            }
            Self::Token => "expected the header Authorization: Bearer, with the server's token",
        }
    }
}

impl Guard {
    /// Reads the token, if there is one.
    pub fn new(config: &ServerConfig) -> Result<Self> {
        let mut hosts: Vec<String> = OWN_NAMES.map(str::to_owned).to_vec();
        hosts.extend(config.allowed_hosts.iter().cloned());
        // Whoever listens at a name or address wants to be called by it. The addresses that mean
        // "everywhere" are no names.
        for address in &config.listen {
            match address {
                Address::Tcp(host, _) if host.contains(':') => hosts.push(format!("[{host}]")),
                Address::Tcp(host, _) => hosts.push(host.clone()),
                Address::Unix(_) => {}
            }
        }
        hosts.retain(|host| host != "0.0.0.0" && host != "[::]");
        Ok(Self {
            token: config.read_token()?.map(|token| digest(token.as_bytes())),
            hosts,
            origins: config.allowed_origins.clone(),
        })
    }

    /// Whether there is a token at all.
    pub fn wants_token(&self) -> bool {
        self.token.is_some()
    }

    /// Checks by which name the server is called, and which page asks.
    pub fn check_names(&self, head: &Parts) -> std::result::Result<(), Denial> {
        let host = only(&head.headers, HOST).ok_or(Denial::NoHost)?;
        // A request line may carry a name of its own; it counts as well.
        let authority = head.uri.authority().map(|authority| authority.as_str());
        if ![Some(host), authority]
            .into_iter()
            .flatten()
            .all(|host| self.knows_host(host))
        {
            return Err(Denial::Host);
        }
        if !head.headers.contains_key(ORIGIN) {
            return Ok(());
        }
        match only(&head.headers, ORIGIN) {
            Some(origin) if self.knows_origin(origin) => Ok(()),
            _ => Err(Denial::Origin),
        }
    }

    /// Whether the request carries the token; any request does where there is none.
    pub fn has_token(&self, headers: &HeaderMap) -> bool {
        let Some(wanted) = &self.token else {
            return true;
        };
        let given = only(headers, AUTHORIZATION).and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme
                .eq_ignore_ascii_case("bearer")
                .then(|| token.trim_ascii())
        });
        given.is_some_and(|token| digest(token.as_bytes()).ct_eq(wanted).into())
    }

    fn knows_host(&self, host: &str) -> bool {
        name_of(host).is_some_and(|name| self.hosts.iter().any(|h| h.eq_ignore_ascii_case(name)))
    }

    fn knows_origin(&self, origin: &str) -> bool {
        if self.origins.iter().any(|o| o.eq_ignore_ascii_case(origin)) {
            return true;
        }
        let host = origin
            .strip_prefix("http://")
            .or_else(|| origin.strip_prefix("https://"));
        host.and_then(name_of)
            .is_some_and(|name| OWN_NAMES.iter().any(|own| own.eq_ignore_ascii_case(name)))
    }
}

/// The only value of a header, where it has exactly one that is text.
fn only(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

/// The name in `NAME[:PORT]`; `None` where it is neither.
fn name_of(host: &str) -> Option<&str> {
    let end = match host.starts_with('[') {
        true => host.find(']')? + 1,
        false => host.find(':').unwrap_or(host.len()),
    };
    let (name, rest) = host.split_at_checked(end)?;
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    (rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port)).then_some(name)
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_with_or_without_a_port() {
        for (host, name) in [
            ("localhost", Some("localhost")),
            ("localhost:17800", Some("localhost")),
            ("[::1]", Some("[::1]")),
            ("[::1]:80", Some("[::1]")),
            ("localhost:", None),
            ("localhost:80x", None),
            ("localhost:80:80", None),
            ("[::1", None),
            ("[::1]x", None),
            ("", Some("")),
        ] {
            assert_eq!(name_of(host), name, "{host}");
        }
    }
}
