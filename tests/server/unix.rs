//! Sockets in the file system.

use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;

use super::listening::is_refused;
use super::run;
use crate::harness::{Ask, Connection, Home, Server};

fn at(home: &Home) -> (std::path::PathBuf, String) {
    let path = home.path().join("sage.sock");
    let word = format!("unix:{}", path.display());
    (path, word)
}

#[track_caller]
fn is_alive(path: &std::path::Path) {
    let mut connection = Connection::unix(path);
    connection.send(&Ask::get("/health").bytes());
    let value = connection.reply().is(200).json();
    assert_eq!(value["memory_count"], 0, "a socket is this machine");
}

#[test]
fn only_its_owner_may_use_a_socket_and_it_goes_with_the_server() {
    let home = Home::new();
    let (path, word) = at(&home);
    let server = Server::at(&home, &[&word], &[]);
    let metadata = std::fs::metadata(&path).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    is_alive(&path);
    assert!(server.end().status.success());
    assert!(!path.exists());
}

#[test]
fn a_socket_that_a_crash_left_is_replaced() {
    let home = Home::new();
    let (path, word) = at(&home);
    drop(Server::at(&home, &[&word], &[]));
    let leftover = std::fs::metadata(&path).unwrap();
    assert!(leftover.file_type().is_socket());
    let server = Server::at(&home, &[&word], &[]);
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    is_alive(&path);
    drop(server);
}

#[test]
fn a_socket_that_somebody_listens_at_is_left_to_them() {
    let home = Home::new();
    let (path, word) = at(&home);
    let _listener = UnixListener::bind(&path).unwrap();
    let before = std::fs::metadata(&path).unwrap().ino();
    let finished = run(&home, ["serve", "--listen", &word]);
    is_refused(&finished, 1, &[&word, "somebody listens there"]);
    assert_eq!(std::fs::metadata(&path).unwrap().ino(), before);
}

#[test]
fn a_file_that_is_no_socket_is_never_removed() {
    let home = Home::new();
    let (path, word) = at(&home);
    std::fs::write(&path, "precious").unwrap();
    let finished = run(&home, ["serve", "--listen", &word]);
    is_refused(&finished, 1, &[&word, "is no socket"]);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");

    let folder = format!("unix:{}", home.project("folder").display());
    is_refused(
        &run(&home, ["serve", "--listen", &folder]),
        1,
        &[&folder, "is no socket"],
    );
    let nowhere = format!("unix:{}/no/folder/s.sock", home.path().display());
    is_refused(&run(&home, ["serve", "--listen", &nowhere]), 1, &[&nowhere]);
}

#[test]
fn a_socket_that_another_server_made_since_is_left_to_it() {
    let home = Home::new();
    let (path, word) = at(&home);
    let first = Server::at(&home, &[&word], &[]);
    std::fs::remove_file(&path).unwrap();
    let second = Server::at(&home, &[&word], &[]);
    assert!(first.end().status.success());
    is_alive(&path);
    assert!(second.end().status.success());
    assert!(!path.exists());
}

#[test]
fn a_start_that_fails_leaves_no_socket_behind() {
    let home = Home::new();
    let (path, word) = at(&home);
    let taken = Server::start(&home);
    let finished = run(
        &home,
        ["serve", "--listen", &word, "--listen", taken.address()],
    );
    is_refused(&finished, 1, &["another Sage"]);
    assert!(!path.exists());
}
