//! One connection: each line of the input is a message, as the stdio transport hands it over.
//! Every request must be answered by one line of JSON with its id, whatever it asks for. A line
//! may begin with `> ` as in the golden conversations of the tests, so that those are seeds.
#![no_main]

use std::sync::{Arc, OnceLock};

use libfuzzer_sys::fuzz_target;
use sage::config::{Config, Flags};
use sage::engine::{Engine, ProjectHints};
use sage::mcp::notices::Notices;
use sage::mcp::rpc::{Id, Item, Message};
use sage::mcp::{Caller, Mcp};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

struct Server {
    mcp: Mcp,
    runtime: Runtime,
    _store: TempDir,
}

/// One store for all inputs: to make one for each would be all that the fuzzer does.
fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let store = tempfile::tempdir().unwrap();
        let flags = Flags {
            data_dir: Some(store.path().to_owned()),
            ..Flags::default()
        };
        let config = Config::load(&flags, &|_| None).unwrap();
        Server {
            mcp: Mcp::new(Arc::new(Engine::new(&config)), config.context_tokens),
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap(),
            _store: store,
        }
    })
}

fuzz_target!(|bytes: &[u8]| {
    let Server { mcp, runtime, .. } = server();
    let caller = Caller::new(ProjectHints {
        named: Some("fuzz".to_owned()),
        ..ProjectHints::default()
    });
    for line in bytes.split(|byte| *byte == b'\n') {
        let line = line.strip_prefix(b"> ").unwrap_or(line);
        for item in mcp.unfold(&caller, Message::read(line)).items {
            let answer = runtime.block_on(mcp.handle(&caller, &item, &Notices::none()));
            check(&item, answer.as_ref().map(|answer| answer.line.as_str()));
        }
    }
});

fn check(item: &Item, answer: Option<&str>) {
    let id = match item {
        Item::Notification { .. } | Item::Response => {
            assert_eq!(answer, None);
            return;
        }
        Item::Request(request) => Some(&request.id),
        Item::Broken { id, .. } => id.as_ref(),
    };
    let answer = answer.expect("every question has an answer");
    assert!(!answer.contains('\n'), "more than one line: {answer}");
    let answer: Value = serde_json::from_str(answer).expect("an answer is JSON");
    let answered = answer.get("id").and_then(Id::read);
    assert_eq!(answered.as_ref(), id, "{answer}");
    assert_ne!(
        answer.get("result").is_some(),
        answer.get("error").is_some()
    );
}
