//! Tokenizers, each held once.
//!
//! One takes megabytes, and models of a family come with the same. So models whose `tokenizer.json` is the same to the
//! byte share one, and a catalog that is loaded again keeps those that it has.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tokenizers::Tokenizer;

/// The tokenizers that models use, by the hash of what they were read from.
#[derive(Debug, Default)]
pub(super) struct SharedTokenizers(Mutex<HashMap<[u8; 32], Weak<Tokenizer>>>);

impl SharedTokenizers {
    /// The tokenizer of a `tokenizer.json`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(&self, json: &str) -> tokenizers::Result<Arc<Tokenizer>> {
        let mut held = self.0.lock();
        // Those of models that are sold no more are gone already; here their names go as well.
        held.retain(|_, tokenizer| tokenizer.strong_count() > 0);
        let name = Sha256::digest(json).into();
        if let Some(tokenizer) = held.get(&name).and_then(Weak::upgrade) {
            return Ok(tokenizer);
        }
        let tokenizer = Arc::new(Tokenizer::from_bytes(json)?);
        held.insert(name, Arc::downgrade(&tokenizer));
        Ok(tokenizer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(token: &str) -> String {
        let model = serde_json::json!({"type": "WordLevel", "vocab": {token: 0}, "unk_token": token});
        serde_json::json!({"version": "1.0", "added_tokens": [], "model": model}).to_string()
    }

    #[test]
    fn the_same_file_is_held_once_for_as_long_as_it_is_used() {
        let tokenizers = SharedTokenizers::default();
        let (one, other) = (tokenizers.read(&json("a")).unwrap(), tokenizers.read(&json("b")).unwrap());
        assert!(Arc::ptr_eq(&one, &tokenizers.read(&json("a")).unwrap()));
        assert!(other.token_to_id("b").is_some() && other.token_to_id("a").is_none());

        let weak = Arc::downgrade(&one);
        drop(one);
        assert!(weak.upgrade().is_none(), "nobody uses it, and it is kept");
        tokenizers.read(&json("b")).unwrap();
        assert_eq!(tokenizers.0.lock().len(), 1);
        assert!(tokenizers.read("{}").is_err());
    }
}
