//! Asking a server, and how long it takes to answer.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::load::{PROJECT, chinese};
use crate::server::{Server, Wire};
use crate::words::Words;

/// Clients of the mixed load; one save comes with so many recalls.
const CLIENTS: u64 = 4;
const RECALLS_A_SAVE: u64 = 4;

/// Calls before those that count: connections are made and statements prepared.
const WARM_UP: usize = 20;

/// How long calls of one sort took.
pub struct Times {
    sorted: Vec<Duration>,
    within: Duration,
}

impl Times {
    fn new(mut took: Vec<Duration>, within: Duration) -> Self {
        took.sort_unstable();
        Self {
            sorted: took,
            within,
        }
    }

    pub fn count(&self) -> usize {
        self.sorted.len()
    }

    pub fn rate(&self) -> f64 {
        self.sorted.len() as f64 / self.within.as_secs_f64()
    }

    /// In milliseconds.
    pub fn percentile(&self, percent: usize) -> f64 {
        let index = (self.sorted.len() * percent / 100).min(self.sorted.len().saturating_sub(1));
        let at = self.sorted.get(index).copied().unwrap_or_default();
        at.as_secs_f64() * 1e3
    }
}

/// What was measured on one store.
pub struct Readings {
    times: Vec<(&'static str, Times)>,
    /// Of the server, after all of it.
    pub resident_bytes: u64,
}

impl Readings {
    pub fn all(&self) -> impl Iterator<Item = (&'static str, &Times)> {
        self.times.iter().map(|(name, times)| (*name, times))
    }
}

type Question = fn(&mut Words) -> String;

/// What is looked for. The commonest words are in nearly every passage.
const QUESTIONS: [(&str, Question); 4] = [
    ("recall, prose", |words| words.text(4, 10)),
    ("recall, common words", |words| {
        let common: Vec<String> = (0..3).map(|_| words.common(8)).collect();
        common.join(" ")
    }),
    ("recall, Chinese", |words| chinese(words, 8)),
    ("recall, a pasted page", |words| words.text(200, 200)),
];

pub fn measure(server: &Server, length: Duration) -> Result<Readings, String> {
    let mut times = Vec::new();
    let mut wire = server.connect()?;
    for (number, (name, question)) in (1..).zip(QUESTIONS) {
        let mut words = Words::new(1_000 + number);
        let took = repeat(length, || recall(&mut wire, &question(&mut words)))?;
        times.push((name, took));
    }
    let mut writer = Writer::new(&format!("{:?}", Instant::now()), 0);
    times.push(("save", repeat(length, || writer.save(&mut wire))?));
    let (recalls, saves) = mixed(server, length)?;
    times.push(("mixed, recall", recalls));
    times.push(("mixed, save", saves));
    Ok(Readings {
        times,
        resident_bytes: server.resident_bytes(),
    })
}

fn repeat(length: Duration, mut call: impl FnMut() -> Result<(), String>) -> Result<Times, String> {
    for _ in 0..WARM_UP {
        call()?;
    }
    let (begin, mut took) = (Instant::now(), Vec::new());
    while begin.elapsed() < length {
        let call_begin = Instant::now();
        call()?;
        took.push(call_begin.elapsed());
    }
    Ok(Times::new(took, begin.elapsed()))
}

fn recall(wire: &mut Wire, query: &str) -> Result<(), String> {
    let mut target = form_urlencoded::Serializer::new("/api/search?".to_owned());
    let pairs = [("query", query), ("project", PROJECT), ("limit", "10")];
    wire.ask("GET", &target.extend_pairs(pairs).finish(), "")
}

/// Saves turns that nobody saved before.
struct Writer {
    words: Words,
    session: String,
    turns: u64,
}

impl Writer {
    fn new(run: &str, number: u64) -> Self {
        Self {
            words: Words::new(2_000 + number),
            session: format!("{run} {number}"),
            turns: 0,
        }
    }

    fn save(&mut self, wire: &mut Wire) -> Result<(), String> {
        self.turns += 1;
        let turn: Value = json!({"project": PROJECT, "session": self.session, "event": self.turns.to_string(),
            "prompt": self.words.text(5, 20), "reply": self.words.text(20, 70)});
        wire.ask("POST", "/api/memories", &turn.to_string())
    }
}

/// A few clients at once, each of which saves now and then.
fn mixed(server: &Server, length: Duration) -> Result<(Times, Times), String> {
    let run = format!("{:?}", Instant::now());
    let client = |number: u64| -> Result<[Vec<Duration>; 2], String> {
        let mut wire = server.connect()?;
        let (mut words, mut writer) = (Words::new(3_000 + number), Writer::new(&run, number));
        let (begin, mut took) = (Instant::now(), [Vec::new(), Vec::new()]);
        while begin.elapsed() < length {
            for call in 0..=RECALLS_A_SAVE {
                let call_begin = Instant::now();
                match call {
                    0 => writer.save(&mut wire)?,
                    _ => recall(&mut wire, &words.text(4, 10))?,
                }
                took[usize::from(call == 0)].push(call_begin.elapsed());
            }
        }
        Ok(took)
    };
    let begin = Instant::now();
    let all = std::thread::scope(|scope| {
        let clients: Vec<_> = (1..=CLIENTS)
            .map(|n| scope.spawn(move || client(n)))
            .collect();
        let ended = clients.into_iter().map(|client| client.join());
        ended.collect::<Vec<_>>()
    });
    let mut together = [Vec::new(), Vec::new()];
    for took in all {
        let took = took.map_err(|_| "a client broke down".to_owned())??;
        for (sum, took) in together.iter_mut().zip(took) {
            sum.extend(took);
        }
    }
    let [recalls, saves] = together;
    let within = begin.elapsed();
    Ok((Times::new(recalls, within), Times::new(saves, within)))
}
