//! Sage's own export format: JSON lines, described in docs/export.md.
//!
//! What a reader does not know it passes over and counts, so that later versions may add fields
//! and types of records without a new version number.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::capture::{CONTENT_BYTES_MAX, METADATA_BYTES_MAX, NAME_BYTES_MAX};
use crate::engine::{MovedMemory, MovedSession, NewMemory, Record};
use crate::memory::{Content, Kind, MemoryId, Project, Timestamp};

/// The name of the format, in the first line of a file.
pub const FORMAT: &str = "sage-export";

/// The version that this Sage writes, and the latest that it reads. It grows only when an older
/// reader would get something wrong.
pub const VERSION: u64 = 1;

/// The longest line that is read, in bytes. A memory takes at most 1.6 MB, every character of it
/// escaped; the rest is room for the events that brought it again and again.
pub const LINE_BYTES_MAX: usize = 32 << 20;

/// The longest name in an export, in bytes. Names are checked when they are captured, but
/// redaction makes some of them longer, and an idempotency key holds two. Beyond 2,700 bytes
/// PostgreSQL could not index one.
const LONG_NAME_BYTES_MAX: usize = 4 * NAME_BYTES_MAX;

/// The longest path that Linux has.
const PATH_BYTES_MAX: usize = 4_096;

/// A line of an export, in the order of its fields.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Line<'a> {
    Header {
        format: &'static str,
        version: u64,
        /// The version of Sage that wrote it.
        sage: &'static str,
        exported_at: String,
        store: &'static str,
        store_id: &'a str,
        /// The only project in it; null for all.
        project: Option<&'a str>,
        /// Live memories, for progress.
        memories: u64,
    },
    Project {
        key: &'a str,
    },
    Session {
        id: &'a str,
        project: &'a str,
        started_at: String,
        last_at: String,
        next_position: i64,
        shares: Vec<Share<'a>>,
    },
    Memory(MemoryLine<'a>),
    Directory {
        path: &'a str,
        project: &'a str,
    },
    Forgotten {
        event: &'a str,
    },
    End {
        /// Lines by type.
        records: &'a BTreeMap<String, u64>,
        /// Of all bytes before this line.
        sha256: String,
    },
}

#[derive(Serialize)]
pub(super) struct Share<'a> {
    project: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
}

#[derive(Serialize)]
pub(super) struct MemoryLine<'a> {
    id: String,
    project: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a str>,
    position: i64,
    kind: &'static str,
    content: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_start: Option<usize>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    tags: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pinned: bool,
    source: &'a str,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    superseded_by: Option<String>,
    #[serde(skip_serializing_if = "is_zero")]
    versions: u32,
    /// As text, which keeps every digit and the order of its names.
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    repeats: &'a [String],
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl<'a> Line<'a> {
    /// The line of a record; the origin is a header, which says more.
    pub fn of(record: &'a Record) -> Option<Self> {
        Some(match record {
            Record::Origin(_) => return None,
            Record::Project(project) => Self::Project { key: &project.key },
            Record::Session(session) => Self::Session {
                id: &session.id,
                project: &session.project.key,
                started_at: session.started_at.to_string(),
                last_at: session.last_at.to_string(),
                next_position: session.next_position,
                shares: session.shares.iter().map(share).collect(),
            },
            Record::Memory(moved) => Self::Memory(memory_line(moved)),
            Record::Directory { path, project } => Self::Directory {
                path,
                project: &project.key,
            },
            Record::Forgotten { event } => Self::Forgotten { event },
        })
    }
}

/// The type by which the lines of records are counted.
pub(super) fn type_of(record: &Record) -> &'static str {
    match record {
        Record::Origin(_) => "header",
        Record::Project(_) => "project",
        Record::Session(_) => "session",
        Record::Memory(_) => "memory",
        Record::Directory { .. } => "directory",
        Record::Forgotten { .. } => "forgotten",
    }
}

fn share((project, title): &(Project, Option<String>)) -> Share<'_> {
    Share {
        project: &project.key,
        title: title.as_deref(),
    }
}

fn memory_line(moved: &MovedMemory) -> MemoryLine<'_> {
    let memory = &moved.memory;
    MemoryLine {
        id: memory.id.to_string(),
        project: &memory.project.key,
        session: memory.session.as_deref(),
        position: moved.position,
        kind: memory.kind.name(),
        content: &memory.content.text,
        reply_start: memory.content.reply_start,
        tags: &memory.tags,
        key: memory.key.as_deref(),
        pinned: memory.pinned,
        source: &memory.source,
        created_at: memory.created_at.to_string(),
        expires_at: memory.expires_at.map(|time| time.to_string()),
        superseded_by: moved.superseded_by.map(|id| id.to_string()),
        versions: moved.versions,
        metadata: memory.metadata.as_deref(),
        event: memory.event.as_deref(),
        repeats: &moved.repeats,
    }
}

/// What a line was found to be.
pub(super) enum Found {
    Header(Header),
    Record(Record),
    End(End),
    /// A type that this Sage does not know.
    Unknown(String),
}

/// The first line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header {
    /// The only project in it, where it is not all of a store.
    pub project: Option<String>,
    /// How many live memories it says to hold.
    pub memories: u64,
    /// When it was written, and from which store: for people.
    pub exported_at: String,
    /// `sqlite` or `postgres`.
    pub store: String,
}

/// The last line.
#[derive(Debug, Default)]
pub(super) struct End {
    pub records: BTreeMap<String, u64>,
    pub sha256: String,
}

/// What is wrong with a line.
pub(super) type Problem = String;

/// Reads a line; nesting is bounded by the parser, at 128.
pub(super) fn parse(line: &str) -> Result<Found, Problem> {
    let value = serde_json::from_str(line).map_err(|error| match error.classify() {
        serde_json::error::Category::Eof => "it is cut off".to_owned(),
        _ => format!("no JSON ({error})"),
    })?;
    let Value::Object(mut object) = value else {
        return Err("expected a JSON object".to_owned());
    };
    let mut fields = Fields(&mut object);
    let name = fields.name("type")?;
    Ok(match name.as_str() {
        "header" => Found::Header(fields.header()?),
        "project" => Found::Record(Record::Project(fields.project("key")?)),
        "session" => Found::Record(Record::Session(fields.session()?)),
        "memory" => Found::Record(Record::Memory(Box::new(fields.memory()?))),
        "directory" => Found::Record(Record::Directory {
            path: fields.text("path", PATH_BYTES_MAX)?.unwrap_or_default(),
            project: fields.project("project")?,
        }),
        "forgotten" => Found::Record(Record::Forgotten {
            event: fields.name("event")?,
        }),
        "end" => Found::End(fields.end()?),
        _ => Found::Unknown(name),
    })
}

/// The fields of a line; each is taken out once.
struct Fields<'a>(&'a mut Map<String, Value>);

impl Fields<'_> {
    fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    fn text(&mut self, name: &str, bytes_max: usize) -> Result<Option<String>, Problem> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => checked(name, text, bytes_max).map(Some),
            Some(_) => Err(format!("{name}: expected a text")),
        }
    }

    fn optional_name(&mut self, name: &str) -> Result<Option<String>, Problem> {
        self.text(name, LONG_NAME_BYTES_MAX)
    }

    /// A name that must be there.
    fn name(&mut self, name: &str) -> Result<String, Problem> {
        let missing = || format!("{name}: expected a name, got nothing");
        self.optional_name(name)?.ok_or_else(missing)
    }

    fn names(&mut self, name: &str) -> Result<Vec<String>, Problem> {
        let wrong = || format!("{name}: expected a list of names");
        let items = match self.take(name) {
            None => return Ok(Vec::new()),
            Some(Value::Array(items)) => items,
            Some(_) => return Err(wrong()),
        };
        items
            .into_iter()
            .map(|item| match item {
                Value::String(text) => checked(name, text, LONG_NAME_BYTES_MAX),
                _ => Err(wrong()),
            })
            .collect()
    }

    fn project(&mut self, name: &str) -> Result<Project, Problem> {
        self.name(name).map(Project::new)
    }

    fn number(&mut self, name: &str) -> Result<u64, Problem> {
        match self.take(name) {
            None => Ok(0),
            Some(value) => value
                .as_u64()
                // Beyond this a column of the stores could not hold it.
                .filter(|number| *number < i64::MAX as u64 / 2)
                .ok_or_else(|| format!("{name}: expected a whole number")),
        }
    }

    fn place(&mut self, name: &str) -> Result<i64, Problem> {
        Ok(self.number(name)? as i64)
    }

    fn time(&mut self, name: &str) -> Result<Option<Timestamp>, Problem> {
        let wrong = |_| format!("{name}: expected a time (2026-05-01T14:03:00Z)");
        let text = self.optional_name(name)?;
        text.map(|text| text.parse().map_err(wrong)).transpose()
    }

    fn needed_time(&mut self, name: &str) -> Result<Timestamp, Problem> {
        let missing = || format!("{name}: expected a time, got nothing");
        self.time(name)?.ok_or_else(missing)
    }

    fn id(&mut self, name: &str) -> Result<Option<MemoryId>, Problem> {
        let text = self.optional_name(name)?;
        let wrong = |_| format!("{name}: expected a memory's id");
        text.map(|text| text.parse().map_err(wrong)).transpose()
    }

    fn header(&mut self) -> Result<Header, Problem> {
        let format = self.optional_name("format")?.unwrap_or_default();
        if format != FORMAT {
            return Err(format!("this is no {FORMAT}"));
        }
        let version = self.number("version")?;
        if !(1..=VERSION).contains(&version) {
            return Err(format!(
                "it is of version {version} of the format, and this Sage reads up to {VERSION}; \
                 update sage"
            ));
        }
        Ok(Header {
            project: self.optional_name("project")?,
            memories: self.number("memories")?,
            exported_at: self.optional_name("exported_at")?.unwrap_or_default(),
            store: self.optional_name("store")?.unwrap_or_default(),
        })
    }

    fn session(&mut self) -> Result<MovedSession, Problem> {
        let shares = match self.take("shares") {
            None => Vec::new(),
            Some(Value::Array(items)) => items
                .into_iter()
                .map(|item| match item {
                    Value::Object(mut share) => {
                        let mut share = Fields(&mut share);
                        Ok((share.project("project")?, share.optional_name("title")?))
                    }
                    _ => Err("shares: expected objects".to_owned()),
                })
                .collect::<Result<_, _>>()?,
            Some(_) => return Err("shares: expected a list".to_owned()),
        };
        let started_at = self.needed_time("started_at")?;
        Ok(MovedSession {
            id: self.name("id")?,
            project: self.project("project")?,
            started_at,
            last_at: self.time("last_at")?.unwrap_or(started_at),
            next_position: self.place("next_position")?,
            shares,
        })
    }

    fn memory(&mut self) -> Result<MovedMemory, Problem> {
        let missing = |name: &str| format!("{name}: expected something, got nothing");
        let kind = self.name("kind")?;
        let metadata = self.text("metadata", METADATA_BYTES_MAX)?;
        let content = self.content()?;
        Ok(MovedMemory {
            position: self.place("position")?,
            superseded_by: self.id("superseded_by")?,
            versions: u32::try_from(self.number("versions")?)
                .ok()
                .filter(|versions| *versions <= VERSIONS_MAX)
                .ok_or_else(|| format!("versions: expected at most {VERSIONS_MAX}"))?,
            repeats: self.names("repeats")?,
            memory: NewMemory {
                id: self.id("id")?.ok_or_else(|| missing("id"))?,
                project: self.project("project")?,
                session: self.optional_name("session")?,
                directory: None,
                kind: Kind::parse("kind", &kind).map_err(|error| error.to_string())?,
                content,
                content_hash: [0; 16],
                tags: self.names("tags")?,
                key: self.optional_name("key")?,
                pinned: self.take("pinned").is_some_and(|value| value == true),
                source: Cow::Owned(self.name("source")?),
                created_at: self.needed_time("created_at")?,
                expires_at: self.time("expires_at")?,
                metadata,
                event: self.optional_name("event")?,
                replaces: None,
                passages: Vec::new(),
            },
        })
    }

    fn content(&mut self) -> Result<Content, Problem> {
        let text = self.text("content", CONTENT_BYTES_MAX)?.unwrap_or_default();
        if text.trim().is_empty() {
            return Err("content: expected words, got nothing".to_owned());
        }
        let reply_start = match self.take("reply_start") {
            None => None,
            Some(value) => Some(
                value
                    .as_u64()
                    .and_then(|at| usize::try_from(at).ok())
                    .filter(|at| text.is_char_boundary(*at))
                    .ok_or("reply_start: expected the place of a character in the content")?,
            ),
        };
        Ok(Content { text, reply_start })
    }

    fn end(&mut self) -> Result<End, Problem> {
        let mut records = BTreeMap::new();
        if let Some(Value::Object(counts)) = self.take("records") {
            let counts = counts.into_iter();
            records = counts
                .filter_map(|(name, count)| Some((name, count.as_u64()?)))
                .collect();
        }
        Ok(End {
            records,
            sha256: self.name("sha256")?,
        })
    }
}

/// More versions of one memory than anybody makes: so many numbers are left free for them.
const VERSIONS_MAX: u32 = 1_000_000;

/// A text of a length and kind that every store holds: PostgreSQL has no place for a NUL.
fn checked(name: &str, text: String, bytes_max: usize) -> Result<String, Problem> {
    if text.len() > bytes_max {
        let bytes = text.len();
        return Err(format!(
            "{name}: expected at most {bytes_max} bytes, got {bytes}"
        ));
    }
    match text.contains('\0') {
        true => Err(format!("{name}: a NUL character cannot be kept")),
        false => Ok(text),
    }
}
