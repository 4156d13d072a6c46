//! The items of a conversation, as callers send them and as they are kept.

use serde::{Deserialize, Serialize};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::part::{InputPart, ReasoningText, SummaryText};
use super::response::ItemStatus;
use crate::chat::Role;
use crate::schema::{either, list, string};

/// The input of a request. A string is one message of the user.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Input(pub Vec<InputItem>);

impl PartialSchema for Input {
    fn schema() -> RefOr<Schema> {
        let item = Ref::from_schema_name(InputItem::name());
        either("What the user says, or the items of a conversation.", string(), list(item))
    }
}

impl ToSchema for Input {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((InputItem::name().into_owned(), InputItem::schema()));
        InputItem::schemas(schemas);
    }
}

/// One item of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum InputItem {
    /// Something said.
    Message {
        /// `msg_…`. None: the caller gave none.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// How far it came. None: the caller did not say.
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<ItemStatus>,
        /// Who speaks.
        role: InputRole,
        /// What is said.
        content: InputContent,
    },
    /// A call that the model made.
    FunctionCall {
        /// `fc_…`. None: the caller gave none.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// How far it came. None: the caller did not say.
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<ItemStatus>,
        /// Names the call in the item that answers it.
        call_id: String,
        /// The function's name.
        name: String,
        /// The arguments: JSON as a string, as the model wrote it.
        arguments: String,
    },
    /// What a call gave.
    FunctionCallOutput {
        /// `fco_…`. None: the caller gave none.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// How far it came. None: the caller did not say.
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<ItemStatus>,
        /// The call that it answers.
        call_id: String,
        /// The result: text, or parts of text.
        output: InputContent,
    },
    /// Thoughts of an earlier answer, sent back. Kept, and not shown to the model again.
    Reasoning {
        /// `rs_…`. None: the caller gave none.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// How far it came. None: the caller did not say.
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<ItemStatus>,
        /// Their summary.
        summary: Vec<SummaryText>,
        /// The thoughts.
        content: Vec<ReasoningText>,
    },
}

/// Who speaks in a message of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum InputRole {
    /// The caller.
    User,
    /// The model.
    Assistant,
    /// Instructions to the model.
    System,
    /// Instructions to the model, under the name that newer clients use.
    Developer,
}

/// A string, or a list of typed parts.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum InputContent {
    /// Plain text.
    Text(String),
    /// Parts, in order.
    Parts(Vec<InputPart>),
}

impl Input {
    /// One message of the user.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        let content = InputContent::Text(text.into());
        Self(vec![InputItem::Message { id: None, status: None, role: InputRole::User, content }])
    }
}

impl InputItem {
    /// The item's id, where it has one.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Message { id, .. }
            | Self::FunctionCall { id, .. }
            | Self::FunctionCallOutput { id, .. }
            | Self::Reasoning { id, .. } => id.as_deref(),
        }
    }
}

impl From<InputRole> for Role {
    fn from(role: InputRole) -> Self {
        match role {
            InputRole::User => Self::User,
            InputRole::Assistant => Self::Assistant,
            InputRole::System => Self::System,
            InputRole::Developer => Self::Developer,
        }
    }
}
