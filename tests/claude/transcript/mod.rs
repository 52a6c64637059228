use sage::claude::transcript::{TranscriptReport, TranscriptTurn, read_turns};

use std::fs;
use std::io::{BufReader, Read};
use std::ops::ControlFlow;
use std::path::Path;

mod find;
mod robust;

const FIXTURES: [&str; 9] = [
    "transcript-tools.jsonl",
    "transcript-resume-compact.jsonl",
    "transcript-subagent.jsonl",
    "old-format.jsonl",
    "blocks.jsonl",
    "prompts.jsonl",
    "resumed.jsonl",
    "noise.jsonl",
    "chinese.jsonl",
];

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/claude");
    fs::read(folder.join(name)).unwrap()
}

/// Reads through a small buffer, so that lines span several fills of it.
fn read(bytes: impl Read) -> (Vec<TranscriptTurn>, TranscriptReport) {
    let mut turns = Vec::new();
    let report = read_turns(BufReader::with_capacity(64, bytes), "stem", &mut |turn| {
        turns.push(turn);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(report.turns, turns.len() as u64);
    (turns, report)
}

/// Reads a fixture in which every line can be understood.
fn read_fixture(name: &str) -> Vec<TranscriptTurn> {
    let bytes = fixture(name);
    let (turns, report) = read(&bytes[..]);
    assert_eq!(report.skipped.total(), 0, "{name}: {:?}", report.skipped);
    assert_eq!(
        report.lines,
        bytes.iter().filter(|byte| **byte == b'\n').count() as u64
    );
    turns
}

fn spoken(turns: &[TranscriptTurn]) -> Vec<(&str, &str, &str)> {
    turns
        .iter()
        .map(|turn| {
            (
                turn.prompt_id.as_str(),
                turn.prompt.as_str(),
                turn.reply.as_str(),
            )
        })
        .collect()
}

#[test]
fn a_recorded_session_with_tools_is_one_turn() {
    let turns = read_fixture("transcript-tools.jsonl");
    assert_eq!(
        turns,
        [TranscriptTurn {
            session_id: "8cee51a2-aa48-4c1b-81a0-f9c3ca8ffb7a".into(),
            prompt_id: "c37da006-f296-48e2-8472-52240cab0698".into(),
            prompt: "please do CALL_TOOL mcp__trivial__recall {\"query\":\"tabs\"}; \
                     CALL_TOOL mcp__trivial__recall {\"query\":\"second\"}"
                .into(),
            reply: "FAKE-REPLY tool said: MCP-TOOL-RESULT recall {\"query\": \"second\"}".into(),
            cwd: Some("/home/dev/shop".into()),
            git_branch: Some("HEAD".into()),
            // 2026-11-23T19:10:52.646Z
            started_at_ms: Some(1_795_461_052_646),
            line: 5,
        }]
    );
}

#[test]
fn a_recorded_session_that_was_resumed_and_compacted_has_its_three_prompts() {
    let turns = read_fixture("transcript-resume-compact.jsonl");
    let prompts: Vec<_> = turns.iter().map(|turn| turn.prompt.as_str()).collect();
    assert_eq!(
        prompts,
        [
            "first message about walruses",
            "second message",
            "after compact"
        ]
    );
    assert!(turns.iter().all(|turn| turn.reply == "FAKE-REPLY"));
    assert!(
        turns
            .iter()
            .all(|turn| turn.session_id == "21b988fd-c092-43a0-84c9-dd8325660ae5")
    );
    assert_eq!(
        turns.iter().map(|turn| turn.line).collect::<Vec<_>>(),
        [5, 14, 31]
    );
}

#[test]
fn a_recorded_subagent_has_no_turns() {
    assert_eq!(read_fixture("transcript-subagent.jsonl"), []);
}

#[test]
fn the_old_format_is_read_by_uuid_and_line() {
    let turns = read_fixture("old-format.jsonl");
    assert_eq!(
        spoken(&turns),
        [
            (
                "u1",
                "Where is the price rounded?",
                "I look at it.\n\nIn cart.rs."
            ),
            ("u3", "Change it to half-even.\n\nKeep the tests.", ""),
            ("line-9", "No timestamp, no uuid", "Done."),
        ]
    );
    let started: Vec<_> = turns.iter().map(|turn| turn.started_at_ms).collect();
    assert_eq!(
        started,
        [Some(1_754_042_400_250), Some(1_754_042_401_000), None]
    );
    assert!(
        turns
            .iter()
            .all(|turn| turn.cwd.as_deref() == Some("/srv/shop"))
    );
    assert!(
        turns
            .iter()
            .all(|turn| turn.git_branch.as_deref() == Some("main"))
    );
}

#[test]
fn a_reply_is_made_of_all_text_blocks_and_of_each_once() {
    assert_eq!(
        spoken(&read_fixture("blocks.jsonl")),
        [(
            "p1",
            "Explain the retry loop.",
            "First part.\n\nSecond part.\n\nThird part.\n\nFirst part.\n\nAs one string.\n\n\
             Without an id."
        )]
    );
}

#[test]
fn prompts_of_one_id_are_joined_before_a_reply_and_apart_after_it() {
    assert_eq!(
        spoken(&read_fixture("prompts.jsonl")),
        [
            ("p1", "Part one\n\nPart two", "Both.\n\nStill the first."),
            ("u4", "Queued", "To the queued one."),
            ("p2", "Left alone", ""),
            ("p3", "Next", "Went on."),
            ("line-14", "Again p2", ""),
        ]
    );
}

#[test]
fn repeated_history_is_taken_once_a_session() {
    let turns = read_fixture("resumed.jsonl");
    let told: Vec<_> = turns
        .iter()
        .map(|turn| {
            (
                turn.session_id.as_str(),
                turn.prompt.as_str(),
                turn.reply.as_str(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("one", "first", "reply one"),
            ("one", "second", "reply two"),
            ("one", "third", "reply three"),
            ("two", "first", "reply one"),
            ("stem", "fourth", "reply four"),
        ]
    );
    let places: Vec<_> = turns.iter().map(|turn| turn.cwd.as_deref()).collect();
    assert_eq!(
        places,
        [
            Some("/srv/a"),
            Some("/srv/a"),
            Some("/srv/a"),
            Some("/srv/b"),
            None
        ]
    );
}

#[test]
fn what_the_client_and_machines_write_is_never_taken() {
    assert_eq!(
        spoken(&read_fixture("noise.jsonl")),
        [
            ("p1", "Add a test.", "Test added.\n\nIt passes."),
            ("p11", "What is on this picture?", "A walrus."),
        ]
    );
}

#[test]
fn chinese_and_half_an_emoji_are_read() {
    let turns = read_fixture("chinese.jsonl");
    assert_eq!(turns.len(), 2);
    assert_eq!(turns[0].session_id, "\u{4e2d}\u{6587}");
    assert_eq!(turns[0].cwd.as_deref(), Some("/srv/\u{5546}\u{5e97}"));
    assert_eq!(
        turns[0].reply,
        "\u{5728} cart.rs \u{91cc}\u{3002}\n\n\u{8981}\u{6539}\u{5417}\u{ff1f}\u{1f600}"
    );
    assert_eq!(
        turns[1].prompt,
        "\u{6539}\u{6210}\u{94f6}\u{884c}\u{5bb6}\u{820d}\u{5165} \u{1f600}"
    );
    assert_eq!(turns[1].reply, "\u{6539}\u{597d}\u{4e86} \u{fffd}");
}

#[test]
fn no_fixture_gives_what_must_never_be_taken() {
    let mut seen = 0;
    for name in FIXTURES {
        for turn in read_fixture(name) {
            seen += 1;
            for word in [
                "NOT-TAKEN",
                "THINKING",
                "TOOL-OUTPUT",
                "INJECTED",
                "system-reminder",
            ] {
                assert!(!turn.prompt.contains(word), "{name}: {}", turn.prompt);
                assert!(!turn.reply.contains(word), "{name}: {}", turn.reply);
            }
        }
    }
    assert!(seen > 15);
}

fn prompt(id: &str, text: &str) -> Vec<u8> {
    let json = serde_json::json!({
        "type": "user", "sessionId": "s", "promptId": id, "message": {"content": text}
    });
    format!("{json}\n").into_bytes()
}

fn reply(text: &str) -> Vec<u8> {
    let json = serde_json::json!({
        "type": "assistant", "sessionId": "s",
        "message": {"content": [{"type": "text", "text": text}]}
    });
    format!("{json}\n").into_bytes()
}
