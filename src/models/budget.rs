//! What was spent of a day's tokens, by all processes that share a data folder.
//!
//! A file a service, a line in it: the day (UTC) and the tokens. Each look and each change holds the
//! file's lock, which the system gives back when a process ends.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The bytes of a line: written at once and never longer or shorter, so that a process that is killed
/// leaves the old one or the new one.
const LINE_BYTES: usize = "2026-11-27 18446744073709551615\n".len();

/// A day's tokens, counted in a file.
pub(super) struct Budget {
    path: PathBuf,
    /// How many tokens a day may cost, if that matters.
    pub daily_tokens: Option<u64>,
}

impl Budget {
    pub fn new(path: &Path, daily_tokens: Option<u64>) -> Self {
        let path = path.to_owned();
        Self { path, daily_tokens }
    }

    /// Takes so many of today's tokens, unless fewer are left, and returns what is spent with them.
    pub fn take(&self, tokens: u64) -> io::Result<Option<u64>> {
        self.change(|spent| {
            let spent = spent.saturating_add(tokens);
            self.daily_tokens
                .is_none_or(|limit| spent <= limit)
                .then_some(spent)
        })
    }

    /// Puts right what was taken for a request that came to so many tokens; returns what is spent.
    pub fn settle(&self, taken: u64, tokens: u64) -> io::Result<Option<u64>> {
        self.change(|spent| Some(spent.saturating_sub(taken).saturating_add(tokens)))
    }

    fn change(&self, change: impl FnOnce(u64) -> Option<u64>) -> io::Result<Option<u64>> {
        let file = match open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let folder = self.path.parent().unwrap_or(Path::new(""));
                DirBuilder::new()
                    .recursive(true)
                    .mode(0o700)
                    .create(folder)?;
                open(&self.path)?
            }
            opened => opened?,
        };
        file.lock()?;
        let today = jiff::Timestamp::now().strftime("%F").to_string();
        let spent = read(&file, &today)?;
        let changed = change(spent);
        if let Some(spent) = changed {
            let line = format!(
                "{today} {spent:0width$}\n",
                width = LINE_BYTES - today.len() - 2
            );
            file.write_all_at(line.as_bytes(), 0)?;
        }
        Ok(changed)
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

/// What a file says of this day: nothing was spent where it speaks of another, or of none.
fn read(mut file: &File, today: &str) -> io::Result<u64> {
    let mut line = Vec::new();
    file.by_ref()
        .take(LINE_BYTES as u64)
        .read_to_end(&mut line)?;
    let line = String::from_utf8_lossy(&line);
    let spent = line.strip_prefix(today).map(str::trim);
    Ok(spent
        .and_then(|spent| spent.parse().ok())
        .unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_one_budget_whoever_spends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("embed.spent");
        let budget = || Budget::new(&path, Some(100));
        let (one, other) = (budget(), budget());
        assert_eq!(one.take(60).unwrap(), Some(60));
        assert_eq!(other.take(41).unwrap(), None);
        assert_eq!(other.take(40).unwrap(), Some(100));
        assert_eq!(one.settle(60, 12).unwrap(), Some(52));
        assert_eq!(other.settle(40, 0).unwrap(), Some(12));

        std::fs::write(&path, "2020-01-01 00000000000000000090\n").unwrap();
        assert_eq!(one.take(100).unwrap(), Some(100), "another day");
        std::fs::write(&path, "nonsense").unwrap();
        assert_eq!(one.take(1).unwrap(), Some(1));
        assert_eq!(std::fs::read(&path).unwrap().len(), LINE_BYTES);
        assert_eq!(Budget::new(&path, None).take(100).unwrap(), Some(101));
        let deeper = Budget::new(&folder.path().join("a/b"), Some(1));
        assert_eq!(deeper.take(1).unwrap(), Some(1));
        let nowhere = Budget::new(&path.join("a"), Some(1));
        assert!(nowhere.take(1).is_err());
    }
}
