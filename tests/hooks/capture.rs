//! What becomes of a conversation when nobody calls Sage.

use serde_json::{Value, json};

use super::{Session, kept, words};
use crate::harness::{Home, on_every_store};
use crate::store::consistency::check_store;
use crate::store::rules::{import, transcript_turn, turns};

on_every_store!(a_prompt_and_its_reply_are_one_turn);
fn a_prompt_and_its_reply_are_one_turn(home: Home) {
    let dir = home.project("shop");
    let session = Session::new(&home, "s1", &dir);
    session.start("startup");
    session.prompt("p1", "Move the shop to port 8080");
    let edit = |id: &str, file: &str| {
        let file = dir.join(file);
        session.tell(
            "PostToolUse",
            json!({"prompt_id": "p1", "tool_use_id": id, "tool_name": "Edit",
            "tool_input": {"file_path": file, "old_string": "a", "new_string": "b"}}),
        );
    };
    for _ in 0..2 {
        edit("t1", "src/main.rs");
        edit("t2", "README.md");
    }
    let bash = json!({"prompt_id": "p1", "tool_use_id": "t3", "tool_name": "Bash",
        "tool_input": {"command": "PASSWORD=hunter2hunter2 make\nsecond line"}});
    session.tell("PostToolUse", bash);
    let failed = json!({"prompt_id": "p1", "tool_use_id": "t4", "tool_name": "Bash",
        "tool_input": {"command": "make deploy"}});
    session.tell("PostToolUseFailure", failed);
    for _ in 0..2 {
        session.stop("p1", "It listens on 8080 now.");
    }
    assert_eq!(
        words(&home),
        ["Move the shop to port 8080\n\nIt listens on 8080 now."]
    );
    let memory = &kept(&home)[0];
    assert_eq!(
        memory["metadata"]["files"],
        json!(["src/main.rs", "README.md"])
    );
    assert_eq!(memory["metadata"]["failed"], json!(["make deploy"]));
    let command = memory["metadata"]["commands"][0].as_str().unwrap();
    assert!(
        command.contains("make second line") && !command.contains("hunter2"),
        "{command}"
    );

    // The model goes on, and stops again.
    edit("t5", "CHANGELOG.md");
    for _ in 0..2 {
        session.stop("p1", "And the changelog says so.");
        session.stop("p1", "It listens on 8080 now.");
    }
    assert_eq!(
        words(&home),
        ["Move the shop to port 8080\n\nIt listens on 8080 now.\n\nAnd the changelog says so."]
    );
    let files = &kept(&home)[0]["metadata"]["files"];
    assert_eq!(*files, json!(["src/main.rs", "README.md", "CHANGELOG.md"]));
    check_store(&home);
}

on_every_store!(an_import_after_live_capture_adds_nothing);
fn an_import_after_live_capture_adds_nothing(home: Home) {
    let dir = std::path::Path::new("/nowhere/shop");
    let session = Session::new(&home, "s1", dir);
    session.start("startup");
    session.turn("p1", "Which database do we use?", "PostgreSQL 18.");
    session.turn("p2", "And where is it?", "In Oslo.");
    let lines = transcript_turn("s1", "p1", "Which database do we use?", "PostgreSQL 18.")
        + &transcript_turn("s1", "p2", "And where is it?", "Let me look.\n\nIn Oslo.");
    assert_eq!(
        import(&home, &lines),
        turns(0, 1, 1),
        "the fuller text wins"
    );
    assert_eq!(import(&home, &lines), turns(0, 0, 2));
    session.stop("p2", "In Oslo.");
    let mut words = words(&home);
    words.sort_by_key(|text| std::cmp::Reverse(text.clone()));
    assert_eq!(
        words,
        [
            "Which database do we use?\n\nPostgreSQL 18.",
            "And where is it?\n\nLet me look.\n\nIn Oslo."
        ]
    );
    check_store(&home);
}

#[test]
fn what_no_person_wrote_is_not_kept() {
    let home = Home::new();
    let dir = home.project("shop");
    let session = Session::new(&home, "s1", &dir);
    session.start("startup");
    for (id, prompt, source) in [
        ("m1", "Wake up and look at the build", "loop_wakeup"),
        ("m2", "The background task is finished", "system"),
        ("m3", "/review src/main.rs", "user"),
        ("m4", "<task-notification>done</task-notification>", "user"),
        ("m5", "<private>my diary is on the shelf</private>", "user"),
    ] {
        let fields = json!({"prompt_id": id, "prompt": prompt, "source": source});
        assert_eq!(session.tell("UserPromptSubmit", fields), "");
        session.stop(id, "I looked at everything there is.");
    }
    session.turn("p1", "/etc/shop.conf is wrong, fix it", "Fixed.");
    session.end();
    assert_eq!(words(&home), ["/etc/shop.conf is wrong, fix it\n\nFixed."]);
}

#[test]
fn secrets_are_never_written() {
    let home = Home::new();
    let dir = home.project("shop");
    let session = Session::new(&home, "s1", &dir);
    let key = ["ghp", "_R4nd0mR4nd0mR4nd0mR4nd0mR4nd0mR4nd0"].concat();
    session.prompt(
        "p1",
        &format!("Use the token {key} <private>for my bank</private> there"),
    );
    let bytes = |home: &Home| {
        let files = std::fs::read_dir(home.data_dir()).unwrap();
        let files = files.filter_map(|file| std::fs::read(file.unwrap().path()).ok());
        String::from_utf8_lossy(&files.flatten().collect::<Vec<u8>>()).into_owned()
    };
    assert!(bytes(&home).contains("Use the token") && !bytes(&home).contains(&key));
    assert!(!bytes(&home).contains("for my bank"));
}

on_every_store!(a_prompt_without_a_stop_is_finished_by_the_next_start);
fn a_prompt_without_a_stop_is_finished_by_the_next_start(home: Home) {
    let dir = std::path::Path::new("/nowhere/shop");
    let lines = transcript_turn("s1", "p1", "Rename the flag", "Renamed it in three files.");
    let transcript = home.file("projects/s1.jsonl", lines);
    let elsewhere = home.file("projects/other.jsonl", "nothing of this session");
    let session = Session::new(&home, "s1", dir);
    let asked = |id: &str, prompt: &str, transcript: &std::path::Path| {
        let fields = json!({"prompt_id": id, "prompt": prompt, "transcript_path": transcript});
        session.tell("UserPromptSubmit", fields);
    };
    asked("p1", "Rename the flag", &transcript);
    asked("p2", "Then write the docs", &elsewhere);
    assert_eq!(words(&home), [""; 0]);
    // A session beside it may still be at work on its own.
    Session::new(&home, "s2", dir).start("startup");
    assert_eq!(words(&home), [""; 0]);
    session.start("resume");
    assert_eq!(
        words(&home),
        [
            "Rename the flag\n\nRenamed it in three files.",
            "Then write the docs"
        ]
    );
    // The reply was only late.
    session.stop("p2", "The docs are written.");
    session.start("resume");
    assert_eq!(
        words(&home),
        [
            "Rename the flag\n\nRenamed it in three files.",
            "Then write the docs\n\nThe docs are written."
        ]
    );
    check_store(&home);
}

on_every_store!(a_session_ends_with_its_summary);
fn a_session_ends_with_its_summary(home: Home) {
    let dir = home.project("shop");
    let session = Session::new(&home, "s1", &dir);
    session.start("startup");
    session.turn(
        "p1",
        "Add a retry to the uploader",
        "Added, with three attempts.",
    );
    let file = dir.join("src/upload.rs");
    session.prompt("p2", "Now test it");
    session.tell(
        "PostToolUse",
        json!({"prompt_id": "p2", "tool_use_id": "t1", "tool_name": "Write",
        "tool_input": {"file_path": file}}),
    );
    session.stop(
        "p2",
        "The test passes.\n\n- Shall the attempts be configurable?",
    );
    for _ in 0..2 {
        session.end();
    }
    let memories = kept(&home);
    let summaries: Vec<&Value> = memories
        .iter()
        .filter(|memory| memory["kind"] == "summary")
        .collect();
    assert_eq!(summaries.len(), 1, "{memories:#?}");
    let text = summaries[0]["content"].as_str().unwrap();
    for part in [
        "2 prompts. First: Add a retry to the uploader",
        "Last: Now test it",
        "Files: src/upload.rs",
        "Open: Shall the attempts be configurable?",
    ] {
        assert!(text.contains(part), "{text}");
    }
    // The next session starts with it; a longer session replaces it.
    let next = Session::new(&home, "s2", &dir).start("startup");
    assert!(next.contains("Add a retry to the uploader"), "{next}");
    session.start("resume");
    session.turn("p3", "Make them configurable", "Done.");
    session.end();
    let memories = kept(&home);
    let summaries = memories.iter().filter(|memory| memory["kind"] == "summary");
    assert_eq!(summaries.count(), 1);
    check_store(&home);
}

#[test]
fn a_project_may_forbid() {
    let home = Home::new();
    let dir = home.project("shop/src");
    home.file(
        "shop/.sage.toml",
        "never = [\"secrets/\", \"project walrus\"]\n",
    );
    let session = Session::new(&home, "s1", &dir);
    session.start("startup");
    session.turn("p1", "What does Project Walrus cost?", "A lot.");
    session.turn("p2", "And the other project?", "As much as project walrus.");
    session.prompt("p3", "Show me the passwords");
    session.tell(
        "PostToolUse",
        json!({"prompt_id": "p3", "tool_use_id": "t1", "tool_name": "Bash",
        "tool_input": {"command": "cat secrets/a.txt"}}),
    );
    session.stop("p3", "There they are.");
    session.turn("p4", "How is the weather?", "Rainy in Oslo.");
    assert_eq!(words(&home), ["How is the weather?\n\nRainy in Oslo."]);

    home.file("shop/.sage.toml", "inject = false\n");
    assert_eq!(
        session.turn("p5", "Is the weather rainy in Oslo?", "Yes, still."),
        ""
    );
    assert_eq!(words(&home).len(), 2, "quiet, and it goes on listening");
    home.file("shop/.sage.toml", "capture = false\n");
    let other = Session::new(&home, "s2", &dir);
    let given = other.turn("p6", "How is the weather in Oslo?", "Sunny.");
    assert!(given.contains("Rainy in Oslo"), "{given}");
    home.file("shop/.sage.toml", "captur = flase\n");
    assert_eq!(
        other.turn("p7", "How is the weather in Oslo now?", "Sunny."),
        ""
    );
    assert_eq!(words(&home).len(), 2);
}
