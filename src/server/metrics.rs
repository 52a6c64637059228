//! `/metrics`: what happened since the start, and how things stand.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper::{Method, StatusCode};
use tokio::time::timeout;

use super::Server;
use super::exposition::{MEDIA_TYPE, Page};
use super::guard::Denial;
use super::health::STORE_PATIENCE;
use super::reply::{self, Reply};
use crate::engine::{Circuit, Histogram, Meters, ServiceHealth, ServiceStatus};
use crate::memory::Scope;

/// What the server counts about itself. Labels come from fixed lists, so that no caller can make
/// the page grow.
pub struct Metrics {
    started: SystemTime,
    requests: Mutex<BTreeMap<(&'static str, &'static str, u16), u64>>,
    denied: Mutex<BTreeMap<&'static str, u64>>,
    tools: Mutex<BTreeMap<(&'static str, &'static str), u64>>,
    route_latency: Latencies,
    tool_latency: Latencies,
}

#[derive(Default)]
struct Latencies(Mutex<BTreeMap<&'static str, Histogram>>);

impl Latencies {
    fn observe(&self, label: &'static str, took: Duration) {
        let mut histograms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        histograms.entry(label).or_default().observe(took);
    }

    fn write(&self, page: &mut Page, name: &str, label: &str, help: &str) {
        page.family(name, "histogram", help);
        let histograms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (value, histogram) in histograms.iter() {
            page.histogram(name, (label, value), &histogram.snapshot());
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            started: SystemTime::now(),
            requests: Mutex::default(),
            denied: Mutex::default(),
            tools: Mutex::default(),
            route_latency: Latencies::default(),
            tool_latency: Latencies::default(),
        }
    }
}

fn count<K: Ord>(counts: &Mutex<BTreeMap<K, u64>>, key: K) {
    let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
    *counts.entry(key).or_default() += 1;
}

fn counted<K: Ord + Copy>(counts: &Mutex<BTreeMap<K, u64>>) -> Vec<(K, u64)> {
    let counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
    counts.iter().map(|(key, count)| (*key, *count)).collect()
}

impl Metrics {
    /// A request was answered.
    pub fn request(
        &self,
        route: &'static str,
        method: &Method,
        status: StatusCode,
        took: Duration,
    ) {
        count(
            &self.requests,
            (route, method_label(method), status.as_u16()),
        );
        self.route_latency.observe(route, took);
    }

    /// A request was not let in.
    pub fn denied(&self, denial: Denial) {
        count(&self.denied, denial.name());
    }

    /// A tool was called.
    pub fn tool(&self, tool: &'static str, has_failed: bool, took: Duration) {
        let outcome = if has_failed { "failed" } else { "done" };
        count(&self.tools, (tool, outcome));
        self.tool_latency.observe(tool, took);
    }
}

/// Callers may invent methods.
fn method_label(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    let known = KNOWN.into_iter().find(|known| *known == method.as_str());
    known.unwrap_or("other")
}

/// The answer to `/metrics`.
pub async fn answer(server: &Server) -> Reply {
    let mut page = Page::default();
    write_process(&mut page, server);
    write_requests(&mut page, &server.metrics);
    write_queues(&mut page, server);
    write_engine(&mut page, server.engine.meters());
    write_vectors(&mut page, server).await;
    write_helper(&mut page, server.engine.rerank_status(), &RERANK);
    write_helper(&mut page, server.engine.condense_status(), &CHAT);
    write_store(&mut page, server).await;
    reply::whole(StatusCode::OK, MEDIA_TYPE, page.finish())
}

fn write_process(page: &mut Page, server: &Server) {
    page.family("sage_build_info", "gauge", "Which Sage this is.");
    let store = server.store.split(' ').next().unwrap_or_default();
    let labels = [("version", env!("CARGO_PKG_VERSION")), ("store", store)];
    page.sample("sage_build_info", &labels, 1);
    let started = server.metrics.started.duration_since(UNIX_EPOCH);
    page.single(
        "process_start_time_seconds",
        "gauge",
        "When the process started, in seconds since 1970.",
        started.unwrap_or_default().as_secs_f64(),
    );
    if let Some(bytes) = resident_bytes() {
        page.single(
            "process_resident_memory_bytes",
            "gauge",
            "Memory of the process that is in use.",
            bytes,
        );
    }
}

fn write_requests(page: &mut Page, metrics: &Metrics) {
    let name = "sage_http_requests_total";
    page.family(name, "counter", "Requests answered.");
    for ((route, method, status), count) in counted(&metrics.requests) {
        let status = status.to_string();
        let labels = [("route", route), ("method", method), ("status", &status)];
        page.sample(name, &labels, count);
    }
    metrics.route_latency.write(
        page,
        "sage_http_request_duration_seconds",
        "route",
        "How long requests took.",
    );
    page.counters(
        "sage_denied_requests_total",
        "Requests not let in, by what was wrong.",
        "reason",
        counted(&metrics.denied),
    );
    let name = "sage_tool_calls_total";
    page.family(name, "counter", "Calls of MCP tools.");
    for ((tool, outcome), count) in counted(&metrics.tools) {
        page.sample(name, &[("tool", tool), ("outcome", outcome)], count);
    }
    metrics.tool_latency.write(
        page,
        "sage_tool_duration_seconds",
        "tool",
        "How long calls of MCP tools took, waiting for their turn included.",
    );
}

fn write_queues(page: &mut Page, server: &Server) {
    let (running, waiting) = server.engine.recalls();
    for (name, help, value) in [
        (
            "sage_connections",
            "Connections that are open.",
            server.connections.open(),
        ),
        (
            "sage_requests_receiving",
            "Requests whose body is awaited.",
            server.limits.receiving(),
        ),
        (
            "sage_requests_in_progress",
            "Requests being answered, health and metrics left out.",
            server.limits.in_progress(),
        ),
        (
            "sage_recalls_running",
            "Recalls and contexts being computed.",
            running,
        ),
        (
            "sage_recalls_waiting",
            "Recalls and contexts that wait for their turn.",
            waiting,
        ),
        (
            "sage_mcp_sessions",
            "Sessions of the MCP versions that have them.",
            server.sessions.len(),
        ),
    ] {
        page.single(name, "gauge", help, value);
    }
}

fn write_engine(page: &mut Page, meters: &Meters) {
    let name = "sage_operation_duration_seconds";
    page.family(name, "histogram", "How long captures and recalls took.");
    for (operation, histogram) in meters.latencies() {
        page.histogram(name, ("operation", operation), &histogram);
    }
    page.counters(
        "sage_captures_total",
        "What was handed over to be kept, by what became of it.",
        "outcome",
        meters.captures(),
    );
    page.counters(
        "sage_capture_refusals_total",
        "What was not kept, by the reason.",
        "reason",
        meters.refusals(),
    );
    page.single(
        "sage_redactions_total",
        "counter",
        "Secrets and private spans taken out.",
        meters.redactions(),
    );
    page.single(
        "sage_expired_memories_total",
        "counter",
        "Memories deleted because their time was up.",
        meters.expired(),
    );
    page.single(
        "sage_degraded_answers_total",
        "counter",
        "Answers that left something out because the store was away.",
        meters.degraded(),
    );
    page.counters(
        "sage_store_errors_total",
        "Calls that the store failed.",
        "kind",
        meters.store_errors(),
    );
}

/// Nothing where no model is configured.
async fn write_vectors(page: &mut Page, server: &Server) {
    let asked = timeout(STORE_PATIENCE, server.engine.vector_status()).await;
    let Ok(Some(vectors)) = asked else { return };
    if let Some(waiting) = vectors.waiting {
        let help = "Passages that wait for a vector.";
        page.single("sage_vectors_waiting", "gauge", help, waiting);
    }
    if let Some(health) = vectors.health {
        write_service(page, &EMBED, &health);
    }
}

/// Nothing where no model is configured.
fn write_helper(page: &mut Page, status: Option<ServiceStatus>, families: &ServiceFamilies) {
    if let Some(health) = status.and_then(|status| status.health) {
        write_service(page, families, &health);
    }
}

/// The families of a model's service, each with its help.
struct ServiceFamilies {
    requests: [&'static str; 2],
    tokens: [&'static str; 2],
    circuit: [&'static str; 2],
}

static EMBED: ServiceFamilies = ServiceFamilies {
    requests: [
        "sage_embed_requests_total",
        "Requests to the embedding service, tries counted one by one.",
    ],
    tokens: [
        "sage_embed_tokens_total",
        "Tokens that were sent to be embedded.",
    ],
    circuit: [
        "sage_embed_circuit",
        "1 for how the circuit to the embedding service stands, else 0.",
    ],
};

static RERANK: ServiceFamilies = ServiceFamilies {
    requests: [
        "sage_rerank_requests_total",
        "Requests to the reranking service.",
    ],
    tokens: [
        "sage_rerank_tokens_total",
        "Tokens that were sent to be put in order.",
    ],
    circuit: [
        "sage_rerank_circuit",
        "1 for how the circuit to the reranking service stands, else 0.",
    ],
};

static CHAT: ServiceFamilies = ServiceFamilies {
    requests: ["sage_chat_requests_total", "Requests to the chat service."],
    tokens: [
        "sage_chat_tokens_total",
        "Tokens that were sent to condense contexts, and that came back.",
    ],
    circuit: [
        "sage_chat_circuit",
        "1 for how the circuit to the chat service stands, else 0.",
    ],
};

fn write_service(page: &mut Page, families: &ServiceFamilies, health: &ServiceHealth) {
    let outcomes = [("answered", health.answered), ("failed", health.failed)];
    let [name, help] = families.requests;
    page.counters(name, help, "outcome", outcomes);
    let [name, help] = families.tokens;
    page.single(name, "counter", help, health.tokens);
    let [name, help] = families.circuit;
    page.family(name, "gauge", help);
    for circuit in Circuit::ALL {
        let value = u8::from(circuit == health.circuit);
        page.sample(name, &[("state", circuit.name())], value);
    }
}

async fn write_store(page: &mut Page, server: &Server) {
    let counted = timeout(STORE_PATIENCE, server.engine.count(&Scope::All)).await;
    let counts = counted.ok().and_then(Result::ok);
    page.single(
        "sage_store_up",
        "gauge",
        "1 if the store answers, else 0.",
        u8::from(counts.is_some()),
    );
    if let Some(counts) = counts {
        let help = "Memories that can be recalled, in all projects.";
        page.single("sage_memories", "gauge", help, counts.memories);
        let help = "Passages in the index, of all projects.";
        page.single("sage_passages", "gauge", help, counts.passages);
    }
}

/// How much memory the process has in use, in bytes; `None` where the system does not tell.
pub fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
