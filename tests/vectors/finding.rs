//! What vectors find that words do not.

use serde_json::json;

use super::{OTHERS, all_made, found, remember, search, serve, vectors};
use crate::harness::{Embedder, Home, Server, embed, on_every_store};

on_every_store!(another_word_for_the_same_is_found);
fn another_word_for_the_same_is_found(home: Home) {
    let embedder = Embedder::start(256);
    let server = serve(&home, &embedder, &[]);
    let wanted = "The blue car is broken since Monday";
    OTHERS.iter().for_each(|text| remember(&server, text));
    remember(&server, wanted);
    all_made(&server);
    assert_eq!(found(&server, "defective automobile")[0], wanted);
    assert_eq!(found(&server, "faulty 汽车")[0], wanted);
    assert_eq!(
        search(&server, "faulty automobile")["degraded"],
        json!(null)
    );
    let context = server.tool("get_context", json!({"query": "defective automobile"}));
    assert!(context.contains(wanted), "{context}");
    let silent = search(&server, "quantum entanglement experiment");
    assert_eq!(silent["hits"], json!([]), "nothing is near that");
    assert!(silent["silence"].is_string());

    // The built-in table finds nothing by itself in the same language.
    let plain = Server::start(&home);
    assert_eq!(found(&plain, "defective automobile"), Vec::<String>::new());
    assert_eq!(vectors(&plain)["model"], json!("builtin-2"));
}

on_every_store!(what_is_forgotten_or_replaced_is_not_near_any_more);
fn what_is_forgotten_or_replaced_is_not_near_any_more(home: Home) {
    let embedder = Embedder::start(128);
    let server = serve(&home, &embedder, &[]);
    OTHERS.iter().for_each(|text| remember(&server, text));
    let first = json!({"content": "A broken car stands in yard five", "key": "yard"});
    server.tool("remember", first);
    all_made(&server);
    let broken = found(&server, "defective automobile");
    assert!(broken[0].contains("broken car"), "{broken:?}");

    let second = json!({"content": "The doctor left", "key": "yard"});
    server.tool("remember", second);
    all_made(&server);
    assert!(found(&server, "defective automobile").is_empty());
    assert_eq!(found(&server, "physician")[0], "The doctor left");

    let found = search(&server, "physician");
    let id = found["hits"][0]["memory"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let gone = home.json(["forget", "--yes", "--all", "--json", &id])["forgotten"].clone();
    let counts = (&gone["memories"], &gone["passages"], &gone["vectors"]);
    // That of the service, and that of the built-in table.
    assert_eq!(counts, (&json!(2), &json!(1), &json!(2)));
    assert!(super::found(&server, "physician").is_empty());
    if let Some(database) = home.postgres() {
        let count = OTHERS.len().to_string();
        let of_each = "SELECT DISTINCT count(*) FROM embedding GROUP BY model_id";
        assert_eq!(database.sql(of_each), count);
        assert_eq!(database.sql("SELECT count(*) FROM pending"), "0");
    }
}

on_every_store!(the_same_words_are_paid_for_once);
fn the_same_words_are_paid_for_once(home: Home) {
    let embedder = Embedder::start(64);
    let server = serve(&home, &embedder, &[("SAGE_EMBED_DIMS", "64")]);
    for project in ["acme/shop", "acme/till", "acme/bank"] {
        home.ok([
            "remember",
            "--project",
            project,
            "The very same words everywhere",
        ]);
    }
    remember(&server, "Something that wakes the server up");
    all_made(&server);
    let texts = embedder.texts();
    let same = texts
        .iter()
        .filter(|text| text.contains("very same"))
        .count();
    assert_eq!(same, 1, "{texts:?}");
    home.ok([
        "remember",
        "--project",
        "acme/late",
        "The very same words everywhere",
    ]);
    remember(&server, "Something else that wakes it up");
    all_made(&server);
    let texts = embedder.texts();
    assert_eq!(
        texts
            .iter()
            .filter(|text| text.contains("very same"))
            .count(),
        1
    );
    let request = embedder.requests().remove(0);
    assert_eq!(request.dimensions, Some(64));
    let key = format!("Bearer {}", crate::harness::KEY);
    assert_eq!(request.headers["authorization"], key);
}

on_every_store!(filters_and_projects_hold_for_vectors_too);
fn filters_and_projects_hold_for_vectors_too(home: Home) {
    let embedder = Embedder::start(128);
    let server = serve(&home, &embedder, &[]);
    let variables = embedder.variables();
    OTHERS.iter().for_each(|text| remember(&server, text));
    for (project, tag, text) in [
        ("acme/shop", "red", "The red car is broken"),
        ("acme/shop", "blue", "The blue car is broken"),
        ("acme/bank", "red", "Secret car broken"),
    ] {
        home.ok(["remember", "--project", project, "--tag", tag, text]);
    }
    remember(&server, "Something that wakes the server up");
    all_made(&server);
    let run = |args: &[&str]| {
        let mut command = home.command(["search", "--json"]);
        command.args(args).arg("faulty automobile");
        command.envs(variables.iter().cloned());
        let output = command.output().unwrap();
        let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let hits = found["hits"].as_array().unwrap().iter();
        hits.map(|hit| hit["content"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let shop = run(&["--project", "acme/shop"]);
    assert!(
        shop[0].contains("car") && shop[1].contains("car"),
        "{shop:?}"
    );
    assert!(!shop.iter().any(|text| text.contains("Secret")), "{shop:?}");
    assert_eq!(
        run(&["--project", "acme/shop", "--tag", "blue"]),
        ["The blue car is broken"]
    );
    assert_eq!(run(&["--all", "--tag", "red"]).len(), 2);
    assert_eq!(run(&["--project", "acme/bank"]), ["Secret car broken"]);
}

#[test]
fn without_a_model_nothing_is_sent_and_nothing_changes() {
    let embedder = Embedder::start(64);
    let home = Home::new();
    let url = embedder.url();
    // The key alone says nothing about where text may go.
    let server = Server::with(&home, &[("SILICONFLOW_API_KEY", "sk-provider")]);
    remember(&server, "The blue car is broken since Monday");
    assert_eq!(found(&server, "blue car").len(), 1);
    drop(server);
    // A provider's key goes to the provider and nowhere else.
    let server = Server::with(
        &home,
        &[
            ("SAGE_PROVIDER", "siliconflow"),
            ("SILICONFLOW_API_KEY", "sk-provider"),
            ("SAGE_EMBED_URL", &url),
        ],
    );
    all_made(&server);
    let requests = embedder.requests();
    assert!(
        requests
            .iter()
            .all(|request| !request.headers.contains_key("authorization"))
    );
    assert_eq!(requests[0].model, "BAAI/bge-m3");
    let shown = home.ok(["config"]);
    assert!(!shown.contains("sk-provider"));
}

#[test]
fn connections_are_kept_and_texts_sent_in_batches() {
    let embedder = Embedder::start(32);
    let home = Home::new();
    for number in 0..100 {
        let text = format!("Memory number {number} is about subject {}", number * 7);
        home.ok(["remember", "--project", "acme/shop", &text]);
    }
    let server = serve(&home, &embedder, &[]);
    all_made(&server);
    let requests = embedder.requests();
    assert!(requests.len() <= 8, "{} requests", requests.len());
    assert!(requests.iter().all(|request| request.texts.len() <= 32));
    let connections = requests.iter().map(|request| request.connection).max();
    assert!(connections < Some(3), "{connections:?}");
    assert_eq!(vectors(&server)["dimension"], json!(32));
    let metrics = server.get("/metrics");
    assert!(
        metrics
            .text()
            .contains("sage_embed_circuit{state=\"closed\"} 1")
    );
    assert!(metrics.text().contains("sage_vectors_waiting 0"));
}

#[test]
fn both_stores_give_the_same_answers() {
    let name = "vectors::finding::both_stores_give_the_same_answers";
    let queries = [
        "report 10 about the automobile of yard 3",
        "the staging cluster runs in Frankfurt",
        "report 6 about the physician of yard 6",
        "request number and tenant",
        "nothing of the kind",
    ];
    let answers = |home: &Home| {
        let embedder = Embedder::start(192);
        let server = serve(home, &embedder, &[]);
        OTHERS.iter().for_each(|text| remember(&server, text));
        for number in 0..60 {
            let subject = ["car", "doctor", "house", "payment", "broken"][number % 5];
            remember(
                &server,
                &format!("Report {number} about the {subject} of yard {}", number % 7),
            );
        }
        all_made(&server);
        let answers = queries.iter().map(|query| {
            let found = search(&server, query);
            let hits = found["hits"].as_array().unwrap().iter();
            hits.map(|hit| format!("{} {}", hit["score"], hit["memory"]["content"]))
                .collect::<Vec<_>>()
        });
        answers.collect::<Vec<_>>()
    };
    let embedded = answers(&Home::new());
    assert!(embedded[..4].iter().all(|found| !found.is_empty()));
    crate::harness::on_postgres(name, |database| {
        assert_eq!(answers(&Home::on(database)), embedded);
    });
}

#[test]
fn the_model_of_the_tests_knows_meanings() {
    let cosine = |a: &str, b: &str| {
        let (a, b) = (embed(a, "m", 512), embed(b, "m", 512));
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt()
    };
    assert!(cosine("broken car", "defective automobile") > 0.99);
    assert!(cosine("broken car", "release train").abs() < 0.2);
}
