//! `<private>` spans: what the user marked as not to be remembered.

use std::borrow::Cow;

/// What stands in the place of a span.
const REPLACEMENT: &str = "[private]";
const OPEN: &[u8] = b"<private>";
const CLOSE: &[u8] = b"</private>";

/// Replaces each `<private>...</private>` span by `[private]` and counts the spans.
///
/// The tags match in any letter case and a span may cover lines. Spans nest: an inner pair belongs
/// to the outer span. A span that is never closed reaches to the end of the text, because showing
/// what the user meant to hide is the worse error. A closing tag without an opening one stays: to
/// drop it could join the text around it into a new tag.
pub fn strip_private(text: &str) -> (Cow<'_, str>, u32) {
    let mut out = String::new();
    let mut kept_from = 0;
    let mut spans = 0u32;
    let mut depth = 0usize;
    for (position, _) in text.match_indices('<') {
        let tag = text.as_bytes().get(position..).unwrap_or_default();
        if is_tag(tag, OPEN) {
            if depth == 0 {
                out.push_str(text.get(kept_from..position).unwrap_or_default());
                out.push_str(REPLACEMENT);
                spans = spans.saturating_add(1);
            }
            depth += 1;
        } else if depth > 0 && is_tag(tag, CLOSE) {
            depth -= 1;
            kept_from = position + CLOSE.len();
        }
    }
    if spans == 0 {
        return (Cow::Borrowed(text), 0);
    }
    if depth == 0 {
        out.push_str(text.get(kept_from..).unwrap_or_default());
    }
    (Cow::Owned(out), spans)
}

fn is_tag(text: &[u8], tag: &[u8]) -> bool {
    text.get(..tag.len())
        .is_some_and(|head| head.eq_ignore_ascii_case(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(text: &str) -> (String, u32) {
        let (visible, spans) = strip_private(text);
        (visible.into_owned(), spans)
    }

    #[test]
    fn spans_are_replaced_in_any_case_and_over_lines() {
        let text = "a <Private>x\ny</PRIVATE> b <private></private>";
        assert_eq!(stripped(text), ("a [private] b [private]".to_owned(), 2));
    }

    #[test]
    fn nested_spans_are_one() {
        let text = "a<private>x<private>y</private>z</private>b";
        assert_eq!(stripped(text), ("a[private]b".to_owned(), 1));
    }

    #[test]
    fn an_unclosed_span_hides_the_rest() {
        assert_eq!(stripped("a<private>b"), ("a[private]".to_owned(), 1));
        let text = "a<private>b<private>c</private>d";
        assert_eq!(stripped(text), ("a[private]".to_owned(), 1));
    }

    #[test]
    fn a_stray_closing_tag_stays() {
        let text = "a</private>b <pri</private>vate>";
        assert_eq!(stripped(text), (text.to_owned(), 0));
    }
}
