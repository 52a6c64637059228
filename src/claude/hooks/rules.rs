//! What a project allows: the file `.sage.toml` in its folder.
//!
//! Three lines at most, so it is read here and not by a library: `capture = false`,
//! `inject = false`, `never = ["*.pem", "secrets/"]`.

use std::fs;
use std::path::Path;

/// The file's name.
const FILE: &str = ".sage.toml";

/// The longest such file, in bytes; it travels with events.
const BYTES_MAX: u64 = 4_096;

/// What is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rules {
    pub capture: bool,
    pub inject: bool,
    never: Vec<String>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            capture: true,
            inject: true,
            never: Vec::new(),
        }
    }
}

/// What cannot be understood may have been meant to forbid, so it forbids everything.
pub(super) const NOTHING_ALLOWED: Rules = Rules {
    capture: false,
    inject: false,
    never: Vec::new(),
};

/// The text of the file that holds for a directory: its own, else that of the nearest parent.
pub fn rules_at(dir: &Path) -> Option<String> {
    let path = dir.ancestors().map(|folder| folder.join(FILE));
    let path = path.into_iter().find(|path| path.is_file())?;
    let short = path.metadata().is_ok_and(|file| file.len() <= BYTES_MAX);
    let text = if short {
        fs::read_to_string(path).ok()
    } else {
        None
    };
    // A file that cannot be read is one that cannot be understood.
    Some(text.unwrap_or_else(|| "unreadable".to_owned()))
}

impl Rules {
    pub fn parse(text: &str) -> Self {
        let mut rules = Self::default();
        // Lists may go over several lines; everything else is one line.
        let joined = join_lists(text);
        for line in joined
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
        {
            let Some((name, value)) = line.split_once('=') else {
                return NOTHING_ALLOWED;
            };
            let understood = match (name.trim(), value.trim()) {
                ("capture", value) => value.parse().map(|is_on| rules.capture = is_on).is_ok(),
                ("inject", value) => value.parse().map(|is_on| rules.inject = is_on).is_ok(),
                ("never", value) => serde_json::from_str(value)
                    .map(|never| rules.never = never)
                    .is_ok(),
                _ => false,
            };
            if !understood {
                return NOTHING_ALLOWED;
            }
        }
        rules
    }

    /// Whether a text holds something that is never captured.
    pub fn forbid(&self, text: &str) -> bool {
        if self.never.is_empty() {
            return false;
        }
        let text = text.to_lowercase();
        let never = self.never.iter().map(|pattern| pattern.to_lowercase());
        never.into_iter().any(|pattern| {
            let parts: Vec<&str> = pattern.split('*').filter(|part| !part.is_empty()).collect();
            !parts.is_empty() && text.lines().any(|line| holds_in_order(line, &parts))
        })
    }
}

/// Whether a line holds all parts, one behind the other.
fn holds_in_order(line: &str, parts: &[&str]) -> bool {
    let mut rest = line;
    parts.iter().all(|part| match rest.split_once(part) {
        Some((_, after)) => {
            rest = after;
            true
        }
        None => false,
    })
}

/// Takes comments out, line breaks out of lists, and the comma that TOML allows before `]`.
fn join_lists(text: &str) -> String {
    let (mut joined, mut in_list, mut in_text) = (String::new(), false, false);
    for line in text.lines() {
        for c in line.chars() {
            match c {
                '#' if !in_text => break,
                '"' => in_text = !in_text,
                '[' if !in_text => in_list = true,
                ']' if !in_text => {
                    in_list = false;
                    let kept = joined.trim_end().trim_end_matches(',').len();
                    joined.truncate(kept);
                }
                _ => {}
            }
            joined.push(c);
        }
        joined.push(if in_list { ' ' } else { '\n' });
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_says_what_it_allows() {
        assert_eq!(Rules::parse(""), Rules::default());
        let off = Rules::parse("# not here\ncapture = false # really\n");
        assert!(!off.capture && off.inject);
        let rules =
            Rules::parse("inject=false\nnever = [\n  \"*.PEM\", # keys\n  \"secrets/\",\n]\n");
        assert!(rules.capture && !rules.inject);
        assert!(rules.forbid("see\nkeys/server.pem now") && rules.forbid("cat Secrets/a"));
        assert!(!rules.forbid("a pem\nof .pe\nm"));
        assert!(Rules::parse("never = [\"id_*.key\"]").forbid("id_rsa.key"));
    }

    #[test]
    fn what_is_not_understood_forbids() {
        for text in [
            "capture = off",
            "captur = false",
            "nonsense",
            "never = \"x\"",
            "never = [1]",
        ] {
            assert_eq!(Rules::parse(text), NOTHING_ALLOWED, "{text}");
        }
    }
}
