//! Every tool: what it does, and how it says that it cannot.

use serde_json::json;

use super::{ERAS, connect, connect_to, id_in, quoted_in};
use crate::harness::{Client, Era, Home};

const UNKNOWN_ID: &str = "00000000-0000-7000-8000-000000000000";
const PROJECT_LINE: &str = "project: acme/shop (by flag)";

#[track_caller]
fn remember(client: &mut Client, content: &str) -> String {
    id_in(&client.tool("remember", json!({"content": content})))
}

#[test]
fn what_is_remembered_is_found_read_and_forgotten() {
    for era in ERAS {
        let home = Home::new();
        let mut client = connect(&home, era);
        let id = remember(
            &mut client,
            "We deploy the storefront with blue green switching.",
        );
        let found = client.tool("search_memory", json!({"query": "storefront deploy"}));
        assert!(found.starts_with(PROJECT_LINE), "{found}");
        assert!(found.contains(&id) && found.contains(" note "), "{found}");
        assert!(
            found.contains("blue green") && found.contains("get_memory"),
            "{found}"
        );

        let context = client.tool(
            "get_context",
            json!({"query": "how do we deploy the storefront"}),
        );
        assert!(context.contains("blue green"), "{context}");

        let text = client.tool("get_memory", json!({"ids": [id]}));
        assert!(
            text.contains("We deploy the storefront with blue green switching."),
            "{text}"
        );

        let preview = client.tool("forget", json!({"ids": [id]}));
        assert!(
            preview.contains("1 memory") && preview.contains(&id),
            "{preview}"
        );
        assert!(
            client
                .tool("get_memory", json!({"ids": [id]}))
                .contains("blue green")
        );
        let code = quoted_in(&preview);
        let done = client.tool("forget", json!({"ids": [id], "confirm": code}));
        assert!(done.contains("1 memory"), "{done}");
        let gone = client.tool_error("get_memory", json!({"ids": [id]}));
        assert!(gone.contains("Not found") && gone.contains(&id), "{gone}");
        let found = client.tool("search_memory", json!({"query": "storefront deploy"}));
        assert!(!found.contains(&id), "{found}");
    }
}

#[test]
fn every_answer_names_the_project_and_how_it_was_decided() {
    let home = Home::new();
    let mut client = connect(&home, Era::Modern);
    let id = remember(&mut client, "The cache lives in Redis.");
    for (name, arguments) in [
        ("get_context", json!({"query": "cache"})),
        ("search_memory", json!({"query": "cache", "scope": "all"})),
        ("get_memory", json!({"ids": [id]})),
        (
            "remember",
            json!({"content": "The queue lives in Redis as well."}),
        ),
        (
            "save_conversation",
            json!({"user_prompt": "Where is the queue?", "assistant_response": "In Redis."}),
        ),
        ("forget", json!({"ids": [id]})),
        ("manage_session", json!({"action": "list"})),
        ("get_status", json!({})),
    ] {
        let text = client.tool(name, arguments);
        assert_eq!(text.lines().next(), Some(PROJECT_LINE), "{name}: {text}");
    }
    let text = client.tool_error("get_memory", json!({"ids": [UNKNOWN_ID]}));
    assert_eq!(text.lines().last(), Some(PROJECT_LINE), "{text}");
}

#[test]
fn a_search_pages_through_everything_once() {
    let home = Home::new();
    let mut client = connect(&home, Era::Modern);
    let mut ids: Vec<_> = (0..7)
        .map(|n| remember(&mut client, &format!("Lighthouse number {n} was painted.")))
        .collect();
    let mut seen = Vec::new();
    let mut arguments = json!({"query": "lighthouse painted", "limit": 3});
    loop {
        let page = client.tool("search_memory", arguments.clone());
        let hits = page.lines().filter(|line| line.contains("Lighthouse"));
        let before = seen.len();
        seen.extend(hits.map(|line| line.split(' ').next().unwrap().to_owned()));
        assert!((1..=3).contains(&(seen.len() - before)), "{page}");
        if !page.contains("cursor") {
            break;
        }
        arguments["cursor"] = json!(quoted_in(&page));
    }
    seen.sort();
    ids.sort();
    assert_eq!(seen, ids);
}

#[test]
fn a_search_can_be_narrowed() {
    let home = Home::new();
    let mut client = connect(&home, Era::Modern);
    let plain = remember(&mut client, "The parser is written by hand.");
    let tagged = id_in(&client.tool(
        "remember",
        json!({"content": "The parser refuses deep nesting.", "tags": ["Limits"],
            "kind": "summary"}),
    ));
    let mut search = |narrow: serde_json::Value| {
        let mut arguments = json!({"query": "parser"});
        for (name, value) in narrow.as_object().unwrap() {
            arguments[name] = value.clone();
        }
        let text = client.tool("search_memory", arguments);
        (text.contains(&plain), text.contains(&tagged))
    };
    assert_eq!(search(json!({})), (true, true));
    assert_eq!(search(json!({"kinds": ["note"]})), (true, false));
    assert_eq!(search(json!({"kinds": ["summary", "turn"]})), (false, true));
    assert_eq!(search(json!({"tags": ["limits"]})), (false, true));
    assert_eq!(search(json!({"session": "another"})), (false, false));
    assert_eq!(search(json!({"after": "1d"})), (true, true));
    assert_eq!(search(json!({"before": "1d"})), (false, false));
    assert_eq!(
        search(json!({"after": "2020-01-01", "before": "2020-01-02T00:00:00Z"})),
        (false, false)
    );
    // Names of the predecessor.
    assert_eq!(
        search(json!({"max_results": 5, "session_id": "another"})),
        (false, false)
    );
}

#[test]
fn projects_are_isolated_unless_asked() {
    let home = Home::new();
    let mut shop = connect_to(&home, "acme/shop", Era::Modern);
    let mut bank = connect_to(&home, "acme/bank", Era::Modern);
    let id = remember(&mut shop, "The walrus service owns refunds.");

    let found = bank.tool("search_memory", json!({"query": "walrus refunds"}));
    assert!(!found.contains("walrus service"), "{found}");
    let context = bank.tool("get_context", json!({"query": "walrus refunds"}));
    assert!(!context.contains("walrus service"), "{context}");
    bank.tool_error("get_memory", json!({"ids": [id]}));
    let asked = bank.tool("get_memory", json!({"ids": [id], "scope": "all"}));
    assert!(asked.contains("walrus service"), "{asked}");
    bank.tool_error("remember", json!({"content": "Mine now.", "id": id}));
    let preview = bank.tool("forget", json!({"ids": [id]}));
    assert!(preview.contains("nothing to forget"), "{preview}");
    let read = bank.request(
        "resources/read",
        json!({"uri": format!("sage://memory/{id}")}),
    );
    assert_eq!(read["error"]["code"], -32602);

    let found = bank.tool(
        "search_memory",
        json!({"query": "walrus refunds", "scope": "all"}),
    );
    assert!(
        found.contains(&id) && found.contains("acme/shop"),
        "{found}"
    );
    let found = shop.tool("search_memory", json!({"query": "walrus refunds"}));
    assert!(found.contains(&id), "{found}");
}

#[test]
fn a_key_and_an_id_replace_and_keep_history() {
    let home = Home::new();
    let mut client = connect(&home, Era::Modern);
    let first = client.tool(
        "remember",
        json!({"content": "Deploy target is alpha.", "key": "target"}),
    );
    let first = id_in(&first);
    let answer = client.tool(
        "remember",
        json!({"content": "Deploy target is beta.", "key": "target"}),
    );
    assert!(
        answer.contains(&first) && answer.contains("history"),
        "{answer}"
    );
    let second = id_in(&answer);
    assert_ne!(first, second);
    let answer = client.tool(
        "remember",
        json!({"content": "Deploy target is gamma.", "id": second}),
    );
    let third = id_in(&answer);

    let found = client.tool("search_memory", json!({"query": "deploy target"}));
    assert!(found.contains(&third), "{found}");
    assert!(
        !found.contains(&first) && !found.contains(&second),
        "{found}"
    );
    let text = client.tool("get_memory", json!({"ids": [first]}));
    assert!(
        text.contains("alpha") && text.contains("Outdated"),
        "{text}"
    );
    assert!(text.contains(&second) && text.contains(&third), "{text}");
    let text = client.tool("get_memory", json!({"ids": [third]}));
    assert!(
        text.contains("gamma") && text.contains("key target"),
        "{text}"
    );
    assert!(
        text.contains("Replaces") && text.contains(&first) && text.contains(&second),
        "{text}"
    );
    let text = client.tool_error("remember", json!({"content": "Delta.", "id": first}));
    assert!(text.contains(&second), "{text}");
}

#[test]
fn everything_said_about_a_note_is_kept() {
    let home = Home::new();
    let mut client = connect(&home, Era::Modern);
    let id = id_in(&client.tool(
        "remember",
        json!({"content": "Freeze until the fair.", "tags": ["release"], "pinned": true,
            "expires": "30d"}),
    ));
    let text = client.tool("get_memory", json!({"ids": [id, id, UNKNOWN_ID]}));
    assert!(
        text.contains("tags release") && text.contains("pinned"),
        "{text}"
    );
    assert!(text.contains("expires 20"), "{text}");
    assert_eq!(text.matches("## ").count(), 1, "{text}");
    assert!(
        text.contains(&format!("Not found in this project: {UNKNOWN_ID}")),
        "{text}"
    );
}

#[test]
fn a_conversation_is_kept_once() {
    let home = Home::new();
    let mut client = connect(&home, Era::Modern);
    let exchange = json!({"user_prompt": "Why is the build slow?",
        "assistant_response": "The linker; use mold.", "metadata": {"model": "x"}});
    let first = client.tool("save_conversation", exchange.clone());
    let again = client.tool("save_conversation", exchange.clone());
    assert_eq!(id_in(&first), id_in(&again));
    assert!(again.contains("nothing changed"), "{again}");
    let by_former_name = client.tool("S", exchange);
    assert_eq!(id_in(&first), id_in(&by_former_name));
    let text = client.tool("get_memory", json!({"ids": [id_in(&first)]}));
    assert!(text.contains("User: Why is the build slow?"), "{text}");
    assert!(text.contains("Assistant: The linker; use mold."), "{text}");
    let empty = client.tool(
        "save_conversation",
        json!({"user_prompt": " ", "assistant_response": ""}),
    );
    assert!(empty.contains("Not kept"), "{empty}");
}
