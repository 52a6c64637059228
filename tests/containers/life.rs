//! A container from its start to its removal.

use serde_json::json;

use crate::harness::{Ask, Container, Engine, eventually};

#[test]
fn it_becomes_healthy_and_keeps_everything_over_a_restart() {
    let Some(engine) = Engine::handed_over("containers::life") else {
        return;
    };
    let container = Container::start(engine);
    container.healthy();
    let fact = "The walrus answers at noon";
    container
        .ask(&Ask::tool("remember", json!({"content": fact})))
        .is(200);
    assert_eq!(container.stop(), 0, "{}", container.logs());
    assert!(container.logs().contains("stopped"), "{}", container.logs());
    engine.ok(&["start", &container.name]);
    container.healthy();
    let found = container.ask(&Ask::tool("search_memory", json!({"query": "walrus"})));
    assert!(found.text().contains(fact), "{}", found.text());

    let table = engine.ok(&["top", &container.name, "-eo", "pid,uid,args"]);
    let words: Vec<_> = table.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(words[1..], ["65532", "/sage", "serve"]);
}

#[test]
fn the_probe_says_unhealthy_when_the_server_hangs() {
    let Some(engine) = Engine::handed_over("containers::life") else {
        return;
    };
    let container = Container::start(engine);
    container.healthy();
    // Stopped, not ended: it accepts connections and answers none.
    engine.ok(&["kill", "--signal", "STOP", &container.name]);
    let last = eventually("a failed probe", || {
        let health = engine.inspect(&container.name)["State"]["Health"].clone();
        let last = health["Log"].as_array().unwrap().last()?.clone();
        (last["ExitCode"] == 1).then_some(last)
    });
    let said = last["Output"].as_str().unwrap();
    assert!(said.starts_with("healthcheck: "), "{said}");
    engine.ok(&["kill", "--signal", "CONT", &container.name]);
    container.healthy();
}

#[test]
fn forgetting_needs_no_folder_that_the_image_lacks() {
    let Some(engine) = Engine::handed_over("containers::life") else {
        return;
    };
    let container = Container::start(engine);
    container.healthy();
    let sage = |args: &[&str]| {
        let mut command = container.sage(&[], args);
        let finished = crate::harness::finish(&mut command);
        assert_eq!(finished.code, 0, "{args:?}: {}", finished.stderr);
        finished.stdout
    };
    let kept = sage(&[
        "remember",
        "--project",
        "acme/shop",
        "--json",
        "Gone by tea",
    ]);
    let kept: serde_json::Value = serde_json::from_str(&kept).unwrap();
    let id = kept["id"].as_str().unwrap();
    sage(&["forget", "--project", "acme/shop", "--yes", id]);
    let left = sage(&["list", "--all", "--json"]);
    assert!(!left.contains("Gone by tea"), "{left}");
}
