//! What a session was about, told without a model: its own words, shortened.

use crate::memory::{Memory, time};
use crate::text::one_line;

/// Characters of the first prompt.
const FIRST_CHARS_MAX: usize = 200;

/// Characters of how it ended.
const LAST_CHARS_MAX: usize = 300;

/// Characters of a question that stayed open, and how many of them.
const OPEN_CHARS_MAX: usize = 160;
const OPEN_MAX: usize = 3;

/// Files that are named.
const FILES_MAX: usize = 12;

/// How lines begin that say what is left to do, in lower case.
const LEFT_TO_DO: [&str; 8] = [
    "todo",
    "next step",
    "next:",
    "remaining",
    "still open",
    "open question",
    "待办",
    "下一步",
];

/// The summary of a session from its turns, the oldest first. One turn is its own summary.
pub(super) fn summary(turns: &[Memory]) -> Option<String> {
    let (first, last) = match turns {
        [first, .., last] => (first, last),
        _ => return None,
    };
    let mut lines = vec![format!(
        "Session of {}, {} prompts. First: {}",
        time::date(first.created_at),
        turns.len(),
        one_line(first.content.prompt(), FIRST_CHARS_MAX)
    )];
    lines.push(format!(
        "Last: {}",
        one_line(last.content.prompt(), OPEN_CHARS_MAX)
    ));
    match last.content.reply() {
        Some(reply) => lines.push(format!("Ended with: {}", one_line(reply, LAST_CHARS_MAX))),
        None => lines.push("Open: the last prompt has no reply.".to_owned()),
    }
    let files = files(turns);
    if !files.is_empty() {
        lines.push(format!("Files: {}", files.join(", ")));
    }
    let reply = last.content.reply().unwrap_or_default();
    lines.extend(open_ends(reply).map(|line| format!("Open: {line}")));
    Some(lines.join("\n"))
}

/// The files that the turns name, the latest first.
fn files(turns: &[Memory]) -> Vec<String> {
    let mut files: Vec<String> = Vec::new();
    for turn in turns.iter().rev() {
        let metadata = turn.metadata.as_deref().unwrap_or_default();
        let metadata = serde_json::from_str::<serde_json::Value>(metadata).unwrap_or_default();
        let named = metadata.get("files").and_then(|files| files.as_array());
        for file in named.into_iter().flatten().filter_map(|file| file.as_str()) {
            if files.len() < FILES_MAX && !files.iter().any(|known| known == file) {
                files.push(file.to_owned());
            }
        }
    }
    files
}

/// Lines of a reply that ask something, or say what is left to do.
fn open_ends(reply: &str) -> impl Iterator<Item = String> {
    let is_mark = |c: char| c.is_whitespace() || "-*#>•0123456789.)[]".contains(c);
    let lines = reply
        .lines()
        .map(move |line| line.trim_start_matches(is_mark).trim());
    let open = lines.filter(|line| {
        let lower = line.to_lowercase();
        line.ends_with(['?', '？']) || LEFT_TO_DO.iter().any(|word| lower.starts_with(word))
    });
    open.map(|line| one_line(line, OPEN_CHARS_MAX))
        .take(OPEN_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_and_what_is_left_are_open_ends() {
        let reply =
            "Done.\n- Shall I also rename the flag?\nTODO: docs\nAll tests pass.\n1. 要继续吗？";
        let open: Vec<String> = open_ends(reply).collect();
        assert_eq!(
            open,
            ["Shall I also rename the flag?", "TODO: docs", "要继续吗？"]
        );
    }
}
