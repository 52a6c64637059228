//! Whatever a file looks like, Sage comes and goes without a trace.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use sage::claude::install::{Folders, Plan, Scope, Via, Way, hooks_in};
use serde_json::Value;
use tempfile::TempDir;

use super::plain;

fn blank() -> impl Strategy<Value = String> {
    prop_oneof![
        5 => Just(String::new()),
        3 => Just(" ".to_owned()),
        3 => Just("\n  ".to_owned()),
        1 => Just("\r\n\t".to_owned()),
        1 => Just(" // a comment, {\"hooks\": [\n".to_owned()),
        1 => Just("/*/ }, \"hooks\": */".to_owned()),
        1 => Just("\n// é\n\n".to_owned()),
    ]
}

const SCALARS: &[&str] = &[
    "1",
    "-0.5e3",
    "true",
    "null",
    "\"\"",
    "\"a\\\"b\\\\\"",
    "\"// no\"",
    "\"数据\"",
];

fn scalar() -> impl Strategy<Value = String> {
    proptest::sample::select(SCALARS).prop_map(str::to_owned)
}

/// A list of parts in brackets, with blanks everywhere and perhaps a comma too many.
fn bracketed(
    part: impl Strategy<Value = String>,
    brackets: (&'static str, &'static str),
) -> impl Strategy<Value = String> {
    let parts = prop::collection::vec((blank(), part, blank()), 0..4);
    (parts, blank(), any::<bool>()).prop_map(move |(parts, end, comma)| {
        let parts: Vec<String> = (parts.into_iter())
            .map(|(before, part, after)| before + &part + &after)
            .collect();
        let comma = if comma && !parts.is_empty() { "," } else { "" };
        format!(
            "{}{}{comma}{end}{}",
            brackets.0,
            parts.join(","),
            brackets.1
        )
    })
}

fn member(
    name: &'static str,
    value: impl Strategy<Value = String>,
) -> impl Strategy<Value = String> {
    (blank(), blank(), value).prop_map(move |(a, b, value)| format!("\"{name}\"{a}:{b}{value}"))
}

fn value() -> impl Strategy<Value = String> {
    scalar().prop_recursive(3, 12, 3, |inner| {
        let named = ("[a-c]{1,3}", inner.clone()).prop_map(|(n, v)| format!("\"{n}\": {v}"));
        prop_oneof![bracketed(inner, ("[", "]")), bracketed(named, ("{", "}"))]
    })
}

/// Somebody else's hooks, in every state that the client would read.
fn hooks() -> impl Strategy<Value = String> {
    let handler = r#"{"type": "command", "command": "echo sage"}"#;
    let group = prop_oneof![
        Just(format!("{{\"hooks\": [{handler}]}}")),
        Just(format!(
            "{{\n\"matcher\": \"Bash\", // x\n\"hooks\": [{handler}, {handler},]\n}}"
        )),
        Just("{\"hooks\":[]}".to_owned()),
    ];
    let groups = || bracketed(group.clone(), ("[", "]"));
    let event = prop_oneof![
        member("Stop", groups()),
        member("SessionStart", groups()),
        member("Notification", groups()),
    ];
    bracketed(event, ("{", "}"))
}

fn file() -> impl Strategy<Value = String> {
    let named = ("[a-c]{1,3}", value()).prop_map(|(name, value)| format!("\"{name}\": {value}"));
    let servers = bracketed(
        member("other", Just("{\"command\": \"x\"}".to_owned())),
        ("{", "}"),
    );
    let part = prop_oneof![
        4 => named,
        2 => member("hooks", hooks()),
        1 => member("mcpServers", servers),
    ];
    let bom = prop_oneof![9 => Just(""), 1 => Just("\u{feff}")];
    (bom, blank(), bracketed(part, ("{", "}")), blank())
        .prop_map(|(bom, before, root, after)| format!("{bom}{before}{root}{after}"))
}

struct Machine {
    dir: TempDir,
    way: Way,
}

impl Machine {
    fn new(via: Via) -> Self {
        let way = Way {
            via,
            program: Some("/opt/it's here/sage".to_owned()),
            data_dir: None,
            server: "127.0.0.1:17800".to_owned(),
            wants_token: true,
        };
        let dir = tempfile::tempdir().unwrap();
        Self { dir, way }
    }

    fn folders(&self) -> Folders {
        Folders {
            home: self.dir.path().to_owned(),
            config_dir: None,
            project: self.dir.path().join("p"),
        }
    }

    fn install(&self) -> Plan {
        let plan = Plan::install(&self.folders(), Scope::User, &self.way, None).unwrap();
        plan.apply().unwrap();
        plan
    }

    fn uninstall(&self) {
        let plan = Plan::uninstall(&self.folders(), Scope::User, None).unwrap();
        plan.apply().unwrap();
    }

    fn paths(&self) -> [std::path::PathBuf; 2] {
        let folders = self.folders();
        [
            folders.settings(Scope::User),
            folders.servers(Scope::User).0,
        ]
    }
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

fn without(mut value: Value) -> Value {
    // What Sage made to stand in goes too, when it is empty then.
    let object = value.as_object_mut().unwrap();
    if let Some(hooks) = object.get_mut("hooks").and_then(Value::as_object_mut) {
        for groups in hooks.values_mut() {
            let groups = groups.as_array_mut().unwrap();
            groups.retain(|group| {
                !group.to_string().contains("claude-code\"")
                    && !group.to_string().contains("sage' hook")
            });
        }
        hooks.retain(|_, groups| groups != &serde_json::json!([]));
    }
    object.retain(|name, value| name != "hooks" || value != &serde_json::json!({}));
    value
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_file_is_what_it_was_after_install_and_uninstall(
        settings in file(),
        servers in file(),
        via in proptest::sample::select(&[Via::Stdio, Via::Http, Via::Docker][..]),
        later in proptest::sample::select(&[Via::Stdio, Via::Http][..]),
    ) {
        let mut machine = Machine::new(via);
        let paths = machine.paths();
        fs::create_dir_all(machine.folders().own()).unwrap();
        fs::write(&paths[0], &settings).unwrap();
        fs::write(&paths[1], &servers).unwrap();
        machine.install();
        let installed = fs::read_to_string(&paths[0]).unwrap();
        let before = without(plain(&settings));
        prop_assert_eq!(without(plain(&installed)), before, "{}", installed);
        let events = hooks_in(&installed).unwrap().len();
        prop_assert_eq!(events, if via == Via::Stdio { 9 } else { 10 });
        prop_assert_eq!(installed.matches("//").count(), settings.matches("//").count()
            + installed.matches("http://").count());
        prop_assert!(plain(&fs::read_to_string(&paths[1]).unwrap())["mcpServers"]["sage"].is_object());
        prop_assert!(!machine.install().is_any(), "it is there already");
        // Another way takes the place of the first.
        machine.way.via = later;
        machine.install();
        machine.uninstall();
        prop_assert_eq!(fs::read_to_string(&paths[0]).unwrap(), settings);
        prop_assert_eq!(fs::read_to_string(&paths[1]).unwrap(), servers);
        prop_assert_eq!(names(machine.dir.path()), [".claude", ".claude.json"]);
        prop_assert_eq!(names(&machine.folders().own()), ["settings.json"]);
    }

    #[test]
    fn what_somebody_adds_meanwhile_stays(
        settings in file().prop_filter("a root that holds something", |text| {
            !plain(text).as_object().unwrap().is_empty()
        }),
        keeps_backup in any::<bool>(),
    ) {
        let machine = Machine::new(Via::Stdio);
        let path = &machine.paths()[0];
        let edited = |text: &str| text.replacen('{', "{ \"zz\": [1], // mine\n", 1);
        // The first brace may stand in a comment.
        prop_assume!(!settings.split('{').next().unwrap().contains('/'));
        fs::create_dir_all(machine.folders().own()).unwrap();
        fs::write(path, &settings).unwrap();
        machine.install();
        let installed = fs::read_to_string(path).unwrap();
        fs::write(path, edited(&installed)).unwrap();
        if !keeps_backup {
            fs::remove_file(path.with_file_name("settings.json.before-sage")).unwrap();
        }
        machine.uninstall();
        let left = fs::read_to_string(path).unwrap();
        if keeps_backup {
            prop_assert_eq!(left, edited(&settings), "after {}", installed);
        } else {
            // Nobody knows any more which empty holders were there.
            prop_assert_eq!(without(plain(&left)), without(plain(&edited(&settings))));
        }
    }
}

#[test]
fn files_that_say_nothing_are_what_they_were() {
    for text in [
        None,
        Some(""),
        Some("\n"),
        Some("{}"),
        Some("{}\n"),
        Some("{ // c\n}"),
        Some("{\n}\n"),
    ] {
        let machine = Machine::new(Via::Http);
        fs::create_dir_all(machine.folders().own()).unwrap();
        for path in machine.paths() {
            if let Some(text) = text {
                fs::write(path, text).unwrap();
            }
        }
        machine.install();
        assert!(!machine.install().is_any());
        machine.uninstall();
        for path in machine.paths() {
            assert_eq!(
                fs::read_to_string(&path).ok().as_deref(),
                text,
                "{}",
                path.display()
            );
        }
    }
}
