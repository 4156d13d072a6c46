//! A vector, as numbers or in base64, without a bit lost between the two.
//!
//! OpenAI's own libraries ask for base64, curl's users for numbers, and an upstream server sends what it likes. What
//! comes in is checked before it is passed on: a vector with NaN in it compares as equal to nothing, and ruins the index
//! that a caller puts it in. JSON has no word for it anyway.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{self, SeqAccess, Visitor};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

use super::EncodingFormat;

/// A vector in one of the forms that callers ask for.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Vector {
    /// Its numbers.
    Floats(#[serde(serialize_with = "write_finite")] Vec<f32>),
    /// Its numbers as little-endian 32-bit floats, in base64.
    Base64(String),
}

/// A vector that cannot be passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnusableVector {
    /// It is no base64.
    #[error("the embedding is not valid base64")]
    NoBase64,
    /// It does not consist of whole floats.
    #[error("the embedding's base64 has {0} bytes, which are no whole number of 32-bit floats")]
    Ragged(usize),
    /// It has NaN or infinity in it.
    #[error("the embedding's number {0} is not finite")]
    NotFinite(usize),
}

impl Vector {
    /// The vector's numbers.
    ///
    /// # Errors
    /// Where it is no vector of finite numbers.
    pub fn to_floats(&self) -> Result<Vec<f32>, UnusableVector> {
        match self {
            Self::Floats(floats) => finite(floats.clone()),
            Self::Base64(text) => {
                let bytes = STANDARD.decode(text).map_err(|_| UnusableVector::NoBase64)?;
                let (whole, rest) = bytes.as_chunks::<4>();
                if !rest.is_empty() {
                    return Err(UnusableVector::Ragged(bytes.len()));
                }
                finite(whole.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
            }
        }
    }

    /// The same vector in this form.
    ///
    /// # Errors
    /// Where it is no vector of finite numbers.
    pub fn in_format(self, format: EncodingFormat) -> Result<Self, UnusableVector> {
        let floats = self.to_floats()?;
        Ok(match format {
            EncodingFormat::Float => Self::Floats(floats),
            EncodingFormat::Base64 => {
                let bytes: Vec<u8> = floats.iter().flat_map(|float| float.to_le_bytes()).collect();
                Self::Base64(STANDARD.encode(bytes))
            }
        })
    }

    /// How many numbers it has, None where it is no vector.
    #[must_use]
    pub fn dimensions(&self) -> Option<usize> {
        self.to_floats().ok().map(|floats| floats.len())
    }
}

fn finite(floats: Vec<f32>) -> Result<Vec<f32>, UnusableVector> {
    match floats.iter().position(|float| !float.is_finite()) {
        Some(place) => Err(UnusableVector::NotFinite(place)),
        None => Ok(floats),
    }
}

/// serde_json would write null for NaN.
fn write_finite<S: Serializer>(floats: &[f32], serializer: S) -> Result<S::Ok, S::Error> {
    match floats.iter().position(|float| !float.is_finite()) {
        Some(place) => Err(S::Error::custom(UnusableVector::NotFinite(place))),
        None => floats.serialize(serializer),
    }
}

impl<'de> Deserialize<'de> for Vector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct VectorVisitor;

        impl<'de> Visitor<'de> for VectorVisitor {
            type Value = Vector;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of numbers or a string of base64")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Vector, E> {
                let vector = Vector::Base64(text.to_owned());
                vector.to_floats().map_err(E::custom)?;
                Ok(vector)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vector, A::Error> {
                let mut floats: Vec<f32> = Vec::new();
                while let Some(float) = seq.next_element()? {
                    floats.push(float);
                }
                // 1e39 is a number of JSON, and infinite as a 32-bit float.
                finite(floats).map(Vector::Floats).map_err(de::Error::custom)
            }
        }

        deserializer.deserialize_any(VectorVisitor)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(json: &str) -> Result<Vector, String> {
        serde_json::from_str(json).map_err(|error: serde_json::Error| error.to_string())
    }

    #[test]
    fn base64_is_little_endian() {
        // 1.0 is 0x3f800000 and -2.0 is 0xc0000000: bytes 00 00 80 3f 00 00 00 c0.
        let text = Vector::Base64("AACAPwAAAMA=".into());
        assert_eq!(text.to_floats().unwrap(), [1.0, -2.0]);
        assert_eq!(Vector::Floats(vec![1.0, -2.0]).in_format(EncodingFormat::Base64).unwrap(), text);
        assert_eq!(text.dimensions(), Some(2));
    }

    #[test]
    fn both_forms_are_read_and_written_as_they_are() {
        for json in [r#""AACAPwAAAMA=""#, "[1.0,-2.0,0.1]", "[]"] {
            assert_eq!(serde_json::to_string(&read(json).unwrap()).unwrap(), json);
        }
        assert_eq!(read("[1,0]").unwrap(), Vector::Floats(vec![1.0, 0.0]));
    }

    #[test]
    fn what_is_no_vector_is_refused() {
        let cases = [
            ("7", "a list of numbers or a string of base64"),
            ("null", "a list of numbers or a string of base64"),
            (r#""AACAPw""#, "not valid base64"),
            (r#""AACAP===""#, "not valid base64"),
            (r#""AACAPwA=""#, "has 5 bytes"),
            // NaN is 0x7fc00000, infinity 0x7f800000.
            (r#""AADAfw==""#, "number 0 is not finite"),
            (r#""AACAPwAAgH8=""#, "number 1 is not finite"),
            ("[0.5,1e39]", "number 1 is not finite"),
            (r#"[0.5,"x"]"#, "expected f32"),
            ("[null]", "expected f32"),
        ];
        for (json, expected) in cases {
            let error = read(json).unwrap_err();
            assert!(error.contains(expected), "{json}: {error}");
        }
        let nan = Vector::Floats(vec![f32::NAN]);
        assert!(serde_json::to_string(&nan).is_err());
        assert_eq!(nan.in_format(EncodingFormat::Base64), Err(UnusableVector::NotFinite(0)));
    }

    proptest! {
        #[test]
        fn no_bit_is_lost_on_the_way(bits in prop::collection::vec(any::<u32>(), 0..40)) {
            let floats: Vec<f32> = bits.into_iter().map(f32::from_bits).filter(|float| float.is_finite()).collect();
            let bits = |floats: &[f32]| floats.iter().map(|float| float.to_bits()).collect::<Vec<_>>();
            let vector = Vector::Floats(floats.clone());
            let text = vector.clone().in_format(EncodingFormat::Base64).unwrap();
            let back = text.clone().in_format(EncodingFormat::Float).unwrap();
            prop_assert_eq!(bits(&back.to_floats().unwrap()), bits(&floats));
            for vector in [vector, text] {
                let read: Vector = serde_json::from_str(&serde_json::to_string(&vector).unwrap()).unwrap();
                prop_assert_eq!(bits(&read.to_floats().unwrap()), bits(&floats));
            }
        }
    }
}
