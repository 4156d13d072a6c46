//! Reading items.
//!
//! What an item is may be said after what is in it, and a message need not say it at all, so that an item is read into
//! all fields that any kind has and told apart afterwards. That keeps the path of a field at fault, which serde's tagged
//! enums lose. Kinds that no node serves (files, references to items, tools that run on the server) are refused by
//! name: dropped, they would change the answer.

use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::part::{AnyPart, ReasoningText, SummaryText};
use super::{Input, InputContent, InputItem, InputRole, ItemStatus};

/// A string or a list, which is all that `input`, `content` and `output` can be.
enum Listed<T> {
    Text(String),
    List(Vec<T>),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Listed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListedVisitor<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for ListedVisitor<T> {
            type Value = Listed<T>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string or a list")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Listed<T>, E> {
                Ok(Listed::Text(text.to_owned()))
            }

            fn visit_string<E: de::Error>(self, text: String) -> Result<Listed<T>, E> {
                Ok(Listed::Text(text))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Listed<T>, A::Error> {
                let mut list = Vec::new();
                while let Some(element) = seq.next_element()? {
                    list.push(element);
                }
                Ok(Listed::List(list))
            }
        }

        deserializer.deserialize_any(ListedVisitor(std::marker::PhantomData))
    }
}

impl<'de> Deserialize<'de> for Input {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Listed::deserialize(deserializer)? {
            Listed::Text(text) => Self::text(text),
            Listed::List(items) => Self(items),
        })
    }
}

/// What an item says it is.
enum Kind {
    Message,
    FunctionCall,
    FunctionCallOutput,
    Reasoning,
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let kind = String::deserialize(deserializer)?;
        match kind.as_str() {
            "message" => Ok(Self::Message),
            "function_call" => Ok(Self::FunctionCall),
            "function_call_output" => Ok(Self::FunctionCallOutput),
            "reasoning" => Ok(Self::Reasoning),
            other => Err(de::Error::custom(format_args!(
                "items of type `{other}` are not supported; send messages, function calls and their outputs"
            ))),
        }
    }
}

/// Everything that an item can have.
#[derive(Deserialize)]
struct Fields {
    #[serde(rename = "type", default)]
    kind: Option<Kind>,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    status: Option<ItemStatus>,
    #[serde(default)]
    role: Option<InputRole>,
    #[serde(default)]
    content: Option<Listed<AnyPart>>,
    #[serde(default)]
    call_id: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    arguments: Option<String>,
    #[serde(default)]
    output: Option<Listed<AnyPart>>,
    #[serde(default)]
    summary: Option<Vec<SummaryText>>,
}

impl<'de> Deserialize<'de> for InputItem {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = Fields::deserialize(deserializer)?;
        let Fields { id, status, .. } = fields;
        let missing = <D::Error as de::Error>::missing_field;
        let kind = match (fields.kind, fields.role) {
            (Some(kind), _) => kind,
            (None, Some(_)) => Kind::Message,
            (None, None) => return Err(missing("type")),
        };
        Ok(match kind {
            Kind::Message => {
                let role = fields.role.ok_or_else(|| missing("role"))?;
                let content = content(fields.content.ok_or_else(|| missing("content"))?)?;
                Self::Message { id, status, role, content }
            }
            Kind::FunctionCall => Self::FunctionCall {
                id,
                status,
                call_id: fields.call_id.ok_or_else(|| missing("call_id"))?,
                name: fields.name.ok_or_else(|| missing("name"))?,
                arguments: fields.arguments.ok_or_else(|| missing("arguments"))?,
            },
            Kind::FunctionCallOutput => {
                let call_id = fields.call_id.ok_or_else(|| missing("call_id"))?;
                let output = content(fields.output.ok_or_else(|| missing("output"))?)?;
                Self::FunctionCallOutput { id, status, call_id, output: only_text(output)? }
            }
            Kind::Reasoning => {
                let summary = fields.summary.unwrap_or_default();
                Self::Reasoning { id, status, summary, content: thoughts(fields.content)? }
            }
        })
    }
}

fn content<E: de::Error>(listed: Listed<AnyPart>) -> Result<InputContent, E> {
    let parts = match listed {
        Listed::Text(text) => return Ok(InputContent::Text(text)),
        Listed::List(parts) => parts,
    };
    let said = parts.into_iter().map(|part| match part {
        AnyPart::Said(part) => Ok(part),
        AnyPart::Thought(_) => Err(E::custom("only a reasoning item can hold `reasoning_text`")),
    });
    said.collect::<Result<_, _>>().map(InputContent::Parts)
}

fn only_text<E: de::Error>(output: InputContent) -> Result<InputContent, E> {
    match &output {
        InputContent::Parts(parts) if parts.iter().any(|part| part.as_text().is_none()) => {
            Err(E::custom("the `output` of a function call is text; pictures and recordings are not supported there"))
        }
        _ => Ok(output),
    }
}

fn thoughts<E: de::Error>(listed: Option<Listed<AnyPart>>) -> Result<Vec<ReasoningText>, E> {
    let parts = match listed {
        None => return Ok(Vec::new()),
        Some(Listed::Text(text)) => return Ok(vec![ReasoningText::new(text)]),
        Some(Listed::List(parts)) => parts,
    };
    let thoughts = parts.into_iter().map(|part| match part {
        AnyPart::Thought(thought) => Ok(thought),
        AnyPart::Said(_) => Err(E::custom("a reasoning item holds `reasoning_text`")),
    });
    thoughts.collect()
}
