//! Times in Chinese.

use jiff::civil::Date;

use super::{SPANS_MAX, Span, Unit, ago_span, around, days_of, shifted};

pub(super) fn spans(text: &str, today: Date, found: &mut Vec<Span>) {
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if found.len() >= SPANS_MAX {
            return;
        }
        let (span, after) = chinese_span(rest, today).unwrap_or((None, rest));
        found.extend(span);
        rest = match after.len() < rest.len() {
            true => after,
            false => rest.get(first.len_utf8()..).unwrap_or_default(),
        };
    }
}

/// The span that a text begins with, and what follows it.
fn chinese_span(text: &str, today: Date) -> Option<(Option<Span>, &str)> {
    const DAYS: [(&str, i32); 6] = [
        ("今天", 0),
        ("昨天", -1),
        ("昨晚", -1),
        ("前天", -2),
        ("明天", 1),
        ("后天", 2),
    ];
    const UNITS: [(&str, Unit, i32); 12] = [
        ("上周", Unit::Week, -1),
        ("上星期", Unit::Week, -1),
        ("上个星期", Unit::Week, -1),
        ("这周", Unit::Week, 0),
        ("本周", Unit::Week, 0),
        ("下周", Unit::Week, 1),
        ("上个月", Unit::Month, -1),
        ("上月", Unit::Month, -1),
        ("这个月", Unit::Month, 0),
        ("去年", Unit::Year, -1),
        ("今年", Unit::Year, 0),
        ("前年", Unit::Year, -2),
    ];
    for (name, days) in DAYS {
        if let Some(after) = text.strip_prefix(name) {
            return Some((Some(Span::day(shifted(today, Unit::Day, days))), after));
        }
    }
    for (name, unit, count) in UNITS {
        let Some(after) = text.strip_prefix(name) else {
            continue;
        };
        let then = around(shifted(today, unit, count), unit);
        return Some(match (unit, then, weekday_number(after)) {
            (Unit::Week, Some(Span::Days(monday, _)), Some((day, after))) => {
                (Some(Span::day(shifted(monday, Unit::Day, day - 1))), after)
            }
            (_, then, _) => (then, after),
        });
    }
    let (number, after) = chinese_number(text)?;
    if let Some(after) = after
        .strip_prefix('年')
        .filter(|after| !after.starts_with('前'))
    {
        let year = i16::try_from(number)
            .ok()
            .filter(|year| (1900..2200).contains(year));
        let (month, day, after) = chinese_month(after);
        let days = year.and_then(|year| days_of(year, month, day));
        return Some((days.map(|(from, to)| Span::Days(from, to)), after));
    }
    const AGO: [(&str, Unit); 5] = [
        ("天前", Unit::Day),
        ("周前", Unit::Week),
        ("个星期前", Unit::Week),
        ("个月前", Unit::Month),
        ("年前", Unit::Year),
    ];
    for (name, unit) in AGO {
        if let Some(after) = after.strip_prefix(name) {
            return Some((Some(ago_span(today, unit, number.min(1_000))), after));
        }
    }
    let (month, day, after) = chinese_month(text);
    Some((month.map(|month| Span::Yearly(month, day)), after))
}

/// 5月, 五月八日, 5月8号.
fn chinese_month(text: &str) -> (Option<i8>, Option<i8>, &str) {
    let number = |text, most: i8, ends: [char; 2]| {
        let (number, after) = chinese_number(text)?;
        let number = i8::try_from(number)
            .ok()
            .filter(|number| (1..=most).contains(number))?;
        Some((number, after.strip_prefix(ends)?))
    };
    let Some((month, after)) = number(text, 12, ['月', '月']) else {
        return (None, None, text);
    };
    match number(after, 31, ['日', '号']) {
        Some((day, after)) => (Some(month), Some(day), after),
        None => (Some(month), None, after),
    }
}

/// 一 to 六, 日 and 天 behind a week.
fn weekday_number(text: &str) -> Option<(i32, &str)> {
    let first = text.chars().next()?;
    let day = "一二三四五六日天".chars().position(|c| c == first)?.min(6) + 1;
    Some((i32::try_from(day).ok()?, text.strip_prefix(first)?))
}

/// A number in digits, or in characters up to 99.
fn chinese_number(text: &str) -> Option<(i32, &str)> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    if digits > 0 {
        let (number, after) = text.split_at_checked(digits)?;
        return Some((number.parse().ok()?, after));
    }
    let mut number = 0;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let value = "一二三四五六七八九十两"
            .chars()
            .position(|digit| digit == c);
        let value = match value.and_then(|value| i32::try_from(value).ok()) {
            Some(10) => 2,
            Some(9) => 10,
            Some(value) => value + 1,
            None => break,
        };
        number = match (value, number) {
            (10, 0) => 10,
            (10, tens) => tens * 10,
            (ones, tens) => tens + ones,
        };
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
    (number > 0 && number < 100).then_some((number, rest))
}
