//! Backups: what was there comes back, and a restore that fails changes nothing.

use std::os::unix::fs::PermissionsExt;

use super::{answer_alike, fill, lines, on_every_pair, records, same};
use crate::harness::{Home, on_every_store};
use crate::store::check_store;

fn backup(home: &Home) -> String {
    let path = home.path().join("backup.jsonl");
    home.ok(["backup", path.to_str().unwrap()]);
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_backup_of_either_store_restores_into_either() {
    on_every_pair(
        "a_backup_of_either_store_restores_into_either",
        |from, to| {
            fill(&from, 21);
            let file = backup(&from);
            let mode = std::fs::metadata(&file).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            let before = records(&from);
            same(&lines(&std::fs::read_to_string(&file).unwrap()), &before);

            let restored = to.json(["restore", "--json", &file]);
            assert!(restored["memories"].as_u64().unwrap() > 100, "{restored}");
            check_store(&to);
            same(&before, &records(&to));
            answer_alike(&from, &to);

            // Now it holds memories: those are not replaced unless that is said.
            to.ok(["remember", "--project", "shop", "The tide is high at noon."]);
            let refused = to.run(["restore", &file]);
            assert_eq!(refused.code, 2, "{}", refused.stderr);
            for word in [
                "nothing was touched",
                "--force",
                "sage backup",
                "sage import sage",
            ] {
                assert!(refused.stderr.contains(word), "{}", refused.stderr);
            }
            assert!(records(&to).len() > before.len());
            to.ok(["restore", "--force", &file]);
            check_store(&to);
            same(&before, &records(&to));
            // It goes on from there.
            to.ok(["remember", "--project", "shop", "The tide is low at six."]);
            check_store(&to);
        },
    );
}

on_every_store!(a_backup_that_is_not_sound_leaves_the_store_alone);
fn a_backup_that_is_not_sound_leaves_the_store_alone(home: Home) {
    fill(&home, 22);
    let whole = std::fs::read_to_string(backup(&home)).unwrap();
    let before = records(&home);
    let last_line = whole.trim_end().rfind('\n').unwrap();
    let project = home.ok(["export", "--project", "shop"]);
    for (content, word) in [
        (whole.replacen("deploy", "delays", 1), "checksum"),
        (whole[..=last_line].to_owned(), "cut off"),
        (
            whole[..whole.floor_char_boundary(whole.len() / 2)].to_owned(),
            "line ",
        ),
        (
            whole.replacen("\"version\":1", "\"version\":9", 1),
            "version 9",
        ),
        (whole.clone() + "{}\n", "nothing may follow"),
        (project, "sage import sage"),
        (String::new(), "empty"),
    ] {
        let file = home.file("damaged.jsonl", content);
        let finished = home.run(["restore", "--force", file.to_str().unwrap()]);
        assert_eq!(finished.code, 1, "{word}: {}", finished.stderr);
        let told = &finished.stderr;
        assert!(
            told.contains(word) && told.contains("not touched"),
            "{word}: {told}"
        );
        same(&before, &records(&home));
    }
    check_store(&home);
}

on_every_store!(a_backup_is_taken_while_others_write_and_replaces_the_former);
fn a_backup_is_taken_while_others_write_and_replaces_the_former(home: Home) {
    fill(&home, 23);
    let file = backup(&home);
    let former = std::fs::read_to_string(&file).unwrap();
    home.ok(["remember", "--project", "shop", "The tide is high at noon."]);
    assert_eq!(backup(&home), file);
    let newer = std::fs::read_to_string(&file).unwrap();
    assert!(!former.contains("at noon") && newer.contains("at noon"));
    // No other file is left beside it.
    let hidden = std::fs::read_dir(home.path()).unwrap().filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_string_lossy().ends_with(".tmp")
    });
    assert_eq!(hidden.count(), 0);
    let nowhere = home.run(["backup", "/nowhere/at/all.jsonl"]);
    assert_eq!(nowhere.code, 1);
    assert!(
        nowhere.stderr.contains("cannot be written"),
        "{}",
        nowhere.stderr
    );
}
