//! Endpoints that let models work.

use utoipa::openapi::Type;
use utoipa::openapi::path::HttpMethod::{Delete, Get, Post};

use super::endpoint::{Endpoint, INFERENCE, KNOWN, LOOKED_FOR, endpoint, under};
use crate::chat::{ChatChunk, ChatCompletion, ChatRequest};
use crate::completions::{Completion, CompletionChunk, CompletionRequest};
use crate::embeddings::{EmbeddingRequest, EmbeddingResponse};
use crate::messages::{CountTokensRequest, MessagesAnswer, MessagesError, MessagesEvent, MessagesRequest, TokenCount};
use crate::models::{EndpointList, Model, ModelList};
use crate::prices::PriceHistory;
use crate::responses::{CreateResponse, DeletedResponse, ItemList, Response, ResponseEvent};

const RESPONSE: &str = "/v1/responses/{response_id}";
const RESPONSE_ID: &str = "The response's id, `resp_…`.";

pub(super) fn endpoints() -> Vec<Endpoint> {
    let (answers, responses, models) =
        (under("Answers", answers()), under("Responses", responses()), under("Models", models()));
    [answers, responses, models].into_iter().flatten().collect()
}

fn answers() -> Vec<Endpoint> {
    vec![
        endpoint(Post, "/v1/chat/completions", "createChatCompletion", "Let a model go on with a conversation")
            .about(
                "The cheapest healthy node answers, unless `provider` wishes otherwise; `models` are fallen back on. With `stream: true` the answer comes as server-sent events, each a \
                 ChatChunk, the last `[DONE]`. A stream that breaks ends with an event that holds an ErrorEnvelope, \
                 and without `[DONE]`.",
            )
            .once()
            .hedges()
            .takes::<ChatRequest>()
            .tells::<ChatCompletion, ChatChunk>("The answer, its usage and its cost")
            .refuses(INFERENCE)
            .done(),
        endpoint(Post, "/v1/completions", "createCompletion", "Let a model go on with texts")
            .once()
            .hedges()
            .takes::<CompletionRequest>()
            .tells::<Completion, CompletionChunk>("The texts, their usage and their cost")
            .refuses(INFERENCE)
            .done(),
        endpoint(Post, "/v1/embeddings", "createEmbedding", "Turn texts into vectors")
            .once()
            .takes::<EmbeddingRequest>()
            .gives::<EmbeddingResponse>(200, "The vectors, in the order of the texts")
            .refuses(INFERENCE)
            .done(),
        endpoint(Post, "/v1/messages", "createMessage", "Let a model answer, in Anthropic's words")
            .once()
            .hedges()
            .takes::<MessagesRequest>()
            .tells::<MessagesAnswer, MessagesEvent>("The answer and its usage")
            .refuses_with::<MessagesError>(INFERENCE)
            .done(),
        endpoint(Post, "/v1/messages/count_tokens", "countMessageTokens", "Count the tokens of a conversation")
            .about("As the gateway counts them. Costs nothing.")
            .takes::<CountTokensRequest>()
            .gives::<TokenCount>(200, "The count")
            .refuses_with::<MessagesError>(INFERENCE)
            .done(),
    ]
}

fn responses() -> Vec<Endpoint> {
    vec![
        endpoint(Post, "/v1/responses", "createResponse", "Let a model respond")
            .about(
                "A response is kept for 30 days unless `store` is false, so that another may go on from it with \
                 `previous_response_id`. With `background: true` it is made without its caller, and looked for later.",
            )
            .once()
            .hedges()
            .takes::<CreateResponse>()
            .tells::<Response, ResponseEvent>("The response, or where it is made in the background its beginning")
            .refuses(INFERENCE)
            .done(),
        endpoint(Get, RESPONSE, "getResponse", "A response that is kept")
            .part("response_id", RESPONSE_ID)
            .query("stream", Type::Boolean, "Stream the events of a response in the background, from its first on.")
            .query("starting_after", Type::Integer, "The sequence number after which events are streamed.")
            .tells::<Response, ResponseEvent>("The response as it stands")
            .refuses(LOOKED_FOR)
            .done(),
        endpoint(Delete, RESPONSE, "deleteResponse", "Forget a response")
            .part("response_id", RESPONSE_ID)
            .gives::<DeletedResponse>(200, "It is gone")
            .refuses(LOOKED_FOR)
            .done(),
        endpoint(Post, "/v1/responses/{response_id}/cancel", "cancelResponse", "Stop a response in the background")
            .part("response_id", RESPONSE_ID)
            .gives::<Response>(200, "The response as it stands")
            .refuses(LOOKED_FOR)
            .done(),
        endpoint(Get, "/v1/responses/{response_id}/input_items", "listInputItems", "What a response answers")
            .part("response_id", RESPONSE_ID)
            .query("after", Type::String, "The id of the last item that you have.")
            .query("limit", Type::Integer, "Items, 1 to 100. Without it: 20.")
            .query("order", Type::String, "`asc`, or `desc`, which is the default.")
            .gives::<ItemList>(200, "The items")
            .refuses(LOOKED_FOR)
            .done(),
    ]
}

fn models() -> Vec<Endpoint> {
    let id = "The model's id; it may contain slashes.";
    vec![
        endpoint(Get, "/v1/models", "listModels", "The models on sale and their prices now")
            .gives::<ModelList>(200, "The models")
            .refuses(KNOWN)
            .done(),
        endpoint(Get, "/v1/models/{model}", "retrieveModel", "One model")
            .part("model", id)
            .gives::<Model>(200, "The model")
            .refuses(LOOKED_FOR)
            .done(),
        endpoint(Get, "/v1/models/{model}/endpoints", "listEndpoints", "The nodes behind a model, the cheapest first")
            .part("model", id)
            .gives::<EndpointList>(200, "The live market of the model")
            .refuses(LOOKED_FOR)
            .done(),
        endpoint(Get, "/v1/models/{model}/prices", "listPrices", "What a model has cost over time")
            .about(
                "Noted once a minute, and kept by the minute for a day and by the hour for 30 days. Of each step the \
                 first sample is told.",
            )
            .part("model", id)
            .query("from", Type::Integer, "Seconds since 1970. Without it: a day before `to`.")
            .query("to", Type::Integer, "Seconds since 1970, not included. Without it: now.")
            .query(
                "step",
                Type::Integer,
                "Seconds, at least 60, for at most 1500 points. Without it: about 300 points.",
            )
            .gives::<PriceHistory>(200, "The prices")
            .refuses(LOOKED_FOR)
            .done(),
    ]
}
