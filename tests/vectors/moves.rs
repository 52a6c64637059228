//! Vectors move where that is wanted, and nobody has to make them again.

use serde_json::json;

use super::{OTHERS, all_made, found, remember, serve, vectors};
use crate::harness::Embedder;
use crate::store::check_store;
use crate::transfer::{import, lines, on_every_pair, same};

const WITH_VECTORS: [&str; 2] = ["export", "--with-vectors"];

#[test]
fn vectors_move_along() {
    on_every_pair("vectors_move_along", |from, to| {
        // No whole number of bytes, nor of fours.
        let embedder = Embedder::start(213);
        let wanted = "The blue car is broken since Monday";
        let server = serve(&from, &embedder, &[]);
        OTHERS.iter().for_each(|text| remember(&server, text));
        remember(&server, wanted);
        all_made(&server);
        drop(server);
        let plain = from.ok(["export"]);
        assert!(!plain.contains(r#""type":"vector""#) && !plain.contains(r#""type":"model""#));
        let export = from.ok(WITH_VECTORS);
        let of_one = from.ok(["export", "--with-vectors", "--project", "acme/shop"]);
        same(&lines(&export), &lines(&of_one));

        let file = from.file("all.jsonl", &export);
        assert_eq!(import(&to, &file)["vectors"], OTHERS.len() + 1);
        check_store(&to);
        same(&lines(&export), &lines(&to.ok(WITH_VECTORS)));
        let again = import(&to, &file);
        assert_eq!(again["vectors"], 0);
        same(&lines(&export), &lines(&to.ok(WITH_VECTORS)));

        // Nothing is asked of the model but the question.
        let asked = embedder.texts().len();
        let server = serve(&to, &embedder, &[]);
        assert_eq!(vectors(&server)["passages_waiting"], json!(0));
        assert_eq!(found(&server, "defective automobile")[0], wanted);
        assert_eq!(embedder.texts()[asked..], ["defective automobile"]);
        drop(server);

        // A backup that has them brings them back, also in the place of others.
        let backup = to.path().join("backup.jsonl");
        let backup = backup.to_str().unwrap();
        to.ok(["backup", "--with-vectors", backup]);
        for args in [
            ["restore", "--json", "--force", backup],
            ["restore", "--json", "--force", backup],
        ] {
            assert_eq!(from.json(args)["vectors"], OTHERS.len() + 1);
        }
        check_store(&from);
        same(&lines(&export), &lines(&from.ok(WITH_VECTORS)));
    });
}
