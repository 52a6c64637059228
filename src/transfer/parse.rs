//! Understanding the lines of Sage's own format, whoever wrote them: nothing is trusted to be short,
//! whole, or what a store can hold.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::format::{FORMAT, VERSION};
use crate::capture::{CONTENT_BYTES_MAX, METADATA_BYTES_MAX, NAME_BYTES_MAX};
use crate::config::DIMENSION_MAX;
use crate::engine::{
    Injection, MovedMemory, MovedSession, MovedVector, NewMemory, Outcome, ProjectRule, Record,
};
use crate::memory::{Content, Kind, MemoryId, Project, Timestamp};

/// The longest name in an export, in bytes. Names are checked when they are captured, but
/// redaction makes some of them longer, and an idempotency key holds two. Beyond 2,700 bytes
/// PostgreSQL could not index one.
const LONG_NAME_BYTES_MAX: usize = 4 * NAME_BYTES_MAX;

/// The longest path that Linux has.
const PATH_BYTES_MAX: usize = 4_096;

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
        "rule" => Found::Record(Record::Rule(ProjectRule {
            project: fields.project("project")?,
            alias: fields.optional_name("alias")?.map(Project::new),
            is_off: fields.flag("off").unwrap_or_default(),
        })),
        "injection" => Found::Record(Record::Injection(Box::new(fields.injection()?))),
        "model" => Found::Record(Record::Model {
            name: fields.name("name")?,
            dimension: fields.dimension()?,
        }),
        "vector" => Found::Record(Record::Vector(Box::new(fields.vector()?))),
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

    /// A number that a column of 32 bits holds.
    fn small(&mut self, name: &str) -> Result<u32, Problem> {
        let number = self.number(name)?;
        u32::try_from(number).map_err(|_| format!("{name}: {number} is too much"))
    }

    fn flag(&mut self, name: &str) -> Option<bool> {
        self.take(name).map(|value| value == true)
    }

    /// Bytes, of which there must be so many.
    fn bytes(&mut self, name: &str, count: usize) -> Result<Vec<u8>, Problem> {
        // Four characters for three bytes.
        let text = self.text(name, count.div_ceil(3) * 4)?.unwrap_or_default();
        let bytes = STANDARD.decode(text).unwrap_or_default();
        match bytes.len() == count {
            true => Ok(bytes),
            false => Err(format!("{name}: expected {count} bytes in base 64")),
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

    fn needed_id(&mut self, name: &str) -> Result<MemoryId, Problem> {
        let missing = || format!("{name}: expected a memory's id, got nothing");
        self.id(name)?.ok_or_else(missing)
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
                id: self.needed_id("id")?,
                project: self.project("project")?,
                session: self.optional_name("session")?,
                directory: None,
                kind: Kind::parse("kind", &kind).map_err(|error| error.to_string())?,
                content,
                content_hash: [0; 16],
                tags: self.names("tags")?,
                key: self.optional_name("key")?,
                pinned: self.flag("pinned").unwrap_or_default(),
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

    fn injection(&mut self) -> Result<Injection, Problem> {
        let outcome = self.name("outcome")?;
        let score = self.name("score")?;
        Ok(Injection {
            session: self.name("session")?,
            prompt: self.name("prompt")?,
            memory: self.needed_id("memory")?,
            outcome: Outcome::parse(&outcome)
                .ok_or_else(|| format!("outcome: {outcome:?} is not known"))?,
            rank: self.small("rank")?,
            score: score
                .parse()
                .ok()
                .filter(|score: &f64| score.is_finite())
                .ok_or("score: expected a number, as text")?,
            tokens: self.small("tokens")?,
            terms: self.text("terms", CONTENT_BYTES_MAX)?.unwrap_or_default(),
            at: self.needed_time("at")?,
            used: self.flag("used"),
        })
    }

    fn dimension(&mut self) -> Result<usize, Problem> {
        let dimension = usize::try_from(self.number("dimension")?).unwrap_or(usize::MAX);
        match (1..=DIMENSION_MAX).contains(&dimension) {
            true => Ok(dimension),
            false => Err(format!("dimension: expected 1 to {DIMENSION_MAX}")),
        }
    }

    fn vector(&mut self) -> Result<MovedVector, Problem> {
        let dimension = self.dimension()?;
        let digest = self.bytes("digest", 16)?;
        let vector = MovedVector {
            memory: self.needed_id("memory")?,
            start: usize::try_from(self.number("start")?).unwrap_or(usize::MAX),
            model: self.name("model")?,
            dimension,
            digest: digest.first_chunk().copied().unwrap_or_default(),
            code: self.bytes("code", MovedVector::code_bytes(dimension))?,
            levels: self.bytes("levels", MovedVector::levels_bytes(dimension))?,
        };
        match vector.has_a_scale() {
            true => Ok(vector),
            false => Err("levels: their scale is no positive number".to_owned()),
        }
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
