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
        let is_same = |one: &Arc<CatalogModel>, other: &Arc<CatalogModel>| one.card.id == other.card.id;
        let found = in_order(first, others, is_same, |name| named(caller, name))?;
        let choice = |(model, sort)| Choice { model, wishes: Arc::new(Wishes::of(provider, sort)), hedges };
        Ok(Self(found.into_iter().map(choice).collect()))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next model to try.
    pub(super) fn next(&mut self) -> Option<Choice> {
        self.0.pop_front()
    }
}

/// A model, and what its name's suffix says.
type Named<M> = (M, Option<ProviderSort>);

/// Those that are sold here, each once, in their order. An error names the field.
fn in_order<M>(
    first: &str,
    others: &[String],
    is_same: impl Fn(&M, &M) -> bool,
    named: impl Fn(&str) -> Result<Named<M>, ApiError>,
) -> Result<Vec<Named<M>>, ApiError> {
    let (mut found, mut unknown) = (Vec::<Named<M>>::new(), None);
    for (place, name) in [first].into_iter().chain(others.iter().map(String::as_str)).enumerate() {
        let field = place.checked_sub(1).map_or_else(|| "model".to_owned(), |place| format!("models[{place}]"));
        match named(name) {
            Ok(model) => {
                if !found.iter().any(|known| is_same(&known.0, &model.0)) {
                    found.push(model);
                }
            }
            Err(error) if error.kind() == ErrorKind::ModelNotFound => {
                unknown.get_or_insert(error.at(field));
            }
            Err(error) => return Err(error.at(field)),
        }
    }
    match unknown {
        Some(error) if found.is_empty() => Err(error),
        _ => Ok(found),
    }
}

/// The model that callers name so, if this one may use it, and what the name's suffix says.
///
/// # Errors
/// `ModelNotAllowed`, `ModelNotFound`.
pub(super) fn named(caller: &Caller, name: &str) -> Result<(Arc<CatalogModel>, Option<ProviderSort>), ApiError> {
    let catalog = &caller.gateway.catalog;
    let (id, sort) = read_name(name, |name| catalog.get(name).is_some());
    caller.principal.may_use(id)?;
    let model = catalog.get(id).ok_or_else(|| refusals::model_not_found(id))?;
    Ok((model, sort))
}

/// A model's id and what its suffix says. A model that is really called so comes first.
fn read_name(name: &str, is_sold: impl Fn(&str) -> bool) -> (&str, Option<ProviderSort>) {
    let suffix = SUFFIXES.iter().filter(|_| !is_sold(name));
    let cut = suffix.filter_map(|(suffix, sort)| Some((name.strip_suffix(suffix)?, Some(*sort)))).next();
    cut.unwrap_or((name, None))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What is sold here: `a`, `b` and, to nobody here, `secret`.
    fn sold(name: &str) -> Result<Named<String>, ApiError> {
        let (id, sort) = read_name(name, |name| ["a", "b"].contains(&name));
        match id {
            "a" | "b" => Ok((id.to_owned(), sort)),
            "secret" => Err(ApiError::new(ErrorKind::ModelNotAllowed, "not for you")),
            _ => Err(refusals::model_not_found(id)),
        }
    }

    fn plan(first: &str, others: &[&str]) -> Result<Vec<Named<String>>, (ErrorKind, Option<String>)> {
        let others: Vec<String> = others.iter().map(|name| (*name).to_owned()).collect();
        let told = |error: ApiError| (error.kind(), error.param().map(str::to_owned));
        in_order(first, &others, |one, other| one == other, sold).map_err(told)
    }

    #[test]
    fn models_are_tried_once_each_in_the_order_in_which_they_are_named() {
        let names = |first, others: &[&str]| {
            plan(first, others).unwrap().into_iter().map(|(id, sort)| (id, sort.is_some())).collect::<Vec<_>>()
        };
        let own = |id: &str| (id.to_owned(), false);
        assert_eq!(names("b", &["a"]), [own("b"), own("a")]);
        assert_eq!(names("a", &["a", "b", "a:floor"]), [own("a"), own("b")]);
        assert_eq!(names("a:floor", &["a"]), [("a".to_owned(), true)], "the first of its names says how");
        assert_eq!(names("nowhere", &["b", "nor-this"]), [own("b")]);
    }

    #[test]
    fn one_that_is_not_sold_is_an_error_where_there_is_no_other_and_one_that_is_not_allowed_always() {
        let error = |first, others: &[&str]| plan(first, others).unwrap_err();
        let at = |field: &str| Some(field.to_owned());
        assert_eq!(error("nowhere", &["nor-this"]), (ErrorKind::ModelNotFound, at("model")));
        assert_eq!(error("a", &["b", "secret"]), (ErrorKind::ModelNotAllowed, at("models[1]")));
        assert_eq!(error("secret", &["a"]), (ErrorKind::ModelNotAllowed, at("model")));
    }

    #[test]
    fn a_suffix_says_by_what_nodes_are_ordered_unless_it_is_part_of_the_name() {
        let read = |name| read_name(name, |sold| ["a", "b:nitro"].contains(&sold));
        assert_eq!(read("a"), ("a", None));
        assert_eq!(read("a:floor"), ("a", Some(ProviderSort::Price)));
        assert_eq!(read("a:nitro"), ("a", Some(ProviderSort::Throughput)));
        assert_eq!(read("b:nitro"), ("b:nitro", None));
        assert_eq!(read("a:fast"), ("a:fast", None));
    }

    #[test]
    fn another_model_is_tried_where_this_one_cannot_serve_and_not_where_the_request_is_wrong() {
        use ErrorKind::{
            AccountFrozen, BudgetExhausted, ContextLengthExceeded, InsufficientCredit, Internal, InvalidRequest,
            LedgerUnavailable, ModelNotAllowed, NoEndpointMatches, NoHealthyNode, NodeFailed,
        };
        let of = |kind| falls_back(&ApiError::new(kind, ""));
        assert!([ContextLengthExceeded, NoEndpointMatches, NoHealthyNode, NodeFailed].into_iter().all(of));
        let final_ones = [InvalidRequest, ModelNotAllowed, InsufficientCredit, BudgetExhausted, AccountFrozen];
        assert!(!final_ones.into_iter().chain([Internal, LedgerUnavailable]).any(of));
    }
}
