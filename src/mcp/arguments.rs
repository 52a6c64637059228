//! The arguments of a tool: one table of fields gives the JSON Schema and the checks.

use serde_json::{Map, Value, json};

use super::rpc::Object;
use crate::error::{Error, Result};
use crate::memory::time::{Direction, parse_when};
use crate::memory::{Filter, Kind, Timestamp};

/// One argument of a tool.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub shape: Shape,
    /// Whether a call must have it.
    pub required: bool,
    /// What it means, as short as possible; every word costs each client's context.
    pub about: &'static str,
}

/// What an argument holds.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// A text.
    Text,
    /// A list of texts.
    Texts,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A list of some of these words.
    SomeOf(&'static [&'static str]),
    /// A whole number between these, inclusive.
    Whole(u64, u64),
    /// True or false.
    Flag,
    /// A JSON object.
    Object,
}

/// Names that callers of the predecessor still use, beside today's.
const FORMER_NAMES: [(&str, &str); 2] = [("max_results", "limit"), ("session_id", "session")];

/// The words of `scope` in schemas.
pub const SCOPES: &[&str] = &["project", "all"];

/// The words for [`Kind::ALL`] in schemas.
pub const KINDS: &[&str] = &["turn", "note", "summary"];

/// An optional field.
pub const fn optional(name: &'static str, shape: Shape, about: &'static str) -> Field {
    Field {
        name,
        shape,
        required: false,
        about,
    }
}

/// A required field.
pub const fn required(name: &'static str, shape: Shape, about: &'static str) -> Field {
    Field {
        name,
        shape,
        required: true,
        about,
    }
}

/// Arguments that have the shapes of their fields.
#[derive(Debug)]
pub struct Arguments {
    values: Object,
}

impl Arguments {
    /// Checks `values` against `fields`. Null counts as absent. The error names the field, what was
    /// expected and what came; for an unknown field it names the known ones, unless `lenient`.
    pub fn read(fields: &[Field], lenient: bool, values: &Value) -> Result<Self> {
        let values = match values {
            Value::Object(values) => values,
            Value::Null => &Map::new(),
            other => {
                let message = format!("expected an object, got {}", describe(other));
                return Err(Error::invalid("arguments", message));
            }
        };
        let mut checked = Object::new();
        for (name, value) in values {
            match find(fields, name) {
                Some(_) if value.is_null() => {}
                Some(field) => {
                    field.shape.check(name, value)?;
                    checked.insert(field.name.to_owned(), value.clone());
                }
                None if lenient => {}
                None => return Err(unknown(fields, name)),
            }
        }
        match fields
            .iter()
            .find(|field| field.required && !checked.contains_key(field.name))
        {
            Some(missing) => Err(Error::invalid(
                missing.name,
                format!("missing; expected {}", missing.shape.describe()),
            )),
            None => Ok(Self { values: checked }),
        }
    }

    /// A text, if it was given.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).and_then(Value::as_str)
    }

    /// Whether it was given, be it empty.
    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// A text that the field's table entry makes sure of.
    pub fn required_text(&self, name: &'static str) -> Result<&str> {
        self.text(name)
            .ok_or_else(|| Error::invalid(name, "missing; expected a text"))
    }

    /// A list of texts; empty when it was not given.
    pub fn texts(&self, name: &str) -> Vec<String> {
        let list = self.values.get(name).and_then(Value::as_array);
        list.into_iter()
            .flatten()
            .filter_map(|item| item.as_str().map(str::to_owned))
            .collect()
    }

    /// A whole number, if it was given.
    pub fn whole(&self, name: &str) -> Option<usize> {
        let number = self.values.get(name).and_then(whole_of)?;
        usize::try_from(number).ok()
    }

    /// True or false, if it was given.
    pub fn flag(&self, name: &str) -> Option<bool> {
        self.values.get(name).and_then(Value::as_bool)
    }

    /// The fields that select memories: kinds, tags, session, after, before.
    pub fn filter(&self, now: Timestamp) -> Result<Filter> {
        Ok(Filter {
            kinds: self
                .texts("kinds")
                .iter()
                .map(|word| Kind::parse("kinds", word))
                .collect::<Result<_>>()?,
            tags: self.texts("tags"),
            session: self.text("session").map(str::to_owned),
            after: self.when("after", now, Direction::Back)?,
            before: self.when("before", now, Direction::Back)?,
        })
    }

    /// A point in time: a date, a time, or how far away it is.
    pub fn when(
        &self,
        name: &str,
        now: Timestamp,
        direction: Direction,
    ) -> Result<Option<Timestamp>> {
        self.text(name)
            .map(|word| parse_when(name, word, now, direction))
            .transpose()
    }

    /// A JSON object, if it was given.
    pub fn object(&self, name: &str) -> Option<&Object> {
        self.values.get(name).and_then(Value::as_object)
    }
}

impl Shape {
    fn check(self, name: &str, value: &Value) -> Result<()> {
        let fits = match self {
            Self::Text => value.is_string(),
            Self::Texts => all_texts(value, |_| true),
            Self::OneOf(words) => value.as_str().is_some_and(|word| words.contains(&word)),
            Self::SomeOf(words) => all_texts(value, |word| words.contains(&word)),
            Self::Whole(low, high) => {
                whole_of(value).is_some_and(|number| (low..=high).contains(&number))
            }
            Self::Flag => value.is_boolean(),
            Self::Object => value.is_object(),
        };
        if fits {
            return Ok(());
        }
        let message = format!("expected {}, got {}", self.describe(), describe(value));
        Err(Error::invalid(name, message))
    }

    fn describe(self) -> String {
        match self {
            Self::Text => "a text".to_owned(),
            Self::Texts => "a list of texts".to_owned(),
            Self::OneOf(words) => format!("one of {}", words.join(", ")),
            Self::SomeOf(words) => format!("a list of {}", words.join(", ")),
            Self::Whole(low, high) => format!("a whole number from {low} to {high}"),
            Self::Flag => "true or false".to_owned(),
            Self::Object => "an object".to_owned(),
        }
    }

    /// The JSON Schema (2020-12) of it.
    pub fn schema(self) -> Object {
        let schema = match self {
            Self::Text => json!({"type": "string"}),
            Self::Texts => json!({"type": "array", "items": {"type": "string"}}),
            Self::OneOf(words) => json!({"enum": words}),
            Self::SomeOf(words) => json!({"type": "array", "items": {"enum": words}}),
            Self::Whole(low, high) => json!({"type": "integer", "minimum": low, "maximum": high}),
            Self::Flag => json!({"type": "boolean"}),
            Self::Object => json!({"type": "object"}),
        };
        match schema {
            Value::Object(schema) => schema,
            _ => Object::new(),
        }
    }
}

/// The JSON Schema (2020-12, MCP's default) of a tool's arguments.
pub fn schema(fields: &[Field]) -> Value {
    let mut properties = Object::new();
    for field in fields {
        let mut schema = field.shape.schema();
        if !field.about.is_empty() {
            schema.insert("description".to_owned(), json!(field.about));
        }
        properties.insert(field.name.to_owned(), Value::Object(schema));
    }
    let mut schema = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    let required: Vec<_> = fields
        .iter()
        .filter(|field| field.required)
        .map(|field| field.name)
        .collect();
    if let (false, Some(schema)) = (required.is_empty(), schema.as_object_mut()) {
        schema.insert("required".to_owned(), json!(required));
    }
    schema
}

/// The field of that name, former names included.
pub fn find<'a>(fields: &'a [Field], name: &str) -> Option<&'a Field> {
    let by_name = |name: &str| fields.iter().find(|field| field.name == name);
    by_name(name).or_else(|| {
        let (_, today) = FORMER_NAMES.iter().find(|(former, _)| *former == name)?;
        by_name(today)
    })
}

fn unknown(fields: &[Field], name: &str) -> Error {
    let known: Vec<_> = fields.iter().map(|field| field.name).collect();
    let known = match known.as_slice() {
        [] => "this tool takes no arguments".to_owned(),
        names => format!("known are {}", names.join(", ")),
    };
    Error::invalid(shorten(name), format!("unknown argument; {known}"))
}

fn all_texts(value: &Value, fits: impl Fn(&str) -> bool) -> bool {
    value
        .as_array()
        .is_some_and(|items| items.iter().all(|item| item.as_str().is_some_and(&fits)))
}

/// JSON Schema counts `5.0` as an integer, and some models write it.
fn whole_of(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| {
        let number = value.as_f64()?;
        let is_whole = number.fract() == 0.0 && (0.0..9e15).contains(&number);
        is_whole.then_some(number as u64)
    })
}

/// What came, in few words and one line.
fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => format!("\"{}\"", shorten(text)),
        Value::Array(_) => format!("the list {}", shorten(&value.to_string())),
        Value::Object(_) => "an object".to_owned(),
    }
}

fn shorten(text: &str) -> String {
    text.chars()
        .take(60)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const FIELDS: &[Field] = &[
        required("query", Shape::Text, "What to look for."),
        optional("limit", Shape::Whole(1, 100), ""),
        optional("kinds", Shape::SomeOf(&["turn", "note"]), ""),
        optional("tags", Shape::Texts, ""),
        optional("scope", Shape::OneOf(&["project", "all"]), ""),
        optional("pinned", Shape::Flag, ""),
        optional("metadata", Shape::Object, ""),
    ];

    #[track_caller]
    fn check_error(values: Value, expected: &str) {
        let error = Arguments::read(FIELDS, false, &values).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn a_wrong_argument_says_which_and_what_was_expected() {
        check_error(json!({}), "query: missing; expected a text");
        check_error(json!({"query": null}), "query: missing; expected a text");
        check_error(
            json!({"query": 3}),
            "query: expected a text, got the number 3",
        );
        for (limit, got) in [
            (json!("ten"), "\"ten\""),
            (json!(0), "the number 0"),
            (json!(101), "the number 101"),
            (json!(-1), "the number -1"),
            (json!(1.5), "the number 1.5"),
            (json!([1]), "the list [1]"),
            (json!({}), "an object"),
        ] {
            check_error(
                json!({"query": "x", "limit": limit}),
                &format!("limit: expected a whole number from 1 to 100, got {got}"),
            );
        }
        check_error(
            json!({"query": "x", "kinds": ["turn", "dream"]}),
            "kinds: expected a list of turn, note, got the list [\"turn\",\"dream\"]",
        );
        check_error(
            json!({"query": "x", "tags": "one"}),
            "tags: expected a list of texts, got \"one\"",
        );
        check_error(
            json!({"query": "x", "scope": "world"}),
            "scope: expected one of project, all, got \"world\"",
        );
        check_error(
            json!({"query": "x", "pinned": "yes"}),
            "pinned: expected true or false, got \"yes\"",
        );
        check_error(
            json!({"query": "x", "metadata": []}),
            "metadata: expected an object, got the list []",
        );
        check_error(
            json!({"qwery": "x"}),
            "qwery: unknown argument; known are query, limit, kinds, tags, scope, pinned, metadata",
        );
        check_error(
            json!(["query"]),
            "arguments: expected an object, got the list [\"query\"]",
        );
    }

    #[test]
    fn an_error_stays_one_short_line() {
        let long = "x\n".repeat(100_000);
        for values in [
            json!({"query": "x", "tags": long}),
            json!({"query": "x", long: 1}),
        ] {
            let text = Arguments::read(FIELDS, false, &values)
                .unwrap_err()
                .to_string();
            assert!(text.len() < 200 && !text.contains('\n'), "{text}");
        }
    }

    #[test]
    fn good_arguments_are_read() {
        let values = json!({
            "query": "x", "max_results": 5.0, "tags": ["a"], "kinds": [], "pinned": false,
            "metadata": {"a": 1}, "scope": null,
        });
        let arguments = Arguments::read(FIELDS, false, &values).unwrap();
        assert_eq!(arguments.text("query"), Some("x"));
        assert_eq!(arguments.whole("limit"), Some(5));
        assert_eq!(arguments.texts("tags"), ["a"]);
        assert_eq!(arguments.flag("pinned"), Some(false));
        assert_eq!(arguments.text("scope"), None);
        assert!(arguments.object("metadata").is_some());
    }

    #[test]
    fn leniency_is_about_unknown_fields_only() {
        let values = json!({"query": "x", "whatever": 1});
        assert!(Arguments::read(FIELDS, true, &values).is_ok());
        assert!(Arguments::read(FIELDS, true, &json!({"query": 1})).is_err());
    }
}
