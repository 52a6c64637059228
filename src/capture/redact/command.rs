//! Passwords in the short flags of well-known commands: `curl -u user:x`, `mysql -px`.

use super::Finding;
use super::bytes::{at, before, skip_blanks, slice, starts_with, while_};
use super::entropy::JUDGED_BYTES_MAX;
use super::rules::entry;
use super::value::{bare_end, is_mixed, is_stand_in};

/// How a command takes its password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    /// `-u user:password` and `--user user:password`.
    UserPair,
    /// `-ppassword` without a space.
    Attached,
    /// `-p password`.
    DashP,
    /// `-a password`.
    DashA,
}

const COMMANDS: &[(&[u8], Takes)] = &[
    (b"curl", Takes::UserPair),
    (b"mysql", Takes::Attached),
    (b"mysqldump", Takes::Attached),
    (b"mysqladmin", Takes::Attached),
    (b"mariadb", Takes::Attached),
    (b"sshpass", Takes::DashP),
    (b"login", Takes::DashP),
    (b"twine", Takes::DashP),
    (b"redis-cli", Takes::DashA),
];

/// The last command seen and the position up to which its line is known to go on.
#[derive(Debug, Default)]
pub struct Commands {
    current: Option<(Takes, usize)>,
}

impl Commands {
    /// Notes a command, or finds the password of the flag that the word `start..end` is.
    pub fn at_word(&mut self, text: &[u8], start: usize, end: usize) -> Option<Finding> {
        if at(text, start) != b'-' {
            // The last letters of all commands: most words need no comparison.
            if !b"lpnbsei".contains(&before(text, end)) {
                return None;
            }
            let word = slice(text, start, end);
            let escaped = slice(text, entry(text, start), end);
            if let Some(&(_, takes)) = COMMANDS
                .iter()
                .find(|(name, _)| *name == word || *name == escaped)
            {
                self.current = Some((takes, end));
            }
            return None;
        }
        let (takes, seen) = self.current?;
        // Each byte of the line is looked at once, however many flags it has.
        if ends_line(slice(text, seen, start)) {
            self.current = None;
            return None;
        }
        self.current = Some((takes, end));
        flag_value(text, takes, start, end)
    }
}

/// Whether a command ends in this stretch: at a line end that no backslash continues.
fn ends_line(stretch: &[u8]) -> bool {
    let mut previous = 0;
    stretch.iter().any(|&byte| {
        let ends = byte == b'\n' && previous != b'\\';
        previous = byte;
        ends
    })
}

/// The password given by the flag `start..end`.
fn flag_value(text: &[u8], takes: Takes, start: usize, end: usize) -> Option<Finding> {
    let flag = slice(text, start, end);
    let is_cluster = flag.len() <= 6 && !flag.starts_with(b"--");
    let position = match takes {
        Takes::UserPair if is_cluster && flag.ends_with(b"u") => skip_blanks(text, end),
        Takes::UserPair if matches!(flag, b"--user" | b"--proxy-user") => {
            skip_blanks(text, end + usize::from(at(text, end) == b'='))
        }
        Takes::Attached if flag.starts_with(b"-p") && flag.len() > 2 => start + 2,
        Takes::DashP if flag == b"-p" => skip_blanks(text, end),
        Takes::DashA if flag == b"-a" => skip_blanks(text, end),
        _ => return None,
    };
    let escapes = while_(text, position, |byte| byte == b'\\');
    let is_quoted = matches!(at(text, escapes), b'"' | b'\'');
    let mut from = if is_quoted { escapes + 1 } else { position };
    let window_end = bare_end(text, from, from + JUDGED_BYTES_MAX);
    if takes == Takes::UserPair {
        let user = slice(text, from, window_end);
        from += user.iter().position(|&byte| byte == b':')? + 1;
    }
    let value = slice(text, from, window_end);
    let is_variable = starts_with(text, from, b"$");
    let fits = !is_variable
        && !is_stand_in(value)
        && (is_mixed(value) || (takes == Takes::UserPair && value.len() >= 4));
    fits.then(|| Finding {
        start: from,
        end: bare_end(text, from, text.len()),
        kind: "password",
    })
}

#[cfg(test)]
mod tests {
    use crate::capture::redact::redact;

    fn redacted(text: &str) -> String {
        redact(text).text.into_owned()
    }

    #[test]
    fn the_user_stays_and_the_password_goes() {
        assert_eq!(
            redacted("curl -sSu \"bob:opensesame\" https://x"),
            "curl -sSu \"bob:[redacted:password]\" https://x"
        );
        assert_eq!(
            redacted("mysql -u root -pS3cret db"),
            "mysql -u root -p[redacted:password] db"
        );
    }

    #[test]
    fn a_flag_on_another_line_belongs_to_another_command() {
        let text = "curl https://x\nsort -u bob:opensesame";
        assert_eq!(redacted(text), text);
    }
}
