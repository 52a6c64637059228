//! Servers that are not there yet, go away, come back, or will not have what is asked.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Ask, Database, Home, Server, eventually, on_postgres};

/// No call may take longer, whatever the database does: connecting, and waiting for one that starts.
const DEADLINE: Duration = Duration::from_secs(8);

fn is_healthy(server: &Server) -> bool {
    server.get("/health").json()["status"] == "healthy"
}

#[test]
fn a_server_waits_for_its_database_and_outlives_it() {
    on_postgres(
        "a_server_waits_for_its_database_and_outlives_it",
        |database| {
            let cluster = database.cluster.another();
            cluster.order("stop");
            let home = Home::new();
            let url = cluster.url("postgres");
            let server = Server::with(&home, &[("SAGE_DATABASE_URL", &url)]);
            let note = json!({"content": "The lantern is green."});
            for _ in 0..12 {
                let begin = Instant::now();
                let health = server.get("/health").json();
                assert_eq!(health["status"], "unhealthy", "{health}");
                let answer = server
                    .ask(&Ask::tool("remember", note.clone()))
                    .text()
                    .to_owned();
                assert!(answer.contains("cannot be reached"), "{answer}");
                assert!(begin.elapsed() < DEADLINE);
            }
            cluster.order("start");
            eventually("the database to be found", || {
                is_healthy(&server).then_some(())
            });
            crate::mcp::id_in(&server.tool("remember", note));

            // A restart between two calls is not noticed.
            cluster.order("stop");
            cluster.order("start");
            let query = json!({"query": "lantern"});
            assert!(
                server
                    .tool("search_memory", query.clone())
                    .contains("lantern is green")
            );
            cluster.order("stop");
            let gone = server
                .ask(&Ask::tool("search_memory", query.clone()))
                .text()
                .to_owned();
            assert!(gone.contains("cannot be reached"), "{gone}");
            cluster.order("start");
            eventually("the database to come back", || {
                is_healthy(&server).then_some(())
            });
            assert!(
                server
                    .tool("search_memory", query)
                    .contains("lantern is green")
            );
        },
    );
}

/// Runs `sage ARGS` and insists that it fails with these words and without the password.
#[track_caller]
fn fails(home: &Home, url: &str, args: &[&str], words: &str) {
    let begin = Instant::now();
    let mut command = home.command(args);
    command.env("SAGE_DATABASE_URL", url);
    let finished = crate::harness::finish(&mut command);
    assert_ne!(finished.code, 0, "{finished:?}");
    assert!(
        finished.stderr.contains(words),
        "{words}: {}",
        finished.stderr
    );
    assert!(!format!("{finished:?}").contains("hunter2"), "{finished:?}");
    assert!(begin.elapsed() < DEADLINE, "{:?}", begin.elapsed());
}

#[test]
fn what_is_wrong_is_said_without_secrets() {
    on_postgres("what_is_wrong_is_said_without_secrets", |database| {
        let home = Home::new();
        let folder = database.cluster.folder.display();
        for (url, words) in [
            (
                format!("postgres:///none?host={folder}&user=sage&password=hunter2"),
                "\"none\" does not exist",
            ),
            (
                format!("postgres:///x?host={folder}&user=nobody&password=hunter2"),
                "\"nobody\" does not exist",
            ),
            (
                "postgres://u:hunter2@127.0.0.1:1/x".to_owned(),
                "cannot be reached",
            ),
            (
                "postgres:///x?host=/nowhere&user=u&password=hunter2".to_owned(),
                "cannot be reached",
            ),
            (
                "postgres://u:hunter2@db.invalid/x".to_owned(),
                "cannot be reached",
            ),
            (
                "postgres://u:hunter2@db:port/x".to_owned(),
                "SAGE_DATABASE_URL",
            ),
        ] {
            for args in [
                &["list", "--all"][..],
                &["remember", "--project", "p", "A note."],
            ] {
                fails(&home, &url, args, words);
            }
        }
        let mut command = home.command(["config"]);
        command.env("SAGE_DATABASE_URL", "postgres://u:hunter2@db/x");
        let shown = crate::harness::finish(&mut command);
        assert!(!format!("{shown:?}").contains("hunter2"), "{shown:?}");
    });
}

#[test]
fn ten_processes_make_the_schema_at_once() {
    on_postgres("ten_processes_make_the_schema_at_once", |database| {
        let home = Home::on(database);
        std::thread::scope(|scope| {
            for n in 0..10 {
                let home = &home;
                scope.spawn(move || {
                    let text = format!("The lantern number {n} is green.");
                    home.ok(["remember", "--project", "acme/shop", &text]);
                });
            }
        });
        let listed = home.json(["list", "--all", "--json"]);
        assert_eq!(listed["memories"].as_array().unwrap().len(), 10);
        crate::store::check_store(&home);
    });
}

#[test]
fn a_newer_schema_is_refused_and_not_touched() {
    on_postgres("a_newer_schema_is_refused_and_not_touched", |database| {
        let home = Home::on(database);
        home.ok(["remember", "--project", "p", "The lantern is green."]);
        let database = home.postgres().unwrap();
        database.sql("UPDATE meta SET value = '999' WHERE name = 'schema_version'");
        fails(&home, &database.url(), &["list", "--all"], "newer Sage");
        fails(
            &home,
            &database.url(),
            &["remember", "--project", "p", "A note."],
            "newer Sage",
        );
        assert_eq!(database.sql("SELECT count(*) FROM memory"), "1");
    });
}

#[test]
fn tables_of_others_are_left_alone() {
    on_postgres("tables_of_others_are_left_alone", |database| {
        database.sql("CREATE SCHEMA sage; CREATE TABLE sage.memory (mine text)");
        let home = Home::new();
        fails(
            &home,
            &database.url(),
            &["list", "--all"],
            "SAGE_DATABASE_SCHEMA",
        );
        let mut command = home.command(["remember", "--project", "p", "A note."]);
        command.env("SAGE_DATABASE_URL", database.url());
        command.env("SAGE_DATABASE_SCHEMA", "sage_2");
        assert_eq!(crate::harness::finish(&mut command).code, 0);
        assert_eq!(database.sql("SELECT count(*) FROM sage_2.memory"), "1");
        assert_eq!(database.sql("SELECT count(*) FROM sage.memory"), "0");
    });
}

#[test]
fn a_role_without_the_right_to_create_is_enough() {
    on_postgres("a_role_without_the_right_to_create_is_enough", |database| {
        let role = format!("clerk_of_{}", database.name);
        database.sql(&format!("CREATE ROLE {role} LOGIN"));
        let url = database.url().replace("user=sage", &format!("user={role}"));
        let home = Home::on(database);
        let note = ["remember", "--project", "p", "The lantern is green."];
        fails(&home, &url, &note, "grant the role");
        home.ok(note);
        fails(&home, &url, &note, "grant the role");
        home.postgres().unwrap().sql(&format!(
            "GRANT USAGE ON SCHEMA sage TO {role};
             GRANT ALL ON ALL TABLES IN SCHEMA sage TO {role};
             GRANT ALL ON ALL SEQUENCES IN SCHEMA sage TO {role}"
        ));
        for text in ["The wall is white.", "The bread is rye."] {
            let mut command = home.command(["remember", "--project", "p", text]);
            command.env("SAGE_DATABASE_URL", &url);
            let finished = crate::harness::finish(&mut command);
            assert_eq!(finished.code, 0, "{finished:?}");
        }
        home.postgres()
            .unwrap()
            .sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    });
}

#[test]
fn a_database_that_may_only_be_read_says_so() {
    on_postgres("a_database_that_may_only_be_read_says_so", |database| {
        let home = Home::on(database);
        home.ok(["remember", "--project", "p", "The lantern is green."]);
        let database = home.postgres().unwrap();
        let name = &database.name;
        database.sql(&format!(
            "ALTER DATABASE {name} SET default_transaction_read_only = on"
        ));
        let note = ["remember", "--project", "p", "The wall is white."];
        fails(&home, &database.url(), &note, "target_session_attrs");
        assert!(
            home.ok(["search", "--project", "p", "lantern"])
                .contains("green")
        );
    });
}

#[test]
fn a_schema_that_was_taken_away_is_made_again() {
    on_postgres("a_schema_that_was_taken_away_is_made_again", |database| {
        let home = Home::on(database);
        let server = Server::start(&home);
        let note = json!({"content": "The lantern is green."});
        server.tool("remember", note.clone());
        home.postgres().unwrap().sql("DROP SCHEMA sage CASCADE");
        crate::mcp::id_in(&server.tool("remember", note));
        crate::store::check_store(&home);
    });
}

/// All that a dump of the database holds.
fn dump(database: &Database) -> String {
    let tables = database.sql(
        "SELECT string_agg(format('SELECT t::text FROM sage.%I t', tablename), ' UNION ALL ')
         FROM pg_tables WHERE schemaname = 'sage'",
    );
    database.sql(&tables)
}

#[test]
fn forgotten_words_are_in_no_table() {
    on_postgres("forgotten_words_are_in_no_table", |database| {
        let home = Home::on(database);
        let note = [
            "remember",
            "--project",
            "p",
            "--tag",
            "gem",
            "The chrysoprase is hidden.",
        ];
        home.ok(note);
        home.ok(["remember", "--project", "p", "The lantern is hidden."]);
        let database = home.postgres().unwrap();
        assert!(dump(database).contains("chrysopras"), "a dump shows words");
        home.ok(["forget", "--project", "p", "--yes", "--tag", "gem"]);
        let left = dump(database);
        assert!(left.contains("lantern"), "{left}");
        for word in ["chrysopras", "gem"] {
            assert!(!left.contains(word), "{left}");
        }
        crate::store::check_store(&home);
    });
}
