//! Tools, thinking and the shape of the answer, as callers ask for them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::present::Present;

/// A tool that the model may call, and that runs on the caller's side.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MessagesTool {
    /// `custom`. None: the same. Tools that run at Anthropic have other names here, and are refused.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Its name, at most 64 characters of `a-zA-Z0-9_-`.
    #[serde(default)]
    pub name: String,
    /// What it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// JSON schema of its arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object, required = true)]
    pub input_schema: Option<Map<String, Value>>,
    /// Whether the arguments must match the schema exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strict: Option<bool>,
}

/// Whether and what the model must call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MessagesToolChoice {
    /// Which of the four.
    #[serde(rename = "type")]
    pub kind: MessagesToolChoiceKind,
    /// Of `tool`: its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether the model may call only one tool at a time. None: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disable_parallel_tool_use: Option<bool>,
}

/// The four ways to choose tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum MessagesToolChoiceKind {
    /// The model decides.
    Auto,
    /// Call at least one.
    Any,
    /// Call this one.
    Tool,
    /// Call nothing.
    None,
}

/// Whether and how long a model that thinks before it answers may think.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Thinking {
    /// Which of the three.
    #[serde(rename = "type")]
    pub kind: ThinkingKind,
    /// Of `enabled`: tokens to think with, at least 1024. A measure of effort here rather than a bound: below 4096 is
    /// low, below 16384 medium, and high from there on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_tokens: Option<u32>,
}

/// The three ways to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ThinkingKind {
    /// With a budget.
    Enabled,
    /// Not at all.
    Disabled,
    /// As the model decides.
    Adaptive,
}

/// How much effort the answer is worth, and its shape.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OutputConfig {
    /// How long the model may think. None: as it does by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effort: Option<Effort>,
    /// The shape of the answer. None: free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<OutputFormat>,
    /// Documented by Anthropic and refused here: a budget for a whole task.
    #[serde(default, skip_serializing)]
    #[schema(ignore)]
    pub task_budget: Option<Present>,
}

/// How much effort the answer is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Effort {
    /// A little.
    Low,
    /// As usual.
    Medium,
    /// A lot.
    High,
    /// More.
    Xhigh,
    /// As much as possible; the same as `xhigh` here.
    Max,
}

/// The shape of the answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OutputFormat {
    /// `json_schema`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object, required = true)]
    pub schema: Option<Map<String, Value>>,
}
