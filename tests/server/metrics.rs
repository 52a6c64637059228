//! What `/metrics` tells, and whether it keeps to the format.

use std::collections::{HashMap, HashSet};

use serde_json::json;

use crate::harness::{Ask, Home, Server};

/// The samples of a page by their name with labels, after checking what the format asks for: every
/// sample belongs to the family announced before it, no family and no sample comes twice, and
/// buckets only grow.
fn samples(page: &str) -> HashMap<String, f64> {
    let mut samples = HashMap::new();
    let mut families = HashSet::new();
    let (mut family, mut kind) = ("", "");
    let mut bucket = ("", 0.0);
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, its_kind) = rest.split_once(' ').unwrap();
            assert_eq!(name, family, "HELP and TYPE of one family");
            kind = its_kind;
            continue;
        }
        if let Some(rest) = line.strip_prefix("# HELP ") {
            family = rest.split_once(' ').unwrap().0;
            assert!(families.insert(family), "{family} comes twice");
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        let value: f64 = value.parse().unwrap();
        let name = series.split('{').next().unwrap();
        let suffix = name.strip_prefix(family).expect(line);
        match kind {
            "histogram" => assert!(["_bucket", "_sum", "_count"].contains(&suffix), "{line}"),
            _ => assert_eq!(suffix, "", "{line}"),
        }
        if let Some((start, _)) = series.split_once("le=\"") {
            let before = if bucket.0 == start { bucket.1 } else { 0.0 };
            assert!(value >= before, "{line}");
            bucket = (start, value);
        }
        let twice = samples.insert(series.to_owned(), value);
        assert!(twice.is_none(), "{series} comes twice");
    }
    samples
}

#[test]
fn what_happened_is_counted() {
    let home = Home::new();
    let server = Server::start(&home);
    server.tool(
        "remember",
        json!({"content": "The kettle key is AKIAIOSFODNN7EXAMPLE here."}),
    );
    let turn = json!({"user_prompt": "ok", "assistant_response": ""});
    server.tool("save_conversation", turn);
    server.tool("search_memory", json!({"query": "kettle"}));
    server.tool("get_context", json!({"query": "kettle"}));
    server.ask(&Ask::tool("search_memory", json!({}))).is(200);
    server.ask(&Ask::tool("no_such_tool", json!({}))).is(200);
    server
        .ask(&Ask::get("/").header("Origin", "https://evil.example"))
        .is(403);
    server.get("/nowhere/at/all").is(404);
    server.ask(&Ask::new("BREW", "/health")).is(405);

    let reply = server.get("/metrics").is(200);
    let media_type = reply.header("content-type").unwrap();
    assert!(
        media_type.starts_with("text/plain; version=0.0.4"),
        "{media_type}"
    );
    let samples = samples(reply.text());
    for (series, value) in [
        (
            "sage_tool_calls_total{tool=\"remember\",outcome=\"done\"}",
            1.0,
        ),
        (
            "sage_tool_calls_total{tool=\"search_memory\",outcome=\"done\"}",
            1.0,
        ),
        (
            "sage_tool_calls_total{tool=\"search_memory\",outcome=\"failed\"}",
            1.0,
        ),
        (
            "sage_tool_calls_total{tool=\"(unknown)\",outcome=\"failed\"}",
            1.0,
        ),
        (
            "sage_tool_duration_seconds_count{tool=\"search_memory\"}",
            2.0,
        ),
        (
            "sage_http_requests_total{route=\"/mcp\",method=\"POST\",status=\"200\"}",
            6.0,
        ),
        (
            "sage_http_request_duration_seconds_count{route=\"/mcp\"}",
            6.0,
        ),
        (
            "sage_http_requests_total{route=\"(unknown)\",method=\"GET\",status=\"404\"}",
            1.0,
        ),
        (
            "sage_http_requests_total{route=\"(wrong method)\",method=\"other\",status=\"405\"}",
            1.0,
        ),
        ("sage_denied_requests_total{reason=\"origin\"}", 1.0),
        (
            "sage_operation_duration_seconds_count{operation=\"recall\"}",
            1.0,
        ),
        (
            "sage_operation_duration_seconds_count{operation=\"context\"}",
            1.0,
        ),
        (
            "sage_operation_duration_seconds_count{operation=\"capture\"}",
            2.0,
        ),
        ("sage_captures_total{outcome=\"stored\"}", 1.0),
        ("sage_capture_refusals_total{reason=\"trivial\"}", 1.0),
        ("sage_redactions_total", 1.0),
        ("sage_expired_memories_total", 0.0),
        ("sage_degraded_answers_total", 0.0),
        ("sage_store_errors_total{kind=\"store\"}", 0.0),
        ("sage_store_up", 1.0),
        ("sage_memories", 1.0),
        ("sage_passages", 1.0),
        ("sage_recalls_waiting", 0.0),
        ("sage_requests_in_progress", 0.0),
        ("sage_mcp_sessions", 0.0),
    ] {
        assert_eq!(
            samples.get(series),
            Some(&value),
            "{series}\n{}",
            reply.text()
        );
    }
    let version = env!("CARGO_PKG_VERSION");
    let build = format!("sage_build_info{{version=\"{version}\",store=\"sqlite\"}}");
    assert_eq!(samples.get(&build), Some(&1.0));
    assert!(samples["process_resident_memory_bytes"] > 1e6);
    assert!(!reply.text().contains("kettle"), "no words of a memory");
}

#[test]
fn a_store_that_is_away_is_told() {
    let home = Home::new();
    home.file(
        "data/sage.db",
        "this is no database, and long enough to look like none ".repeat(50),
    );
    let server = Server::start(&home);
    server.get("/health").is(503);
    server.ask(&Ask::tool("get_status", json!({}))).is(200);
    let samples = samples(server.get("/metrics").is(200).text());
    assert_eq!(samples["sage_store_up"], 0.0);
    assert!(samples["sage_store_errors_total{kind=\"store\"}"] >= 1.0);
    assert!(samples["sage_degraded_answers_total"] >= 1.0);
    assert!(!samples.contains_key("sage_memories"));
}

/// Labels come from fixed lists, so nobody can make the page grow.
#[test]
fn callers_cannot_make_the_page_grow() {
    let home = Home::new();
    let server = Server::start(&home);
    let ask = |number: usize| {
        server.get(&format!("/path/{number}")).is(404);
        server
            .ask(&Ask::new(&format!("M{number}"), "/api/search"))
            .is(405);
        let name = format!("tool_{number}");
        server.ask(&Ask::tool(&name, json!({}))).is(200);
        server.get(&format!("/api/memories/{number}")).is(404);
    };
    ask(0);
    let lines = |page: String| page.lines().count();
    let page = || server.get("/metrics").is(200).text().to_owned();
    page();
    let before = lines(page());
    (1..50).for_each(ask);
    assert_eq!(lines(page()), before);
}
