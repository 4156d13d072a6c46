//! A field that is there, whatever is in it.

use serde::de::{Deserialize, Deserializer, IgnoredAny};

/// Stands for a value of any kind that is read only to be refused by name. `null` counts as absent: `Option<Present>` is
/// then `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Present;

impl<'de> Deserialize<'de> for Present {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}
