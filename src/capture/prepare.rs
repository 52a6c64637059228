//! From a capture to a memory that the store can keep. Pure, but for the name it draws.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use super::redact::{Redaction, redact, strip_private};
use super::{Capture, Refusal};
use crate::error::{Error, Result};
use crate::memory::{Content, Kind, MemoryId, Project, Timestamp};
use crate::models::{builtin, builtin_vector};
use crate::order::sort;
use crate::store::{NewMemory, NewPassage, OwnVector};
use crate::text::{Analyser, split_passages, strip_injected};

/// The most that one memory holds, in bytes: a hundred pages. Longer turns lose their middle,
/// longer notes are refused, since a note's author is there to shorten it.
pub const CONTENT_BYTES_MAX: usize = 256 * 1024;

/// The most tags, and bytes of a tag, a key, a session id or an event: names, not texts.
pub const TAGS_MAX: usize = 32;
/// See [`TAGS_MAX`].
pub const NAME_BYTES_MAX: usize = 512;
/// The most that a caller may attach as metadata, in bytes of JSON.
pub const METADATA_BYTES_MAX: usize = 16 * 1024;

/// A capture on its way to the store.
pub enum Prepared {
    /// To be kept.
    Ready {
        /// What the store gets.
        memory: Box<NewMemory>,
        /// How many secrets and private spans were taken out.
        redacted: u32,
    },
    /// Not to be kept.
    Refused(Refusal),
}

/// Validates, redacts, strips, admits and splits. An error means that the caller must change
/// something; a refusal means that there is nothing worth keeping.
pub fn prepare(
    capture: Capture,
    analyser: &Analyser,
    redact_secrets: bool,
    now: Timestamp,
) -> Result<Prepared> {
    if capture.content.text.trim().is_empty() {
        return Ok(Prepared::Refused(Refusal::Empty));
    }
    validate(&capture)?;
    let mut cleaner = Cleaner {
        redact_secrets,
        redacted: 0,
    };
    let content = cleaner.content(&capture.content);
    if content.text.is_empty() || is_only_marks(&content.text) {
        return Ok(Prepared::Refused(Refusal::NothingOfItsOwn));
    }
    if capture.kind == Kind::Turn && is_trivial(&content, analyser) {
        return Ok(Prepared::Refused(Refusal::Trivial));
    }
    let created_at = capture.created_at.unwrap_or(now);
    let content = fit(content, capture.kind)?;
    let metadata = match capture.metadata {
        Some(object) if !object.is_empty() => Some(cleaner.metadata(object)?),
        _ => None,
    };
    let event = capture
        .event
        .map(|event| event_key(capture.session.as_deref(), &capture.project, &event));
    let memory = NewMemory {
        id: MemoryId::generate(),
        project: capture.project,
        session: capture.session,
        directory: capture.directory,
        kind: capture.kind,
        content_hash: hash(&content.text),
        tags: normal_tags(capture.tags.iter().map(|tag| cleaner.text(tag))),
        key: capture.key.map(|key| cleaner.text(key.trim())),
        pinned: capture.pinned,
        source: Cow::Borrowed(capture.source),
        created_at,
        expires_at: capture.expires_at,
        metadata,
        event,
        replaces: capture.replaces,
        passages: passages_of(&content.text, created_at, analyser),
        content,
    };
    Ok(Prepared::Ready {
        memory: Box::new(memory),
        redacted: cleaner.redacted,
    })
}

/// A text without what nobody may keep, not even for a moment: secrets and private spans.
pub fn clean(text: &str, redact_secrets: bool) -> String {
    match redact_secrets {
        true => redact(text).text.into_owned(),
        false => strip_private(text).0.into_owned(),
    }
}

/// Makes what follows from a memory's words and date: for one that was kept before, elsewhere.
pub fn index(memory: &mut NewMemory, analyser: &Analyser) {
    memory.content_hash = hash(&memory.content.text);
    memory.passages = passages_of(&memory.content.text, memory.created_at, analyser);
}

/// Takes out what must not be kept, and counts it.
struct Cleaner {
    redact_secrets: bool,
    redacted: u32,
}

impl Cleaner {
    fn content(&mut self, content: &Content) -> Content {
        match content.reply() {
            None => Content::plain(self.text(content.prompt()).trim()),
            Some(reply) => Content::turn(&self.text(content.prompt()), &self.text(reply)),
        }
    }

    /// Injected text goes after redaction: a secret that spans the border of what was injected
    /// must be seen whole.
    fn text(&mut self, text: &str) -> String {
        let text = text.replace('\0', "");
        if self.redact_secrets {
            let Redaction {
                text,
                secrets,
                private_spans,
            } = redact(&text);
            self.redacted += secrets + private_spans;
            strip_injected(&text).into_owned()
        } else {
            let (text, private_spans) = strip_private(&text);
            self.redacted += private_spans;
            strip_injected(&text).into_owned()
        }
    }

    fn metadata(&mut self, object: serde_json::Map<String, serde_json::Value>) -> Result<String> {
        let text = serde_json::Value::Object(self.object(object)).to_string();
        if text.len() > METADATA_BYTES_MAX {
            return Err(Error::invalid(
                "metadata",
                format!(
                    "expected at most {METADATA_BYTES_MAX} bytes, got {}",
                    text.len()
                ),
            ));
        }
        Ok(text)
    }

    fn object(
        &mut self,
        object: serde_json::Map<String, serde_json::Value>,
    ) -> serde_json::Map<String, serde_json::Value> {
        object
            .into_iter()
            .map(|(name, value)| (self.text(&name), self.value(&name, value)))
            .collect()
    }

    /// A string is looked at together with its name: `"password": "hunter2"` is a secret,
    /// `"hunter2"` alone is not.
    fn value(&mut self, name: &str, value: serde_json::Value) -> serde_json::Value {
        use serde_json::Value;
        match value {
            Value::String(text) => {
                let named = format!("{name}={text}");
                let clean = self.text(&named);
                let prefix = format!("{name}=");
                Value::String(match clean.strip_prefix(&prefix) {
                    Some(kept) => kept.to_owned(),
                    None => clean,
                })
            }
            Value::Array(items) => Value::Array(
                items
                    .into_iter()
                    .map(|item| self.value(name, item))
                    .collect(),
            ),
            Value::Object(inner) => Value::Object(self.object(inner)),
            other => other,
        }
    }
}

fn validate(capture: &Capture) -> Result<()> {
    let unfit = |field: &str, text: &str| {
        // From the others it is taken out.
        if text.contains('\0') && !matches!(field, "key" | "tags") {
            return Some(Error::invalid(field, "a NUL character cannot be kept"));
        }
        (text.len() > NAME_BYTES_MAX).then(|| {
            Error::invalid(
                field,
                format!(
                    "expected at most {NAME_BYTES_MAX} bytes, got {}",
                    text.len()
                ),
            )
        })
    };
    if capture.tags.len() > TAGS_MAX {
        return Err(Error::invalid(
            "tags",
            format!(
                "expected at most {TAGS_MAX} tags, got {}",
                capture.tags.len()
            ),
        ));
    }
    if capture
        .key
        .as_deref()
        .is_some_and(|key| key.trim().is_empty())
    {
        return Err(Error::invalid("key", "expected a name, got nothing"));
    }
    let names = [
        ("key", &capture.key),
        ("session", &capture.session),
        ("event", &capture.event),
    ];
    let names = names
        .into_iter()
        .filter_map(|(field, name)| Some((field, name.as_deref()?)));
    let tags = capture.tags.iter().map(|tag| ("tags", tag.as_str()));
    let project = [("project", capture.project.key.as_str())];
    match names
        .chain(tags)
        .chain(project)
        .find_map(|(field, text)| unfit(field, text))
    {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// Whether redaction left nothing but its own marks.
pub fn is_only_marks(text: &str) -> bool {
    let mut rest = text.trim_start();
    while let Some((mark, after)) = rest.split_once(']') {
        if mark != "[private" && !mark.starts_with("[redacted:") {
            return false;
        }
        rest = after.trim_start();
    }
    rest.is_empty()
}

/// A turn without a reply whose prompt has no word that anybody could look for.
fn is_trivial(content: &Content, analyser: &Analyser) -> bool {
    let mut says_something = false;
    analyser.terms(content.prompt(), |term| {
        says_something |= !ASSENT.contains(&term)
    });
    content.reply().is_none() && !says_something
}

/// What people type to keep a conversation going, as terms.
const ASSENT: [&str; 22] = [
    "ok", "okay", "yes", "yep", "y", "n", "sure", "continu", "go", "pleas", "thank", "thx",
    "great", "good", "nice", "next", "好", "好的", "继", "继续", "续", "谢谢",
];

/// Room for the two notices that something was left out, and for the blank line between.
const CUT_BYTES: usize = 128;

/// Cuts the middle out of a turn that is too long: its beginning says what was wanted, its end
/// what came of it.
fn fit(content: Content, kind: Kind) -> Result<Content> {
    let bytes = content.text.len();
    if bytes <= CONTENT_BYTES_MAX {
        return Ok(content);
    }
    if kind != Kind::Turn {
        return Err(Error::invalid(
            "content",
            format!("expected at most {CONTENT_BYTES_MAX} bytes, got {bytes}; keep the gist of it"),
        ));
    }
    let (prompt, reply) = (content.prompt(), content.reply().unwrap_or_default());
    let room = CONTENT_BYTES_MAX - CUT_BYTES;
    // Each has half, and what the other leaves of its half.
    let prompt_bytes = (room / 2).max(room.saturating_sub(reply.len()));
    let reply_bytes = (room / 2).max(room.saturating_sub(prompt.len()));
    Ok(Content::turn(
        &cut_middle(prompt, prompt_bytes),
        &cut_middle(reply, reply_bytes),
    ))
}

fn cut_middle(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let head_end = text.floor_char_boundary(bytes_max / 2);
    let tail_start = text.ceil_char_boundary(text.len() - bytes_max / 2);
    let head = text.get(..head_end).unwrap_or_default();
    let tail = text.get(tail_start..).unwrap_or_default();
    format!(
        "{head}\n[… {} bytes left out …]\n{tail}",
        tail_start - head_end
    )
}

/// The idempotency key: the session and what makes the event unique in it. Without a session it is
/// unique in its project.
pub fn event_key(session: Option<&str>, project: &Project, event: &str) -> String {
    // With its length, or session "a" with event "b/c" would be session "a/b" with event "c".
    match session {
        Some(session) => format!("{}:{session}/{event}", session.len()),
        None => format!("project {}:{}/{event}", project.key.len(), project.key),
    }
}

fn hash(text: &str) -> [u8; 16] {
    let digest = Sha256::digest(text.as_bytes());
    let mut hash = [0; 16];
    hash.iter_mut()
        .zip(digest)
        .for_each(|(to, from)| *to = from);
    hash
}

/// Tags are compared, so they get one spelling: lower case, no blanks, no `#`, sorted.
pub fn normal_tags(tags: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut tags: Vec<String> = tags
        .into_iter()
        .map(|tag| {
            let words = tag.trim_start().trim_start_matches('#');
            let words: Vec<&str> = words.split_whitespace().collect();
            words.join("-").to_lowercase()
        })
        .filter(|tag| !tag.is_empty())
        .collect();
    sort(&mut tags);
    tags.dedup();
    tags
}

/// What the built-in model makes of a passage.
fn own_vector(text: &str) -> Option<OwnVector> {
    let (model, _) = builtin()?;
    let numbers = builtin_vector(text)?;
    Some(OwnVector { model, numbers })
}

/// Each passage with its terms and those of the date, as a person would write it: people ask for
/// "the decision of 8 May". Worth 2 points of recall at 10 on dated conversations.
pub fn passages_of(text: &str, created_at: Timestamp, analyser: &Analyser) -> Vec<NewPassage> {
    let date = created_at.strftime("%-d %B %Y").to_string();
    let count = |part: &str| {
        let mut terms = std::collections::HashMap::<String, u32>::new();
        let mut length = 0;
        for text in [date.as_str(), part] {
            analyser.terms(text, |term| {
                length += 1;
                match terms.get_mut(term) {
                    Some(count) => *count += 1,
                    None => {
                        terms.insert(term.to_owned(), 1);
                    }
                }
            });
        }
        let mut terms: Vec<_> = terms.into_iter().collect();
        sort(&mut terms);
        (length, terms)
    };
    split_passages(text)
        .into_iter()
        .map(|range| {
            let part = text.get(range.clone()).unwrap_or_default();
            let (length, terms) = count(part);
            NewPassage {
                range,
                length,
                terms,
                vector: own_vector(part),
            }
        })
        .collect()
}
