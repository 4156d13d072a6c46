//! Parts of items: text, pictures, recordings and thoughts.

use serde::de::{self, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

use crate::chat::InputAudio;

/// One part of a message of the input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum InputPart {
    /// Text.
    InputText {
        /// The text itself.
        text: String,
    },
    /// A picture, for models that see.
    InputImage {
        /// A `data:` URL with the picture in base64, or, where the gateway fetches, an `https:` URL.
        image_url: String,
        /// How closely the model looks: `auto`, `low` or `high`. None: `auto`.
        #[serde(serialize_with = "detail_or_auto")]
        detail: Option<String>,
    },
    /// A recording, for models that hear.
    InputAudio {
        /// The recording itself.
        input_audio: InputAudio,
    },
    /// What the assistant said, sent back.
    #[serde(serialize_with = "said")]
    OutputText {
        /// The text itself.
        text: String,
    },
    /// What the assistant refused with, sent back.
    Refusal {
        /// The text itself.
        refusal: String,
    },
}

/// A thought of the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReasoningText {
    /// Always `reasoning_text`.
    #[serde(rename = "type", default = "reasoning_text")]
    pub kind: String,
    /// The text itself.
    pub text: String,
}

/// A summary of thoughts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SummaryText {
    /// Always `summary_text`.
    #[serde(rename = "type", default = "summary_text")]
    pub kind: String,
    /// The text itself.
    pub text: String,
}

impl InputPart {
    /// The part's text, None for pictures and recordings.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::InputText { text } | Self::OutputText { text } => Some(text),
            Self::Refusal { refusal } => Some(refusal),
            Self::InputImage { .. } | Self::InputAudio { .. } => None,
        }
    }
}

impl ReasoningText {
    /// A thought with this text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self { kind: reasoning_text(), text: text.into() }
    }
}

/// A part of any item.
pub(super) enum AnyPart {
    Said(InputPart),
    Thought(ReasoningText),
}

/// What a part says it is.
#[derive(Clone, Copy)]
enum Kind {
    InputText,
    InputImage,
    InputAudio,
    OutputText,
    Refusal,
    ReasoningText,
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let kind = String::deserialize(deserializer)?;
        match kind.as_str() {
            "input_text" => Ok(Self::InputText),
            "input_image" => Ok(Self::InputImage),
            "input_audio" => Ok(Self::InputAudio),
            "output_text" => Ok(Self::OutputText),
            "refusal" => Ok(Self::Refusal),
            "reasoning_text" => Ok(Self::ReasoningText),
            "input_file" => Err(de::Error::custom("`input_file` is not supported; send the file's text")),
            other => Err(de::Error::custom(format_args!("parts of type `{other}` are not supported"))),
        }
    }
}

/// A file kept by the server, of which there are none. Null is no file.
struct FileId;

impl<'de> Deserialize<'de> for FileId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer)?;
        Err(de::Error::custom("`file_id` is not supported; send the picture in `image_url`"))
    }
}

/// Everything that a part can have.
#[derive(Deserialize)]
struct Fields {
    #[serde(rename = "type")]
    kind: Kind,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    refusal: Option<String>,
    #[serde(default)]
    image_url: Option<String>,
    #[serde(default)]
    detail: Option<String>,
    #[serde(default)]
    input_audio: Option<InputAudio>,
    #[serde(default, rename = "file_id")]
    _file_id: Option<FileId>,
}

impl<'de> Deserialize<'de> for AnyPart {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = Fields::deserialize(deserializer)?;
        let missing = <D::Error as de::Error>::missing_field;
        let text = fields.text.ok_or_else(|| missing("text"));
        Ok(Self::Said(match fields.kind {
            Kind::ReasoningText => return Ok(Self::Thought(ReasoningText::new(text?))),
            Kind::InputText => InputPart::InputText { text: text? },
            Kind::OutputText => InputPart::OutputText { text: text? },
            Kind::Refusal => InputPart::Refusal { refusal: fields.refusal.ok_or_else(|| missing("refusal"))? },
            Kind::InputImage => InputPart::InputImage {
                image_url: fields.image_url.ok_or_else(|| missing("image_url"))?,
                detail: fields.detail,
            },
            Kind::InputAudio => {
                InputPart::InputAudio { input_audio: fields.input_audio.ok_or_else(|| missing("input_audio"))? }
            }
        }))
    }
}

/// The official schema requires a detail.
#[expect(clippy::ref_option, reason = "serde calls it")]
fn detail_or_auto<S: Serializer>(detail: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(detail.as_deref().unwrap_or("auto"))
}

/// The official schema requires annotations and log probabilities, of which a text sent back has none.
fn said<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Said<'a> {
        text: &'a str,
        annotations: [(); 0],
        logprobs: [(); 0],
    }
    Said { text, annotations: [], logprobs: [] }.serialize(serializer)
}

fn reasoning_text() -> String {
    "reasoning_text".to_owned()
}

fn summary_text() -> String {
    "summary_text".to_owned()
}
