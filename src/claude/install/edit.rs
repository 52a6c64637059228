//! Changes at one place of a JSON text, in the text's own style: every other byte stays.

use std::ops::Range;

use super::jsonc::{Node, parse};
use crate::error::{Error, Result};
use crate::order::sort_by_key;

/// What people indent by where the text does not show it.
const INDENT: &str = "  ";

/// A step from a value to one in it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step<'a> {
    Name(&'a str),
    Index(usize),
}

/// The value that a path leads to.
pub(super) fn find<'n>(root: &'n Node, path: &[Step<'_>]) -> Option<&'n Node> {
    path.iter().try_fold(root, |node, step| match step {
        Step::Name(name) => node.member(name),
        Step::Index(index) => node.items().get(*index),
    })
}

/// Puts an item behind those in the object or array at `path`. `item` is one line: a value, or a
/// name with its value.
///
/// # Errors
/// When the text is no JSON, or has nothing at that path.
pub(super) fn insert(text: &str, path: &[Step<'_>], item: &str) -> Result<String> {
    let root = parse(text)?;
    let Some(holder) = find(&root, path) else {
        return Err(Error::Internal(format!("nothing at {path:?} to put into")));
    };
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let (open, close) = (holder.span.start + 1, holder.span.end - 1);
    let Some(last) = holder.children().pop() else {
        return checked(insert_first(text, &root, open..close, item, newline));
    };
    let gap = gap(text, last.end..close);
    // Behind the comma, and behind a comment that stands on the same line.
    let point = gap.line_end.max(gap.comma.map_or(0, |comma| comma + 1));
    let is_behind_comment = slice(text, point..close).starts_with(['\r', '\n']) && point > last.end;
    let is_inline = !is_behind_comment && !slice(text, open..last.start).contains('\n');
    let before = match is_inline {
        true => " ".to_owned(),
        false => format!("{newline}{}", indent_at(text, last.start)),
    };
    let edits = match gap.comma {
        Some(_) => vec![(point..point, format!("{before}{item},"))],
        None => vec![
            (last.end..last.end, ",".to_owned()),
            (point..point, before + item),
        ],
    };
    checked(apply(text, edits))
}

fn insert_first(
    text: &str,
    root: &Node,
    inside: Range<usize>,
    item: &str,
    newline: &str,
) -> String {
    // A text of one line stays one, unless nothing is in it yet.
    if !text.contains('\n') && !root.children().is_empty() {
        let end = inside.end;
        return apply(text, vec![(end..end, item.to_owned())]);
    }
    let outer = indent_at(text, inside.start);
    let inner = format!("{newline}{outer}{}{item}", unit(text, root));
    let content = slice(text, inside.clone()).trim_end();
    let from = inside.start + content.len();
    let edit = match content.is_empty() {
        true => (from..inside.end, format!("{inner}{newline}{outer}")),
        // Behind the comments that are there.
        false => (from..from, inner),
    };
    apply(text, vec![edit])
}

/// Takes out what a path leads to, with its comma and the blanks before it. Comments stay.
///
/// # Errors
/// When the text is no JSON, or has nothing at that path.
pub(super) fn remove(text: &str, path: &[Step<'_>]) -> Result<String> {
    let root = parse(text)?;
    let holder = path.split_last().and_then(|(last, path)| {
        let holder = find(&root, path)?;
        let index = match last {
            Step::Index(index) => *index,
            Step::Name(name) => holder.members().iter().rposition(|it| it.name == *name)?,
        };
        Some((holder, index))
    });
    let children = holder
        .map(|(holder, _)| holder.children())
        .unwrap_or_default();
    let (Some((holder, index)), Some(child)) =
        (holder, holder.and_then(|(_, index)| children.get(index)))
    else {
        return Err(Error::Internal(format!("nothing at {path:?} to take out")));
    };
    let (open, close) = (holder.span.start + 1, holder.span.end - 1);
    let previous = index.checked_sub(1).and_then(|index| children.get(index));
    let next = children.get(index + 1);
    let before = gap(text, previous.map_or(open, |it| it.end)..child.start);
    let after = gap(text, child.end..next.map_or(close, |it| it.start));
    let mut start = before.solid_end;
    let rest = slice(text, child.end..close + 1);
    let rest = rest.strip_prefix(',').unwrap_or(rest);
    let goes_on = rest.trim_start_matches([' ', '\t', '\r']);
    if before.ends_in_line_comment && !goes_on.starts_with('\n') {
        // What follows must not become part of the comment.
        start += slice(text, start..child.start)
            .find('\n')
            .map_or(0, |at| at + 1);
    }
    let mut edits = vec![(start..child.end, String::new())];
    let comma = after.comma.or(before.comma);
    edits.extend(comma.map(|comma| (comma..comma + 1, String::new())));
    if children.len() == 1 && after.comma.is_none_or(|comma| comma == child.end) {
        let end = child.end + usize::from(after.comma.is_some());
        if slice(text, open..start).trim().is_empty() && slice(text, end..close).trim().is_empty() {
            edits = vec![(open..close, String::new())];
        }
    }
    checked(apply(text, edits))
}

/// Puts a value in the place of the one that a path leads to.
///
/// # Errors
/// When either text is no JSON, or nothing is at that path.
pub(super) fn replace(text: &str, path: &[Step<'_>], value: &str) -> Result<String> {
    let root = parse(text)?;
    let Some(node) = find(&root, path) else {
        return Err(Error::Internal(format!("nothing at {path:?} to replace")));
    };
    checked(apply(text, vec![(node.span.clone(), value.to_owned())]))
}

/// What lies between two values: blanks, comments, and at most one comma.
struct Gap {
    comma: Option<usize>,
    /// The end of the comma and comments that stand on the line where the gap begins.
    line_end: usize,
    /// The end of everything but blanks.
    solid_end: usize,
    ends_in_line_comment: bool,
}

fn gap(text: &str, range: Range<usize>) -> Gap {
    let mut gap = Gap {
        comma: None,
        line_end: range.start,
        solid_end: range.start,
        ends_in_line_comment: false,
    };
    let (mut at, mut is_first_line) = (range.start, true);
    while at < range.end {
        let rest = slice(text, at..range.end);
        let part = match rest.as_bytes() {
            [b'/', b'/', ..] => rest.lines().next().unwrap_or(rest),
            [b'/', b'*', ..] => {
                let end = rest.get(2..).and_then(|inside| inside.find("*/"));
                end.and_then(|end| rest.get(..end + 4)).unwrap_or(rest)
            }
            [b',', ..] => ",",
            [blank, ..] => {
                is_first_line &= *blank != b'\n';
                at += 1;
                continue;
            }
            [] => break,
        };
        if part == "," {
            gap.comma = Some(at);
        }
        at += part.len();
        gap.solid_end = at;
        gap.ends_in_line_comment = part.starts_with("//");
        is_first_line &= !part.contains('\n');
        if is_first_line {
            gap.line_end = at;
        }
    }
    gap
}

fn slice(text: &str, range: Range<usize>) -> &str {
    text.get(range).unwrap_or_default()
}

/// The blanks at the beginning of the line of a place.
fn indent_at(text: &str, at: usize) -> &str {
    let line = text.get(..at).unwrap_or_default().rsplit('\n').next();
    let line = line.unwrap_or_default().trim_start_matches('\u{feff}');
    let end = line.find(|c| c != ' ' && c != '\t').unwrap_or(line.len());
    line.get(..end).unwrap_or_default()
}

/// What one level is indented by.
fn unit<'t>(text: &'t str, root: &Node) -> &'t str {
    let first = root.children().into_iter().next();
    let indent = first.map_or("", |first| indent_at(text, first.start));
    match indent.is_empty() {
        true => INDENT,
        false => indent,
    }
}

/// Carries out edits that do not overlap.
fn apply(text: &str, mut edits: Vec<(Range<usize>, String)>) -> String {
    sort_by_key(&mut edits, |(range, _)| (range.start, range.end));
    let mut text = text.to_owned();
    for (range, new) in edits.into_iter().rev() {
        text.replace_range(range, &new);
    }
    text
}

/// A text that was read must be readable after an edit; one that is not is never written.
fn checked(text: String) -> Result<String> {
    match parse(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(Error::Internal(format!("an edit broke the file: {error}"))),
    }
}
