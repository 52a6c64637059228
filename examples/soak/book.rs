//! What one person was told is kept. After every restart the store must hold exactly this.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{Hash, Hasher};

use serde_json::Value;

use crate::client::Trouble;

/// Something that was sent to be kept.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The first word of its text, in no other text.
    pub marker: String,
    /// Of the text as the store must give it back.
    pub digest: u64,
    /// The memory whose place it takes.
    pub replaces: Option<String>,
    pub key: Option<String>,
    /// Whether it names its event, whose name stays when the memory is forgotten.
    pub has_event: bool,
}

/// Something that is kept.
#[derive(Debug, Clone)]
struct Entry {
    draft: Draft,
    /// Ascending; what takes a place takes over its age too, so that chains of versions end.
    born: u64,
}

/// One project, in which one person writes.
#[derive(Default)]
pub struct Book {
    entries: BTreeMap<String, Entry>,
    keys: HashMap<String, String>,
    /// Sent, with no answer so far. It is there or not.
    unanswered: HashMap<String, Draft>,
    /// The same for what was to be forgotten.
    leaving: BTreeSet<String>,
    born: u64,
    /// Whether there ever was as much as is kept at the most.
    pub is_full: bool,
    /// How many memories with an event were forgotten.
    pub forgotten_events: u64,
}

impl Book {
    pub fn live(&self) -> usize {
        self.entries.len()
    }

    /// Notes that something is being sent.
    pub fn send(&mut self, draft: &Draft) {
        self.unanswered.insert(draft.marker.clone(), draft.clone());
    }

    /// Notes that it was acknowledged under this id.
    pub fn keep(&mut self, draft: Draft, id: &str) -> Result<(), Trouble> {
        if let Some(other) = self.entries.get(id) {
            let marker = &other.draft.marker;
            return Trouble::wrong(format!(
                "{id} was given twice: {} and {marker}",
                draft.marker
            ));
        }
        self.unanswered.remove(&draft.marker);
        self.enter(draft, id);
        Ok(())
    }

    fn enter(&mut self, draft: Draft, id: &str) {
        self.born += 1;
        let mut born = self.born;
        if let Some(key) = &draft.key {
            self.keys.insert(key.clone(), id.to_owned());
        }
        let former = draft.replaces.as_ref();
        if let Some(former) = former.and_then(|former| self.entries.remove(former)) {
            born = former.born;
        }
        self.entries.insert(id.to_owned(), Entry { draft, born });
    }

    /// Notes that these are being forgotten.
    pub fn leave(&mut self, ids: &[String]) {
        self.leaving.extend(ids.iter().cloned());
    }

    /// Notes that they are.
    pub fn left(&mut self, ids: &[String]) {
        for id in ids {
            self.leaving.remove(id);
            self.remove(id);
        }
    }

    fn remove(&mut self, id: &str) {
        if let Some(entry) = self.entries.remove(id) {
            self.forgotten_events += u64::from(entry.draft.has_event);
        }
        self.keys.retain(|_, holder| holder != id);
    }

    /// The id of the note with a key, if it is sure which that is; an error if it is not.
    pub fn holder(&self, key: &str) -> Result<Option<String>, ()> {
        let is_unsure = |draft: &Draft| draft.key.as_deref() == Some(key);
        if self.unanswered.values().any(is_unsure) {
            return Err(());
        }
        match self.keys.get(key) {
            Some(id) if self.is_unsure(id) => Err(()),
            holder => Ok(holder.cloned()),
        }
    }

    /// Whether something may have happened to it of which nobody was told.
    fn is_unsure(&self, id: &str) -> bool {
        let replaces = |draft: &Draft| draft.replaces.as_deref() == Some(id);
        self.leaving.contains(id) || self.unanswered.values().any(replaces)
    }

    /// Any id that is surely there, with its marker, digest and key.
    pub fn pick(&self, random: u64) -> Option<(String, Draft)> {
        let at = random as usize % self.entries.len().max(1);
        let mut sure = self.entries.iter().skip(at).chain(&self.entries);
        let (id, entry) = sure.find(|(id, _)| !self.is_unsure(id))?;
        Some((id.clone(), entry.draft.clone()))
    }

    /// Whether this is surely there.
    pub fn holds(&self, id: &str) -> bool {
        self.entries.contains_key(id) && !self.is_unsure(id)
    }

    /// The oldest ids beyond the newest `count`.
    pub fn oldest_beyond(&self, count: usize) -> Vec<String> {
        let mut sure: Vec<_> = self
            .entries
            .iter()
            .filter(|(id, _)| !self.is_unsure(id))
            .collect();
        sure.sort_unstable_by_key(|(_, entry)| entry.born);
        let surplus = self.entries.len().saturating_sub(count);
        let ids = sure.into_iter().take(surplus);
        ids.map(|(id, _)| id.clone()).collect()
    }

    /// Compares with everything that the store holds of this project, and settles what was open.
    /// Each problem is one line.
    pub fn compare(&mut self, stored: &[Value]) -> Vec<String> {
        let mut problems = Vec::new();
        let (mut ids, mut markers) = (HashSet::new(), HashSet::new());
        for memory in stored {
            let Some((id, content)) = id_and_content(memory) else {
                problems.push(format!("not a memory: {memory}"));
                continue;
            };
            let marker = marker_of(content);
            if !ids.insert(id) || !markers.insert(marker) {
                problems.push(format!("duplicated: {id} {marker}"));
            }
            match (self.entries.get(id), self.unanswered.get(marker)) {
                (Some(entry), _) if entry.draft.digest != digest(content) => {
                    problems.push(format!("other words than were kept: {id} {marker}"));
                }
                (Some(_), _) => {}
                // It was kept, although the answer never came.
                (None, Some(draft)) => self.enter(draft.clone(), id),
                (None, None) => problems.push(format!("nobody kept this: {id} {marker}")),
            }
        }
        let gone = self.entries.keys().filter(|id| !ids.contains(id.as_str()));
        for id in gone.cloned().collect::<Vec<_>>() {
            if !self.leaving.contains(&id) {
                problems.push(format!("LOST: {id} was acknowledged and is not there"));
            }
            self.remove(&id);
        }
        self.leaving.clear();
        // A late one may still come; then it is known. It no longer makes anything unsure.
        for draft in self.unanswered.values_mut() {
            draft.replaces = None;
            draft.key = None;
        }
        problems
    }
}

/// What a JSON memory says it is.
pub fn id_and_content(memory: &Value) -> Option<(&str, &str)> {
    let text = |name| memory.get(name).and_then(Value::as_str);
    Some((text("id")?, text("content")?))
}

/// The first word of a text.
pub fn marker_of(content: &str) -> &str {
    content.split_whitespace().next().unwrap_or_default()
}

/// Stands for a text.
pub fn digest(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.trim().hash(&mut hasher);
    hasher.finish()
}
