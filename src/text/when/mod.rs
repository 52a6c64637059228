//! Times that a text speaks of: "8 May 2023", "in June", "last week", "three days ago", 上周三,
//! 2023年5月8日. English and Chinese. Pure: whoever asks says what day it is.

mod chinese;
mod english;

use jiff::ToSpan;
use jiff::civil::Date;

/// Days that a text speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// From the first to the last, both included.
    Days(Date, Date),
    /// A month, or a day of it, of whatever year.
    Yearly(i8, Option<i8>),
}

impl Span {
    /// How many days a date lies behind the end of the span; negative before its beginning, 0 in
    /// it. A span without a year is the one that began last before the date, or begins on it.
    pub fn gap(self, date: Date) -> i32 {
        match self {
            Self::Days(from, _) if date < from => days_between(from, date),
            Self::Days(_, to) => days_between(to, date).max(0),
            Self::Yearly(month, day) => {
                let year = date.year();
                let of_year = |year| days_of(year, Some(month), day);
                let this = of_year(year).filter(|(from, _)| *from <= date);
                match this.or_else(|| of_year(year - 1)) {
                    Some((_, to)) => days_between(to, date).max(0),
                    None => i32::MAX,
                }
            }
        }
    }

    /// Whether both speak of at least one day in common; one without a year never does.
    pub fn meets(self, other: Self) -> bool {
        match (self, other) {
            (Self::Days(a, b), Self::Days(c, d)) => a <= d && c <= b,
            _ => false,
        }
    }

    fn day(date: Date) -> Self {
        Self::Days(date, date)
    }
}

fn days_between(from: Date, to: Date) -> i32 {
    from.until(to).map_or(i32::MAX, |span| span.get_days())
}

/// A text speaks of no more times than this; a log with a time on each line would.
const SPANS_MAX: usize = 8;

/// The times that a text speaks of, in no particular order, at most a few. What is relative to a
/// day ("yesterday") counts from `today`.
pub fn spans(text: &str, today: Date) -> Vec<Span> {
    let mut found = Vec::new();
    english::spans(text, today, &mut found);
    if !text.is_ascii() {
        chinese::spans(text, today, &mut found);
    }
    found.truncate(SPANS_MAX);
    found
}

/// A stretch that calendars name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Day,
    Week,
    Month,
    Year,
}

fn shifted(date: Date, unit: Unit, count: i32) -> Date {
    date.saturating_add(match unit {
        Unit::Day => count.days(),
        Unit::Week => count.weeks(),
        Unit::Month => count.months(),
        Unit::Year => count.years(),
    })
}

/// The week (from Monday), month or year that a date lies in.
fn around(date: Date, unit: Unit) -> Option<Span> {
    let (from, to) = match unit {
        Unit::Day => (date, date),
        Unit::Week => {
            let monday =
                date.saturating_sub(i32::from(date.weekday().to_monday_zero_offset()).days());
            (monday, monday.saturating_add(6.days()))
        }
        Unit::Month => (date.first_of_month(), date.last_of_month()),
        Unit::Year => (date.first_of_year(), date.last_of_year()),
    };
    Some(Span::Days(from, to))
}

/// So long ago: to the day where days are counted, else give or take a few.
fn ago_span(today: Date, unit: Unit, count: i32) -> Span {
    let then = shifted(today, unit, -count);
    let slack = match unit {
        Unit::Day => 0,
        Unit::Week => 3,
        Unit::Month => 15,
        Unit::Year => 180,
    };
    Span::Days(
        then.saturating_sub(slack.days()),
        then.saturating_add(slack.days()),
    )
}

/// The days of a year, of a month of it, or the one day; nothing where there is no such day.
fn days_of(year: i16, month: Option<i8>, day: Option<i8>) -> Option<(Date, Date)> {
    let first = Date::new(year, month.unwrap_or(1), day.unwrap_or(1)).ok()?;
    let last = match (month, day) {
        (_, Some(_)) => first,
        (Some(_), None) => first.last_of_month(),
        (None, None) => first.last_of_year(),
    };
    Some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    /// A Friday.
    fn today() -> Date {
        date(2026, 11, 27)
    }

    fn found(text: &str) -> Vec<Span> {
        spans(text, today())
    }

    fn days(from: (i16, i8, i8), to: (i16, i8, i8)) -> Vec<Span> {
        vec![Span::Days(
            date(from.0, from.1, from.2),
            date(to.0, to.1, to.2),
        )]
    }

    fn day(year: i16, month: i8, day: i8) -> Vec<Span> {
        days((year, month, day), (year, month, day))
    }

    #[test]
    fn dates_are_read_however_they_are_written() {
        for text in [
            "on 8 May 2023?",
            "May 8, 2023",
            "the 8th of May, 2023",
            "2023-05-08",
            "2023/5/8",
            "2023年5月8日",
            "二〇 2023年五月八号",
        ] {
            assert_eq!(found(text), day(2023, 5, 8), "{text}");
        }
        assert_eq!(found("in May 2023"), days((2023, 5, 1), (2023, 5, 31)));
        assert_eq!(
            found("2023年12月的会议"),
            days((2023, 12, 1), (2023, 12, 31))
        );
        assert_eq!(found("since 2024"), days((2024, 1, 1), (2024, 12, 31)));
        assert_eq!(found("did we go in June?"), [Span::Yearly(6, None)]);
        assert_eq!(found("am 3 March"), [Span::Yearly(3, Some(3))]);
        assert_eq!(found("十一月二十三日"), [Span::Yearly(11, Some(23))]);
    }

    #[test]
    fn words_for_times_count_from_today() {
        assert_eq!(found("what did we do today"), day(2026, 11, 27));
        assert_eq!(found("Yesterday I met Marta"), day(2026, 11, 26));
        assert_eq!(found("the day before yesterday"), day(2026, 11, 25));
        assert_eq!(found("three days ago"), day(2026, 11, 24));
        assert_eq!(found("last week"), days((2026, 11, 16), (2026, 11, 22)));
        assert_eq!(found("last month"), days((2026, 10, 1), (2026, 10, 31)));
        assert_eq!(
            found("the last 2 weeks"),
            days((2026, 11, 13), (2026, 11, 27))
        );
        assert_eq!(found("on Tuesday"), day(2026, 11, 24));
        assert_eq!(found("last Friday"), day(2026, 11, 20));
        assert_eq!(found("昨天我们说了什么"), day(2026, 11, 26));
        assert_eq!(found("上周三的决定"), day(2026, 11, 18));
        assert_eq!(found("上个月"), days((2026, 10, 1), (2026, 10, 31)));
        assert_eq!(found("三天前"), day(2026, 11, 24));
        assert_eq!(found("去年"), days((2025, 1, 1), (2025, 12, 31)));
    }

    #[test]
    fn what_only_looks_like_a_time_is_none() {
        for text in [
            "may I march",
            "May I?",
            "version 1.54.1",
            "port 8080",
            "every day",
            "2000 rows",
            "一个人",
            "30 February 2023",
            "0000-00-00",
            "",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
        assert_eq!(found(&"2023-05-08 ".repeat(100)).len(), SPANS_MAX);
        // Nor do the ends of the calendar do harm.
        assert!(!spans("yesterday, last year, 999 years ago", Date::MIN).is_empty());
        assert!(!spans("tomorrow, next year, 明天", Date::MAX).is_empty());
    }

    #[test]
    fn gaps_are_days_behind_or_before() {
        let gap = |text, year, month, day| {
            found(text)
                .first()
                .map(|span| span.gap(date(year, month, day)))
        };
        assert_eq!(gap("8 May 2023", 2023, 5, 10), Some(2));
        assert_eq!(gap("8 May 2023", 2023, 5, 7), Some(-1));
        assert_eq!(gap("May 2023", 2023, 5, 20), Some(0));
        assert_eq!(gap("in June", 2021, 6, 30), Some(0));
        assert_eq!(gap("in December", 2021, 1, 2), Some(2));
        assert!(
            found("8 May 2023")
                .iter()
                .all(|span| span.meets(Span::day(date(2023, 5, 8))))
        );
    }
}
