//! A choice told to who asked for it.

use peerway_billing::{PerMillion, Price};
use peerway_p2p::{Candidate, PeerId, Row};
use serde::Serialize;

use super::fit::Fitting;
use super::pick::Ordering;
use super::{Need, Pick, Refusal, Unwanted, asking_price};
use crate::api::models::usd_per_million;

/// Nodes that are told of, the best first.
const MOST_TOLD: usize = 32;
/// Nodes that a refusal names.
const MOST_NAMED: usize = 8;

/// Why this node.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The catalog's id of the model.
    pub model: String,
    /// The nodes that offer it, in the order in which they would be tried; then those that cannot serve.
    pub candidates: Vec<Considered>,
    /// Nodes beyond those listed.
    pub more: usize,
}

/// A node that was looked at.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Considered {
    /// Its peer id.
    pub node: String,
    /// USD that a million prompt tokens and as many generated ones cost there, without the fee.
    pub price: (String, String),
    /// USD that this request is expected to cost there, without the fee. None where it cannot serve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
    /// Requests there per slot. None where it cannot serve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load: Option<f64>,
    /// `try_1` to `try_3`, `reserve`, or why it cannot serve.
    pub verdict: String,
    /// What put it behind others: `full`, `short_context`, `not_preferred`, `slow`, `new`; or what it has: `knows_prompt`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<&'static str>,
}

/// Explains a choice made by [`super::rank`] of the same candidates for the same need.
#[must_use]
pub fn explain<'a, C: Into<Row<'a>>>(
    model: &str,
    candidates: impl IntoIterator<Item = C>,
    need: &Need<'_>,
    picks: &[Pick],
) -> Explanation {
    let (mut fitting, mut unfit) = (Vec::new(), Vec::new());
    for row in candidates.into_iter().map(Into::into) {
        match Fitting::read(row, need, &[]) {
            Ok(node) => fitting.push(node),
            Err(refusal) => unfit.push((row.candidate(), refusal)),
        }
    }
    let ordering = Ordering::of(&mut fitting, need, &mut Vec::new());
    let place = |node: &Fitting<'_>| picks.iter().position(|pick| pick.candidate.peer_id() == node.candidate.peer_id());
    fitting.sort_by_cached_key(|node| (place(node).unwrap_or(usize::MAX), ordering.key(node)));
    let all = fitting.len() + unfit.len();
    let served = fitting.iter().map(|node| fit(node, place(node)));
    let told = served.chain(unfit.iter().map(|(candidate, refusal)| unfitting(candidate, refusal)));
    let candidates: Vec<Considered> = told.take(MOST_TOLD).collect();
    Explanation { model: model.to_owned(), more: all - candidates.len(), candidates }
}

impl Explanation {
    /// As JSON of at most so many bytes: nodes are left out from the end until it fits.
    #[must_use]
    pub fn to_json(mut self, most: usize) -> String {
        loop {
            // Numbers and texts can always be written.
            let json = serde_json::to_string(&self).unwrap_or_default();
            if json.len() <= most || self.candidates.pop().is_none() {
                return json;
            }
            self.more += 1;
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "an amount and a share, for people")]
fn fit(node: &Fitting<'_>, place: Option<usize>) -> Considered {
    let notes = [
        (!node.holds_all, "short_context"),
        (!node.has_room, "full"),
        (node.distance > 0, "not_preferred"),
        (node.is_slow, "slow"),
        (node.is_held_back, "new"),
        (node.knows_prompt, "knows_prompt"),
    ];
    Considered {
        node: node.candidate.peer_id().to_string(),
        price: price(&asking_price(node.candidate)),
        cost: Some(node.cost as f64 / 1e15),
        load: Some(f64::from(node.load) / 1000.0),
        verdict: place.map_or_else(|| "reserve".to_owned(), |place| format!("try_{}", place + 1)),
        notes: notes.into_iter().filter(|(holds, _)| *holds).map(|(_, note)| note).collect(),
    }
}

fn unfitting(candidate: &Candidate, refusal: &Refusal) -> Considered {
    let verdict = match refusal {
        Refusal::Unwanted(wish) => wish.field().to_owned(),
        Refusal::Incapable(requirement) => format!("no {}", requirement.capability),
        other => other.code().to_owned(),
    };
    let (node, price) = (candidate.peer_id().to_string(), price(&asking_price(candidate)));
    Considered { node, price, cost: None, load: None, verdict, notes: Vec::new() }
}

fn price(price: &Price) -> (String, String) {
    (usd_per_million(price.input), usd_per_million(price.output))
}

/// Why none of these nodes serves, node by node, for a caller; a few of them, and how many there are besides.
#[must_use]
pub fn why_not<'a>(
    candidates: impl IntoIterator<Item = &'a Candidate>,
    need: &Need<'_>,
    excluded: &[PeerId],
) -> String {
    let (mut told, mut more) = (Vec::new(), 0_usize);
    for candidate in candidates {
        let Err(refusal) = Fitting::read(candidate.into(), need, excluded) else { continue };
        if told.len() < MOST_NAMED {
            told.push(format!("{} {}", candidate.peer_id(), reason(candidate, &refusal, need)));
        } else {
            more += 1;
        }
    }
    if more > 0 {
        told.push(format!("and {more} more"));
    }
    told.join("; ")
}

fn reason(candidate: &Candidate, refusal: &Refusal, need: &Need<'_>) -> String {
    let paid = |ask: PerMillion| {
        let with_fee = i128::from(ask.as_i64()) * i128::from(10_000 + need.fee.basis_points()) / 10_000;
        let with_fee = i64::try_from(with_fee).ok().and_then(PerMillion::new);
        with_fee.map_or_else(|| "more than any price".to_owned(), |price| format!("${}", usd_per_million(price)))
    };
    let price = asking_price(candidate);
    match refusal {
        Refusal::NotOffered => "does not offer it".to_owned(),
        Refusal::Incapable(requirement) => format!("does not follow `{}`", requirement.capability),
        Refusal::TooDear => "asks more than this gateway pays".to_owned(),
        Refusal::ContextTooShort => format!("has a context of {} tokens", candidate.offer().context_length),
        Refusal::NoneHealthy => "is not healthy".to_owned(),
        Refusal::Unwanted(wish) => match wish {
            Unwanted::Ignored => "is in `ignore`".to_owned(),
            Unwanted::NotInOnly => "is not in `only`".to_owned(),
            Unwanted::NotInOrder => "is not in `order`, and `allow_fallbacks` is false".to_owned(),
            Unwanted::MayCollect => "does not promise to keep nothing".to_owned(),
            Unwanted::Quantization if candidate.offer().quantization.is_empty() => {
                "does not tell its quantization".to_owned()
            }
            Unwanted::Quantization => format!("has `{}`", candidate.offer().quantization),
            Unwanted::PromptPrice => format!("costs {} for a million prompt tokens", paid(price.input)),
            Unwanted::CompletionPrice => format!("costs {} for a million generated tokens", paid(price.output)),
        },
    }
}
