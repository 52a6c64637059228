//! What the parser takes and what it refuses.

use super::parser::Dockerfile;

#[test]
fn the_parser_reads_what_builders_read() {
    let text = "# a comment\nARG A=1\n\nFROM base:${A} AS one\nRUN --mount=type=cache,target=/x \\\n\
                # between\n  make \\\n  all\nFROM scratch\nLABEL a=\"b c\" \\\n  d=e\ncopy [\"x y\", \"/z\"]\n";
    let file = Dockerfile::parse(text).unwrap();
    assert_eq!(file.stages.len(), 2);
    let run = file.stage("one").unwrap().last("RUN").unwrap();
    assert_eq!(
        (run.line, run.flag("mount")),
        (5, Some("type=cache,target=/x"))
    );
    assert_eq!(
        run.rest.split_whitespace().collect::<Vec<_>>(),
        ["make", "all"]
    );
    let labels = file.last().pairs("LABEL");
    assert_eq!((labels["a"].as_str(), labels["d"].as_str()), ("b c", "e"));
    let (sources, target) = file.last().last("COPY").unwrap().paths();
    assert_eq!((sources, target.as_str()), (vec!["x y".to_owned()], "/z"));
}

#[test]
fn the_parser_refuses_what_builders_refuse() {
    for text in [
        "",
        "# nothing\n",
        "RUN make\n",
        "FROM a b\n",
        "FROM a AS\n",
        "FROM a\nMAKE all\n",
        "FROM a\nRUN make \\\n",
        "FROM a\nRUN make \\\n\n all\n",
        "FROM a\nRUN --mounts=x make\n",
        "FROM a\nCOPY --from x /\n",
        "FROM a\nRUN <<EOF\n",
    ] {
        assert!(Dockerfile::parse(text).is_err(), "{text:?}");
    }
}
