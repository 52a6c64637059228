//! Redaction comes to rest at once: its own result holds nothing more to hide.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sage::capture::redact::redact;

fuzz_target!(|text: &str| {
    let once = redact(text);
    let twice = redact(&once.text);
    assert_eq!(twice.text, once.text);
    assert_eq!((twice.secrets, twice.private_spans), (0, 0));
});
