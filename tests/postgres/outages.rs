//! What may happen to a database under load, each through two servers: nothing acknowledged is lost,
//! nothing is there twice, callers are told in time, and service goes on by itself.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::load::{survives, survives_with_deaths};
use crate::harness::{Cluster, Database, Home, Server, Setup, eventually, on_postgres, skipped};

/// No answer may take longer: connecting, and waiting for a server that starts.
const DEADLINE: Duration = Duration::from_secs(8);

/// Where a lock or a disk is waited for: the longest that a request may take.
const LONG_DEADLINE: Duration = Duration::from_secs(31);

const DURABLE: Setup = Setup {
    tls_port: None,
    is_durable: true,
    disk_megabytes: None,
    log_on_disk: false,
    standby_of: None,
};

/// The whole of a server of one test, as a home's database.
fn home_on(cluster: &Arc<Cluster>) -> Home {
    Home::on(Database {
        cluster: Arc::clone(cluster),
        name: "postgres".to_owned(),
    })
}

fn two_servers(home: &Home) -> [Server; 2] {
    [Server::start(home), Server::start(home)]
}

/// Runs a test on a server of its own that keeps what it says, of each version.
#[track_caller]
fn on_durable(test: &str, body: impl Fn(&Arc<Cluster>, &Home)) {
    on_postgres(test, |database| {
        let cluster = Arc::new(database.cluster.another_with(DURABLE).unwrap());
        let home = home_on(&cluster);
        body(&cluster, &home);
    });
}

#[test]
fn absent_at_the_start() {
    on_durable("absent_at_the_start", |cluster, home| {
        cluster.order("stop");
        let servers = two_servers(home);
        survives("absent at the start", home, &servers, DEADLINE, |load| {
            load.is_refused(5);
            cluster.order("start");
        });
    });
}

#[test]
fn restarted() {
    on_durable("restarted", |cluster, home| {
        let servers = two_servers(home);
        survives("restarted, twice", home, &servers, DEADLINE, |load| {
            load.goes_on();
            cluster.order("stop");
            cluster.order("start");
            load.goes_on();
            cluster.order("stop");
            load.is_refused(5);
            cluster.order("start");
        });
    });
}

#[test]
fn killed() {
    on_durable("killed", |cluster, home| {
        let servers = two_servers(home);
        survives(
            "killed with SIGKILL, thrice",
            home,
            &servers,
            DEADLINE,
            |load| {
                for _ in 0..3 {
                    load.goes_on();
                    cluster.order("kill");
                    cluster.order("start");
                }
            },
        );
    });
}

/// Whatever a connection of Sage's does at the moment.
const BACKENDS: &str =
    "FROM pg_stat_activity WHERE application_name = 'sage' AND datname = current_database()";

/// Does this to each connection, often, in the middle of whatever it does.
fn strike(test: &str, fault: &str, function: &str) {
    on_postgres(test, |database| {
        let home = Home::on(database);
        let servers = two_servers(&home);
        survives(fault, &home, &servers, DEADLINE, |load| {
            let database = home.postgres().unwrap();
            load.goes_on();
            for _ in 0..20 {
                database.sql(&format!("SELECT count({function}(pid)) {BACKENDS}"));
                load.moves();
            }
        });
    });
}

#[test]
fn connections_terminated() {
    let fault = "all connections terminated, 20 times";
    strike("connections_terminated", fault, "pg_terminate_backend");
}

/// What a statement meets whose time is over, only sooner.
#[test]
fn statements_cancelled() {
    let fault = "all statements cancelled, 20 times";
    strike("statements_cancelled", fault, "pg_cancel_backend");
}

#[test]
fn locked_until_statements_time_out() {
    on_postgres("locked_until_statements_time_out", |database| {
        let home = Home::on(database);
        let servers = two_servers(&home);
        let fault = "tables locked until statements time out";
        survives(fault, &home, &servers, LONG_DEADLINE, |load| {
            load.goes_on();
            let database = home.postgres().unwrap();
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    database.sql(
                        "DO $$ BEGIN
                             LOCK TABLE memory;
                             LOOP
                                 EXIT WHEN EXISTS (
                                     SELECT FROM pg_class WHERE relname = 'it_is_enough');
                                 PERFORM pg_sleep(0.02);
                             END LOOP;
                         END $$",
                    )
                });
                load.is_refused(1);
                database.sql("CREATE TABLE public.it_is_enough ()");
            });
        });
    });
}

#[test]
fn read_only_for_a_while() {
    on_postgres("read_only_for_a_while", |database| {
        let home = Home::on(database);
        let servers = two_servers(&home);
        let fault = "default_transaction_read_only for a while";
        survives(fault, &home, &servers, DEADLINE, |load| {
            load.goes_on();
            let database = home.postgres().unwrap();
            let alter = format!("ALTER DATABASE {}", database.name);
            // What is connected already keeps its own setting.
            database.sql(&format!(
                "{alter} SET default_transaction_read_only = on;
                 SELECT count(pg_terminate_backend(pid)) {BACKENDS}"
            ));
            load.is_refused(5);
            database.cluster.sql(
                "postgres",
                &format!("{alter} RESET default_transaction_read_only"),
            );
        });
    });
}

/// Fills the disk of the database's server for a while.
fn full_disk_of(test: &str, fault: &str, setup: Setup) {
    on_postgres(test, |database| {
        let Some(cluster) = database.cluster.another_with(setup) else {
            return skipped(test, "only root may mount the small disk that it fills");
        };
        let cluster = Arc::new(cluster);
        let home = home_on(&cluster);
        let servers = two_servers(&home);
        survives(fault, &home, &servers, LONG_DEADLINE, |load| {
            load.goes_on();
            cluster.order("fill");
            load.is_refused(3);
            cluster.order("free");
        });
    });
}

#[test]
fn full_disk() {
    let setup = Setup {
        disk_megabytes: Some(150),
        ..DURABLE
    };
    full_disk_of("full_disk", "disk full", setup);
}

/// Without room for its log the server breaks down, and does not come up again until there is some.
#[test]
fn full_disk_with_the_log_on_it() {
    let setup = Setup {
        disk_megabytes: Some(300),
        log_on_disk: true,
        ..DURABLE
    };
    let fault = "disk full, with the log on it";
    full_disk_of("full_disk_with_the_log_on_it", fault, setup);
}

/// What one of them had not told yet is said again to its successor.
#[test]
fn sage_killed() {
    on_postgres("sage_killed", |database| {
        let home = Home::on(database);
        let servers = two_servers(&home);
        let mut successors = Vec::new();
        let fault = "sage itself killed with SIGKILL, 10 times";
        let broken = survives_with_deaths(fault, &home, &servers, DEADLINE, |load| {
            for round in 0..10 {
                load.goes_on();
                let address = servers[round % 2].address();
                let victim = successors.get(round.wrapping_sub(2));
                victim.unwrap_or(&servers[round % 2]).signal(Signal::KILL);
                load.moves();
                successors.push(Server::at(&home, &[address], &[]));
            }
        });
        assert!(broken > 0, "nobody noticed");
    });
}

/// A server and another one that follows it, so that what the first acknowledges both have.
fn pair(cluster: &Cluster) -> [Arc<Cluster>; 2] {
    let primary = cluster.another_with(DURABLE).unwrap();
    let standby = cluster.another_with(Setup {
        standby_of: Some(&primary),
        ..DURABLE
    });
    primary.sql(
        "postgres",
        "ALTER SYSTEM SET synchronous_standby_names = '*'",
    );
    primary.sql("postgres", "SELECT pg_reload_conf()");
    eventually("the standby to follow", || {
        let state = primary.sql("postgres", "SELECT sync_state FROM pg_stat_replication");
        (state == "sync").then_some(())
    });
    [primary, standby.unwrap()].map(Arc::new)
}

/// The address of whichever of them takes writes.
fn url_of(pair: &[Arc<Cluster>; 2]) -> String {
    let [a, b] = pair.each_ref().map(|cluster| cluster.folder.display());
    format!("postgres:///postgres?host={a},{b}&user=sage&target_session_attrs=read-write")
}

#[test]
fn failover() {
    on_postgres("failover", |database| {
        let pair = pair(&database.cluster);
        let [primary, standby] = &pair;
        let url = url_of(&pair);
        let home = home_on(standby);
        let server = || Server::with(&home, &[("SAGE_DATABASE_URL", &url)]);
        let servers = [server(), server()];
        let fault = "failover, the primary crashed";
        survives(fault, &home, &servers, DEADLINE, |load| {
            load.goes_on();
            primary.order("crash");
            load.is_refused(1);
            standby.order("promote");
        });
    });
}

/// The standby is promoted while the primary lives: what only that one has was never acknowledged.
#[test]
fn switchover_while_both_run() {
    on_postgres("switchover_while_both_run", |database| {
        let pair = pair(&database.cluster);
        let [primary, standby] = &pair;
        let url = url_of(&pair);
        let home = home_on(standby);
        let server = || Server::with(&home, &[("SAGE_DATABASE_URL", &url)]);
        let servers = [server(), server()];
        let fault = "standby promoted, then the primary crashed";
        survives(fault, &home, &servers, DEADLINE, |load| {
            load.goes_on();
            standby.order("promote");
            primary.order("crash");
        });
    });
}

/// The statement's own time must not end that wait: the server would call it a success.
#[test]
#[ignore = "waits for half a minute"]
fn what_the_standby_lacks_is_not_acknowledged() {
    on_postgres("what_the_standby_lacks_is_not_acknowledged", |database| {
        let [primary, standby] = pair(&database.cluster);
        let home = home_on(&primary);
        home.ok(["list", "--all"]);
        standby.order("stop");
        let note = ["remember", "--project", "p", "The lantern is green."];
        let mut waiting = home.command(note).spawn().unwrap();
        let begin = Instant::now();
        eventually("the time of a statement to be over", || {
            assert!(waiting.try_wait().unwrap().is_none(), "acknowledged");
            (begin.elapsed() > Duration::from_secs(32)).then_some(())
        });
        standby.order("start");
        assert!(waiting.wait().unwrap().success());
        assert!(home_on(&standby).ok(["list", "--all"]).contains("green"));
    });
}

/// A database that takes connections and says nothing: each try costs its whole patience.
#[test]
fn after_failures_calls_fail_at_once_and_one_looks_for_recovery() {
    // Nobody accepts: the system lets a few in by itself.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let home = Home::new();
    let url = format!("postgres://u@127.0.0.1:{port}/x");
    let server = Server::with(&home, &[("SAGE_DATABASE_URL", &url)]);
    let ask = || {
        let begin = Instant::now();
        let note = serde_json::json!({"project": "p", "content": "A note."});
        server.post("/api/memories", &note).is(503);
        begin.elapsed()
    };
    // Nobody knows yet, so all of them try.
    let at_once = |count: usize| -> Vec<Duration> {
        std::thread::scope(|scope| {
            let calls: Vec<_> = (0..count).map(|_| scope.spawn(ask)).collect();
            calls.into_iter().map(|call| call.join().unwrap()).collect()
        })
    };
    assert!(at_once(5).iter().all(|took| *took < DEADLINE));
    // One of many waits for all; the others are told at once.
    for _ in 0..2 {
        let mut took = at_once(20);
        took.sort();
        assert!(took[18] < Duration::from_secs(1), "{took:?}");
        assert!(took[19] < DEADLINE, "{took:?}");
    }
    silent.set_nonblocking(true).unwrap();
    let tried = std::iter::from_fn(|| silent.accept().ok()).count();
    assert!((5..=7).contains(&tried), "{tried} tries");
}

#[test]
fn a_replica_answers_and_says_that_it_keeps_nothing_until_it_is_promoted() {
    let test = "a_replica_answers_and_says_that_it_keeps_nothing_until_it_is_promoted";
    on_postgres(test, |database| {
        let [primary, standby] = pair(&database.cluster);
        let note = |text| ["remember", "--project", "p", text];
        home_on(&primary).ok(note("The lantern is green."));
        let home = home_on(&standby);
        let server = Server::start(&home);
        eventually("the replica to have it", || {
            let found = server.get("/api/memories?project=p").json();
            (found["memories"][0]["content"] == "The lantern is green.").then_some(())
        });
        let white = serde_json::json!({"project": "p", "content": "The wall is white."});
        let refused = server.post("/api/memories", &white).is(503);
        assert!(
            refused.text().contains("target_session_attrs"),
            "{refused:?}"
        );
        standby.order("promote");
        server.post("/api/memories", &white).is(201);
    });
}
