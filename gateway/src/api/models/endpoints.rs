//! The nodes behind a model.

use peerway_openapi::models::{Endpoint, EndpointList, EndpointState, ModelEndpoints};
use peerway_p2p::{Candidate, Circuit};

use super::describe::{TYPICAL, architecture, capabilities, parameters};
use super::pricing::pricing;
use crate::Gateway;
use crate::catalog::CatalogModel;
use crate::route::{asking_price, expected_cost};

pub(super) fn of(gateway: &Gateway, model: &CatalogModel) -> EndpointList {
    let directory = gateway.peers.directory();
    let (snapshot, now_ms) = (directory.snapshot(), directory.now_ms());
    let mut candidates: Vec<&Candidate> = snapshot.candidates(&model.card.id).iter().collect();
    candidates.sort_by_cached_key(|candidate| expected_cost(&asking_price(candidate), TYPICAL, 0, TYPICAL));
    let all = candidates.iter().flat_map(|candidate| capabilities(candidate)).collect();
    let endpoints = candidates.iter().map(|candidate| endpoint(gateway, candidate, now_ms)).collect();
    let id = model.card.id.clone();
    let (name, created) = (id.clone(), model.card.created);
    EndpointList { data: ModelEndpoints { id, name, created, architecture: architecture(&all), endpoints } }
}

fn endpoint(gateway: &Gateway, candidate: &Candidate, now_ms: u64) -> Endpoint {
    let (offer, stats, health) = (candidate.offer(), candidate.stats(), candidate.health());
    let node = candidate.peer_id().to_string();
    let told = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let (first_token, speed) = (health.first_token_ms(now_ms), health.speed_milli(now_ms));
    let word = stats.load();
    let milli = speed.map_or(word.tokens_per_second_milli, |(milli, _)| u64::from(milli));
    Endpoint {
        name: format!("{node} | {}", offer.id),
        provider_name: node,
        operator: candidate.operator().map(str::to_owned),
        context_length: offer.context_length,
        pricing: pricing(&asking_price(candidate), gateway.fee),
        quantization: told(&offer.quantization),
        region: told(candidate.region()),
        supported_parameters: parameters(&capabilities(candidate).collect()),
        status: if candidate.is_healthy(now_ms) { 0 } else { -1 },
        state: state(candidate, now_ms),
        uptime: health.uptime_milli().map(|milli| thousandths(u64::from(milli))),
        slots: candidate.slots(),
        occupied: stats.occupied(),
        latency_ms: first_token.map(|(ms, _)| ms).or(Some(word.ttft_ms)).filter(|millis| *millis > 0),
        tokens_per_second: (milli > 0).then(|| thousandths(milli)),
        measured: first_token.map_or(0, |(_, samples)| samples),
    }
}

fn state(candidate: &Candidate, now_ms: u64) -> EndpointState {
    match candidate.health().circuit(now_ms) {
        _ if !candidate.stats().is_open() => EndpointState::Leaving,
        Circuit::Closed => EndpointState::Healthy,
        Circuit::Open => EndpointState::Resting,
        Circuit::HalfOpen | Circuit::Trying => EndpointState::OnTrial,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a number for people")]
fn thousandths(milli: u64) -> f64 {
    milli as f64 / 1000.0
}
