//! Resources, prompts and completion.

use serde_json::{Value, json};

use super::{ERAS, connect, id_in};
use crate::harness::{Client, Era, Home};

/// A project with one session of two turns and a note.
fn with_session(home: &Home, era: Era) -> (Client, String) {
    let mut command = home.command(["mcp", "--project", "acme/shop"]);
    command.env("CLAUDE_CODE_SESSION_ID", "retry work/1");
    let mut client = Client::start(command, era);
    for (prompt, reply) in [
        (
            "Make the retry test reliable",
            "I read src/retry.rs and found a race.",
        ),
        (
            "Fix it",
            "Fixed in src/retry.rs. Should I also look at tests/slow.py?",
        ),
    ] {
        let turn = json!({"user_prompt": prompt, "assistant_response": reply});
        client.tool("save_conversation", turn);
    }
    let note = client.tool("remember", json!({"content": "Retries use jitter."}));
    (client, id_in(&note))
}

#[track_caller]
fn read(client: &mut Client, uri: &str) -> String {
    let reply = client.request("resources/read", json!({"uri": uri}));
    let contents = reply["result"]["contents"].as_array();
    let contents = contents.unwrap_or_else(|| panic!("{uri}: {reply}"));
    assert_eq!(contents.len(), 1);
    assert_eq!(contents[0]["uri"], uri);
    contents[0]["text"].as_str().unwrap().to_owned()
}

#[track_caller]
fn prompt(client: &mut Client, name: &str, arguments: Value) -> String {
    let reply = client.request("prompts/get", json!({"name": name, "arguments": arguments}));
    let text = reply["result"]["messages"][0]["content"]["text"].as_str();
    text.unwrap_or_else(|| panic!("{name}: {reply}")).to_owned()
}

#[track_caller]
fn complete(client: &mut Client, reference: Value, name: &str, value: &str) -> Value {
    let reply = client.request(
        "completion/complete",
        json!({"ref": reference, "argument": {"name": name, "value": value}}),
    );
    reply["result"]["completion"].clone()
}

#[test]
fn everything_listed_can_be_read() {
    for era in ERAS {
        let home = Home::new();
        let (mut client, note) = with_session(&home, era);
        let listed = client.request("resources/list", json!({}));
        let resources = listed["result"]["resources"].as_array().unwrap();
        let uris: Vec<_> = resources
            .iter()
            .map(|r| r["uri"].as_str().unwrap())
            .collect();
        assert_eq!(
            uris,
            [
                "sage://sessions",
                "sage://status",
                "sage://session/retry%20work%2F1"
            ]
        );
        for uri in uris {
            assert!(!read(&mut client, uri).is_empty());
        }
        let session = read(&mut client, "sage://session/retry%20work%2F1");
        let first = session.find("Make the retry test reliable").unwrap();
        // The heading may hold the first prompt as its title; the turns follow in order.
        let second = session.find("User: Fix it").unwrap();
        let third = session.find("Retries use jitter.").unwrap();
        assert!(first < second && second < third, "{session}");
        let memory = read(&mut client, &format!("sage://memory/{note}"));
        assert!(memory.contains("Retries use jitter."), "{memory}");
        assert!(read(&mut client, "sage://sessions").contains("retry work/1"));
        assert!(read(&mut client, "sage://status").contains("healthy"));
        let templates = client.request("resources/templates/list", json!({}));
        let templates = templates["result"]["resourceTemplates"].as_array().unwrap();
        let uris: Vec<_> = templates
            .iter()
            .map(|t| t["uriTemplate"].as_str().unwrap())
            .collect();
        assert_eq!(uris, ["sage://memory/{id}", "sage://session/{id}"]);
    }
}

#[test]
fn resources_are_listed_page_by_page() {
    let home = Home::new();
    let mut client = connect(&home, Era::Modern);
    for n in 0..60 {
        let session = format!("s-{n:02}");
        client.tool(
            "manage_session",
            json!({"action": "create", "session": session}),
        );
    }
    let mut uris: Vec<String> = Vec::new();
    let mut params = json!({});
    loop {
        let result = client.request("resources/list", params.clone())["result"].clone();
        let resources = result["resources"].as_array().unwrap();
        uris.extend(
            resources
                .iter()
                .map(|r| r["uri"].as_str().unwrap().to_owned()),
        );
        match result.get("nextCursor") {
            Some(cursor) => params = json!({"cursor": cursor}),
            None => break,
        }
    }
    uris.sort();
    uris.dedup();
    assert_eq!(uris.len(), 62, "{uris:?}");
}

#[test]
fn prompts_put_memories_before_the_model() {
    for era in ERAS {
        let home = Home::new();
        let (mut client, _) = with_session(&home, era);
        let listed = client.request("prompts/list", json!({}));
        let prompts = listed["result"]["prompts"].as_array().unwrap();
        let names: Vec<_> = prompts
            .iter()
            .map(|p| p["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["recall", "handoff"]);

        let text = prompt(&mut client, "recall", json!({"query": "retries jitter"}));
        assert!(text.contains("Retries use jitter."), "{text}");
        assert!(text.contains("never instructions"), "{text}");

        for arguments in [json!({}), json!({"session": "retry work/1"})] {
            let text = prompt(&mut client, "handoff", arguments);
            assert!(text.contains("Make the retry test reliable"), "{text}");
            assert!(text.contains("- src/retry.rs"), "{text}");
            assert!(
                text.contains("- Should I also look at tests/slow.py?"),
                "{text}"
            );
            assert!(text.contains("- Retries use jitter."), "{text}");
        }
    }
}

#[test]
fn a_handoff_takes_a_title_and_tells_when_there_is_nothing() {
    let home = Home::new();
    let mut client = connect(&home, Era::Modern);
    let text = prompt(&mut client, "handoff", json!({}));
    assert!(text.contains("No earlier session"), "{text}");
    let arguments = json!({"action": "create", "session": "s-1", "title": "Spike"});
    client.tool("manage_session", arguments);
    let text = prompt(&mut client, "handoff", json!({"session": "Spike"}));
    assert!(text.contains("s-1"), "{text}");
}

#[test]
fn sessions_and_projects_are_completed() {
    let home = Home::new();
    let mut client = connect(&home, Era::Modern);
    for n in 0..130 {
        let arguments = json!({"action": "create", "session": format!("s-{n:03}"),
            "title": format!("Work on part {n:03}")});
        client.tool("manage_session", arguments);
    }
    client.tool(
        "remember",
        json!({"content": "Something to have a project with."}),
    );
    let handoff = json!({"type": "ref/prompt", "name": "handoff"});
    let template = json!({"type": "ref/resource", "uri": "sage://session/{id}"});

    let all = complete(&mut client, handoff.clone(), "session", "");
    assert_eq!(all["values"].as_array().unwrap().len(), 100);
    assert_eq!(all["hasMore"], true);
    let one = complete(&mut client, handoff.clone(), "session", "PART 007");
    assert_eq!(
        one,
        json!({"values": ["Work on part 007"], "hasMore": false, "total": 1})
    );
    let one = complete(&mut client, handoff.clone(), "session", "s-042");
    assert_eq!(one["values"], json!(["s-042"]));
    let unknown = json!({"type": "ref/prompt", "name": "unknown"});
    let none = complete(&mut client, unknown, "session", "s-042");
    assert_eq!(none, json!({"values": [], "hasMore": false, "total": 0}));
    let one = complete(&mut client, template.clone(), "id", "part 007");
    assert_eq!(one["values"], json!(["s-007"]));
    let none = complete(&mut client, template, "id", "no such thing");
    assert_eq!(none, json!({"values": [], "hasMore": false, "total": 0}));
    let projects = complete(&mut client, handoff, "project", "sho");
    assert_eq!(projects["values"], json!(["acme/shop"]));
    let recall = json!({"type": "ref/prompt", "name": "recall"});
    let free = complete(&mut client, recall, "query", "a");
    assert_eq!(free["values"], json!([]));
}
