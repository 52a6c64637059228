//! A directory as the engine wants to hear of it.

use std::path::Path;

use super::{IdentitySource, identify};
use crate::engine::Place;
use crate::memory::Project;

/// The directory with what git says about it. A path that is not UTF-8 cannot be a key.
pub fn place(path: &Path) -> Option<Place> {
    let name = path.to_str()?;
    let identity = identify(path);
    Some(match identity.how {
        // Without symbolic links, as the import writes it too.
        IdentitySource::Directory => Place {
            path: identity.key,
            project: None,
        },
        IdentitySource::Remote | IdentitySource::GitCommonDir => Place {
            path: name.to_owned(),
            project: Some(Project::new(identity.key)),
        },
    })
}
