//! The stages: where they begin, what they run and what they copy.

use super::super::{Faults, check, content, ignore, repository};
use super::parser::{Dockerfile, Instruction};
use super::{FILE, holds};

#[test]
fn it_is_built_in_stages() {
    holds(
        |file, faults| {
            faults.unless(file.stages.len() > 1, "compile in a stage of its own");
            for copy in file.last().all("COPY") {
                let Some(from) = copy.flag("from") else {
                    continue;
                };
                let earlier = file.stage(from).is_some();
                faults.unless(earlier, format!("--from={from}: name a stage of this file"));
            }
            let from_stage = |copy: &Instruction| copy.flag("from") == Some("binaries");
            faults.unless(
                file.last().all("COPY").any(from_stage),
                "copy the executables from the stage that has them",
            );
        },
        &[
            ("--from=binaries ", ""),
            ("--from=folders", "--from=alpine:3.23"),
        ],
    );
}

#[test]
fn the_base_is_empty() {
    holds(
        |file, faults| {
            let base = &file.last().base;
            faults.unless(
                base == "scratch",
                format!("the last FROM is {base}: take scratch"),
            );
        },
        &[(
            "FROM scratch\nCOPY --chmod",
            "FROM alpine:3.23\nCOPY --chmod",
        )],
    );
}

#[test]
fn no_package_cache_stays() {
    holds(
        |file, faults| {
            let runs = file.stages.iter().flat_map(|stage| stage.all("RUN"));
            for run in runs {
                let line = run.line;
                let text = &run.rest;
                let plain_apk = text.contains("apk ") && !text.contains("--no-cache");
                faults.unless(!plain_apk, format!("line {line}: apk add --no-cache"));
                for tool in ["apt", "apt-get", "pip", "npm", "curl", "wget"] {
                    let used = text.split_whitespace().any(|word| word == tool);
                    faults.unless(!used, format!("line {line}: do without {tool}"));
                }
                let mounts: Vec<&str> = values(run, "mount");
                for cache in ["/usr/local/cargo/registry", "/src/target"] {
                    let target = format!("target={cache}");
                    let mounted = mounts.iter().any(|mount| {
                        let options: Vec<&str> = mount.split(',').collect();
                        options.contains(&"type=cache") && options.contains(&target.as_str())
                    });
                    faults.unless(mounted, format!("line {line}: mount a cache on {cache}"));
                }
            }
        },
        &[
            (
                "tools/dist --out /out",
                "apk add musl-dev && tools/dist --out /out",
            ),
            ("tools/dist --out /out", "apt-get update"),
            ("type=cache,id=sage-registry", "type=bind"),
            ("target=/src/target", "target=/src/other"),
        ],
    );
}

fn values<'a>(instruction: &'a Instruction, name: &str) -> Vec<&'a str> {
    let flags = instruction.flags.iter().filter(|(key, _)| key == name);
    flags.map(|(_, value)| value.as_str()).collect()
}

#[test]
fn there_is_nothing_to_clean() {
    holds(
        |file, faults| {
            for stage in file.stages.iter().filter(|stage| stage.base == "scratch") {
                for run in stage.all("RUN") {
                    faults.unless(
                        false,
                        format!("line {}: an empty stage has nothing to run; copy", run.line),
                    );
                }
            }
        },
        &[(
            "USER 65532:65532",
            "RUN [\"/sage\", \"version\"]\nUSER 65532:65532",
        )],
    );
}

#[test]
fn copies_name_what_they_take() {
    let patterns = ignore::Patterns::parse(&content(".dockerignore")).unwrap();
    check(
        FILE,
        Dockerfile::parse,
        |file, faults| {
            for stage in &file.stages {
                for add in stage.all("ADD") {
                    faults.unless(false, format!("line {}: COPY, not ADD", add.line));
                }
                for copy in stage.all("COPY") {
                    copied(copy, &patterns, faults);
                }
            }
        },
        &[
            ("COPY src/ src/", "COPY . ."),
            ("COPY src/ src/", "COPY src/ ./src"),
            ("COPY src/ src/", "COPY src* src/"),
            ("COPY src/ src/", "COPY nowhere/ src/"),
            ("COPY src/ src/", "COPY tests/ tests/"),
            ("COPY src/ src/", "ADD src/ src/"),
            ("/healthcheck /\n", "/healthcheck /sage\n"),
        ],
    );
}

/// One `COPY`.
fn copied(copy: &Instruction, patterns: &ignore::Patterns, faults: &mut Faults) {
    let line = copy.line;
    let (sources, target) = copy.paths();
    let folder = target.ends_with('/');
    faults.unless(
        folder || sources.len() == 1,
        format!("line {line}: end {target} in /, or the last of several files wins"),
    );
    for source in &sources {
        let named = !source.contains(['*', '?', '[']) && !matches!(source.as_str(), "." | "./");
        faults.unless(named, format!("line {line}: name what {source} means"));
        if copy.flag("from").is_some() {
            let absolute = source.starts_with('/');
            faults.unless(absolute, format!("line {line}: write /{source}"));
            continue;
        }
        let path = source.trim_end_matches('/');
        // What `just dist` makes is not there in a fresh clone.
        let there = path.starts_with("dist/") || repository().join(path).exists();
        faults.unless(there, format!("line {line}: there is no {source} to copy"));
        faults.unless(
            patterns.lets_through(path),
            format!("line {line}: let {source} through in .dockerignore"),
        );
        let keeps_slash = !repository().join(path).is_dir() || (folder && source.ends_with('/'));
        faults.unless(keeps_slash, format!("line {line}: end folders in /"));
    }
}

#[test]
fn an_old_engine_builds_it() {
    holds(
        |file, faults| {
            for directive in &file.directives {
                faults.unless(
                    false,
                    format!("drop `# {directive}=`: it fetches a frontend"),
                );
            }
        },
        &[
            (
                "# The image of Sage",
                "# syntax=docker/dockerfile:1\n# The image of Sage",
            ),
            ("COPY --from=folders", "COPY --link --from=folders"),
            ("tools/dist --out /out", "<<EOF\ntools/dist --out /out\nEOF"),
            ("--interval=30s", "--start-interval=1s --interval=30s"),
            ("RUN --mount", "COPY --parents src/ /\nRUN --mount"),
        ],
    );
}
