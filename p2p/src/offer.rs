//! What a node offers, as both ends see it, and the bounds that an offer keeps.
//!
//! The bounds are checked twice: by the node, so that its operator is told at once, and by the gateway, which believes
//! nothing. They are chosen so that any offer within them fits one control frame.

use std::collections::HashSet;

/// Models of one offer.
const MAX_MODELS: usize = 64;
/// Bytes of a model's id.
const MAX_ID: usize = 128;
/// Bytes of a weights hash.
const MAX_HASH: usize = 128;
/// Bytes of operator, region, engine and quantization.
const MAX_NAME: usize = 64;
/// Capabilities of one model.
const MAX_CAPABILITIES: usize = 16;
/// Bytes of a capability.
const MAX_CAPABILITY: usize = 32;
/// Requests that a node may claim to run at a time.
const MAX_SLOTS: u32 = 4096;

/// A node's price in nano-USD per million tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Ask {
    /// Per million prompt tokens.
    pub input: i64,
    /// Per million prompt tokens that were found in a cache.
    pub cached_input: i64,
    /// Per million generated tokens.
    pub output: i64,
}

/// One model of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelOffer {
    /// The name under which callers ask for it.
    pub id: String,
    /// What its tokens cost.
    pub ask: Ask,
    /// Tokens of prompt and answer together.
    pub context_length: u32,
    /// How the weights are stored, such as `Q8_0`. Empty: not told.
    pub quantization: String,
    /// A hash of the weights. Empty: not told.
    pub weights_hash: String,
    /// What the model can do beyond text, such as `tools`.
    pub capabilities: Vec<String>,
}

/// Everything a node offers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offer {
    /// The account that is paid for the node's work. None: the node itself, by its peer id.
    pub operator: Option<String>,
    /// Where the node stands, in its operator's words. Empty: not told.
    pub region: String,
    /// Requests that the node runs at a time.
    pub slots: u32,
    /// The engine and its version, for people.
    pub engine: String,
    /// The models. None of them: the node is there but serves nothing.
    pub models: Vec<ModelOffer>,
}

/// How busy a node is, as it says itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Requests that run.
    pub running: u32,
    /// Requests that wait for a slot.
    pub waiting: u32,
    /// Slots that are free.
    pub free_slots: u32,
    /// Milliseconds to the first token, lately. 0: not known.
    pub ttft_ms: u32,
    /// Generated tokens per 1000 s of one request, lately. 0: not known.
    pub tokens_per_second_milli: u64,
}

/// A bound that an offer breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct OfferError {
    /// Which part of the offer.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
}

impl OfferError {
    pub(crate) fn new(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { field: field.into(), reason: reason.into() }
    }
}

impl Offer {
    /// Checks the bounds. `max_price` is the highest price of any kind, in nano-USD per million tokens.
    ///
    /// # Errors
    /// The first bound that is broken.
    pub fn check(&self, max_price: i64) -> Result<(), OfferError> {
        if let Some(operator) = &self.operator {
            check_text("operator", operator, 1, MAX_NAME)?;
        }
        check_text("region", &self.region, 0, MAX_NAME)?;
        check_text("engine", &self.engine, 0, MAX_NAME)?;
        if !(1..=MAX_SLOTS).contains(&self.slots) {
            return Err(OfferError::new("slots", format!("{} is not within 1 and {MAX_SLOTS}", self.slots)));
        }
        if self.models.len() > MAX_MODELS {
            let reason = format!("{} models; at most {MAX_MODELS} are taken", self.models.len());
            return Err(OfferError::new("models", reason));
        }
        let mut seen = HashSet::new();
        for (index, model) in self.models.iter().enumerate() {
            model.check(max_price).map_err(|error| OfferError {
                field: format!("models[{index}].{}", error.field),
                reason: error.reason,
            })?;
            if !seen.insert(model.id.as_str()) {
                return Err(OfferError::new(format!("models[{index}].id"), format!("`{}` comes twice", model.id)));
            }
        }
        Ok(())
    }
}

impl ModelOffer {
    fn check(&self, max_price: i64) -> Result<(), OfferError> {
        check_text("id", &self.id, 1, MAX_ID)?;
        check_text("quantization", &self.quantization, 0, MAX_NAME)?;
        check_text("weights_hash", &self.weights_hash, 0, MAX_HASH)?;
        if self.context_length == 0 {
            return Err(OfferError::new("context_length", "is 0"));
        }
        for (field, price) in
            [("input", self.ask.input), ("cached_input", self.ask.cached_input), ("output", self.ask.output)]
        {
            if !(0..=max_price).contains(&price) {
                let reason = format!("{price} nano-USD per million tokens is not within 0 and {max_price}");
                return Err(OfferError::new(format!("ask.{field}"), reason));
            }
        }
        if self.capabilities.len() > MAX_CAPABILITIES {
            return Err(OfferError::new("capabilities", format!("more than {MAX_CAPABILITIES}")));
        }
        self.capabilities.iter().try_for_each(|name| check_text("capabilities", name, 1, MAX_CAPABILITY))
    }
}

fn check_text(field: &str, text: &str, shortest: usize, longest: usize) -> Result<(), OfferError> {
    if text.len() < shortest {
        return Err(OfferError::new(field, "is empty"));
    }
    if text.len() > longest {
        return Err(OfferError::new(field, format!("has {} bytes; at most {longest} are taken", text.len())));
    }
    if text.chars().any(char::is_control) {
        return Err(OfferError::new(field, "has control characters"));
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An offer of one model, within every bound.
    pub(crate) fn offer(model: &str, input: i64) -> Offer {
        Offer {
            operator: Some("op".into()),
            region: "eu".into(),
            slots: 4,
            engine: "test 1".into(),
            models: vec![ModelOffer {
                id: model.into(),
                ask: Ask { input, cached_input: input / 2, output: input * 2 },
                context_length: 2048,
                quantization: "Q8_0".into(),
                weights_hash: "abc".into(),
                capabilities: vec!["tools".into()],
            }],
        }
    }

    /// The largest offer that keeps every bound.
    pub(crate) fn largest() -> Offer {
        let model = |index: usize| ModelOffer {
            id: format!("{index:0>MAX_ID$}"),
            ask: Ask { input: i64::MAX, cached_input: i64::MAX, output: i64::MAX },
            context_length: u32::MAX,
            quantization: "q".repeat(MAX_NAME),
            weights_hash: "h".repeat(MAX_HASH),
            capabilities: vec!["c".repeat(MAX_CAPABILITY); MAX_CAPABILITIES],
        };
        Offer {
            operator: Some("o".repeat(MAX_NAME)),
            region: "r".repeat(MAX_NAME),
            slots: MAX_SLOTS,
            engine: "e".repeat(MAX_NAME),
            models: (0..MAX_MODELS).map(model).collect(),
        }
    }

    #[test]
    fn bounds_are_inclusive() {
        assert_eq!(largest().check(i64::MAX), Ok(()));
        assert_eq!(offer("m", 0).check(0), Ok(()));
    }

    #[test]
    fn each_broken_bound_is_named() {
        let broken = |change: fn(&mut Offer)| {
            let mut offer = offer("m", 10);
            change(&mut offer);
            offer.check(20).unwrap_err().field
        };
        assert_eq!(broken(|o| o.operator = Some(String::new())), "operator");
        assert_eq!(broken(|o| o.region = "r".repeat(65)), "region");
        assert_eq!(broken(|o| o.engine = "a\nb".into()), "engine");
        assert_eq!(broken(|o| o.slots = 0), "slots");
        assert_eq!(broken(|o| o.slots = 4097), "slots");
        assert_eq!(broken(|o| o.models = vec![o.models[0].clone(); 65]), "models");
        assert_eq!(broken(|o| o.models = vec![o.models[0].clone(); 2]), "models[1].id");
        assert_eq!(broken(|o| o.models[0].id = "i".repeat(129)), "models[0].id");
        assert_eq!(broken(|o| o.models[0].context_length = 0), "models[0].context_length");
        assert_eq!(broken(|o| o.models[0].ask.input = -1), "models[0].ask.input");
        assert_eq!(broken(|o| o.models[0].ask.output = 21), "models[0].ask.output");
        assert_eq!(broken(|o| o.models[0].capabilities = vec!["x".into(); 17]), "models[0].capabilities");
        assert_eq!(broken(|o| o.models[0].capabilities = vec![String::new()]), "models[0].capabilities");
    }
}
