//! The token: who needs it, and that nobody else gets to see it.

use serde_json::json;

use super::listening::is_refused;
use super::{TOKEN, error_of, is_secure, run};
use crate::harness::{Ask, Home, Server, finish_soon, text_of_tool};

const GUARDED: [(&str, &str); 1] = [("SAGE_TOKEN", TOKEN)];

/// Insists that the server wants a token that this request does not have.
#[track_caller]
fn is_locked(server: &Server, ask: &Ask) {
    let reply = server.ask(ask).is(401);
    is_secure(&reply);
    let challenge = reply.header("www-authenticate").unwrap();
    assert!(challenge.starts_with("Bearer"), "{challenge}");
    assert!(error_of(&reply).contains("Authorization: Bearer"));
    assert!(!format!("{reply:?}").contains(TOKEN));
}

#[test]
fn everything_but_health_wants_the_token() {
    let home = Home::new();
    let server = Server::with(&home, &GUARDED);
    for path in ["/", "/mcp", "/metrics", "/nothing"] {
        is_locked(&server, &Ask::get(path));
    }
    let call = Ask::tool("remember", json!({"content": "Only for those who know."}));
    is_locked(&server, &call);
    assert_eq!(server.get("/health").json()["memory_count"], 0);
    text_of_tool(&server.ask(&call.token(TOKEN)));
    assert_eq!(server.get("/health").json()["memory_count"], 1);
    server.ask(&Ask::get("/metrics").token(TOKEN)).is(200);
    server.ask(&Ask::get("/nothing").token(TOKEN)).is(404);
}

#[test]
fn only_the_whole_token_counts() {
    let home = Home::new();
    let server = Server::with(&home, &GUARDED);
    let upper = TOKEN.to_uppercase();
    for value in [
        "",
        "Bearer",
        "Bearer ",
        TOKEN,
        &format!("Basic {TOKEN}"),
        &format!("Bearer{TOKEN}"),
        &format!("Bearer {upper}"),
        &format!("Bearer {}", &TOKEN[..TOKEN.len() - 1]),
        &format!("Bearer {TOKEN}x"),
        &format!("Bearer {TOKEN} {TOKEN}"),
        &format!("Bearer {TOKEN}, Bearer {TOKEN}"),
        "Bearer \u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}",
    ] {
        is_locked(&server, &Ask::get("/").header("Authorization", value));
    }
    is_locked(&server, &Ask::get("/").token(TOKEN).token(TOKEN));
    let query = format!("/?token={TOKEN}&access_token={TOKEN}");
    is_locked(&server, &Ask::get(&query));
    for scheme in ["Bearer", "bearer", "BEARER", "Bearer  "] {
        let value = format!("{scheme} {TOKEN}");
        server
            .ask(&Ask::get("/").header("Authorization", &value))
            .is(200);
    }
}

#[test]
fn the_token_may_be_in_a_file() {
    let home = Home::new();
    for text in [
        TOKEN.to_owned(),
        format!("{TOKEN}\n"),
        format!("  {TOKEN}\r\n"),
    ] {
        let file = home.file("token", &text);
        let server = Server::with(&home, &[("SAGE_TOKEN_FILE", file.to_str().unwrap())]);
        is_locked(&server, &Ask::get("/"));
        server.ask(&Ask::get("/").token(TOKEN)).is(200);
    }
}

#[test]
fn a_token_that_is_none_is_a_wrong_call() {
    let home = Home::new();
    let with = |variables: &[(&str, &str)]| {
        let mut command = home.command(["serve", "--listen", "127.0.0.1:0"]);
        finish_soon(command.envs(variables.iter().copied()))
    };
    for (name, content, part) in [
        ("empty", "", "at least 16"),
        ("blank", "   \n", "at least 16"),
        ("short", "fifteen-chars-x\n", "at least 16"),
        ("two-words", "sixteen chars and blanks", "without blanks"),
        (
            "two-lines",
            "sixteen-chars-xx\nand-a-line\n",
            "without blanks",
        ),
        ("foreign", "sixteen-chärs-and-more", "ASCII"),
        ("long", &"x".repeat(5_000), "too long"),
    ] {
        let file = home.file(name, content);
        let finished = with(&[("SAGE_TOKEN_FILE", file.to_str().unwrap())]);
        is_refused(&finished, 2, &["SAGE_TOKEN_FILE", part]);
        let word = content.split_whitespace().next();
        let is_told = word.is_some_and(|word| finished.stderr.contains(word));
        assert!(!is_told, "{}", finished.stderr);
    }
    let missing = home.path().join("missing");
    let missing = missing.to_str().unwrap();
    is_refused(
        &with(&[("SAGE_TOKEN_FILE", missing)]),
        2,
        &["SAGE_TOKEN_FILE", missing],
    );
    for file in [home.path().to_str().unwrap(), "/dev/zero"] {
        is_refused(
            &with(&[("SAGE_TOKEN_FILE", file)]),
            2,
            &["SAGE_TOKEN_FILE", file],
        );
    }
    is_refused(&with(&[("SAGE_TOKEN", "short")]), 2, &["SAGE_TOKEN"]);
    let both = [("SAGE_TOKEN", TOKEN), ("SAGE_TOKEN_FILE", missing)];
    is_refused(&with(&both), 2, &["SAGE_TOKEN", "keep one"]);
}

#[test]
fn beyond_this_machine_a_token_is_a_must() {
    let home = Home::new();
    for address in ["0.0.0.0:0", "[::]:0"] {
        let finished = run(&home, ["serve", "--listen", address]);
        is_refused(
            &finished,
            2,
            &[address, "SAGE_TOKEN_FILE", "SAGE_ALLOW_INSECURE_BIND=1"],
        );
        // One bad address is enough, wherever it stands.
        let mixed = run(
            &home,
            ["serve", "--listen", "127.0.0.1:0", "--listen", address],
        );
        is_refused(&mixed, 2, &[address]);
    }
    let waived = [("SAGE_ALLOW_INSECURE_BIND", "1")];
    let server = Server::at(&home, &["0.0.0.0:0"], &waived);
    server.get("/").is(200);
    server.tool("get_status", json!({}));
    let refused = home
        .command(["serve", "--listen", "0.0.0.0:0"])
        .env("SAGE_ALLOW_INSECURE_BIND", "0")
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn without_the_token_others_learn_only_whether_all_is_well() {
    let home = Home::new();
    let near = Server::with(&home, &GUARDED);
    let value = near.get("/health/detailed").is(200).json();
    assert!(value["resident_bytes"].is_u64(), "on loopback all: {value}");

    let far = Server::at(&home, &["0.0.0.0:0"], &GUARDED);
    let healthy = json!({"status": "healthy", "database": "connected"});
    for (path, expected) in [
        ("/health", &healthy),
        ("/health/detailed", &healthy),
        ("/health/liveness", &json!({"status": "alive"})),
        ("/health/readiness", &json!({"status": "ready"})),
    ] {
        for ask in [
            Ask::get(path),
            Ask::get(path).token("a-wrong-one-of-length"),
        ] {
            assert_eq!(far.ask(&ask).is(200).json(), *expected, "{path}");
        }
    }
    is_locked(&far, &Ask::get("/"));
    let value = far.ask(&Ask::get("/health/detailed").token(TOKEN)).json();
    assert!(value["store"].is_string() && value["process_id"].is_u64());

    let broken = Home::new();
    broken.file("data/sage.db", "no database at all\n".repeat(300));
    let far = Server::at(&broken, &["0.0.0.0:0"], &GUARDED);
    let value = far.get("/health").is(503).json();
    let unhealthy = json!({"status": "unhealthy", "database": "disconnected"});
    assert_eq!(value, unhealthy, "why is nobody's business");
    let value = far.ask(&Ask::get("/health").token(TOKEN)).is(503).json();
    assert!(value["reason"].is_string(), "{value}");
}

#[test]
fn the_token_is_never_told() {
    let home = Home::new();
    let server = Server::with(&home, &[GUARDED[0], ("SAGE_LOG", "debug")]);
    server.ask(&Ask::get("/").token(TOKEN)).is(200);
    server
        .ask(&Ask::get("/health/detailed").token(TOKEN))
        .is(200);
    server.ask(&Ask::get("/").header("X-Token", TOKEN)).is(401);
    server.ask(&Ask::get(&format!("/?key={TOKEN}"))).is(401);
    server
        .ask(&Ask::get("/").token(&format!("{TOKEN}x")))
        .is(401);
    let ended = server.end();
    assert!(ended.status.success());
    assert_eq!(ended.lines.len(), 8, "{:?}", ended.lines);
    let log = ended.lines.join("\n");
    assert!(!log.contains(TOKEN), "{log}");

    for args in [&["config"][..], &["config", "--json"]] {
        let mut command = home.command(args);
        let finished = finish_soon(command.env("SAGE_TOKEN", TOKEN));
        assert_eq!(finished.code, 0, "{}", finished.stderr);
        assert!(finished.stdout.contains("SAGE_TOKEN"));
        assert!(!finished.stdout.contains(TOKEN), "{}", finished.stdout);
    }
}

/// Beside the digest's comparison nothing depends on what is guessed, so this is about the rest:
/// that nothing piles up and nobody is locked out.
const GUESSES: usize = 10_000;

#[test]
fn guessing_the_token_changes_nothing() {
    let home = Home::new();
    let server = Server::with(&home, &GUARDED);
    let resident = || server.get("/health/detailed").json()["resident_bytes"].clone();
    let guess = |connection: &mut crate::harness::Connection, number: usize| {
        let ask = Ask::get("/").token(&format!("guess-number-{number:08}"));
        connection.send(&ask.bytes());
        connection.reply().is(401);
    };
    let mut connection = server.connect();
    (0..500).for_each(|number| guess(&mut connection, number));
    let before = resident().as_u64().unwrap();
    (500..GUESSES).for_each(|number| guess(&mut connection, number));
    let after = resident().as_u64().unwrap();
    assert!(after < before + 4 * 1024 * 1024, "{before} {after}");
    server.ask(&Ask::get("/").token(TOKEN)).is(200);
    assert_eq!(server.get("/health").is(200).json()["status"], "healthy");
}
