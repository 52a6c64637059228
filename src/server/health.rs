//! How the server is, for whoever polls it: a container engine, a proxy, a person.

use std::time::Duration;

use hyper::StatusCode;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::Server;
use super::reply::{self, Cause, Reply};
use crate::engine::{ServiceHealth, ServiceStatus, Status};
use crate::memory::Timestamp;

/// What is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// `/health`: the server with its store.
    Health,
    /// `/health/liveness`: whether the process answers at all.
    Liveness,
    /// `/health/readiness`: whether requests can be served.
    Readiness,
    /// `/health/detailed`: with everything that is cheap to know.
    Detailed,
}

/// A store that needs longer to tell how much it holds is as good as away, and who polls often
/// wants to know.
pub const STORE_PATIENCE: Duration = Duration::from_millis(500);

/// Answers a probe. Without `is_trusted` it says only whether all is well.
pub async fn answer(server: &Server, probe: Probe, is_trusted: bool) -> Reply {
    if probe == Probe::Liveness {
        return reply::json(StatusCode::OK, &json!({"status": "alive"}));
    }
    let status = timeout(STORE_PATIENCE, server.engine.status()).await.ok();
    let problem = match &status {
        Some(status) => status.problem.as_ref().map(ToString::to_string),
        None => Some(format!(
            "the store did not answer within {} ms",
            STORE_PATIENCE.as_millis()
        )),
    };
    let is_well = problem.is_none();
    let cause = problem.clone().map(Cause);
    let mut value = match probe {
        Probe::Readiness => json!({"status": if is_well { "ready" } else { "not ready" }}),
        _ => json!({
            "status": if is_well { "healthy" } else { "unhealthy" },
            "database": if is_well { "connected" } else { "disconnected" },
        }),
    };
    if let (true, Some(object)) = (is_trusted, value.as_object_mut()) {
        if let Some(problem) = problem {
            object.insert("reason".to_owned(), json!(problem));
        }
        let more = match probe {
            Probe::Readiness | Probe::Liveness => Value::Null,
            Probe::Health => facts(server, status.as_ref()).await,
            Probe::Detailed => details(server, status.as_ref()).await,
        };
        if let Value::Object(more) = more {
            object.extend(more);
        }
    }
    let code = match is_well {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    let mut reply = reply::json(code, &value);
    if let Some(cause) = cause {
        reply.extensions_mut().insert(cause);
    }
    reply
}

async fn facts(server: &Server, status: Option<&Status>) -> Value {
    let mut store_id = None;
    if status.is_some_and(|status| status.problem.is_none()) {
        let asked = timeout(STORE_PATIENCE, server.engine.inspect(false)).await;
        store_id = asked.ok().and_then(Result::ok).map(|store| store.store_id);
    }
    json!({
        "store_id": store_id,
        "time_ms": Timestamp::now().as_millisecond(),
        "memory_count": status.and_then(|status| status.memories),
        "version": env!("CARGO_PKG_VERSION"),
        "store": server.store,
        "uptime_s": server.started.elapsed().as_secs(),
    })
}

async fn details(server: &Server, status: Option<&Status>) -> Value {
    let mut value = facts(server, status).await;
    let (recalls_running, recalls_waiting) = server.engine.recalls();
    let more = json!({
        "process_id": std::process::id(),
        "resident_bytes": super::metrics::resident_bytes(),
        "connections": server.connections.open(),
        "requests_receiving": server.limits.receiving(),
        "requests_in_progress": server.limits.in_progress(),
        "recalls_running": recalls_running,
        "recalls_waiting": recalls_waiting,
        "mcp_sessions": server.sessions.len(),
        "vectors": vectors(server).await,
        "reranking": helper(server.engine.rerank_status()),
        "condensing": helper(server.engine.condense_status()),
    });
    if let (Some(value), Value::Object(more)) = (value.as_object_mut(), more) {
        value.extend(more);
    }
    value
}

/// How vectors are; null where no model is configured or the store says nothing.
async fn vectors(server: &Server) -> Value {
    let asked = timeout(STORE_PATIENCE, server.engine.vector_status()).await;
    let Ok(Some(vectors)) = asked else {
        return Value::Null;
    };
    let more = json!({
        "dimension": vectors.dimension,
        "passages_waiting": vectors.waiting,
        "store_problem": vectors.store_problem,
    });
    let mut value = service(&vectors.model, vectors.health.as_ref(), vectors.problem);
    if let (Some(value), Value::Object(more)) = (value.as_object_mut(), more) {
        value.extend(more);
    }
    value
}

/// How reranking or condensing is; null where no model is configured.
fn helper(status: Option<ServiceStatus>) -> Value {
    status.map_or(Value::Null, |status| {
        service(&status.model, status.health.as_ref(), status.problem)
    })
}

/// How a model's service is.
fn service(model: &str, health: Option<&ServiceHealth>, problem: Option<String>) -> Value {
    json!({
        "model": model,
        "circuit": health.map(|health| health.circuit.name()),
        "problem": problem,
        "requests_answered": health.map(|health| health.answered),
        "requests_failed": health.map(|health| health.failed),
        "tokens_today": health.map(|health| health.tokens_today),
    })
}
