//! Memory and processor time, idle and under load, and how fast a recall is on a large store.

use std::fmt::Write;
use std::time::Duration;

use serde_json::json;

use super::Lengths;
use super::figures::Reading;
use super::process::{anonymous, highest_resident, resident, serve, settle, watch};
use super::subjects::{Subject, host, host_subject};
use super::times::{answer_time, milliseconds, percentile};
use crate::harness::{Ask, Home, Server, finish, text_of_tool};

/// What all memories here belong to.
pub const PROJECT: &str = "/load";

/// How long after load its memory counts.
const AFTERWARDS: Duration = Duration::from_secs(10);

/// How long it is watched then.
const STILL: Duration = Duration::from_secs(2);

/// Turns of a session.
const SESSION_TURNS: usize = 40;

const RECALL_ROUNDS: usize = 3;
const RECALLS: usize = 500;

pub fn idle(subject: &Subject, lengths: &Lengths) -> Vec<Reading> {
    let home = Home::in_memory();
    let server = serve(subject, &home);
    server.get("/health").is(200);
    settle(server.id());
    let stretch = watch(server.id(), lengths.idle);
    let within = format!("in {} s", lengths.idle.as_secs());
    vec![
        Reading::value(resident_name(subject), resident(server.id()), ""),
        Reading::value("idle-anonymous", anonymous(server.id()), ""),
        Reading::value("idle-cpu", stretch.percent, within.as_str()),
        Reading::value("idle-wakeups", stretch.switches, within),
    ]
}

/// Of the host's executable, when all else is taken of the one that is shipped.
pub fn idle_host() -> Vec<Reading> {
    let (subject, home) = (host_subject(), Home::in_memory());
    let server = serve(&subject, &home);
    server.get("/health").is(200);
    settle(server.id());
    let resident = resident(server.id());
    vec![Reading::value(resident_name(&subject), resident, "")]
}

/// The libraries of the system count where they are linked dynamically.
fn resident_name(subject: &Subject) -> &'static str {
    match subject.sage == host() {
        true => "idle-resident-host",
        false => "idle-resident",
    }
}

pub fn load(subject: &Subject, lengths: &Lengths) -> Vec<Reading> {
    let home = Home::in_memory();
    fill(subject, &home, lengths.memories);
    let server = serve(subject, &home);
    let mut readings = recalls(&server, lengths);
    burden(&server, lengths);
    let highest = highest_resident(server.id());
    let note = format!(
        "{} memories, {} requests",
        lengths.memories, lengths.requests
    );
    readings.push(Reading::value("load-resident", highest, note));
    readings.push(Reading::value("load-after", after(&server), ""));
    readings
}

/// Brings that many turns into the store, as Claude Code writes them.
pub fn fill(subject: &Subject, home: &Home, turns: usize) {
    let mut random = Random(42);
    let mut lines = String::new();
    for turn in 0..turns {
        let seconds = turn % 60;
        let (minute, hour) = (turn / 60 % 60, turn / 3600 % 24);
        let (day, month) = (1 + turn / 1000 % 28, 1 + turn / 28_000 % 12);
        let time = format!("2025-{month:02}-{day:02}T{hour:02}:{minute:02}:{seconds:02}.000Z");
        let session = turn / SESSION_TURNS;
        let common = format!(
            r#""sessionId":"s{session}","cwd":"{PROJECT}","promptId":"p{turn}","timestamp":"{time}","isSidechain":false"#
        );
        let (prompt, reply) = (random.words(12), random.words(80));
        let _ = writeln!(
            lines,
            r#"{{"type":"user",{common},"uuid":"u{turn}","message":{{"role":"user","content":"{prompt}"}}}}
{{"type":"assistant",{common},"uuid":"a{turn}","parentUuid":"u{turn}","message":{{"id":"m{turn}","role":"assistant","content":[{{"type":"text","text":"{reply}"}}]}}}}"#
        );
    }
    home.file("transcripts/s.jsonl", lines);
    let mut import = home.command_of(&subject.sage, ["import", "claude-code", "transcripts"]);
    let imported = finish(&mut import);
    assert_eq!(imported.code, 0, "{}", imported.stderr);
}

/// Words as unevenly common as those of a language, the same in every run.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Below 1.
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        f64::from(u32::try_from(self.0 >> 32).unwrap()) / f64::from(u32::MAX)
    }

    pub fn words(&mut self, count: usize) -> String {
        let words = (0..count).map(|_| format!("w{:.0}", (20_000.0 * self.next().powi(3)).floor()));
        words.collect::<Vec<_>>().join(" ")
    }

    fn search(&mut self) -> Ask {
        tool("search_memory", json!({"query": self.words(5)}))
    }

    fn save(&mut self) -> Ask {
        let turn = json!({"user_prompt": self.words(10), "assistant_response": self.words(50)});
        tool("save_conversation", turn)
    }
}

fn tool(name: &str, arguments: serde_json::Value) -> Ask {
    Ask::tool(name, arguments)
        .without("Sage-Project")
        .header("Sage-Project", PROJECT)
}

/// One recall after the other; the least percentiles of some rounds count.
fn recalls(server: &Server, lengths: &Lengths) -> Vec<Reading> {
    if !lengths.is_full {
        return Vec::new();
    }
    let mut random = Random(7);
    let mut connection = server.connect();
    let (mut p50, mut p99) = (Duration::MAX, Duration::MAX);
    for _ in 0..RECALL_ROUNDS {
        let mut times: Vec<_> = (0..RECALLS)
            .map(|_| answer_time(&mut connection, &random.search()))
            .collect();
        p50 = p50.min(percentile(&mut times, 0.5));
        p99 = p99.min(percentile(&mut times, 0.99));
    }
    let note = format!("{} memories, over HTTP", lengths.memories);
    vec![
        Reading::value("recall-p50", milliseconds(p50), note.as_str()),
        Reading::value("recall-p99", milliseconds(p99), note),
    ]
}

/// Health, saving and searching from many connections at once, searching last and most: it takes
/// the most memory.
fn burden(server: &Server, lengths: &Lengths) {
    let each = lengths.requests / lengths.connections;
    std::thread::scope(|scope| {
        for seed in 1..=lengths.connections {
            scope.spawn(move || {
                let mut random = Random(u64::try_from(seed).unwrap());
                let mut connection = server.connect();
                for number in 0..each {
                    let is_search = number > each / 3;
                    let ask = match (is_search, number % 2) {
                        (true, _) => random.search(),
                        (false, 0) => random.save(),
                        (false, _) => Ask::get("/health"),
                    };
                    connection.send(&ask.bytes());
                    let reply = connection.reply().is(200);
                    if ask.method == "POST" {
                        text_of_tool(&reply);
                    }
                }
            });
        }
    });
}

/// The memory that is left when load has been over for a while, and everybody sleeps again.
fn after(server: &Server) -> f64 {
    std::thread::sleep(AFTERWARDS);
    let stretch = watch(server.id(), STILL);
    assert_eq!(stretch.switches, 0.0, "it does not come to rest");
    resident(server.id())
}
