//! A turn that stands beside a hit is found with it, but never past a filter.

use serde_json::{Value, json};

use crate::harness::{Client, Era, Home};
use crate::mcp::id_in;
use crate::store::rules::{Said, import};

const QUESTION: &str = "Which lantern belongs on the harbour wall?";
/// Shares no word with the question.
const ANSWER: &str = "Take the small brass one, with a wick of cotton.";

fn prompts(home: &Home, args: &[&str]) -> Vec<Value> {
    let args = [&["search", "--all", "--json", "lantern harbour wall"], args].concat();
    let answer = home.json(args);
    let hits = answer["hits"].as_array().unwrap().iter();
    hits.map(|hit| hit["prompt"].clone()).collect()
}

#[test]
fn a_later_neighbour_is_left_out_by_before() {
    let home = Home::new();
    let said = |prompt_id, at, prompt| Said {
        session: "s",
        prompt_id,
        cwd: "/nowhere/shop",
        at,
        prompt,
        reply: "",
    };
    let question = said("p1", "2026-11-03T12:00:00Z", QUESTION).lines();
    let answer = said("p2", "2026-11-05T12:00:00Z", ANSWER).lines();
    import(&home, &(question + &answer));
    assert_eq!(prompts(&home, &[]), [QUESTION, ANSWER]);
    assert_eq!(prompts(&home, &["--before", "2026-11-04"]), [QUESTION]);
    assert_eq!(
        prompts(&home, &["--before", "2026-11-06"]),
        [QUESTION, ANSWER]
    );
    assert_eq!(
        prompts(&home, &["--after", "2026-11-04"]),
        Vec::<Value>::new()
    );
}

/// A session in which a note was remembered between a question and its answer.
struct Asked {
    client: Client,
    question: String,
    note: String,
    answer: String,
}

fn asked(home: &Home, note: &str) -> Asked {
    let mut command = home.command(["mcp", "--project", "acme/shop"]);
    command.env("CLAUDE_CODE_SESSION_ID", "s");
    let mut client = Client::start(command, Era::Modern);
    let save = |client: &mut Client, prompt: &str| {
        let turn = json!({"user_prompt": prompt, "assistant_response": ""});
        id_in(&client.tool("save_conversation", turn))
    };
    let question = save(&mut client, QUESTION);
    let note = id_in(&client.tool("remember", json!({"content": note})));
    let answer = save(&mut client, ANSWER);
    Asked {
        client,
        question,
        note,
        answer,
    }
}

#[test]
fn a_note_is_never_found_among_turns() {
    for note in ["The lantern on the harbour wall is green.", "It rains."] {
        let home = Home::new();
        let mut asked = asked(&home, note);
        let query = json!({"query": "lantern harbour wall", "kinds": ["turn"]});
        let found = asked.client.tool("search_memory", query);
        assert!(found.contains(&asked.question), "{found}");
        assert!(!found.contains(&asked.note), "{found}");
        let query = json!({"query": "lantern harbour wall", "kinds": ["note"]});
        let found = asked.client.tool("search_memory", query);
        assert!(!found.contains(" turn "), "{found}");
        assert_eq!(
            found.contains(&asked.note),
            note.contains("lantern"),
            "{found}"
        );
    }
}

#[test]
fn a_note_between_two_turns_does_not_part_them() {
    let home = Home::new();
    let mut asked = asked(&home, "It rains.");
    let query = json!({"query": "lantern harbour wall"});
    let found = asked.client.tool("search_memory", query);
    assert!(found.contains(&asked.question), "{found}");
    assert!(found.contains(&asked.answer), "{found}");
    assert!(!found.contains(&asked.note), "{found}");
}
