//! The metadata of a GGUF file: enough to learn a model's tokenizer, chat template and context length from it.
//!
//! Format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>, versions 2 and 3, little-endian. Only the header
//! is read, never a tensor. Every length is checked against the file's size before anything is allocated.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

/// A key's length, far above any in use.
const MAX_KEY_BYTES: u64 = 1 << 16;
/// Nesting of arrays, which the format allows without bound.
const MAX_ARRAY_DEPTH: u32 = 4;

/// A metadata value. Numbers are widened; what the gateway has no use for is kept all the same.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// Any unsigned or non-negative integer.
    Unsigned(u64),
    /// Any negative integer.
    Signed(i64),
    /// Any float.
    Float(f64),
    /// True or false.
    Bool(bool),
    /// UTF-8 text; other bytes are replaced.
    Text(String),
    /// Values of one type.
    Array(Vec<Value>),
}

/// Why a file could not be read as GGUF.
#[derive(Debug, thiserror::Error)]
pub enum GgufError {
    /// The file could not be opened or read.
    #[error("cannot read it: {0}")]
    Io(#[from] io::Error),
    /// The first bytes are not `GGUF`.
    #[error("it is not a GGUF file (it begins with {0:02x?}, not with \"GGUF\")")]
    NotGguf([u8; 4]),
    /// A version that is not understood.
    #[error("it is GGUF version {0}; versions 2 and 3 are understood")]
    Version(u32),
    /// It ends inside its own header, or a length in it is impossible.
    #[error("it is truncated or damaged: {0}")]
    Damaged(&'static str),
    /// A key that the gateway needs is missing.
    #[error("its metadata has no usable `{0}`")]
    Missing(String),
    /// A kind of tokenizer that is not understood.
    #[error("its tokenizer is of kind `{0}`, which is not understood; give --tokenizer tokenizer.json")]
    Tokenizer(String),
}

/// The metadata of a GGUF file.
#[derive(Debug)]
pub struct Gguf {
    metadata: HashMap<String, Value>,
}

impl Gguf {
    /// Reads the header of a file.
    ///
    /// # Errors
    /// `GgufError` where it is missing, no GGUF file, or damaged.
    pub fn open(path: &Path) -> Result<Self, GgufError> {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        Self::read(BufReader::new(file), size)
    }

    fn read(input: impl Read, size: u64) -> Result<Self, GgufError> {
        let mut reader = Reader { input, left: size };
        let magic = reader.bytes::<4>()?;
        if &magic != b"GGUF" {
            return Err(GgufError::NotGguf(magic));
        }
        let version = u32::from_le_bytes(reader.bytes()?);
        if !(2..=3).contains(&version) {
            return Err(GgufError::Version(version));
        }
        let _tensors = reader.u64()?;
        let pairs = reader.u64()?;
        let mut metadata = HashMap::new();
        for _ in 0..pairs {
            let key = reader.text(MAX_KEY_BYTES)?;
            let kind = u32::from_le_bytes(reader.bytes()?);
            metadata.insert(key, reader.value(kind, 0)?);
        }
        Ok(Self { metadata })
    }

    /// A text value.
    ///
    /// # Errors
    /// `Missing` where there is none of that key and type.
    pub fn text(&self, key: &str) -> Result<&str, GgufError> {
        match self.metadata.get(key) {
            Some(Value::Text(text)) => Ok(text),
            _ => Err(GgufError::Missing(key.to_owned())),
        }
    }

    /// An integer.
    ///
    /// # Errors
    /// `Missing` where there is none of that key and type.
    pub fn unsigned(&self, key: &str) -> Result<u64, GgufError> {
        match self.metadata.get(key) {
            Some(Value::Unsigned(number)) => Ok(*number),
            _ => Err(GgufError::Missing(key.to_owned())),
        }
    }

    /// A list of texts.
    ///
    /// # Errors
    /// `Missing` where there is none of that key and type.
    pub fn texts(&self, key: &str) -> Result<Vec<&str>, GgufError> {
        let missing = || GgufError::Missing(key.to_owned());
        let Some(Value::Array(values)) = self.metadata.get(key) else { return Err(missing()) };
        let texts = values.iter().map(|value| match value {
            Value::Text(text) => Ok(text.as_str()),
            _ => Err(missing()),
        });
        texts.collect()
    }

    /// A list of integers, empty where there is none.
    #[must_use]
    pub fn integers(&self, key: &str) -> Vec<i64> {
        let Some(Value::Array(values)) = self.metadata.get(key) else { return Vec::new() };
        let integers = values.iter().map(|value| match value {
            Value::Unsigned(number) => i64::try_from(*number).unwrap_or(i64::MAX),
            Value::Signed(number) => *number,
            _ => 0,
        });
        integers.collect()
    }

    /// The most tokens of prompt and answer together that the model was made for.
    ///
    /// # Errors
    /// `Missing` where the file does not say.
    pub fn context_length(&self) -> Result<u64, GgufError> {
        let architecture = self.text("general.architecture")?;
        self.unsigned(&format!("{architecture}.context_length"))
    }

    /// The text of the special token that this key names by id, such as `tokenizer.ggml.eos_token_id`.
    #[must_use]
    pub fn special_token(&self, key: &str) -> Option<String> {
        let id = usize::try_from(self.unsigned(key).ok()?).ok()?;
        let tokens = self.texts("tokenizer.ggml.tokens").ok()?;
        tokens.get(id).map(|token| (*token).to_owned())
    }
}

struct Reader<R> {
    input: R,
    /// Bytes of the file not yet read: no length in it can be larger.
    left: u64,
}

impl<R: Read> Reader<R> {
    fn take(&mut self, count: u64) -> Result<(), GgufError> {
        self.left = self.left.checked_sub(count).ok_or(GgufError::Damaged("it ends inside its header"))?;
        Ok(())
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], GgufError> {
        self.take(N as u64)?;
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn u64(&mut self) -> Result<u64, GgufError> {
        Ok(u64::from_le_bytes(self.bytes()?))
    }

    fn text(&mut self, bound: u64) -> Result<String, GgufError> {
        let length = self.u64()?;
        if length > bound {
            return Err(GgufError::Damaged("a text is longer than it can be"));
        }
        self.take(length)?;
        let length = usize::try_from(length).map_err(|_| GgufError::Damaged("a text is longer than memory"))?;
        let mut bytes = vec![0; length];
        self.input.read_exact(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn value(&mut self, kind: u32, depth: u32) -> Result<Value, GgufError> {
        Ok(match kind {
            0 => Value::Unsigned(u64::from(u8::from_le_bytes(self.bytes()?))),
            1 => integer(i64::from(i8::from_le_bytes(self.bytes()?))),
            2 => Value::Unsigned(u64::from(u16::from_le_bytes(self.bytes()?))),
            3 => integer(i64::from(i16::from_le_bytes(self.bytes()?))),
            4 => Value::Unsigned(u64::from(u32::from_le_bytes(self.bytes()?))),
            5 => integer(i64::from(i32::from_le_bytes(self.bytes()?))),
            6 => Value::Float(f64::from(f32::from_le_bytes(self.bytes()?))),
            7 => Value::Bool(self.bytes::<1>()? != [0]),
            8 => Value::Text(self.text(self.left)?),
            9 => self.array(depth)?,
            10 => Value::Unsigned(self.u64()?),
            11 => integer(i64::from_le_bytes(self.bytes()?)),
            12 => Value::Float(f64::from_le_bytes(self.bytes()?)),
            _ => return Err(GgufError::Damaged("a value is of no known type")),
        })
    }

    fn array(&mut self, depth: u32) -> Result<Value, GgufError> {
        if depth >= MAX_ARRAY_DEPTH {
            return Err(GgufError::Damaged("its arrays nest too deep"));
        }
        let kind = u32::from_le_bytes(self.bytes()?);
        let length = self.u64()?;
        // The smallest value takes one byte, so a longer array cannot be in the file.
        if length > self.left {
            return Err(GgufError::Damaged("an array is longer than the file"));
        }
        (0..length).map(|_| self.value(kind, depth + 1)).collect::<Result<_, _>>().map(Value::Array)
    }
}

fn integer(number: i64) -> Value {
    u64::try_from(number).map_or(Value::Signed(number), Value::Unsigned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Vec<u8> {
        [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
    }

    fn file() -> Vec<u8> {
        let mut file = b"GGUF".to_vec();
        file.extend(3_u32.to_le_bytes());
        file.extend(0_u64.to_le_bytes());
        file.extend(3_u64.to_le_bytes());
        file.extend(text("general.architecture"));
        file.extend(8_u32.to_le_bytes());
        file.extend(text("llama"));
        file.extend(text("llama.context_length"));
        file.extend(4_u32.to_le_bytes());
        file.extend(2048_u32.to_le_bytes());
        file.extend(text("tokenizer.ggml.tokens"));
        file.extend(9_u32.to_le_bytes());
        file.extend(8_u32.to_le_bytes());
        file.extend(2_u64.to_le_bytes());
        file.extend(text("a"));
        file.extend(text("b"));
        file
    }

    fn read(bytes: &[u8]) -> Result<Gguf, GgufError> {
        Gguf::read(bytes, bytes.len() as u64)
    }

    #[test]
    fn metadata_is_read() {
        let gguf = read(&file()).unwrap();
        assert_eq!(gguf.context_length().unwrap(), 2048);
        assert_eq!(gguf.texts("tokenizer.ggml.tokens").unwrap(), ["a", "b"]);
    }

    #[test]
    fn every_truncation_is_an_error() {
        let whole = file();
        for length in 0..whole.len() {
            assert!(read(&whole[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn other_files_are_named_as_such() {
        assert!(matches!(read(b"PK\x03\x04 a zip file"), Err(GgufError::NotGguf(_))));
        let mut future = file();
        future[4] = 9;
        assert!(matches!(read(&future), Err(GgufError::Version(9))));
    }

    #[test]
    fn an_impossible_length_allocates_nothing() {
        let mut lying = file();
        let place = lying.len() - (2 * 9) - 8;
        lying[place..place + 8].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(matches!(read(&lying), Err(GgufError::Damaged(_))));
    }
}
