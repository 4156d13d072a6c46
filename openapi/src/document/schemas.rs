//! The schemas of everything served, with all that they refer to, by name.

use std::collections::BTreeMap;

use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// A type that the document describes.
pub(super) trait Documented: ToSchema + PartialSchema + 'static {}

impl<T: ToSchema + PartialSchema + 'static> Documented for T {}

/// Schemas by name. Two types of one name would be one to a reader: a test sees to it that there are none.
#[derive(Default)]
pub(super) struct Schemas(BTreeMap<String, Vec<RefOr<Schema>>>);

impl Schemas {
    /// Adds a type and all that it refers to.
    pub(super) fn add<T: Documented>(&mut self) {
        self.add_as::<T>(&T::name());
    }

    /// As [`Self::add`], under another name than the type's own.
    pub(super) fn add_as<T: Documented>(&mut self, name: &str) {
        let mut all = vec![(name.to_owned(), T::schema())];
        T::schemas(&mut all);
        for (name, schema) in all {
            let known = self.0.entry(name).or_default();
            if !known.contains(&schema) {
                known.push(schema);
            }
        }
    }

    pub(super) fn into_sorted(self) -> impl Iterator<Item = (String, RefOr<Schema>)> {
        self.0.into_iter().filter_map(|(name, schemas)| Some((name, schemas.into_iter().next()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{access, inference, probes};

    #[test]
    fn a_name_is_one_type() {
        let mut schemas = Schemas::default();
        for endpoint in inference::endpoints().into_iter().chain(access::endpoints()).chain(probes::endpoints()) {
            endpoint.types.into_iter().for_each(|add| add(&mut schemas));
        }
        let twice: Vec<_> = schemas.0.iter().filter(|(_, schemas)| schemas.len() > 1).map(|(name, _)| name).collect();
        assert_eq!(twice, Vec::<&String>::new());
    }
}
