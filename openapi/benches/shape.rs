//! What a chat request of 10 kB costs before anything is done for it: parsed, validated, and written for a node.
//!
//! `cargo bench -p peerway-openapi`. The yardstick is serde_json reading the same body into a tree that checks nothing.

use std::hint::black_box;
use std::time::{Duration, Instant};

use peerway_openapi::chat::ChatRequest;
use peerway_openapi::parse;
use serde_json::{Value, json};

/// Requests of each measurement.
const ROUNDS: usize = 20_000;

fn main() {
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let body = body();
    println!("a chat request of {} bytes, median and 99th percentile of {ROUNDS}", body.len());
    let read = || parse::json::<ChatRequest>(&body).expect("the body is a request");
    let request = read();
    measure("serde_json into a tree (yardstick)", || serde_json::from_slice::<Value>(&body).expect("it is JSON"));
    measure("parse", read);
    measure("validate", || request.validate());
    measure("write for a node", || serde_json::to_vec(&request).expect("it can be written"));
    measure("parse, validate and write", || {
        let request = read();
        request.validate().expect("it is valid");
        serde_json::to_vec(&request).expect("it can be written")
    });
}

/// A conversation as apps send it: instructions, turns, a tool, and the fields that libraries add.
fn body() -> Vec<u8> {
    let text = "The quick brown fox jumps over the \"lazy\" dog,\nand a caf\u{e9} opens at 9. ".repeat(5);
    let turn =
        |place: usize| json!({"role": if place.is_multiple_of(2) { "user" } else { "assistant" }, "content": text});
    let mut messages = vec![json!({"role": "system", "content": text})];
    messages.extend((0..23).map(turn));
    let parameters = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    let body = json!({
        "model": "smollm2-135m-instruct", "messages": messages, "temperature": 0.7, "max_tokens": 256, "stream": true,
        "stream_options": {"include_usage": true}, "user": "u", "metadata": {"a": "b"},
        "tools": [{"type": "function", "function": {"name": "weather", "parameters": parameters}}],
    });
    serde_json::to_vec(&body).expect("it can be written")
}

fn measure<T>(what: &str, work: impl Fn() -> T) {
    let mut times: Vec<Duration> = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let began = Instant::now();
        black_box(work());
        times.push(began.elapsed());
    }
    times.sort_unstable();
    let micros = |part: usize| times[ROUNDS * part / 100].as_secs_f64() * 1e6;
    println!("  {what:<36} {:>8.1} us {:>8.1} us", micros(50), micros(99));
}
