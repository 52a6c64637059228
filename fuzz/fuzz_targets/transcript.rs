//! Any bytes are a transcript: reading never fails, and every turn keeps what its type promises.
#![no_main]

use std::collections::HashSet;
use std::ops::ControlFlow;

use libfuzzer_sys::fuzz_target;
use sage::claude::transcript::read_turns;

fuzz_target!(|bytes: &[u8]| {
    let (mut turns, mut line) = (0, 0);
    let mut names = HashSet::new();
    let report = read_turns(bytes, "stem", &mut |turn| {
        turns += 1;
        assert!(!turn.prompt.trim().is_empty(), "{turn:?}");
        assert!(
            turn.line > line,
            "{turn:?} begins before the turn in front of it"
        );
        line = turn.line;
        if turn.prompt_id.starts_with("line-") {
            // A line can claim the name that stands for another line; no client does.
            return ControlFlow::Continue(());
        }
        let name = (turn.session_id, turn.prompt_id);
        assert!(!names.contains(&name), "two turns are called {name:?}");
        names.insert(name);
        ControlFlow::Continue(())
    })
    .expect("reading from memory cannot fail");
    assert_eq!(report.turns, turns);
    assert!(report.lines >= line && report.skipped.total() <= report.lines);
});
