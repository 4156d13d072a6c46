//! Prompts, in the four forms that OpenAI has for one or many of them.
//!
//! A list of numbers is one prompt and a list of strings is many, so that the first element decides what a list is. By
//! hand rather than `untagged`, whose only error is that nothing matched.

use std::fmt;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::{ArrayBuilder, OneOfBuilder, Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// One prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Prompt {
    /// Text, which the model's tokenizer reads.
    Text(String),
    /// Ids of the model's own tokens.
    Tokens(Vec<u32>),
}

/// One prompt or many: a string, a list of strings, a list of token ids, or a list of lists of token ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prompts(pub Vec<Prompt>);

impl PartialSchema for Prompts {
    fn schema() -> RefOr<Schema> {
        let one = Ref::from_schema_name(Prompt::name());
        let many = ArrayBuilder::new().items(one.clone()).description(Some("Several."));
        OneOfBuilder::new().item(one).item(many).description(Some("One prompt or many.")).into()
    }
}

impl ToSchema for Prompts {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((Prompt::name().into_owned(), Prompt::schema()));
    }
}

impl Prompt {
    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::Tokens(tokens) => tokens.is_empty(),
        }
    }
}

impl From<&str> for Prompts {
    fn from(text: &str) -> Self {
        Self(vec![Prompt::Text(text.to_owned())])
    }
}

// One prompt is written as itself, which every server reads.
impl Serialize for Prompts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => one.serialize(serializer),
            many => many.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Prompt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_any(ElementVisitor { takes_ids: false })? {
            Element::Prompt(prompt) => Ok(prompt),
            Element::TokenId(_) => Err(de::Error::custom("a prompt is a string or a list of token ids")),
        }
    }
}

impl<'de> Deserialize<'de> for Prompts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PromptsVisitor;

        impl<'de> Visitor<'de> for PromptsVisitor {
            type Value = Prompts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, a list of strings, a list of token ids or a list of lists of token ids")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Prompts, E> {
                Ok(Prompts::from(text))
            }

            fn visit_string<E: de::Error>(self, text: String) -> Result<Prompts, E> {
                Ok(Prompts(vec![Prompt::Text(text)]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Prompts, A::Error> {
                match seq.next_element::<Element>()? {
                    None => Ok(Prompts::default()),
                    Some(Element::Prompt(first)) => rest(first, seq).map(Prompts),
                    Some(Element::TokenId(first)) => Ok(Prompts(vec![Prompt::Tokens(rest(first, seq)?)])),
                }
            }
        }

        deserializer.deserialize_any(PromptsVisitor)
    }
}

/// The list that begins with this element; all others are of its kind.
fn rest<'de, T: Deserialize<'de>, A: SeqAccess<'de>>(first: T, mut seq: A) -> Result<Vec<T>, A::Error> {
    let mut all = vec![first];
    while let Some(next) = seq.next_element()? {
        all.push(next);
    }
    Ok(all)
}

/// The first element of a list, which decides what the list is.
enum Element {
    Prompt(Prompt),
    TokenId(u32),
}

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ElementVisitor { takes_ids: true })
    }
}

struct ElementVisitor {
    /// Whether a token id alone may stand here.
    takes_ids: bool,
}

impl<'de> Visitor<'de> for ElementVisitor {
    type Value = Element;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")?;
        if self.takes_ids {
            f.write_str(", a token id")?;
        }
        f.write_str(" or a list of token ids")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Element, E> {
        Ok(Element::Prompt(Prompt::Text(text.to_owned())))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Element, E> {
        Ok(Element::Prompt(Prompt::Text(text)))
    }

    fn visit_u64<E: de::Error>(self, id: u64) -> Result<Element, E> {
        let unexpected = de::Unexpected::Unsigned(id);
        if !self.takes_ids {
            return Err(E::invalid_type(unexpected, &self));
        }
        u32::try_from(id).map(Element::TokenId).map_err(|_| E::invalid_value(unexpected, &self))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Element, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(seq)).map(|ids| Element::Prompt(Prompt::Tokens(ids)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::completions::CompletionRequest;
    use crate::parse;

    fn read(json: &str) -> Vec<Prompt> {
        serde_json::from_str::<Prompts>(json).unwrap().0
    }

    fn text(text: &str) -> Prompt {
        Prompt::Text(text.into())
    }

    #[test]
    fn all_four_forms_are_read() {
        assert_eq!(read(r#""a""#), [text("a")]);
        assert_eq!(read(r#"["a","b"]"#), [text("a"), text("b")]);
        assert_eq!(read("[1,2]"), [Prompt::Tokens(vec![1, 2])]);
        assert_eq!(read("[[1,2],[3]]"), [Prompt::Tokens(vec![1, 2]), Prompt::Tokens(vec![3])]);
        assert_eq!(read("[]"), []);
    }

    #[test]
    fn what_is_written_reads_back() {
        for json in [r#""a""#, r#"["a","b"]"#, "[1,2]", "[[1,2],[3]]", r#"["a",[1]]"#] {
            let prompts: Prompts = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&prompts).unwrap(), json);
        }
        assert_eq!(serde_json::to_string(&Prompts(read(r#"["a"]"#))).unwrap(), r#""a""#);
    }

    #[test]
    fn errors_name_the_element_and_say_what_is_expected() {
        let cases = [
            ("7", "prompt", "a list of lists of token ids"),
            ("null", "prompt", "a list of lists of token ids"),
            (r#"["a",7]"#, "prompt[1]", "a string or a list of token ids"),
            (r#"[7,"a"]"#, "prompt[1]", "u32"),
            ("[[1],[-2]]", "prompt[1][0]", "u32"),
            ("[4294967296]", "prompt[0]", "a token id"),
            ("[true]", "prompt[0]", "a token id"),
            ("[-1]", "prompt[0]", "a token id"),
        ];
        for (prompt, param, expected) in cases {
            let body = format!(r#"{{"model":"m","prompt":{prompt}}}"#);
            let error = parse::json::<CompletionRequest>(body.as_bytes()).unwrap_err();
            assert_eq!(error.param(), Some(param), "{prompt}");
            assert!(error.to_string().contains(expected), "{prompt}: {error}");
        }
        let error = parse::json::<CompletionRequest>(br#"{"model":"m"}"#).unwrap_err();
        assert_eq!(error.param(), Some("prompt"));
    }
}
