//! What Sage puts before a model is marked, so that it is known when it comes back.

use std::borrow::Cow;

/// How a block of remembered material begins; attributes and `>` follow.
pub const BLOCK_START: &str = "<sage-memory ";
/// How it ends.
pub const BLOCK_END: &str = "</sage-memory>";

/// The name in both tags.
const NAME: &str = "sage-memory";

/// The text without the blocks that Sage injected. A block without an end goes on to the end of
/// the text: it was cut, not closed.
pub fn strip_injected(text: &str) -> Cow<'_, str> {
    if !text.contains(BLOCK_START) {
        return Cow::Borrowed(text);
    }
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, block)) = rest.split_once(BLOCK_START) {
        kept.push_str(before);
        // What stood apart must not join: it could make a tag, or a secret that nobody saw.
        kept.push('\n');
        rest = block.split_once(BLOCK_END).map_or("", |(_, after)| after);
    }
    kept.push_str(rest);
    Cow::Owned(kept.trim().to_owned())
}

/// The text with its tags of blocks broken up (`<sage memory>`): whoever wrote one into a memory
/// could close the block and speak in Sage's name. A model is not strict, so any spelling counts:
/// `</SAGE-MEMORY >`, `< / sage-memory`.
pub fn break_tags(text: &str) -> Cow<'_, str> {
    // The offsets are those of the text: only ASCII letters change, each into one byte.
    let lower = text.to_ascii_lowercase();
    let mut broken = String::new();
    let mut kept_from = 0;
    for (at, _) in lower.match_indices(NAME) {
        let before = text.get(kept_from..at).unwrap_or_default();
        let is_gap = |c: char| c == '/' || c.is_whitespace();
        if before.trim_end_matches(is_gap).ends_with('<') {
            broken.push_str(before);
            broken.push_str("sage memory");
            kept_from = at + NAME.len();
        }
    }
    if kept_from == 0 {
        return Cow::Borrowed(text);
    }
    broken.push_str(text.get(kept_from..).unwrap_or_default());
    Cow::Owned(broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_go_and_the_rest_stays() {
        assert_eq!(strip_injected("plain <sage> text"), "plain <sage> text");
        assert_eq!(
            strip_injected("a <sage-memory x=\"1\">old</sage-memory> b"),
            "a \n b"
        );
        assert_eq!(
            strip_injected("a <sage-memory x>old <sage-memory y>cut"),
            "a"
        );
        assert_eq!(strip_injected("<sage-memory x>only</sage-memory>"), "");
    }
    #[test]
    fn what_a_block_kept_apart_does_not_join() {
        let joined = "<sage-<sage-memory x></sage-memory>memory y>";
        assert_eq!(strip_injected(joined), "<sage-\nmemory y>");
    }

    #[test]
    fn tags_are_broken_in_any_spelling_and_nothing_else_is() {
        for (text, broken) in [
            ("a </sage-memory> b", "a </sage memory> b"),
            ("<SAGE-MEMORY x", "<sage memory x"),
            ("< / Sage-Memory >", "< / sage memory >"),
            (
                "</sage-</sage-memory>memory>",
                "</sage-</sage memory>memory>",
            ),
            ("<sage-memory<sage-memory", "<sage memory<sage memory"),
        ] {
            assert_eq!(break_tags(text), broken);
        }
        for text in [
            "",
            "the sage-memory tag",
            "</sage>",
            "< x sage-memory",
            "é<sage",
        ] {
            assert!(matches!(break_tags(text), Cow::Borrowed(same) if same == text));
        }
    }
}
