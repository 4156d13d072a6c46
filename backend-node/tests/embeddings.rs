//! The `mistral` engine with a model that makes embeddings: a Qwen3-Embedding of two layers and made-up weights.
#![cfg(feature = "mistral")]
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::path::Path;

use peerway_node::engine::EngineError;
use peerway_node::engine::mistral::{self, MistralSettings, Source};
use peerway_openapi::chat::{ChatRequest, Message, Role};
use peerway_openapi::embeddings::{EmbeddingRequest, EmbeddingResponse};
use serde_json::{Map, Value, json};

const HIDDEN: usize = 32;
const VOCABULARY: [&str; 8] = ["<pad>", "sea", "moon", "rain", "the", "a", "stone", "<unk>"];

/// Numbers that are the same in every run: splitmix64, from -0.5 to 0.5.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        f32::from(u16::try_from((mixed ^ (mixed >> 31)) >> 48).unwrap()) / 65_536.0 - 0.5
    }
}

/// Names and shapes of the model's tensors.
fn tensors() -> Vec<(String, Vec<usize>)> {
    let mut all = vec![
        ("embed_tokens.weight".to_owned(), vec![VOCABULARY.len(), HIDDEN]),
        ("norm.weight".to_owned(), vec![HIDDEN]),
    ];
    for layer in 0..2 {
        let parts: [(&str, Vec<usize>); 11] = [
            ("self_attn.q_proj.weight", vec![HIDDEN, HIDDEN]),
            ("self_attn.k_proj.weight", vec![HIDDEN / 2, HIDDEN]),
            ("self_attn.v_proj.weight", vec![HIDDEN / 2, HIDDEN]),
            ("self_attn.o_proj.weight", vec![HIDDEN, HIDDEN]),
            ("self_attn.q_norm.weight", vec![HIDDEN / 4]),
            ("self_attn.k_norm.weight", vec![HIDDEN / 4]),
            ("mlp.gate_proj.weight", vec![HIDDEN * 2, HIDDEN]),
            ("mlp.up_proj.weight", vec![HIDDEN * 2, HIDDEN]),
            ("mlp.down_proj.weight", vec![HIDDEN, HIDDEN * 2]),
            ("input_layernorm.weight", vec![HIDDEN]),
            ("post_attention_layernorm.weight", vec![HIDDEN]),
        ];
        all.extend(parts.map(|(name, shape)| (format!("layers.{layer}.{name}"), shape)));
    }
    all
}

/// A safetensors file: the length of its header, the header, and the numbers.
fn safetensors() -> Vec<u8> {
    let mut numbers = Numbers(7);
    let (mut header, mut data) = (Map::new(), Vec::new());
    for (name, shape) in tensors() {
        let begin = data.len();
        let is_norm = shape.len() == 1;
        for _ in 0..shape.iter().product() {
            let number = numbers.next();
            data.extend((if is_norm { 1.0 + number / 4.0 } else { number }).to_le_bytes());
        }
        header.insert(name, json!({ "dtype": "F32", "shape": shape, "data_offsets": [begin, data.len()] }));
    }
    let mut header = Value::Object(header).to_string();
    header.push_str(&" ".repeat(header.len().next_multiple_of(8) - header.len()));
    let mut file = u64::try_from(header.len()).unwrap().to_le_bytes().to_vec();
    file.extend(header.bytes());
    file.extend(data);
    file
}

fn write_model(folder: &Path) {
    let write = |name: &str, value: Value| std::fs::write(folder.join(name), value.to_string()).unwrap();
    write(
        "config.json",
        json!({ "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "vocab_size": VOCABULARY.len(),
            "hidden_size": HIDDEN, "intermediate_size": HIDDEN * 2, "num_hidden_layers": 2, "num_attention_heads": 4,
            "num_key_value_heads": 2, "head_dim": HIDDEN / 4, "hidden_act": "silu", "max_position_embeddings": 16,
            "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "sliding_window": null, "max_window_layers": 2,
            "use_sliding_window": false, "tie_word_embeddings": true, "torch_dtype": "float32" }),
    );
    let vocabulary: Map<String, Value> =
        VOCABULARY.iter().enumerate().map(|(id, &word)| (word.to_owned(), json!(id))).collect();
    write(
        "tokenizer.json",
        json!({ "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
            "pre_tokenizer": { "type": "Whitespace" }, "post_processor": null, "decoder": null,
            "model": { "type": "WordLevel", "vocab": vocabulary, "unk_token": "<unk>" } }),
    );
    write(
        "modules.json",
        json!([{ "idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer" },
            { "idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling" },
            { "idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize" }]),
    );
    std::fs::create_dir(folder.join("1_Pooling")).unwrap();
    write(
        "1_Pooling/config.json",
        json!({ "word_embedding_dimension": HIDDEN, "pooling_mode_cls_token": false, "pooling_mode_mean_tokens": false,
            "pooling_mode_max_tokens": false, "pooling_mode_mean_sqrt_len_tokens": false,
            "pooling_mode_weightedmean_tokens": false, "pooling_mode_lasttoken": true, "include_prompt": true }),
    );
    std::fs::write(folder.join("model.safetensors"), safetensors()).unwrap();
}

fn settings(folder: &Path) -> MistralSettings {
    MistralSettings {
        source: Source::of(folder.to_str().unwrap()),
        id: "m".to_owned(),
        context: None,
        slots: 4,
        dtype: None,
        isq: None,
        prefix_cache: 0,
        chat_template: None,
    }
}

fn asked(change: &Value) -> EmbeddingRequest {
    let mut body = json!({ "model": "m", "input": ["the sea", "a stone", "the moon a rain"] });
    body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    let request: EmbeddingRequest = serde_json::from_value(body).unwrap();
    request.validate().unwrap();
    request
}

fn vectors(answer: &EmbeddingResponse) -> Vec<Vec<f32>> {
    answer.data.iter().map(|one| one.embedding.to_floats().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_become_vectors_of_length_one_in_their_order() {
    let folder = tempfile::tempdir().unwrap();
    write_model(folder.path());
    let engine = mistral::load(settings(folder.path())).await.unwrap();
    let model = engine.models().remove(0);
    assert_eq!((model.capabilities.as_slice(), model.context_length), (["embeddings".to_owned()].as_slice(), 16));

    let all = engine.embed(asked(&json!({}))).await.unwrap();
    assert_eq!(all.usage.prompt_tokens, 2 + 2 + 4);
    let found = vectors(&all);
    assert_eq!((found.len(), all.data[2].index), (3, 2));
    for vector in &found {
        let length = vector.iter().map(|number| number * number).sum::<f32>();
        assert!(vector.len() == HIDDEN && (length - 1.0).abs() < 1e-4, "{length}");
    }
    assert!(found[0] != found[1] && found[1] != found[2]);
    // Each alone, in another order, and as tokens: the same vectors to the bit.
    let alone = engine.embed(asked(&json!({ "input": "the moon a rain" }))).await.unwrap();
    assert_eq!(vectors(&alone)[0], found[2]);
    let turned = engine.embed(asked(&json!({ "input": ["a stone", "the sea"] }))).await.unwrap();
    assert_eq!(vectors(&turned), [found[1].clone(), found[0].clone()]);
    let tokens = engine.embed(asked(&json!({ "input": [[4, 1], [5, 6]] }))).await.unwrap();
    assert_eq!(vectors(&tokens), found[..2]);
    let packed = engine.embed(asked(&json!({ "encoding_format": "base64", "dimensions": HIDDEN }))).await.unwrap();
    assert!(serde_json::to_value(&packed).unwrap()["data"][0]["embedding"].is_string());
    assert_eq!(vectors(&packed), found);

    // One token alone, which mistral.rs's engine does not survive: whatever stands before it, it is a vector of its own.
    let one = vectors(&engine.embed(asked(&json!({ "input": ["sea", [1], "stone"] }))).await.unwrap());
    assert_eq!(one[0], one[1]);
    assert!(one[0] != one[2] && one[0].len() == HIDDEN);

    let refused = async |change: Value| engine.embed(asked(&change)).await.unwrap_err();
    let cases = [
        (json!({ "dimensions": 8 }), "dimensions"),
        (json!({ "input": [[4], [8]] }), "input[1]"),
        (json!({ "input": ["the", " "] }), "input[1]"),
    ];
    for (change, field) in cases {
        let error = refused(change).await;
        assert!(matches!(&error, EngineError::BadRequest { param: Some(param), .. } if param == field), "{error}");
    }
    let long = refused(json!({ "input": "sea ".repeat(17) })).await;
    assert!(matches!(long, EngineError::ContextLength { field: "input", prompt_tokens: 17, context_length: 16 }));
    assert!(matches!(refused(json!({ "model": "x" })).await, EngineError::UnknownModel(_)));
    let chat = engine.chat(ChatRequest::new("m", vec![Message::text(Role::User, "the sea")])).await.err().unwrap();
    assert!(matches!(&chat, EngineError::BadRequest { param: Some(param), .. } if param == "model"), "{chat}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_model_is_named_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    write_model(folder.path());
    let settings = settings(folder.path());
    let template = MistralSettings { chat_template: Some("x.jinja".into()), ..settings.clone() };
    let error = mistral::load(template).await.err().unwrap().to_string();
    assert!(error.contains("--chat-template"), "{error}");
    std::fs::write(folder.path().join("modules.json"), "[]").unwrap();
    let error = mistral::load(settings).await.err().unwrap().to_string();
    assert!(error.contains("model ") && !error.contains('\n'), "{error}");
}
