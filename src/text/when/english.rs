//! Times in English.

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};

use super::{SPANS_MAX, Span, Unit, ago_span, around, days_of, shifted};

/// A word, and the character in front of it.
struct Word<'a> {
    text: &'a str,
    after: char,
}

fn words(text: &str) -> Vec<Word<'_>> {
    let mut after = ' ';
    let mut all = Vec::new();
    for piece in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let word = piece.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        if !word.is_empty() {
            all.push(Word { text: word, after });
        }
        if let Some(last) = piece.chars().next_back() {
            after = last;
        }
    }
    all
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const WEEKDAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];
const COUNTS: [&str; 11] = [
    "a", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
];

pub(super) fn spans(text: &str, today: Date, found: &mut Vec<Span>) {
    let words = words(text);
    let at = |index: Option<usize>| {
        index
            .and_then(|index| words.get(index))
            .map(|word| word.text)
    };
    for (index, word) in words.iter().enumerate() {
        if found.len() >= SPANS_MAX {
            return;
        }
        let before = at(index.checked_sub(1)).unwrap_or_default();
        let is = |name: &str| word.text.eq_ignore_ascii_case(name);
        let follows = |names: &[&str]| names.iter().any(|name| before.eq_ignore_ascii_case(name));
        let span = if let Some(month) = month_of(word.text) {
            let whole = word.text.len() > 3 || month == 5;
            let day_before = match follows(&["of"]) {
                true => day_of(at(index.checked_sub(2)).unwrap_or_default()),
                false => day_of(before),
            };
            let next = at(Some(index + 1)).unwrap_or_default();
            let day = day_before.or_else(|| day_of(next));
            let year_at = index + 1 + usize::from(day_before.is_none() && day.is_some());
            let year = at(Some(year_at)).and_then(year_of);
            // "may" and "march" are words of other kinds too.
            let sure = whole
                && ((month != 5 && month != 3) || follows(&IN) || index > 0 && capital(word.text));
            match year {
                Some(year) => {
                    days_of(year, Some(month), day).map(|(from, to)| Span::Days(from, to))
                }
                None if day.is_some() || sure => Some(Span::Yearly(month, day)),
                None => None,
            }
        } else if is("today") || is("tonight") {
            Some(Span::day(today))
        } else if is("yesterday") || (is("night") && follows(&["last"])) {
            let days = 1 + i32::from(follows(&["before"]));
            Some(Span::day(today.saturating_sub(days.days())))
        } else if is("tomorrow") {
            Some(Span::day(today.saturating_add(1.days())))
        } else if let Some(weekday) = weekday_of(word.text) {
            Some(Span::day(nearest_weekday(
                today,
                weekday,
                follows(&["next"]),
            )))
        } else if is("weekend") && follows(&["last", "this", "past"]) {
            let sunday = nearest_weekday(today, Weekday::Sunday, false);
            Some(Span::Days(sunday.saturating_sub(1.days()), sunday))
        } else if let Some(unit) = unit_of(word.text) {
            let ago = at(Some(index + 1)).is_some_and(|next| next.eq_ignore_ascii_case("ago"));
            let second = at(index.checked_sub(2)).unwrap_or_default();
            match count_of(before) {
                Some(count) if ago => Some(ago_span(today, unit, count)),
                Some(count) if LAST.iter().any(|last| second.eq_ignore_ascii_case(last)) => {
                    Some(Span::Days(shifted(today, unit, -count), today))
                }
                _ if follows(&LAST) => around(shifted(today, unit, -1), unit),
                _ if follows(&["this", "current"]) => around(today, unit),
                _ if follows(&["next"]) => around(shifted(today, unit, 1), unit),
                _ => None,
            }
        } else if let Some(year) = year_of(word.text) {
            numeric(year, &words, index).or_else(|| {
                let alone = follows(&IN).then(|| days_of(year, None, None));
                alone.flatten().map(|(from, to)| Span::Days(from, to))
            })
        } else {
            None
        };
        found.extend(span);
    }
}

/// What stands before a month or a year that is meant as a time.
const IN: [&str; 9] = [
    "in", "since", "during", "of", "by", "until", "early", "late", "last",
];
/// What stands before a unit that is over.
const LAST: [&str; 3] = ["last", "past", "previous"];

/// `2023-05-08`, `2023/5`; the year is the word at `index`.
fn numeric(year: i16, words: &[Word<'_>], index: usize) -> Option<Span> {
    let part = |offset: usize| {
        let word = words.get(index + offset)?;
        let number: i8 = word.text.parse().ok()?;
        matches!(word.after, '-' | '/').then_some(number)
    };
    let (from, to) = days_of(year, Some(part(1)?), part(2))?;
    Some(Span::Days(from, to))
}

fn capital(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_uppercase())
}

/// A month by its name or its first three letters.
fn month_of(word: &str) -> Option<i8> {
    let is = |name: &&str| {
        let short = name.get(..3).unwrap_or(name);
        word.eq_ignore_ascii_case(name) || word.eq_ignore_ascii_case(short)
    };
    place_in(&MONTHS, is)
}

fn weekday_of(word: &str) -> Option<Weekday> {
    let place = place_in(&WEEKDAYS, |name| word.eq_ignore_ascii_case(name))?;
    Weekday::from_monday_one_offset(place).ok()
}

/// Counted from 1.
fn place_in(names: &[&str], is: impl Fn(&&str) -> bool) -> Option<i8> {
    let place = names.iter().position(is)?;
    i8::try_from(place + 1).ok()
}

/// "8", "8th".
fn day_of(word: &str) -> Option<i8> {
    let digits = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let day = digits.parse().ok()?;
    (word.len() - digits.len() <= 2 && (1..=31).contains(&day)).then_some(day)
}

fn year_of(word: &str) -> Option<i16> {
    let year = word.parse().ok()?;
    (word.len() == 4 && (1900..2200).contains(&year)).then_some(year)
}

fn unit_of(word: &str) -> Option<Unit> {
    let singular = word.strip_suffix('s').unwrap_or(word);
    let units = [
        ("day", Unit::Day),
        ("week", Unit::Week),
        ("month", Unit::Month),
        ("year", Unit::Year),
    ];
    let known = units
        .iter()
        .find(|(name, _)| singular.eq_ignore_ascii_case(name))?;
    Some(known.1)
}

fn count_of(word: &str) -> Option<i32> {
    match word {
        "an" => Some(1),
        "couple" => Some(2),
        "few" => Some(3),
        _ => word
            .parse()
            .ok()
            .filter(|count| (1..1_000).contains(count))
            .or_else(|| place_in(&COUNTS, |name| word.eq_ignore_ascii_case(name)).map(i32::from)),
    }
}

/// The last one before a day, or the first one after it.
fn nearest_weekday(today: Date, weekday: Weekday, after: bool) -> Date {
    let nth = if after { 1 } else { -1 };
    today.nth_weekday(nth, weekday).unwrap_or(today)
}
