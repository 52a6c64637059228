//! The server, where one runs or is needed.

use serde_json::Value;

use super::client::Installed;
use super::store::CLOCK_SLACK;
use super::{Finding, Setup, State};
use crate::ask::ask;
use crate::memory::Timestamp;

const NAME: &str = "server";

const TOKEN_ADVICE: &str = "set SAGE_TOKEN or SAGE_TOKEN_FILE as the server has it";

/// Where the server is, if it can be asked.
struct Place {
    address: String,
    /// Whether somebody names it, in settings or in the client's files, and so needs it.
    is_named: bool,
    /// A header line, or nothing.
    token: String,
}

impl Place {
    fn find(setup: &Setup, installed: &Installed) -> Option<Self> {
        let config = &setup.config;
        let named = config.hooks.server.clone().or(installed.server.clone());
        let is_named = named.is_some();
        let token = config.server.read_token().ok().flatten();
        // A token is for the server that was named, not for whoever listens there.
        let token = token.filter(|_| is_named).map_or(String::new(), |token| {
            format!("Authorization: Bearer {token}\r\n")
        });
        Some(Self {
            address: named.or_else(|| config.server.own_address())?,
            is_named,
            token,
        })
    }
}

/// Tells the server to ask again what it has left alone. Commands leave nothing alone for longer than
/// they run, so only a server need be told.
pub(super) async fn reset_circuits(setup: &Setup, installed: &Installed) -> Finding {
    const NAME: &str = "circuits";
    let Some(place) = Place::find(setup, installed) else {
        let advice = "send POST /api/circuits/reset to the socket";
        return Finding::fail(NAME, "the server listens at a socket only", advice);
    };
    let (address, line) = (&place.address, "POST /api/circuits/reset");
    let answer = match ask(address, line, &place.token, "").await {
        Ok(answer) => answer,
        Err(error) => {
            let told = format!("nobody answers at {address} ({error})");
            let advice = "a server that starts asks everybody; there is nothing to reset";
            return Finding::fail(NAME, told, advice);
        }
    };
    let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let names = body.get("reset").and_then(Value::as_array);
    let Some(names) = names.filter(|_| answer.status == 200) else {
        let told = format!("{address} answered {}", answer.status);
        return Finding::fail(NAME, told, TOKEN_ADVICE);
    };
    let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
    Finding::ok(
        NAME,
        match names.as_slice() {
            [] => "nothing was left alone".to_owned(),
            names => format!("to be asked again: {}", names.join(", ")),
        },
    )
}

pub(super) async fn check(setup: &Setup, installed: &Installed) -> Vec<Finding> {
    let Some(Place {
        address,
        is_named,
        token,
    }) = Place::find(setup, installed)
    else {
        return vec![Finding::ok(
            NAME,
            "listens at a socket only; it was not asked",
        )];
    };
    let token = token.as_str();
    let answer = match ask(&address, "GET /health", token, "").await {
        Ok(answer) => answer,
        Err(error) => {
            return vec![match is_named {
                true => Finding::fail(
                    NAME,
                    format!("nobody answers at {address} ({error})"),
                    "start it: `sage serve`, or `docker compose up`; hooks lose nothing that is \
                     said in commands, but what they would ask over HTTP is lost meanwhile",
                ),
                false => Finding::ok(NAME, "none runs, and none is needed"),
            }];
        }
    };
    let health: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let mut finding = judge(setup, &address, is_named, answer.status, &health).await;
    // Health says more than others get to hear without a token.
    if is_named && finding.state == State::Ok {
        let asked = ask(&address, "GET /metrics", token, "").await;
        if asked.is_ok_and(|answer| answer.status == 401) {
            finding = Finding::fail(
                NAME,
                format!(
                    "{}; it wants a token, and has another than is set here",
                    finding.text
                ),
                TOKEN_ADVICE,
            );
        }
    }
    vec![finding]
}

async fn judge(
    setup: &Setup,
    address: &str,
    is_needed: bool,
    status: u16,
    health: &Value,
) -> Finding {
    let text = |name: &str| health.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("status").is_empty() {
        let told = format!("{address} is another program's (it answered {status})");
        let advice = "have Sage listen elsewhere: SAGE_PORT, and SAGE_SERVER for hooks";
        return match is_needed {
            true => Finding::fail(NAME, told, advice),
            false => Finding::ok(NAME, format!("none runs, and none is needed; {told}")),
        };
    }
    let (version, store) = (text("version"), text("store"));
    if status != 200 {
        let reason = match text("reason") {
            "" => "it does not say more without its token",
            reason => reason,
        };
        return Finding::fail(
            NAME,
            format!("{address} is not well: {reason}"),
            "see its log",
        );
    }
    if version.is_empty() {
        let told = format!("{address} is well, and wants a token to say more");
        return Finding::warn(NAME, told, TOKEN_ADVICE);
    }
    let told = format!("{address}, {version}, {store}");
    if version != env!("CARGO_PKG_VERSION") {
        let advice = "restart it with this version, or update this executable";
        return Finding::warn(NAME, format!("{told}, which is another version"), advice);
    }
    let their_time = health.get("time_ms").and_then(Value::as_i64);
    let now = Timestamp::now().as_millisecond();
    let apart = their_time.map_or(0, |time| time.saturating_sub(now));
    if u128::from(apart.unsigned_abs()) > CLOCK_SLACK.as_millis() {
        let told = format!("{told}; its clock is {} s off ours", apart / 1_000);
        return Finding::warn(NAME, told, "set the clock that is wrong");
    }
    if is_needed {
        return Finding::ok(NAME, told);
    }
    let own = match setup.config.database.is_set() || setup.config.data_dir.join("sage.db").exists()
    {
        true => setup.engine.inspect(false).await.ok(),
        false => None,
    };
    match own {
        Some(own) if own.store_id == text("store_id") => {
            Finding::ok(NAME, format!("{told}, the same store"))
        }
        _ => Finding::warn(
            NAME,
            format!("{told}, which is another store"),
            "hooks and commands here use the store named above; to use the server's, set SAGE_SERVER, \
             or `sage install claude-code --via http`",
        ),
    }
}
