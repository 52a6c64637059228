//! A service that fails costs nothing but the vectors, and those only until it is well again.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use super::{OTHERS, all_made, found, remember, search, serve, vectors, whatever_it_does};
use crate::harness::{Embedder, Home, KEY, Mood, eventually, finish, on_every_store, skipped};

const WANTED: &str = "The blue car is broken since Monday";

on_every_store!(nothing_is_lost_whatever_the_service_does);
fn nothing_is_lost_whatever_the_service_does(home: Home) {
    whatever_it_does(
        &home,
        &[
            Mood::Status(302, None),
            Mood::Dimension(65),
            Mood::TooFew,
            Mood::Zeros,
        ],
        survives,
    );
}

fn survives(home: &Home, mood: &Mood) {
    let embedder = Embedder::start(64);
    let server = serve(home, &embedder, &[("SAGE_EMBED_TIMEOUT", "400")]);
    OTHERS.iter().for_each(|text| remember(&server, text));
    all_made(&server);

    embedder.be(mood.clone());
    let asked = embedder.requests().len();
    remember(&server, WANTED);
    embedder.is_asked(asked);
    let begin = Instant::now();
    let answer = search(&server, "blue car");
    assert!(begin.elapsed() < Duration::from_secs(10), "{mood:?}");
    assert_eq!(
        answer["hits"][0]["memory"]["content"],
        json!(WANTED),
        "{mood:?}"
    );
    assert!(answer["degraded"].is_string(), "{mood:?}: {answer}");
    let problem = eventually("a problem in the status", || {
        let vectors = vectors(&server);
        vectors["problem"].as_str().map(str::to_owned)
    });
    let status = server.tool("get_status", json!({}));
    assert!(
        status.contains("PROBLEM: ") && status.contains("1 passage waits"),
        "{status}"
    );

    embedder.be(Mood::Well);
    all_made(&server);
    assert_eq!(
        found(&server, "defective automobile")[0],
        WANTED,
        "{mood:?}"
    );
    eventually("no problem", || {
        (vectors(&server)["problem"] == json!(null)).then_some(())
    });
    assert_eq!(vectors(&server)["circuit"], json!("closed"));
    let told = format!("{problem} {status} {answer} {:?}", server.end().lines);
    assert!(!told.contains(KEY), "{told}");
}

#[test]
fn a_service_that_says_when_is_asked_then() {
    let embedder = Embedder::start(64);
    embedder.be(Mood::Status(429, Some(3)));
    let home = Home::new();
    let server = serve(&home, &embedder, &[]);
    remember(&server, WANTED);
    embedder.is_asked(1);
    let requests = embedder.requests();
    let pause = requests[1].at.duration_since(requests[0].at);
    assert!(pause >= Duration::from_millis(2_900), "{pause:?}");
    embedder.be(Mood::Well);
    all_made(&server);
}

#[test]
fn a_service_that_answers_nobody_is_left_alone() {
    let embedder = Embedder::start(64);
    let home = Home::new();
    let server = serve(&home, &embedder, &[]);
    OTHERS.iter().for_each(|text| remember(&server, text));
    all_made(&server);
    embedder.be(Mood::Status(503, None));
    remember(&server, WANTED);
    eventually("an open circuit", || {
        (vectors(&server)["circuit"] == json!("open")).then_some(())
    });
    assert!(
        server
            .get("/metrics")
            .text()
            .contains("sage_embed_circuit{state=\"open\"} 1")
    );
    let answer = search(&server, "blue car in the yard");
    assert_eq!(answer["hits"][0]["memory"]["content"], json!(WANTED));
    assert!(
        answer["degraded"].as_str().unwrap().contains("503"),
        "{answer}"
    );
    embedder.be(Mood::Well);
    all_made(&server);
    assert_eq!(found(&server, "defective automobile")[0], WANTED);
}

#[test]
fn a_text_that_is_refused_holds_nobody_up() {
    let embedder = Embedder::start(64);
    embedder.be(Mood::Refusing("Frankfurt"));
    let home = Home::new();
    let server = serve(&home, &embedder, &[]);
    OTHERS.iter().for_each(|text| remember(&server, text));
    remember(&server, WANTED);
    eventually("all vectors but one", || {
        (vectors(&server)["passages_waiting"] == json!(1)).then_some(())
    });
    assert_eq!(found(&server, "defective automobile")[0], WANTED);
    assert_eq!(
        found(&server, "nodes in Frankfurt")[0],
        OTHERS[4],
        "found by its words"
    );
}

#[test]
fn a_budget_of_tokens_is_kept() {
    let embedder = Embedder::start(64);
    let home = Home::new();
    let more = [("SAGE_EMBED_DAILY_TOKENS", "20"), ("SAGE_EMBED_DIMS", "64")];
    let server = serve(&home, &embedder, &more);
    remember(&server, WANTED);
    all_made(&server);
    remember(
        &server,
        &"A long text that no budget of that size allows. ".repeat(4),
    );
    let problem = eventually("the end of the budget", || {
        vectors(&server)["problem"].as_str().map(str::to_owned)
    });
    assert!(problem.contains("SAGE_EMBED_DAILY_TOKENS"), "{problem}");
    assert_eq!(embedder.requests().len(), 1);
    assert_eq!(
        found(&server, "long text")[0].len(),
        191,
        "found by its words"
    );
    server.end();

    // The day goes on for the next process, and for others beside it.
    let server = serve(&home, &embedder, &more);
    for word in ["one two three four", "five six seven eight"] {
        found(&server, word);
    }
    let asked = embedder.requests().len();
    assert_eq!(
        asked, 3,
        "each came to seven tokens, whatever was estimated"
    );
    let mut search = home.command(["search", "nine ten eleven twelve"]);
    for (name, value) in embedder.variables() {
        search.env(name, value);
    }
    search.env("SAGE_EMBED_DAILY_TOKENS", "20");
    let told = finish(&mut search);
    assert!(told.stderr.contains("are used up"), "{}", told.stderr);
    assert_eq!(embedder.requests().len(), asked);
}

#[test]
fn an_encrypted_service_must_be_who_it_says() {
    let home = Home::new();
    let Some((embedder, authority)) = Embedder::start_tls(64, home.path()) else {
        let test = "vectors::failures::an_encrypted_service_must_be_who_it_says";
        return skipped(test, "there is no openssl to make certificates");
    };
    let server = serve(&home, &embedder, &[]);
    remember(&server, WANTED);
    let problem = eventually("a problem in the status", || {
        vectors(&server)["problem"].as_str().map(str::to_owned)
    });
    assert!(problem.contains("certificate"), "{problem}");
    assert!(
        embedder.requests().is_empty(),
        "nothing was said to a stranger"
    );
    drop(server);
    let authority = authority.to_str().unwrap();
    let server = serve(&home, &embedder, &[("SAGE_EMBED_CA_FILE", authority)]);
    all_made(&server);
    assert_eq!(search(&server, "blue car")["degraded"], json!(null));
}

#[test]
fn settings_that_cannot_work_are_told() {
    let home = Home::new();
    for (variables, part) in [
        (
            vec![("SAGE_EMBED_URL", "ftp://x/v1"), ("SAGE_EMBED_MODEL", "m")],
            "SAGE_EMBED_URL",
        ),
        (
            vec![
                ("SAGE_EMBED_URL", "http://u:p@x/v1"),
                ("SAGE_EMBED_MODEL", "m"),
            ],
            "SAGE_EMBED_URL",
        ),
        (
            vec![("SAGE_EMBED_URL", "http://localhost/v1")],
            "SAGE_EMBED_MODEL",
        ),
        (vec![("SAGE_EMBED_DIMS", "0")], "SAGE_EMBED_DIMS"),
        (vec![("SAGE_EMBED_TIMEOUT", "soon")], "SAGE_EMBED_TIMEOUT"),
        (
            vec![("SAGE_PROVIDER", "siliconflow")],
            "SILICONFLOW_API_KEY",
        ),
        (vec![("SAGE_PROVIDER", "acme")], "siliconflow"),
        (
            vec![("SAGE_EMBED_KEY", "a"), ("SAGE_EMBED_KEY_FILE", "b")],
            "SAGE_EMBED_KEY_FILE",
        ),
    ] {
        let mut command = home.command(["stats"]);
        command.envs(variables.iter().copied());
        let finished = crate::harness::finish(&mut command);
        assert_eq!(finished.code, 2, "{variables:?}");
        assert!(
            finished.stderr.contains(part),
            "{variables:?}: {}",
            finished.stderr
        );
    }
    // A file that is not there must not keep anybody from remembering.
    let embedder = Embedder::start(64);
    let url = embedder.url();
    let server = crate::harness::Server::with(
        &home,
        &[
            ("SAGE_EMBED_URL", &url),
            ("SAGE_EMBED_MODEL", "m"),
            ("SAGE_EMBED_KEY_FILE", "/nowhere/key"),
        ],
    );
    remember(&server, WANTED);
    assert_eq!(found(&server, "blue car")[0], WANTED);
    let problem = vectors(&server)["problem"].clone();
    assert!(
        problem.as_str().unwrap().contains("/nowhere/key"),
        "{problem}"
    );
    assert!(embedder.requests().is_empty());
}

on_every_store!(a_server_that_ends_gives_back_what_it_had_taken_on);
fn a_server_that_ends_gives_back_what_it_had_taken_on(home: Home) {
    let embedder = Embedder::start(64);
    let first = serve(&home, &embedder, &[("SAGE_EMBED_DIMS", "64")]);
    embedder.be(Mood::Slow(Duration::from_secs(8)));
    remember(&first, WANTED);
    embedder.is_asked(0);
    assert!(first.end().status.success());
    embedder.be(Mood::Well);
    let begin = Instant::now();
    let second = serve(&home, &embedder, &[("SAGE_EMBED_DIMS", "64")]);
    all_made(&second);
    assert!(
        begin.elapsed() < Duration::from_secs(20),
        "{:?}",
        begin.elapsed()
    );
}

on_every_store!(what_a_killed_server_had_taken_on_is_made_by_another);
fn what_a_killed_server_had_taken_on_is_made_by_another(home: Home) {
    let embedder = Embedder::start(64);
    let more = [("SAGE_EMBED_TIMEOUT", "500"), ("SAGE_EMBED_DIMS", "64")];
    let first = serve(&home, &embedder, &more);
    embedder.be(Mood::Slow(Duration::from_secs(8)));
    remember(&first, WANTED);
    embedder.is_asked(0);
    first.signal(Signal::KILL);
    first.wait();
    embedder.be(Mood::Well);
    let second = serve(&home, &embedder, &more);
    all_made(&second);
    assert_eq!(found(&second, "blue car")[0], WANTED);
}
