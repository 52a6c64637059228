//! Filling a store as an import does it.

use std::path::Path;
use std::time::Instant;

use sage::capture::Capture;
use sage::config::{Config, Flags};
use sage::engine::Engine;
use sage::memory::{Project, Scope};
use sage::transfer::import::BATCH_CAPTURES_MAX;
use tokio::runtime::{Builder, Runtime};

use crate::words::Words;

/// All memories are of one project: the lists of its common words are as long as they get.
pub const PROJECT: &str = "acme/scale";

/// Turns of a conversation.
const SESSION_TURNS: u64 = 40;

/// One turn of so many is Chinese.
const CHINESE: u64 = 4;

/// Different characters in Chinese text, about as many as a newspaper has.
const CHARACTERS: u32 = 3_000;

pub struct Loader {
    engine: Engine,
    runtime: Runtime,
    words: Words,
    turns: u64,
}

impl Loader {
    pub fn new(folder: &Path, database_url: Option<&str>) -> Result<Self, String> {
        let flags = Flags {
            data_dir: Some(folder.to_owned()),
            ..Flags::default()
        };
        let environment = |name: &str| {
            let url = database_url.filter(|_| name == "SAGE_DATABASE_URL");
            url.map(str::to_owned)
        };
        let config = Config::load(&flags, &environment).map_err(|error| error.to_string())?;
        let runtime = Builder::new_current_thread().enable_all().build();
        Ok(Self {
            engine: Engine::new(&config),
            runtime: runtime.map_err(|error| error.to_string())?,
            words: Words::new(1),
            turns: 0,
        })
    }

    /// Adds memories until there are this many passages; returns how many a second.
    pub fn fill(&mut self, passages: u64) -> Result<f64, String> {
        let (begin, before) = (Instant::now(), self.passages()?);
        // Whoever goes on with a store that was begun has further turns, not the same once more.
        self.turns = self.turns.max(before);
        let (mut now, mut told) = (before, Instant::now());
        while now < passages {
            // A turn has a passage at least.
            let batch = (passages - now).min(BATCH_CAPTURES_MAX as u64);
            let captures: Vec<Capture> = (0..batch).map(|_| self.turn()).collect();
            let kept = self.engine.capture_all(captures);
            self.runtime
                .block_on(kept)
                .map_err(|error| error.to_string())?;
            now = self.passages()?;
            if told.elapsed().as_secs() >= 10 {
                told = Instant::now();
                let rate = (now - before) as f64 / begin.elapsed().as_secs_f64();
                eprintln!("scale: {now} passages, {rate:.0} a second");
            }
        }
        Ok((now - before) as f64 / begin.elapsed().as_secs_f64())
    }

    fn passages(&self) -> Result<u64, String> {
        let counted = self.runtime.block_on(self.engine.count(&Scope::All));
        Ok(counted.map_err(|error| error.to_string())?.passages)
    }

    /// Memories, passages, and bytes of the store.
    pub fn size(&self) -> Result<(u64, u64, u64), String> {
        let stats = self.runtime.block_on(self.engine.stats(&Scope::All));
        let stats = stats.map_err(|error| error.to_string())?;
        let memories = stats.by_kind.iter().sum();
        Ok((memories, stats.passages, stats.store_bytes))
    }

    fn turn(&mut self) -> Capture {
        let turn = self.turns;
        self.turns += 1;
        let (prompt, reply) = match turn.is_multiple_of(CHINESE) {
            true => (chinese(&mut self.words, 12), chinese(&mut self.words, 90)),
            false => (self.words.text(5, 20), self.words.text(20, 70)),
        };
        let mut capture = Capture::turn(Project::new(PROJECT), &prompt, &reply, "scale");
        capture.session = Some(format!("session-{}", turn / SESSION_TURNS));
        capture.event = Some(format!("prompt-{turn}"));
        capture
    }
}

/// Characters by Zipf's law, as words are.
pub fn chinese(words: &mut Words, count: usize) -> String {
    let character = |words: &mut Words| {
        // The inverse of a sum of 1/rank, which is close to a logarithm.
        let share = words.random() as f64 / (1_u64 << 32) as f64;
        let rank = f64::from(CHARACTERS).powf(share) as u32 - 1;
        char::from_u32(0x4e00 + rank).unwrap_or('的')
    };
    (0..count).map(|_| character(words)).collect()
}
