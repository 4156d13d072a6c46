//! A GGUF file's vocabulary as a `tokenizer.json`.
//!
//! The token counts that callers pay for depend on it, so it must split text as the engine does. Byte-level BPE
//! (`tokenizer.ggml.model` = `gpt2`) is understood, with the pre-tokenizers of the model families that use it; anything
//! else is refused rather than guessed at, and takes a `tokenizer.json` from the model's author.

use serde_json::{Value, json};

use super::{Gguf, GgufError};

/// `token_type` of a token that stands for itself and never comes out of text, such as `<|im_start|>`.
const CONTROL: i64 = 3;
/// `token_type` of a token that the model's author added to the vocabulary.
const USER_DEFINED: i64 = 4;

const LLAMA3_SPLIT: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN2_SPLIT: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// The tokenizer of a GGUF file in the format of Hugging Face's `tokenizers`.
///
/// # Errors
/// `Missing` where the file has no vocabulary, `Tokenizer` where its kind is not understood.
pub fn tokenizer_json(gguf: &Gguf) -> Result<Value, GgufError> {
    let model = gguf.text("tokenizer.ggml.model")?;
    if model != "gpt2" {
        return Err(GgufError::Tokenizer(model.to_owned()));
    }
    let tokens = gguf.texts("tokenizer.ggml.tokens")?;
    let merges = gguf.texts("tokenizer.ggml.merges")?;
    let kinds = gguf.integers("tokenizer.ggml.token_type");
    let vocabulary: serde_json::Map<String, Value> =
        tokens.iter().enumerate().map(|(id, token)| ((*token).to_owned(), json!(id))).collect();
    let added: Vec<Value> = tokens
        .iter()
        .enumerate()
        .filter(|(id, _)| matches!(kinds.get(*id), Some(&CONTROL | &USER_DEFINED)))
        .map(|(id, token)| {
            json!({
                "id": id, "content": token, "special": kinds.get(id) == Some(&CONTROL),
                "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
            })
        })
        .collect();
    Ok(json!({
        "version": "1.0",
        "added_tokens": added,
        "normalizer": null,
        "pre_tokenizer": pre_tokenizer(gguf.text("tokenizer.ggml.pre").unwrap_or("default"))?,
        "post_processor": null,
        "decoder": byte_level(true),
        "model": {
            "type": "BPE", "vocab": vocabulary, "merges": merges, "ignore_merges": false,
            "fuse_unk": false, "byte_fallback": false,
        },
    }))
}

fn byte_level(use_regex: bool) -> Value {
    json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex})
}

fn pre_tokenizer(name: &str) -> Result<Value, GgufError> {
    let sequence =
        |first: Value, use_regex| json!({"type": "Sequence", "pretokenizers": [first, byte_level(use_regex)]});
    let split = |pattern: &str| {
        let split = json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false});
        sequence(split, false)
    };
    Ok(match name {
        "default" | "gpt-2" => byte_level(true),
        "smollm" => sequence(json!({"type": "Digits", "individual_digits": true}), true),
        "llama-bpe" => split(LLAMA3_SPLIT),
        "qwen2" => split(QWEN2_SPLIT),
        other => return Err(GgufError::Tokenizer(format!("gpt2/{other}"))),
    })
}
