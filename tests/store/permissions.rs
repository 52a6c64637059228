//! What may not be written, and who may read what is.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::consistency::check;
use super::{PROJECT, connect, number, store_files};
use crate::harness::{Client, Era, Finished, Home, executable, finish};

/// Permissions do not bind root, so root runs Sage as nobody.
const NOBODY: u32 = 65_534;

/// Runs Sage as somebody whom permissions bind, from a copy that this somebody can reach.
struct Somebody<'a> {
    home: &'a Home,
    executable: PathBuf,
    is_root: bool,
}

impl<'a> Somebody<'a> {
    fn new(home: &'a Home) -> Self {
        let copy = home.path().join("sage");
        // By a process of its own: while this one has the copy open for writing, a child that another test forks at that
        // moment holds it open too, and to run the copy is "text file busy".
        let copying = Command::new("cp").arg(executable()).arg(&copy).status();
        assert!(copying.unwrap().success());
        set_mode(&copy, 0o755);
        let is_root = home.path().metadata().unwrap().uid() == 0;
        let somebody = Self {
            home,
            executable: copy,
            is_root,
        };
        set_mode(home.path(), 0o755);
        somebody
    }

    /// Gives a file to this somebody.
    fn owns(&self, path: &Path, mode: u32) {
        set_mode(path, mode);
        if self.is_root {
            chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }

    fn command(&self, args: &[&str]) -> Command {
        let like = self.home.command(args);
        let mut command = Command::new(&self.executable);
        command.args(args).current_dir("/").env_clear();
        for (name, value) in like.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        if self.is_root {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }

    fn remember(&self, text: &str) -> Finished {
        finish(&mut self.command(&["remember", "--project", PROJECT, text]))
    }

    /// One line that names the place and the way out, from the command line and the server.
    #[track_caller]
    fn cannot_remember(&self) {
        let finished = self.remember("The mirror is called agate.");
        assert_eq!(finished.code, 1, "{finished:?}");
        assert_eq!(finished.stdout, "");
        let mut command = self.command(&["mcp", "--project", PROJECT]);
        command.env("CLAUDE_CODE_SESSION_ID", "s");
        let mut client = Client::start(command, Era::Modern);
        let note = serde_json::json!({"content": "The mirror is called agate."});
        let told = client.tool_error("remember", note);
        for text in [finished.stderr.trim_end(), told.lines().next().unwrap()] {
            let data = self.home.data_dir();
            assert_eq!(text.lines().count(), 1, "{text}");
            for words in [data.to_str().unwrap(), "SAGE_DATA_DIR"] {
                assert!(text.contains(words), "\"{words}\" is missing: {text}");
            }
        }
    }
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().mode() & 0o777
}

/// A store of somebody's with one memory in it.
fn with_store<'a>(home: &'a Home) -> Somebody<'a> {
    let somebody = Somebody::new(home);
    home.project("data");
    somebody.owns(&home.data_dir(), 0o700);
    let finished = somebody.remember("The archive is called beryl.");
    assert_eq!(finished.code, 0, "{finished:?}");
    somebody
}

/// With its rights back, the store is as it was and goes on.
#[track_caller]
fn check_nothing_lost(somebody: &Somebody<'_>) {
    somebody.owns(&somebody.home.data_dir(), 0o700);
    for file in store_files(&somebody.home.data_dir()) {
        somebody.owns(&file, 0o600);
    }
    let finished = somebody.remember("The mirror is called agate.");
    assert_eq!(finished.code, 0, "{finished:?}");
    let db = check(&somebody.home.database());
    assert_eq!(number(&db, "SELECT count(*) FROM memory"), 2);
}

#[test]
fn a_folder_that_cannot_be_made_is_told() {
    let home = Home::new();
    let somebody = Somebody::new(&home);
    set_mode(home.path(), 0o555);
    somebody.cannot_remember();
    set_mode(home.path(), 0o755);
    assert!(!home.data_dir().exists());
}

#[test]
fn a_folder_that_cannot_be_written_is_told() {
    let home = Home::new();
    let somebody = Somebody::new(&home);
    home.project("data");
    somebody.owns(&home.data_dir(), 0o500);
    somebody.cannot_remember();
    assert!(store_files(&home.data_dir()).is_empty());
}

#[test]
fn a_store_in_a_folder_that_cannot_be_written_is_told() {
    let home = Home::new();
    let somebody = with_store(&home);
    somebody.owns(&home.data_dir(), 0o500);
    somebody.cannot_remember();
    check_nothing_lost(&somebody);
}

#[test]
fn a_database_that_cannot_be_written_is_told_and_can_be_searched() {
    let home = Home::new();
    let somebody = with_store(&home);
    somebody.owns(&home.database(), 0o400);
    somebody.cannot_remember();
    let found = finish(&mut somebody.command(&["search", "--all", "archive"]));
    assert!(found.stdout.contains("beryl"), "{found:?}");
    check_nothing_lost(&somebody);
}

#[test]
fn a_database_that_cannot_be_read_is_told() {
    let home = Home::new();
    let somebody = with_store(&home);
    somebody.owns(&home.database(), 0o000);
    somebody.cannot_remember();
    check_nothing_lost(&somebody);
}

#[test]
fn a_file_where_the_folder_should_be_is_told() {
    let home = Home::new();
    home.file("data", "no folder");
    let finished = home.run([
        "remember",
        "--project",
        PROJECT,
        "The mirror is called agate.",
    ]);
    assert_eq!(finished.code, 1, "{finished:?}");
    assert!(
        finished.stderr.contains("SAGE_DATA_DIR"),
        "{}",
        finished.stderr
    );
    assert_eq!(std::fs::read(home.data_dir()).unwrap(), b"no folder");
}

#[test]
fn the_store_is_for_its_owner_only() {
    let home = Home::new();
    let mut pipe = connect(&home, "s");
    pipe.save(1, "Where is the archive?", "It is on beryl.");
    assert_eq!(mode(&home.data_dir()), 0o700);
    let files = store_files(&home.data_dir());
    let names: Vec<_> = files.iter().map(|file| file.file_name().unwrap()).collect();
    assert_eq!(names, ["sage.db", "sage.db-shm", "sage.db-wal"]);
    for file in &files {
        assert_eq!(mode(file), 0o600, "{}", file.display());
    }
    pipe.end();
}

#[test]
fn a_generous_umask_changes_nothing() {
    let home = Home::new();
    let command = home.command(["remember", "--project", PROJECT, "The archive is on beryl."]);
    let mut shell = Command::new("sh");
    shell.args(["-c", "umask 0; exec \"$0\" \"$@\""]);
    shell
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear();
    for (name, value) in command.get_envs() {
        shell.env(name, value.unwrap_or_default());
    }
    assert_eq!(finish(&mut shell).code, 0);
    assert_eq!(mode(&home.data_dir()), 0o700);
    for file in store_files(&home.data_dir()) {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[test]
fn the_store_is_where_the_settings_say() {
    type Case<'a> = (&'a [(&'a str, &'a str)], Option<&'a str>);
    let cases: [Case; 7] = [
        (
            &[("SAGE_DATA_DIR", "~/a"), ("XDG_DATA_HOME", "~/b")],
            Some("a"),
        ),
        (
            &[("SAGE_DATA_DIR", ""), ("XDG_DATA_HOME", "~/b")],
            Some("b/sage"),
        ),
        (&[("XDG_DATA_HOME", "~/deep/er")], Some("deep/er/sage")),
        // The specification has relative paths ignored.
        (&[("XDG_DATA_HOME", "b")], Some(".local/share/sage")),
        (&[], Some(".local/share/sage")),
        (&[("HOME", "")], None),
        (&[("SAGE_DATA_DIR", "relative")], None),
    ];
    for (settings, expected) in cases {
        let home = Home::new();
        let mut command = home.command(["remember", "--project", PROJECT, "The mirror is agate."]);
        command.env_remove("SAGE_DATA_DIR");
        for (name, value) in settings {
            command.env(name, value.replace('~', home.path().to_str().unwrap()));
        }
        let finished = finish(&mut command);
        let Some(folder) = expected else {
            assert_eq!(finished.code, 2, "{settings:?}: {finished:?}");
            assert!(
                finished.stderr.contains("SAGE_DATA_DIR"),
                "{}",
                finished.stderr
            );
            continue;
        };
        assert_eq!(finished.code, 0, "{settings:?}: {finished:?}");
        let folder = home.path().join(folder);
        assert!(folder.join("sage.db").is_file(), "{settings:?}");
        assert_eq!(mode(&folder), 0o700);
    }
}
