//! A model as callers see it.

use std::collections::BTreeSet;

use peerway_openapi::models::{Architecture, Model};
use peerway_p2p::Candidate;

use super::pricing::pricing;
use crate::Gateway;
use crate::catalog::CatalogModel;
use crate::route::{asking_price, expected_cost};

/// What every node that answers conversations follows.
const USUAL: [&str; 8] = [
    "frequency_penalty",
    "max_completion_tokens",
    "max_tokens",
    "n",
    "presence_penalty",
    "stop",
    "temperature",
    "top_p",
];
/// A request by which nodes are compared: as many tokens of prompt as of answer.
pub(super) const TYPICAL: u64 = 1000;
/// A node's capability that marks a model which makes vectors and nothing else.
const EMBEDDINGS: &str = "embeddings";
/// Parameters that come with another.
const WITH: [(&str, &[&str]); 2] =
    [("tools", &["tool_choice", "parallel_tool_calls"]), ("logprobs", &["top_logprobs"])];
/// Capabilities that are no parameters of a request.
const NO_PARAMETERS: [&str; 4] = ["image_input", "audio_input", "completions", EMBEDDINGS];

pub(super) fn model(gateway: &Gateway, model: &CatalogModel) -> Model {
    let snapshot = gateway.peers.directory().snapshot();
    let candidates = snapshot.candidates(&model.card.id);
    let now_ms = gateway.peers.directory().now_ms();
    let is_sold = |candidate: &&Candidate| {
        candidate.is_healthy(now_ms) && model.price_cap.is_none_or(|cap| asking_price(candidate).within(&cap))
    };
    let prices = candidates.iter().filter(is_sold).map(asking_price);
    let cheapest = prices.min_by_key(|price| expected_cost(price, TYPICAL, 0, TYPICAL));
    let capabilities = candidates.iter().flat_map(capabilities).collect();
    Model {
        id: model.card.id.clone(),
        object: "model".to_owned(),
        created: model.card.created,
        owned_by: model.card.owned_by.clone(),
        name: Some(model.card.id.clone()),
        context_length: model.card.context_length,
        architecture: Some(architecture(&capabilities)),
        pricing: cheapest.map(|price| pricing(&price, gateway.fee)),
        supported_parameters: parameters(&capabilities),
        nodes: candidates.iter().filter(|candidate| candidate.is_healthy(now_ms)).count(),
        metering: model.metering(),
    }
}

/// What a node can do beyond what every node does.
pub(super) fn capabilities(candidate: &Candidate) -> impl Iterator<Item = &str> {
    candidate.offer().capabilities.iter().map(|name| &**name)
}

/// What a model of these capabilities reads and writes.
pub(super) fn architecture(capabilities: &BTreeSet<&str>) -> Architecture {
    let media = [("image_input", "image"), ("audio_input", "audio")];
    let media = media.iter().filter(|(capability, _)| capabilities.contains(capability)).map(|(_, medium)| *medium);
    let inputs: Vec<String> = ["text"].into_iter().chain(media).map(str::to_owned).collect();
    let output = if capabilities.contains(EMBEDDINGS) { EMBEDDINGS } else { "text" };
    Architecture {
        modality: format!("{}->{output}", inputs.join("+")),
        input_modalities: inputs,
        output_modalities: vec![output.to_owned()],
    }
}

/// Parameters of a request that a model of these capabilities follows.
pub(super) fn parameters(capabilities: &BTreeSet<&str>) -> Vec<String> {
    if capabilities.contains(EMBEDDINGS) {
        return vec!["encoding_format".to_owned()];
    }
    let own = capabilities.iter().copied().filter(|capability| !NO_PARAMETERS.contains(capability));
    let with = WITH.iter().filter(|(capability, _)| capabilities.contains(capability));
    let all: BTreeSet<&str> =
        USUAL.into_iter().chain(own).chain(with.flat_map(|(_, with)| with.iter().copied())).collect();
    all.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_model_follows_comes_from_its_nodes() {
        let chat = BTreeSet::from(["tools", "image_input", "completions"]);
        let parameters = parameters(&chat);
        assert!(["tools", "tool_choice", "temperature"].iter().all(|name| parameters.iter().any(|own| own == name)));
        assert!(!parameters.iter().any(|name| name == "image_input" || name == "seed"));
        assert_eq!(architecture(&chat).modality, "text+image->text");
        assert_eq!(architecture(&BTreeSet::from(["embeddings"])).modality, "text->embeddings");
    }
}
