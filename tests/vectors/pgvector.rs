//! PostgreSQL with the extension.

use std::cell::Cell;

use serde_json::json;

use super::{OTHERS, all_made, found, remember, serve, vectors};
use crate::harness::{Database, Embedder, Home, Server, clusters, on_postgres, skipped};

const WANTED: &str = "The blue car is broken since Monday";

/// Runs a test on each server that offers pgvector; says so where there is none.
fn with_pgvector(test: &str, body: impl Fn(Home)) {
    let count = Cell::new(0);
    on_postgres(test, |database| {
        let offers = "SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'";
        if database.sql(offers) == "1" {
            count.set(count.get() + 1);
            body(Home::on(database));
        }
    });
    if count.get() == 0 && !clusters().is_empty() {
        skipped(
            test,
            "no PostgreSQL with pgvector is installed; SAGE_TEST_POSTGRES may name one",
        );
    }
}

/// The store's own number of the service's model: the built-in one may have come first.
fn number_of_the_model(database: &Database) -> String {
    database.sql("SELECT id FROM model WHERE name = 'words'")
}

#[test]
fn any_dimension_has_an_index() {
    with_pgvector("vectors::pgvector::any_dimension_has_an_index", |home| {
        let database = home.postgres().unwrap();
        let embedder = Embedder::start(4_096);
        let server = serve(&home, &embedder, &[]);
        OTHERS.iter().for_each(|text| remember(&server, text));
        remember(&server, WANTED);
        all_made(&server);
        assert_eq!(found(&server, "defective automobile")[0], WANTED);
        assert_eq!(vectors(&server)["store_problem"], json!(null));
        let index = database.sql(&format!(
            "SELECT indexdef FROM pg_indexes WHERE indexname = 'embedding_nearest_{}'",
            number_of_the_model(database)
        ));
        assert!(
            index.contains("bit(4096)") && index.contains("hnsw"),
            "{index}"
        );
    });
}

#[test]
fn without_the_right_to_make_it_all_works_and_it_is_noticed_later() {
    let test = "vectors::pgvector::without_the_right_to_make_it_all_works_and_it_is_noticed_later";
    with_pgvector(test, |home| {
        let database = home.postgres().unwrap();
        let role = format!("plain_{}", database.name);
        database.sql(&format!(
            "CREATE ROLE {role} LOGIN; CREATE SCHEMA sage AUTHORIZATION {role};
             REVOKE CREATE ON SCHEMA public FROM PUBLIC"
        ));
        let url = database.url().replace("user=sage", &format!("user={role}"));
        let embedder = Embedder::start(64);
        let server = serve(&home, &embedder, &[("SAGE_DATABASE_URL", &url)]);
        OTHERS.iter().for_each(|text| remember(&server, text));
        remember(&server, WANTED);
        all_made(&server);
        assert_eq!(found(&server, "defective automobile")[0], WANTED);
        let status = server.tool("get_status", json!({}));
        assert!(status.contains("pgvector) is not installed"), "{status}");

        database.sql("CREATE EXTENSION vector SCHEMA public");
        remember(&server, "Something that wakes the server up");
        all_made(&server);
        assert_eq!(vectors(&server)["store_problem"], json!(null));
        assert_eq!(found(&server, "defective automobile")[0], WANTED);
    });
}

/// More passages than are compared one by one, most of them made by the database itself.
#[test]
fn a_large_project_is_searched_by_the_index() {
    let test = "vectors::pgvector::a_large_project_is_searched_by_the_index";
    with_pgvector(test, |home| {
        let database = home.postgres().unwrap();
        let embedder = Embedder::start(128);
        let server = serve(&home, &embedder, &[]);
        OTHERS.iter().for_each(|text| remember(&server, text));
        remember(&server, WANTED);
        all_made(&server);
        let model = number_of_the_model(database);
        database.sql(&format!(
            "DROP INDEX embedding_nearest_{model};
             SELECT setseed(0.5);
             INSERT INTO passage (memory_id, project_id, position, created_ms, start_byte, end_byte,
                                  length, kind, terms)
             SELECT memory_id, project_id, position, created_ms, start_byte, end_byte, 1, kind, ''
             FROM passage, generate_series(1, 1700) WHERE id <= 12;
             INSERT INTO embedding (passage_id, model_id, project_id, digest, code, levels)
             SELECT id, {model}, project_id, int8send(id),
                    (random() * 9e18)::bigint::bit(64) || (random() * 9e18)::bigint::bit(64),
                    decode(repeat('00', 228), 'hex')
             FROM passage WHERE length = 1"
        ));
        database
            .sql("DELETE FROM pending; UPDATE holding SET passages = passages + 20400; ANALYZE");
        // It notices that the index is gone, and makes it anew.
        remember(&server, "Something that wakes the server up");
        all_made(&server);
        crate::harness::eventually("an index", || {
            (vectors(&server)["store_problem"] == json!(null)).then_some(())
        });
        let query = "the blue automobile is defective since Monday";
        assert_eq!(found(&server, query)[0], WANTED);
        let scans = format!(
            "SELECT idx_scan FROM pg_stat_user_indexes
             WHERE indexrelname = 'embedding_nearest_{model}'"
        );
        crate::harness::eventually("a scan of the index", || {
            (database.sql(&scans) != "0").then_some(())
        });
    });
}

#[test]
fn a_store_too_large_for_the_table_without_an_index_says_so() {
    on_postgres(
        "vectors::pgvector::a_store_too_large_for_the_table_without_an_index_says_so",
        |database| {
            let home = Home::on(database);
            let server = Server::start(&home);
            remember(&server, WANTED);
            let database = home.postgres().unwrap();
            database.sql("DROP EXTENSION IF EXISTS vector CASCADE");
            let status = || server.tool("get_status", json!({}));
            assert!(!status().contains("PROBLEM"), "{}", status());
            // What is counted decides; to keep as much would take minutes.
            database.sql("UPDATE holding SET passages = 60000");
            assert!(
                status().contains("pgvector) is not installed"),
                "{}",
                status()
            );
        },
    );
}
