//! Capture and recall through the library, on a store of their own: what holds whatever is stored.
//! `neighbours` asks the executable.

mod across;
mod evidence;
mod filters;
mod neighbours;
mod odd_queries;
mod order;
mod packing;
mod silence;

use sage::capture::{Capture, Captured};
use sage::config::{Config, Flags};
use sage::engine::{Engine, PAGE_MAX};
use sage::memory::{Filter, Kind, MemoryId, Project, Scope};
use sage::recall::{Context, ContextRequest, HITS_MAX, Recall, RecallRequest};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// An engine over an empty store in a folder that goes with it.
pub struct Bench {
    engine: Engine,
    runtime: Runtime,
    _folder: TempDir,
}

impl Bench {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let flags = Flags {
            data_dir: Some(folder.path().to_owned()),
            ..Flags::default()
        };
        Self {
            engine: Engine::new(&Config::load(&flags, &|_| None).unwrap()),
            runtime: Builder::new_current_thread().enable_all().build().unwrap(),
            _folder: folder,
        }
    }

    /// What became of each capture, in order.
    pub fn keep(&self, captures: Vec<Capture>) -> Vec<Captured> {
        let kept = self.engine.capture_all(captures);
        self.runtime.block_on(kept).unwrap()
    }

    /// Keeps a note in the project `shop` that must be new.
    pub fn note(&self, text: &str) -> MemoryId {
        match self.keep(vec![note("shop", text)]).as_slice() {
            [Captured::Stored { id, .. }] => *id,
            other => panic!("{text:?} was not stored: {other:?}"),
        }
    }

    /// As many hits as one recall gives.
    pub fn recall(&self, scope: Scope, filter: Filter, query: &str) -> Recall {
        let request = RecallRequest {
            query: query.to_owned(),
            scope,
            filter,
            limit: HITS_MAX,
            offset: 0,
        };
        self.runtime.block_on(self.engine.recall(&request)).unwrap()
    }

    pub fn context(&self, scope: Scope, query: &str, tokens_max: usize) -> Context {
        let request = ContextRequest {
            query: query.to_owned(),
            scope,
            filter: Filter::default(),
            tokens_max,
            condense: false,
        };
        let context = self.engine.context(&request);
        self.runtime.block_on(context).unwrap()
    }

    /// The newest memories of all projects, their words.
    pub fn texts(&self) -> Vec<String> {
        let everything = Filter::default();
        let page = self.engine.list(&Scope::All, &everything, PAGE_MAX, None);
        let memories = self.runtime.block_on(page).unwrap().items.into_iter();
        memories.map(|memory| memory.content.text).collect()
    }
}

pub fn project(name: &str) -> Scope {
    Scope::Project(Project::new(name))
}

pub fn note(project: &str, text: &str) -> Capture {
    Capture::note(Project::new(project), Kind::Note, text, "test")
}

pub fn turn(project: &str, session: &str, prompt: &str, reply: &str) -> Capture {
    Capture {
        session: Some(session.to_owned()),
        ..Capture::turn(Project::new(project), prompt, reply, "test")
    }
}
