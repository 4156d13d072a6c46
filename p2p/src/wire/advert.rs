//! Signing an advert, and reading one that nobody should believe yet.
//!
//! A connection already proves who speaks. The signature is for later readers: an advert can be kept and shown to others
//! as what this node really asked. So the signer must be the connection's peer, and the domain before the payload keeps
//! the signature from meaning anything elsewhere.

use libp2p::PeerId;
use libp2p::identity::{KeyType, PublicKey};
use prost::Message;

use super::{AdvertBody, ModelBody, SignedAdvert};
use crate::identity::Identity;
use crate::offer::{Ask, ModelOffer, Offer};

/// Precedes every signed payload.
const DOMAIN: &[u8] = b"peerway/advert/1\0";

/// An advert as read: signed by whom it should be, its offer not yet checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Advert {
    /// Grows with every advert of a node.
    pub(crate) seq: u64,
    /// Milliseconds since 1970, by the node's clock.
    pub(crate) issued_at_ms: u64,
    /// Milliseconds since 1970, by the node's clock.
    pub(crate) expires_at_ms: u64,
    /// What is offered.
    pub(crate) offer: Offer,
}

/// Why an advert is not even read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AdvertError {
    /// The key is none, or none of the kind that peers have.
    #[error("its public key is no ed25519 key")]
    BadKey,
    /// Another peer's key.
    #[error("it is signed by another peer than the one that sent it")]
    ForeignKey,
    /// The signature does not hold.
    #[error("its signature does not hold")]
    BadSignature,
    /// The payload is no advert.
    #[error("its payload is no advert")]
    BadPayload,
}

fn to_sign(payload: &[u8]) -> Vec<u8> {
    [DOMAIN, payload].concat()
}

/// Signs an advert. None where the key cannot sign, which an ed25519 key always can.
pub(crate) fn sign_advert(advert: &Advert, identity: &Identity) -> Option<SignedAdvert> {
    let payload = body_of(advert).encode_to_vec();
    let signature = identity.keypair().sign(&to_sign(&payload)).ok()?;
    let public_key = identity.keypair().public().encode_protobuf();
    Some(SignedAdvert { payload: payload.into(), public_key: public_key.into(), signature: signature.into() })
}

/// Reads an advert that came from this peer.
pub(crate) fn read_advert(signed: &SignedAdvert, from: PeerId) -> Result<Advert, AdvertError> {
    let key = PublicKey::try_decode_protobuf(&signed.public_key).map_err(|_| AdvertError::BadKey)?;
    if key.key_type() != KeyType::Ed25519 {
        return Err(AdvertError::BadKey);
    }
    if key.to_peer_id() != from {
        return Err(AdvertError::ForeignKey);
    }
    if !key.verify(&to_sign(&signed.payload), &signed.signature) {
        return Err(AdvertError::BadSignature);
    }
    let body = AdvertBody::decode(signed.payload.clone()).map_err(|_| AdvertError::BadPayload)?;
    Ok(advert_of(body))
}

fn body_of(advert: &Advert) -> AdvertBody {
    let offer = &advert.offer;
    AdvertBody {
        seq: advert.seq,
        issued_at_ms: advert.issued_at_ms,
        expires_at_ms: advert.expires_at_ms,
        operator: offer.operator.clone(),
        region: offer.region.clone(),
        slots: offer.slots,
        engine: offer.engine.clone(),
        models: offer.models.iter().map(model_body_of).collect(),
    }
}

fn model_body_of(model: &ModelOffer) -> ModelBody {
    ModelBody {
        id: model.id.clone(),
        ask_input: model.ask.input,
        ask_cached_input: model.ask.cached_input,
        ask_output: model.ask.output,
        context_length: model.context_length,
        quantization: model.quantization.clone(),
        weights_hash: model.weights_hash.clone(),
        capabilities: model.capabilities.clone(),
    }
}

fn advert_of(body: AdvertBody) -> Advert {
    let models = body.models.into_iter().map(|model| ModelOffer {
        id: model.id,
        ask: Ask { input: model.ask_input, cached_input: model.ask_cached_input, output: model.ask_output },
        context_length: model.context_length,
        quantization: model.quantization,
        weights_hash: model.weights_hash,
        capabilities: model.capabilities,
    });
    Advert {
        seq: body.seq,
        issued_at_ms: body.issued_at_ms,
        expires_at_ms: body.expires_at_ms,
        offer: Offer {
            operator: body.operator,
            region: body.region,
            slots: body.slots,
            engine: body.engine,
            models: models.collect(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offer::tests::{largest, offer};
    use crate::wire::MAX_FRAME;

    fn advert(offer: Offer) -> Advert {
        Advert { seq: 1, issued_at_ms: 2, expires_at_ms: 3, offer }
    }

    #[test]
    fn a_signed_advert_is_read_back() {
        let node = Identity::generate();
        let advert = advert(offer("m", 5));
        let signed = sign_advert(&advert, &node).unwrap();
        assert_eq!(read_advert(&signed, node.peer_id()), Ok(advert));
    }

    #[test]
    fn the_largest_offer_fits_a_frame() {
        let signed = sign_advert(&advert(largest()), &Identity::generate()).unwrap();
        let size = signed.encoded_len();
        assert!(size + 16 < MAX_FRAME, "{size}");
    }

    #[test]
    fn nothing_but_the_peers_own_signature_will_do() {
        let (node, other) = (Identity::generate(), Identity::generate());
        let signed = sign_advert(&advert(offer("m", 5)), &node).unwrap();
        assert_eq!(read_advert(&signed, other.peer_id()), Err(AdvertError::ForeignKey));

        let mut changed = signed.clone();
        changed.payload = body_of(&advert(offer("m", 4))).encode_to_vec().into();
        assert_eq!(read_advert(&changed, node.peer_id()), Err(AdvertError::BadSignature));

        let mut undomained = signed.clone();
        undomained.signature = node.keypair().sign(&signed.payload).unwrap().into();
        assert_eq!(read_advert(&undomained, node.peer_id()), Err(AdvertError::BadSignature));

        let mut keyless = signed.clone();
        keyless.public_key = b"no key".to_vec().into();
        assert_eq!(read_advert(&keyless, node.peer_id()), Err(AdvertError::BadKey));

        let mut nonsense = signed;
        nonsense.payload = b"\xff\xff".to_vec().into();
        nonsense.signature = node.keypair().sign(&to_sign(&nonsense.payload)).unwrap().into();
        assert_eq!(read_advert(&nonsense, node.peer_id()), Err(AdvertError::BadPayload));
    }
}
