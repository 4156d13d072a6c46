//! A messages request in the words of a chat request.
//!
//! Bounds that both have are checked once, on the chat request, and told in the caller's terms; only what Anthropic has
//! otherwise is checked here.

use super::lines::lines;
use super::{
    CountTokensRequest, Effort, MessagesRequest, MessagesTool, MessagesToolChoice, MessagesToolChoiceKind,
    OutputFormat, Thinking, ThinkingKind, TurnRole,
};
use crate::ApiError;
use crate::chat::{
    ChatRequest, FunctionDefinition, FunctionName, JsonSchemaFormat, NamedFunction, ReasoningEffort, ResponseFormat,
    Stop, Tool, ToolChoice, ToolKind, ToolMode,
};

/// Tokens to think with, at least, as Anthropic has it.
const MIN_BUDGET: u32 = 1024;

impl MessagesRequest {
    /// The same request to a chat, all of whose bounds are checked.
    ///
    /// # Errors
    /// `InvalidRequest` with the path of the field at fault.
    pub fn to_chat(&self) -> Result<ChatRequest, ApiError> {
        if self.max_tokens.is_none() {
            return Err(ApiError::invalid("max_tokens", "`max_tokens` is missing."));
        }
        self.put_as_chat()
    }

    fn put_as_chat(&self) -> Result<ChatRequest, ApiError> {
        self.refuse_unsupported()?;
        let messages = lines(self)?.into_iter().map(|line| line.message).collect();
        let mut chat = ChatRequest {
            stream: self.stream,
            max_tokens: self.max_tokens,
            temperature: self.temperature,
            top_p: self.top_p,
            top_k: self.top_k,
            stop: self.stop_sequences.clone().map(Stop),
            reasoning_effort: self.reasoning_effort()?,
            response_format: self.format().map(response_format).transpose()?,
            provider: self.provider.clone(),
            models: self.models.clone(),
            ..ChatRequest::new(self.model.clone(), messages)
        };
        if let Some(tools) = &self.tools {
            chat.tools =
                Some(tools.iter().enumerate().map(|(place, tool)| put_tool(place, tool)).collect::<Result<_, _>>()?);
        }
        if let Some(choice) = &self.tool_choice {
            chat.tool_choice = Some(put_choice(choice)?);
            chat.parallel_tool_calls = choice.disable_parallel_tool_use.map(|disabled| !disabled);
        }
        chat.validate().map_err(|error| self.in_own_terms(error))?;
        Ok(chat)
    }

    fn format(&self) -> Option<&OutputFormat> {
        self.output_config.as_ref()?.format.as_ref()
    }

    fn refuse_unsupported(&self) -> Result<(), ApiError> {
        let budget = self.output_config.as_ref().and_then(|config| config.task_budget);
        let refused = [
            ("container", self.container.is_some(), "No node runs code."),
            ("mcp_servers", self.mcp_servers.is_some(), "Tools run on the caller's side; send `tools`."),
            ("context_management", self.context_management.is_some(), "Send the messages that are to be read."),
            ("output_format", self.output_format.is_some(), "Send `output_config.format`, which replaced it."),
            ("output_config.task_budget", budget.is_some(), "Send `max_tokens`."),
        ];
        if let Some((field, _, why)) = refused.into_iter().find(|(_, is_present, _)| *is_present) {
            return Err(ApiError::invalid(field, format!("`{field}` is not supported. {why}")));
        }
        match self.messages.last() {
            None => return Err(ApiError::invalid("messages", "Send at least one message.")),
            Some(turn) if turn.role == TurnRole::Assistant => {
                let field = format!("messages[{}].role", self.messages.len() - 1);
                let message = "The last message must be the user's: an answer cannot be begun for the model.";
                return Err(ApiError::invalid(field, message));
            }
            Some(_) => {}
        }
        match self.temperature {
            Some(heat) if !(0.0..=1.0).contains(&heat) => {
                Err(ApiError::invalid("temperature", format!("temperature is {heat}; it must be 0 to 1.")))
            }
            _ => Ok(()),
        }
    }

    /// A budget says more than an effort, and not to think more than either.
    fn reasoning_effort(&self) -> Result<Option<ReasoningEffort>, ApiError> {
        let effort = self.output_config.as_ref().and_then(|config| config.effort).map(|effort| match effort {
            Effort::Low => ReasoningEffort::Low,
            Effort::Medium => ReasoningEffort::Medium,
            Effort::High => ReasoningEffort::High,
            Effort::Xhigh | Effort::Max => ReasoningEffort::Xhigh,
        });
        match self.thinking {
            None | Some(Thinking { kind: ThinkingKind::Adaptive, .. }) => Ok(effort),
            Some(Thinking { kind: ThinkingKind::Disabled, .. }) => Ok(Some(ReasoningEffort::None)),
            Some(Thinking { kind: ThinkingKind::Enabled, budget_tokens }) => match budget_tokens {
                Some(MIN_BUDGET..4096) => Ok(Some(ReasoningEffort::Low)),
                Some(4096..16384) => Ok(Some(ReasoningEffort::Medium)),
                Some(16384..) => Ok(Some(ReasoningEffort::High)),
                None | Some(0..MIN_BUDGET) => {
                    let message = format!("Thinking that is enabled has a budget of at least {MIN_BUDGET} tokens.");
                    Err(ApiError::invalid("thinking.budget_tokens", message))
                }
            },
        }
    }
}

impl CountTokensRequest {
    /// The chat request whose tokens are to be counted.
    ///
    /// # Errors
    /// `InvalidRequest` with the path of the field at fault.
    pub fn to_chat(&self) -> Result<ChatRequest, ApiError> {
        self.0.put_as_chat()
    }
}

fn put_tool(place: usize, tool: &MessagesTool) -> Result<Tool, ApiError> {
    if let Some(kind) = tool.kind.as_deref().filter(|kind| *kind != "custom") {
        let message = format!("`{kind}` is not supported. Tools run on the caller's side: only `custom` ones.");
        return Err(ApiError::invalid(format!("tools[{place}].type"), message));
    }
    if tool.input_schema.is_none() {
        return Err(ApiError::invalid(format!("tools[{place}].input_schema"), "`input_schema` is missing."));
    }
    let function = FunctionDefinition {
        name: tool.name.clone(),
        description: tool.description.clone(),
        parameters: tool.input_schema.clone(),
        strict: tool.strict,
    };
    Ok(Tool { kind: ToolKind::Function, function })
}

fn put_choice(choice: &MessagesToolChoice) -> Result<ToolChoice, ApiError> {
    let mode = match (choice.kind, &choice.name) {
        (MessagesToolChoiceKind::Auto, _) => ToolMode::Auto,
        (MessagesToolChoiceKind::Any, _) => ToolMode::Required,
        (MessagesToolChoiceKind::None, _) => ToolMode::None,
        (MessagesToolChoiceKind::Tool, Some(name)) => {
            let function = FunctionName { name: name.clone() };
            return Ok(ToolChoice::Named(NamedFunction { kind: ToolKind::Function, function }));
        }
        (MessagesToolChoiceKind::Tool, None) => {
            return Err(ApiError::invalid("tool_choice.name", "`name` is missing."));
        }
    };
    Ok(ToolChoice::Mode(mode))
}

fn response_format(format: &OutputFormat) -> Result<ResponseFormat, ApiError> {
    if format.kind != "json_schema" {
        let message = format!("`{}` is not supported; a format is `json_schema`.", format.kind);
        return Err(ApiError::invalid("output_config.format.type", message));
    }
    let schema = format.schema.clone().map(serde_json::Value::Object);
    let json_schema = JsonSchemaFormat { name: "answer".to_owned(), description: None, schema, strict: Some(true) };
    Ok(ResponseFormat::JsonSchema { json_schema })
}
