//! `get_status`: how Sage is, and what it holds.

use super::{Call, Effect, Tool};
use crate::engine::{ServiceStatus, Stats, Status, VectorStatus};
use crate::error::Result;
use crate::mcp::arguments::Arguments;
use crate::mcp::render;
use crate::memory::{Kind, time};

pub(super) const TOOL: Tool = Tool {
    name: "get_status",
    title: "Status",
    about: "How Sage is and what it holds.",
    fields: &[],
    effect: Effect::Reads,
    always_load: false,
    run: |call, arguments| Box::pin(run(call, arguments)),
};

pub(super) async fn run(call: &Call<'_>, _arguments: &Arguments) -> Result<String> {
    let status = call.engine.status().await;
    let mut text = describe(&status);
    if let Some(vectors) = call.engine.vector_status().await {
        text.push('\n');
        text.push_str(&vectors_line(&vectors));
    }
    let helpers = [
        ("reranking", call.engine.rerank_status()),
        ("condensing", call.engine.condense_status()),
    ];
    for (name, status) in helpers {
        if let Some(status) = status {
            text.push('\n');
            text.push_str(&service_line(name, &status));
        }
    }
    if let Some(session) = call.session() {
        text.push_str("\ncurrent session: ");
        text.push_str(&session);
    }
    if status.problem.is_some() {
        call.engine.count_degraded();
        return Ok(text);
    }
    text.push('\n');
    text.push_str(&match call.silence() {
        Some(reason) => reason.to_owned(),
        None => numbers(&call.engine.stats(&call.scope()).await?),
    });
    Ok(text)
}

/// How Sage is, in a few lines.
pub(in crate::mcp) fn describe(status: &Status) -> String {
    let mut lines = vec![
        format!("sage {}", status.version),
        format!("store: {}", status.store),
    ];
    lines.push(match (&status.problem, status.memories) {
        (Some(problem), _) => format!("PROBLEM: {problem}"),
        (None, Some(memories)) => format!(
            "healthy, {} in all projects",
            render::count(memories, "memory", "memories")
        ),
        (None, None) => "healthy".to_owned(),
    });
    lines.join("\n")
}

/// How vectors are, in a line.
fn vectors_line(vectors: &VectorStatus) -> String {
    let mut parts = vec![format!("vectors: {}", vectors.model)];
    if let Some(dimension) = vectors.dimension {
        parts.push(format!("{dimension} dimensions"));
    }
    if let Some(waiting) = vectors.waiting {
        let passages = render::count(waiting, "passage waits", "passages wait");
        parts.push(format!("{passages} for one"));
    }
    if let Some(health) = &vectors.health {
        parts.push(format!("circuit {}", health.circuit.name()));
    }
    let problems = [&vectors.problem, &vectors.store_problem];
    let problems = problems.into_iter().flatten();
    let problems: Vec<_> = problems
        .map(|problem| format!("PROBLEM: {problem}"))
        .collect();
    [vec![parts.join(", ")], problems].concat().join("\n")
}

/// How reranking or condensing is, in a line, and in another what is wrong with it.
fn service_line(name: &str, status: &ServiceStatus) -> String {
    let mut line = format!("{name}: {}", status.model);
    if let Some(health) = &status.health {
        line.push_str(&format!(", circuit {}", health.circuit.name()));
    }
    if let Some(problem) = &status.problem {
        line.push_str(&format!("\nPROBLEM: {problem}"));
    }
    line
}

fn numbers(stats: &Stats) -> String {
    let kinds: Vec<_> = Kind::ALL
        .into_iter()
        .zip(stats.by_kind)
        .map(|(kind, number)| {
            let plural = match kind {
                Kind::Turn => "turns",
                Kind::Note => "notes",
                Kind::Summary => "summaries",
            };
            render::count(number, kind.name(), plural)
        })
        .collect();
    let mut text = format!(
        "in this project: {} in {}; {} kept as history",
        kinds.join(", "),
        render::count(stats.sessions, "session", "sessions"),
        stats.superseded
    );
    if let Some((oldest, newest)) = stats.span {
        let (oldest, newest) = (time::date(oldest), time::date(newest));
        text.push_str(&format!("; from {oldest} to {newest}"));
    }
    text
}
