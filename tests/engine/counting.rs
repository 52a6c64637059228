//! The engine's own numbers move with what it does.

use std::sync::Arc;

use sage::capture::Capture;
use sage::engine::{Engine, ForgetRequest, Place, ProjectHints};
use sage::mcp::notices::Notices;
use sage::mcp::rpc::Message;
use sage::mcp::{Caller, Mcp};
use sage::memory::{Filter, Kind, Project, Scope};
use sage::recall::{ContextRequest, RecallRequest};
use tokio::runtime::{Builder, Runtime};

use super::engine;
use crate::harness::Home;

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn scope() -> Scope {
    Scope::Project(Project::new("acme/shop"))
}

fn note(text: &str) -> Capture {
    Capture::note(Project::new("acme/shop"), Kind::Note, text, "test")
}

fn turn(event: &str, prompt: &str, reply: &str) -> Capture {
    Capture {
        session: Some("s".to_owned()),
        event: Some(event.to_owned()),
        ..Capture::turn(Project::new("acme/shop"), prompt, reply, "test")
    }
}

/// How many calls were timed: capture, recall, context.
fn timed(engine: &Engine) -> [u64; 3] {
    let latencies = engine.meters().latencies();
    assert_eq!(latencies.each_ref().map(|(name, _)| *name), NAMES);
    for (name, timed) in &latencies {
        assert_eq!(timed.count > 0, timed.sum_seconds > 0.0, "{name}");
        assert!(timed.counts.is_sorted(), "{name}");
    }
    latencies.map(|(_, timed)| timed.count)
}

const NAMES: [&str; 3] = ["capture", "recall", "context"];

#[test]
fn captures_are_counted_by_what_became_of_them() {
    let home = Home::new();
    let engine = engine(&home);
    runtime().block_on(async {
        assert_eq!(timed(&engine), [0, 0, 0]);
        let batch = vec![
            turn("1", "Paint the lantern green.", ""),
            turn("2", "ok", ""),
            note(" "),
            note("<private>Nothing but this.</private>"),
        ];
        engine.capture_all(batch).await.unwrap();
        let secret = "The key is AKIAIOSFODNN7EXAMPLE, the lantern is green.";
        let fuller = turn("1", "Paint the lantern green.", secret);
        engine.capture(fuller.clone()).await.unwrap();
        engine.capture(fuller.clone()).await.unwrap();
        let request = ForgetRequest {
            scope: scope(),
            ids: Vec::new(),
            filter: Filter {
                session: Some("s".to_owned()),
                ..Filter::default()
            },
        };
        let preview = engine.forget_preview(&request).await.unwrap();
        engine.forget(&request, &preview.code).await.unwrap();
        engine.capture(fuller).await.unwrap();
    });
    let meters = engine.meters();
    let captures = [("stored", 1), ("updated", 1), ("known", 1)];
    assert_eq!(meters.captures(), captures);
    let refusals = [
        ("empty", 1),
        ("nothing_of_its_own", 1),
        ("trivial", 1),
        ("forgotten", 1),
    ];
    assert_eq!(meters.refusals(), refusals);
    assert_eq!(meters.redactions(), 1);
    assert_eq!(timed(&engine), [4, 0, 0], "a batch is one call");
    assert_eq!(meters.store_errors(), [("store", 0), ("unavailable", 0)]);
}

async fn look(engine: &Engine) -> [bool; 2] {
    let recall = RecallRequest {
        query: "lantern".to_owned(),
        scope: scope(),
        filter: Filter::default(),
        limit: 10,
        offset: 0,
    };
    let context = ContextRequest {
        query: "lantern".to_owned(),
        scope: scope(),
        filter: Filter::default(),
        tokens_max: 1_000,
        condense: false,
    };
    [
        engine.recall(&recall).await.is_ok(),
        engine.context(&context).await.is_ok(),
    ]
}

#[test]
fn a_store_that_fails_a_call_is_counted_once() {
    let home = Home::new();
    // The store's folder cannot be made below a file.
    let in_the_way = home.file("data", "");
    let engine = engine(&home);
    runtime().block_on(async {
        let mut failed = 0;
        assert_eq!(look(&engine).await, [false, false]);
        failed += 2;
        assert_eq!(timed(&engine), [0, 1, 1], "failed calls take time too");
        assert!(engine.capture(note("The lantern is green.")).await.is_err());
        failed += 1;
        // Verbs that use others are no more than one call.
        assert!(engine.rename_session(&scope(), "s", "t").await.is_err());
        failed += 1;
        assert!(engine.status().await.problem.is_some());
        failed += 1;
        let hints = ProjectHints {
            session: Some("s".to_owned()),
            ..ProjectHints::default()
        };
        assert!(engine.choose_project(&hints).await.is_err());
        failed += 1;
        let errors = [("store", failed), ("unavailable", 0)];
        assert_eq!(engine.meters().store_errors(), errors);
        assert_eq!(engine.meters().captures().map(|(_, count)| count), [0; 3]);

        std::fs::remove_file(in_the_way).unwrap();
        assert_eq!(look(&engine).await, [true, true]);
        // What the caller did wrong is not the store's.
        assert!(engine.session(&scope(), "nobody").await.is_err());
        assert_eq!(engine.meters().store_errors(), errors);
    });
}

#[test]
fn answers_without_the_store_are_counted_as_degraded() {
    let home = Home::new();
    let in_the_way = home.file("data", "");
    let engine = Arc::new(engine(&home));
    let mcp = Mcp::new(Arc::clone(&engine), 1_000);
    // One whose project is known without the store, and one whose is not.
    let named = ProjectHints {
        named: Some("acme/shop".to_owned()),
        ..ProjectHints::default()
    };
    let elsewhere = ProjectHints {
        working_dir: Some(Place {
            path: "/nowhere".to_owned(),
            project: None,
        }),
        ..ProjectHints::default()
    };
    let callers = [named, elsewhere].map(Caller::new);
    let degraded = [
        ("resources/list", "{}"),
        ("resources/read", r#"{"uri":"sage://status"}"#),
        ("tools/call", r#"{"name":"get_status"}"#),
        ("tools/call", r#"{"name":"reset_circuit_breaker"}"#),
    ];
    let lantern = r#"{"name":"get_context","arguments":{"query":"lantern"}}"#;
    let others = [("resources/templates/list", "{}"), ("tools/call", lantern)];
    let nobody = Notices::none();
    let ask = async |caller: &Caller, (method, params): &(&str, &str)| {
        let before = engine.meters().degraded();
        let request =
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
        for item in mcp.unfold(caller, Message::read(request.as_bytes())).items {
            assert!(mcp.handle(caller, &item, &nobody).await.is_some());
        }
        engine.meters().degraded() - before
    };
    runtime().block_on(async {
        for caller in &callers {
            for request in &degraded {
                assert_eq!(ask(caller, request).await, 1, "{request:?}");
            }
            for request in &others {
                assert_eq!(ask(caller, request).await, 0, "{request:?}");
            }
        }
        std::fs::remove_file(&in_the_way).unwrap();
        for caller in &callers {
            for request in degraded.iter().chain(&others) {
                assert_eq!(ask(caller, request).await, 0, "{request:?}");
            }
        }
    });
}
