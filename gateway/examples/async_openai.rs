//! async-openai with Peerway: the base URL and the key are all that differs.
//!
//! ```sh
//! set -a; . .peerway/env; cargo run --release -p peerway --example async_openai
//! ```
//!
//! Asks for a bit of everything and checks what came: this library's types are the strictest of all clients', so what it
//! reads, others read too. The product's tests run it.

use std::error::Error;

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use async_openai::types::chat::{
    ChatCompletionRequestUserMessageArgs, ChatCompletionStreamOptions, CreateChatCompletionRequest,
    CreateChatCompletionRequestArgs,
};
use async_openai::types::completions::CreateCompletionRequestArgs;
use async_openai::types::responses::{CreateResponseArgs, ResponseStreamEvent, Status};
use futures::StreamExt;

type Outcome = Result<(), Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    // Reads OPENAI_BASE_URL and OPENAI_API_KEY.
    let client = Client::new();
    let model = std::env::var("PEERWAY_MODEL")?;
    models(&client, &model).await?;
    chat(&client, &model).await?;
    streamed(&client, &model).await?;
    text(&client, &model).await?;
    response(&client, &model).await?;
    response_events(&client, &model).await?;
    refused(&client).await
}

async fn models(client: &Client<OpenAIConfig>, model: &str) -> Outcome {
    let list = client.models().list().await?;
    expect(list.data.iter().any(|entry| entry.id == model), "the model is listed")?;
    println!("models: {}", list.data.len());
    Ok(())
}

fn question(model: &str) -> Result<CreateChatCompletionRequest, OpenAIError> {
    let message = ChatCompletionRequestUserMessageArgs::default().content("What is the capital of France?").build()?;
    CreateChatCompletionRequestArgs::default()
        .model(model)
        .messages([message.into()])
        .max_completion_tokens(12_u32)
        .temperature(0.0)
        .build()
}

async fn chat(client: &Client<OpenAIConfig>, model: &str) -> Outcome {
    let answer = client.chat().create(question(model)?).await?;
    let text = answer.choices[0].message.content.clone().unwrap_or_default();
    let usage = answer.usage.ok_or("no usage")?;
    expect(usage.total_tokens == usage.prompt_tokens + usage.completion_tokens, "the usage adds up")?;
    println!("chat: {text:?}, {} tokens", usage.total_tokens);
    Ok(())
}

async fn streamed(client: &Client<OpenAIConfig>, model: &str) -> Outcome {
    let mut request = question(model)?;
    request.stream_options = Some(ChatCompletionStreamOptions { include_usage: Some(true), include_obfuscation: None });
    let mut chunks = client.chat().create_stream(request).await?;
    let (mut text, mut usage) = (String::new(), None);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        text.extend(chunk.choices.iter().filter_map(|choice| choice.delta.content.clone()));
        usage = chunk.usage.or(usage);
    }
    expect(!text.is_empty() && usage.is_some(), "the stream has text and usage")?;
    println!("stream: {text:?}");
    Ok(())
}

async fn text(client: &Client<OpenAIConfig>, model: &str) -> Outcome {
    let request =
        CreateCompletionRequestArgs::default().model(model).prompt("One, two, three,").max_tokens(6_u32).build()?;
    let answer = client.completions().create(request).await?;
    println!("completion: {:?}", answer.choices[0].text);
    Ok(())
}

async fn response(client: &Client<OpenAIConfig>, model: &str) -> Outcome {
    let request = CreateResponseArgs::default().model(model).input("Say hello.").max_output_tokens(12_u32).build()?;
    let first = client.responses().create(request).await?;
    expect(matches!(first.status, Status::Completed | Status::Incomplete), "the response has ended")?;
    let request = CreateResponseArgs::default()
        .model(model)
        .input("Again.")
        .previous_response_id(first.id.clone())
        .max_output_tokens(12_u32)
        .build()?;
    let second = client.responses().create(request).await?;
    let kept = client.responses().retrieve(&second.id).await?;
    expect(kept.output_text() == second.output_text(), "a response is kept as it was told")?;
    for id in [&first.id, &second.id] {
        client.responses().delete(id).await?;
    }
    println!("responses: {:?}, {:?}", first.output_text(), second.output_text());
    Ok(())
}

async fn response_events(client: &Client<OpenAIConfig>, model: &str) -> Outcome {
    let request = CreateResponseArgs::default()
        .model(model)
        .input("Say hello.")
        .max_output_tokens(12_u32)
        .stream(true)
        .build()?;
    let mut events = client.responses().create_stream(request).await?;
    let (mut text, mut ended) = (String::new(), false);
    while let Some(event) = events.next().await {
        match event? {
            ResponseStreamEvent::ResponseOutputTextDelta(delta) => text.push_str(&delta.delta),
            ResponseStreamEvent::ResponseCompleted(_) | ResponseStreamEvent::ResponseIncomplete(_) => ended = true,
            _ => {}
        }
    }
    expect(ended && !text.is_empty(), "the events end with the response")?;
    println!("response events: {text:?}");
    Ok(())
}

async fn refused(client: &Client<OpenAIConfig>) -> Outcome {
    match client.chat().create(question("no-such-model")?).await {
        Err(OpenAIError::ApiError(error)) => {
            println!("refused: {error}");
            Ok(())
        }
        other => Err(format!("an unknown model gave {other:?}").into()),
    }
}

fn expect(holds: bool, what: &str) -> Outcome {
    if holds { Ok(()) } else { Err(format!("not so: {what}").into()) }
}
