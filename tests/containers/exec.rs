//! Sessions through `docker exec`, as Claude Code starts them.

use serde_json::json;

use crate::harness::{Ask, Client, Container, Engine, Era, eventually};

const ERAS: [Era; 2] = [Era::Legacy("2025-11-25"), Era::Modern];
const PROJECT: &str = "CLAUDE_PROJECT_DIR=/home/somebody/shop";
/// As many as somebody has windows open.
const SESSIONS: u32 = 8;

#[test]
fn both_generations_talk_and_know_their_project() {
    let Some(engine) = Engine::handed_over("containers::exec") else {
        return;
    };
    let container = Container::start(engine);
    container.healthy();
    for era in ERAS {
        let session = format!("CLAUDE_CODE_SESSION_ID=session-{era:?}");
        let mut client = Client::start(container.sage(&[PROJECT, &session], &["mcp"]), era);
        let fact = format!("The walrus of {era:?} answers at noon");
        let kept = client.tool("remember", json!({"content": fact}));
        assert!(kept.contains("project: /home/somebody/shop"), "{kept}");
        let found = client.tool("search_memory", json!({"query": "walrus"}));
        assert!(found.contains(&fact), "{found}");
        let (status, rest) = client.end();
        assert!(status.success() && rest.is_empty(), "{status} {rest:?}");
    }
    // Without a project it is nobody's: the working directory of a container is no proof.
    let mut client = Client::start(container.sage(&[], &["mcp"]), Era::Modern);
    let kept = client.tool("remember", json!({"content": "Nobody's walrus"}));
    assert!(kept.contains("project: unassigned"), "{kept}");
    client.end();
    assert_eq!(container.processes(), ["/sage serve"]);
}

#[test]
fn nothing_stays_behind_when_the_client_is_killed() {
    let Some(engine) = Engine::handed_over("containers::exec") else {
        return;
    };
    let container = Container::start(engine);
    container.healthy();
    for era in ERAS {
        let mut client = Client::start(container.sage(&[PROJECT], &["mcp"]), era);
        client.tool("remember", json!({"content": "Before the end"}));
        assert_eq!(container.processes().len(), 2);
        // In the middle of a request, so that there is something to leave behind.
        let request = client.message(
            99,
            "tools/call",
            json!({"name": "search_memory", "arguments": {"query": "the end"}}),
        );
        client.send(&request);
        client.kill();
        eventually("the session's process to go", || {
            (container.processes() == ["/sage serve"]).then_some(())
        });
    }
}

#[test]
fn eight_sessions_under_load_fit_into_the_limits() {
    let Some(engine) = Engine::handed_over("containers::exec") else {
        return;
    };
    let container = Container::start(engine);
    container.healthy();
    let workers: Vec<_> = (0..SESSIONS)
        .map(|number| {
            let session = format!("CLAUDE_CODE_SESSION_ID=session-{number}");
            let command = container.sage(&[PROJECT, &session], &["mcp"]);
            std::thread::spawn(move || {
                let mut client = Client::start(command, Era::Modern);
                for n in 0..100 {
                    let content = format!("Fact {n} of {number}: walruses answer at {n} past noon");
                    client.tool("remember", json!({"content": content}));
                    client.tool("get_context", json!({"query": "when do walruses answer"}));
                }
                client
            })
        })
        .collect();
    let clients: Vec<Client> = workers
        .into_iter()
        .map(|worker| worker.join().unwrap())
        .collect();
    // All are still there, beside the server.
    assert_eq!(container.processes().len() as u32, 1 + SESSIONS);
    let state = &engine.inspect(&container.name)["State"];
    assert_eq!(
        (&state["OOMKilled"], &state["Running"]),
        (&json!(false), &json!(true))
    );
    container.ask(&Ask::get("/health")).is(200);
    for client in clients {
        assert!(client.end().0.success());
    }
    eventually("the sessions to end", || {
        (container.processes() == ["/sage serve"]).then_some(())
    });
    let stats = container.ask(&Ask::get("/health")).json();
    assert_eq!(stats["memory_count"], SESSIONS * 100);
}
