//! Where this process stands: what may tell the project of a call.

use std::path::Path;

use crate::claude::project::place;
use crate::config::{Config, Environment};
use crate::engine::{Place, ProjectHints};

/// What flags, environment and working directory tell about the project.
///
/// A container's own working directory tells nothing about anybody's project, so it is left out,
/// unless git names the project: then somebody works in the container. What Claude Code says in
/// its environment counts in a container too.
pub(super) fn hints(config: &Config, environment: Environment<'_>) -> ProjectHints {
    let given = |name| environment(name).filter(|value| !value.is_empty());
    let working_dir = std::env::current_dir().ok().and_then(|dir| place(&dir));
    let contained = in_container(environment);
    ProjectHints {
        call: None,
        named: config.project.clone(),
        session: given("CLAUDE_CODE_SESSION_ID"),
        project_dir: given("CLAUDE_PROJECT_DIR").and_then(|dir| place(Path::new(&dir))),
        working_dir: working_dir.filter(|place| tells_project(place, contained)),
        fallback: None,
    }
}

/// Whether a working directory says which project somebody works on.
fn tells_project(place: &Place, contained: bool) -> bool {
    !contained || place.project.is_some()
}

/// Whether this process runs in a container: Docker and Podman leave a file each, systemd and
/// Podman set a variable (<https://systemd.io/CONTAINER_INTERFACE>).
pub(super) fn in_container(environment: Environment<'_>) -> bool {
    environment("container").is_some_and(|value| !value.is_empty())
        || Path::new("/.dockerenv").exists()
        || Path::new("/run/.containerenv").exists()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Project;

    #[test]
    fn in_a_container_only_git_or_the_client_tells_the_project() {
        let environment = |name: &str| match name {
            "container" => Some("podman".to_owned()),
            "HOME" => Some("/home/somebody".to_owned()),
            "CLAUDE_PROJECT_DIR" => Some("/nowhere/to/be/found".to_owned()),
            _ => None,
        };
        assert!(in_container(&environment));
        let (path, shop) = (
            "/nowhere/to/be/found".to_owned(),
            Project::new("github.com/acme/shop"),
        );
        let plain = Place {
            path: path.clone(),
            project: None,
        };
        let checkout = Place {
            path,
            project: Some(shop),
        };
        assert!(!tells_project(&plain, true) && tells_project(&plain, false));
        assert!(tells_project(&checkout, true) && tells_project(&checkout, false));

        let config = Config::load(&Default::default(), &environment).ok();
        let hints = config
            .map(|config| hints(&config, &environment))
            .unwrap_or_default();
        assert_eq!(hints.session, None);
        assert_eq!(hints.project_dir, Some(plain));
    }
}
