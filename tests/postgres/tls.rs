//! What each `sslmode` asks of a server's certificate.

use std::net::TcpListener;
use std::sync::Arc;

use crate::harness::{Cluster, Home, Setup, clusters, finish, skipped};

/// A server that speaks TLS, and its port; says so where there is none.
fn server(test: &str) -> Option<(Cluster, u16)> {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let setup = Setup {
        tls_port: Some(port),
        ..Setup::default()
    };
    let started = |cluster: &Arc<Cluster>| cluster.another_with(setup);
    let found = clusters().iter().find_map(started);
    if found.is_none() {
        skipped(test, "no PostgreSQL with TLS, or no openssl, is installed");
    }
    Some((found?, port))
}

#[test]
fn a_password_may_be_in_a_file() {
    let Some((cluster, port)) = server("a_password_may_be_in_a_file") else {
        return;
    };
    cluster.sql(
        "postgres",
        "CREATE ROLE clerk LOGIN PASSWORD 'hunter2'; GRANT CREATE ON DATABASE postgres TO clerk",
    );
    let home = Home::new();
    let place = format!("localhost:{port}/postgres?sslmode=require");
    let ask = |variables: &[(&str, &str)]| {
        let mut command = home.command(["list", "--all"]);
        finish(command.envs(variables.iter().copied()))
    };
    let path = |name: &str, text: &str| home.file(name, text).to_str().unwrap().to_owned();
    let (right, wrong) = (path("right", "hunter2\n"), path("wrong", "hunter3\n"));
    let (bare, whole) = (
        format!("postgres://clerk@{place}"),
        format!("postgres://clerk:hunter2@{place}"),
    );
    let file = path("url", &format!("{whole}\n"));
    let (url, password) = ("SAGE_DATABASE_URL", "SAGE_DATABASE_PASSWORD_FILE");
    for variables in [
        &[(url, whole.as_str())][..],
        &[("SAGE_DATABASE_URL_FILE", &file)],
        &[(url, &bare), (password, &right)],
    ] {
        let finished = ask(variables);
        assert_eq!(finished.code, 0, "{variables:?}: {finished:?}");
    }
    for variables in [
        &[(url, bare.as_str())][..],
        &[(url, &bare), (password, &wrong)],
    ] {
        let finished = ask(variables);
        assert_ne!(finished.code, 0, "{variables:?}");
        assert!(finished.stderr.contains("password"), "{finished:?}");
        assert!(!finished.stderr.contains("hunter"), "{finished:?}");
    }
}

#[test]
fn every_mode_asks_what_it_says() {
    let Some((cluster, port)) = server("every_mode_asks_what_it_says") else {
        return;
    };
    let home = Home::new();
    let authority = cluster.folder.join("authority.pem");
    // Nobody else may read what is in the server's folder.
    let authority = home.file("authority.pem", std::fs::read(authority).unwrap());
    let other = home.file("other.pem", include_str!("../fixtures/other_authority.pem"));
    let named = format!("sslrootcert={}", authority.display());
    let foreign = format!("sslrootcert={}", other.display());
    for (host, options, works) in [
        ("localhost", "sslmode=disable".to_owned(), false),
        ("localhost", "sslmode=prefer".to_owned(), true),
        ("localhost", "sslmode=require".to_owned(), true),
        ("localhost", String::new(), true),
        ("localhost", format!("sslmode=require&{foreign}"), false),
        ("localhost", "sslmode=verify-full".to_owned(), false),
        ("localhost", format!("sslmode=verify-full&{named}"), true),
        ("localhost", format!("sslmode=verify-full&{foreign}"), false),
        ("127.0.0.1", format!("sslmode=verify-full&{named}"), false),
        ("127.0.0.1", format!("sslmode=verify-ca&{named}"), true),
        ("127.0.0.1", format!("sslmode=verify-ca&{foreign}"), false),
    ] {
        let url = format!("postgres://sage@{host}:{port}/postgres?{options}");
        let mut command = home.command(["list", "--all"]);
        command.env("SAGE_DATABASE_URL", &url);
        let finished = finish(&mut command);
        assert_eq!(finished.code == 0, works, "{url}: {finished:?}");
        // The setting says the same as the address.
        if let Some((options, _)) = options.split_once("&sslrootcert=")
            && works
        {
            let mut command = home.command(["list", "--all"]);
            let url = format!("postgres://sage@{host}:{port}/postgres?{options}");
            command
                .env("SAGE_DATABASE_URL", &url)
                .env("SAGE_DATABASE_CA_FILE", &authority);
            assert_eq!(finish(&mut command).code, 0, "{url}");
        }
    }
}
