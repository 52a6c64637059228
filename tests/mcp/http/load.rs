//! Many callers at once, and callers who go away.

use std::collections::HashSet;

use rusqlite::Connection as Database;
use serde_json::{Value, json};

use super::{Http, message, modern_message};
use crate::harness::{Connection, Era, Home, Server, eventually};
use crate::mcp::{ERAS, NEWEST_LEGACY, id_in};

const CLIENTS: usize = 64;
const NOTES_EACH: usize = 3;

/// Requests beyond those that may use the store at the same time.
const MORE_THAN_WORK_AT_ONCE: usize = 12;

/// The value of a metric without labels.
fn metric(server: &Server, name: &str) -> usize {
    let page = server.get("/metrics").is(200);
    let line = page
        .text()
        .lines()
        .find(|line| line.starts_with(&format!("{name} ")));
    let value = line
        .unwrap_or_else(|| panic!("no {name}"))
        .rsplit(' ')
        .next();
    value.unwrap().parse().unwrap()
}

#[test]
fn many_clients_at_once_lose_and_double_nothing() {
    let home = Home::in_memory();
    let server = Server::start(&home);
    let ids: Vec<String> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|n| {
                let server = &server;
                scope.spawn(move || visit(server, n))
            })
            .collect();
        let ids = clients
            .into_iter()
            .flat_map(|client| client.join().unwrap());
        ids.collect()
    });
    assert_eq!(
        ids.iter().collect::<HashSet<_>>().len(),
        CLIENTS * NOTES_EACH
    );

    let db = Database::open(home.database()).unwrap();
    let mut rows = db.prepare("SELECT content FROM memory").unwrap();
    let contents: Vec<String> = rows
        .query_map([], |row| row.get(0))
        .unwrap()
        .flatten()
        .collect();
    let distinct: HashSet<_> = contents.iter().collect();
    assert_eq!(
        contents.len(),
        CLIENTS * NOTES_EACH + 1,
        "and what all of them said"
    );
    assert_eq!(distinct.len(), contents.len());
    let mut client = Http::in_shop(&server, Era::Modern);
    for n in 0..CLIENTS {
        let found = client.tool("search_memory", json!({"query": format!("keeper{n}x")}));
        assert!(found.contains(&format!("keeper{n}x wrote")), "{found}");
    }
}

/// What one of them does; every second one has a session. Returns the ids of its own notes.
fn visit(server: &Server, n: usize) -> Vec<String> {
    let headers = [("Sage-Project", "acme/shop"), ("Sage-Session", "shared")];
    let mut client = Http::start(server, ERAS[n % ERAS.len()], &headers);
    let mut ids = Vec::new();
    for note in 0..NOTES_EACH {
        let content = format!("Lighthouse keeper{n}x wrote entry{note}y into the log.");
        ids.push(id_in(&client.tool("remember", json!({"content": content}))));
        let query = json!({"query": format!("keeper{n}x entry{note}y")});
        let found = client.tool("search_memory", query);
        assert!(found.contains(&content), "{found}");
    }
    client.tool(
        "remember",
        json!({"content": "The same words in the same session."}),
    );
    ids
}

/// A store that nobody else can write to until the connection is dropped.
fn locked(server: &Server, home: &Home) -> Database {
    let mut client = Http::in_shop(server, Era::Modern);
    client.tool(
        "remember",
        json!({"content": "The first memory makes the store."}),
    );
    let lock = Database::open(home.database()).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    lock
}

/// Sends a body on a connection of its own and hangs up while the server works on it.
fn say_and_hang_up(client: &Http<'_>, body: &Value) {
    let mut connection: Connection = client.server.connect();
    connection.send(&client.ask(&body.to_string()).bytes());
    let server = client.server;
    let in_progress = || metric(server, "sage_requests_in_progress");
    eventually("the request to arrive", || {
        (in_progress() == 1).then_some(())
    });
    drop(connection);
    eventually("the server to notice", || {
        (in_progress() == 0).then_some(())
    });
}

fn remember(content: &str) -> Value {
    json!({"name": "remember", "arguments": {"content": content}})
}

#[test]
fn legacy_clients_that_go_away_have_said_what_they_said() {
    let home = Home::new();
    let server = Server::start(&home);
    let client = Http::in_shop(&server, NEWEST_LEGACY);
    let lock = locked(&server, &home);
    // Some are in the store already, the others still wait for their turn.
    for n in 0..MORE_THAN_WORK_AT_ONCE {
        let params = remember(&format!("Somebody said number{n}z and hung up."));
        say_and_hang_up(&client, &message(7, "tools/call", params));
    }
    drop(lock);
    let mut reader = Http::in_shop(&server, Era::Modern);
    for n in 0..MORE_THAN_WORK_AT_ONCE {
        let query = json!({"query": format!("somebody number{n}z")});
        eventually("the memory", || {
            let found = reader.tool("search_memory", query.clone());
            found.contains(&format!("number{n}z and")).then_some(())
        });
    }
}

/// Whether its own request is done is open. That of others is.
#[test]
fn a_modern_client_that_goes_away_holds_nobody_up() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut client = Http::in_shop(&server, Era::Modern);
    let lock = locked(&server, &home);
    for n in 0..MORE_THAN_WORK_AT_ONCE {
        let params = remember(&format!("Hung up number {n}."));
        say_and_hang_up(&client, &modern_message(7, "tools/call", params));
    }
    let found = client.tool("search_memory", json!({"query": "first memory store"}));
    assert!(found.contains("makes the store"), "{found}");
    drop(lock);
    let kept = client.tool(
        "remember",
        json!({"content": "Said by somebody who stayed."}),
    );
    let text = client.tool("get_memory", json!({"ids": [id_in(&kept)]}));
    assert!(text.contains("who stayed"), "{text}");
}
