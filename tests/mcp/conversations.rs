//! Golden conversations: `>` is sent, `<` must come back, `#` is for readers. Each is held over
//! stdio and over HTTP.
//!
//! Placeholders in what must come back: `{{id:NAME}}` is a memory id and is bound to its name,
//! `{{word:NAME}}` is a run without spaces and quotes, `{{date}}` and `{{time}}` are what they say,
//! `{{version}}` is this version, `{{any}}` is anything. Bound names can be sent.

use std::collections::HashMap;

use serde_json::Value;

use super::http::Http;
use super::silent;
use crate::harness::{Client, Home, Server};

#[test]
fn legacy_2025_06_18() {
    play_twice("legacy-2025-06-18.jsonl");
}

#[test]
fn legacy_2025_03_26_with_batches() {
    play_twice("legacy-2025-03-26.jsonl");
}

#[test]
fn modern_2026_07_28() {
    play_twice("modern-2026-07-28.jsonl");
}

/// What carries a conversation.
trait Carrier {
    fn say(&mut self, line: &str);
    fn hear(&mut self) -> Value;
}

impl Carrier for Client {
    fn say(&mut self, line: &str) {
        self.send_line(line);
    }

    fn hear(&mut self) -> Value {
        self.receive()
    }
}

impl Carrier for Http<'_> {
    fn say(&mut self, line: &str) {
        self.post(line);
    }

    fn hear(&mut self) -> Value {
        self.heard.pop_front().expect("an answer with a body")
    }
}

fn play_twice(name: &str) {
    let home = Home::new();
    let mut client = silent(&home);
    play(name, &mut client);
    let (status, rest) = client.end();
    assert!(status.success());
    assert_eq!(rest, Vec::<String>::new(), "{name}: more came");

    let home = Home::new();
    let server = Server::start(&home);
    let mut client = Http::silent(&server, &[("Sage-Project", "acme/shop")]);
    play(name, &mut client);
    assert!(client.heard.is_empty(), "{name}: {:?}", client.heard);
}

fn play(name: &str, client: &mut impl Carrier) {
    let path = format!("{}/tests/fixtures/mcp/{name}", env!("CARGO_MANIFEST_DIR"));
    let script = std::fs::read_to_string(&path).unwrap();
    let mut bound = HashMap::new();
    let mut compared = 0;
    for (number, line) in (1..).zip(script.lines()) {
        let at = format!("{name}:{number}");
        match line.split_at_checked(2) {
            Some(("> ", message)) => client.say(&fill(message, &bound)),
            Some(("< ", expected)) => {
                let expected: Value = serde_json::from_str(expected).expect(&at);
                let got = client.hear();
                if let Err(why) = matches(&expected, &got, &mut bound) {
                    panic!("{at}: {why}\nexpected {expected}\ngot      {got}");
                }
                compared += 1;
            }
            _ => assert!(line.is_empty() || line.starts_with('#'), "{at}: {line}"),
        }
    }
    assert!(compared > 0, "{name} compares nothing");
}

fn fill(message: &str, bound: &HashMap<String, String>) -> String {
    bound
        .iter()
        .fold(message.to_owned(), |text, (name, value)| {
            text.replace(&format!("{{{{{name}}}}}"), value)
        })
}

/// Compares whole values; only texts can hold placeholders.
fn matches(
    expected: &Value,
    got: &Value,
    bound: &mut HashMap<String, String>,
) -> Result<(), String> {
    match (expected, got) {
        (Value::String(expected), Value::String(got)) => match_text(expected, got, bound)
            .then_some(())
            .ok_or_else(|| format!("\"{got}\" is not \"{expected}\"")),
        (Value::Array(expected), Value::Array(got)) if expected.len() == got.len() => expected
            .iter()
            .zip(got)
            .try_for_each(|(expected, got)| matches(expected, got, bound)),
        (Value::Object(expected), Value::Object(got)) if expected.len() == got.len() => {
            expected.iter().try_for_each(|(name, expected)| {
                let got = got.get(name).ok_or(format!("{name} is missing"))?;
                matches(expected, got, bound).map_err(|why| format!("{name}: {why}"))
            })
        }
        _ if expected == got => Ok(()),
        _ => Err(format!("{got} is not {expected}")),
    }
}

fn match_text(pattern: &str, text: &str, bound: &mut HashMap<String, String>) -> bool {
    let Some((literal, rest)) = pattern.split_once("{{") else {
        return pattern == text;
    };
    let Some(text) = text.strip_prefix(literal) else {
        return false;
    };
    let (name, rest) = rest.split_once("}}").expect("a placeholder has an end");
    if let Some(value) = bound.get(name).cloned() {
        return text
            .strip_prefix(value.as_str())
            .is_some_and(|text| match_text(rest, text, bound));
    }
    // The longest candidate first, so that a placeholder swallows all that it can be.
    (0..=text.len())
        .rev()
        .filter_map(|end| text.split_at_checked(end))
        .any(|(candidate, left)| {
            let mut trial = bound.clone();
            if name.contains(':') {
                trial.insert(name.to_owned(), candidate.to_owned());
            }
            let fits = can_be(name, candidate) && match_text(rest, left, &mut trial);
            if fits {
                *bound = trial;
            }
            fits
        })
}

fn can_be(name: &str, text: &str) -> bool {
    let is_like = |shape: &str| {
        text.len() == shape.len()
            && text.chars().zip(shape.chars()).all(|(c, s)| match s {
                'x' => c.is_ascii_hexdigit(),
                '0' => c.is_ascii_digit(),
                other => c == other,
            })
    };
    match name.split(':').next().unwrap_or_default() {
        "any" => true,
        "id" => is_like("xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"),
        "word" => !text.is_empty() && !text.contains([' ', '"', '\n']),
        "date" => is_like("0000-00-00"),
        "time" => is_like("0000-00-00 00:00"),
        "version" => text == env!("CARGO_PKG_VERSION"),
        other => panic!("unknown placeholder {other}"),
    }
}
