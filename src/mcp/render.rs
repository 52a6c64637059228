//! Memories and sessions as a model reads them: compact, dated, with their ids.

use crate::capture::Captured;
use crate::engine::{DecidedBy, ProjectChoice};
use crate::memory::{Memory, MemoryId, Session, time};
use crate::text::one_line;

/// A line of a list holds about as much as a commit subject.
const LINE_CHARS_MAX: usize = 160;

/// Names the project of an answer: `project: github.com/acme/shop (by directory)`.
pub(super) fn project_line(choice: &ProjectChoice) -> String {
    format!(
        "project: {} (by {})",
        choice.project.key,
        choice.decided_by.name()
    )
}

/// A whole memory under a heading; `history` is everything it superseded and was superseded by.
pub(super) fn memory(memory: &Memory, history: &[Memory]) -> String {
    let mut facts = vec![
        memory.kind.name().to_owned(),
        time::date_time(memory.created_at),
    ];
    if let Some(session) = &memory.session {
        facts.push(format!("session {session}"));
    }
    if let Some(key) = &memory.key {
        facts.push(format!("key {key}"));
    }
    if !memory.tags.is_empty() {
        facts.push(format!("tags {}", memory.tags.join(", ")));
    }
    if memory.pinned {
        facts.push("pinned".to_owned());
    }
    if let Some(expires_at) = memory.expires_at {
        facts.push(format!("expires {}", time::date_time(expires_at)));
    }
    let mut text = format!("## {} ({})\n", memory.id, facts.join(", "));
    if let Some(note) = history_note(memory, history) {
        text.push_str(&note);
        text.push('\n');
    }
    match memory.content.reply() {
        Some(reply) => {
            text.push_str(&format!("User: {}\n\n", memory.content.prompt()));
            text.push_str(&format!("Assistant: {reply}"));
        }
        None => text.push_str(&memory.content.text),
    }
    text
}

fn history_note(memory: &Memory, history: &[Memory]) -> Option<String> {
    if let Some(newer) = memory.superseded_by {
        let current = history.iter().find(|other| other.superseded_by.is_none());
        return Some(match current {
            Some(current) if current.id != newer => {
                format!(
                    "Outdated: replaced by {newer}; the current version is {}.",
                    current.id
                )
            }
            _ => format!("Outdated: replaced by {newer}."),
        });
    }
    let earlier: Vec<_> = history
        .iter()
        .filter(|other| other.id != memory.id)
        .map(|other| format!("{} ({})", other.id, time::date(other.created_at)))
        .collect();
    (!earlier.is_empty()).then(|| format!("Replaces: {}.", earlier.join(", ")))
}

/// A memory in one line.
pub(super) fn memory_line(memory: &Memory) -> String {
    format!(
        "{} {} {} {}",
        memory.id,
        time::date(memory.created_at),
        memory.kind.name(),
        one_line(&memory.content.text, LINE_CHARS_MAX)
    )
}

/// A session in one line.
pub(super) fn session_line(session: &Session) -> String {
    let title = session.title.as_deref().unwrap_or("(no title)");
    format!(
        "{} {} to {}, {}: {}",
        session.id,
        time::date(session.started_at),
        time::date(session.last_at),
        count(session.memories, "memory", "memories"),
        one_line(title, LINE_CHARS_MAX)
    )
}

/// What became of a capture.
pub(super) fn captured(captured: &Captured, choice: &ProjectChoice) -> String {
    let mut text = match captured {
        Captured::Stored {
            id,
            superseded,
            redacted,
        } => stored(*id, *superseded, *redacted),
        Captured::Updated { id, redacted } => format!(
            "Kept before as {id}; it now also holds what was new.{}",
            redaction_note(*redacted)
        ),
        Captured::Known { id } => format!("Known already as {id}; nothing changed."),
        Captured::Refused(refusal) => return format!("Not kept: {}.", refusal.reason()),
    };
    if choice.decided_by == DecidedBy::Nothing {
        text.push_str(
            "\nNo project could be determined, so it went to `unassigned`, where only a search of all projects looks; \
             start sage with --project, set CLAUDE_PROJECT_DIR, or over HTTP send the header Sage-Project-Dir.",
        );
    }
    text
}

fn stored(id: MemoryId, superseded: Option<MemoryId>, redacted: u32) -> String {
    let history = match superseded {
        Some(former) => format!(" It replaces {former}, which stays readable as history."),
        None => String::new(),
    };
    format!("Kept as {id}.{history}{}", redaction_note(redacted))
}

fn redaction_note(redacted: u32) -> String {
    match redacted {
        0 => String::new(),
        1 => " One secret or private span was taken out first.".to_owned(),
        many => format!(" {many} secrets or private spans were taken out first."),
    }
}

/// A number with its noun.
pub(super) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
