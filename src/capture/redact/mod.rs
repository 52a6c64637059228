//! Secret redaction, done before anything is stored.
//!
//! Two steps, each one pass over the text: `<private>` spans become `[private]`, then every secret
//! becomes `[redacted:KIND]`. A secret is recognised by its published shape (`rules`, `shapes`), or
//! by the place it stands in (`assign`, `command`): after `password=`, in a URL, after `curl -u`.
//! The name in front of the value stays readable.
//!
//! The scanner walks over runs of word bytes and asks, once per run, whether something starts
//! there. Every question looks a bounded distance ahead or consumes what it read, so the time is
//! linear in the input whatever the input is.

mod assign;
mod bytes;
mod command;
mod entropy;
mod keys;
mod private;
mod rules;
mod shapes;
mod value;

use std::borrow::Cow;

pub use private::strip_private;

/// How every replacement of a secret begins; the kind and a closing bracket follow.
const MARK_OPEN: &str = "[redacted:";

/// What redaction did to a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redaction<'a> {
    /// The text with its secrets replaced; borrowed when nothing was.
    pub text: Cow<'a, str>,
    /// How many secrets were replaced by `[redacted:KIND]`.
    pub secrets: u32,
    /// How many `<private>` spans were replaced by `[private]`.
    pub private_spans: u32,
}

/// A stretch of the text to hide: byte offsets of its ends and the kind of secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Finding {
    start: usize,
    end: usize,
    kind: &'static str,
}

/// A replacement can bring its neighbours into a shape that they did not have before. So the text
/// is scanned again until nothing is found: twice in practice, and never more often than this,
/// which keeps the time linear.
const PASSES_MAX: usize = 4;

/// Hides `<private>` spans and secrets.
///
/// Redacting the result once more changes nothing and counts no secrets.
pub fn redact(text: &str) -> Redaction<'_> {
    let (mut visible, private_spans) = strip_private(text);
    let mut secrets = 0u32;
    for _ in 0..PASSES_MAX {
        let findings = find_secrets(visible.as_bytes());
        if findings.is_empty() {
            break;
        }
        secrets = secrets.saturating_add(u32::try_from(findings.len()).unwrap_or(u32::MAX));
        visible = Cow::Owned(replace(&visible, &findings));
    }
    Redaction {
        text: visible,
        secrets,
        private_spans,
    }
}

/// Writes the text with each finding replaced. The findings are in order and do not overlap.
fn replace(text: &str, findings: &[Finding]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut kept_from = 0;
    for finding in findings {
        out.push_str(text.get(kept_from..finding.start).unwrap_or_default());
        out.push_str(MARK_OPEN);
        out.push_str(finding.kind);
        out.push(']');
        kept_from = finding.end;
    }
    out.push_str(text.get(kept_from..).unwrap_or_default());
    out
}

/// Finds every secret, in order of position.
fn find_secrets(text: &[u8]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut commands = command::Commands::default();
    let mut at = 0;
    while let Some(start) = bytes::next_start(text, at) {
        if let Some(mark_end) = bytes::mark_end(text, start) {
            at = mark_end;
            continue;
        }
        let end = bytes::word_end(text, start);
        let found = if end == start {
            assign::at_ideograph(text, start)
        } else {
            at_word(text, start, end, &mut commands)
        };
        // A finding must move the scan forward and must not swallow an earlier replacement:
        // otherwise a second pass over the result would not come to rest.
        at = match found {
            Some(hit) if hit.end > start && !bytes::meets_mark(text, hit.start, hit.end) => {
                findings.push(hit);
                hit.end
            }
            _ if end == start => start + 1,
            _ => end,
        };
    }
    findings
}

/// Asks every rule about the word `start..end`, the most specific first.
fn at_word(
    text: &[u8],
    start: usize,
    end: usize,
    commands: &mut command::Commands,
) -> Option<Finding> {
    shapes::find(text, start, end)
        .or_else(|| rules::find(text, start, end))
        .or_else(|| assign::at_word(text, start, end))
        .or_else(|| commands.at_word(text, start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(text: &str) -> String {
        redact(text).text.into_owned()
    }

    #[test]
    fn a_text_without_secrets_is_borrowed() {
        let done = redact("the password reset works now");
        assert!(matches!(done.text, Cow::Borrowed(_)));
        assert_eq!((done.secrets, done.private_spans), (0, 0));
    }

    #[test]
    fn the_key_stays_and_the_value_goes() {
        assert_eq!(
            text_of("export DB_PASSWORD=\"correct horse battery\" # db"),
            "export DB_PASSWORD=\"[redacted:password]\" # db"
        );
        assert_eq!(
            text_of("postgres://app:s3cr3t@db/x"),
            "postgres://app:[redacted:connection-password]@db/x"
        );
    }

    #[test]
    fn both_counts_are_reported() {
        let done = redact("<private>x</private> password: hunter2 and password: hunter3");
        assert_eq!((done.secrets, done.private_spans), (2, 1));
    }

    #[test]
    fn an_escape_in_front_of_a_token_does_not_hide_it() {
        let token = format!("ghp_{}", "a1B2c3D4e5F6".repeat(3));
        for before in [
            "\\n",
            "\\t",
            "%3D",
            "\\u003d",
            "\x1b[31m",
            "\\x1b[1;31m",
            "x_",
        ] {
            let done = text_of(&format!("{before}{token}"));
            assert!(!done.contains(&token), "{before:?} kept {done}");
        }
    }
}
