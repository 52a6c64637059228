//! A git repository's `config` file, as far as a project's identity needs it.
//!
//! The format is described in git-config(1), section "Syntax". `include`, `includeIf` and
//! `insteadOf` are not followed: they depend on the user and not on the repository.

use std::iter::Peekable;
use std::str::Chars;

/// What a config file says about where its repository belongs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct GitConfig {
    /// The remotes that have an address, in the order of the file.
    pub remotes: Vec<Remote>,
    /// `core.worktree`: the work tree, absolute or relative to the repository's folder. Git sets
    /// it for submodules.
    pub worktree: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Remote {
    pub name: String,
    /// The first one, which is what git fetches from.
    pub url: String,
}

impl GitConfig {
    /// Reads what can be read: lines that git would refuse are passed over.
    pub(super) fn parse(text: &str) -> Self {
        let mut config = Self::default();
        let mut section = Section::default();
        let mut scanner = Scanner {
            chars: text.trim_start_matches('\u{feff}').chars().peekable(),
        };
        while let Some(next) = scanner.peek() {
            if next.is_whitespace() {
                scanner.chars.next();
            } else if next == '[' {
                section = scanner.section();
            } else if next.is_ascii_alphabetic() {
                if let Some((key, value)) = scanner.entry() {
                    config.set(&section, &key, value);
                }
            } else {
                scanner.skip_line();
            }
        }
        config
    }

    /// `origin`, else the first.
    pub(super) fn remote(&self) -> Option<&Remote> {
        let origin = self.remotes.iter().find(|remote| remote.name == "origin");
        origin.or(self.remotes.first())
    }

    fn set(&mut self, section: &Section, key: &str, value: String) {
        match (section.name.as_str(), section.subsection.as_deref(), key) {
            ("core", None, "worktree") => self.worktree = Some(value),
            ("remote", Some(name), "url")
                if !value.is_empty() && !self.remotes.iter().any(|known| known.name == name) =>
            {
                self.remotes.push(Remote {
                    name: name.to_owned(),
                    url: value,
                });
            }
            _ => {}
        }
    }
}

/// `[name "subsection"]`. The name is in lower case; the subsection is as it was written.
#[derive(Default)]
struct Section {
    name: String,
    subsection: Option<String>,
}

struct Scanner<'a> {
    chars: Peekable<Chars<'a>>,
}

impl Scanner<'_> {
    fn peek(&mut self) -> Option<char> {
        self.chars.peek().copied()
    }

    fn skip_line(&mut self) {
        self.chars.by_ref().find(|c| *c == '\n');
    }

    fn skip_blanks(&mut self) {
        while self.chars.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
    }

    fn word(&mut self, belongs: fn(char) -> bool) -> String {
        let mut word = String::new();
        while let Some(c) = self.chars.next_if(|c| belongs(*c)) {
            word.push(c.to_ascii_lowercase());
        }
        word
    }

    /// Reads a header, up to and with its bracket. A broken one gives a section without a name,
    /// whose entries count for nothing.
    fn section(&mut self) -> Section {
        self.chars.next_if_eq(&'[');
        let name = self.word(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'));
        self.skip_blanks();
        let subsection = match self.chars.next_if_eq(&'"') {
            Some(_) => self.subsection(),
            None => None,
        };
        if self.chars.next_if_eq(&']').is_none() {
            self.skip_line();
            return Section::default();
        }
        match name.split_once('.') {
            // The old way of writing a subsection.
            Some((name, rest)) if subsection.is_none() => Section {
                name: name.to_owned(),
                subsection: Some(rest.to_owned()),
            },
            _ => Section { name, subsection },
        }
    }

    fn subsection(&mut self) -> Option<String> {
        let mut name = String::new();
        loop {
            match self.chars.next_if(|c| *c != '\n')? {
                '"' => return Some(name),
                '\\' => name.push(self.chars.next_if(|c| *c != '\n')?),
                c => name.push(c),
            }
        }
    }

    /// Reads `key = value` to the end of its line. A key alone, which means "true", is no entry.
    fn entry(&mut self) -> Option<(String, String)> {
        let key = self.word(|c| c.is_ascii_alphanumeric() || c == '-');
        self.skip_blanks();
        if self.chars.next_if_eq(&'=').is_none() {
            self.skip_line();
            return None;
        }
        self.skip_blanks();
        Some((key, self.value()))
    }

    fn value(&mut self) -> String {
        let mut value = String::new();
        // Blanks count only when more of the value follows them.
        let mut blanks = String::new();
        let mut quoted = false;
        while let Some(c) = self.chars.next() {
            let c = match c {
                '\n' => break,
                '"' => {
                    quoted = !quoted;
                    continue;
                }
                '#' | ';' if !quoted => {
                    self.skip_line();
                    break;
                }
                '\\' => match self.escaped() {
                    Some(c) => c,
                    None => continue,
                },
                c if c.is_whitespace() && !quoted => {
                    blanks.push(c);
                    continue;
                }
                c => c,
            };
            value.push_str(&blanks);
            blanks.clear();
            value.push(c);
        }
        value
    }

    /// The character behind a backslash; none for the end of a line, which joins it to the next.
    fn escaped(&mut self) -> Option<char> {
        match self.chars.next()? {
            '\r' if self.chars.next_if_eq(&'\n').is_some() => None,
            '\n' => None,
            'n' => Some('\n'),
            't' => Some('\t'),
            'b' => Some('\u{8}'),
            c => Some(c),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn url(config: &str) -> Option<String> {
        let config = GitConfig::parse(config);
        config.remote().map(|remote| remote.url.clone())
    }

    #[test]
    fn origin_is_chosen_else_the_first_remote() {
        let two = "[remote \"fork\"]\n\turl = f\n[remote \"origin\"]\n\turl = o\n";
        assert_eq!(url(two).as_deref(), Some("o"));
        let others = "[remote \"up\"]\nfetch = x\n[remote \"b\"]\nurl = b\n[remote \"a\"]\nurl=a";
        assert_eq!(url(others).as_deref(), Some("b"));
        assert_eq!(url("[branch \"main\"]\nremote = origin\nurl = no"), None);
        assert_eq!(
            url("[remote \"Origin\"]\nurl = upper\n[remote \"origin\"]\nurl = o").as_deref(),
            Some("o")
        );
    }

    #[test]
    fn of_several_addresses_the_first_counts() {
        let config = "[remote \"origin\"]\nurl =\nurl = a\npushurl = p\nurl = b\n";
        assert_eq!(url(config).as_deref(), Some("a"));
    }

    #[test]
    fn the_syntax_of_git_is_understood() {
        for (text, expected) in [
            ("[remote \"origin\"] url = a", "a"),
            ("[ReMoTe \"origin\"]\r\n\tURL = a\r\n", "a"),
            ("[remote.origin]\nurl=a", "a"),
            ("\u{feff}[remote \"origin\"]\nurl=a", "a"),
            ("[remote \"origin\"]\nurl = a b  \t ; comment", "a b"),
            ("[remote \"origin\"]\nurl = \"a # b\" # c", "a # b"),
            ("[remote \"origin\"]\nurl = a\\\nb", "ab"),
            ("[remote \"origin\"]\nurl = a\\\r\nb", "ab"),
            (
                "[remote \"origin\"]\nurl = \"a\\\\b\\\"c\\td\"",
                "a\\b\"c\td",
            ),
            ("# [remote \"x\"]\n; c\n[remote \"ori\\gin\"]\nurl = a", "a"),
            ("%%%\n[remote \"origin\"]\nfetch\nurl = a\n", "a"),
            ("[remote \"x]\nurl = no\n[remote \"origin\"]\nurl = a", "a"),
            (
                "[remote \"x\" y]\nurl = no\n[remote \"origin\"]\nurl = a",
                "a",
            ),
            ("[remote \"origin\"]\nurl = \"open", "open"),
        ] {
            assert_eq!(url(text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(url("[remote \"origin\"]\nurl"), None);
        assert_eq!(url("url = a\n[remote]\nurl = b"), None);
    }

    #[test]
    fn the_work_tree_is_read() {
        let config = GitConfig::parse("[core]\n\tbare = false\n\tworktree = ../../../sub\n");
        assert_eq!(config.worktree.as_deref(), Some("../../../sub"));
    }
}
