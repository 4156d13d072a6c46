//! Messages of a conversation, as callers send them.

use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::ToolCall;
use crate::present::Present;

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Instructions to the model.
    System,
    /// Instructions to the model, under the name that newer clients use.
    Developer,
    /// The caller.
    User,
    /// The model.
    Assistant,
    /// The result of a tool call.
    Tool,
    /// The result of a function call, under the name that older clients use.
    Function,
}

impl Role {
    /// The role's name in a chat template. Templates know no `developer`: it is their `system`.
    #[must_use]
    pub fn in_template(self) -> &'static str {
        match self {
            Self::System | Self::Developer => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool | Self::Function => "tool",
        }
    }
}

/// One message. Any part but the role may be absent: clients leave out `content` when they send tool calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    /// The name of the speaker or tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Calls that the assistant made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_calls: Option<Vec<ToolCall>>,
    /// The call that a tool message answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
}

impl Message {
    /// A message of plain text.
    #[must_use]
    pub fn text(role: Role, text: impl Into<String>) -> Self {
        Self { role, content: Some(Content::Text(text.into())), name: None, tool_calls: None, tool_call_id: None }
    }

    /// The message's parts that are no text.
    pub fn media(&self) -> impl Iterator<Item = &ContentPart> {
        let parts = match &self.content {
            Some(Content::Parts(parts)) => parts.as_slice(),
            Some(Content::Text(_)) | None => &[],
        };
        parts.iter().filter(|part| !matches!(part, ContentPart::Text { .. } | ContentPart::Refusal { .. }))
    }

    /// The message's text, its parts joined with nothing between, as OpenAI's own templates do. Empty without content.
    #[must_use]
    pub fn joined_text(&self) -> String {
        match &self.content {
            None => String::new(),
            Some(Content::Text(text)) => text.clone(),
            Some(Content::Parts(parts)) => parts.iter().map(ContentPart::as_text).collect(),
        }
    }
}

/// A string, or a list of typed parts.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Content {
    /// Plain text.
    Text(String),
    /// Parts, in order.
    Parts(Vec<ContentPart>),
}

/// One part of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ContentPart {
    /// Text.
    Text {
        /// The text itself.
        text: String,
    },
    /// What the assistant refused with, when a conversation is sent back.
    Refusal {
        /// The text itself.
        refusal: String,
    },
    /// A picture, for models that see.
    ImageUrl {
        /// Where it is.
        image_url: ImageUrl,
    },
    /// A recording, for models that hear.
    InputAudio {
        /// The recording itself.
        input_audio: InputAudio,
    },
    /// A file. No model here reads files: it is refused by name.
    File {
        /// What OpenAI calls it.
        #[serde(default, skip_serializing)]
        #[schema(ignore)]
        file: Option<Present>,
    },
}

/// A picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImageUrl {
    /// A `data:` URL with the picture in base64, or, where the gateway fetches, an `https:` URL.
    pub url: String,
    /// How closely the model looks: `auto`, `low` or `high`. None: `auto`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// A recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InputAudio {
    /// The recording in base64.
    pub data: String,
    /// `wav` or `mp3`.
    pub format: String,
}

impl ContentPart {
    fn as_text(&self) -> &str {
        match self {
            Self::Text { text } => text,
            Self::Refusal { refusal } => refusal,
            Self::ImageUrl { .. } | Self::InputAudio { .. } | Self::File { .. } => "",
        }
    }
}

// By hand rather than `untagged`, whose only error is that nothing matched.
impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ContentVisitor;

        impl<'de> Visitor<'de> for ContentVisitor {
            type Value = Content;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string or a list of content parts")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Content, E> {
                Ok(Content::Text(text.to_owned()))
            }

            fn visit_string<E: de::Error>(self, text: String) -> Result<Content, E> {
                Ok(Content::Text(text))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Content, A::Error> {
                let mut parts = Vec::new();
                while let Some(part) = seq.next_element()? {
                    parts.push(part);
                }
                Ok(Content::Parts(parts))
            }
        }

        deserializer.deserialize_any(ContentVisitor)
    }
}
