//! Searching, listing, counting; and the document that describes it all.

use serde_json::{Value, json};

use super::{PROJECT, get, keep, note, send};
use crate::harness::{Ask, Home, Server};

#[test]
fn search_and_context_find_what_was_kept() {
    let home = Home::new();
    let server = Server::start(&home);
    let id = note(
        &server,
        "The lighthouse lamp is changed every second spring.",
    );
    note(&server, "Bread is baked on Fridays.");
    let found = get(&server, "/api/search?query=lighthouse+lamp")
        .is(200)
        .json();
    assert_eq!(
        (&found["project"], &found["decided_by"]),
        (&json!(PROJECT), &json!("flag"))
    );
    assert_eq!(found["hits"][0]["memory"]["id"], json!(id));
    assert_eq!(found["hits"].as_array().unwrap().len(), 1);
    assert_eq!(found["silence"], json!(null));

    let context = get(&server, "/api/context?query=lighthouse+lamp&max_tokens=500");
    let context = context.is(200).json();
    assert_eq!(context["memories"], json!([id]));
    assert!(context["tokens"].as_u64().unwrap() <= 500);

    let none = get(&server, "/api/search?query=submarine").is(200).json();
    assert_eq!(none["hits"], json!([]));
    assert!(none["silence"].is_string());
    for wrong in [
        "",
        "?query=a&limit=0",
        "?query=a&limit=101",
        "?query=a&limit=x",
        "?query=a&cursor=x",
        "?query=a&after=yesterdayish",
        "?query=a&kinds=essay",
        "?query=a&query=b",
        "?query=a&colour=b",
    ] {
        get(&server, &format!("/api/search{wrong}")).is(400);
    }
}

#[test]
fn projects_are_apart_and_without_one_nothing_is_found() {
    let home = Home::new();
    let server = Server::start(&home);
    let id = note(
        &server,
        "The lighthouse lamp is changed every second spring.",
    );
    let other = "/api/search?query=lighthouse&project=acme/mill";
    assert_eq!(server.get(other).is(200).json()["hits"], json!([]));
    server
        .get(&format!("/api/memories/{id}?project=acme/mill"))
        .is(404);

    let nobody = server.get("/api/search?query=lighthouse").is(200).json();
    assert_eq!(nobody["hits"], json!([]));
    assert_eq!(nobody["decided_by"], "nothing");
    assert!(nobody["silence"].as_str().unwrap().contains("No project"));
    server.get(&format!("/api/memories/{id}")).is(404);

    let all = server
        .get("/api/search?query=lighthouse&scope=all")
        .is(200)
        .json();
    assert_eq!(
        (&all["project"], &all["decided_by"]),
        (&json!(null), &json!("all"))
    );
    assert_eq!(all["hits"][0]["memory"]["id"], json!(id));
    server.get(&format!("/api/memories/{id}?scope=all")).is(200);
}

#[test]
fn a_session_names_its_project_and_unassigned_can_be_named() {
    let home = Home::new();
    let server = Server::start(&home);
    let turn =
        |reply: &str| json!({"prompt": "Is the pier open?", "reply": reply, "session": "s-1"});
    send(&server, "POST", "/api/memories", &turn("Until six.")).is(201);
    // By its session alone it is known where this belongs.
    let bound = server
        .post("/api/memories", &turn("Until seven today."))
        .is(201)
        .json();
    assert_eq!(
        (&bound["project"], &bound["decided_by"]),
        (&json!(PROJECT), &json!("session"))
    );

    let lost = server
        .post("/api/memories", &json!({"content": "Nobody knows whose."}))
        .is(201);
    assert_eq!(lost.json()["decided_by"], "nothing");
    let stats = server.get("/api/stats").is(200).json();
    assert_eq!(
        (&stats["memories"]["note"], stats["silence"].is_string()),
        (&json!(0), true)
    );
    let read = server.get(lost.header("location").unwrap()).is(200).json();
    assert_eq!(read["memory"]["project"], "unassigned");
}

#[test]
fn a_server_has_a_project_for_calls_that_name_none() {
    let home = Home::new();
    let server = Server::with(&home, &[("SAGE_PROJECT", "acme/fallback")]);
    let project = |ask: Ask| server.ask(&ask).is(200).json()["project"].clone();
    let search = || Ask::get("/api/search?query=a");
    assert_eq!(project(search()), "acme/fallback");
    assert_eq!(project(search().header("Sage-Project", PROJECT)), PROJECT);
    let folder = home.project("here");
    let folder = std::fs::canonicalize(folder).unwrap();
    let folder = folder.to_str().unwrap();
    assert_eq!(project(search().header("Sage-Project-Dir", folder)), folder);
    assert_eq!(
        project(search().header("Sage-Session", "new")),
        "acme/fallback"
    );
}

#[test]
fn lists_come_page_by_page() {
    let home = Home::new();
    let server = Server::start(&home);
    for n in 0..5 {
        keep(
            &server,
            &json!({"content": format!("Thing number {n}."), "tags": ["odd"]}),
        );
    }
    let mut seen = Vec::new();
    let mut path = "/api/memories?limit=2&tags=odd".to_owned();
    loop {
        let page = get(&server, &path).is(200).json();
        let memories = page["memories"].as_array().unwrap().clone();
        seen.extend(memories.into_iter().map(|m| m["content"].clone()));
        match page["next"].as_str() {
            Some(next) => path = format!("/api/memories?limit=2&tags=odd&cursor={next}"),
            None => break,
        }
    }
    let newest_first: Vec<Value> = (0..5)
        .rev()
        .map(|n| json!(format!("Thing number {n}.")))
        .collect();
    assert_eq!(seen, newest_first);
}

#[test]
fn sessions_projects_and_stats() {
    let home = Home::new();
    let server = Server::start(&home);
    let made = send(
        &server,
        "POST",
        "/api/sessions",
        &json!({"id": "s/1", "title": "Harbour"}),
    );
    let made = made.is(201);
    let read = server.get(made.header("location").unwrap()).is(200).json();
    assert_eq!(read, made.json());
    let renamed = send(
        &server,
        "PATCH",
        "/api/sessions/s%2F1",
        &json!({"title": "Port"}),
    );
    assert_eq!(renamed.is(200).json()["title"], "Port");
    send(
        &server,
        "PATCH",
        "/api/sessions/none",
        &json!({"title": "Port"}),
    )
    .is(404);
    keep(
        &server,
        &json!({"prompt": "Is the tide in?", "reply": "Not yet.", "session": "s/1"}),
    );
    let sessions = get(&server, "/api/sessions").is(200).json();
    assert_eq!(sessions["sessions"][0]["memories"], 1);

    let projects = server.get("/api/projects").is(200).json();
    assert_eq!(
        projects,
        json!({"projects": [{"key": PROJECT, "name": "shop", "memories": 1}]})
    );
    let stats = get(&server, "/api/stats").is(200).json();
    assert_eq!(
        stats["memories"],
        json!({"turn": 1, "note": 0, "summary": 0})
    );
    assert_eq!(stats["sessions"], 1);
}

#[test]
fn the_description_is_served_and_metrics_name_templates() {
    let home = Home::new();
    let server = Server::start(&home);
    let document = server.get("/api/openapi.json").is(200).json();
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["paths"]["/api/memories/{id}"]["put"].is_object());
    let head = server.ask(&Ask::new("HEAD", "/api/openapi.json"));
    assert_eq!(head.is(200).text(), "");
    server.get("/api/memories/x?scope=all").is(404);
    let metrics = server.get("/metrics").is(200);
    let line =
        "sage_http_requests_total{route=\"/api/memories/{id}\",method=\"GET\",status=\"404\"} 1";
    assert!(metrics.text().contains(line), "{}", metrics.text());
}
