//! Contexts from which a model leaves out what the question does not need.

use serde_json::{Value, json};

use super::{remember, whatever_it_does};
use crate::harness::{Ask, Embedder, Home, KEY, Mood, Server, finish, on_every_store};

const QUERY: &str = "gateway";
const TOKENS: u64 = 400;
const NOTES: usize = 30;

/// A note of which one sentence is about [`QUERY`].
fn note(number: usize) -> String {
    format!(
        "Minutes of meeting {number}: the coffee machine on floor {number} is out of order again. \
         Somebody wants to repaint the hall, and nobody objects to that. \
         The gateway of team {number} listens on port {}. \
         The summer party takes place beside the lake, if the weather allows it.",
        7000 + number
    )
}

fn serve(home: &Home, chat: &Embedder, more: &[(&str, &str)]) -> Server {
    let url = chat.url();
    let own = [
        ("SAGE_CHAT_URL", url.as_str()),
        ("SAGE_CHAT_MODEL", "choice"),
        ("SAGE_CHAT_KEY", KEY),
    ];
    let all: Vec<(&str, &str)> = own.into_iter().chain(more.iter().copied()).collect();
    Server::with(home, &all)
}

fn context(server: &Server, tokens: u64, condense: bool) -> Value {
    let path = format!(
        "/api/context?query={QUERY}&project=acme/shop&max_tokens={tokens}&condense={condense}"
    );
    server.ask(&Ask::get(&path)).is(200).json()
}

fn count(context: &Value) -> usize {
    context["memories"].as_array().unwrap().len()
}

fn condensing(server: &Server) -> Value {
    server.get("/health/detailed").json()["condensing"].clone()
}

on_every_store!(more_fits_into_a_condensed_context);
fn more_fits_into_a_condensed_context(home: Home) {
    let chat = Embedder::start(64);
    let server = serve(&home, &chat, &[]);
    for number in 0..NOTES {
        remember(&server, &note(number));
    }
    let whole = context(&server, TOKENS, false);
    assert_eq!(chat.requests().len(), 0, "nobody asked for it");

    let condensed = context(&server, TOKENS, true);
    assert_eq!(condensed["degraded"], json!(null));
    assert!(count(&condensed) >= 2 * count(&whole), "{condensed}");
    assert!(condensed["tokens"].as_u64().unwrap() <= TOKENS);
    let text = condensed["text"].as_str().unwrap();
    assert_eq!(
        text.matches("The gateway of team").count(),
        count(&condensed)
    );
    assert!(
        !text.contains("coffee") && !text.contains("party"),
        "{text}"
    );
    let said = text.lines().filter(|line| line.contains("gateway"));
    for line in said {
        let sentence = line.trim_start_matches(" … ");
        assert!(
            (0..NOTES).any(|number| note(number).contains(sentence)),
            "{line}"
        );
    }

    let asked = chat.requests().remove(0);
    assert_eq!(
        (asked.path.as_str(), asked.model.as_str()),
        ("/v1/chat/completions", "choice")
    );
    assert_eq!(asked.query.as_deref(), Some(QUERY));
    assert_eq!(asked.headers["authorization"], format!("Bearer {KEY}"));
    assert_eq!(condensing(&server)["requests_answered"], json!(1));
    assert_eq!(condensing(&server)["tokens_today"], json!(13));
    let metrics = server.get("/metrics").text().to_owned();
    let answered = "sage_chat_requests_total{outcome=\"answered\"} 1";
    assert!(metrics.contains(answered), "{metrics}");
    assert!(
        server
            .tool("get_status", json!({}))
            .contains("condensing: choice, circuit closed")
    );

    let arguments = json!({"query": QUERY, "max_tokens": TOKENS, "condense": true});
    let told = server.tool("get_context", arguments);
    assert!(
        told.contains("gateway") && !told.contains("coffee"),
        "{told}"
    );
    let requests = chat.requests().len();
    context(&server, 20_000, true);
    assert_eq!(chat.requests().len(), requests, "everything fits");
}

on_every_store!(without_an_answer_a_context_is_whole);
fn without_an_answer_a_context_is_whole(home: Home) {
    whatever_it_does(&home, &[], does_without);
}

fn does_without(home: &Home, mood: &Mood) {
    let chat = Embedder::start(64);
    let server = serve(home, &chat, &[("SAGE_CHAT_TIMEOUT", "400")]);
    for number in 0..12 {
        remember(&server, &note(number));
    }
    let whole = context(&server, TOKENS, false);
    chat.be(mood.clone());
    let answer = context(&server, TOKENS, true);
    assert_eq!(answer["text"], whole["text"], "{mood:?}");
    let why = answer["degraded"].as_str().unwrap_or_default();
    assert!(why.contains("chat service"), "{mood:?}: {answer}");
    let arguments = json!({"query": QUERY, "max_tokens": TOKENS, "condense": true});
    let told = server.tool("get_context", arguments);
    assert!(told.contains("\nDegraded: "), "{mood:?}: {told}");
    let told = format!("{answer} {told} {:?}", server.end().lines);
    assert!(!told.contains(KEY), "{told}");
}

#[test]
fn whoever_has_no_model_is_told_what_is_missing() {
    let home = Home::new();
    for number in 0..12 {
        finish(&mut home.command(["remember", &note(number), "--project", "acme/shop"]));
    }
    let arguments = [
        "context",
        QUERY,
        "--tokens",
        "400",
        "--condense",
        "--project",
        "acme/shop",
    ];
    let told = finish(&mut home.command(arguments));
    assert_eq!(told.code, 0, "{}", told.stderr);
    assert!(
        told.stderr.contains("SAGE_CHAT_URL is not set"),
        "{}",
        told.stderr
    );
    assert!(told.stdout.contains("coffee machine"), "{}", told.stdout);
}
