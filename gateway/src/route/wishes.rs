//! What a caller wishes of the nodes, made ready to be held against hundreds of them.

use peerway_billing::{FeeBps, PerMillion, Price};
use peerway_openapi::routing::{DataCollection, ProviderPreferences, ProviderSort};
use peerway_p2p::{Candidate, PeerId};

use super::Unwanted;

/// The capability of a node that promises to keep nothing of what it is sent.
const KEEPS_NOTHING: &str = "no_data_collection";

/// A name in a list of wishes: of a node, an operator or a region.
#[derive(Debug, Clone)]
struct Name {
    text: String,
    peer: Option<PeerId>,
}

impl Name {
    fn of(text: &str) -> Self {
        Self { text: text.to_owned(), peer: text.parse().ok() }
    }

    fn is(&self, candidate: &Candidate) -> bool {
        let is_other = || {
            candidate.operator().is_some_and(|operator| operator.eq_ignore_ascii_case(&self.text))
                || candidate.region().eq_ignore_ascii_case(&self.text)
        };
        self.peer.is_some_and(|peer| peer == candidate.peer_id()) || is_other()
    }
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Wishes {
    order: Vec<Name>,
    /// Empty: any.
    only: Vec<Name>,
    ignore: Vec<Name>,
    no_fallbacks: bool,
    deny_collection: bool,
    quantizations: Vec<String>,
    pub(super) sort: Option<ProviderSort>,
    max_prompt: Option<PerMillion>,
    max_completion: Option<PerMillion>,
    min_speed_milli: Option<u64>,
    max_first_token_ms: Option<u64>,
    /// The caller would have nodes drop parameters that they do not follow. None may; where that matters it is said.
    lets_drop_parameters: bool,
}

impl Wishes {
    /// No wishes at all.
    #[must_use]
    pub fn none() -> &'static Self {
        static NONE: Wishes = Wishes {
            order: Vec::new(),
            only: Vec::new(),
            ignore: Vec::new(),
            no_fallbacks: false,
            deny_collection: false,
            quantizations: Vec::new(),
            sort: None,
            max_prompt: None,
            max_completion: None,
            min_speed_milli: None,
            max_first_token_ms: None,
            lets_drop_parameters: false,
        };
        &NONE
    }

    /// The wishes of a request. `sort` is that of the model's suffix, and counts where `provider` says nothing.
    #[must_use]
    pub fn of(provider: Option<&ProviderPreferences>, sort: Option<ProviderSort>) -> Self {
        let Some(provider) = provider else { return Self { sort, ..Self::none().clone() } };
        let names = |list: &Option<Vec<String>>| list.iter().flatten().map(|name| Name::of(name)).collect();
        let max = provider.max_price.unwrap_or_default();
        let price =
            |usd: Option<peerway_openapi::routing::UsdPerMillion>| usd.and_then(|usd| PerMillion::new(usd.nanos()));
        Self {
            order: names(&provider.order),
            only: names(&provider.only),
            ignore: names(&provider.ignore),
            no_fallbacks: provider.allow_fallbacks == Some(false),
            deny_collection: provider.data_collection == Some(DataCollection::Deny),
            quantizations: provider.quantizations.clone().unwrap_or_default(),
            sort: provider.sort.or(sort),
            max_prompt: price(max.prompt),
            max_completion: price(max.completion),
            min_speed_milli: provider.preferred_min_throughput.map(thousandths),
            max_first_token_ms: provider.preferred_max_latency.map(thousandths),
            lets_drop_parameters: provider.require_parameters == Some(false),
        }
    }

    /// Whether the caller would have nodes drop parameters that they do not follow.
    pub(crate) fn lets_drop_parameters(&self) -> bool {
        self.lets_drop_parameters
    }

    /// Whether only one node may be tried.
    pub(super) fn is_single_try(&self) -> bool {
        self.no_fallbacks && self.order.is_empty()
    }

    /// The place of a node in the caller's order, the first being 0; those that are not in it share the last. An error
    /// where it may not serve at all.
    pub(super) fn place(&self, candidate: &Candidate, price: &Price, fee: FeeBps) -> Result<usize, Unwanted> {
        let is_in = |names: &[Name]| names.iter().any(|name| name.is(candidate));
        if is_in(&self.ignore) {
            return Err(Unwanted::Ignored);
        }
        if !self.only.is_empty() && !is_in(&self.only) {
            return Err(Unwanted::NotInOnly);
        }
        let place = self.order.iter().position(|name| name.is(candidate));
        if self.no_fallbacks && !self.order.is_empty() && place.is_none() {
            return Err(Unwanted::NotInOrder);
        }
        if self.deny_collection && !candidate.offer().capabilities.iter().any(|name| **name == *KEEPS_NOTHING) {
            return Err(Unwanted::MayCollect);
        }
        let is_stored = |wanted: &String| wanted.eq_ignore_ascii_case(&candidate.offer().quantization);
        if !self.quantizations.is_empty() && !self.quantizations.iter().any(is_stored) {
            return Err(Unwanted::Quantization);
        }
        if is_above(price.input, fee, self.max_prompt) {
            return Err(Unwanted::PromptPrice);
        }
        if is_above(price.output, fee, self.max_completion) {
            return Err(Unwanted::CompletionPrice);
        }
        Ok(place.unwrap_or(self.order.len()))
    }

    /// How far a node is from what is preferred: 0 meets it, 1 is not known to, 2 does not. `None`: not known.
    pub(super) fn distance(&self, first_token_ms: Option<u32>, speed_milli: Option<u32>) -> u8 {
        let latency = self
            .max_first_token_ms
            .map_or(0, |most| first_token_ms.map_or(1, |ms| if u64::from(ms) <= most { 0 } else { 2 }));
        let speed = self
            .min_speed_milli
            .map_or(0, |least| speed_milli.map_or(1, |milli| if u64::from(milli) >= least { 0 } else { 2 }));
        latency.max(speed)
    }
}

/// Whether what a caller pays, the fee included, is above a bound.
fn is_above(ask: PerMillion, fee: FeeBps, most: Option<PerMillion>) -> bool {
    let paid = i128::from(ask.as_i64()) * i128::from(10_000 + fee.basis_points());
    most.is_some_and(|most| paid > i128::from(most.as_i64()) * 10_000)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, and a wish is never negative"
)]
fn thousandths(number: f64) -> u64 {
    (number * 1000.0).round() as u64
}
