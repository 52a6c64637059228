//! Readers wait for nobody, however many writers wait.

use std::sync::Arc;
use std::time::Instant;

use rusqlite::Connection;
use sage::capture::{Capture, Captured};
use sage::engine::{Counts, Engine};
use sage::memory::{Kind, Project, Scope};
use tokio::runtime::Builder;
use tokio::time::timeout;

use super::engine;
use crate::harness::{Home, PATIENCE, tell};

fn note(text: &str) -> Capture {
    Capture::note(Project::new("acme/shop"), Kind::Note, text, "test")
}

async fn count(engine: &Engine) -> Counts {
    let counted = timeout(PATIENCE, engine.count(&Scope::All)).await;
    counted.expect("a count waited for a writer").unwrap()
}

#[test]
fn a_store_tells_how_much_it_holds_while_writers_wait() {
    const WRITERS: u64 = 8;
    const PROBES: u32 = 200;
    let home = Home::new();
    let engine = Arc::new(engine(&home));
    // Fewer threads than writers: those who wait must not take one each.
    let mut builder = Builder::new_current_thread();
    let runtime = builder
        .enable_all()
        .max_blocking_threads(2)
        .build()
        .unwrap();
    runtime.block_on(async {
        engine.capture(note("The lantern is green.")).await.unwrap();
        let held = count(&engine).await;
        assert_eq!((held.memories, held.passages), (1, 1));

        // As long as this goes on, nobody's write can.
        let other = Connection::open(home.database()).unwrap();
        other
            .execute_batch("BEGIN IMMEDIATE; UPDATE holding SET memories = 99, passages = 99")
            .unwrap();
        let writers: Vec<_> = (0..WRITERS)
            .map(|number| {
                let engine = Arc::clone(&engine);
                let note = note(&format!("Lantern number {number} is amber."));
                tokio::spawn(async move { engine.capture(note).await })
            })
            .collect();
        let begin = Instant::now();
        for _ in 0..PROBES {
            assert_eq!(count(&engine).await, held);
        }
        let mean = begin.elapsed() / PROBES;
        tell(&format!("counting while writers wait: {mean:?} each"));
        assert!(writers.iter().all(|writer| !writer.is_finished()));

        other.execute_batch("ROLLBACK").unwrap();
        for writer in writers {
            let captured = writer.await.unwrap().unwrap();
            assert!(matches!(captured, Captured::Stored { .. }), "{captured:?}");
        }
        let held = count(&engine).await;
        assert_eq!((held.memories, held.passages), (1 + WRITERS, 1 + WRITERS));
        let elsewhere = Scope::Project(Project::new("acme/bakery"));
        assert_eq!(engine.count(&elsewhere).await.unwrap(), Counts::default());
    });
}
