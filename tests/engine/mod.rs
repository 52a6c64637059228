//! The engine through the library: what it counts, and who must not wait for whom.

mod counting;
mod waiting;

use sage::config::{Config, Flags};
use sage::engine::Engine;

use crate::harness::Home;

fn engine(home: &Home) -> Engine {
    let flags = Flags {
        data_dir: Some(home.data_dir()),
        ..Flags::default()
    };
    Engine::new(&Config::load(&flags, &|_| None).unwrap())
}
