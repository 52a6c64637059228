//! Where the probe asks.

use std::os::unix::ffi::OsStrExt;

use super::{has_reason, run};
use crate::harness::{Home, Server};

#[test]
fn a_port_that_is_none_is_a_failure() {
    let long = "9".repeat(100_000);
    for wrong in ["65536", "12x", "-1", " 80", "1e3", "http", &long] {
        let finished = run(&[("SAGE_PORT", wrong)]);
        has_reason(&finished, &["SAGE_PORT is no port", "1 to 65535"]);
    }
    let other = std::ffi::OsStr::from_bytes(b"\xff\xfe");
    has_reason(&run(&[("SAGE_PORT", other)]), &["SAGE_PORT is no port"]);
    has_reason(&run(&[("SAGE_PORT", "0")]), &["port 0", "SAGE_PORT"]);
}

#[test]
fn it_finds_the_server_by_the_settings_of_the_server() {
    let home = Home::new();
    let server = Server::start(&home);
    let port = server.port().to_string();
    let everywhere = format!("0.0.0.0:{port}");
    let second = format!("unix:/run/sage.sock, {everywhere}");
    for settings in [
        vec![("SAGE_PORT", &*port)],
        vec![("SAGE_LISTEN", &*everywhere)],
        vec![("SAGE_LISTEN", &second)],
        vec![("SAGE_PORT", ""), ("SAGE_LISTEN", &everywhere)],
        vec![("SAGE_PORT", &port), ("SAGE_LISTEN", "0.0.0.0:1")],
        vec![
            ("SAGE_PORTS", "1"),
            ("XSAGE_PORT", "1"),
            ("SAGE_PORT", &port),
        ],
    ] {
        let finished = run(&settings);
        assert_eq!(finished.code, 0, "{settings:?}: {finished:?}");
    }
    let finished = run(&[("SAGE_LISTEN", "unix:/run/sage.sock")]);
    has_reason(&finished, &["SAGE_LISTEN", "SAGE_PORT"]);
}
