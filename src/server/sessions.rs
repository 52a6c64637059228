//! Sessions of the legacy protocol: who shook hands, under which name.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::mcp::Caller;

/// Clients seldom say goodbye. A session costs about 500 bytes, 6 kB at most, and a client whose
/// session was dropped makes a new one by itself; only what it had switched to is lost.
const SESSIONS_MAX: usize = 1_000;

/// Longer than a working day with its breaks.
const IDLE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The table of sessions.
#[derive(Default)]
pub struct Sessions(Mutex<HashMap<String, Entry>>);

struct Entry {
    caller: Arc<Caller>,
    used: Instant,
    /// Whether anything came after the handshake.
    is_in_use: bool,
}

impl Sessions {
    /// Opens a session; the name has 122 random bits, so nobody guesses it. When the table is full,
    /// one that was never used goes, else the one that was not used for longest.
    pub fn open(&self, caller: Arc<Caller>) -> String {
        let id = Uuid::new_v4().to_string();
        let used = Instant::now();
        let mut table = self.table();
        table.retain(|_, entry| entry.used.elapsed() < IDLE_MAX);
        if table.len() >= SESSIONS_MAX {
            let oldest = table
                .iter()
                .min_by_key(|(_, entry)| (entry.is_in_use, entry.used));
            if let Some(id) = oldest.map(|(id, _)| id.clone()) {
                table.remove(&id);
            }
        }
        let entry = Entry {
            caller,
            used,
            is_in_use: false,
        };
        table.insert(id.clone(), entry);
        id
    }

    /// Who has this session; `None` for one that is unknown, ended or expired.
    pub fn find(&self, id: &str) -> Option<Arc<Caller>> {
        let mut table = self.table();
        let entry = table.get_mut(id)?;
        if entry.used.elapsed() >= IDLE_MAX {
            table.remove(id);
            return None;
        }
        entry.used = Instant::now();
        entry.is_in_use = true;
        Some(Arc::clone(&entry.caller))
    }

    /// Ends a session; says whether there was one.
    pub fn end(&self, id: &str) -> bool {
        self.table().remove(id).is_some()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.table().len()
    }

    fn table(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_stays_bounded_and_keeps_the_latest() {
        let sessions = Sessions::default();
        let open = || sessions.open(Arc::new(Caller::new(Default::default())));
        let first = open();
        let second = open();
        assert!(sessions.find(&first).is_some(), "now in use");
        for _ in 2..2 * SESSIONS_MAX {
            open();
        }
        assert_eq!(sessions.len(), SESSIONS_MAX);
        assert!(sessions.find(&first).is_some());
        assert!(sessions.find(&second).is_none());
        assert!(sessions.end(&first) && !sessions.end(&first));
    }
}
