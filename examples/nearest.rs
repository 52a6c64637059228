//! Measures the embedded store's search for the nearest vectors against a scan of the floats:
//! `cargo run --release --example nearest -- [PASSAGES] [DIMENSION]`.
//!
//! The vectors are made up to be as alike as those of a real model: all of them share a direction,
//! passages of a subject share another, those of a detail of it a third, and the rest is noise. A
//! query is one more passage of some detail.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a program for developers"
)]

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sage::memory::{Content, Filter, Kind, MemoryId, Project, Scope, Timestamp};
use sage::store::{CandidateQuery, Embedded, Made, NewMemory, NewPassage, Store};

const SUBJECTS: u64 = 500;
const DETAILS: u64 = 10;
const QUERIES: u64 = 300;
const TOP: usize = 10;

/// How much of a vector is what all share, what a subject shares, a detail, and noise.
const PARTS: [f32; 4] = [0.55, 0.6, 0.35, 0.45];

fn main() {
    let mut args = std::env::args().skip(1).map(|word| word.parse().unwrap());
    let count: u64 = args.next().unwrap_or(100_000);
    let dimension = usize::try_from(args.next().unwrap_or(1_024)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(measure(count, dimension));
}

async fn measure(count: u64, dimension: usize) {
    let folder = tempfile::tempdir().unwrap();
    let config = sage::config::Flags {
        data_dir: Some(folder.path().to_owned()),
        ..Default::default()
    };
    let config = sage::config::Config::load(&config, &|_| None).unwrap();
    let store = Store::open(&config).await.unwrap();
    let begin = Instant::now();
    fill(&store, count, dimension).await;
    let size = folder.path().join("sage.db").metadata().unwrap().len();
    println!(
        "{count} x {dimension}: stored in {:.1} s, {} MB on disk",
        begin.elapsed().as_secs_f64(),
        size / 1_000_000
    );
    drop(store);

    let store = Store::open(&config).await.unwrap();
    let before = resident();
    let (mut times, mut asked, mut got) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..QUERIES {
        let query: Arc<[f32]> =
            vector(number * 7 % (SUBJECTS * DETAILS), count + number, dimension).into();
        let begin = Instant::now();
        let found = store
            .nearest(everything(), 1, Arc::clone(&query))
            .await
            .unwrap();
        times.push(begin.elapsed());
        let mut found: Vec<(f32, i64)> = found
            .passages
            .iter()
            .map(|(passage, near)| (*near, passage.passage))
            .collect();
        found.sort_by(|a, b| b.0.total_cmp(&a.0));
        got.push(
            found
                .into_iter()
                .take(TOP)
                .map(|(_, passage)| passage)
                .collect::<Vec<_>>(),
        );
        asked.push(query);
    }
    let after = resident();
    println!(
        "first {:.1} ms; then p50 {:.2} ms, p99 {:.2} ms; RSS {} MB before, {} MB after",
        ms(times[0]),
        percentile(&times[1..], 50),
        percentile(&times[1..], 99),
        before / 1000,
        after / 1000
    );

    let (exact, scan) = scan(&asked, count, dimension);
    let same = exact.iter().zip(&got).filter(|(exact, got)| {
        exact.iter().collect::<HashSet<_>>() == got.iter().collect::<HashSet<_>>()
    });
    let in_order = exact
        .iter()
        .zip(&got)
        .filter(|(exact, got)| exact == got)
        .count();
    println!(
        "the first {TOP} are those of a float scan in {:.1} % of {QUERIES} queries, in the same order in {:.1} %; a scan of floats takes {:.1} ms",
        100.0 * same.count() as f64 / QUERIES as f64,
        100.0 * in_order as f64 / QUERIES as f64,
        ms(scan)
    );
}

async fn fill(store: &Store, count: u64, dimension: usize) {
    let model = store
        .put_model("made up".to_owned(), dimension)
        .await
        .unwrap()
        .id;
    for first in (0..count).step_by(1_000) {
        let numbers = first..(first + 1_000).min(count);
        store.put(numbers.map(memory).collect()).await.unwrap();
        let (now, later) = (Timestamp::now(), Timestamp::MAX);
        let claim = store.claim(model, 1_000, now, later).await.unwrap();
        let made = claim.work.iter().map(|work| {
            let number = u64::try_from(work.passage - 1).unwrap();
            Embedded {
                passage: work.passage,
                digest: work.digest,
                made: Made::New(vector(number % (SUBJECTS * DETAILS), number, dimension).into()),
            }
        });
        let kept = store.put_vectors(model, claim.holder, made.collect()).await;
        assert_eq!(kept.unwrap(), claim.work.len() as u64);
    }
}

fn memory(number: u64) -> NewMemory {
    let text = format!("passage {number}");
    let mut hash = [0; 16];
    hash[..8].copy_from_slice(&number.to_le_bytes());
    NewMemory {
        id: MemoryId::from_bytes((u128::from(number) + 1).to_be_bytes()),
        project: Project::new("made/up"),
        session: None,
        directory: None,
        kind: Kind::Note,
        content_hash: hash,
        tags: Vec::new(),
        key: None,
        pinned: false,
        source: "cli".into(),
        created_at: Timestamp::UNIX_EPOCH,
        expires_at: None,
        metadata: None,
        event: None,
        replaces: None,
        passages: vec![NewPassage {
            range: 0..text.len(),
            length: 2,
            terms: vec![("passag".to_owned(), 1), (number.to_string(), 1)],
            vector: None,
        }],
        content: Content::plain(text),
    }
}

fn everything() -> CandidateQuery {
    CandidateQuery {
        scope: Scope::Project(Project::new("made/up")),
        filter: Filter::default(),
        terms: Vec::new(),
        now: Timestamp::now(),
    }
}

/// The vector of a passage of a detail.
fn vector(detail: u64, seed: u64, dimension: usize) -> Vec<f32> {
    let seeds = [
        1,
        1_000 + detail / DETAILS,
        100_000 + detail,
        10_000_000 + seed,
    ];
    let mut sum = vec![0.0_f32; dimension];
    for (seed, part) in seeds.into_iter().zip(PARTS) {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let scale = part / (dimension as f32).sqrt();
        for x in &mut sum {
            *x += scale * normal(&mut state);
        }
    }
    let length = sum.iter().map(|x| x * x).sum::<f32>().sqrt();
    sum.iter_mut().for_each(|x| *x /= length);
    sum
}

/// Nearly a normally distributed number: the sum of four that are evenly distributed.
fn normal(state: &mut u64) -> f32 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let mixed = mixed ^ (mixed >> 31);
    let parts = [0, 16, 32, 48].map(|shift| ((mixed >> shift) & 0xffff) as f32 / 65_536.0 - 0.5);
    parts.iter().sum::<f32>() * 3.0_f32.sqrt()
}

/// The nearest of each query by the floats themselves, and how long one query took.
fn scan(queries: &[Arc<[f32]>], count: u64, dimension: usize) -> (Vec<Vec<i64>>, Duration) {
    let mut best: Vec<Vec<(f32, i64)>> = vec![Vec::new(); queries.len()];
    let mut time = Duration::ZERO;
    for number in 0..count {
        let vector = vector(number % (SUBJECTS * DETAILS), number, dimension);
        let begin = Instant::now();
        for (query, best) in queries.iter().zip(&mut best) {
            let dot = dot(query, &vector);
            if best.len() < TOP || best.last().is_some_and(|(least, _)| dot > *least) {
                best.push((dot, i64::try_from(number).unwrap() + 1));
                best.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.cmp(&a.1)));
                best.truncate(TOP);
            }
        }
        time += begin.elapsed();
    }
    let numbers = best.into_iter();
    let numbers = numbers.map(|best| best.into_iter().map(|(_, number)| number).collect());
    (
        numbers.collect(),
        time / u32::try_from(queries.len()).unwrap(),
    )
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    for (a, b) in a.chunks(8).zip(b.chunks(8)) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum()
}

fn percentile(times: &[Duration], percent: usize) -> f64 {
    let mut times = times.to_vec();
    times.sort();
    times
        .get(times.len() * percent / 100)
        .map_or(0.0, |time| ms(*time))
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// In kilobytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.unwrap()
        .trim()
        .trim_end_matches("kB")
        .trim()
        .parse()
        .unwrap()
}
