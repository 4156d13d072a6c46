//! `POST /v1/completions`: going on with texts, as older clients ask for it.

use axum::body::Body;
use axum::response::Response;
use peerway_openapi::completions::{CompletionRequest, CompletionsDialect, Prompt};
use peerway_openapi::{ApiError, parse};

use super::body;
use crate::inference::{self, Ask, Caller, Work};
use crate::meter::Delivery;

/// Lets a model go on with texts.
pub async fn create(caller: Caller, body: Body) -> Response {
    match read(&caller, body).await {
        Ok((ask, dialect)) => inference::answer(caller, ask, Box::new(dialect)).await,
        Err(error) => error.response().map(Body::from),
    }
}

async fn read(caller: &Caller, body: Body) -> Result<(Ask, CompletionsDialect), ApiError> {
    let bytes = body::read(body, &caller.gateway.config).await?;
    let request: CompletionRequest = parse::json(&bytes)?;
    request.validate()?;
    let echo = if request.is_echo() { echo(caller, &request)? } else { Vec::new() };
    let dialect = CompletionsDialect::new(
        &caller.id.to_string(),
        caller.id.unix_seconds(),
        &request.model,
        request.wants_usage_chunk(),
        echo,
        request.answers_each(),
    );
    let delivery = Delivery::of_stream(request.is_stream());
    Ok((Ask { work: Work::Completion(Box::new(request)), bytes: bytes.len(), delivery }, dialect))
}

/// The text of every prompt. That of tokens is known only where the gateway has the model's tokenizer.
fn echo(caller: &Caller, request: &CompletionRequest) -> Result<Vec<String>, ApiError> {
    let model = caller.gateway.catalog.get(&request.model);
    let text = |prompt: &Prompt| match prompt {
        Prompt::Text(text) => Some(text.clone()),
        Prompt::Tokens(tokens) => model.as_ref()?.text_of(tokens),
    };
    let texts: Option<Vec<_>> = request.prompt.0.iter().map(text).collect();
    texts.ok_or_else(|| {
        ApiError::invalid("echo", "The text of these tokens is not known here; send the prompt as text.")
    })
}
