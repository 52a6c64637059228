//! Several processes on one database, over HTTP and over stdio.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::harness::{
    Ask, Client, Era, Home, Server, clusters, finish, on_postgres, skipped, text_of_tool,
};
use crate::mcp::id_in;

const SESSION: &str = "shared";

/// A process by either way in, whose calls belong to one session of the project `acme/shop`.
enum Process {
    Http(Server),
    Stdio(Box<Client>),
}

impl Process {
    fn four(home: &Home) -> [Self; 4] {
        let stdio = || {
            let mut command = home.command(["mcp", "--project", "acme/shop"]);
            command.env("CLAUDE_CODE_SESSION_ID", SESSION);
            Self::Stdio(Box::new(Client::start(command, Era::Modern)))
        };
        let http = || Self::Http(Server::start(home));
        [http(), stdio(), http(), stdio()]
    }

    #[track_caller]
    fn tool(&mut self, name: &str, arguments: Value) -> String {
        match self {
            Self::Http(server) => {
                let ask = Ask::tool(name, arguments).header("Sage-Session", SESSION);
                text_of_tool(&server.ask(&ask))
            }
            Self::Stdio(client) => client.tool(name, arguments),
        }
    }

    #[track_caller]
    fn finds(&mut self, word: &str) {
        let found = self.tool("search_memory", json!({"query": word}));
        assert!(found.contains(word), "{word}: {found}");
    }

    /// Saves a turn and returns its id.
    #[track_caller]
    fn save(&mut self, prompt: &str) -> String {
        let turn = json!({"user_prompt": prompt, "assistant_response": "It is on the quay."});
        id_in(&self.tool("save_conversation", turn))
    }
}

#[test]
fn what_one_process_keeps_all_others_find_at_once() {
    on_postgres(
        "what_one_process_keeps_all_others_find_at_once",
        |database| {
            let home = Home::on(database);
            let mut processes = Process::four(&home);
            for n in 0..8 {
                let word = format!("lantern{n}");
                processes[n % 4].save(&format!("Where is {word}?"));
                for process in &mut processes {
                    process.finds(&word);
                }
            }
        },
    );
}

#[test]
fn all_may_write_the_same_at_once_and_it_is_there_once() {
    const SHARED: usize = 30;
    const OWN: usize = 10;
    let test = "all_may_write_the_same_at_once_and_it_is_there_once";
    on_postgres(test, |database| {
        let home = Home::on(database);
        let processes = Process::four(&home);
        let ids: HashSet<String> = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..)
                .zip(processes)
                .map(|(writer, mut process)| {
                    scope.spawn(move || {
                        let mut ids = Vec::new();
                        for n in 0..SHARED {
                            // Each meets the others' turns at another moment.
                            let n = (n + writer * 7) % SHARED;
                            ids.push(process.save(&format!("Where is lantern{n}?")));
                        }
                        for n in 0..OWN {
                            ids.push(process.save(&format!("Where is mirror{n} of {writer}?")));
                        }
                        ids
                    })
                })
                .collect();
            let ids = writers
                .into_iter()
                .flat_map(|writer| writer.join().unwrap());
            ids.collect()
        });
        assert_eq!(ids.len(), SHARED + 4 * OWN, "a turn has one id for all");
        let tables = crate::store::check_store(&home);
        let memories = tables.number("SELECT count(*) FROM memory");
        assert_eq!(memories as usize, ids.len());
        assert_eq!(tables.number("SELECT count(*) FROM session"), 1);
    });
}

/// It is that of the user's own project, whose environment Sage inherits.
#[test]
fn a_plain_database_url_is_not_read() {
    on_postgres("a_plain_database_url_is_not_read", |database| {
        let home = Home::new();
        for url in [database.url().as_str(), "postgres://nowhere.invalid/x", "?"] {
            let note = format!("The lantern is green, whatever {url} says.");
            let mut command = home.command(["remember", "--project", "p", &note]);
            let finished = finish(command.env("DATABASE_URL", url));
            assert_eq!(finished.code, 0, "{finished:?}");
        }
        assert!(home.has_store());
        let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname = 'sage'";
        assert_eq!(database.sql(schemas), "0");
    });
}

#[test]
fn one_of_the_servers_has_pgvector() {
    let offers = "SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'";
    let found = clusters()
        .iter()
        .any(|cluster| cluster.sql("postgres", offers) == "1");
    if !found {
        let why =
            "no PostgreSQL with pgvector is installed; tests/postgres/get-pgvector fetches one";
        skipped("one_of_the_servers_has_pgvector", why);
    }
}
