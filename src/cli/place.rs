//! Where this process stands: what may tell the project of a call.

use std::path::{Path, PathBuf};

use crate::claude::project::{self, IdentitySource};
use crate::config::{Config, Environment};
use crate::engine::{Place, ProjectHints};
use crate::memory::Project;

/// What flags, environment and working directory tell about the project.
///
/// A container's own working directory tells nothing about anybody's project, so it is left out,
/// unless git names the project: then somebody works in the container. What Claude Code says in
/// its environment counts in a container too.
pub(super) fn hints(config: &Config, environment: Environment<'_>) -> ProjectHints {
    let given = |name| environment(name).filter(|value| !value.is_empty());
    let working_dir = std::env::current_dir().ok().and_then(place);
    let contained = in_container(environment);
    ProjectHints {
        named: config.project.clone(),
        session: given("CLAUDE_CODE_SESSION_ID"),
        project_dir: given("CLAUDE_PROJECT_DIR").and_then(|dir| place(PathBuf::from(dir))),
        working_dir: working_dir.filter(|place| tells_project(place, contained)),
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

/// The directory with what git says about it. A path that is not UTF-8 cannot be a key.
fn place(path: PathBuf) -> Option<Place> {
    let path = path.to_str()?;
    let identity = project::identify(Path::new(path));
    Some(match identity.how {
        // Without symbolic links, as the import writes it too.
        IdentitySource::Directory => Place {
            path: identity.key,
            project: None,
        },
        IdentitySource::Remote | IdentitySource::GitCommonDir => Place {
            path: path.to_owned(),
            project: Some(Project::new(identity.key)),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
