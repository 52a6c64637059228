//! Who calls over HTTP: what the headers tell about project and session.
//!
//! A server's own directory tells nothing about its callers, so a caller says where it stands, or
//! is known by its session, or has no project.

use std::path::Path;

use hyper::header::{HeaderMap, HeaderName};

use super::Server;
use crate::capture::NAME_BYTES_MAX;
use crate::claude::project::place;
use crate::engine::ProjectHints;
use crate::error::{Error, Result};

/// The project's key, as `--project` takes it.
const PROJECT: HeaderName = HeaderName::from_static("sage-project");

/// The absolute path of the directory that the client works in.
const PROJECT_DIR: HeaderName = HeaderName::from_static("sage-project-dir");

/// The client's id of the conversation.
const SESSION: HeaderName = HeaderName::from_static("sage-session");

/// The longest path of Linux.
const PATH_BYTES_MAX: usize = 4_096;

/// What the headers of a request tell about where its caller stands.
pub async fn hints(server: &Server, headers: &HeaderMap) -> Result<ProjectHints> {
    let named = text(headers, &PROJECT, NAME_BYTES_MAX)?.map(str::to_owned);
    let project_dir = match text(headers, &PROJECT_DIR, PATH_BYTES_MAX)? {
        Some(dir) if Path::new(dir).is_absolute() => {
            let dir = dir.to_owned();
            // Looks into the directory, which may be on a slow disk.
            tokio::task::spawn_blocking(move || place(Path::new(&dir)))
                .await
                .map_err(|error| Error::Internal(format!("a directory was not read: {error}")))?
        }
        Some(dir) => {
            return Err(Error::invalid(
                PROJECT_DIR.as_str(),
                format!("expected an absolute path, got \"{}\"", shorten(dir)),
            ));
        }
        None => None,
    };
    Ok(ProjectHints {
        call: None,
        named,
        session: text(headers, &SESSION, NAME_BYTES_MAX)?.map(str::to_owned),
        project_dir,
        working_dir: None,
        fallback: server.project.clone(),
    })
}

/// The value of a header; an empty one counts as absent. Paths are sent as the bytes that they are.
fn text<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
    bytes_max: usize,
) -> Result<Option<&'a str>> {
    let Some(value) = headers.get(name) else {
        return Ok(None);
    };
    let text = std::str::from_utf8(value.as_bytes())
        .map_err(|_| Error::invalid(name.as_str(), "expected UTF-8 text"))?;
    if text.len() > bytes_max {
        let message = format!("expected at most {bytes_max} bytes, got {}", text.len());
        return Err(Error::invalid(name.as_str(), message));
    }
    Ok(Some(text.trim()).filter(|text| !text.is_empty()))
}

fn shorten(text: &str) -> String {
    text.chars().take(100).collect()
}
