//! The JSON API, through the real server.

mod memories;
mod reading;

use serde_json::{Value, json};

use crate::harness::{Ask, Reply, Server};

/// Where the tests keep things.
const PROJECT: &str = "acme/shop";

/// Sends a body with any method.
fn send(server: &Server, method: &str, path: &str, body: &Value) -> Reply {
    let ask = Ask::new(method, path)
        .header("Content-Type", "application/json")
        .header("Sage-Project", PROJECT)
        .body(body.to_string());
    server.ask(&ask)
}

/// Asks from where the tests keep things.
fn get(server: &Server, path: &str) -> Reply {
    server.ask(&Ask::get(path).header("Sage-Project", PROJECT))
}

/// Keeps something new and returns its id.
#[track_caller]
fn keep(server: &Server, body: &Value) -> String {
    let reply = send(server, "POST", "/api/memories", body).is(201);
    id_of(&reply.json()["memory"])
}

fn id_of(memory: &Value) -> String {
    memory["id"].as_str().unwrap().to_owned()
}

#[track_caller]
fn note(server: &Server, text: &str) -> String {
    keep(server, &json!({ "content": text }))
}
