//! `sage doctor`: whether all works, and for what does not, what to do.

mod client;
mod server;
mod store;

use argh::FromArgs;
use serde_json::{Value, json};

use super::output::{self, Style};
use super::{Outcome, Setup, variable};
use crate::claude::install::find_program;
use crate::error::Result;

/// Check store, server, hooks, tools, versions, clock and permissions, and say what to do.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "doctor",
    usage = "[OPTIONS]",
    help_triggers("-h", "--help"),
    example = "sage doctor",
    example = "sage doctor --json",
    example = "sage doctor --reset-circuits",
    note = "It changes nothing. Exit code 1 says that something does not work.",
    note = "A server leaves a database or a model's service alone for up to two minutes that did not \
            answer five times; --reset-circuits tells it to ask again at once."
)]
pub(super) struct Doctor {
    /// print JSON: checks (name, state, text, advice), well
    #[argh(switch)]
    json: bool,
    /// first tell the server to ask again what it has left alone
    #[argh(switch)]
    reset_circuits: bool,
    /// the folder that holds the store
    #[argh(option)]
    pub(super) data_dir: Option<std::path::PathBuf>,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// As it should be.
    Ok,
    /// It works, and could be better, or soon will not.
    Warn,
    /// It does not work.
    Fail,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// What a check found.
struct Finding {
    name: &'static str,
    state: State,
    text: String,
    /// What to do; empty where nothing is to be done.
    advice: String,
}

impl Finding {
    fn ok(name: &'static str, text: impl Into<String>) -> Self {
        Self::new(name, State::Ok, text, "")
    }

    fn warn(name: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(name, State::Warn, text, advice)
    }

    fn fail(name: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(name, State::Fail, text, advice)
    }

    fn new(
        name: &'static str,
        state: State,
        text: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            name,
            state,
            text: text.into(),
            advice: advice.into(),
        }
    }
}

pub(super) async fn run(args: &Doctor, setup: &Setup) -> Result<Outcome> {
    let installed = client::look();
    let mut findings = vec![executable()];
    if args.reset_circuits {
        findings.push(server::reset_circuits(setup, &installed).await);
    }
    findings.extend(store::check(setup).await);
    findings.extend(server::check(setup, &installed).await);
    findings.extend(client::check(&installed));
    findings.extend(model(setup));
    let is_well = findings.iter().all(|it| it.state != State::Fail);
    if args.json {
        let checks: Vec<Value> = findings.iter().map(value).collect();
        output::print_json(&json!({"checks": checks, "well": is_well}))?;
    } else {
        output::print(&render(&findings, &setup.style))?;
    }
    Ok(match is_well {
        true => Outcome::Done,
        false => Outcome::Worse,
    })
}

fn value(finding: &Finding) -> Value {
    let advice = Some(&finding.advice).filter(|advice| !advice.is_empty());
    json!({
        "name": finding.name,
        "state": finding.state.name(),
        "text": finding.text,
        "advice": advice,
    })
}

fn render(findings: &[Finding], style: &Style) -> String {
    let widest = findings.iter().map(|it| it.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for finding in findings {
        let state = output::pad(finding.state.name(), 4);
        let state = match finding.state {
            State::Ok => style.dim(&state),
            State::Warn | State::Fail => style.bold(&state),
        };
        let name = output::pad(finding.name, widest);
        text.push_str(&format!(
            "{state}  {name}  {}\n",
            output::clean_line(&finding.text)
        ));
        if !finding.advice.is_empty() {
            let indent = " ".repeat(4 + 2 + widest + 2);
            text.push_str(&format!(
                "{indent}-> {}\n",
                output::clean_line(&finding.advice)
            ));
        }
    }
    text
}

/// Which Sage this is, and whether a shell and the client would start the same.
fn executable() -> Finding {
    let version = env!("CARGO_PKG_VERSION");
    let Ok(own) = std::env::current_exe() else {
        let advice = "install Sage again";
        return Finding::fail("sage", format!("{version}, but its file is gone"), advice);
    };
    let named = find_program("sage", &variable("PATH").unwrap_or_default());
    let text = format!("{version}, {}", own.display());
    match named.filter(|named| named.canonicalize().ok() != own.canonicalize().ok()) {
        Some(other) => {
            let other = other.display();
            let text = format!("{text}; on PATH another one comes first: {other}");
            let advice = "keep one of the two: hooks and shells may start different versions";
            Finding::warn("sage", text, advice)
        }
        None => Finding::ok("sage", text),
    }
}

/// A key alone sends nothing; whoever set one may have expected otherwise.
fn model(setup: &Setup) -> Option<Finding> {
    let key = variable("SILICONFLOW_API_KEY").filter(|key| !key.is_empty());
    if key.is_none() || setup.config.models.embed.url.is_some() {
        return None;
    }
    let text = "SILICONFLOW_API_KEY is set, and nothing is sent there";
    let advice = "set SAGE_PROVIDER=siliconflow to find by meaning, with a model there";
    Some(Finding::new("model", State::Ok, text, advice))
}
