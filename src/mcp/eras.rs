//! The two generations of MCP, and what each wants around the same results.
//!
//! Up to 2025-11-25 a client shakes hands with `initialize`. From 2026-07-28 on every request says
//! its version in `_meta`, there is no handshake, and results carry a type and caching hints.

use serde_json::{Value, json};

use super::rpc::{Fault, NoId, Object, Request, UNSUPPORTED_VERSION};

/// The version whose rules the modern era follows.
pub const MODERN: &str = "2026-07-28";

/// The versions that `initialize` can agree on, newest first.
pub const LEGACY: [&str; 4] = [NEWEST_LEGACY, LAST_WITH_NULL_ID, WITH_BATCHES, "2024-11-05"];

const NEWEST_LEGACY: &str = "2025-11-25";

/// The only version with JSON-RPC batches.
pub const WITH_BATCHES: &str = "2025-03-26";

/// The last version whose schema insists on an id in every error.
const LAST_WITH_NULL_ID: &str = "2025-06-18";

/// The member of `_meta` that tells the version of a modern request.
pub const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";
const SERVER_KEY: &str = "io.modelcontextprotocol/serverInfo";

/// Which rules hold for one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Era {
    /// Up to 2025-11-25.
    Legacy,
    /// 2026-07-28.
    Modern,
}

impl Era {
    /// The era of a request. A modern request that does not keep the rules of its era is a fault.
    pub fn of(request: &Request) -> Result<Self, Fault> {
        let meta = request.params.get("_meta").and_then(Value::as_object);
        let Some((meta, version)) = meta.and_then(|meta| Some((meta, meta.get(VERSION_KEY)?)))
        else {
            return Ok(Self::Legacy);
        };
        let Some(version) = version.as_str() else {
            let message = format!("_meta[\"{VERSION_KEY}\"]: expected a text");
            return Err(Fault::params(message));
        };
        if version != MODERN {
            let message = format!("protocol version \"{version}\" is not supported");
            return Err(Fault::new(UNSUPPORTED_VERSION, message)
                .with(json!({"supported": supported_versions(), "requested": version})));
        }
        match meta.get(CAPABILITIES_KEY) {
            Some(Value::Object(_)) => Ok(Self::Modern),
            Some(_) => Err(Fault::params(format!(
                "_meta[\"{CAPABILITIES_KEY}\"]: expected an object"
            ))),
            None => Err(Fault::params(format!(
                "_meta[\"{CAPABILITIES_KEY}\"]: missing; an empty object will do"
            ))),
        }
    }
}

/// The version that the parameters of a request name; requests of the legacy era name none.
pub fn version_in(params: &Object) -> Option<&Value> {
    params.get("_meta")?.as_object()?.get(VERSION_KEY)
}

/// Everything Sage speaks, newest first.
pub fn supported_versions() -> Vec<&'static str> {
    [MODERN].into_iter().chain(LEGACY).collect()
}

/// The version that `initialize` answers: the one asked for where Sage speaks it, else the newest
/// legacy one; never an error, the client decides whether it can live with the answer.
pub fn negotiate(asked: Option<&str>) -> &'static str {
    LEGACY
        .into_iter()
        .find(|version| Some(*version) == asked)
        .unwrap_or(NEWEST_LEGACY)
}

/// What a caller has shown to speak so far, in its last request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Spoken {
    /// Nothing yet.
    #[default]
    Unknown,
    /// The version that `initialize` agreed on.
    Legacy(&'static str),
    /// The modern era.
    Modern,
}

impl Spoken {
    /// What stands for an id that could not be read.
    pub fn no_id(self) -> NoId {
        match self {
            Self::Unknown => NoId::Null,
            Self::Legacy(version) if version <= LAST_WITH_NULL_ID => NoId::Null,
            Self::Legacy(_) | Self::Modern => NoId::Absent,
        }
    }
}

/// How long, and by whom, a result may be reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caching {
    /// The method's results carry no hint.
    Without,
    /// The same for everybody until Sage is updated.
    Fixed,
    /// Made of somebody's memories: stale at once, and nobody else's.
    Memories,
}

/// An updated Sage may list other tools; within the hour a client notices.
const FIXED_TTL_MS: u64 = 3_600_000;

/// Dresses a result for its era.
pub fn dress(era: Era, caching: Caching, mut result: Object) -> Value {
    if era == Era::Modern {
        result.insert("resultType".to_owned(), json!("complete"));
        result.insert("_meta".to_owned(), json!({SERVER_KEY: server_info()}));
        let hint = match caching {
            Caching::Without => None,
            Caching::Fixed => Some((FIXED_TTL_MS, "public")),
            Caching::Memories => Some((0, "private")),
        };
        if let Some((ttl_ms, scope)) = hint {
            result.insert("ttlMs".to_owned(), json!(ttl_ms));
            result.insert("cacheScope".to_owned(), json!(scope));
        }
    }
    Value::Object(result)
}

/// Who answers.
pub fn server_info() -> Value {
    json!({
        "name": "sage",
        "title": "Sage",
        "version": env!("CARGO_PKG_VERSION"),
        "description": "Long-term memory: what was said and decided, found again in milliseconds",
    })
}

/// What Sage offers. It announces no changes and takes no subscriptions: its lists are fixed, and
/// memories are read when they are needed.
pub fn capabilities() -> Value {
    json!({"tools": {}, "resources": {}, "prompts": {}, "completions": {}})
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::mcp::rpc::{INVALID_PARAMS, Id};

    fn era_of(meta: Value) -> Result<Era, Fault> {
        let mut params = Object::new();
        params.insert("_meta".to_owned(), meta);
        Era::of(&Request {
            id: Id::Text("x".to_owned()),
            method: "tools/list".to_owned(),
            params,
        })
    }

    #[test]
    fn the_version_in_meta_decides() {
        assert_eq!(era_of(json!({})).unwrap(), Era::Legacy);
        assert_eq!(era_of(json!(null)).unwrap(), Era::Legacy);
        assert_eq!(era_of(json!({"progressToken": 1})).unwrap(), Era::Legacy);
        let modern = json!({VERSION_KEY: MODERN, CAPABILITIES_KEY: {}});
        assert_eq!(era_of(modern).unwrap(), Era::Modern);
        for meta in [
            json!({VERSION_KEY: 1}),
            json!({VERSION_KEY: null}),
            json!({VERSION_KEY: MODERN}),
            json!({VERSION_KEY: MODERN, CAPABILITIES_KEY: []}),
        ] {
            assert_eq!(era_of(meta).unwrap_err().code, INVALID_PARAMS);
        }
        let fault = era_of(json!({VERSION_KEY: "2099-01-01"})).unwrap_err();
        assert_eq!(fault.code, UNSUPPORTED_VERSION);
        let data = fault.data.unwrap();
        assert_eq!(data.get("requested").unwrap(), "2099-01-01");
    }

    #[test]
    fn initialize_never_agrees_on_the_modern_version() {
        for version in LEGACY {
            assert_eq!(negotiate(Some(version)), version);
        }
        for asked in [Some(MODERN), Some("1999-01-01"), None] {
            assert_eq!(negotiate(asked), "2025-11-25");
        }
    }
}
