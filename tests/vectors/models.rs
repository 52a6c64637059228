//! Several models, several servers, and `sage reindex`.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::{OTHERS, all_made, found, remember, serve, vectors};
use crate::harness::{Embedder, Home, Mood, finish, on_every_store};

const WANTED: &str = "The blue car is broken since Monday";

on_every_store!(a_former_model_answers_until_the_new_one_can);
fn a_former_model_answers_until_the_new_one_can(home: Home) {
    let embedder = Embedder::start(96);
    let server = serve(&home, &embedder, &[]);
    OTHERS.iter().for_each(|text| remember(&server, text));
    remember(&server, WANTED);
    all_made(&server);
    drop(server);

    embedder.be(Mood::Only(&["words"]));
    let new = [("SAGE_EMBED_MODEL", "meanings"), ("SAGE_EMBED_DIMS", "96")];
    let server = serve(&home, &embedder, &new);
    let before = embedder.requests().len();
    embedder.is_asked(before);
    assert_eq!(found(&server, "defective automobile")[0], WANTED);
    assert!(vectors(&server)["passages_waiting"].as_u64() > Some(10));

    embedder.be(Mood::Well);
    all_made(&server);
    assert_eq!(found(&server, "faulty vehicle")[0], WANTED);
    let asked = embedder.requests();
    let last = asked
        .iter()
        .rfind(|request| request.texts == ["faulty vehicle"]);
    assert_eq!(last.unwrap().model, "meanings");
    drop(server);

    let pruned = reindex(&home, &embedder, &new, &["--prune", "--json"]);
    assert_eq!(pruned, json!({"made": 0, "pruned": 1}));
    let server = serve(&home, &embedder, &new);
    assert_eq!(found(&server, "faulty automobile")[0], WANTED);
}

fn reindex(home: &Home, embedder: &Embedder, more: &[(&str, &str)], args: &[&str]) -> Value {
    let mut command = home.command(["reindex"]);
    command.args(args).envs(embedder.variables());
    command.envs(more.iter().copied());
    let finished = finish(&mut command);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    serde_json::from_str(&finished.stdout).unwrap()
}

on_every_store!(reindex_makes_what_is_missing_and_goes_on_after_a_failure);
fn reindex_makes_what_is_missing_and_goes_on_after_a_failure(home: Home) {
    let embedder = Embedder::start(64);
    let run = |home: &Home| {
        let mut command = home.command(["reindex"]);
        command
            .envs(embedder.variables())
            .env("SAGE_EMBED_TIMEOUT", "500");
        finish(&mut command)
    };
    for text in OTHERS {
        home.ok(["remember", "--project", "acme/shop", text]);
    }
    embedder.be(Mood::Status(401, None));
    let failed = run(&home);
    assert_eq!(failed.code, 1);
    assert!(
        failed.stderr.contains("SAGE_EMBED_KEY"),
        "{}",
        failed.stderr
    );
    embedder.be(Mood::Well);
    let done = run(&home);
    assert_eq!((done.code, done.stdout.as_str()), (0, "12 vectors made\n"));
    assert_eq!(run(&home).stdout, "0 vectors made\n");
    // Without a service there is the built-in model, whose vectors come with the memories.
    assert_eq!(home.ok(["reindex"]), "0 vectors made\n");
}

on_every_store!(of_several_servers_one_makes_each_vector);
fn of_several_servers_one_makes_each_vector(home: Home) {
    let embedder = Embedder::start(32);
    let servers: Vec<_> = (0..3)
        .map(|_| serve(&home, &embedder, &[("SAGE_EMBED_DIMS", "32")]))
        .collect();
    std::thread::scope(|scope| {
        for (number, server) in servers.iter().enumerate() {
            scope.spawn(move || {
                for count in 0..40 {
                    remember(
                        server,
                        &format!("Server {number} was told that event {count} came"),
                    );
                }
            });
        }
    });
    servers.iter().for_each(all_made);
    let texts = embedder.texts();
    let different: HashSet<&String> = texts.iter().collect();
    assert_eq!((texts.len(), different.len()), (120, 120));
    assert_eq!(
        found(&servers[0], "event 7")[0].matches("event 7").count(),
        1
    );
}

/// A stdio process has nobody beside it that would make vectors.
#[test]
fn a_process_over_stdio_makes_vectors_too() {
    let embedder = Embedder::start(32);
    let home = Home::new();
    let mut command = home.command(["mcp", "--project", "acme/shop"]);
    command.envs(embedder.variables());
    let ask = |name: &str, arguments: Value| {
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
            "name": name, "arguments": arguments, "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {}}}})
    };
    command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let line = ask("remember", json!({"content": WANTED})).to_string() + "\n";
    std::io::Write::write_all(&mut stdin, line.as_bytes()).unwrap();
    crate::harness::eventually("a request for vectors", || {
        embedder
            .texts()
            .iter()
            .any(|text| text == WANTED)
            .then_some(())
    });
    drop(stdin);
    assert!(child.wait().unwrap().success());
}
