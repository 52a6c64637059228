use sage::claude::transcript::{FoundTranscripts, find_transcripts};

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

fn names(found: &FoundTranscripts, root: &Path) -> Vec<PathBuf> {
    let below = |path: &PathBuf| path.strip_prefix(root).unwrap().to_owned();
    found.files.iter().map(below).collect()
}

fn make(root: &Path, files: &[&str]) {
    for file in files {
        let path = root.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
}

#[test]
fn a_file_is_taken_as_it_is_and_nothing_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path(), &["notes.txt"]);
    let found = find_transcripts(&folder.path().join("notes.txt")).unwrap();
    assert_eq!(names(&found, folder.path()), [Path::new("notes.txt")]);
    let error = find_transcripts(&folder.path().join("missing")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}

#[test]
fn a_folder_is_searched_in_order_without_subagents_and_tool_results() {
    let folder = tempfile::tempdir().unwrap();
    make(
        folder.path(),
        &[
            "b/s2.jsonl",
            "b/s2/subagents/agent-1.jsonl",
            "b/s2/tool-results/r.jsonl",
            "b/s2/deeper/s3.jsonl",
            "a/s1.jsonl",
            "a/s1.json",
            "a/folder.jsonl/x.txt",
            "z.jsonl",
        ],
    );
    let found = find_transcripts(folder.path()).unwrap();
    assert!(found.unreadable.is_empty());
    let expected = [
        "a/s1.jsonl",
        "b/s2/deeper/s3.jsonl",
        "b/s2.jsonl",
        "z.jsonl",
    ];
    assert_eq!(names(&found, folder.path()), expected.map(PathBuf::from));
    let inside = find_transcripts(&folder.path().join("b/s2/subagents")).unwrap();
    assert_eq!(
        inside.files.len(),
        1,
        "a folder that was asked for is searched"
    );
}

#[cfg(unix)]
#[test]
fn links_are_followed_once_and_dead_ones_are_reported() {
    use std::os::unix::fs::symlink;

    let folder = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    make(folder.path(), &["a/s1.jsonl"]);
    make(elsewhere.path(), &["s2.jsonl"]);
    symlink(folder.path(), folder.path().join("a/loop")).unwrap();
    symlink(elsewhere.path(), folder.path().join("linked")).unwrap();
    symlink(elsewhere.path(), folder.path().join("linked-again")).unwrap();
    symlink("nowhere", folder.path().join("dead.jsonl")).unwrap();
    let found = find_transcripts(folder.path()).unwrap();
    assert_eq!(found.files.len(), 2, "{:?}", found.files);
    assert_eq!(found.files[0], folder.path().join("a/s1.jsonl"));
    assert_eq!(found.files[1].file_name().unwrap(), "s2.jsonl");
    let [(path, error)] = &found.unreadable[..] else {
        panic!("one dead link: {:?}", found.unreadable);
    };
    assert_eq!(path, &folder.path().join("dead.jsonl"));
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}

#[cfg(unix)]
#[test]
fn what_is_no_regular_file_is_not_found() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path(), &["a.jsonl"]);
    let socket = folder.path().join("b.jsonl");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let found = find_transcripts(folder.path()).unwrap();
    assert_eq!(names(&found, folder.path()), [Path::new("a.jsonl")]);
    assert!(found.unreadable.is_empty());
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_read_is_reported_and_the_rest_is_found() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    make(
        folder.path(),
        &["a/s1.jsonl", "closed/s2.jsonl", "z/s3.jsonl"],
    );
    let closed = folder.path().join("closed");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    // Permissions do not bind the superuser, who finds all three.
    let is_closed = fs::read_dir(&closed).is_err();
    let found = find_transcripts(folder.path()).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    let reported: Vec<_> = found.unreadable.iter().map(|(path, _)| path).collect();
    if is_closed {
        assert_eq!(reported, [&closed]);
        assert_eq!(
            names(&found, folder.path()),
            ["a/s1.jsonl", "z/s3.jsonl"].map(PathBuf::from)
        );
    } else {
        assert!(reported.is_empty());
        assert_eq!(found.files.len(), 3);
    }
}
