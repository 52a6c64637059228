//! Somebody at work: saves, asks, brings notes up to date, forgets, and goes away in the middle.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::Value;

use crate::book::{Book, Draft, digest, id_and_content, marker_of};
use crate::client::{Answer, Ask, Trouble, Wire, text_of_tool};
use crate::machine::{Machine, Target};
use crate::stage::{Stage, lock};
use crate::words::Words;
use crate::work::{self, WORK, Work};

/// Beyond what a person keeps, the oldest go when so many have gathered: each forget writes the
/// store anew, so that people forget seldom and much.
const SURPLUS: usize = 24;

/// Saves of one conversation.
const SESSION_SAVES: u64 = 20;

/// Somebody, who writes in a project of their own.
pub struct Person {
    pub machine: Arc<Machine>,
    stage: Arc<Stage>,
    pub book: Arc<Mutex<Book>>,
    /// How many memories they keep.
    pub keeps: usize,
    run: String,
    number: u64,
    pub project: String,
    serial: u64,
    saves: u64,
    pub words: Words,
    wires: HashMap<SocketAddr, Wire>,
    /// What was saved last, to be saved again.
    pub last: Option<(Value, String)>,
}

impl Person {
    pub fn new(
        machine: &Arc<Machine>,
        stage: &Arc<Stage>,
        book: &Arc<Mutex<Book>>,
        (run, seed, number): (&str, u64, u64),
        keeps: usize,
    ) -> Self {
        Self {
            machine: Arc::clone(machine),
            stage: Arc::clone(stage),
            book: Arc::clone(book),
            keeps,
            run: run.to_owned(),
            number,
            project: project_of(run, number),
            serial: 0,
            saves: 0,
            words: Words::new(seed.wrapping_mul(1_000).wrapping_add(number)),
            wires: HashMap::new(),
            last: None,
        }
    }

    /// Works until the day is over.
    pub fn work(mut self) {
        let stage = Arc::clone(&self.stage);
        while let Some(targets) = stage.pass(|| self.wires.clear()) {
            let Some(target) = targets.get(self.below(targets.len() as u64) as usize) else {
                continue;
            };
            let (kind, work) = self.choose();
            let begin = Instant::now();
            let outcome = work(&mut self, target).map(|()| begin.elapsed());
            if outcome.is_err() {
                self.wires.remove(&target.address);
            }
            stage.note(kind, outcome, target.is_ending());
        }
    }

    fn choose(&mut self) -> (&'static str, Work) {
        let is_full = {
            let mut book = lock(&self.book);
            let is_over = book.live() >= self.keeps + SURPLUS;
            book.is_full |= is_over;
            if is_over {
                return ("tidy up", work::tidy_up);
            }
            book.is_full
        };
        // Who begins writes more than they ask.
        if !is_full && self.below(2) == 0 {
            return ("save", work::save);
        }
        let all: u64 = WORK.iter().map(|(_, share, _)| share).sum();
        let mut at = self.below(all);
        for (kind, share, work) in WORK {
            if at < share {
                return (kind, work);
            }
            at -= share;
        }
        ("tidy up", work::tidy_up)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.words.random() % limit.max(1)
    }

    pub fn ask(&mut self, target: &Target, ask: &Ask) -> Result<Answer, Trouble> {
        // Some connections end now and then, as they do.
        if self.below(20) == 0 {
            self.wires.remove(&target.address);
        }
        let wire = match self.wires.entry(target.address) {
            std::collections::hash_map::Entry::Occupied(wire) => wire.into_mut(),
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(Wire::open(target.address)?)
            }
        };
        wire.exchange(ask)
    }

    pub fn tool(
        &mut self,
        target: &Target,
        name: &str,
        arguments: &Value,
    ) -> Result<String, Trouble> {
        let ask = Ask::modern_tool(name, arguments, &self.project, &self.session());
        text_of_tool(&self.ask(target, &ask)?.json()?)
    }

    // Making texts.

    pub fn session(&self) -> String {
        let number = self.saves / SESSION_SAVES;
        format!("soak-{}-{}-{number}", self.run, self.number)
    }

    /// A text that begins with a word of its own. Most are short, a few fill many passages.
    pub fn text(&mut self) -> (String, String) {
        self.serial += 1;
        let marker = marker(self.number, self.serial);
        let text = match self.below(100) {
            0 => self.words.text(2_000, 6_000),
            1..=9 => format!(
                "{} 我们决定把这个设置写进文档，明天再看一次。",
                self.words.text(5, 30)
            ),
            _ => self.words.text(10, 120),
        };
        (format!("{marker} {}", text.trim()), marker)
    }

    pub fn draft(marker: String, content: &str) -> Draft {
        Draft {
            marker,
            digest: digest(content),
            replaces: None,
            key: None,
            has_event: false,
        }
    }

    /// A prompt with its reply, and what to expect of it.
    pub fn turn(&mut self) -> (String, String, Draft) {
        let (prompt, marker) = self.text();
        let reply = self.words.text(20, 250).trim().to_owned();
        let draft = Self::draft(marker, &format!("{prompt}\n\n{reply}"));
        self.saves += 1;
        (prompt, reply, draft)
    }

    pub fn send(&self, draft: &Draft) {
        lock(&self.book).send(draft);
    }

    pub fn keep(&self, draft: Draft, id: &str) -> Result<(), Trouble> {
        lock(&self.book).keep(draft, id)
    }

    pub fn pick(&mut self) -> Option<(String, Draft)> {
        let random = self.words.random();
        lock(&self.book).pick(random)
    }
}

/// The project of somebody.
pub fn project_of(run: &str, number: u64) -> String {
    format!("soak-{run}/person-{number}")
}

/// A word of letters that no other text has, and no stemmer shortens.
fn marker(person: u64, serial: u64) -> String {
    let letter = |digit: char| char::from(b"bcdfghjkmp"[digit as usize - '0' as usize]);
    let digits = format!("{person:02}{serial:07}");
    "qx".chars().chain(digits.chars().map(letter)).collect()
}

/// Asks for a memory by its marker.
pub fn ask_for(marker: &str, project: &str) -> Ask {
    Ask::get(&format!(
        "/api/search?query={marker}&project={project}&limit=3"
    ))
}

/// Whether what was asked for by its marker came back.
pub fn is_found(answer: &Value, id: &str) -> Result<(), Trouble> {
    let hits = answer.get("hits").and_then(Value::as_array);
    let ids = hits
        .into_iter()
        .flatten()
        .filter_map(|hit| hit.get("memory"));
    let mut ids = ids.filter_map(id_and_content);
    match ids.any(|(found, content)| found == id && !marker_of(content).is_empty()) {
        true => Ok(()),
        false => Trouble::wrong(format!("{id} is not found by its own word: {answer}")),
    }
}
