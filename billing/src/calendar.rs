//! Days, weeks and months of UTC, in which budgets are counted.
//!
//! Fixed windows, not sliding ones: "resets at midnight" can be told to a caller, and one sum per window is all
//! that must be remembered.

use serde::{Deserialize, Serialize};
use time::{Date, OffsetDateTime};

use crate::clock::Timestamp;
use crate::words::words;

pub(crate) const DAY_MILLIS: i64 = 86_400_000;

/// A stretch of time over which spending is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// From midnight to midnight UTC.
    Day,
    /// From Monday to Monday.
    Week,
    /// From the 1st to the 1st.
    Month,
    /// All of time.
    Lifetime,
}
words!(Window { Day = "day", Week = "week", Month = "month", Lifetime = "lifetime" });

impl Window {
    /// Every window, shortest first.
    pub const ALL: [Self; 4] = [Self::Day, Self::Week, Self::Month, Self::Lifetime];

    /// When the window began that `now` lies in; the beginning of time for [`Window::Lifetime`].
    #[must_use]
    pub fn start(self, now: Timestamp) -> Timestamp {
        let day = day(now);
        match self {
            Self::Day => midnight(day),
            Self::Week => midnight(monday(day)),
            Self::Month => month(now, 0).unwrap_or_else(|| midnight(day)),
            Self::Lifetime => Timestamp::from_millis(i64::MIN),
        }
    }

    /// When the window ends that `now` lies in, and the next begins; `None` for [`Window::Lifetime`].
    #[must_use]
    pub fn end(self, now: Timestamp) -> Option<Timestamp> {
        let day = day(now);
        match self {
            Self::Day => Some(midnight(day.saturating_add(1))),
            Self::Week => Some(midnight(monday(day).saturating_add(7))),
            Self::Month => Some(month(now, 1).unwrap_or_else(|| midnight(day.saturating_add(1)))),
            Self::Lifetime => None,
        }
    }
}

/// How many days after 1970-01-01 UTC a moment lies.
pub(crate) fn day(now: Timestamp) -> i64 {
    now.as_millis().div_euclid(DAY_MILLIS)
}

pub(crate) fn midnight(day: i64) -> Timestamp {
    Timestamp::from_millis(day.saturating_mul(DAY_MILLIS))
}

/// The Monday on or before a day; day 0 was a Thursday.
fn monday(day: i64) -> i64 {
    day - (day + 3).rem_euclid(7)
}

/// The 1st of the month that lies `ahead` (0 or 1) months from `now`'s; `None` where the calendar ends.
fn month(now: Timestamp, ahead: u8) -> Option<Timestamp> {
    let today = OffsetDateTime::from_unix_timestamp(now.as_secs()).ok()?.date();
    let (year, month) = match (ahead, today.month()) {
        (0, month) => (today.year(), month),
        (_, time::Month::December) => (today.year() + 1, time::Month::January),
        (_, month) => (today.year(), month.next()),
    };
    let first = Date::from_calendar_date(year, month, 1).ok()?.midnight().assume_utc();
    Some(Timestamp::from_millis(first.unix_timestamp().saturating_mul(1000)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        let moment = OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).unwrap();
        Timestamp::from_millis(moment.unix_timestamp() * 1000)
    }

    #[test]
    fn windows_begin_and_end_where_the_calendar_says() {
        // 2026-11-24 is a Tuesday, 2027-01-01 a Friday, 2028-02-29 a Tuesday.
        for (now, window, start, end) in [
            ("2026-11-24T11:05:00Z", Window::Day, "2026-11-24T00:00:00Z", "2026-11-25T00:00:00Z"),
            ("2026-11-24T00:00:00Z", Window::Day, "2026-11-24T00:00:00Z", "2026-11-25T00:00:00Z"),
            ("2026-11-24T11:05:00Z", Window::Week, "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z"),
            ("2026-11-22T23:59:59Z", Window::Week, "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"),
            ("2027-01-01T00:00:00Z", Window::Week, "2026-12-28T00:00:00Z", "2027-01-04T00:00:00Z"),
            ("2026-12-31T23:59:59Z", Window::Month, "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            ("2028-02-29T12:00:00Z", Window::Month, "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"),
            ("1969-12-31T12:00:00Z", Window::Day, "1969-12-31T00:00:00Z", "1970-01-01T00:00:00Z"),
        ] {
            assert_eq!(window.start(at(now)), at(start), "{now} {window}");
            assert_eq!(window.end(at(now)), Some(at(end)), "{now} {window}");
        }
        assert_eq!(Window::Lifetime.end(at("2026-11-24T11:05:00Z")), None);
    }

    #[test]
    fn the_ends_of_time_do_no_harm() {
        for millis in [i64::MIN, i64::MAX] {
            let now = Timestamp::from_millis(millis);
            for window in Window::ALL {
                assert!(window.end(now).is_none_or(|end| end >= window.start(now)), "{millis} {window}");
            }
        }
    }
}
