//! One line of a transcript: the parts that a turn can need, read from JSON of any shape.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A string of a line. Absent when the field is missing, empty, or not a string.
pub(super) type Text<'a> = Option<Cow<'a, str>>;

/// The fields of a line that decide about turns. All the others (tool results, hook output,
/// usage figures) are passed over without being built.
#[derive(Default)]
pub(super) struct Line<'a> {
    pub kind: Text<'a>,
    pub session_id: Text<'a>,
    pub prompt_id: Text<'a>,
    pub uuid: Text<'a>,
    pub cwd: Text<'a>,
    pub git_branch: Text<'a>,
    pub timestamp: Text<'a>,
    pub prompt_source: Text<'a>,
    pub turn_origin: Text<'a>,
    pub is_meta: bool,
    pub is_sidechain: bool,
    pub is_compact_summary: bool,
    pub is_visible_in_transcript_only: bool,
    pub is_api_error_message: bool,
    pub message: Message<'a>,
}

/// The API message inside a `user` or `assistant` line.
#[derive(Default)]
pub(super) struct Message<'a> {
    pub id: Text<'a>,
    pub model: Text<'a>,
    pub content: Content<'a>,
}

/// What a message carries, whether it was written as one string or as a list of blocks.
#[derive(Default)]
pub(super) struct Content<'a> {
    /// The text, one entry a block, in order, none of them empty.
    pub texts: Vec<Cow<'a, str>>,
    pub has_tool_result: bool,
    /// Something to look at: an image or a document.
    pub has_media: bool,
}

/// One entry of a list of blocks.
#[derive(Default)]
struct Block<'a> {
    kind: Text<'a>,
    text: Text<'a>,
}

/// Reads the one JSON value in `json`. A field that is not of the expected JSON type reads as
/// absent, and of a key that occurs twice the last value counts, as it does for JavaScript.
///
/// # Errors
/// When `json` is not one JSON value, or holds an escape for half a character in a field that is
/// needed (see [`replace_lone_surrogates`]).
pub(super) fn parse(json: &str) -> Result<Line<'_>, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let line = Any::<Line>::new().deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(line)
}

/// The JSON text with every escape of half a UTF-16 pair replaced by the replacement character,
/// or `None` where there is none. JavaScript writes such escapes when it cuts a string in the
/// middle of an emoji; they are valid JSON, but no Unicode text.
pub(super) fn replace_lone_surrogates(json: &str) -> Option<String> {
    const REPLACEMENT: &str = "\\ufffd";
    let mut repaired = String::with_capacity(json.len());
    let mut rest = json;
    let mut found = false;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at_checked(at)?;
        repaired.push_str(before);
        let (taken, lone) = match surrogate(escape) {
            None => (escape.chars().take(2).map(char::len_utf8).sum(), false),
            Some(0xD800..=0xDBFF) if is_low_surrogate(escape.get(6..)) => (12, false),
            Some(_) => (6, true),
        };
        let (escape, after) = escape.split_at_checked(taken)?;
        repaired.push_str(if lone { REPLACEMENT } else { escape });
        found |= lone;
        rest = after;
    }
    repaired.push_str(rest);
    found.then_some(repaired)
}

/// The code unit of a `\uXXXX` escape at the start of `escape`, if it is half of a pair.
fn surrogate(escape: &str) -> Option<u16> {
    let digits = escape.strip_prefix("\\u")?.get(..4)?;
    let unit = u16::from_str_radix(digits, 16).ok()?;
    (0xD800..=0xDFFF).contains(&unit).then_some(unit)
}

fn is_low_surrogate(escape: Option<&str>) -> bool {
    matches!(escape.and_then(surrogate), Some(0xDC00..=0xDFFF))
}

/// A value that can be made of any JSON: what it does not expect gives the default.
trait Lenient<'de>: Default {
    fn from_text(_text: Cow<'de, str>) -> Self {
        Self::default()
    }

    fn from_flag(_flag: bool) -> Self {
        Self::default()
    }

    fn from_list<A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }

    fn from_object<A: MapAccess<'de>>(mut object: A) -> Result<Self, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }
}

impl<'de> Lenient<'de> for Text<'de> {
    fn from_text(text: Cow<'de, str>) -> Self {
        (!text.is_empty()).then_some(text)
    }
}

impl Lenient<'_> for bool {
    fn from_flag(flag: bool) -> Self {
        flag
    }
}

impl<'de> Lenient<'de> for Line<'de> {
    fn from_object<A: MapAccess<'de>>(mut object: A) -> Result<Self, A::Error> {
        let mut line = Self::default();
        while let Some(key) = next_key(&mut object)? {
            match key.as_ref() {
                "type" => line.kind = value(&mut object)?,
                "sessionId" => line.session_id = value(&mut object)?,
                "promptId" => line.prompt_id = value(&mut object)?,
                "uuid" => line.uuid = value(&mut object)?,
                "cwd" => line.cwd = value(&mut object)?,
                "gitBranch" => line.git_branch = value(&mut object)?,
                "timestamp" => line.timestamp = value(&mut object)?,
                "promptSource" => line.prompt_source = value(&mut object)?,
                "turnOrigin" => line.turn_origin = value(&mut object)?,
                "isMeta" => line.is_meta = value(&mut object)?,
                "isSidechain" => line.is_sidechain = value(&mut object)?,
                "isCompactSummary" => line.is_compact_summary = value(&mut object)?,
                "isVisibleInTranscriptOnly" => {
                    line.is_visible_in_transcript_only = value(&mut object)?;
                }
                "isApiErrorMessage" => line.is_api_error_message = value(&mut object)?,
                "message" => line.message = value(&mut object)?,
                _ => ignore_value(&mut object)?,
            }
        }
        Ok(line)
    }
}

impl<'de> Lenient<'de> for Message<'de> {
    fn from_object<A: MapAccess<'de>>(mut object: A) -> Result<Self, A::Error> {
        let mut message = Self::default();
        while let Some(key) = next_key(&mut object)? {
            match key.as_ref() {
                "id" => message.id = value(&mut object)?,
                "model" => message.model = value(&mut object)?,
                "content" => message.content = value(&mut object)?,
                _ => ignore_value(&mut object)?,
            }
        }
        Ok(message)
    }
}

impl<'de> Lenient<'de> for Content<'de> {
    fn from_text(text: Cow<'de, str>) -> Self {
        Self {
            texts: Text::from_text(text).into_iter().collect(),
            ..Self::default()
        }
    }

    fn from_list<A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        let mut content = Self::default();
        while let Some(block) = list.next_element_seed(Any::<Block>::new())? {
            match block.kind.as_deref() {
                Some("text") => content.texts.extend(block.text),
                Some("tool_result") => content.has_tool_result = true,
                Some("image" | "document") => content.has_media = true,
                _ => {}
            }
        }
        Ok(content)
    }
}

impl<'de> Lenient<'de> for Block<'de> {
    fn from_object<A: MapAccess<'de>>(mut object: A) -> Result<Self, A::Error> {
        let mut block = Self::default();
        while let Some(key) = next_key(&mut object)? {
            match key.as_ref() {
                "type" => block.kind = value(&mut object)?,
                "text" => block.text = value(&mut object)?,
                _ => ignore_value(&mut object)?,
            }
        }
        Ok(block)
    }
}

/// The next key of an object. The empty key stands for itself: no field has that name.
fn next_key<'de, A: MapAccess<'de>>(object: &mut A) -> Result<Option<Cow<'de, str>>, A::Error> {
    let key = object.next_key_seed(Any::<Text>::new())?;
    Ok(key.map(Option::unwrap_or_default))
}

fn value<'de, A: MapAccess<'de>, T: Lenient<'de>>(object: &mut A) -> Result<T, A::Error> {
    object.next_value_seed(Any::new())
}

fn ignore_value<'de, A: MapAccess<'de>>(object: &mut A) -> Result<(), A::Error> {
    object.next_value::<IgnoredAny>().map(|IgnoredAny| ())
}

/// Hands each kind of JSON value to the method of `T` that takes it.
struct Any<T>(PhantomData<T>);

impl<T> Any<T> {
    fn new() -> Self {
        Self(PhantomData)
    }
}

impl<'de, T: Lenient<'de>> DeserializeSeed<'de> for Any<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Lenient<'de>> Visitor<'de> for Any<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON value")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<T, E> {
        Ok(T::from_text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        Ok(T::from_text(Cow::Owned(text.to_owned())))
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<T, E> {
        Ok(T::from_flag(flag))
    }

    fn visit_unit<E: Error>(self) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_i64<E: Error>(self, _number: i64) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_u64<E: Error>(self, _number: u64) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_f64<E: Error>(self, _number: f64) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<T, A::Error> {
        T::from_list(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<T, A::Error> {
        T::from_object(object)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_field_of_an_unexpected_type_reads_as_absent_and_loses_nothing_else() {
        for odd in [
            "null",
            "true",
            "-7",
            "18446744073709551615",
            "1.5e9",
            "[1,[2]]",
            "{\"a\":{\"b\":[]}}",
            "\"\"",
        ] {
            let json = format!(
                "{{\"uuid\":{odd},\"cwd\":{odd},\"timestamp\":{odd},\"new\":{odd},\
                 \"type\":\"user\",\"message\":{{\"id\":{odd},\"usage\":{odd},\
                 \"content\":[{odd},{{\"type\":{odd},\"text\":\"no\"}},\
                 {{\"type\":\"text\",\"text\":{odd}}},{{\"text\":\"yes\",\"type\":\"text\"}}]}}}}"
            );
            let line = parse(&json).unwrap();
            assert_eq!(line.kind.as_deref(), Some("user"), "{odd}");
            assert_eq!(line.uuid, None, "{odd}");
            assert_eq!(line.message.id, None, "{odd}");
            assert_eq!(line.message.content.texts, ["yes"], "{odd}");
        }
        for odd in ["null", "7", "\"yes\"", "[true]", "{}"] {
            let json = format!("{{\"isMeta\":{odd},\"message\":{odd},\"type\":\"user\"}}");
            let line = parse(&json).unwrap();
            assert!(!line.is_meta, "{odd}");
            assert_eq!(line.kind.as_deref(), Some("user"), "{odd}");
        }
    }

    #[test]
    fn keys_may_be_escaped_or_repeated_or_empty() {
        let line = parse(r#"{"":1,"\u0074ype":"user","uuid":"a","uuid":"b"}"#).unwrap();
        assert_eq!(line.kind.as_deref(), Some("user"));
        assert_eq!(line.uuid.as_deref(), Some("b"));
    }

    #[test]
    fn deep_nesting_in_an_ignored_field_is_passed_over() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let json = format!("{{\"toolUseResult\":{deep},\"type\":\"assistant\"}}");
        assert_eq!(parse(&json).unwrap().kind.as_deref(), Some("assistant"));
    }

    #[test]
    fn what_is_not_one_json_value_is_an_error() {
        for broken in [
            "",
            "{",
            "{\"type\":\"user\"",
            "{} {}",
            "{\"a\":\u{0}}",
            "nul",
        ] {
            assert!(parse(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn lone_surrogate_escapes_are_replaced_and_pairs_stay() {
        let whole = r#"{"a":"\ud83d\ude00 \\ud83d \n"}"#;
        assert_eq!(replace_lone_surrogates(whole), None);
        for (broken, repaired) in [
            (r"x\ud83d", r"x\ufffd"),
            (r"\uDE00y", r"\ufffdy"),
            (r"\ud83d\ud83d\ude00", r"\ufffd\ud83d\ude00"),
            (r"\ud83d\n\\\udc00", r"\ufffd\n\\\ufffd"),
            ("\\ud83d\\\u{4f60}\\", "\\ufffd\\\u{4f60}\\"),
        ] {
            assert_eq!(replace_lone_surrogates(broken).as_deref(), Some(repaired));
        }
    }
}
