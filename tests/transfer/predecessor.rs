//! What the predecessor kept in PostgreSQL becomes turns.

use serde_json::{Value, json};

use crate::harness::{Database, Home, clusters, finish, skipped};
use crate::store::check_store;

const TABLES: &str = "
    CREATE TABLE sessions (id uuid PRIMARY KEY, session_id text NOT NULL,
                           created_at timestamptz DEFAULT now());
    CREATE TABLE memories (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(), session_id uuid REFERENCES sessions,
        user_input text, assistant_response text, metadata jsonb, embedding float4[],
        created_at timestamptz NOT NULL);
    INSERT INTO sessions VALUES ('00000000-0000-0000-0000-000000000001', 'monday');
    INSERT INTO memories (session_id, user_input, assistant_response, metadata, created_at)
    SELECT '00000000-0000-0000-0000-000000000001', 'How is gadget' || n || ' 造?',
           'With widget' || n || '.', jsonb_build_object('n', n),
           '2025-03-01 12:00+02'::timestamptz + n * interval '1 minute'
    FROM generate_series(1, 500) AS n;
    INSERT INTO memories (user_input, assistant_response, metadata, created_at) VALUES
        ('ok', NULL, NULL, '2025-04-01'),
        ('password: correcthorse99', 'Noted.', '[1]',
         '2025-04-02'),
        (NULL, 'Said without being asked.', '{\"password\": \"hunter2222\"}', '2025-04-03');";

/// The predecessor's tables in a database of their own, on each server.
fn on_predecessors(test: &str, body: impl Fn(&Database)) {
    if clusters().is_empty() {
        return skipped(test, "no PostgreSQL is installed");
    }
    for cluster in clusters() {
        body(&Database::new(cluster));
    }
}

fn import(home: &Home, database: &Database) -> Value {
    let mut command = home.command([
        "import",
        "predecessor",
        "--json",
        "--project",
        "old",
        "--from-env",
        "OLD_DATABASE",
    ]);
    let finished = finish(command.env("OLD_DATABASE", database.url()));
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    serde_json::from_str(&finished.stdout).unwrap()
}

#[test]
fn its_turns_come_over_once() {
    on_predecessors("its_turns_come_over_once", |database| {
        database.cluster.sql(&database.name, TABLES);
        for home in [Home::new(), Home::on(Database::new(&database.cluster))] {
            let first = import(&home, database);
            assert_eq!(first["turns"]["stored"], 502, "{first}");
            assert_eq!(first["turns"]["refused"][0]["count"], 1, "{first}");
            assert_eq!(first["redacted"], 2, "{first}");
            let again = import(&home, database);
            assert_eq!(again["turns"]["stored"], 0, "{again}");
            assert_eq!(again["turns"]["known"], 502, "{again}");
            check_store(&home);

            let hit = home.json(["search", "--all", "--json", "gadget77"])["hits"][0].clone();
            assert_eq!(hit["prompt"], "How is gadget77 造?");
            assert_eq!(hit["reply"], "With widget77.");
            assert_eq!(hit["session"], "monday");
            assert_eq!(hit["project"], "old");
            assert_eq!(hit["created_at"], "2025-03-01T11:17:00Z");
            assert_eq!(hit["metadata"], json!({"n": 77}));
            let all = home.ok(["export"]);
            assert!(!all.contains("correcthorse99") && !all.contains("hunter2222"));
        }
        // Nothing was written there.
        let count = database
            .cluster
            .sql(&database.name, "SELECT count(*) FROM memories");
        assert_eq!(count, "503");
    });
}

#[test]
fn a_password_does_not_belong_on_the_command_line() {
    let home = Home::new();
    let secret = "postgres://u:hunter2@127.0.0.1:1/x";
    let finished = home.run(["import", "predecessor", secret]);
    assert_eq!(finished.code, 2);
    assert!(
        finished.stderr.contains("--url-file"),
        "{}",
        finished.stderr
    );
    let file = home.file("old.url", secret);
    let away = home.run([
        "import",
        "predecessor",
        "--url-file",
        file.to_str().unwrap(),
    ]);
    assert_eq!(away.code, 1);
    let unset = home.run(["import", "predecessor", "--from-env", "NOT_THERE"]);
    assert!(unset.stderr.contains("NOT_THERE"), "{}", unset.stderr);
    let neither = home.run(["import", "predecessor"]);
    assert_eq!(neither.code, 2, "{}", neither.stderr);
    for finished in [finished, away, unset, neither] {
        assert!(!finished.stderr.contains("hunter2"), "{}", finished.stderr);
    }
}

#[test]
fn other_tables_are_told_apart() {
    on_predecessors("other_tables_are_told_apart", |database| {
        let home = Home::new();
        let url = database.url();
        let none = home.run(["import", "predecessor", &url]);
        assert_eq!(none.code, 1);
        assert!(none.stderr.contains("table `memories`"), "{}", none.stderr);
        // Without sessions, and with numbers and times of another type.
        database.cluster.sql(
            &database.name,
            "CREATE TABLE memories (id serial PRIMARY KEY, session_id text, user_input text,
                 assistant_response text, created_at timestamp);
             INSERT INTO memories (session_id, user_input, assistant_response, created_at)
             VALUES ('s', 'Why is the sky blue?', 'It scatters.', '2025-03-01 12:00')",
        );
        home.ok(["import", "predecessor", &url]);
        let hit = home.json(["search", "--all", "--json", "sky"])["hits"][0].clone();
        assert_eq!(hit["created_at"], "2025-03-01T12:00:00Z");
        assert_eq!(hit["project"], "unassigned");
    });
}
