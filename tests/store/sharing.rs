//! A session may be of several projects; each has its own part of it, and no words of the others.

use serde_json::{Value, json};

use super::PROJECT;
use super::consistency::{Tables, check_store as check};
use super::rules::{Said, found, import, listed, remember, turns};
use crate::harness::{Client, Era, Home, on_every_store};
use crate::mcp::{id_in, quoted_in};

/// `sage mcp` for a project, in session "s".
fn connect_to(home: &Home, project: &str) -> Client {
    let mut command = home.command(["mcp", "--project", project]);
    command.env("CLAUDE_CODE_SESSION_ID", "s");
    Client::start(command, Era::Modern)
}

fn manage(client: &mut Client, action: &str, mut arguments: Value) -> String {
    arguments["action"] = json!(action);
    client.tool("manage_session", arguments)
}

#[track_caller]
fn forget(client: &mut Client, id: &str) {
    let code = quoted_in(&client.tool("forget", json!({"ids": [id]})));
    client.tool("forget", json!({"ids": [id], "confirm": code}));
}

on_every_store!(forgetting_leaves_empty_sessions_of_other_projects_alone);
fn forgetting_leaves_empty_sessions_of_other_projects_alone(home: Home) {
    let mut shop = connect_to(&home, "acme/shop");
    let mut bakery = connect_to(&home, "acme/bakery");
    // One that only the shop knows, and one that is of both.
    for session in ["spike", "s"] {
        manage(&mut shop, "create", json!({"session": session}));
    }
    let id = id_in(&bakery.tool("remember", json!({"content": "Rye takes a day."})));
    assert!(manage(&mut bakery, "list", json!({})).contains("1 memory"));
    forget(&mut bakery, &id);
    let list = manage(&mut bakery, "list", json!({}));
    assert!(list.contains("No sessions"), "{list}");
    for session in ["spike", "s"] {
        let info = manage(&mut shop, "info", json!({"session": session}));
        assert!(info.contains("0 memories"), "{info}");
    }
    check(&home);
}

/// A session that began in `/nowhere/a` and went on in `/nowhere/b` for two turns.
fn moved() -> String {
    let said = |prompt_id, cwd, prompt| Said {
        session: "s",
        prompt_id,
        cwd,
        at: "2026-11-03T12:00:00Z",
        prompt,
        reply: "It is done.",
    };
    [
        said("p1", "/nowhere/a", "Paint the lantern green."),
        said("p2", "/nowhere/b", "Bake the rye bread."),
        said("p3", "/nowhere/b", "Weigh the flour."),
    ]
    .map(|said| said.lines())
    .concat()
}

const PARTS: [(&str, &str, u64); 2] = [
    ("/nowhere/a", "Paint the lantern green.", 1),
    ("/nowhere/b", "Bake the rye bread.", 2),
];

on_every_store!(each_project_lists_its_own_part_of_a_session);
fn each_project_lists_its_own_part_of_a_session(home: Home) {
    assert_eq!(import(&home, &moved()), turns(3, 0, 0));
    for (project, first, count) in PARTS {
        let answer = home.json(["sessions", "--json", "--project", project]);
        let sessions = answer["sessions"].as_array().unwrap();
        assert_eq!(sessions.len(), 1, "{answer}");
        assert_eq!(sessions[0]["project"], project);
        assert_eq!(sessions[0]["memories"], count);
        let title = sessions[0]["title"].as_str().unwrap();
        assert!(title.starts_with(first), "{title}");
        let stats = home.json(["stats", "--json", "--project", project]);
        assert_eq!(stats["sessions"], 1, "{stats}");
        assert_eq!(stats["memories"]["turn"], count, "{stats}");
    }
    let stats = home.json(["stats", "--json", "--all"]);
    assert_eq!(stats["sessions"], 1, "{stats}");
}

on_every_store!(a_title_given_in_one_project_is_not_shown_in_the_other);
fn a_title_given_in_one_project_is_not_shown_in_the_other(home: Home) {
    import(&home, &moved());
    let mut a = connect_to(&home, "/nowhere/a");
    let mut b = connect_to(&home, "/nowhere/b");
    let renamed = manage(&mut a, "rename", json!({"title": "Secret lantern"}));
    assert!(renamed.contains("Secret lantern"), "{renamed}");
    let (of_a, of_b) = (
        manage(&mut a, "list", json!({})),
        manage(&mut b, "list", json!({})),
    );
    assert!(of_a.contains("Secret lantern"), "{of_a}");
    assert!(of_b.contains("Bake the rye bread."), "{of_b}");
}

on_every_store!(forgetting_one_projects_part_of_a_session_keeps_the_others);
fn forgetting_one_projects_part_of_a_session_keeps_the_others(home: Home) {
    for ((project, ..), (other, first, count)) in [(PARTS[0], PARTS[1]), (PARTS[1], PARTS[0])] {
        let home = home.another();
        import(&home, &moved());
        home.ok(["forget", "--yes", "--project", project, "--session", "s"]);
        let left = listed(&home);
        assert_eq!(left.len() as u64, count);
        assert!(
            left.iter().all(|memory| memory["project"] == other),
            "{left:?}"
        );
        let answer = home.json(["sessions", "--json", "--project", other]);
        assert_eq!(answer["sessions"][0]["memories"], count, "{answer}");
        let title = answer["sessions"][0]["title"].as_str().unwrap();
        assert!(title.starts_with(first), "{title}");
        let mut client = connect_to(&home, project);
        let list = manage(&mut client, "list", json!({}));
        assert!(list.contains("No sessions"), "{list}");
        check(&home);
    }
}

on_every_store!(a_session_without_proof_follows_the_first_project_that_has_it);
fn a_session_without_proof_follows_the_first_project_that_has_it(home: Home) {
    let shop = home.project("shop");
    let start = |with_project: bool| {
        let mut command = home.command(["mcp"]);
        // A container's own directory is no proof.
        command.env("container", "podman");
        command.env("CLAUDE_CODE_SESSION_ID", "s");
        if with_project {
            command.env("CLAUDE_PROJECT_DIR", &shop);
        }
        Client::start(command, Era::Modern)
    };
    let kept = start(false).tool("remember", json!({"content": "The moon is far away."}));
    assert!(kept.contains("`unassigned`"), "{kept}");

    let mut client = start(true);
    let kept = client.tool("remember", json!({"content": "The tide is high."}));
    assert!(kept.contains("/shop (by environment)"), "{kept}");
    for mut client in [client, start(true), start(false)] {
        let info = manage(&mut client, "info", json!({}));
        assert!(info.contains("/shop (by session)"), "{info}");
        assert!(info.contains("1 memory"), "{info}");
        assert!(info.contains("tide") && !info.contains("moon"), "{info}");
    }
    check(&home);
}

on_every_store!(the_names_of_a_session_and_of_its_prompt_do_not_run_together);
fn the_names_of_a_session_and_of_its_prompt_do_not_run_together(home: Home) {
    let said = |session, prompt_id, prompt| Said {
        session,
        prompt_id,
        cwd: "/nowhere/shop",
        at: "2026-11-03T12:00:00Z",
        prompt,
        reply: "It is done.",
    };
    for (known, (session, prompt_id, prompt)) in [
        (0, ("x", "y/z", "Paint the lantern green.")),
        (0, ("x/y", "z", "Bake the bread.")),
        (1, ("x", "y/z", "Paint the lantern green.")),
    ] {
        let lines = said(session, prompt_id, prompt).lines();
        assert_eq!(import(&home, &lines), turns(1 - known, 0, known));
    }
    assert_eq!(listed(&home).len(), 2);
    assert_eq!(found(&home, "lantern").len(), 1);
    assert_eq!(found(&home, "bread").len(), 1);
}

/// What git writes, as far as it tells the project of a folder.
fn clone_of(home: &Home, folder: &str, remote: &str) {
    home.project(&format!("{folder}/.git/objects"));
    home.project(&format!("{folder}/.git/refs"));
    home.file(&format!("{folder}/.git/HEAD"), "ref: refs/heads/main\n");
    let config = format!("[remote \"origin\"]\n\turl = https://example.org/acme/{remote}.git\n");
    home.file(&format!("{folder}/.git/config"), config);
}

on_every_store!(a_turn_that_comes_again_teaches_nothing_about_directories);
fn a_turn_that_comes_again_teaches_nothing_about_directories(home: Home) {
    let folders = ["shop", "bakery"].map(|name| home.project(name));
    let [shop, bakery] = folders.each_ref().map(|path| path.to_str().unwrap());
    let said = |prompt_id, cwd, prompt| {
        let said = Said {
            session: "s",
            prompt_id,
            cwd,
            at: "2026-11-03T12:00:00Z",
            prompt,
            reply: "It is done.",
        };
        said.lines()
    };
    clone_of(&home, "shop", "shop");
    clone_of(&home, "bakery", "bakery");
    let known = said("p1", shop, "Paint the lantern green.");
    assert_eq!(import(&home, &known), turns(1, 0, 0));
    let other = said("p2", bakery, "Bake the bread.");
    assert_eq!(import(&home, &other), turns(1, 0, 0));

    // The turn of the shop comes again from the bakery, which looks like the shop by now.
    clone_of(&home, "bakery", "shop");
    let again = said("p1", bakery, "Paint the lantern green.");
    assert_eq!(import(&home, &again), turns(0, 0, 1));
    let db = check(&home);
    assert_eq!(project_of(&db, shop), "example.org/acme/shop");
    assert_eq!(project_of(&db, bakery), "example.org/acme/bakery");
    // A new one is proof.
    import(&home, &said("p3", bakery, "Mend the oven."));
    assert_eq!(project_of(&db, bakery), "example.org/acme/shop");
}

#[track_caller]
fn project_of(db: &Tables, directory: &str) -> String {
    db.text(&format!(
        "SELECT p.key FROM directory d JOIN project p ON p.id = d.project_id
         WHERE d.path = '{directory}'"
    ))
}

on_every_store!(the_number_of_a_forgotten_memory_is_not_given_again);
fn the_number_of_a_forgotten_memory_is_not_given_again(home: Home) {
    let id = |report: Value| report["id"].as_str().unwrap().to_owned();
    let last = || check(&home).number("SELECT max(id) FROM memory");
    remember(&home, &["The lantern is green."]);
    let forgotten = id(remember(&home, &["The wall is white."]));
    let before = last();
    home.ok(["forget", "--yes", &forgotten]);
    let bread = "The bread is rye.";
    home.ok(["remember", "--project", "acme/bakery", bread]);
    assert!(last() > before, "{} after {before}", last());

    // And whoever looks in one project sees nothing of the other.
    for query in ["wall", "bread", "green lantern wall bread"] {
        let answer = home.json(["search", "--json", "--project", PROJECT, query]);
        let hits = answer["hits"].as_array().unwrap();
        assert!(hits.iter().all(|hit| hit["project"] == PROJECT), "{answer}");
        assert_eq!(hits.len(), usize::from(query.contains("lantern")));
    }
    assert_eq!(found(&home, "bread").len(), 1);
}
