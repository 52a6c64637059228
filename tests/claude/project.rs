use sage::claude::project::{IdentitySource, ProjectIdentity, identify};

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tempfile::TempDir;

const ORIGIN: &str = r#"[core]
    bare = false
[remote "origin"]
    url = git@github.com:Acme/Shop.git
    fetch = +refs/heads/*:refs/remotes/origin/*
"#;

/// A folder to build repositories in, by its canonical path.
fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap();
    (folder, path)
}

fn write(path: &Path, content: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// What git writes for a repository, as far as it matters here.
fn make_git_dir(git_dir: &Path, config: &str) {
    fs::create_dir_all(git_dir.join("objects")).unwrap();
    fs::create_dir_all(git_dir.join("refs")).unwrap();
    write(&git_dir.join("HEAD"), "ref: refs/heads/main\n");
    write(&git_dir.join("config"), config);
}

/// A work tree at `tree` of the repository at `git_dir`, as `git worktree add` makes it.
fn add_worktree(git_dir: &Path, name: &str, tree: &Path) {
    let own = git_dir.join("worktrees").join(name);
    write(&own.join("HEAD"), "ref: refs/heads/other\n");
    write(&own.join("commondir"), "../..\n");
    write(
        &own.join("gitdir"),
        format!("{}\n", tree.join(".git").display()),
    );
    write(&tree.join(".git"), format!("gitdir: {}\n", own.display()));
}

fn by_repository(root: &Path) -> ProjectIdentity {
    by_path(root, IdentitySource::GitCommonDir)
}

fn by_directory(root: &Path) -> ProjectIdentity {
    by_path(root, IdentitySource::Directory)
}

fn by_path(root: &Path, how: IdentitySource) -> ProjectIdentity {
    ProjectIdentity {
        key: root.to_str().unwrap().to_owned(),
        name: root.file_name().unwrap().to_str().unwrap().to_owned(),
        root: root.to_owned(),
        how,
    }
}

fn by_remote(key: &str, name: &str, root: &Path) -> ProjectIdentity {
    ProjectIdentity {
        key: key.to_owned(),
        name: name.to_owned(),
        root: root.to_owned(),
        how: IdentitySource::Remote,
    }
}

#[test]
fn a_clone_is_known_by_its_remote_from_every_folder_in_it() {
    let (_guard, folder) = folder();
    let tree = folder.join("my-clone");
    make_git_dir(&tree.join(".git"), ORIGIN);
    fs::create_dir_all(tree.join("src/deep")).unwrap();
    let expected = by_remote("github.com/acme/shop", "shop", &tree);
    for inside in ["", "src", "src/deep", "src/../src", ".git", ".git/objects"] {
        assert_eq!(identify(&tree.join(inside)), expected, "{inside}");
    }
}

#[test]
fn two_clones_by_different_addresses_share_a_key() {
    let (_guard, folder) = folder();
    make_git_dir(&folder.join("a/.git"), ORIGIN);
    let other = "[remote \"origin\"] url = \"https://me:t0ken@github.com/acme/shop/\" ; mine\n";
    make_git_dir(&folder.join("b/.git"), other);
    let (a, b) = (identify(&folder.join("a")), identify(&folder.join("b")));
    assert_eq!(a.key, b.key);
    assert_ne!(a.root, b.root);
    assert!(!format!("{b:?}").contains("t0ken"));
}

#[test]
fn without_origin_the_first_remote_counts() {
    let (_guard, folder) = folder();
    let config = "[remote \"up\"]\nurl = https://gitlab.com/x/y\n[remote \"b\"]\nurl = h:z\n";
    make_git_dir(&folder.join(".git"), config);
    assert_eq!(identify(&folder), by_remote("gitlab.com/x/y", "y", &folder));
}

#[test]
fn without_a_remote_elsewhere_the_repository_counts() {
    let (_guard, folder) = folder();
    for (at, config) in [
        "",
        "[core]\n\tbare = false\n",
        "[remote \"origin\"]\n\turl = /srv/git/shop.git\n",
        "[remote \"origin\"]\n\turl = ../shop\n",
        "[remote \"origin\"]\n\turl = file:///srv/git/shop.git\n",
        "[remote \"origin\"]\n\turl = https://me:pa/ss@github.com/acme/shop\n",
        "[include]\n\tpath = other\n",
        "[[[[\n\"",
    ]
    .iter()
    .enumerate()
    {
        let tree = folder.join(format!("tree-{at}"));
        make_git_dir(&tree.join(".git"), config);
        write(&tree.join(".git/other"), ORIGIN);
        fs::create_dir(tree.join("sub")).unwrap();
        assert_eq!(
            identify(&tree.join("sub")),
            by_repository(&tree),
            "{config}"
        );
    }
}

#[test]
fn a_repository_without_a_config_or_with_an_odd_one_counts_by_its_path() {
    let (_guard, folder) = folder();
    let tree = folder.join("tree");
    make_git_dir(&tree.join(".git"), "");
    let config = tree.join(".git/config");
    fs::remove_file(&config).unwrap();
    assert_eq!(identify(&tree), by_repository(&tree));
    fs::create_dir(&config).unwrap();
    assert_eq!(identify(&tree), by_repository(&tree));
    fs::remove_dir(&config).unwrap();
    // Something that is not a file, and that has no end.
    symlink("/dev/zero", &config).unwrap();
    assert_eq!(identify(&tree), by_repository(&tree));
    fs::remove_file(&config).unwrap();
    write(
        &config,
        b"[remote \"\xff\"]\nurl = \xff\xfe\n[remote \"origin\"]\nurl = h1:a/b\n",
    );
    assert_eq!(identify(&tree), by_remote("h1/a/b", "b", &tree));
}

#[test]
fn of_a_huge_config_the_first_mebibyte_is_read_in_whole_lines() {
    let (_guard, folder) = folder();
    let limit = 1 << 20;
    let remote = "[remote \"origin\"]\nurl = https://github.com/acme/shop\n";
    let fits = limit - remote.len();
    for (before, is_read) in [
        (fits, true),
        (fits + 1, false),
        (fits + 4, false),
        (limit, false),
    ] {
        let tree = folder.join(before.to_string());
        let comment = format!("#{}\n", "x".repeat(before - 2));
        make_git_dir(
            &tree.join(".git"),
            &[&comment, remote, "# the rest\n"].concat(),
        );
        let how = identify(&tree).how;
        assert_eq!(how == IdentitySource::Remote, is_read, "{before}");
    }
}

#[test]
fn work_trees_belong_to_their_repository() {
    let (_guard, folder) = folder();
    let (main, tree) = (folder.join("main"), folder.join("elsewhere/feature"));
    make_git_dir(&main.join(".git"), "");
    add_worktree(&main.join(".git"), "feature", &tree);
    fs::create_dir(tree.join("src")).unwrap();
    for dir in [
        &main,
        &tree,
        &tree.join("src"),
        &main.join(".git/worktrees/feature"),
    ] {
        assert_eq!(identify(dir), by_repository(&main), "{}", dir.display());
    }
    write(&main.join(".git/config"), ORIGIN);
    assert_eq!(
        identify(&tree),
        by_remote("github.com/acme/shop", "shop", &main)
    );
}

#[test]
fn a_git_file_may_be_relative() {
    let (_guard, folder) = folder();
    make_git_dir(&folder.join("main/.git"), "");
    add_worktree(&folder.join("main/.git"), "w", &folder.join("w"));
    write(&folder.join("w/.git"), "gitdir: ../main/.git/worktrees/w");
    assert_eq!(
        identify(&folder.join("w")),
        by_repository(&folder.join("main"))
    );
}

#[test]
fn bare_repositories_are_known_by_their_folder() {
    let (_guard, folder) = folder();
    let bare = folder.join("shop.git");
    make_git_dir(&bare, "[core]\n\tbare = true\n");
    let mut expected = by_repository(&bare);
    expected.name = "shop".to_owned();
    assert_eq!(identify(&bare), expected);
    assert_eq!(identify(&bare.join("refs")), expected);
    add_worktree(&bare, "w", &folder.join("w"));
    assert_eq!(identify(&folder.join("w")), expected);
    write(&bare.join("config"), ORIGIN);
    assert_eq!(
        identify(&folder.join("w")),
        by_remote("github.com/acme/shop", "shop", &bare)
    );
}

#[test]
fn a_hidden_bare_repository_beside_its_work_trees_belongs_to_their_folder() {
    let (_guard, folder) = folder();
    let project = folder.join("shop");
    make_git_dir(&project.join(".bare"), "[core]\n\tbare = true\n");
    write(&project.join(".git"), "gitdir: ./.bare\n");
    add_worktree(&project.join(".bare"), "main", &project.join("main"));
    for dir in [&project, &project.join("main"), &project.join(".bare")] {
        assert_eq!(identify(dir), by_repository(&project), "{}", dir.display());
    }
}

#[test]
fn a_submodule_is_a_project_of_its_own() {
    let (_guard, folder) = folder();
    let outer = folder.join("outer");
    make_git_dir(&outer.join(".git"), ORIGIN);
    let own = outer.join(".git/modules/lib");
    make_git_dir(&own, "[core]\n\tworktree = ../../../vendor/lib\n");
    write(
        &outer.join("vendor/lib/.git"),
        "gitdir: ../../.git/modules/lib\n",
    );
    let tree = outer.join("vendor/lib");
    fs::create_dir(tree.join("src")).unwrap();
    assert_eq!(identify(&tree.join("src")), by_repository(&tree));
    assert_eq!(identify(&own), by_repository(&tree));
    let config = "[core]\nworktree = ../../../vendor/lib\n[remote \"origin\"]\nurl = h1:acme/lib\n";
    write(&own.join("config"), config);
    assert_eq!(identify(&tree), by_remote("h1/acme/lib", "lib", &tree));
    assert_eq!(identify(&outer.join("vendor")).key, "github.com/acme/shop");
}

#[test]
fn an_empty_git_folder_is_passed_over() {
    let (_guard, folder) = folder();
    make_git_dir(&folder.join(".git"), "");
    fs::create_dir_all(folder.join("inner/.git")).unwrap();
    assert_eq!(identify(&folder.join("inner")), by_repository(&folder));
}

#[test]
fn a_git_file_that_leads_nowhere_bounds_a_directory_of_its_own() {
    let (_guard, folder) = folder();
    make_git_dir(&folder.join(".git"), ORIGIN);
    for (name, content) in [
        ("gone", "gitdir: /nowhere/.git/worktrees/x\n"),
        ("empty", ""),
        ("no-target", "gitdir:  \n"),
        ("other", "hello"),
        ("nul", "gitdir: a\0b"),
        ("long", &format!("gitdir: {}", "x/".repeat(20_000))),
    ] {
        let tree = folder.join(name);
        write(&tree.join(".git"), content);
        fs::create_dir(tree.join("src")).unwrap();
        assert_eq!(identify(&tree.join("src")), by_directory(&tree), "{name}");
    }
}

#[test]
fn a_common_dir_that_leads_nowhere_leaves_the_repository_itself() {
    let (_guard, folder) = folder();
    make_git_dir(&folder.join("t/.git"), ORIGIN);
    let expected = by_remote("github.com/acme/shop", "shop", &folder.join("t"));
    for target in ["../../missing\n", "config\n", "", "\0"] {
        write(&folder.join("t/.git/commondir"), target);
        assert_eq!(identify(&folder.join("t")), expected, "{target}");
    }
}

#[test]
fn outside_of_repositories_the_directory_counts_by_its_real_path() {
    let (_guard, folder) = folder();
    let dir = folder.join("notes");
    fs::create_dir(&dir).unwrap();
    symlink(&dir, folder.join("link")).unwrap();
    assert_eq!(identify(&dir), by_directory(&dir));
    assert_eq!(identify(&folder.join("link")), by_directory(&dir));
}

#[test]
fn a_missing_directory_counts_by_its_path_in_words() {
    for (path, expected) in [
        ("/no/such/folder", "/no/such/folder"),
        ("/no/./such//x/../folder/", "/no/such/folder"),
        ("/../no/such/../../../no/such/folder", "/no/such/folder"),
    ] {
        assert_eq!(
            identify(Path::new(path)),
            by_directory(Path::new(expected)),
            "{path}"
        );
    }
    let here = std::env::current_dir().unwrap();
    let relative = identify(Path::new("no/such/../folder"));
    assert_eq!(relative, by_directory(&here.join("no/folder")));
    for odd in ["", "/a\0b", "/no/such/.."] {
        let odd = identify(Path::new(odd));
        assert!(odd.key.starts_with('/'), "{odd:?}");
        assert_eq!(odd.how, IdentitySource::Directory);
    }
}

#[test]
fn the_root_has_a_name() {
    let root = identify(Path::new("/"));
    assert!(!root.name.is_empty());
}

#[test]
fn paths_that_differ_in_broken_bytes_stay_apart() {
    let of_bytes = |bytes: &[u8]| identify(Path::new(std::ffi::OsStr::from_bytes(bytes)));
    let (a, b) = (of_bytes(b"/no/such/\xff"), of_bytes(b"/no/such/\xfe"));
    assert_eq!(
        (a.key.as_str(), a.name.as_str()),
        ("/no/such/\\xff", "\\xff")
    );
    assert_ne!(a.key, b.key);
}

proptest! {
    #[test]
    fn random_git_files_never_panic_and_never_show_credentials(
        config in proptest::collection::vec(any::<u8>(), 0..400),
        link in proptest::collection::vec(any::<u8>(), 0..60),
        secret in "[a-z0-9/:@#?%]{0,12}",
    ) {
        let (_guard, folder) = folder();
        make_git_dir(&folder.join("t/.git"), "");
        write(&folder.join("t/.git/config"), &config);
        write(&folder.join("t/.git/commondir"), &link);
        prop_assert!(!identify(&folder.join("t")).key.is_empty());
        write(&folder.join("u/.git"), [b"gitdir: ", &link[..]].concat());
        prop_assert!(!identify(&folder.join("u")).key.is_empty());
        let url = format!("https://user:{secret}@host.example/acme/shop");
        let tree = folder.join("v");
        make_git_dir(&tree.join(".git"), &format!("[remote \"origin\"]\nurl = \"{url}\"\n"));
        let identity = identify(&tree);
        if identity.how == IdentitySource::Remote {
            prop_assert_eq!(identity.key, "host.example/acme/shop");
        } else {
            prop_assert_eq!(identity, by_repository(&tree));
        }
    }
}
