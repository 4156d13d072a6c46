//! Which models may serve a request, and on what terms.

use std::collections::VecDeque;
use std::sync::Arc;

use peerway_openapi::routing::{ProviderPreferences, ProviderSort};
use peerway_openapi::{ApiError, ErrorKind};

use super::{Caller, headers, refusals};
use crate::catalog::CatalogModel;
use crate::route::Wishes;

/// What a model's name may end with, and what nodes are then ordered by.
const SUFFIXES: [(&str, ProviderSort); 2] = [(":floor", ProviderSort::Price), (":nitro", ProviderSort::Throughput)];

/// A model that may serve, and the caller's wishes about its nodes.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) model: Arc<CatalogModel>,
    pub(super) wishes: Arc<Wishes>,
    /// Whether another node is asked as well where one is late.
    pub(super) hedges: bool,
}

/// The models that are left to try.
#[derive(Debug)]
pub(super) struct Plan(VecDeque<Choice>);

impl Plan {
    /// The model that was asked for, and those to fall back on. Each must be one that the caller may use. One that is not
    /// sold here is left out where there are others.
    ///
    /// # Errors
    /// `InvalidRequest` where a header is wrong, `ModelNotAllowed` for any of them, `ModelNotFound` where none is sold.
    pub(super) fn of(
        caller: &Caller,
        first: &str,
        others: &[String],
        provider: Option<&ProviderPreferences>,
    ) -> Result<Self, ApiError> {
        let hedges = headers::hedges(caller.hedge.as_ref())?;
        let (mut choices, mut unknown) = (VecDeque::<Choice>::new(), None);
        for (place, name) in [first].into_iter().chain(others.iter().map(String::as_str)).enumerate() {
            let field = place.checked_sub(1).map_or_else(|| "model".to_owned(), |place| format!("models[{place}]"));
            match named(caller, name) {
                Ok((model, sort)) => {
                    if !choices.iter().any(|known| known.model.card.id == model.card.id) {
                        choices.push_back(Choice { model, wishes: Arc::new(Wishes::of(provider, sort)), hedges });
                    }
                }
                Err(error) if error.kind() == ErrorKind::ModelNotFound => {
                    unknown.get_or_insert(error.at(field));
                }
                Err(error) => return Err(error.at(field)),
            }
        }
        match unknown {
            Some(error) if choices.is_empty() => Err(error),
            _ => Ok(Self(choices)),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next model to try.
    pub(super) fn next(&mut self) -> Option<Choice> {
        self.0.pop_front()
    }
}

/// The model that callers name so, if this one may use it, and what the name's suffix says.
///
/// # Errors
/// `ModelNotAllowed`, `ModelNotFound`.
pub(super) fn named(caller: &Caller, name: &str) -> Result<(Arc<CatalogModel>, Option<ProviderSort>), ApiError> {
    let catalog = &caller.gateway.catalog;
    // A model that is really called so comes first.
    let suffix = SUFFIXES.iter().filter(|_| catalog.get(name).is_none());
    let (id, sort) = suffix
        .filter_map(|(suffix, sort)| Some((name.strip_suffix(suffix)?, Some(*sort))))
        .next()
        .unwrap_or((name, None));
    caller.principal.may_use(id)?;
    let model = catalog.get(id).ok_or_else(|| refusals::model_not_found(id))?;
    Ok((model, sort))
}

/// Whether another model may be tried after this: the request itself is good, and this model cannot serve it.
pub(super) fn falls_back(error: &ApiError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ContextLengthExceeded
            | ErrorKind::NoEndpointMatches
            | ErrorKind::NoHealthyNode
            | ErrorKind::NodeFailed
    )
}
