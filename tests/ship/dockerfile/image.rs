//! What the image holds and does: the last stage.

use std::collections::BTreeSet;

use super::super::{Faults, check, default_port};
use super::parser::Stage;

/// The number of the user and of its group.
pub(in crate::ship) const USER: &str = "65532";

/// Everything that the image holds.
const HELD: &[&str] = &[
    "/data",
    "/etc/group",
    "/etc/passwd",
    "/healthcheck",
    "/sage",
];

/// Holds the last stage to a rule.
#[track_caller]
fn holds(rule: impl Fn(&Stage, &mut Faults), breaks: &[(&str, &str)]) {
    super::holds(|file, faults| rule(file.last(), faults), breaks);
}

#[test]
fn it_holds_five_paths() {
    holds(
        |stage, faults| {
            let mut held = BTreeSet::new();
            for copy in stage.all("COPY") {
                let (sources, target) = copy.paths();
                for source in sources {
                    let name = source.trim_end_matches('/').rsplit('/').next().unwrap();
                    held.insert(match target.ends_with('/') {
                        true => format!("{target}{name}"),
                        false => target.clone(),
                    });
                }
                let mode = copy.flag("chmod").unwrap_or("-");
                let wanted = match target.as_str() {
                    "/" => "0555",
                    "/etc/" => "0444",
                    _ => "-",
                };
                faults.unless(mode == wanted, format!("{target}: the mode is {wanted}"));
            }
            let wanted: BTreeSet<String> = HELD.iter().map(|path| (*path).to_owned()).collect();
            faults.unless(
                held == wanted,
                format!("it holds {held:?} instead of {wanted:?}"),
            );
            let data = stage.all("COPY").find(|copy| copy.paths().1 == "/data");
            let owner = data.and_then(|copy| copy.flag("chown")).unwrap_or_default();
            faults.unless(
                owner == format!("{USER}:{USER}"),
                "/data must belong to the user",
            );
        },
        &[
            (
                "--chmod=0555 /sage /healthcheck /\n",
                "--chmod=0555 /sage /\n",
            ),
            ("--chmod=0555", "--chmod=4555"),
            (
                "image/passwd image/group",
                "image/passwd image/group README.md",
            ),
            ("--chown=65532:65532 ", ""),
        ],
    );
}

#[test]
fn the_user_is_a_number_and_not_root() {
    holds(
        |stage, faults| {
            let user = stage.last("USER").map_or("root", |user| user.rest.as_str());
            faults.unless(
                user == format!("{USER}:{USER}"),
                format!("write USER {USER}:{USER}, not {user}"),
            );
        },
        &[
            ("USER 65532:65532\n", "USER sage\n"),
            ("USER 65532:65532\n", "USER 0:65532\n"),
            ("USER 65532:65532\n", ""),
            ("EXPOSE 17800", "USER root\nEXPOSE 17800"),
        ],
    );
}

#[test]
fn passwd_and_group_know_the_user() {
    let lines = |text: &str| -> Result<Vec<Vec<String>>, String> {
        let fields = |line: &str| line.split(':').map(str::to_owned).collect();
        Ok(text.lines().map(fields).collect())
    };
    check(
        "image/passwd",
        lines,
        |users, faults| {
            let wanted = [
                ["root", "x", "0", "0", "root", "/", "/nologin"],
                ["sage", "x", USER, USER, "Sage", "/data", "/nologin"],
            ];
            faults.unless(
                *users == wanted,
                format!("root and sage, nobody else: {users:?}"),
            );
        },
        &[
            ("65532:65532", "65532:0"),
            ("sage:x:", "sage::"),
            ("root:x", "extra:x:1:1:::\nroot:x"),
        ],
    );
    check(
        "image/group",
        lines,
        |groups, faults| {
            let wanted = [["root", "x", "0", ""], ["sage", "x", USER, ""]];
            faults.unless(
                *groups == wanted,
                format!("root and sage, nobody else: {groups:?}"),
            );
        },
        &[("65532", "65533"), ("root:x:0:", "root:x:0:sage")],
    );
}

#[test]
fn it_works_in_its_data_folder() {
    holds(
        |stage, faults| {
            let folder = stage
                .last("WORKDIR")
                .map_or("/", |folder| folder.rest.as_str());
            faults.unless(folder == "/data", format!("WORKDIR {folder} is not /data"));
            let environment = stage.pairs("ENV");
            let listen = format!("0.0.0.0:{}", default_port());
            for (name, value) in [("SAGE_DATA_DIR", "/data"), ("SAGE_LISTEN", listen.as_str())] {
                let set = environment.get(name).map(String::as_str);
                faults.unless(
                    set == Some(value),
                    format!("ENV {name}={value}, not {set:?}"),
                );
            }
            faults.unless(
                stage.last("VOLUME").is_none(),
                "leave volumes to compose.yml",
            );
        },
        &[
            ("WORKDIR /data\nENV", "WORKDIR data\nENV"),
            ("WORKDIR /data\nENV", "ENV"),
            ("SAGE_LISTEN=0.0.0.0:17800", "SAGE_LISTEN=0.0.0.0:17801"),
            ("SAGE_DATA_DIR=/data", "SAGE_DATA_DIR=/var"),
            ("USER 65532", "VOLUME /data\nUSER 65532"),
        ],
    );
}

#[test]
fn it_exposes_the_default_port() {
    holds(
        |stage, faults| {
            let port = default_port();
            let exposed: Vec<&str> = stage.all("EXPOSE").map(|it| it.rest.as_str()).collect();
            faults.unless(
                exposed == [port.as_str()],
                format!("EXPOSE {port}, not {exposed:?}"),
            );
        },
        &[
            ("EXPOSE 17800", "EXPOSE 17801"),
            ("EXPOSE 17800", "EXPOSE 17800 22"),
        ],
    );
}

#[test]
fn commands_need_no_shell() {
    holds(
        |stage, faults| {
            for (word, wanted) in [("ENTRYPOINT", "/sage"), ("CMD", "serve")] {
                let command = stage.last(word).and_then(|it| it.exec_form());
                let wanted = Some(vec![wanted.to_owned()]);
                faults.unless(
                    command == wanted,
                    format!("{word} is {command:?}, not {wanted:?}"),
                );
            }
            let signal = stage.last("STOPSIGNAL").map(|it| it.rest.as_str());
            faults.unless(
                signal == Some("SIGTERM"),
                "STOPSIGNAL SIGTERM is what Sage waits for",
            );
            faults.unless(
                stage.last("SHELL").is_none(),
                "there is no shell in the image",
            );
        },
        &[
            ("ENTRYPOINT [\"/sage\"]", "ENTRYPOINT /sage"),
            ("ENTRYPOINT [\"/sage\"]", "ENTRYPOINT ['/sage']"),
            ("CMD [\"serve\"]", "CMD serve"),
            ("STOPSIGNAL SIGTERM", "STOPSIGNAL SIGINT"),
        ],
    );
}

#[test]
fn it_checks_its_own_health() {
    holds(
        |stage, faults| {
            let Some(check) = stage.last("HEALTHCHECK") else {
                return faults.unless(false, "add a HEALTHCHECK");
            };
            for flag in ["interval", "timeout", "start-period", "retries"] {
                faults.unless(check.flag(flag).is_some(), format!("HEALTHCHECK --{flag}"));
            }
            let command = check.rest.strip_prefix("CMD ").unwrap_or_default();
            faults.unless(
                command == "[\"/healthcheck\"]",
                format!("CMD [\"/healthcheck\"], not {command:?}"),
            );
        },
        &[
            ("CMD [\"/healthcheck\"]", "CMD /healthcheck"),
            ("CMD [\"/healthcheck\"]", "CMD [\"healthcheck\"]"),
            (" --timeout=2s", ""),
            ("--interval=30s", "--start-interval=1s"),
            ("HEALTHCHECK ", "# HEALTHCHECK "),
        ],
    );
}
