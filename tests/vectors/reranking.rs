//! A model that puts the best in order, and what happens without it.

use serde_json::{Value, json};

use super::{found, remember, search, whatever_it_does};
use crate::harness::{Ask, Embedder, Home, KEY, Mood, Server, eventually, finish, on_every_store};

/// By words the first is the better answer to [`QUERY`], by meaning the second.
const BARRIER: &str = "The barrier of the car park is broken";
const YARD: &str =
    "A car stands in the yard: the automobile is defective, faulty, a vehicle no more";
const QUERY: &str = "broken car";

fn serve(home: &Home, reranker: &Embedder, more: &[(&str, &str)]) -> Server {
    let url = reranker.url();
    let own = [
        ("SAGE_RERANK_URL", url.as_str()),
        ("SAGE_RERANK_MODEL", "order"),
        ("SAGE_RERANK_KEY", KEY),
    ];
    let all: Vec<(&str, &str)> = own.into_iter().chain(more.iter().copied()).collect();
    Server::with(home, &all)
}

fn reranking(server: &Server) -> Value {
    server.get("/health/detailed").json()["reranking"].clone()
}

on_every_store!(the_best_are_put_in_order);
fn the_best_are_put_in_order(home: Home) {
    let plain = Server::start(&home);
    for text in [BARRIER, YARD, "The release train leaves on Thursdays"] {
        remember(&plain, text);
    }
    assert_eq!(found(&plain, QUERY), [BARRIER, YARD]);
    assert_eq!(reranking(&plain), json!(null));
    plain.end();

    let reranker = Embedder::start(64);
    let server = serve(&home, &reranker, &[]);
    assert_eq!(
        reranker.requests().len(),
        0,
        "nobody asked for anything yet"
    );
    let answer = search(&server, QUERY);
    assert_eq!(answer["degraded"], json!(null));
    assert_eq!(answer["hits"][0]["memory"]["content"], json!(YARD));
    assert_eq!(answer["hits"][0]["score"], json!(1.0), "the best of these");
    let asked = reranker.requests().remove(0);
    assert_eq!(asked.path, "/v1/rerank");
    assert_eq!(
        (asked.query.as_deref(), asked.model.as_str()),
        (Some(QUERY), "order")
    );
    assert_eq!(asked.texts, [BARRIER, YARD]);
    assert_eq!(asked.headers["authorization"], format!("Bearer {KEY}"));

    let context = server.tool("get_context", json!({"query": QUERY}));
    let places = [YARD, BARRIER].map(|text| context.find(text).unwrap());
    assert!(places.is_sorted(), "{context}");
    let status = reranking(&server);
    assert_eq!(status["circuit"], json!("closed"));
    assert_eq!(status["requests_answered"], json!(2));
    assert_eq!(status["tokens_today"], json!(22));
    let metrics = server.get("/metrics").text().to_owned();
    assert!(
        metrics.contains("sage_rerank_requests_total{outcome=\"answered\"} 2"),
        "{metrics}"
    );

    let count = reranker.requests().len();
    assert_eq!(found(&server, "release train").len(), 1);
    assert_eq!(reranker.requests().len(), count, "one hit has no order");
}

on_every_store!(pages_are_cut_from_one_order);
fn pages_are_cut_from_one_order(home: Home) {
    let reranker = Embedder::start(64);
    let server = serve(&home, &reranker, &[]);
    for number in 0..60 {
        let faults = " faulty".repeat(number % 7);
        remember(&server, &format!("Car number {number} is broken{faults}"));
    }
    let page = |limit: usize, cursor: Option<&str>| {
        let cursor = cursor.map_or(String::new(), |cursor| format!("&cursor={cursor}"));
        let path =
            format!("/api/search?query=broken%20car&project=acme/shop&limit={limit}{cursor}");
        server.ask(&Ask::get(&path)).is(200).json()
    };
    let ids = |answer: &Value| {
        let hits = answer["hits"].as_array().unwrap().iter();
        hits.map(|hit| hit["memory"]["id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let whole = ids(&page(60, None));
    let mut seen = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let answer = page(7, cursor.as_deref());
        seen.extend(ids(&answer));
        cursor = answer["next"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, whole);
    assert_eq!(whole.len(), 60);
}

on_every_store!(without_an_answer_the_order_is_that_of_the_ranking);
fn without_an_answer_the_order_is_that_of_the_ranking(home: Home) {
    whatever_it_does(&home, &[Mood::TooFew], does_without);
}

fn does_without(home: &Home, mood: &Mood) {
    let reranker = Embedder::start(64);
    let server = serve(home, &reranker, &[("SAGE_RERANK_TIMEOUT", "400")]);
    remember(&server, BARRIER);
    remember(&server, YARD);
    reranker.be(mood.clone());
    let answer = search(&server, QUERY);
    assert_eq!(
        answer["hits"][0]["memory"]["content"],
        json!(BARRIER),
        "{mood:?}"
    );
    assert_eq!(answer["hits"].as_array().unwrap().len(), 2, "{mood:?}");
    assert!(answer["degraded"].is_string(), "{mood:?}: {answer}");
    let problem = eventually("a problem in the status", || {
        reranking(&server)["problem"].as_str().map(str::to_owned)
    });
    assert!(problem.contains("reranking service"), "{problem}");
    let status = server.tool("get_status", json!({}));
    assert!(status.contains("PROBLEM: "), "{status}");

    reranker.be(Mood::Well);
    eventually("the model's order again", || {
        (found(&server, QUERY)[0] == YARD).then_some(())
    });
    assert_eq!(reranking(&server)["problem"], json!(null));
    let told = format!("{problem} {status} {answer} {:?}", server.end().lines);
    assert!(!told.contains(KEY), "{told}");
}

#[test]
fn a_service_that_is_left_alone_is_asked_again_once_somebody_says_so() {
    let home = Home::new();
    let reranker = Embedder::start(64);
    let server = serve(&home, &reranker, &[]);
    remember(&server, BARRIER);
    remember(&server, YARD);
    let leave_alone = || {
        reranker.be(Mood::Status(500, None));
        eventually("the service to be left alone", || {
            found(&server, QUERY);
            (reranking(&server)["circuit"] == json!("open")).then_some(())
        });
        reranker.be(Mood::Well);
    };
    let url = format!("http://{}", server.address());
    let reset = || {
        let mut command = home.command(["doctor", "--reset-circuits"]);
        finish(command.env("SAGE_SERVER", &url)).stdout
    };

    leave_alone();
    let told = reset();
    assert!(
        told.contains("to be asked again: reranking service"),
        "{told}"
    );
    assert_eq!(found(&server, QUERY)[0], YARD);
    assert!(reset().contains("nothing was left alone"));

    leave_alone();
    let told = server.tool("reset_circuit_breaker", json!({}));
    assert!(told.contains("again: reranking service"), "{told}");
    assert_eq!(found(&server, QUERY)[0], YARD);
}

#[test]
fn without_a_server_there_is_no_circuit_to_reset() {
    let home = Home::new();
    let mut command = home.command(["doctor", "--reset-circuits"]);
    let finished = finish(command.env("SAGE_SERVER", "http://127.0.0.1:9"));
    assert_eq!(finished.code, 1);
    assert!(
        finished.stdout.contains("nobody answers"),
        "{}",
        finished.stdout
    );
}
