//! Days as callers write them, and where in the list a page ends.

use peerway_billing::{DayUsage, KeyId, Timestamp};
use peerway_openapi::ApiError;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Date, OffsetDateTime};

const DATE: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");
/// Milliseconds.
const DAY: i64 = 86_400_000;

/// The midnight at which a day begins that is written as `2026-11-24`.
pub(super) fn day(text: &str, field: &str) -> Result<Timestamp, ApiError> {
    let date = Date::parse(text, DATE).map_err(|_| {
        let shown: String = text.chars().take(64).collect();
        ApiError::invalid(field, format!("`{shown}` is no day in UTC such as 2026-11-24."))
    })?;
    Ok(Timestamp::from_millis(date.midnight().assume_utc().unix_timestamp() * 1000))
}

/// The day as it is written; nothing where the calendar ends.
pub(super) fn date(day: Timestamp) -> String {
    let date = OffsetDateTime::from_unix_timestamp(day.as_secs()).ok().and_then(|moment| moment.format(DATE).ok());
    date.unwrap_or_default()
}

pub(super) fn days_before(day: Timestamp, days: u32) -> Timestamp {
    Timestamp::from_millis(day.as_millis().saturating_sub(i64::from(days).saturating_mul(DAY)))
}

/// A row's name, after which the next page begins: `2026-11-24/key_…/model`, of which the model may hold anything.
pub(super) fn write(row: &DayUsage) -> String {
    format!("{}/{}/{}", date(row.day), row.key.as_ref().map_or("", KeyId::as_str), row.model)
}

pub(super) fn read(text: &str) -> Result<(Timestamp, Option<KeyId>, String), ApiError> {
    let wrong = || ApiError::invalid("after", "`after` is the `last_id` of the page before.");
    let mut parts = text.splitn(3, '/');
    let (Some(on), Some(key), Some(model)) = (parts.next(), parts.next(), parts.next()) else { return Err(wrong()) };
    let key = if key.is_empty() { None } else { Some(KeyId::new(key).map_err(|_| wrong())?) };
    Ok((day(on, "after").map_err(|_| wrong())?, key, model.to_owned()))
}

#[cfg(test)]
mod tests {
    use peerway_billing::Nanos;

    use super::*;

    #[test]
    fn a_day_is_read_as_it_is_written() {
        for text in ["2026-11-24", "1970-01-01", "2028-02-29"] {
            assert_eq!(date(day(text, "from").unwrap()), text);
        }
        for nonsense in ["", "2026-11-31", "24.11.2026", "2026-11-24T00:00:00Z", "today"] {
            assert_eq!(day(nonsense, "from").unwrap_err().param(), Some("from"), "{nonsense}");
        }
        assert_eq!(date(days_before(day("2026-03-01", "to").unwrap(), 1)), "2026-02-28");
    }

    #[test]
    fn a_place_is_read_as_it_is_written() {
        for (key, model) in [(None, "m"), (Some("key_1"), "org/model/of=parts"), (Some("key_1"), "")] {
            let row = DayUsage {
                day: day("2026-11-24", "day").unwrap(),
                key: key.map(|key| KeyId::new(key).unwrap()),
                model: model.to_owned(),
                requests: 1,
                prompt: 0,
                cached: 0,
                completion: 0,
                spent: Nanos::ZERO,
            };
            assert_eq!(read(&write(&row)).unwrap(), (row.day, row.key, row.model));
        }
        for nonsense in ["", "2026-11-24", "2026-11-24/key_1", "x/key_1/m", "2026-11-24/two words/m"] {
            assert!(read(nonsense).is_err(), "{nonsense}");
        }
    }
}
