//! Secrets with a structure of their own: JSON web tokens, PEM blocks, passwords in URLs, and the
//! tokens of providers whose shape is more than a prefix.

use super::Finding;
use super::bytes::{at, before, is_word, rest, slice, starts_with, while_};
use super::entropy::is_random;
use super::rules::entry;
use super::value::is_stand_in;

/// The secret that begins at, or in a URL behind, the word `start..end`.
pub fn find(text: &[u8], start: usize, end: usize) -> Option<Finding> {
    // The last byte of the word is looked at first: most words end here.
    match (before(text, end), at(text, end)) {
        (_, b':') if starts_with(text, end, b"://") => url_password(text, end + 3),
        (b'0'..=b'9', b':') => telegram(text, start, end),
        (b's', b'.') if slice(text, start, end).ends_with(b"hooks") => slack_webhook(text, end),
        (_, b'.') => jwt(text, start)
            .or_else(|| terraform(text, start, end))
            .or_else(|| discord(text, start, end)),
        (b's', b'/') if slice(text, start, end) == b"webhooks" => discord_webhook(text, end),
        (b'N', b' ') if slice(text, start, end).ends_with(b"-----BEGIN") => {
            private_key(text, start, end)
        }
        _ => None,
    }
}

/// A JSON web token: base64url parts with dots between, the first of which encodes `{"`, which
/// always reads `eyJ`. Three parts when signed, five when encrypted (RFC 7515, RFC 7516).
fn jwt(text: &[u8], start: usize) -> Option<Finding> {
    const PART_BYTES_MIN: usize = 4;
    const HEADER_BYTES_MIN: usize = 12;
    let start = entry(text, start);
    if !starts_with(text, start, b"eyJ") {
        return None;
    }
    let header = while_(text, start, is_word);
    let payload = while_(text, header + 1, is_word);
    if header < start + HEADER_BYTES_MIN
        || at(text, payload) != b'.'
        || payload < header + 1 + PART_BYTES_MIN
    {
        return None;
    }
    let signature = while_(text, payload + 1, |byte| is_word(byte) || byte == b'.');
    let end = if before(text, signature) == b'.' {
        signature - 1
    } else {
        signature
    };
    (end > payload + PART_BYTES_MIN).then_some(Finding {
        start,
        end,
        kind: "jwt",
    })
}

/// `<14 alphanumeric bytes>.atlasv1.<60 or more bytes>`.
fn terraform(text: &[u8], start: usize, end: usize) -> Option<Finding> {
    const MIDDLE: &[u8] = b".atlasv1.";
    const TAIL_BYTES_MIN: usize = 40;
    let start = entry(text, start);
    let tail = end + MIDDLE.len();
    let tail_end = while_(text, tail, is_word);
    (starts_with(text, end, MIDDLE) && tail_end >= tail + TAIL_BYTES_MIN).then_some(Finding {
        start,
        end: tail_end,
        kind: "terraform-token",
    })
}

/// A bot token: the bot's id in base64 (18 or 19 digits), a 6-byte time, a 27 to 40-byte signature.
fn discord(text: &[u8], start: usize, end: usize) -> Option<Finding> {
    let start = entry(text, start);
    let id = slice(text, start, end);
    if !(23..=28).contains(&id.len()) || !matches!(id.first(), Some(b'M' | b'N' | b'O')) {
        return None;
    }
    let time_end = while_(text, end + 1, is_word);
    let tail = while_(text, time_end + 1, is_word);
    let fits = (6..=7).contains(&(time_end - end - 1))
        && at(text, time_end) == b'.'
        && (27..=45).contains(&(tail - time_end - 1));
    fits.then_some(Finding {
        start,
        end: tail,
        kind: "discord-token",
    })
}

/// `webhooks/<channel id>/<token>`: the token is the secret.
fn discord_webhook(text: &[u8], end: usize) -> Option<Finding> {
    let id_end = while_(text, end + 1, |byte| byte.is_ascii_digit());
    let start = id_end + 1;
    let token_end = while_(text, start, is_word);
    let fits = id_end > end + 15 && at(text, id_end) == b'/' && token_end >= start + 40;
    fits.then_some(Finding {
        start,
        end: token_end,
        kind: "discord-webhook",
    })
}

/// `hooks.slack.com/services/T.../B.../...`: the path is the secret.
fn slack_webhook(text: &[u8], end: usize) -> Option<Finding> {
    const HOST: &[u8] = b".slack.com/";
    const PATH_BYTES_MIN: usize = 30;
    if !starts_with(text, end, HOST) {
        return None;
    }
    let area = end + HOST.len();
    let start = while_(text, area, is_word) + 1;
    let path_end = while_(text, start, |byte| is_word(byte) || byte == b'/');
    let fits = path_end >= start + PATH_BYTES_MIN && is_random(slice(text, start, path_end));
    fits.then_some(Finding {
        start,
        end: path_end,
        kind: "slack-webhook",
    })
}

/// A bot token: 8 to 10 digits, a colon, 35 bytes of which the first two are `AA`. In a request
/// path `bot` stands in front.
fn telegram(text: &[u8], start: usize, end: usize) -> Option<Finding> {
    let start = if starts_with(text, start, b"bot") {
        start + 3
    } else {
        entry(text, start)
    };
    let id = slice(text, start, end);
    let tail = while_(text, end + 1, is_word);
    let fits = (8..=10).contains(&id.len())
        && id.iter().all(u8::is_ascii_digit)
        && starts_with(text, end + 1, b"AA")
        && (34..=36).contains(&(tail - end - 1));
    fits.then_some(Finding {
        start,
        end: tail,
        kind: "telegram-token",
    })
}

/// The password of `scheme://user:PASSWORD@host`, given the position after `://`.
fn url_password(text: &[u8], authority: usize) -> Option<Finding> {
    /// A password with an unescaped `/`, `?` or `#` in it is looked for this far, and only where
    /// no further colon makes it a port or another URL.
    const UNESCAPED_BYTES_MAX: usize = 96;
    let is_end = |byte: u8| byte <= b' ' || byte >= 0x7F || b"\"'`<>\\".contains(&byte);
    let window = slice(text, 0, text.len().min(authority + 1024));
    let end = while_(window, authority, |byte| {
        !is_end(byte) && !matches!(byte, b'/' | b'?' | b'#')
    });
    let colon = authority
        + rest(slice(text, 0, end), authority)
            .iter()
            .position(|&b| b == b':')?;
    let start = colon + 1;
    let last_at = |from: usize, to: usize| {
        let offset = slice(text, from, to)
            .iter()
            .rposition(|&byte| byte == b'@')?;
        Some(from + offset)
    };
    let at_sign = last_at(start, end).or_else(|| {
        let is_port = slice(text, start, end).iter().all(u8::is_ascii_digit);
        if is_port || is_end(at(text, end)) {
            return None;
        }
        let window = slice(text, 0, text.len().min(start + UNESCAPED_BYTES_MAX));
        last_at(
            start,
            while_(window, start, |byte| !is_end(byte) && byte != b':'),
        )
    })?;
    let password = slice(text, start, at_sign);
    (!password.is_empty() && !is_stand_in(password)).then_some(Finding {
        start,
        end: at_sign,
        kind: "connection-password",
    })
}

/// A PEM block with a private key in it, given its `-----BEGIN` (RFC 7468). All up to the end line
/// is hidden; without an end line, all its base64 lines are. Line ends may be escaped as `\n`, and
/// the lines may carry indentation, line numbers or diff signs.
fn private_key(text: &[u8], start: usize, end: usize) -> Option<Finding> {
    const LABEL_BYTES_MAX: usize = 48;
    const DASHES: &[u8] = b"-----";
    /// A block with fewer base64 bytes is prose about keys, or a placeholder.
    const CONTENT_BYTES_MIN: usize = 16;
    let window = slice(text, 0, text.len().min(end + LABEL_BYTES_MAX));
    let label_end = while_(window, end, |byte| {
        byte.is_ascii_uppercase() || byte == b' '
    });
    let label = slice(text, end, label_end);
    let is_private = label.windows(11).any(|part| part == b"PRIVATE KEY");
    if !is_private || !starts_with(text, label_end, DASHES) {
        return None;
    }
    let start = start + slice(text, start, end).len() - b"-----BEGIN".len();
    let content = label_end + DASHES.len();
    let lines_end = base64_lines_end(text, content);
    let closing = closing_line_end(text, content);
    let block_end = closing.unwrap_or(lines_end).max(lines_end);
    let base64 = slice(text, content, block_end).iter();
    let enough = base64.filter(|byte| byte.is_ascii_alphanumeric()).count() >= CONTENT_BYTES_MIN;
    (enough && lines_end > content).then_some(Finding {
        start,
        end: block_end,
        kind: "private-key",
    })
}

/// Where the end line of a block ends, if the next dashed line is one of a private key.
fn closing_line_end(text: &[u8], content: usize) -> Option<usize> {
    const LINE_BYTES_MAX: usize = 64;
    let offset = rest(text, content)
        .windows(5)
        .position(|part| part == b"-----")?;
    let dashes = content + offset;
    let window = slice(text, 0, text.len().min(dashes + LINE_BYTES_MAX));
    let label_end = while_(window, dashes, |byte| {
        byte.is_ascii_uppercase() || matches!(byte, b' ' | b'-')
    });
    let line = slice(text, dashes, label_end);
    let is_end = line.starts_with(b"-----END ") && line.ends_with(b"-----");
    (is_end && line.windows(11).any(|part| part == b"PRIVATE KEY")).then_some(label_end)
}

/// Where the base64 lines that follow a position end.
fn base64_lines_end(text: &[u8], content: usize) -> usize {
    /// A shorter stretch ends the key only as the last line of it.
    const LINE_BYTES_MIN: usize = 16;
    /// Headers of encrypted and PGP keys are few and short.
    const HEADERS_MAX: usize = 6;
    const HEADER_BYTES_MAX: usize = 120;
    let mut headers = 0;
    let mut end = content;
    let mut at_line = content;
    while let Some(body) = skip_line_frame(text, at_line) {
        let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
        let body_end = while_(text, body, is_base64);
        let next = at(text, body_end);
        let is_header = next == b':' || (next == b'-' && body_end > body);
        if is_header && headers < HEADERS_MAX {
            // A header such as `Proc-Type: 4,ENCRYPTED` or `DEK-Info: ...`.
            headers += 1;
            let limit = text.len().min(body_end + HEADER_BYTES_MAX);
            let header = slice(text, 0, limit);
            at_line = while_(header, body_end, |byte| !matches!(byte, b'\n' | b'\\'));
            continue;
        }
        let is_last = body_end < body + LINE_BYTES_MIN;
        let is_foreign = !matches!(next, 0 | b'\n' | b'\r' | b'\\' | b'"' | b'\'' | b' ' | b'`');
        if body_end == body || (is_last && (end == content || is_foreign || next == b' ')) {
            break;
        }
        end = body_end;
        at_line = body_end;
    }
    end
}

/// Skips line ends, indentation, quotes, line numbers and diff signs. None when no line end or
/// other frame was there, which means that the block is over.
fn skip_line_frame(text: &[u8], from: usize) -> Option<usize> {
    let mut position = from;
    loop {
        let skipped = match at(text, position) {
            b'\n' | b'\r' | b' ' | b'\t' | b'"' | b'\'' | b',' | b'|' | b'>' | b'+' | b'#' => 1,
            b'\\' if matches!(at(text, position + 1), b'n' | b'r' | b't') => 2,
            b'\\' => 1,
            b'0'..=b'9' => numbering(text, position),
            _ => 0,
        };
        if skipped == 0 {
            return (position > from).then_some(position);
        }
        position += skipped;
    }
}

/// The length of a line number with the tab, arrow, bar or colon behind it; 0 if there is none.
fn numbering(text: &[u8], position: usize) -> usize {
    const DIGITS_MAX: usize = 6;
    let end = while_(text, position, |byte| byte.is_ascii_digit());
    let mark = match rest(text, end) {
        [b'\t' | b'|' | b':', ..] => 1,
        [b'\\', b't', ..] => 2,
        [0xE2, 0x86, 0x92, ..] => 3,
        _ => 0,
    };
    if mark == 0 || end > position + DIGITS_MAX {
        0
    } else {
        end + mark - position
    }
}

#[cfg(test)]
mod tests {
    use crate::capture::redact::redact;

    fn redacted(text: &str) -> String {
        redact(text).text.into_owned()
    }

    #[test]
    fn a_truncated_private_key_loses_all_its_lines() {
        let line = "MIIEpAIBAAKCAQEA7x".repeat(3);
        let text = format!("-----BEGIN RSA PRIVATE KEY-----\n{line}\n{line}\n\nthe end of it");
        assert_eq!(redacted(&text), "[redacted:private-key]\n\nthe end of it");
    }

    #[test]
    fn prose_about_private_keys_stays() {
        let text = "it begins with -----BEGIN PRIVATE KEY----- and then base64";
        assert_eq!(redacted(text), text);
    }

    #[test]
    fn only_the_password_of_a_url_goes() {
        assert_eq!(
            redacted("redis://:p/w#1@cache:6379/0 and http://localhost:80/@a"),
            "redis://:[redacted:connection-password]@cache:6379/0 and http://localhost:80/@a"
        );
    }
}
