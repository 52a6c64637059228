//! What a `user` line says: a person's prompt, somebody else's, or nothing.
//!
//! Claude Code writes many things as `user` lines: prompts, tool results, slash commands and
//! their output, notices of background tasks, reminders to the model, summaries.

use super::line::{Line, Text};

/// What a `user` line means for the turns of a transcript.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// A person's prompt: its text without what the client added to it.
    Prompt(String),
    /// The beginning of an exchange that is no turn: a command, a machine's prompt, a picture.
    /// What the assistant says next answers this, and not the prompt before.
    OtherPrompt,
    /// Part of the exchange under way, such as a tool result.
    Nothing,
}

/// Who sent a prompt that no person wrote, as `promptSource` and `turnOrigin` name it.
const MACHINE_SOURCES: [&str; 4] = ["system", "loop_wakeup", "schedule_wakeup", "poll_event"];

/// How a line begins that the client wrote for a command, a shell escape, or a notice.
const CLIENT_BEGINNINGS: [&str; 13] = [
    "<command-name>",
    "<command-message>",
    "<command-args>",
    "<local-command-stdout>",
    "<local-command-stderr>",
    "<local-command-caveat>",
    "<bash-input>",
    "<bash-stdout>",
    "<bash-stderr>",
    "<user-memory-input>",
    "<task-notification>",
    "<teammate-message",
    // The summary after a compaction, in versions that did not flag it.
    "This session is being continued from a previous conversation",
];

/// Sections that the client or an editor puts inside a person's prompt for the model to read.
const CLIENT_SECTIONS: [(&str, &str); 3] = [
    ("<system-reminder>", "</system-reminder>"),
    ("<ide_opened_file>", "</ide_opened_file>"),
    ("<ide_selection>", "</ide_selection>"),
];

/// What the client writes in the person's place when Escape was pressed.
const INTERRUPT_MARKS: [&str; 2] = [
    "[Request interrupted by user]",
    "[Request interrupted by user for tool use]",
];

/// Tells what a `user` line says. Its text blocks are joined by blank lines.
pub(super) fn classify(line: &Line<'_>) -> Said {
    let content = &line.message.content;
    let only_tool_results = content.has_tool_result && content.texts.is_empty();
    if only_tool_results || line.is_compact_summary || line.is_visible_in_transcript_only {
        return Said::Nothing;
    }
    if is_machine(&line.prompt_source) || is_machine(&line.turn_origin) {
        return Said::OtherPrompt;
    }
    if line.is_meta {
        return Said::Nothing;
    }
    let mut parts = Vec::new();
    for text in &content.texts {
        let Some(text) = words_of(text) else {
            return Said::OtherPrompt;
        };
        if !text.is_empty() {
            parts.push(text);
        }
    }
    if !parts.is_empty() {
        Said::Prompt(parts.join("\n\n"))
    } else if content.has_media && !content.has_tool_result {
        Said::OtherPrompt
    } else {
        Said::Nothing
    }
}

/// What a person wrote in a text, which may be nothing; `None` where the client wrote it.
fn words_of(text: &str) -> Option<String> {
    let text = without_client_sections(text);
    let text = without_interrupt_mark(text.trim());
    let by_client = CLIENT_BEGINNINGS.iter().any(|tag| text.starts_with(tag));
    (!by_client).then(|| text.to_owned())
}

/// The person's words in a prompt as hooks get it, if it is one: no machine's, and no command.
pub fn personal_prompt(prompt: &str, source: Option<&str>) -> Option<String> {
    if source.is_some_and(|source| MACHINE_SOURCES.contains(&source)) || is_command(prompt.trim()) {
        return None;
    }
    words_of(prompt).filter(|words| !words.is_empty())
}

/// Whether it is a command such as `/review src` or `/mcp__x__y`, and no path.
fn is_command(prompt: &str) -> bool {
    let first = prompt.split_whitespace().next().unwrap_or_default();
    let name = first.strip_prefix('/').unwrap_or_default();
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_-:".contains(&byte);
    !name.is_empty() && name.bytes().all(is_of_name)
}

fn is_machine(source: &Text<'_>) -> bool {
    source
        .as_deref()
        .is_some_and(|source| MACHINE_SOURCES.contains(&source))
}

/// The text without the sections the client added. A tag that is not closed is somebody's own
/// words and stays.
fn without_client_sections(text: &str) -> String {
    let mut text = text.to_owned();
    for (open, close) in CLIENT_SECTIONS {
        if text.contains(open) {
            text = without_sections(&text, open, close);
        }
    }
    text
}

fn without_sections(text: &str, open: &str, close: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, inside)) = rest.split_once(open)
        && let Some((_, after)) = inside.split_once(close)
    {
        kept.push_str(before);
        rest = after;
    }
    kept.push_str(rest);
    kept
}

fn without_interrupt_mark(text: &str) -> &str {
    INTERRUPT_MARKS
        .iter()
        .find_map(|mark| text.strip_prefix(mark))
        .map_or(text, str::trim_start)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::line::parse;
    use super::*;

    fn said(json: &str) -> Said {
        classify(&parse(json).unwrap())
    }

    fn said_text(text: &str) -> Said {
        said(&serde_json::json!({"message": {"content": text}}).to_string())
    }

    fn prompt(text: &str) -> Said {
        Said::Prompt(text.to_owned())
    }

    #[test]
    fn strings_and_text_blocks_are_prompts() {
        assert_eq!(said_text("  fix it\n"), prompt("fix it"));
        let blocks = r#"{"message":{"content":[{"type":"text","text":"a"},{"type":"image"},
            {"type":"text","text":" "},{"type":"text","text":"b"}]}}"#;
        assert_eq!(said(blocks), prompt("a\n\nb"));
    }

    #[test]
    fn commands_and_notices_are_other_prompts() {
        for beginning in CLIENT_BEGINNINGS {
            assert_eq!(
                said_text(&format!("\n {beginning} x")),
                Said::OtherPrompt,
                "{beginning}"
            );
        }
        assert_eq!(
            said_text("why does <command-name> appear?"),
            prompt("why does <command-name> appear?")
        );
    }

    #[test]
    fn a_command_with_its_expansion_is_one_other_prompt() {
        let json = r#"{"message":{"content":[{"type":"text","text":"<command-message>x"},
            {"type":"text","text":"Review the code with great care."}]}}"#;
        assert_eq!(said(json), Said::OtherPrompt);
    }

    #[test]
    fn every_machine_source_counts_in_either_field() {
        for source in MACHINE_SOURCES {
            for field in ["promptSource", "turnOrigin"] {
                let json = format!(r#"{{"{field}":"{source}","message":{{"content":"go"}}}}"#);
                assert_eq!(said(&json), Said::OtherPrompt, "{json}");
            }
        }
        let typed = r#"{"promptSource":"user","turnOrigin":"sdk","message":{"content":"go"}}"#;
        assert_eq!(said(typed), prompt("go"));
    }

    #[test]
    fn client_sections_are_cut_out_and_the_rest_stays() {
        assert_eq!(
            said_text(
                "<system-reminder>a</system-reminder>keep<system-reminder>b</system-reminder>"
            ),
            prompt("keep")
        );
        assert_eq!(
            said_text("<ide_selection>lines 1-3</ide_selection>\nwhat is this?"),
            prompt("what is this?")
        );
        assert_eq!(
            said_text("<system-reminder>all of it</system-reminder>"),
            Said::Nothing
        );
        assert_eq!(
            said_text("an open <system-reminder> is text"),
            prompt("an open <system-reminder> is text")
        );
    }

    #[test]
    fn a_command_behind_a_reminder_is_still_a_command() {
        assert_eq!(
            said_text("<system-reminder>x</system-reminder>\n<bash-input>ls</bash-input>"),
            Said::OtherPrompt
        );
    }

    #[test]
    fn interrupt_marks_say_nothing_and_text_behind_them_stays() {
        for mark in INTERRUPT_MARKS {
            assert_eq!(said_text(mark), Said::Nothing);
            assert_eq!(said_text(&format!("{mark}\nuse tabs")), prompt("use tabs"));
        }
    }

    #[test]
    fn tool_results_and_flagged_lines_say_nothing() {
        for json in [
            r#"{"message":{"content":[{"type":"tool_result","content":"x"}]}}"#,
            r#"{"promptSource":"system","message":{"content":[{"type":"tool_result"}]}}"#,
            r#"{"isMeta":true,"message":{"content":"x"}}"#,
            r#"{"isCompactSummary":true,"message":{"content":"x"}}"#,
            r#"{"isVisibleInTranscriptOnly":true,"message":{"content":"x"}}"#,
            r#"{"message":{"content":[]}}"#,
            r#"{"message":7}"#,
            "{}",
        ] {
            assert_eq!(said(json), Said::Nothing, "{json}");
        }
        let machine = r#"{"isMeta":true,"promptSource":"system","message":{"content":"x"}}"#;
        assert_eq!(said(machine), Said::OtherPrompt);
        let picture = r#"{"message":{"content":[{"type":"image","source":{"data":"AA"}}]}}"#;
        assert_eq!(said(picture), Said::OtherPrompt);
    }
}
