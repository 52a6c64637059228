//! JSON as people keep it in settings: with comments, and commas behind the last item.
//!
//! A reading says where each value stands in the text, so that one of them can be changed and
//! every other byte stays. Nothing is ever written anew.

use std::ops::Range;

use serde::de::IgnoredAny;
use serde_json::Value;

use crate::error::{Error, Result};

/// Nobody nests settings deeper; the limit keeps hostile files from the end of the stack.
const DEPTH_MAX: usize = 128;

/// A value and where it stands, in bytes.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) span: Range<usize>,
    pub(super) shape: Shape,
}

/// What a value is made of.
#[derive(Debug)]
pub(super) enum Shape {
    Object(Vec<Member>),
    Array(Vec<Node>),
    Text(String),
    /// A number, a truth value or null.
    Other,
}

/// A name and its value.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: String,
    /// Where the name begins, with its quotes.
    pub(super) start: usize,
    pub(super) value: Node,
}

impl Node {
    /// The member of that name; of several the last one, which is the one that counts.
    pub(super) fn member(&self, name: &str) -> Option<&Node> {
        let members = self.members().iter().rev();
        let mut found = members.filter(|member| member.name == name);
        found.next().map(|member| &member.value)
    }

    pub(super) fn members(&self) -> &[Member] {
        match &self.shape {
            Shape::Object(members) => members,
            _ => &[],
        }
    }

    pub(super) fn items(&self) -> &[Node] {
        match &self.shape {
            Shape::Array(items) => items,
            _ => &[],
        }
    }

    pub(super) fn is_object(&self) -> bool {
        matches!(self.shape, Shape::Object(_))
    }

    pub(super) fn is_array(&self) -> bool {
        matches!(self.shape, Shape::Array(_))
    }

    /// Where each member or item stands.
    pub(super) fn children(&self) -> Vec<Range<usize>> {
        let members = self.members().iter();
        let items = self.items().iter();
        members
            .map(|member| member.start..member.value.span.end)
            .chain(items.map(|item| item.span.clone()))
            .collect()
    }

    /// The value without its place; `text` is what it was read from.
    pub(super) fn value(&self, text: &str) -> Value {
        match &self.shape {
            Shape::Object(members) => {
                let members = members.iter();
                let pair = |member: &Member| (member.name.clone(), member.value.value(text));
                Value::Object(members.map(pair).collect())
            }
            Shape::Array(items) => items.iter().map(|item| item.value(text)).collect(),
            Shape::Text(text) => Value::from(text.as_str()),
            Shape::Other => {
                let word = text.get(self.span.clone()).unwrap_or_default();
                serde_json::from_str(word).unwrap_or_default()
            }
        }
    }
}

/// Reads a text.
///
/// # Errors
/// Where it is something else, with line and column.
pub(super) fn parse(text: &str) -> Result<Node> {
    let mut scanner = Scanner { text, at: 0 };
    scanner.eat('\u{feff}');
    let read = scanner.value(0).and_then(|root| {
        scanner.skip_blanks()?;
        match scanner.rest().is_empty() {
            true => Ok(root),
            false => Err("expected nothing more"),
        }
    });
    read.map_err(|expected| {
        let before = text.get(..scanner.at).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default();
        let column = column.chars().count() + 1;
        Error::invalid("json", format!("line {line}, column {column}: {expected}"))
    })
}

struct Scanner<'t> {
    text: &'t str,
    at: usize,
}

type Scanned<T> = std::result::Result<T, &'static str>;

impl Scanner<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn eat(&mut self, c: char) -> bool {
        let is_next = self.rest().starts_with(c);
        if is_next {
            self.at += c.len_utf8();
        }
        is_next
    }

    fn skip_blanks(&mut self) -> Scanned<()> {
        loop {
            let rest = self.rest();
            let length = match rest.as_bytes() {
                [b' ' | b'\t' | b'\r' | b'\n', ..] => 1,
                [b'/', b'/', ..] => rest.find('\n').unwrap_or(rest.len()),
                [b'/', b'*', ..] => {
                    let end = rest.get(2..).and_then(|inside| inside.find("*/"));
                    end.ok_or("this comment has no end")? + 4
                }
                _ => return Ok(()),
            };
            self.at += length;
        }
    }

    fn value(&mut self, depth: usize) -> Scanned<Node> {
        self.skip_blanks()?;
        let start = self.at;
        let shape = match self.rest().as_bytes().first() {
            _ if depth > DEPTH_MAX => return Err("nested too deeply"),
            Some(b'{') => self.object(depth)?,
            Some(b'[') => self.array(depth)?,
            Some(b'"') => Shape::Text(self.string()?),
            _ => self.word()?,
        };
        Ok(Node {
            span: start..self.at,
            shape,
        })
    }

    fn object(&mut self, depth: usize) -> Scanned<Shape> {
        self.eat('{');
        let mut members = Vec::new();
        loop {
            self.skip_blanks()?;
            if self.eat('}') {
                return Ok(Shape::Object(members));
            }
            let start = self.at;
            if !self.rest().starts_with('"') {
                return Err("expected a name in quotes, or }");
            }
            let name = self.string()?;
            self.skip_blanks()?;
            if !self.eat(':') {
                return Err("expected a colon");
            }
            let value = self.value(depth + 1)?;
            members.push(Member { name, start, value });
            self.skip_blanks()?;
            if !self.eat(',') && !self.rest().starts_with('}') {
                return Err("expected a comma or }");
            }
        }
    }

    fn array(&mut self, depth: usize) -> Scanned<Shape> {
        self.eat('[');
        let mut items = Vec::new();
        loop {
            self.skip_blanks()?;
            if self.eat(']') {
                return Ok(Shape::Array(items));
            }
            items.push(self.value(depth + 1)?);
            self.skip_blanks()?;
            if !self.eat(',') && !self.rest().starts_with(']') {
                return Err("expected a comma or ]");
            }
        }
    }

    fn string(&mut self) -> Scanned<String> {
        let mut is_escaped = false;
        let end = self.rest().bytes().skip(1).position(|byte| {
            let is_end = byte == b'"' && !is_escaped;
            is_escaped = byte == b'\\' && !is_escaped;
            is_end
        });
        let end = end.ok_or("this text has no closing quote")? + 2;
        let text = self.rest().get(..end).unwrap_or_default();
        let read = serde_json::from_str(text).map_err(|_| "this text is not JSON")?;
        self.at += end;
        Ok(read)
    }

    fn word(&mut self) -> Scanned<Shape> {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        let rest = self.rest();
        let end = rest.bytes().position(|byte| !is_part(byte));
        let end = end.unwrap_or(rest.len());
        let word = rest.get(..end).unwrap_or_default();
        serde_json::from_str::<IgnoredAny>(word).map_err(|_| "expected a value")?;
        self.at += end;
        Ok(Shape::Other)
    }
}
