//! A look at a GGUF file before mistral.rs opens it.
//!
//! mistral.rs answers a truncated or foreign file with a panic or with a page of text. An operator is owed one line. So
//! the header is read here, as far as it says how long the file must be: format of the GGUF specification, versions 2
//! and 3, little endian.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

use super::LoadError;

/// Metadata entries and tensors. The largest models have a few thousand tensors.
const MAX_ENTRIES: u64 = 1 << 20;
/// Bytes of a string; a chat template has some ten thousand.
const MAX_STRING: u64 = 1 << 24;
/// Nesting of arrays; real files have none.
const MAX_DEPTH: u8 = 4;
/// Alignment of the tensors where the file does not say.
const DEFAULT_ALIGNMENT: u64 = 32;

/// What the header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    /// The type that most of the weights are stored as, for example `Q8_0`.
    pub(super) quantization: String,
}

/// Reads the header and checks that the file is as long as it says.
pub(super) fn inspect(path: &Path) -> Result<Header, LoadError> {
    let fault = |reason: String| LoadError::new(format!("model file {}: {reason}", path.display()));
    let file = File::open(path).map_err(|error| fault(error.to_string()))?;
    let metadata = file.metadata().map_err(|error| fault(error.to_string()))?;
    if !metadata.is_file() {
        return Err(fault("it is not a file".to_owned()));
    }
    let length = metadata.len();
    let (header, needed) = read(&mut BufReader::new(file)).map_err(|broken| {
        fault(match broken {
            Broken::Foreign => "it is not a GGUF file (it does not begin with `GGUF`)".to_owned(),
            Broken::Version(version) => format!("GGUF version {version} is not read, only 2 and 3"),
            Broken::Ends => format!("it is truncated: it ends inside its header, after {length} bytes"),
            Broken::Implausible(what) => format!("it is damaged: {what}"),
            Broken::Unreadable(error) => error.to_string(),
        })
    })?;
    if length < needed {
        return Err(fault(format!("it is truncated: it has {length} bytes and its header speaks of {needed}")));
    }
    Ok(header)
}

enum Broken {
    Foreign,
    Version(u32),
    Ends,
    Implausible(&'static str),
    Unreadable(std::io::Error),
}

impl From<std::io::Error> for Broken {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::UnexpectedEof { Self::Ends } else { Self::Unreadable(error) }
    }
}

fn read(file: &mut BufReader<File>) -> Result<(Header, u64), Broken> {
    let mut magic = [0; 4];
    file.read_exact(&mut magic).map_err(|_short| Broken::Foreign)?;
    if &magic != b"GGUF" {
        return Err(Broken::Foreign);
    }
    let version = u32_of(file)?;
    if !(2..=3).contains(&version) {
        return Err(Broken::Version(version));
    }
    let tensors = u64_of(file)?;
    let entries = u64_of(file)?;
    if tensors == 0 || tensors > MAX_ENTRIES || entries > MAX_ENTRIES {
        return Err(Broken::Implausible("its header has an implausible number of entries"));
    }
    let mut alignment = DEFAULT_ALIGNMENT;
    for _ in 0..entries {
        let name = string(file)?;
        let kind = u32_of(file)?;
        if name == "general.alignment" && kind == 4 {
            alignment = u64::from(u32_of(file)?);
            continue;
        }
        skip_value(file, kind, 0)?;
    }
    if !alignment.is_power_of_two() || alignment > 1 << 20 {
        return Err(Broken::Implausible("its alignment is no small power of two"));
    }
    let mut data_length = 0;
    let mut weights_by_kind: Vec<(u32, u64)> = Vec::new();
    for _ in 0..tensors {
        let (kind, weights, end) = tensor(file)?;
        data_length = data_length.max(end);
        match weights_by_kind.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, sum)) => *sum = sum.saturating_add(weights),
            None => weights_by_kind.push((kind, weights)),
        }
    }
    let data_begin = file.stream_position()?.next_multiple_of(alignment);
    let most = weights_by_kind.iter().max_by_key(|(_, weights)| *weights);
    let quantization = most.and_then(|(kind, _)| layout(*kind)).map_or("unknown", |layout| layout.name);
    Ok((Header { quantization: quantization.to_owned() }, data_begin.saturating_add(data_length)))
}

/// A tensor's type, its number of weights and where it ends after the beginning of the data.
fn tensor(file: &mut BufReader<File>) -> Result<(u32, u64, u64), Broken> {
    string(file)?;
    let dimensions = u32_of(file)?;
    if dimensions > 8 {
        return Err(Broken::Implausible("a tensor has more than eight dimensions"));
    }
    let mut weights = 1_u64;
    for _ in 0..dimensions {
        weights = weights
            .checked_mul(u64_of(file)?)
            .ok_or(Broken::Implausible("a tensor has more weights than fit into memory"))?;
    }
    let kind = u32_of(file)?;
    let offset = u64_of(file)?;
    // Types that are not known here are left to mistral.rs; the length is then checked up to the tensor's beginning.
    let size = layout(kind).map_or(0, |layout| weights.div_ceil(layout.weights).saturating_mul(layout.bytes));
    Ok((kind, weights, offset.saturating_add(size)))
}

fn skip_value(file: &mut BufReader<File>, kind: u32, depth: u8) -> Result<(), Broken> {
    if kind == 8 {
        return string(file).map(drop);
    }
    if kind != 9 {
        return skip(file, scalar_size(kind)?);
    }
    if depth == MAX_DEPTH {
        return Err(Broken::Implausible("its metadata nests arrays too deep"));
    }
    let element = u32_of(file)?;
    let count = u64_of(file)?;
    if !matches!(element, 8 | 9) {
        let size = count.checked_mul(scalar_size(element)?);
        return skip(file, size.ok_or(Broken::Implausible("an array of its metadata is implausibly long"))?);
    }
    for _ in 0..count {
        skip_value(file, element, depth + 1)?;
    }
    Ok(())
}

fn scalar_size(kind: u32) -> Result<u64, Broken> {
    match kind {
        0 | 1 | 7 => Ok(1),
        2 | 3 => Ok(2),
        4..=6 => Ok(4),
        10..=12 => Ok(8),
        _ => Err(Broken::Implausible("its metadata has a value of an unknown type")),
    }
}

fn skip(file: &mut BufReader<File>, bytes: u64) -> Result<(), Broken> {
    let bytes = i64::try_from(bytes).map_err(|_large| Broken::Implausible("a value is implausibly long"))?;
    file.seek_relative(bytes)?;
    // Seeking past the end is no error: see whether the file really goes on to there.
    let place = file.stream_position()?;
    if place > file.get_ref().metadata()?.len() { Err(Broken::Ends) } else { Ok(()) }
}

fn string(file: &mut BufReader<File>) -> Result<String, Broken> {
    let length = u64_of(file)?;
    if length > MAX_STRING {
        return Err(Broken::Implausible("a text of its header is implausibly long"));
    }
    let mut bytes = Vec::new();
    let read = file.by_ref().take(length).read_to_end(&mut bytes)?;
    if u64::try_from(read).ok() != Some(length) {
        return Err(Broken::Ends);
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn u32_of(file: &mut BufReader<File>) -> Result<u32, Broken> {
    let mut bytes = [0; 4];
    file.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

fn u64_of(file: &mut BufReader<File>) -> Result<u64, Broken> {
    let mut bytes = [0; 8];
    file.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

/// How a type stores its weights: so many of them in so many bytes. Numbers from ggml's `ggml_type`.
struct Layout {
    name: &'static str,
    weights: u64,
    bytes: u64,
}

fn layout(kind: u32) -> Option<Layout> {
    let (name, weights, bytes) = match kind {
        0 => ("F32", 1, 4),
        1 => ("F16", 1, 2),
        2 => ("Q4_0", 32, 18),
        3 => ("Q4_1", 32, 20),
        6 => ("Q5_0", 32, 22),
        7 => ("Q5_1", 32, 24),
        8 => ("Q8_0", 32, 34),
        9 => ("Q8_1", 32, 36),
        10 => ("Q2_K", 256, 84),
        11 => ("Q3_K", 256, 110),
        12 => ("Q4_K", 256, 144),
        13 => ("Q5_K", 256, 176),
        14 => ("Q6_K", 256, 210),
        15 => ("Q8_K", 256, 292),
        30 => ("BF16", 1, 2),
        _ => return None,
    };
    Some(Layout { name, weights, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with one metadata entry and one Q8_0 tensor of 64 weights: 68 bytes of data after the aligned header.
    fn small_file() -> Vec<u8> {
        let mut file = b"GGUF".to_vec();
        file.extend(3_u32.to_le_bytes());
        file.extend(1_u64.to_le_bytes());
        file.extend(1_u64.to_le_bytes());
        file.extend(7_u64.to_le_bytes());
        file.extend(b"a.token");
        file.extend(9_u32.to_le_bytes());
        file.extend(8_u32.to_le_bytes());
        file.extend(1_u64.to_le_bytes());
        file.extend(2_u64.to_le_bytes());
        file.extend(b"hi");
        file.extend(1_u64.to_le_bytes());
        file.extend(b"w");
        file.extend(1_u32.to_le_bytes());
        file.extend(64_u64.to_le_bytes());
        file.extend(8_u32.to_le_bytes());
        file.extend(0_u64.to_le_bytes());
        file.resize(file.len().next_multiple_of(32) + 68, 0);
        file
    }

    fn inspected(bytes: &[u8]) -> Result<Header, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        inspect(file.path()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_whole_file_is_accepted() {
        assert_eq!(inspected(&small_file()), Ok(Header { quantization: "Q8_0".to_owned() }));
    }

    #[test]
    fn a_file_cut_anywhere_is_refused_in_one_line() {
        let whole = small_file();
        for length in 0..whole.len() {
            let message = inspected(&whole[..length]).unwrap_err();
            assert!(!message.contains('\n'), "{message}");
            let expected = if length < 4 { "not a GGUF file" } else { "truncated" };
            assert!(message.contains(expected), "{length}: {message}");
        }
    }

    #[test]
    fn other_files_are_refused() {
        assert!(inspected(b"PK\x03\x04 a zip file").unwrap_err().contains("not a GGUF file"));
        let mut old = small_file();
        old[4] = 1;
        assert!(inspected(&old).unwrap_err().contains("version 1"));
        let mut damaged = small_file();
        damaged[24..32].fill(0xff);
        assert!(inspected(&damaged).unwrap_err().contains("damaged"));
        assert!(inspect(Path::new("/nowhere.gguf")).unwrap_err().to_string().contains("/nowhere.gguf"));
        assert!(inspect(Path::new("/tmp")).unwrap_err().to_string().contains("not a file"));
    }
}
