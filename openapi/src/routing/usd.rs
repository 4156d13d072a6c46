//! Dollars per million tokens, as a number or a text.

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::schema::Type;
use utoipa::openapi::{ObjectBuilder, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::schema::{either, string};

/// Nano-USD of a dollar.
const NANOS: f64 = 1e9;
/// More than any price.
const MOST_USD: f64 = 1e9;

/// A price in nano-USD per million tokens, never negative. Written in USD, as `0.15` or `"0.15"`; finer parts than a
/// nano-USD are rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct UsdPerMillion(i64);

impl UsdPerMillion {
    /// Nano-USD per million tokens.
    #[must_use]
    pub fn nanos(self) -> i64 {
        self.0
    }

    fn of_usd(usd: f64) -> Option<Self> {
        #[expect(clippy::cast_possible_truncation, reason = "within the bounds just checked")]
        (0.0..=MOST_USD).contains(&usd).then(|| Self((usd * NANOS).round() as i64))
    }
}

impl Serialize for UsdPerMillion {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a price for people; exact to a nano-USD below nine million dollars"
    )]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0 as f64 / NANOS)
    }
}

impl<'de> Deserialize<'de> for UsdPerMillion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl Visitor<'_> for Reader {
    type Value = UsdPerMillion;

    fn expecting(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str("US dollars per million tokens, such as 0.15 or \"0.15\"")
    }

    fn visit_f64<E: de::Error>(self, usd: f64) -> Result<Self::Value, E> {
        UsdPerMillion::of_usd(usd).ok_or_else(|| E::invalid_value(de::Unexpected::Float(usd), &self))
    }

    #[expect(clippy::cast_precision_loss, reason = "what is too large to be exact is too large for a price")]
    fn visit_u64<E: de::Error>(self, usd: u64) -> Result<Self::Value, E> {
        UsdPerMillion::of_usd(usd as f64).ok_or_else(|| E::invalid_value(de::Unexpected::Unsigned(usd), &self))
    }

    fn visit_i64<E: de::Error>(self, usd: i64) -> Result<Self::Value, E> {
        u64::try_from(usd)
            .map_err(|_| E::invalid_value(de::Unexpected::Signed(usd), &self))
            .and_then(|usd| self.visit_u64(usd))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        let usd = text.parse().ok().and_then(UsdPerMillion::of_usd);
        usd.ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

impl PartialSchema for UsdPerMillion {
    fn schema() -> RefOr<Schema> {
        let number = Schema::Object(ObjectBuilder::new().schema_type(Type::Number).minimum(Some(0.0)).build());
        either("US dollars per million tokens, such as `0.15` or `\"0.15\"`.", number, string())
    }
}

impl ToSchema for UsdPerMillion {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_texts_are_dollars() {
        let read = |json: &str| serde_json::from_str::<UsdPerMillion>(json).map(UsdPerMillion::nanos).ok();
        for (json, nanos) in [
            ("0.15", Some(150_000_000)),
            ("\"0.15\"", Some(150_000_000)),
            ("3", Some(3_000_000_000)),
            ("1e-9", Some(1)),
            ("0", Some(0)),
            ("-0.1", None),
            ("-1", None),
            ("1e10", None),
            ("\"NaN\"", None),
            ("\"cheap\"", None),
            ("[1]", None),
        ] {
            assert_eq!(read(json), nanos, "{json}");
        }
    }
}
