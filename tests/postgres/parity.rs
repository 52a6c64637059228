//! The same memories in both stores give the same answers, to the last bit of a score.

use sage::capture::{Capture, Captured};
use sage::config::{Config, Flags};
use sage::engine::{Engine, ForgetRequest};
use sage::memory::{Filter, Kind, Memory, Page, Project, Scope, Session, Timestamp};
use sage::recall::{HITS_MAX, RecallRequest};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::harness::{Database, NO_POSTGRES, clusters, on_postgres, skipped, tell};

/// An engine over either store.
struct Sage {
    engine: Engine,
    runtime: Runtime,
    _folder: TempDir,
}

impl Sage {
    fn new(database: Option<&Database>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let flags = Flags {
            data_dir: Some(folder.path().to_owned()),
            ..Flags::default()
        };
        let url = database.map(Database::url);
        let environment = |name: &str| url.clone().filter(|_| name == "SAGE_DATABASE_URL");
        Self {
            engine: Engine::new(&Config::load(&flags, &environment).unwrap()),
            runtime: Builder::new_current_thread().enable_all().build().unwrap(),
            _folder: folder,
        }
    }

    fn keep(&self, captures: Vec<Capture>) -> Vec<&'static str> {
        let kept = self.engine.capture_all(captures);
        let kept = self.runtime.block_on(kept).unwrap();
        // Names are new in every store.
        kept.iter()
            .map(|captured| match captured {
                Captured::Stored {
                    superseded: None, ..
                } => "stored",
                Captured::Stored { .. } => "in the place of another",
                Captured::Updated { .. } => "updated",
                Captured::Known { .. } => "known",
                Captured::Refused(_) => "refused",
            })
            .collect()
    }

    fn list(&self, scope: &Scope, filter: &Filter, cursor: Option<&str>) -> Page<Memory> {
        let page = self.engine.list(scope, filter, 7, cursor);
        self.runtime.block_on(page).unwrap()
    }

    fn sessions(&self, scope: &Scope, cursor: Option<&str>) -> Page<Session> {
        let page = self.engine.sessions(scope, 3, cursor);
        self.runtime.block_on(page).unwrap()
    }

    /// What a search finds, but for the names.
    fn search(&self, scope: &Scope, filter: &Filter, query: &str) -> Vec<(String, String, u32)> {
        let request = RecallRequest {
            query: query.to_owned(),
            scope: scope.clone(),
            filter: filter.clone(),
            limit: HITS_MAX,
            offset: 0,
        };
        let found = self.runtime.block_on(self.engine.recall(&request)).unwrap();
        let hits = found.hits.into_iter();
        hits.map(|hit| {
            let place = format!("{:?} {:?}", hit.passage, hit.memory.created_at);
            (hit.memory.content.text, place, hit.score.to_bits())
        })
        .collect()
    }
}

/// Numbers that look like chance and are the same each time.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.roll(from.len() as u64) as usize]
    }
}

const WORDS: [&str; 24] = [
    "harbour",
    "gauge",
    "tide",
    "backup",
    "Thursday",
    "Marta",
    "数据库",
    "getUserName",
    "deploy",
    "release",
    "lantern",
    "rye",
    "bread",
    "oven",
    "staging",
    "amber",
    "beryl",
    "索引",
    "迁移",
    "Größe",
    "naïve",
    "parser",
    "token",
    "test",
];

/// "test" is in nearly all, most words in many, and numbered ones in a few.
pub fn text(dice: &mut Dice) -> String {
    let mut words = Vec::new();
    for _ in 0..=dice.roll(40) {
        words.push(dice.pick(&WORDS).to_owned());
    }
    words.push(format!("ticket{}", dice.roll(90)));
    words.push("test".to_owned());
    words.join(" ")
}

fn moment(dice: &mut Dice) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + dice.roll(40) as i64 * 3_600).unwrap()
}

pub fn capture(dice: &mut Dice) -> Capture {
    let project = dice.pick(&["shop", "bakery", "Quay"]);
    let kind = dice.pick(&Kind::ALL);
    let words = text(dice);
    let session = (dice.roll(4) > 0).then(|| format!("{project}-{}", dice.roll(5)));
    let is_note = kind == Kind::Note;
    Capture {
        tags: match dice.roll(3) {
            0 => vec!["api".to_owned(), "db".to_owned()],
            1 => vec!["ops".to_owned()],
            _ => Vec::new(),
        },
        key: (is_note && dice.roll(3) == 0).then(|| format!("key{}", dice.roll(4))),
        // Some are over, some come again by an event that was there.
        expires_at: match dice.roll(6) {
            0 => Some(Timestamp::from_second(1_700_000_500).unwrap()),
            1 => Some(Timestamp::from_second(4_000_000_000).unwrap()),
            _ => None,
        },
        event: (session.is_some() && dice.roll(2) == 0).then(|| format!("event{}", dice.roll(60))),
        created_at: Some(moment(dice)),
        session,
        ..Capture::note(Project::new(project), kind, &words, "test")
    }
}

fn scopes() -> Vec<Scope> {
    let mut scopes: Vec<Scope> = ["shop", "bakery", "Quay", "nowhere"]
        .map(|name| Scope::Project(Project::new(name)))
        .into();
    scopes.push(Scope::All);
    scopes
}

fn filters(dice: &mut Dice) -> Vec<Filter> {
    let (early, late) = (moment(dice), moment(dice));
    vec![
        Filter::default(),
        Filter {
            kinds: vec![Kind::Turn, Kind::Note],
            ..Filter::default()
        },
        Filter {
            tags: vec!["api".to_owned(), "db".to_owned()],
            ..Filter::default()
        },
        Filter {
            session: Some("shop-2".to_owned()),
            ..Filter::default()
        },
        Filter {
            after: Some(early),
            ..Filter::default()
        },
        Filter {
            before: Some(late),
            kinds: vec![Kind::Summary],
            ..Filter::default()
        },
    ]
}

fn memories(page: &Page<Memory>) -> Vec<(String, Vec<String>, String, Option<String>)> {
    let items = page.items.iter();
    items
        .map(|memory| {
            let rest = format!(
                "{:?} {:?} {:?} {:?} {:?}",
                memory.project, memory.session, memory.kind, memory.created_at, memory.expires_at
            );
            (
                memory.content.text.clone(),
                memory.tags.clone(),
                rest,
                memory.key.clone(),
            )
        })
        .collect()
}

/// The same in both, whatever was asked; and what the first answered.
#[track_caller]
fn same<T: PartialEq + std::fmt::Debug>(
    both: &[Sage; 2],
    what: &str,
    ask: impl Fn(&Sage) -> T,
) -> T {
    let [a, b] = both.each_ref().map(ask);
    assert!(a == b, "{what}:\n{a:?}\n{b:?}");
    a
}

fn compare(both: &[Sage; 2], dice: &mut Dice) -> usize {
    let mut found = 0;
    let filters = filters(dice);
    for scope in scopes() {
        for filter in &filters {
            for _ in 0..4 {
                let query = [text(dice), dice.pick(&WORDS).to_owned() + " test"];
                for query in query {
                    let what = format!("{scope:?} {filter:?} {query}");
                    found += same(both, &what, |sage| sage.search(&scope, filter, &query)).len();
                }
            }
            let mut cursors: [Option<String>; 2] = [None, None];
            loop {
                let pages: Vec<_> = (both.iter().zip(&cursors))
                    .map(|(sage, cursor)| sage.list(&scope, filter, cursor.as_deref()))
                    .collect();
                assert_eq!(
                    memories(&pages[0]),
                    memories(&pages[1]),
                    "{scope:?} {filter:?}"
                );
                cursors = [pages[0].next.clone(), pages[1].next.clone()];
                assert_eq!(cursors[0].is_some(), cursors[1].is_some());
                if cursors[0].is_none() {
                    break;
                }
            }
        }
        let what = format!("{scope:?}");
        same(both, &what, |sage| {
            let stats = sage.runtime.block_on(sage.engine.stats(&scope)).unwrap();
            let count = sage.runtime.block_on(sage.engine.count(&scope)).unwrap();
            (
                sage::engine::Stats {
                    store_bytes: 0,
                    ..stats
                },
                count,
            )
        });
        same(both, &what, |sage| {
            let (mut all, mut cursor) = (Vec::new(), None::<String>);
            loop {
                let page = sage.sessions(&scope, cursor.as_deref());
                all.extend(page.items);
                cursor = page.next;
                if cursor.is_none() {
                    return all;
                }
            }
        });
    }
    same(both, "projects", |sage| {
        let ask = |part: &'static str| {
            sage.runtime
                .block_on(sage.engine.projects(part, 10))
                .unwrap()
        };
        (ask(""), ask("QUAY"), ask("a"))
    });
    found
}

#[test]
fn both_stores_answer_alike() {
    on_postgres("both_stores_answer_alike", |database| {
        let both = [Sage::new(None), Sage::new(Some(&database))];
        let mut dice = Dice(0x5a6e);
        for batch in [1, 400, 3, 1, 200] {
            let captures: Vec<Capture> = (0..batch).map(|_| capture(&mut dice)).collect();
            same(&both, "put", |sage| sage.keep(captures.clone()));
        }
        assert!(compare(&both, &mut dice) > 1_000, "the queries find things");

        let selector = Filter {
            tags: vec!["ops".to_owned()],
            ..Filter::default()
        };
        let scope = Scope::Project(Project::new("shop"));
        same(&both, "forget", |sage| {
            let request = ForgetRequest {
                scope: scope.clone(),
                ids: Vec::new(),
                filter: selector.clone(),
            };
            let preview = sage.engine.forget_preview(&request);
            let code = sage.runtime.block_on(preview).unwrap().code;
            sage.runtime
                .block_on(sage.engine.forget(&request, &code))
                .unwrap()
        });
        let captures: Vec<Capture> = (0..150).map(|_| capture(&mut dice)).collect();
        same(&both, "put", |sage| sage.keep(captures.clone()));
        assert!(compare(&both, &mut dice) > 1_000);
    });
}

/// Words that are in so many of a hundred texts.
const COMMON: [(&str, u64); 7] = [
    ("deploy", 90),
    ("server", 60),
    ("数据库", 55),
    ("index", 45),
    ("release", 40),
    ("迁移", 35),
    ("token", 33),
];

/// How many captures come in one batch, as in an import.
const BATCH: u64 = 256;

/// A capture of a large store: some common words among rare ones.
fn one_of_many(dice: &mut Dice, number: u64) -> Capture {
    let mut words: Vec<String> = Vec::new();
    for (word, percent) in COMMON {
        if dice.roll(100) < percent {
            // Twice weighs more than once.
            words.extend(vec![word.to_owned(); 1 + dice.roll(2) as usize]);
        }
    }
    for _ in 0..3 + dice.roll(6) {
        words.push(format!("module{}", dice.roll(400)));
    }
    words.push(format!("ticket{}", dice.roll(20_000)));
    let is_turn = dice.roll(2) == 0;
    let project = if dice.roll(5) == 0 { "bakery" } else { "shop" };
    let kind = if is_turn { Kind::Turn } else { Kind::Note };
    Capture {
        // One in seven takes the place of an earlier one.
        key: (!is_turn && dice.roll(7) < 2).then(|| format!("key{}", dice.roll(50))),
        tags: match dice.roll(20) {
            0 => vec![format!("gone{}", number / 8_192)],
            _ => Vec::new(),
        },
        session: (dice.roll(3) > 0).then(|| format!("{project}-{}", number / 60)),
        created_at: Some(moment(dice)),
        ..Capture::note(Project::new(project), kind, &words.join(" "), "test")
    }
}

/// The same of two stores of so many passages, with deleted and superseded memories among them.
fn alike_when_large(database: &Database, size: u64) {
    let both = [Sage::new(None), Sage::new(Some(database))];
    let mut dice = Dice(0x1a46e);
    let mut number = 0;
    while number < size {
        let batch: Vec<Capture> = (0..BATCH)
            .map(|_| {
                number += 1;
                one_of_many(&mut dice, number)
            })
            .collect();
        same(&both, "put", |sage| sage.keep(batch.clone()));
    }
    for part in (0..=number / 8_192).step_by(2) {
        let filter = Filter {
            tags: vec![format!("gone{part}")],
            ..Filter::default()
        };
        let forgotten = same(&both, "forget", |sage| {
            let request = ForgetRequest {
                scope: Scope::All,
                ids: Vec::new(),
                filter: filter.clone(),
            };
            let preview = sage.engine.forget_preview(&request);
            let code = sage.runtime.block_on(preview).unwrap().code;
            let forget = sage.engine.forget(&request, &code);
            sage.runtime.block_on(forget).unwrap()
        });
        assert!(forgotten.memories > 0);
    }
    let scopes = [Scope::Project(Project::new("shop")), Scope::All];
    let stats = same(&both, "stats", |sage| {
        let stats = sage.runtime.block_on(sage.engine.stats(&Scope::All));
        let stats = stats.unwrap();
        (stats.by_kind, stats.superseded, stats.passages)
    });
    assert!(stats.1 > size / 20, "many are superseded: {stats:?}");
    let mut questions: Vec<String> = COMMON.iter().map(|(word, _)| (*word).to_owned()).collect();
    questions.push(COMMON.map(|(word, _)| word).join(" "));
    for _ in 0..30 {
        let (module, ticket) = (dice.roll(400), dice.roll(20_000));
        let common = || COMMON[(module % 7) as usize].0;
        questions.push(format!("{} module{module}", common()));
        questions.push(format!("deploy {} ticket{ticket} module{module}", common()));
    }
    let (mut asked, mut found) = (0, 0);
    for scope in &scopes {
        for question in &questions {
            let kinds = if asked % 5 == 4 {
                vec![Kind::Turn]
            } else {
                Vec::new()
            };
            let filter = Filter {
                kinds,
                ..Filter::default()
            };
            let hits = same(&both, question, |sage| {
                sage.search(scope, &filter, question)
            });
            asked += 1;
            found += hits.len();
        }
    }
    assert!(found > asked * 5, "{found} hits");
    tell(&format!(
        "PARITY with PostgreSQL {}: {} passages, {} memories superseded; {asked} queries, {found} hits, all alike",
        database.cluster.version, stats.2, stats.1
    ));
}

#[test]
fn common_words_rank_alike_in_a_store_of_some_size() {
    on_postgres(
        "common_words_rank_alike_in_a_store_of_some_size",
        |database| {
            alike_when_large(&database, 5_000);
        },
    );
}

#[test]
#[ignore = "takes minutes"]
fn common_words_rank_alike_in_a_hundred_thousand_passages() {
    let test = "common_words_rank_alike_in_a_hundred_thousand_passages";
    match clusters().first() {
        Some(cluster) => alike_when_large(&Database::new(cluster), 125_000),
        None => skipped(test, NO_POSTGRES),
    }
}
