//! Points in time as people write and read them. Everything is UTC.

use jiff::{SignedDuration, Timestamp};

use crate::error::{Error, Result};

/// Which way a duration like `7d` counts from now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Into the past: `after` and `before`.
    Back,
    /// Into the future: `expires`. The result must lie after now.
    Forward,
}

/// Reads a point in time: `2026-05-01` (its first moment, UTC), RFC 3339 with an offset, or a
/// duration from `now` in hours, days or weeks (`12h`, `7d`, `3w`). `field` names the argument in
/// the error, which says what is accepted.
pub fn parse_when(
    field: &str,
    word: &str,
    now: Timestamp,
    direction: Direction,
) -> Result<Timestamp> {
    let word = word.trim();
    let when = parse_date(word)
        .or_else(|| word.parse::<Timestamp>().ok())
        .or_else(|| parse_duration(word, now, direction))
        .ok_or_else(|| Error::invalid(field, expected(word, direction)))?;
    if direction == Direction::Forward && when <= now {
        let message = format!("expected a time in the future, got \"{}\"", start_of(word));
        return Err(Error::invalid(field, message));
    }
    Ok(when)
}

/// The day, UTC: `2026-05-01`.
pub fn date(when: Timestamp) -> String {
    when.strftime("%Y-%m-%d").to_string()
}

/// The minute, UTC: `2026-05-01 14:03`.
pub fn date_time(when: Timestamp) -> String {
    when.strftime("%Y-%m-%d %H:%M").to_string()
}

fn parse_date(word: &str) -> Option<Timestamp> {
    let is_day = word.len() == 10 && word.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    is_day
        .then(|| format!("{word}T00:00:00Z").parse().ok())
        .flatten()
}

/// Minutes and months are left out: `6m` would be one to Sage and the other to half of its readers.
fn parse_duration(word: &str, now: Timestamp, direction: Direction) -> Option<Timestamp> {
    let unit = word.chars().next_back()?;
    let hours_each = match unit {
        'h' => 1,
        'd' => 24,
        'w' => 7 * 24,
        _ => return None,
    };
    let digits = word.strip_suffix(unit)?;
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // Four billion hours are beyond every calendar, so a count that does not fit is no date either.
    let hours = i64::from(digits.parse::<u32>().ok()?) * hours_each;
    let distance = SignedDuration::from_hours(hours);
    match direction {
        Direction::Back => now.checked_sub(distance).ok(),
        Direction::Forward => now.checked_add(distance).ok(),
    }
}

fn expected(word: &str, direction: Direction) -> String {
    let way = match direction {
        Direction::Back => "back from now",
        Direction::Forward => "from now",
    };
    format!(
        "expected a date (2026-05-01), an RFC 3339 time (2026-05-01T14:03:00Z) \
         or a duration {way} (12h, 7d, 3w), got \"{}\"",
        start_of(word)
    )
}

/// Keeps an error to one short line, whatever was pasted.
fn start_of(word: &str) -> String {
    word.chars()
        .take(60)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(word: &str) -> Timestamp {
        word.parse().unwrap()
    }

    fn now() -> Timestamp {
        at("2026-05-20T12:00:00Z")
    }

    #[track_caller]
    fn check(word: &str, direction: Direction, expected: &str) {
        let when = parse_when("after", word, now(), direction).unwrap();
        assert_eq!(when, at(expected), "{word}");
    }

    #[test]
    fn every_way_to_say_when() {
        check("2026-05-01", Direction::Back, "2026-05-01T00:00:00Z");
        check(" 2026-05-01 ", Direction::Back, "2026-05-01T00:00:00Z");
        check(
            "2026-05-01T14:03:00+02:00",
            Direction::Back,
            "2026-05-01T12:03:00Z",
        );
        check("12h", Direction::Back, "2026-05-20T00:00:00Z");
        check("7d", Direction::Back, "2026-05-13T12:00:00Z");
        check("3w", Direction::Back, "2026-04-29T12:00:00Z");
        check("0d", Direction::Back, "2026-05-20T12:00:00Z");
        check("30d", Direction::Forward, "2026-06-19T12:00:00Z");
        check("2027-01-01", Direction::Forward, "2027-01-01T00:00:00Z");
    }

    #[test]
    fn a_bad_word_says_what_is_accepted_in_one_line() {
        let words = [
            "",
            "yesterday",
            "7",
            "d",
            "-7d",
            "7m",
            "2026-13-01",
            "2026-02-30",
            "2026-5-1",
            "2026-05-01T14:03:00",
            "99999999999d",
            "4000000000w",
            "2026\u{2013}05\u{2013}01",
            "7\u{e9}",
        ];
        for word in words {
            let error = parse_when("after", word, now(), Direction::Back).unwrap_err();
            let text = error.to_string();
            assert!(text.starts_with("after: expected a date (2026-05-01)"));
            assert!(!text.contains('\n'));
        }
        let long = "x\n".repeat(1_000);
        let error = parse_when("after", &long, now(), Direction::Back).unwrap_err();
        assert!(error.to_string().len() < 250);
    }

    #[test]
    fn an_expiry_lies_ahead() {
        for word in ["2026-05-20", "0d", "2020-01-01T00:00:00Z"] {
            let error = parse_when("expires", word, now(), Direction::Forward).unwrap_err();
            assert!(error.to_string().contains("in the future"), "{error}");
        }
    }

    #[test]
    fn times_are_printed_in_utc() {
        assert_eq!(date(at("2026-05-01T23:30:00-02:00")), "2026-05-02");
        assert_eq!(date_time(at("2026-05-01T14:03:59Z")), "2026-05-01 14:03");
    }
}
