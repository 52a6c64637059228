//! From the settings to a server: the address, the password, and how to trust what answers.

use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::config::{Host, SslMode};

use crate::config::{DatabaseConfig, read_secret};
use crate::error::{Error, Result};

/// How long one host may take to let a connection in, where the address does not say.
const CONNECT_PATIENCE: Duration = Duration::from_secs(2);

/// A partner that went away without a word is noticed after this long, where the address does not
/// say. The operating system asks, so Sage need not wake up for it.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);

/// Where to connect to.
#[derive(Clone)]
pub(super) struct Target {
    pub config: tokio_postgres::Config,
    pub trust: Trust,
    /// The certificates to trust instead of those of public authorities, in a file.
    pub ca_file: Option<PathBuf>,
    pub schema: String,
}

/// What a server must prove, by `sslmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// Nothing: encrypted against listeners, as libpq does it.
    Anybody,
    /// `verify-ca`: a certificate by somebody trusted, whoever it is for.
    Authority,
    /// `verify-full`: a certificate by somebody trusted for this very host.
    Host,
}

impl Target {
    /// Reads the settings, and the files that they name.
    pub fn load(settings: &DatabaseConfig) -> Result<Self> {
        let (variable, url) = match (&settings.url, &settings.url_file) {
            (Some(url), _) => ("SAGE_DATABASE_URL", url.reveal().to_owned()),
            (None, Some(path)) => {
                let variable = "SAGE_DATABASE_URL_FILE";
                (variable, read_secret(variable, path)?)
            }
            (None, None) => {
                return Err(Error::Internal(
                    "a database was opened that nobody named".to_owned(),
                ));
            }
        };
        let ca_file = settings.ca_file.clone();
        let mut target = parse(variable, url.trim(), ca_file, &settings.schema)?;
        if let Some(path) = &settings.password_file {
            let password = read_secret("SAGE_DATABASE_PASSWORD_FILE", path)?;
            target
                .config
                .password(password.trim_end_matches(['\r', '\n']));
        }
        Ok(target)
    }

    /// Reads the address of a database that is not Sage's; `named_by` is what errors name.
    pub fn read(named_by: &str, url: &str, ca_file: Option<PathBuf>) -> Result<Self> {
        parse(named_by, url.trim(), ca_file, "")
    }

    /// `host/database schema name`: nothing in it is secret.
    pub fn place(&self) -> String {
        format!("{} schema {}", self.database(), self.schema)
    }

    /// `host/database`.
    pub fn database(&self) -> String {
        let ports = self.config.get_ports();
        let port = |index: usize| {
            let port = ports.get(index).or(ports.first()).copied();
            match port {
                Some(port) if port != 5432 => format!(":{port}"),
                _ => String::new(),
            }
        };
        let hosts: Vec<_> = (0..)
            .zip(self.config.get_hosts())
            .map(|(index, host)| match host {
                Host::Tcp(name) => name.clone() + &port(index),
                Host::Unix(path) => path.display().to_string() + &port(index),
            })
            .collect();
        let name = self.config.get_dbname().unwrap_or_default();
        format!("{}/{name}", hosts.join(","))
    }
}

/// Takes out of an address what the client library does not know, and reads the rest with it.
fn parse(variable: &str, url: &str, mut ca_file: Option<PathBuf>, schema: &str) -> Result<Target> {
    // The library's own message may quote the address, so it is not passed on.
    let wrong = |what: &str| {
        Error::invalid(
            variable,
            format!("{what}; expected postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=MODE"),
        )
    };
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(wrong("this is no address of a PostgreSQL database"));
    }
    let (base, query) = url.split_at(url.len() - query_bytes(url));
    let (mut mode, mut rest) = (String::new(), Vec::new());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let mut decoded = form_urlencoded::parse(pair.as_bytes());
        let (name, value) = decoded.next().unwrap_or_default();
        match name.as_ref() {
            "sslmode" => mode = value.into_owned(),
            "sslrootcert" if value == "system" => ca_file = None,
            "sslrootcert" => ca_file = Some(PathBuf::from(value.into_owned())),
            // The library splits the names of hosts, but not what is given as an option.
            "host" => rest.push(pair.replace("%2C", ",").replace(',', "&host=")),
            _ => rest.push(pair.to_owned()),
        }
    }
    let (ssl_mode, trust) = match mode.as_str() {
        "disable" => (SslMode::Disable, Trust::Anybody),
        "" | "prefer" | "allow" => (SslMode::Prefer, Trust::Anybody),
        // As libpq: whoever names certificates wants them to be looked at.
        "require" if ca_file.is_some() => (SslMode::Require, Trust::Authority),
        "require" => (SslMode::Require, Trust::Anybody),
        "verify-ca" => (SslMode::Require, Trust::Authority),
        "verify-full" => (SslMode::Require, Trust::Host),
        _ => {
            return Err(wrong(
                "sslmode is one of disable, prefer, require, verify-ca and verify-full",
            ));
        }
    };
    let mut config: tokio_postgres::Config = format!("{base}{}", rest.join("&"))
        .parse()
        .map_err(|error: tokio_postgres::Error| wrong(&unknown_part(base, &error)))?;
    complete(&mut config, ssl_mode).ok_or_else(|| wrong("the address names no host"))?;
    Ok(Target {
        config,
        trust,
        ca_file,
        schema: schema.to_owned(),
    })
}

/// How much of an address is options. A question mark in a password begins none: as libpq does it,
/// what stands before an `@` that comes before any path is credentials.
fn query_bytes(url: &str) -> usize {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    let place = match authority.contains('@') {
        true => rest.split_once('@').map_or(rest, |(_, place)| place),
        false => rest,
    };
    place.split_once('?').map_or(0, |(_, query)| query.len())
}

/// The name of an option that is unknown or has a bad value; of anything else nothing is told, it
/// could be part of a password, as is what follows a question mark in one.
fn unknown_part(base: &str, error: &tokio_postgres::Error) -> String {
    let is_whole = base
        .split_once("://")
        .is_some_and(|(_, rest)| rest.contains(['@', '/']));
    let cause = std::error::Error::source(error).map(ToString::to_string);
    cause
        .filter(|text| text.starts_with("unknown option") || text.starts_with("invalid value for"))
        .filter(|_| is_whole)
        .unwrap_or_else(|| "the address cannot be read".to_owned())
}

/// What holds where the address says nothing; `None` if it lacks a host.
fn complete(config: &mut tokio_postgres::Config, ssl_mode: SslMode) -> Option<()> {
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        return None;
    }
    let is_local = |host: &Host| matches!(host, Host::Unix(_));
    // Nobody listens between a socket's ends, and PostgreSQL offers no TLS there.
    let all_local = !config.get_hosts().is_empty() && config.get_hosts().iter().all(is_local);
    config.ssl_mode(if all_local {
        SslMode::Disable
    } else {
        ssl_mode
    });
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_PATIENCE);
    }
    if config.get_application_name().is_none() {
        config.application_name("sage");
    }
    // Two hours is the library's word for "nobody said".
    if config.get_keepalives_idle() == Duration::from_secs(2 * 60 * 60) {
        config.keepalives_idle(KEEPALIVE_IDLE);
    }
    if config.get_dbname().is_none()
        && let Some(user) = config.get_user().map(str::to_owned)
    {
        config.dbname(user);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::Secret;

    fn settings() -> DatabaseConfig {
        DatabaseConfig {
            url: None,
            url_file: None,
            password_file: None,
            ca_file: None,
            schema: "sage".to_owned(),
        }
    }

    fn target(url: &str) -> Result<Target> {
        Target::load(&DatabaseConfig {
            url: Some(Secret::new(url.to_owned())),
            ..settings()
        })
    }

    #[test]
    fn every_mode_of_trust() {
        for (mode, ssl_mode, trust) in [
            ("disable", SslMode::Disable, Trust::Anybody),
            ("prefer", SslMode::Prefer, Trust::Anybody),
            ("require", SslMode::Require, Trust::Anybody),
            ("verify-ca", SslMode::Require, Trust::Authority),
            ("verify-full", SslMode::Require, Trust::Host),
            (
                "require&sslrootcert=%2Fca.pem",
                SslMode::Require,
                Trust::Authority,
            ),
        ] {
            let target = target(&format!("postgres://u@db/x?sslmode={mode}")).unwrap();
            assert_eq!(
                (target.config.get_ssl_mode(), target.trust),
                (ssl_mode, trust)
            );
        }
        assert_eq!(
            target("postgres://u@db/x").unwrap().config.get_ssl_mode(),
            SslMode::Prefer
        );
        assert!(target("postgres://u@db/x?sslmode=maybe").is_err());
    }

    #[test]
    fn the_place_holds_hosts_and_names_and_no_secret() {
        for (url, place) in [
            ("postgres://u:hunter2@db/x", "db/x schema sage"),
            (
                "postgresql://u:hunter2@a:1,b:2/x?target_session_attrs=read-write",
                "a:1,b:2/x schema sage",
            ),
            (
                "postgres:///x?host=/run/pg&user=u&password=hunter2",
                "/run/pg/x schema sage",
            ),
            ("postgres://u@%2Frun%2Fpg/x", "/run/pg/x schema sage"),
            (
                "postgres:///x?host=/run/a,%2Frun%2Fb%2Cdb&port=1,2,3&user=u",
                "/run/a:1,/run/b:2,db:3/x schema sage",
            ),
            ("postgres://u:hunter2@db", "db/u schema sage"),
            ("postgres://u:a?hunter2&sslmode=b@db/x", "db/x schema sage"),
        ] {
            assert_eq!(target(url).unwrap().place(), place);
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_repeated() {
        for url in [
            "mysql://u:hunter2@db/x",
            "postgres://u:hunter2@db:port/x",
            "postgres://u:hunter2@db/x?hunter2",
            "postgres:///hunter2",
            "hunter2",
        ] {
            let error = target(url).err().unwrap().to_string();
            assert!(error.starts_with("SAGE_DATABASE_URL: "), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        let error = target("postgres://u@db/x?fast=1")
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("unknown option `fast`"), "{error}");
    }
}
