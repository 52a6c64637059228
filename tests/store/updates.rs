//! What an update changes, how tags are spelled, and what of a long turn is kept.

use serde_json::{Value, json};

use super::consistency::check_store as check;
use super::rules::{Said, found, import, listed, remember, turns};
use super::{PROJECT, server};
use crate::harness::{Client, Era, Home, on_every_store};
use crate::mcp::id_in;

#[track_caller]
fn shown(home: &Home, id: &Value) -> Value {
    let answer = home.json(["show", "--json", id.as_str().unwrap()]);
    answer["memories"][0].clone()
}

on_every_store!(a_note_may_be_replaced_by_words_that_are_there);
fn a_note_may_be_replaced_by_words_that_are_there(home: Home) {
    let (a, b) = (
        "The staging server is amber.",
        "The staging server is beryl.",
    );
    let first = remember(&home, &[a])["id"].clone();
    let second = remember(&home, &[b])["id"].clone();
    let report = remember(&home, &["--replaces", first.as_str().unwrap(), b]);
    assert_eq!(report["outcome"], "stored", "{report}");

    let live = listed(&home);
    assert_eq!(live.len(), 1, "{live:?}");
    assert_eq!(live[0]["id"], report["id"]);
    assert_eq!(live[0]["content"], b);
    assert_eq!(shown(&home, &first)["superseded_by"], report["id"]);
    assert_eq!(shown(&home, &first)["content"], a);
    let memory = shown(&home, &report["id"]);
    let history = memory["history"].as_array().unwrap().iter();
    let history: Vec<_> = history.map(|version| &version["id"]).collect();
    assert_eq!(history, [&first, &second, &report["id"]]);
    assert_eq!(found(&home, "staging server").len(), 1);
    check(&home);
}

on_every_store!(an_update_with_the_same_words_changes_tags);
fn an_update_with_the_same_words_changes_tags(home: Home) {
    let mut client = Client::start(server(&home, "s"), Era::Modern);
    let mut note = json!({"content": "The staging server is amber.", "tags": ["draft"]});
    let first = id_in(&client.tool("remember", note.clone()));
    note["id"] = json!(first);
    note["tags"] = json!(["ops", "#Final"]);
    client.tool("remember", note);
    client.end();

    let live = listed(&home);
    assert_eq!(live.len(), 1, "{live:?}");
    assert_eq!(live[0]["tags"], json!(["final", "ops"]));
    check(&home);
}

on_every_store!(tags_are_found_however_they_are_spelled);
fn tags_are_found_however_they_are_spelled(home: Home) {
    let id = remember(&home, &["--tag", "#Release", "We ship on Tuesdays."])["id"].clone();
    remember(&home, &["--tag", "other", "We ship bread, too."]);
    for tag in ["Release", "#release", "release", " #RELEASE"] {
        for query in [&["search", "ship"][..], &["list"]] {
            let args = [query, &["--json", "--all", "--tag", tag]].concat();
            let answer = home.json(args);
            let found = answer.get("hits").unwrap_or(&answer["memories"]);
            let found = found.as_array().unwrap();
            assert_eq!(found.len(), 1, "{tag}: {answer}");
            assert_eq!(found[0]["id"], id);
        }
    }
}

on_every_store!(a_filter_of_thousands_is_refused_or_answered);
fn a_filter_of_thousands_is_refused_or_answered(home: Home) {
    let id = remember(&home, &["--tag", "t0", "We ship on Tuesdays."])["id"].clone();
    let id = id.as_str().unwrap();
    let tags: Vec<String> = (0..2_000).map(|n| format!("t{n}")).collect();
    let flags: Vec<&str> = tags.iter().flat_map(|tag| ["--tag", tag]).collect();
    for command in [&["search", "ship"][..], &["list"], &["forget", "--yes"]] {
        let finished = home.run([command, &["--project", PROJECT], &flags].concat());
        assert_eq!(finished.code, 2, "{}", finished.stderr);
        assert!(
            finished.stderr.contains("sage: tags: "),
            "{}",
            finished.stderr
        );
        assert!(finished.stderr.contains("2000"), "{}", finished.stderr);
    }
    let mut client = Client::start(server(&home, "s"), Era::Modern);
    for (tool, arguments) in [
        ("search_memory", json!({"query": "ship", "tags": tags})),
        ("forget", json!({"tags": tags})),
    ] {
        let text = client.tool_error(tool, arguments);
        assert!(text.starts_with("tags: "), "{tool}: {text}");
    }
    // The same over and over is that thing once.
    let kinds = vec!["note"; 40_000];
    let query = json!({"query": "ship", "kinds": kinds, "tags": vec!["t0"; 2_000]});
    let text = client.tool("search_memory", query);
    assert!(text.contains(id), "{text}");
    let query = json!({"query": "ship", "kinds": vec!["turn"; 40_000]});
    let text = client.tool("search_memory", query);
    assert!(!text.contains(id), "{text}");
}

on_every_store!(a_fuller_turn_is_found_by_its_own_date);
fn a_fuller_turn_is_found_by_its_own_date(home: Home) {
    let said = |at, reply| {
        let said = Said {
            session: "s",
            prompt_id: "p1",
            cwd: "/nowhere/shop",
            at,
            prompt: "Which stone is on the ring?",
            reply,
        };
        said.lines()
    };
    let first = said("2026-05-08T12:00:00Z", "A sapphire.");
    assert_eq!(import(&home, &first), turns(1, 0, 0));
    assert_eq!(found(&home, "8 May").len(), 1);
    let fuller = said("2026-07-21T12:00:00Z", "No, it is a tourmaline.");
    assert_eq!(import(&home, &fuller), turns(0, 1, 0));

    let hits = found(&home, "21 July");
    assert_eq!(hits.len(), 1);
    assert_eq!(hits[0]["created_at"], "2026-07-21T12:00:00Z");
    assert_eq!(found(&home, "8 May"), Vec::<Value>::new());
    let args = ["list", "--all", "--json", "--after", "2026-07-01"];
    assert_eq!(home.json(args)["memories"].as_array().unwrap().len(), 1);
    check(&home);
}

on_every_store!(a_short_prompt_leaves_its_room_to_the_reply);
fn a_short_prompt_leaves_its_room_to_the_reply(home: Home) {
    let prompt = "What is on the ring?";
    assert_eq!(prompt.len(), 20);
    let middle = "quartz and beryl ".repeat(265 * 1024 / 17);
    let reply = format!("It began with onyx. {middle}It ended with opal.");
    let said = Said {
        session: "s",
        prompt_id: "p1",
        cwd: "/nowhere/shop",
        at: "2026-05-08T12:00:00Z",
        prompt,
        reply: &reply,
    };
    assert_eq!(import(&home, &said.lines()), turns(1, 0, 0));
    let memory = &listed(&home)[0];
    assert_eq!(memory["prompt"], prompt);
    let kept = memory["reply"].as_str().unwrap();
    assert!(kept.len() >= 200 * 1024, "{} bytes", kept.len());
    assert!(kept.starts_with("It began with onyx. quartz"));
    assert!(kept.ends_with("beryl It ended with opal."));
    let sql = "SELECT octet_length(content) FROM memory";
    assert!(check(&home).number(sql) <= 256 * 1024);
    for word in ["onyx", "opal"] {
        assert_eq!(found(&home, word).len(), 1, "{word}");
    }
}
