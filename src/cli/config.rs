//! `sage config`: every setting, its value, and where that came from.

use argh::FromArgs;
use serde::Serialize;
use serde_json::json;

use super::Outcome;
use super::output::{self, Style};
use crate::config::{Config, Flags};
use crate::error::Result;

/// Show every setting, its value, and where that came from.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "config",
    usage = "[OPTIONS]",
    help_triggers("-h", "--help"),
    example = "sage config",
    example = "SAGE_REDACT=off sage config --json",
    note = "Flags win over the environment, and the environment over defaults."
)]
pub(super) struct ShowConfig {
    /// as other commands take it
    #[argh(option)]
    project: Option<String>,
    /// as other commands take it
    #[argh(option)]
    data_dir: Option<std::path::PathBuf>,
    /// as `sage serve` takes it
    #[argh(option)]
    listen: Vec<String>,
    /// print JSON: settings (variable, flag, value, origin, default, meaning, secret)
    #[argh(switch)]
    json: bool,
}

impl ShowConfig {
    pub(super) fn flags(&self) -> Flags {
        Flags {
            data_dir: self.data_dir.clone(),
            project: self.project.clone(),
            listen: self.listen.clone(),
        }
    }
}

pub(super) fn run(args: &ShowConfig, config: &Config, style: &Style) -> Result<Outcome> {
    if args.json {
        let settings = rows(config);
        output::print_json(&json!({ "settings": settings }))?;
    } else {
        output::print(&render(&rows(config), style))?;
    }
    Ok(Outcome::Done)
}

#[derive(Serialize)]
struct Row {
    variable: &'static str,
    /// The flag that wins over the variable.
    flag: Option<&'static str>,
    /// Null where nothing is set; a secret is masked.
    value: Option<String>,
    /// `flag`, `environment` or `default`.
    origin: &'static str,
    /// What holds when nobody says anything, in words.
    default: &'static str,
    meaning: &'static str,
    secret: bool,
}

fn rows(config: &Config) -> Vec<Row> {
    config
        .rows()
        .into_iter()
        .map(|(setting, value, origin)| Row {
            variable: setting.variable,
            flag: setting.flag,
            value: Some(value).filter(|value| !value.is_empty()),
            origin: origin.name(),
            default: setting.default,
            meaning: setting.meaning,
            secret: setting.secret,
        })
        .collect()
}

fn render(rows: &[Row], style: &Style) -> String {
    let shown = |row: &Row| match &row.value {
        Some(value) => output::clean_line(value),
        None => format!("({})", row.default),
    };
    let widest = |width: &dyn Fn(&Row) -> usize| rows.iter().map(width).max().unwrap_or(0);
    let variables = widest(&|row| row.variable.len());
    let values = widest(&|row| output::width(&shown(row)));
    let mut text = String::new();
    for row in rows {
        text.push_str(&format!(
            "{}  {}  {}\n    {}{}\n",
            style.bold(&output::pad(row.variable, variables)),
            output::pad(&shown(row), values),
            style.dim(row.origin),
            row.meaning,
            row.flag
                .map(|flag| format!(" Flag: {flag}."))
                .unwrap_or_default(),
        ));
    }
    text
}
