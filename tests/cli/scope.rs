//! Where a person's commands look.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{ids, json_in, parse, remember, run_in, text};
use crate::harness::{Home, finish};

/// Two projects of the same short name, and one of another, with a note each.
struct World {
    home: Home,
    shop: PathBuf,
    old_shop: PathBuf,
    blog: PathBuf,
    note: [String; 3],
}

fn world() -> World {
    let home = Home::new();
    let shop = home.project("work/shop");
    let old_shop = home.project("archive/shop");
    let blog = home.project("work/blog");
    let note = [&shop, &old_shop, &blog]
        .map(|project| remember(&home, project, &["Deployment happens on Tuesdays."]));
    World {
        home,
        shop,
        old_shop,
        blog,
        note,
    }
}

impl World {
    fn search(&self, project: &std::path::Path, args: &[&str]) -> Value {
        let args = [&["search", "--json", "deployment"], args].concat();
        json_in(&self.home, project, &args)
    }
}

fn sorted(list: &Value) -> Vec<&str> {
    let mut ids = ids(list);
    ids.sort_unstable();
    ids
}

#[test]
fn the_current_project_is_enough_if_it_holds_something() {
    let world = world();
    let answer = world.search(&world.shop, &[]);
    assert_eq!(ids(&answer["hits"]), [world.note[0].as_str()]);
    let listed = json_in(&world.home, &world.blog, &["list", "--json"]);
    assert_eq!(ids(&listed["memories"]), [world.note[2].as_str()]);
    let stats = json_in(&world.home, &world.blog, &["stats", "--json"]);
    assert_eq!(stats["memories"]["note"], 1);
    let context = json_in(
        &world.home,
        &world.blog,
        &["context", "--json", "deployment"],
    );
    assert_eq!(ids(&context["hits"]), [world.note[2].as_str()]);
}

#[test]
fn a_project_without_memories_falls_back_to_all_and_says_so() {
    let world = world();
    let fresh = world.home.project("work/fresh");
    let answer = world.search(&fresh, &[]);
    assert_eq!(
        answer["scope"],
        json!({"project": null, "decided_by": "empty"})
    );
    let mut all: Vec<&str> = world.note.iter().map(String::as_str).collect();
    all.sort_unstable();
    assert_eq!(sorted(&answer["hits"]), all);
    for command in [
        &["search", "deployment"][..],
        &["list"],
        &["stats"],
        &["sessions"],
    ] {
        let finished = run_in(&world.home, &fresh, command);
        assert!(
            finished.stderr.contains("in all projects"),
            "{command:?}: {}",
            finished.stderr
        );
        assert!(
            finished.stderr.contains(text(&fresh)),
            "{command:?}: {}",
            finished.stderr
        );
    }
    let found = run_in(&world.home, &fresh, &["search", "deployment"]);
    assert!(
        found.stdout.contains("  blog  "),
        "each hit names its project: {}",
        found.stdout
    );
}

#[test]
fn all_means_all() {
    let world = world();
    let answer = world.search(&world.shop, &["--all"]);
    assert_eq!(answer["hits"].as_array().unwrap().len(), 3);
    assert_eq!(answer["scope"]["decided_by"], "all");
    let both = run_in(
        &world.home,
        &world.shop,
        &["search", "--all", "--project", "blog", "x"],
    );
    assert_eq!(both.code, 2);
    assert!(both.stderr.contains("contradicts"), "{}", both.stderr);
}

#[test]
fn a_project_may_be_named_by_its_end() {
    let world = world();
    for name in ["blog", "work/blog", text(&world.blog)] {
        let answer = world.search(&world.shop, &["--project", name]);
        assert_eq!(ids(&answer["hits"]), [world.note[2].as_str()], "{name}");
        assert_eq!(answer["scope"]["decided_by"], "flag");
    }
    let answer = world.search(&world.blog, &["--project", "archive/shop"]);
    assert_eq!(ids(&answer["hits"]), [world.note[1].as_str()]);

    let ambiguous = run_in(&world.home, &world.blog, &["list", "--project", "shop"]);
    assert_eq!(ambiguous.code, 2);
    for candidate in [&world.shop, &world.old_shop] {
        assert!(
            ambiguous.stderr.contains(text(candidate)),
            "{}",
            ambiguous.stderr
        );
    }
    // A part of a name is not a name, but it is a hint.
    let unknown = run_in(&world.home, &world.blog, &["stats", "--project", "blo"]);
    assert_eq!(unknown.code, 2);
    assert!(
        unknown.stderr.contains(text(&world.blog)),
        "{}",
        unknown.stderr
    );
    assert!(!unknown.stderr.contains("shop"), "{}", unknown.stderr);
}

#[test]
fn writing_to_a_new_name_makes_a_project() {
    let world = world();
    let args = ["remember", "--json", "--project", "ideas", "A new idea."];
    let report = json_in(&world.home, &world.shop, &args);
    assert_eq!(report["project"], "ideas");
    let args = ["remember", "--json", "--project", "blog", "Another post."];
    let report = json_in(&world.home, &world.shop, &args);
    assert_eq!(report["project"], text(&world.blog));
    let args = ["remember", "--project", "shop", "Which one?"];
    assert_eq!(run_in(&world.home, &world.blog, &args).code, 2);
}

#[test]
fn ids_reach_every_project_unless_one_is_named() {
    let world = world();
    let [_, _, blog] = &world.note;
    assert_eq!(run_in(&world.home, &world.shop, &["show", blog]).code, 0);
    let elsewhere = ["show", "--project", "work/shop", blog];
    assert_eq!(run_in(&world.home, &world.shop, &elsewhere).code, 1);
    let elsewhere = ["forget", "--yes", "--project", "work/shop", blog];
    assert_eq!(run_in(&world.home, &world.shop, &elsewhere).code, 1);
    assert_eq!(run_in(&world.home, &world.shop, &["show", blog]).code, 0);
}

#[test]
fn the_directory_of_a_container_is_no_project() {
    let world = world();
    let run = |args: &[&str]| {
        let mut command = world.home.command(args);
        finish(command.env("container", "podman").current_dir(&world.shop))
    };
    let finished = run(&["search", "--json", "deployment"]);
    let answer = parse(&finished.stdout);
    assert_eq!(
        answer["scope"],
        json!({"project": null, "decided_by": "nothing"})
    );
    assert_eq!(answer["hits"].as_array().unwrap().len(), 3);

    let finished = run(&["forget", "--kind", "note", "--yes"]);
    assert_eq!(finished.code, 2, "{}", finished.stderr);
    assert!(finished.stderr.contains("container"), "{}", finished.stderr);
    let finished = run(&["remember", "--json", "Said in a container."]);
    assert_eq!(parse(&finished.stdout)["project"], "unassigned");
    assert!(finished.stderr.contains("--project"), "{}", finished.stderr);
}
