//! Tokens a second of the demo model in this process, and whether all cores work.
//!
//! Two columns: mistral.rs alone, as its SDK would be used, and this crate's engine around it; then the same answer
//! through gateway and node. Run it with `make bench`, which builds the binaries first; the model is that of the tests.

mod through;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures::StreamExt;
use mistralrs::core::{GGUFLoaderBuilder, GGUFSpecificConfig, MistralRsBuilder};
use mistralrs::{
    AutoDeviceMapParams, DefaultSchedulerMethod, Device, DeviceMapSetting, Model, ModelDType, RequestBuilder, Response,
    SchedulerConfig, TextMessageRole, TokenSource,
};
use peerway_node::engine::mistral::{MistralEngine, MistralSettings, Source};
use peerway_node::engine::{Answer, Engine};
use peerway_openapi::chat::{ChatRequest, Message, Role};

/// Tokens of the long answer.
const DECODED: usize = 128;
/// Repetitions, of which the best counts: others may use the machine.
const ROUNDS: usize = 3;

/// What one run took.
#[derive(Clone, Copy)]
struct Took {
    wall: Duration,
    cpu: Duration,
    first: Duration,
    prompt_tokens: usize,
    tokens: usize,
}

fn main() {
    let model = demo_model();
    assert!(model.is_file(), "no demo model at {}: run `make model`", model.display());
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    runtime.block_on(async {
        let engine = MistralEngine::load(settings(&model)).await.expect("the demo model loads");
        let ours_decode = best(async |_| ask_engine(&engine, "Write a long story about the sea.", DECODED).await).await;
        let ours_prefill = best(async |round| ask_engine(&engine, &long_prompt(round), 1).await).await;
        drop(engine);
        let direct = load_directly(&model).await;
        let direct_decode =
            best(async |_| ask_directly(&direct, "Write a long story about the sea.", DECODED).await).await;
        let direct_prefill = best(async |round| ask_directly(&direct, &long_prompt(round), 1).await).await;
        drop(direct);
        let through = through::Through::start(&model).await;
        let through_decode = best(async |_| through.ask("Write a long story about the sea.", DECODED).await).await;
        println!("{:<34} {:>12} {:>12} {:>7}", "", "mistral.rs", "this engine", "ratio");
        row("decode, tokens/s", decode_speed(direct_decode), decode_speed(ours_decode));
        row("decode, cores busy", cores(direct_decode), cores(ours_decode));
        row("prompt, tokens", as_f64(direct_prefill.prompt_tokens), as_f64(ours_prefill.prompt_tokens));
        row("prompt, tokens/s", prefill_speed(direct_prefill), prefill_speed(ours_prefill));
        row("prompt, cores busy", cores(direct_prefill), cores(ours_prefill));
        println!("\n{:<34} {:>12} {:>12} {:>7}", "", "mistral.rs", "Peerway", "ratio");
        row("decode, tokens/s", decode_speed(direct_decode), decode_speed(through_decode));
    });
}

fn row(name: &str, direct: f64, ours: f64) {
    println!("{name:<34} {direct:>12.2} {ours:>12.2} {:>7.3}", ours / direct);
}

async fn best(run: impl AsyncFn(usize) -> Took) -> Took {
    let mut best = run(0).await;
    for round in 1..ROUNDS {
        let took = run(round).await;
        if took.wall < best.wall {
            best = took;
        }
    }
    best
}

fn decode_speed(took: Took) -> f64 {
    as_f64(took.tokens - 1) / (took.wall - took.first).as_secs_f64()
}

fn prefill_speed(took: Took) -> f64 {
    as_f64(took.prompt_tokens) / took.first.as_secs_f64()
}

fn cores(took: Took) -> f64 {
    took.cpu.as_secs_f64() / took.wall.as_secs_f64()
}

fn as_f64(count: usize) -> f64 {
    f64::from(u32::try_from(count).expect("a count of tokens fits into 32 bits"))
}

/// Some thousand tokens that differ from their first word on, so that no prefix is found in a cache.
fn long_prompt(round: usize) -> String {
    let words = "the tide came in and the boats went out to sea while the gulls cried over the harbour ".repeat(50);
    format!("{} times: {words} How did it end?", ["One", "Two", "Three"][round])
}

async fn ask_engine(engine: &MistralEngine, prompt: &str, tokens: usize) -> Took {
    let request = ChatRequest {
        max_tokens: u32::try_from(tokens).ok(),
        temperature: Some(0.0),
        stream: Some(true),
        ..serde_json::from_str(r#"{"model":"demo","messages":[]}"#).expect("an empty request is valid")
    };
    let request = ChatRequest { messages: vec![Message::text(Role::User, prompt)], ..request };
    let (began, cpu) = (Instant::now(), cpu_time());
    let Ok(Answer::Stream(mut chunks)) = engine.chat(request).await else { panic!("the engine refused") };
    let (mut first, mut usage) = (None, None);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.expect("the engine answers");
        first.get_or_insert_with(|| began.elapsed());
        usage = chunk.usage.or(usage);
    }
    let usage = usage.expect("an answer ends with its usage");
    Took {
        wall: began.elapsed(),
        cpu: cpu_time() - cpu,
        first: first.expect("an answer has a first chunk"),
        prompt_tokens: usize::try_from(usage.prompt_tokens).expect("a count of tokens"),
        tokens: usize::try_from(usage.completion_tokens).expect("a count of tokens"),
    }
}

async fn ask_directly(model: &Model, prompt: &str, tokens: usize) -> Took {
    let request = RequestBuilder::new()
        .set_deterministic_sampler()
        .set_sampler_max_len(tokens)
        .add_message(TextMessageRole::User, prompt);
    let (began, cpu) = (Instant::now(), cpu_time());
    let mut stream = model.stream_chat_request(request).await.expect("mistral.rs answers");
    let (mut first, mut usage) = (None, None);
    while let Some(response) = stream.next().await {
        let Response::Chunk(chunk) = response else { panic!("mistral.rs failed") };
        first.get_or_insert_with(|| began.elapsed());
        usage = chunk.usage.or(usage);
    }
    let usage = usage.expect("an answer ends with its usage");
    Took {
        wall: began.elapsed(),
        cpu: cpu_time() - cpu,
        first: first.expect("an answer has a first chunk"),
        prompt_tokens: usage.prompt_tokens,
        tokens: usage.completion_tokens,
    }
}

fn settings(model: &std::path::Path) -> MistralSettings {
    MistralSettings {
        source: Source::Gguf(model.to_owned()),
        id: "demo".to_owned(),
        context: None,
        slots: 4,
        dtype: None,
        isq: None,
        prefix_cache: 0,
        chat_template: None,
    }
}

async fn load_directly(model: &std::path::Path) -> Model {
    let folder = model.parent().expect("the model lies in a folder").to_string_lossy().into_owned();
    let file = model.file_name().expect("the model has a name").to_string_lossy().into_owned();
    let loader =
        GGUFLoaderBuilder::new(None, None, folder, vec![file], GGUFSpecificConfig::default(), false, None).build();
    let mapping = DeviceMapSetting::Auto(AutoDeviceMapParams::default_text());
    let pipeline = tokio::task::spawn_blocking(move || {
        loader.load_model_from_hf(None, TokenSource::None, &ModelDType::F32, &Device::Cpu, true, mapping, None, None)
    });
    let pipeline = pipeline.await.expect("loading does not panic").expect("the demo model loads");
    let slots = std::num::NonZeroUsize::new(4).expect("four is not zero");
    let scheduler = SchedulerConfig::DefaultScheduler { method: DefaultSchedulerMethod::Fixed(slots) };
    Model::new(MistralRsBuilder::new(pipeline, scheduler, false, None).with_no_prefix_cache(true).build().await)
}

fn demo_model() -> PathBuf {
    let folder = |variable: &str| std::env::var_os(variable).map(PathBuf::from);
    if let Some(path) = folder("PEERWAY_DEMO_MODEL") {
        return path;
    }
    let cache = folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache"))).unwrap_or_default();
    cache.join("peerway/models/SmolLM2-135M-Instruct.Q8_0.gguf")
}

/// User and system time of this process, from `/proc/self/stat`, in its ticks of 10 ms.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let ticks: u64 = after_name.split(' ').skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}
