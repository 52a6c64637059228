//! Keeping, reading, replacing and deleting.

use serde_json::json;

use super::{get, id_of, keep, note, send};
use crate::harness::{Ask, Home, Server};

#[test]
fn a_memory_is_kept_read_replaced_and_deleted() {
    let home = Home::new();
    let server = Server::start(&home);
    let body = json!({"content": "The harbour office opens at nine.", "key": "office", "tags": ["Port"],
        "pinned": true, "metadata": {"by": "script"}});
    let made = send(&server, "POST", "/api/memories", &body).is(201);
    assert_eq!(made.json()["outcome"], "stored");
    let memory = made.json()["memory"].clone();
    assert_eq!(memory["content"], body["content"]);
    assert_eq!(memory["tags"], json!(["port"]));
    assert_eq!(memory["metadata"], body["metadata"]);
    assert_eq!(
        (&memory["kind"], &memory["source"]),
        (&json!("note"), &json!("api"))
    );
    // Where the answer says that it is, it is, whoever asks.
    let read = server.get(made.header("location").unwrap()).is(200).json();
    assert_eq!(read, json!({"memory": memory, "history": []}));

    let again = send(&server, "POST", "/api/memories", &body).is(200).json();
    assert_eq!(
        (&again["outcome"], &again["memory"]["id"]),
        (&json!("known"), &memory["id"])
    );

    let path = format!("/api/memories/{}", id_of(&memory));
    let update = json!({"content": "The harbour office opens at ten."});
    let replaced = send(&server, "PUT", &path, &update).is(200).json();
    assert_eq!(replaced["superseded"], memory["id"]);
    let newer = &replaced["memory"];
    assert_eq!(
        (&newer["key"], &newer["pinned"]),
        (&json!("office"), &json!(true))
    );
    assert_eq!(newer["metadata"], body["metadata"]);
    let old = get(&server, &path).is(200).json();
    assert_eq!(old["memory"]["superseded_by"], newer["id"]);
    assert_eq!(old["history"][0]["content"], update["content"]);
    let late = send(&server, "PUT", &path, &update).is(400);
    assert!(late.text().contains("history already"), "{late:?}");

    let path = format!("/api/memories/{}", id_of(newer));
    let gone = server.ask(&Ask::new("DELETE", &path).header("Sage-Project", super::PROJECT));
    assert_eq!(gone.is(200).json()["memories"], 2, "with its history");
    get(&server, &path).is(404);
    send(&server, "PUT", &path, &update).is(404);
}

#[test]
fn turns_and_what_is_not_worth_keeping() {
    let home = Home::new();
    let server = Server::start(&home);
    let turn = json!({"prompt": "Which crane lifts most?", "reply": "The yellow one, forty tons.",
        "session": "s-1", "event": "p-1"});
    let id = keep(&server, &turn);
    let read = get(&server, &format!("/api/memories/{id}")).is(200).json();
    assert_eq!(read["memory"]["kind"], "turn");
    assert_eq!(read["memory"]["reply"], turn["reply"]);
    let again = send(&server, "POST", "/api/memories", &turn).is(200).json();
    assert_eq!(again["outcome"], "known");

    let empty = send(&server, "POST", "/api/memories", &json!({"content": "  "}));
    let empty = empty.is(200).json();
    assert_eq!(
        (&empty["outcome"], &empty["memory"]),
        (&json!("refused"), &json!(null))
    );
    assert!(empty["reason"].is_string());

    let secret = json!({"content": "The key is AKIAIOSFODNN7EXAMPLE, keep it."});
    let kept = send(&server, "POST", "/api/memories", &secret).is(201);
    assert_eq!(kept.json()["redacted"], 1);
    assert!(!kept.text().contains("AKIAIOSFODNN7EXAMPLE"), "{kept:?}");
}

#[test]
fn mistakes_are_told_with_the_field() {
    let home = Home::new();
    let server = Server::start(&home);
    for (body, field) in [
        (json!({}), "content"),
        (json!({"content": "a", "prompt": "b"}), "content"),
        (json!({"content": "a", "kind": "turn"}), "prompt"),
        (json!({"prompt": "a", "kind": "note"}), "kind"),
        (json!({"content": "a", "kind": "essay"}), "kind"),
        (json!({"content": 7}), "content"),
        (json!({"content": "a", "tags": "b"}), "tags"),
        (json!({"content": "a", "colour": "b"}), "colour"),
        (json!({"content": "a", "expires": "soon"}), "expires"),
        (json!({"content": "a", "project": " "}), "project"),
        (json!([]), "body"),
    ] {
        let reply = send(&server, "POST", "/api/memories", &body).is(400);
        let error = &reply.json()["error"];
        assert_eq!(error["kind"], "invalid", "{body}");
        let message = error["message"].as_str().unwrap();
        assert!(
            message.starts_with(&format!("{field}: ")),
            "{body}: {message}"
        );
    }
    let broken = Ask::post("/api/memories", &json!({})).body("{\"content\": \"\u{0}");
    assert!(
        server
            .ask(&broken)
            .is(400)
            .text()
            .contains("body: not readable")
    );
    let both = send(
        &server,
        "POST",
        "/api/memories?project=x",
        &json!({"content": "a"}),
    );
    both.is(400);
    let reply = server.ask(&Ask::new("PATCH", "/api/memories"));
    assert_eq!(reply.is(405).header("allow"), Some("GET, HEAD, POST"));
    server.get("/api/memories/nonsense?scope=all").is(404);
    server.get("/api/memories/%ff?scope=all").is(404);
    server.get("/api/nothing").is(404);
}

#[test]
fn the_predecessors_paths_still_work() {
    let home = Home::new();
    let server = Server::start(&home);
    let turn = json!({"user_prompt": "Where is the lamp oil?", "assistant_response": "In the boathouse.",
        "session_id": "s-9", "colour": "passed over"});
    let saved = send(&server, "POST", "/save_conversation", &turn)
        .is(200)
        .json();
    assert_eq!(saved["outcome"], "stored");
    assert_eq!(saved["memory"]["session"], "s-9");
    let query = json!({"query": "lamp oil", "max_results": 3});
    let found = send(&server, "POST", "/search_memory", &query)
        .is(200)
        .json();
    assert_eq!(found["hits"][0]["memory"]["id"], saved["memory"]["id"]);
    let query = json!({"query": "lamp oil"});
    let context = send(&server, "POST", "/get_context", &query).is(200).json();
    assert!(
        context["text"].as_str().unwrap().contains("boathouse"),
        "{context}"
    );
    note(&server, "Another thing.");
    send(&server, "POST", "/get_context", &json!({})).is(400);
}

/// Scripts that number their events have the same numbers.
#[test]
fn an_event_of_one_project_is_none_of_another() {
    let home = Home::new();
    let server = Server::start(&home);
    for session in [json!(null), json!("shared")] {
        let body = |project: &str, content: &str| {
            let content = format!("{content} Session {session}.");
            json!({"project": project, "event": "1", "session": session, "content": content})
        };
        let first = body("p1", "Deploys of the first go out on Mondays.");
        let first = server.post("/api/memories", &first).is(201).json();
        let second = body(
            "p2",
            "Deploys of the second go out on Thursdays, after the long review.",
        );
        let second = server.post("/api/memories", &second);
        if session.is_null() {
            assert_eq!(second.is(201).json()["outcome"], "stored");
        } else {
            // One event of one session is one memory, wherever it is said to belong.
            assert_eq!(second.is(200).json()["outcome"], "known");
        }
        let path = format!("/api/memories/{}?project=p1", id_of(&first["memory"]));
        assert_eq!(server.get(&path).is(200).json()["memory"], first["memory"]);
    }
}

#[test]
fn a_replacement_may_take_tags_away() {
    let home = Home::new();
    let server = Server::start(&home);
    let id = keep(
        &server,
        &json!({"content": "The crane is red.", "tags": ["colour"]}),
    );
    let path = format!("/api/memories/{id}");
    let body = json!({"content": "The crane is tall.", "tags": []});
    let reply = send(&server, "PUT", &path, &body).is(200).json();
    assert_eq!(reply["memory"]["tags"], json!([]));
}
