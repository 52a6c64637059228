//! Questions whose answers are known, a store a line: `{"name", "documents": [{"id", "text",
//! "speaker"?, "date"?, "session"?, "position"?}], "queries": [{"text", "relevant": [id],
//! "category"}]}`.

use std::path::Path;

use serde_json::Value;

use crate::capture::Capture;
use crate::error::{Error, Result};
use crate::memory::{Kind, Project, Timestamp};
use crate::order::sort_by_key;

/// When documents were said that do not say when: always the same, so that the same data gives the
/// same numbers. The first of January 2024.
const UNDATED_SECOND: i64 = 1_704_067_200;

/// A file.
pub(super) struct Dataset {
    /// The file's name, without what follows the first dot.
    pub(super) name: String,
    pub(super) lines: Vec<Line>,
}

/// What one person remembers, and questions about it.
pub(super) struct Line {
    pub(super) documents: Vec<Document>,
    pub(super) queries: Vec<Query>,
}

/// One utterance, paragraph or function.
pub(super) struct Document {
    pub(super) id: String,
    text: String,
    speaker: Option<String>,
    date: Option<String>,
    pub(super) session: Option<i64>,
    position: i64,
}

/// A question.
pub(super) struct Query {
    pub(super) text: String,
    /// The documents that hold the answer.
    pub(super) relevant: Vec<String>,
    /// What sort of question; the line's name where it does not say.
    pub(super) category: String,
}

impl Dataset {
    /// Reads a file.
    ///
    /// # Errors
    /// Where it cannot be read, or a line is not what was expected; the error names file and line.
    pub(super) fn read(path: &str) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Error::Io(format!("{path} could not be read: {error}")))?;
        let filled = text.lines().zip(1..);
        let filled = filled.filter(|(line, _)| !line.trim().is_empty());
        let lines = filled.map(|(line, number)| {
            read_line(line).map_err(|what| Error::Io(format!("{path}, line {number}: {what}")))
        });
        let name = Path::new(path).file_name().unwrap_or_default();
        let name = name.to_string_lossy();
        Ok(Self {
            name: name.split('.').next().unwrap_or_default().to_owned(),
            lines: lines.collect::<Result<_>>()?,
        })
    }
}

fn read_line(line: &str) -> std::result::Result<Line, String> {
    let value: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let list = |name: &str| {
        let list = value.get(name).and_then(Value::as_array);
        list.ok_or_else(|| format!("expected a list of {name}"))
    };
    let documents = list("documents")?.iter().map(|document| {
        Ok(Document {
            id: text(document, "id").ok_or("a document has no id")?,
            text: text(document, "text").ok_or("a document has no text")?,
            speaker: text(document, "speaker"),
            date: text(document, "date"),
            session: document.get("session").and_then(Value::as_i64),
            position: document
                .get("position")
                .and_then(Value::as_i64)
                .unwrap_or_default(),
        })
    });
    let mut documents = documents.collect::<std::result::Result<Vec<_>, String>>()?;
    // Stable: what has no place in a conversation stays as it stands.
    sort_by_key(&mut documents, |document| {
        (document.session, document.position)
    });
    let name = text(&value, "name").unwrap_or_default();
    let queries = list("queries")?.iter().map(|query| {
        let relevant = query.get("relevant").and_then(Value::as_array);
        let relevant = relevant
            .ok_or("a query has no list of what is relevant")?
            .iter();
        let category = text(query, "category").filter(|category| !category.is_empty());
        Ok(Query {
            text: text(query, "text").ok_or("a query has no text")?,
            relevant: relevant
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            category: category.unwrap_or_else(|| name.clone()),
        })
    });
    let queries = queries.collect::<std::result::Result<_, String>>()?;
    Ok(Line { documents, queries })
}

fn text(value: &Value, name: &str) -> Option<String> {
    value.get(name)?.as_str().map(str::to_owned)
}

impl Document {
    /// Whether it was said in a conversation. Anything else was written down.
    pub(super) fn is_turn(&self) -> bool {
        self.speaker.is_some() && self.session.is_some()
    }

    /// As it would have been kept.
    pub(super) fn capture(&self, project: &Project) -> Capture {
        let mut capture = match (&self.speaker, self.session) {
            (Some(speaker), Some(session)) => {
                let said = format!("{speaker}: {}", self.text);
                let turn = Capture::turn(project.clone(), &said, "", "bench");
                Capture {
                    session: Some(session.to_string()),
                    event: Some(self.id.clone()),
                    ..turn
                }
            }
            _ => Capture::note(project.clone(), Kind::Note, &self.text, "bench"),
        };
        let date = self.date.as_deref().and_then(parse_date);
        capture.created_at = date.or_else(|| Timestamp::from_second(UNDATED_SECOND).ok());
        capture
    }
}

/// "1:56 pm on 8 May, 2023" and "2023-12-25".
fn parse_date(words: &str) -> Option<Timestamp> {
    let date = words.rsplit(" on ").next()?.replace(',', "");
    let date = jiff::civil::Date::strptime("%d %B %Y", &date)
        .or_else(|_| jiff::civil::Date::strptime("%Y-%m-%d", &date))
        .ok()?;
    let midnight = date.at(0, 0, 0, 0);
    jiff::tz::TimeZone::UTC.to_timestamp(midnight).ok()
}
