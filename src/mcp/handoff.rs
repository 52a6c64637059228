//! What the next session should know of the last one, taken from its own words.

use std::collections::HashSet;

use super::render;
use crate::engine::Engine;
use crate::error::Result;
use crate::memory::{Filter, Kind, Memory, Scope, Session};
use crate::text::one_line;

/// The most memories of a session that are read, the latest ones: a session of a thousand turns has
/// been compacted many times and nobody reads it whole.
const MEMORIES_MAX: usize = 1_000;

/// The most text of a session that is read, in bytes: about a million tokens. One page more may
/// come on top of it.
const SESSION_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How many memories one question to the store fetches; at their largest they are 5 MB.
const MEMORIES_PER_PAGE: usize = 20;

/// The goal is usually in the first lines of the first prompt.
const GOAL_CHARS_MAX: usize = 600;
const TURNS_SHOWN: usize = 3;
const PROMPT_CHARS_MAX: usize = 300;
const REPLY_CHARS_MAX: usize = 800;
const FILES_SHOWN: usize = 20;
const QUESTIONS_SHOWN: usize = 5;
const QUESTION_CHARS_MAX: usize = 240;

/// Questions further back have usually been answered.
const TURNS_ASKED: usize = 3;

/// The live memories of a session, oldest first; of one that is too long, the latest.
pub(super) async fn memories_of(
    engine: &Engine,
    scope: &Scope,
    session: &str,
) -> Result<Vec<Memory>> {
    let filter = Filter {
        session: Some(session.to_owned()),
        ..Filter::default()
    };
    let mut memories = Vec::new();
    let mut bytes = 0;
    let mut cursor: Option<String> = None;
    while memories.len() < MEMORIES_MAX && bytes < SESSION_BYTES_MAX {
        let page = engine
            .list(scope, &filter, MEMORIES_PER_PAGE, cursor.as_deref())
            .await?;
        let texts = page.items.iter().map(|memory| memory.content.text.len());
        bytes += texts.sum::<usize>();
        memories.extend(page.items);
        match page.next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    memories.reverse();
    Ok(memories)
}

/// The handoff of a session; `memories` are its own, oldest first.
pub(super) fn summarise(session: &Session, memories: &[Memory]) -> String {
    let turns: Vec<&Memory> = of_kind(memories, Kind::Turn).collect();
    let mut parts = vec![format!(
        "Handoff of session {}",
        render::session_line(session)
    )];
    if let Some(summary) = of_kind(memories, Kind::Summary).last() {
        parts.push(format!("Its summary:\n{}", summary.content.text));
    }
    if let Some(first) = turns.first() {
        let goal = one_line(first.content.prompt(), GOAL_CHARS_MAX);
        parts.push(format!("It began with:\n{goal}"));
    }
    let notes: Vec<_> = of_kind(memories, Kind::Note)
        .map(|note| format!("- {}", one_line(&note.content.text, PROMPT_CHARS_MAX)))
        .collect();
    push_list(&mut parts, "Decided and noted:", &notes);
    let last: Vec<_> = latest(&turns, TURNS_SHOWN).map(turn_lines).collect();
    push_list(&mut parts, "Last turns:", &last);
    let files: Vec<_> = files_named(memories)
        .into_iter()
        .map(|file| format!("- {file}"))
        .collect();
    push_list(&mut parts, "Files named, latest first:", &files);
    let questions: Vec<_> = open_questions(&turns)
        .into_iter()
        .map(|question| format!("- {question}"))
        .collect();
    push_list(&mut parts, "Perhaps still open:", &questions);
    parts.join("\n\n")
}

fn of_kind(memories: &[Memory], kind: Kind) -> impl Iterator<Item = &Memory> {
    memories.iter().filter(move |memory| memory.kind == kind)
}

fn push_list(parts: &mut Vec<String>, heading: &str, lines: &[String]) {
    if !lines.is_empty() {
        parts.push(format!("{heading}\n{}", lines.join("\n")));
    }
}

fn latest<'a>(turns: &'a [&'a Memory], number: usize) -> impl Iterator<Item = &'a Memory> {
    turns
        .iter()
        .skip(turns.len().saturating_sub(number))
        .copied()
}

fn turn_lines(turn: &Memory) -> String {
    let prompt = one_line(turn.content.prompt(), PROMPT_CHARS_MAX);
    match turn.content.reply() {
        Some(reply) => {
            let reply = one_line(reply, REPLY_CHARS_MAX);
            format!("- User: {prompt}\n  Assistant: {reply}")
        }
        None => format!("- User: {prompt}"),
    }
}

/// Paths and file names, the latest first, each once.
fn files_named(memories: &[Memory]) -> Vec<String> {
    let mut seen = HashSet::new();
    memories
        .iter()
        .rev()
        .flat_map(|memory| memory.content.text.split_whitespace())
        .filter_map(file_name)
        .filter(|file| seen.insert(*file))
        .take(FILES_SHOWN)
        .map(str::to_owned)
        .collect()
}

/// Endings that mean a file and not the end of a sentence, a domain or a version.
const FILE_ENDINGS: [&str; 49] = [
    "bat", "c", "cc", "cfg", "conf", "cpp", "cs", "css", "csv", "dart", "env", "ex", "go",
    "gradle", "h", "hpp", "html", "ini", "ipynb", "java", "js", "json", "jsonl", "jsx", "kt",
    "lock", "lua", "md", "mjs", "php", "proto", "ps1", "py", "rb", "rs", "scala", "scss", "sh",
    "sql", "svelte", "swift", "toml", "ts", "tsx", "txt", "vue", "xml", "yaml", "yml",
];

/// Longer words with dots are data, not names.
const FILE_BYTES_MAX: usize = 200;

fn file_name(word: &str) -> Option<&str> {
    let word = word.trim_matches(|c: char| "`'\"()[]{}<>,;:*!?.".contains(c));
    // `src/main.rs:12` names a line of a file.
    let path = match word.split_once(':') {
        Some((path, place)) if place.starts_with(|c: char| c.is_ascii_digit()) => path,
        _ => word,
    };
    let (stem, ending) = path.rsplit_once('.')?;
    let is_file = FILE_ENDINGS.contains(&ending)
        && path.len() <= FILE_BYTES_MAX
        && !path.contains("://")
        && stem.chars().any(char::is_alphanumeric);
    is_file.then_some(path)
}

/// Questions at the end of the last turns: what the assistant asked and nobody answered yet, and a
/// last prompt without a reply.
fn open_questions(turns: &[&Memory]) -> Vec<String> {
    let mut questions = Vec::new();
    for turn in latest(turns, TURNS_ASKED) {
        let text = turn.content.reply().unwrap_or(turn.content.prompt());
        questions.extend(
            sentences(text)
                .filter(|sentence| sentence.ends_with(['?', '\u{ff1f}']))
                .map(|sentence| one_line(sentence, QUESTION_CHARS_MAX)),
        );
    }
    let surplus = questions.len().saturating_sub(QUESTIONS_SHOWN);
    questions.split_off(surplus)
}

/// Western marks end a sentence only before a gap, so that `slow.py` stays whole.
fn sentences(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .flat_map(|line| line.split_inclusive(['\u{3002}', '\u{ff01}', '\u{ff1f}']))
        .flat_map(split_western)
        .map(str::trim)
        .filter(|sentence| sentence.chars().count() > 3)
}

fn split_western(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let end = rest
            .char_indices()
            .zip(rest.chars().skip(1))
            .find(|((_, mark), next)| ".!?".contains(*mark) && next.is_whitespace())
            .map_or(rest.len(), |((at, _), _)| at + 1);
        let (sentence, left) = rest.split_at_checked(end)?;
        rest = left;
        (!sentence.is_empty()).then_some(sentence)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::memory::{Content, MemoryId, Project};

    fn turn(prompt: &str, reply: &str) -> Memory {
        Memory {
            id: MemoryId::generate(),
            project: Project::new("p"),
            session: Some("s".to_owned()),
            kind: Kind::Turn,
            content: Content::turn(prompt, reply),
            tags: Vec::new(),
            key: None,
            pinned: false,
            source: "mcp".to_owned(),
            created_at: "2026-05-01T14:03:00Z".parse().unwrap(),
            expires_at: None,
            superseded_by: None,
            metadata: None,
        }
    }

    fn session() -> Session {
        Session {
            id: "s".to_owned(),
            project: Project::new("p"),
            title: Some("Retries".to_owned()),
            started_at: "2026-05-01T14:03:00Z".parse().unwrap(),
            last_at: "2026-05-02T14:03:00Z".parse().unwrap(),
            memories: 2,
        }
    }

    #[test]
    fn a_handoff_holds_the_goal_the_end_the_files_and_the_questions() {
        let memories = [
            turn("Make the retry test reliable", "I read `src/retry.rs:12`."),
            turn(
                "Go on",
                "Done in src/retry.rs. Should I also fix `tests/slow.py`?",
            ),
        ];
        let expected = "Handoff of session s 2026-05-01 to 2026-05-02, 2 memories: Retries\n\n\
            It began with:\nMake the retry test reliable\n\n\
            Last turns:\n- User: Make the retry test reliable\n  Assistant: I read \
            `src/retry.rs:12`.\n- User: Go on\n  Assistant: Done in src/retry.rs. Should I also \
            fix `tests/slow.py`?\n\n\
            Files named, latest first:\n- src/retry.rs\n- tests/slow.py\n\n\
            Perhaps still open:\n- Should I also fix `tests/slow.py`?";
        assert_eq!(summarise(&session(), &memories), expected);
    }

    #[test]
    fn files_are_told_from_sentences_domains_and_versions() {
        for (word, file) in [
            ("src/main.rs", Some("src/main.rs")),
            ("(`Cargo.toml`).", Some("Cargo.toml")),
            ("a/b.py:33:7", Some("a/b.py")),
            ("deploy.yml,", Some("deploy.yml")),
            ("end.", None),
            ("example.com", None),
            ("1.2.3", None),
            ("https://x.io/a.js", None),
            (".rs", None),
            ("e.g.", None),
        ] {
            assert_eq!(file_name(word), file, "{word}");
        }
    }
}
