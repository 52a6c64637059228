//! Properties of redaction over arbitrary text, and its cost on hostile text.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use sage::capture::redact::{redact, strip_private};

const SECRETS: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/fixtures/redaction/secrets.txt"
));

/// A case of the corpus: its text, and the parts that must go.
struct Case {
    text: String,
    secrets: Vec<String>,
}

fn cases() -> Vec<Case> {
    SECRETS
        .lines()
        .filter(|line| line.contains('«'))
        .map(|line| {
            let line = line.replace('¦', "").replace("\\\\", "\u{1}");
            let line = line
                .replace("\\n", "\n")
                .replace("\\t", "\t")
                .replace('\u{1}', "\\");
            let parts = line.split('«').skip(1);
            let secrets = parts.map(|part| part.split('»').next().unwrap_or_default().to_owned());
            Case {
                secrets: secrets.collect(),
                text: line.replace(['«', '»'], ""),
            }
        })
        .collect()
}

/// The secrets that are recognised by their shape alone, wherever they stand.
fn shaped() -> Vec<String> {
    let all = cases().into_iter().flat_map(|case| case.secrets);
    all.filter(|secret| redact(secret).text.starts_with("[redacted:") && !secret.contains('\n'))
        .collect()
}

fn json_string(text: &str) -> String {
    let mut out = String::from("\"");
    for char in text.chars() {
        match char {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '"' | '\\' => out.extend(['\\', char]),
            char if char < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(char))),
            char => out.push(char),
        }
    }
    out.push('"');
    out
}

/// Text of the pieces that the rules react to, in any order.
fn hostile() -> impl Strategy<Value = String> {
    let pieces: Vec<String> = [
        "password",
        "token",
        "api_key",
        "secret",
        "key",
        "=",
        ":",
        " ",
        "\n",
        "\"",
        "'",
        "\\\"",
        "\\n",
        "://",
        "@",
        "a",
        "b1",
        "hunter2",
        "x!9",
        "-----BEGIN ",
        "PRIVATE KEY-----",
        "-----END ",
        "eyJhbGciOiJIUzI1NiJ9",
        ".",
        "ghp_",
        "AKIA",
        "Zx81qLmN0pRs7TuVw3XyA2bC",
        "sk-",
        "Bearer ",
        "Authorization",
        "curl",
        " -u ",
        "mysql",
        " -p",
        "login ",
        "密码",
        "：",
        "是",
        "<private>",
        "</private>",
        "<",
        ">",
        "${",
        "}",
        "(",
        ")",
        "[",
        "]",
        ",",
        ";",
        "&",
        "%3D",
        "\\",
        "is ",
        "[redacted:token]",
        "[redacted:",
        "[private]",
        "redacted:",
        "_",
        "-",
        "/",
        "1234567",
        "MIIEpAIBAAKCAQEA",
        "Cookie: session=",
        "/*",
        "é",
        "{",
        "|",
        "||",
    ]
    .map(str::to_owned)
    .to_vec();
    let token = prop::sample::select(shaped());
    let piece = prop_oneof![
        9 => prop::sample::select(pieces),
        1 => token,
        1 => "[a-zA-Z0-9_+/.-]{1,40}",
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn assert_settled(text: &str) -> Result<(), TestCaseError> {
    let once = redact(text).text.into_owned();
    let twice = redact(&once);
    prop_assert_eq!(twice.text.as_ref(), once.as_str());
    prop_assert_eq!((twice.secrets, twice.private_spans), (0, 0));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 512,
        failure_persistence: None,
        ..Default::default()
    })]

    #[test]
    fn any_text_is_settled_after_one_redaction(text in any::<String>()) {
        assert_settled(&text)?;
    }

    #[test]
    fn hostile_text_is_settled_after_one_redaction(text in hostile()) {
        assert_settled(&text)?;
    }

    #[test]
    fn everything_around_the_secrets_is_kept(text in hostile()) {
        prop_assume!(!text.contains("<private>") && !text.contains("redacted:"));
        let done = redact(&text);
        let mut pieces = done.text.split("[redacted:");
        let mut rest = text.strip_prefix(pieces.next().unwrap_or_default());
        for piece in pieces {
            let (_, kept) = piece.split_once(']').unwrap_or_default();
            rest = rest.and_then(|rest| rest.split_once(kept)).map(|(_, behind)| behind);
        }
        prop_assert!(rest.is_some(), "{text:?} became {:?}", done.text);
    }

    #[test]
    fn private_spans_are_settled_and_hidden(
        before in "[^<]*", inner in "[^<]{1,9}", after in "[^<]*",
    ) {
        let text = format!("{before}<private>\u{2}{inner}</PRIVATE>{after}");
        let (visible, spans) = strip_private(&text);
        prop_assert_eq!(visible.as_ref(), format!("{before}[private]{after}"));
        prop_assert_eq!(spans, 1);
    }

    #[test]
    fn a_shaped_secret_never_survives(
        before in any::<String>(),
        after in any::<String>(),
        secret in prop::sample::select(shaped()),
        (open, close) in prop::sample::select(vec![
            (" ", " "), ("\n", "\n"), ("\"", "\""), ("'", "'"), ("`", "`"), ("(", ")"), ("=", " "),
            ("\\n", "\\n"), ("\\\"", "\\\""), (">", "<"), (" ", "."), (" ", ", "),
        ]),
    ) {
        let text = format!("{before}{open}{secret}{close}{after}");
        let done = redact(&text);
        prop_assert!(!done.text.contains(&secret), "{secret} in {}", done.text);
    }

    #[test]
    fn a_line_of_the_corpus_is_hidden_among_other_lines(
        before in "[^<]*", after in any::<String>(), index in any::<prop::sample::Index>(),
    ) {
        let cases = cases();
        let case = index.get(&cases);
        let text = format!("{before}\n{}\n{after}", case.text);
        for text in [text.clone(), json_string(&text)] {
            let done = redact(&text);
            for secret in &case.secrets {
                let escaped = json_string(secret);
                let escaped = escaped.trim_matches('"');
                let survives = done.text.contains(secret) || done.text.contains(escaped);
                prop_assert!(!survives, "{secret:?} in {:?}", done.text);
            }
        }
    }
}

/// Texts that make a careless scanner read the same bytes over and over.
fn adversaries(bytes: usize) -> Vec<(String, String)> {
    let repeated = [
        "eyJ",
        "eyJhbGciOiJI.",
        "a://b:",
        "a://b:c/@",
        "<private>",
        "</private>",
        "password=",
        "pwd=",
        "password=\"",
        "token=a.",
        "password: ",
        "-----BEGIN ",
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\na:",
        "sk-ant-",
        "key-",
        "SG.",
        "AQ4xk9Zb",
        "curl -u ",
        "-u ",
        "login x password y ",
        "密码是",
        "[redacted:",
        "[",
        "password=\\",
        "password=)",
        "Bearer ",
        " ",
        "\n",
        "12345678:AA",
        "x_",
        "\"token\":",
        "api_key is ",
        "-----BEGIN PRIVATE KEY-----1\t",
        "password=,a",
        "token = ",
        "token ",
        "password=“",
        "login(\"",
    ];
    repeated
        .map(|piece| (piece.to_owned(), piece.repeat(bytes / piece.len() + 1)))
        .to_vec()
}

fn duration(text: &str) -> Duration {
    let started = Instant::now();
    let done = redact(text);
    assert!(done.text.len() <= text.len() * 20);
    started.elapsed()
}

/// Four times the text takes about four times as long; a quadratic scan would take sixteen times.
/// Only the shortest of several runs counts: other work on the machine lengthens the rest.
#[test]
fn the_time_grows_with_the_length_only() {
    const BYTES: usize = 64 * 1024;
    const GROWTH_MAX: u32 = 10;
    const RUNS_MIN: usize = 2;
    const RUNS_MAX: usize = 20;
    /// Below this a measurement says nothing.
    const NOISE: Duration = Duration::from_millis(5);
    for ((piece, short), (_, long)) in adversaries(BYTES).iter().zip(adversaries(4 * BYTES)) {
        let (mut short_min, mut long_min) = (Duration::MAX, Duration::MAX);
        let is_linear = (1..=RUNS_MAX).any(|run| {
            short_min = short_min.min(duration(short));
            long_min = long_min.min(duration(&long));
            run >= RUNS_MIN && long_min < short_min * GROWTH_MAX + NOISE
        });
        assert!(is_linear, "{piece:?}: {short_min:?} became {long_min:?}");
    }
}
