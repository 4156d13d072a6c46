//! Which nodes are tried, and in which order.

mod oracle;
mod order;
mod standing;
mod wishes;

use peerway::route::{Need, rank};
use peerway_p2p::{Ask, Candidate, ModelOffer, Offer, PeerId};

const MODEL: &str = "m";

fn model() -> ModelOffer {
    ModelOffer {
        id: MODEL.to_owned(),
        ask: Ask { input: 10_000, cached_input: 10_000, output: 10_000 },
        context_length: 2048,
        quantization: "Q8_0".to_owned(),
        weights_hash: String::new(),
        capabilities: Vec::new(),
    }
}

/// A node of two slots with this offer.
fn offering(operator: Option<&str>, region: &str, model: ModelOffer) -> Candidate {
    let (operator, region) = (operator.map(str::to_owned), region.to_owned());
    let offer = Offer { operator, region, slots: 2, engine: "test".to_owned(), models: vec![model] };
    Candidate::detached(PeerId::random(), offer, MODEL).expect("the offer has the model")
}

fn node(input: i64, output: i64) -> Candidate {
    offering(None, "", ModelOffer { ask: Ask { input, cached_input: input, output }, ..model() })
}

fn need() -> Need<'static> {
    Need::of(100, 100, 1)
}

/// The places of the picks among the nodes.
fn order(nodes: &[Candidate], need: &Need<'_>) -> Vec<usize> {
    let picks = rank(nodes, need, &[]).expect("a node fits");
    let place = |peer: PeerId| nodes.iter().position(|node| node.peer_id() == peer).expect("a pick is one of them");
    picks.iter().map(|pick| place(pick.candidate.peer_id())).collect()
}
