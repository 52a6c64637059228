//! Arguments from query strings and bodies, as one JSON object each.

use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::mcp::arguments::{self, Field, Shape};

/// The parameters of a query. Lists are written by repeating a parameter; anything else given twice
/// is a mistake.
pub(super) fn of_query(fields: &[Field], query: Option<&str>) -> Result<Value> {
    let mut values: Map<String, Value> = Map::new();
    for (name, word) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        let shape = arguments::find(fields, &name);
        let is_list = shape.is_some_and(|field| is_list(field.shape));
        match (values.get_mut(name.as_ref()), is_list) {
            (Some(Value::Array(list)), true) => list.push(Value::from(word)),
            (None, true) => {
                let list = Value::Array(vec![Value::from(word)]);
                values.insert(name.into_owned(), list);
            }
            (None, false) => {
                let value = value_of(shape.map(|field| field.shape), &word);
                values.insert(name.into_owned(), value);
            }
            (Some(_), _) => {
                return Err(Error::invalid(name, "given more than once"));
            }
        }
    }
    Ok(Value::Object(values))
}

/// The object in a body. Parameters in the query as well would be overlooked, so they are refused.
pub(super) fn of_body(query: Option<&str>, body: &[u8]) -> Result<Value> {
    if query.is_some_and(|query| !query.is_empty()) {
        return Err(Error::invalid(
            "query",
            "this path takes its arguments in the body",
        ));
    }
    match serde_json::from_slice(body) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(Error::invalid("body", "expected a JSON object")),
        Err(error) => Err(Error::invalid(
            "body",
            format!("not readable as JSON: {error}"),
        )),
    }
}

fn is_list(shape: Shape) -> bool {
    matches!(shape, Shape::Texts | Shape::SomeOf(_))
}

/// A word as the value that is meant. What does not fit stays a text, and is refused as one.
fn value_of(shape: Option<Shape>, word: &str) -> Value {
    match shape {
        Some(Shape::Whole(..)) if !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit()) => {
            word.parse::<u64>().map_or(Value::from(word), Value::from)
        }
        Some(Shape::Flag) if word == "true" || word == "false" => Value::from(word == "true"),
        _ => Value::from(word),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::mcp::arguments::optional;
    use serde_json::json;

    #[test]
    fn a_query_becomes_an_object() {
        let fields = [
            optional("limit", Shape::Whole(1, 9), ""),
            optional("tags", Shape::Texts, ""),
            optional("pinned", Shape::Flag, ""),
            optional("query", Shape::Text, ""),
        ];
        let read = |query| of_query(&fields, Some(query));
        assert_eq!(
            read("query=a+b%26%E4%BD%A0&limit=5&tags=x&tags=y&pinned=true").unwrap(),
            json!({"query": "a b&\u{4f60}", "limit": 5, "tags": ["x", "y"], "pinned": true})
        );
        assert_eq!(read("limit=-5").unwrap(), json!({"limit": "-5"}));
        assert_eq!(read("other=1").unwrap(), json!({"other": "1"}));
        assert!(read("limit=1&limit=2").is_err());
        assert_eq!(of_query(&fields, None).unwrap(), json!({}));
    }
}
