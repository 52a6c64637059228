//! Sage's own export format: JSON lines, described in docs/export.md.
//!
//! What a reader does not know it passes over and counts, so that later versions may add fields
//! and types of records without a new version number.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::engine::{Injection, MovedMemory, MovedVector, Record};
use crate::memory::Project;

/// The name of the format, in the first line of a file.
pub const FORMAT: &str = "sage-export";

/// The version that this Sage writes, and the latest that it reads. It grows only when an older
/// reader would get something wrong.
pub const VERSION: u64 = 1;

/// The longest line that is read, in bytes. A memory takes at most 1.6 MB, every character of it
/// escaped; the rest is room for the events that brought it again and again.
pub const LINE_BYTES_MAX: usize = 32 << 20;

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
    Rule {
        project: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        alias: Option<&'a str>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        off: bool,
    },
    Injection(InjectionLine<'a>),
    Model {
        name: &'a str,
        dimension: usize,
    },
    Vector(VectorLine<'a>),
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

#[derive(Serialize)]
pub(super) struct InjectionLine<'a> {
    session: &'a str,
    prompt: &'a str,
    memory: String,
    outcome: &'static str,
    rank: u32,
    /// As text, which keeps every digit.
    score: String,
    tokens: u32,
    terms: &'a str,
    at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    used: Option<bool>,
}

/// The bytes are in base 64.
#[derive(Serialize)]
pub(super) struct VectorLine<'a> {
    memory: String,
    start: usize,
    model: &'a str,
    dimension: usize,
    digest: String,
    code: String,
    levels: String,
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
            Record::Rule(rule) => Self::Rule {
                project: &rule.project.key,
                alias: rule.alias.as_ref().map(|alias| alias.key.as_str()),
                off: rule.is_off,
            },
            Record::Injection(line) => Self::Injection(injection_line(line)),
            Record::Model { name, dimension } => Self::Model {
                name,
                dimension: *dimension,
            },
            Record::Vector(moved) => Self::Vector(vector_line(moved)),
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
        Record::Rule(_) => "rule",
        Record::Injection(_) => "injection",
        Record::Model { .. } => "model",
        Record::Vector(_) => "vector",
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

fn injection_line(line: &Injection) -> InjectionLine<'_> {
    InjectionLine {
        session: &line.session,
        prompt: &line.prompt,
        memory: line.memory.to_string(),
        outcome: line.outcome.name(),
        rank: line.rank,
        score: line.score.to_string(),
        tokens: line.tokens,
        terms: &line.terms,
        at: line.at.to_string(),
        used: line.used,
    }
}

fn vector_line(moved: &MovedVector) -> VectorLine<'_> {
    VectorLine {
        memory: moved.memory.to_string(),
        start: moved.start,
        model: &moved.model,
        dimension: moved.dimension,
        digest: STANDARD.encode(moved.digest),
        code: STANDARD.encode(&moved.code),
        levels: STANDARD.encode(&moved.levels),
    }
}
