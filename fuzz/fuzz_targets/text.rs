//! Terms keep their limits, passages cover the text, and no injected block survives stripping.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sage::text::{
    Analyser, BLOCK_START, TERM_BYTES_MAX, estimate_tokens, split_passages, strip_injected,
};

fuzz_target!(|text: &str| {
    Analyser::default().terms(text, |term| {
        assert!(!term.is_empty() && term.len() <= TERM_BYTES_MAX, "{term:?}");
        assert_eq!(term.to_lowercase(), term);
    });
    let mut end = 0;
    for passage in split_passages(text) {
        assert!(text[end..passage.start].trim().is_empty());
        assert!(estimate_tokens(&text[passage.clone()]) > 0);
        end = passage.end;
    }
    assert!(text[end..].trim().is_empty());
    assert!(!strip_injected(text).contains(BLOCK_START));
});
