//! Values in the short forms of Compose.

use std::collections::BTreeMap;

/// A published port in its short form.
#[derive(Debug, PartialEq)]
pub(super) struct Port {
    pub host: Option<String>,
    pub published: Option<u16>,
    pub container: u16,
}

impl Port {
    /// `[[HOST:]PUBLISHED:]CONTAINER[/tcp|/udp]`; no ranges, no IPv6.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fault = || format!("{text:?} is not like 127.0.0.1:80:80");
        let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let parts: Vec<&str> = ports.split(':').collect();
        let number = |part: &str| part.parse().map_err(|_| fault());
        if !["tcp", "udp"].contains(&protocol) {
            return Err(fault());
        }
        let (host, published, container) = match parts[..] {
            [container] => (None, None, container),
            [published, container] => (None, Some(published), container),
            [host, published, container] => (Some(host), Some(published), container),
            _ => return Err(fault()),
        };
        if host.is_some_and(|host| host.parse::<std::net::Ipv4Addr>().is_err()) {
            return Err(fault());
        }
        Ok(Self {
            host: host.map(str::to_owned),
            published: published.map(number).transpose()?,
            container: number(container)?,
        })
    }
}

/// Puts in what the environment says: `${NAME:-default}`, and `$$` for `$`. A variable without a
/// default is a fault, since the files need no configuration.
pub(super) fn interpolate(
    text: &str,
    environment: &BTreeMap<String, String>,
) -> Result<String, String> {
    let mut done = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        done.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            done.push('$');
            rest = after;
            continue;
        }
        let fault = || format!("{text:?}: write ${{NAME:-default}}, or $$ for $");
        let inner = after.strip_prefix('{').ok_or_else(fault)?;
        let (inner, after) = inner.split_once('}').ok_or_else(fault)?;
        let (name, default) = inner.split_once(":-").ok_or_else(fault)?;
        done.push_str(environment.get(name).map_or(default, String::as_str));
        rest = after;
    }
    Ok(done + rest)
}

/// `1h2m3s4ms`, in milliseconds.
pub(super) fn duration(text: &str) -> Option<u64> {
    const UNITS: &[(&str, u64)] = &[("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];
    let mut rest = text;
    let mut total = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, after) = rest.split_at(digits);
        let unit_ends = after
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_ends);
        let (_, worth) = UNITS.iter().find(|(name, _)| *name == unit)?;
        total += number.parse::<u64>().ok()? * worth;
        rest = after;
    }
    (!text.is_empty()).then_some(total)
}

/// `64m`, in bytes.
pub(super) fn size(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let shift = match unit {
        "b" => 0,
        "k" | "kb" => 10,
        "m" | "mb" => 20,
        "g" | "gb" => 30,
        _ => return None,
    };
    Some(number.parse::<u64>().ok()? << shift)
}
