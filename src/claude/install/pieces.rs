//! What Sage adds to the client's files, piece by piece, and how it finds its own again.
//!
//! A piece is one line: a handler of hooks in a list, or a server with its name in an object.
//! Putting pieces in and taking them out again gives the same bytes; `former`, the text from
//! before, tells which holders were there already.

use serde_json::Value;

use super::edit::{Step, find, insert, remove, replace};
use super::jsonc::{Node, Shape, parse};
use crate::error::{Error, Result};

/// What MCP clients call Sage.
pub const SERVER_NAME: &str = "sage";

/// The end of the address that takes events.
const HOOKS_PATH: &str = "/hooks/claude-code";

/// Where pieces of one sort are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sort {
    /// Handlers in the `hooks` of settings.
    Hooks,
    /// The server in the object at this path.
    Server(Vec<String>),
}

/// Something that Sage adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The names that lead to the list or object that holds it; what is missing is made.
    pub holder: Vec<String>,
    /// One line of JSON; what begins with a quote is a name with its value.
    pub item: String,
}

/// A piece that was found.
#[derive(Debug)]
struct Found {
    holder: Vec<String>,
    /// In the holder, for a list.
    index: usize,
    /// In the group, where others' handlers stand beside it.
    handler: Option<usize>,
    value: Value,
    item: String,
}

/// An object where nothing was.
pub(super) const EMPTY: &str = "{}\n";

/// Whether a file says nothing at all, as one that somebody touched.
pub(super) fn is_blank(text: &str) -> bool {
    text.trim_start_matches('\u{feff}').trim().is_empty()
}

/// Adds pieces.
///
/// # Errors
/// When the text is no JSON object, or something else stands where they belong.
pub(super) fn put(text: &str, pieces: &[Piece]) -> Result<String> {
    let mut text = if is_blank(text) { EMPTY } else { text }.to_owned();
    for piece in pieces {
        let is_member = piece.item.starts_with('"');
        for depth in 0..=piece.holder.len() {
            let names = piece.holder.get(..depth).unwrap_or_default();
            let wants_list = depth == piece.holder.len() && !is_member;
            let root = parse(&text)?;
            match (find(&root, &steps(names)), names.split_last()) {
                (Some(node), _) if wants_list && node.is_array() => {}
                (Some(node), _) if !wants_list && node.is_object() => {}
                (None, Some((name, above))) => {
                    let empty = if wants_list { "[]" } else { "{}" };
                    let item = format!("{}: {empty}", Value::from(name.as_str()));
                    text = insert(&text, &steps(above), &item)?;
                }
                (_, last) => {
                    let what = if wants_list { "a list" } else { "an object" };
                    let place = last.map_or("the file".to_owned(), |_| names.join("."));
                    return Err(Error::invalid(place, format!("expected {what}")));
                }
            }
        }
        text = insert(&text, &steps(&piece.holder), &piece.item)?;
    }
    Ok(text)
}

/// Takes out what [`put`] added, of whatever version or way; `None` where nothing else is left of
/// a file that was not there before.
///
/// # Errors
/// When the text is no JSON.
pub(super) fn take(text: &str, sort: &Sort, former: Option<&str>) -> Result<Option<String>> {
    let found = all(&parse(text)?, text, sort);
    if found.is_empty() {
        return Ok(Some(text.to_owned()));
    }
    if let Some(former) = former {
        // Untouched since: then it is what it was, whatever it looked like.
        let pieces: Vec<Piece> = found.iter().map(Found::piece).collect();
        if put(former, &pieces).is_ok_and(|again| again == text) {
            return Ok(Some(former.to_owned()));
        }
    }
    let before = former.filter(|former| !is_blank(former));
    let before = before.map(parse).transpose()?;
    let mut text = text.to_owned();
    while let Some(found) = all(&parse(&text)?, &text, sort).first() {
        text = remove(&text, &found.path())?;
        // Holders that were made for it go with it.
        for depth in (1..=found.holder.len()).rev() {
            let path = steps(found.holder.get(..depth).unwrap_or_default());
            if !is_empty(&text, &path)? {
                break;
            }
            match before.as_ref().and_then(|root| find(root, &path)) {
                Some(node) if node.children().is_empty() => {
                    let blanks = former.and_then(|former| former.get(node.span.clone()));
                    text = replace(&text, &path, blanks.unwrap_or_default())?;
                    break;
                }
                Some(_) => break,
                // One that stands behind another of its name hides that one.
                None if is_second(&text, &path)? => break,
                None => text = remove(&text, &path)?,
            }
        }
    }
    let is_ours = former.is_none() && is_empty(&text, &[])?;
    Ok(Some(text).filter(|_| !is_ours))
}

/// The values of the pieces in a text, with the names of what holds them.
///
/// # Errors
/// When the text is no JSON.
pub(super) fn found(text: &str, sort: &Sort) -> Result<Vec<(Vec<String>, Value)>> {
    let found = all(&parse(text)?, text, sort).into_iter();
    Ok(found.map(|found| (found.holder, found.value)).collect())
}

fn all(root: &Node, text: &str, sort: &Sort) -> Vec<Found> {
    match sort {
        Sort::Hooks => hooks(root, text),
        Sort::Server(holder) => server(root, text, holder).into_iter().collect(),
    }
}

fn hooks(root: &Node, text: &str) -> Vec<Found> {
    let mut all = Vec::new();
    let Some(hooks) = root.member("hooks") else {
        return all;
    };
    for member in hooks.members() {
        // Of two with the same name the last one counts, and only that is looked at.
        if !hooks
            .member(&member.name)
            .is_some_and(|it| std::ptr::eq(it, &member.value))
        {
            continue;
        }
        for (index, group) in member.value.items().iter().enumerate() {
            let handlers = group.member("hooks").map_or(&[][..], Node::items);
            let own: Vec<usize> = (handlers.iter().enumerate())
                .filter(|(_, handler)| is_handler(&handler.value(text)))
                .map(|(index, _)| index)
                .collect();
            let Some(first) = own.first() else {
                continue;
            };
            let is_whole = own.len() == handlers.len();
            let node = match handlers.get(*first) {
                Some(handler) if !is_whole => handler,
                _ => group,
            };
            all.push(Found {
                holder: vec!["hooks".to_owned(), member.name.clone()],
                index,
                handler: (!is_whole).then_some(*first),
                value: node.value(text),
                item: text.get(node.span.clone()).unwrap_or_default().to_owned(),
            });
        }
    }
    all
}

fn server(root: &Node, text: &str, holder: &[String]) -> Option<Found> {
    let servers = find(root, &steps(holder))?;
    let members = servers.members().iter().rev();
    let member = members
        .into_iter()
        .find(|member| member.name == SERVER_NAME)?;
    let value = member.value.value(text);
    is_server(&value).then(|| Found {
        holder: holder.to_owned(),
        index: 0,
        handler: None,
        value,
        item: text
            .get(member.start..member.value.span.end)
            .unwrap_or_default()
            .to_owned(),
    })
}

/// Whether a handler is one of Sage's: `sage hook`, by whatever path, or the address for events.
fn is_handler(handler: &Value) -> bool {
    let text = |name: &str| {
        handler
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    if text("url").trim_end_matches('/').ends_with(HOOKS_PATH) {
        return true;
    }
    let words = text("command").split_whitespace();
    let words: Vec<&str> = words.chain(strings(handler.get("args"))).collect();
    calls(&words, "hook")
}

/// Whether a server's entry is Sage's: `sage mcp`, by whatever path, or an address.
pub(super) fn is_server(entry: &Value) -> bool {
    let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
    let words = [text("command")].into_iter();
    let words: Vec<&str> = words.chain(strings(entry.get("args"))).collect();
    text("url").trim_end_matches('/').ends_with("/mcp") || calls(&words, "mcp")
}

fn strings(list: Option<&Value>) -> impl Iterator<Item = &str> {
    let list = list.and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str)
}

/// Whether one of the words is the program `sage`, and the next the subcommand.
fn calls(words: &[&str], subcommand: &str) -> bool {
    words.windows(2).any(|pair| match pair {
        [program, next] => {
            let program = program.trim_matches(['\'', '"']);
            let name = program.rsplit('/').next();
            name == Some("sage") && *next == subcommand
        }
        _ => false,
    })
}

impl Found {
    fn piece(&self) -> Piece {
        Piece {
            holder: self.holder.clone(),
            item: self.item.clone(),
        }
    }

    fn path(&self) -> Vec<Step<'_>> {
        let mut path = steps(&self.holder);
        if self.item.starts_with('"') {
            path.push(Step::Name(SERVER_NAME));
            return path;
        }
        path.push(Step::Index(self.index));
        if let Some(handler) = self.handler {
            path.extend([Step::Name("hooks"), Step::Index(handler)]);
        }
        path
    }
}

fn steps(names: &[String]) -> Vec<Step<'_>> {
    names.iter().map(|name| Step::Name(name)).collect()
}

/// Whether another member of the same name stands beside what a path of names leads to.
fn is_second(text: &str, path: &[Step<'_>]) -> Result<bool> {
    let root = parse(text)?;
    let Some((Step::Name(name), above)) = path.split_last() else {
        return Ok(false);
    };
    let members = find(&root, above).map_or(&[][..], Node::members).iter();
    Ok(members.filter(|member| member.name == *name).count() > 1)
}

/// Whether there is an object or list with nothing in it, comments included.
fn is_empty(text: &str, path: &[Step<'_>]) -> Result<bool> {
    let root = parse(text)?;
    Ok(find(&root, path).is_some_and(|node| {
        let inside = node.span.start + 1..node.span.end.saturating_sub(1);
        let inside = text.get(inside).unwrap_or("x");
        matches!(node.shape, Shape::Object(_) | Shape::Array(_)) && inside.trim().is_empty()
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn its_own_are_known_by_what_they_call() {
        for own in [
            json!({"command": "sage hook stop"}),
            json!({"command": "SAGE_SERVER=http://h:1 '/home/a b/sage' hook stop"}),
            json!({"command": "/opt/sage", "args": ["hook", "stop"]}),
            json!({"command": "docker exec -i sage /sage hook stop"}),
            json!({"url": "http://127.0.0.1:1/hooks/claude-code"}),
        ] {
            assert!(is_handler(&own), "{own}");
        }
        for other in [
            json!({"command": "sagemath hook stop"}),
            json!({"command": "echo sage; hook"}),
            json!({"url": "http://127.0.0.1:1/hooks"}),
            json!(7),
        ] {
            assert!(!is_handler(&other), "{other}");
        }
        assert!(is_server(&json!({"command": "/bin/sage", "args": ["mcp"]})));
        assert!(is_server(&json!({"type": "http", "url": "http://h:1/mcp"})));
        assert!(!is_server(
            &json!({"command": "sage", "args": ["notebook"]})
        ));
    }

    #[test]
    fn what_stands_in_the_way_is_named() {
        let piece = Piece {
            holder: vec!["hooks".to_owned(), "Stop".to_owned()],
            item: "{}".to_owned(),
        };
        for (text, expected) in [
            ("[]", "the file: expected an object"),
            (r#"{"hooks": null}"#, "hooks: expected an object"),
            (r#"{"hooks": {"Stop": {}}}"#, "hooks.Stop: expected a list"),
            (
                "{\"a\": 1\n,, }",
                "json: line 2, column 2: expected a name in quotes, or }",
            ),
        ] {
            let error = put(text, std::slice::from_ref(&piece)).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }
}
