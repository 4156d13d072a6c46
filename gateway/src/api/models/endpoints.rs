//! The nodes behind a model.

use peerway_openapi::models::{Endpoint, EndpointList, ModelEndpoints};
use peerway_p2p::Candidate;

use super::describe::{architecture, capabilities, parameters};
use super::pricing::pricing;
use crate::Gateway;
use crate::catalog::CatalogModel;
use crate::route::{asking_price, expected_cost};

/// A request by which nodes are ordered: as many tokens of prompt as of answer.
const TYPICAL: u64 = 256;

pub(super) fn of(gateway: &Gateway, model: &CatalogModel) -> EndpointList {
    let directory = gateway.peers.directory();
    let (snapshot, now_ms) = (directory.snapshot(), directory.now_ms());
    let mut candidates: Vec<&Candidate> = snapshot.candidates(&model.card.id).iter().collect();
    candidates.sort_by_key(|candidate| expected_cost(&asking_price(candidate), TYPICAL, TYPICAL));
    let all = candidates.iter().flat_map(|candidate| capabilities(candidate)).collect();
    let endpoints = candidates.iter().map(|candidate| endpoint(gateway, candidate, now_ms)).collect();
    let id = model.card.id.clone();
    let (name, created) = (id.clone(), model.card.created);
    EndpointList { data: ModelEndpoints { id, name, created, architecture: architecture(&all), endpoints } }
}

fn endpoint(gateway: &Gateway, candidate: &Candidate, now_ms: u64) -> Endpoint {
    let (offer, stats) = (candidate.offer(), candidate.stats());
    let node = candidate.peer_id().to_string();
    let told = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let milli = stats.load().tokens_per_second_milli;
    Endpoint {
        name: format!("{node} | {}", offer.id),
        provider_name: node,
        context_length: offer.context_length,
        pricing: pricing(&asking_price(candidate), gateway.fee),
        quantization: told(&offer.quantization),
        region: told(candidate.region()),
        supported_parameters: parameters(&capabilities(candidate).collect()),
        status: if stats.is_healthy(now_ms) { 0 } else { -1 },
        slots: candidate.slots(),
        occupied: stats.occupied(),
        latency_ms: Some(stats.ttft_ms()).filter(|millis| *millis > 0),
        tokens_per_second: (milli > 0).then(|| thousandths(milli)),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a speed, for people")]
fn thousandths(milli: u64) -> f64 {
    milli as f64 / 1000.0
}
