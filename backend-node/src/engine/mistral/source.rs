//! Where the weights come from, and what tells them apart from others.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::LoadError;

/// Where the weights come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A GGUF file.
    Gguf(PathBuf),
    /// A folder with safetensors, `config.json` and tokenizer.
    Folder(PathBuf),
    /// A model of the Hugging Face hub.
    Hub(String),
}

impl Source {
    /// Reads `--model`. A path that exists is one; what looks like a path or a file is one even where it does not exist,
    /// so that a slip of the pen ends in "no such file" and not in a request to the hub.
    #[must_use]
    pub fn of(model: &str) -> Self {
        let path = Path::new(model);
        if path.is_dir() {
            return Self::Folder(path.to_owned());
        }
        let looks_like_a_path = path.is_absolute()
            || model.starts_with('.')
            || model.starts_with('~')
            || model.matches('/').count() != 1
            || path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gguf"));
        if path.exists() || looks_like_a_path { Self::Gguf(path.to_owned()) } else { Self::Hub(model.to_owned()) }
    }

    /// Whether it is a folder with a model that makes embeddings: those name their modules, in the layout of
    /// sentence-transformers, and those that make text have none.
    pub(super) fn makes_embeddings(&self) -> bool {
        matches!(self, Self::Folder(folder) if folder.join("modules.json").is_file())
    }

    /// The public name where the operator gives none.
    #[must_use]
    pub fn default_id(&self) -> String {
        let name = match self {
            Self::Gguf(path) => path.file_stem(),
            Self::Folder(path) => path.file_name(),
            Self::Hub(id) => return id.clone(),
        };
        name.map_or_else(|| "model".to_owned(), |name| name.to_string_lossy().into_owned())
    }

    /// What tells these weights apart from others: SHA-256 over the weight files in order of name. None for a hub model,
    /// whose files this node does not pick.
    pub(super) fn weights_hash(&self) -> Result<Option<String>, LoadError> {
        let files = match self {
            Self::Gguf(path) => vec![path.clone()],
            Self::Folder(folder) => safetensors(folder)?,
            Self::Hub(_) => return Ok(None),
        };
        let mut hasher = Sha256::new();
        for path in files {
            hash_file(&mut hasher, &path)
                .map_err(|error| LoadError::new(format!("model file {}: {error}", path.display())))?;
        }
        Ok(Some(format!("sha256:{}", hex::encode(hasher.finalize()))))
    }
}

/// The weight files of a folder.
fn safetensors(folder: &Path) -> Result<Vec<PathBuf>, LoadError> {
    let fault = |reason: String| LoadError::new(format!("model folder {}: {reason}", folder.display()));
    let entries = std::fs::read_dir(folder).map_err(|error| fault(error.to_string()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| fault(error.to_string()))?.path();
        if path.extension().is_some_and(|extension| extension == "safetensors") {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(fault("it has no .safetensors files".to_owned()));
    }
    files.sort();
    Ok(files)
}

fn hash_file(hasher: &mut Sha256, path: &Path) -> std::io::Result<()> {
    let mut file = BufReader::new(File::open(path)?);
    let mut piece = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            return Ok(());
        }
        hasher.update(&piece[..read]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hub_id_is_what_looks_like_nothing_else() {
        let hub = |id: &str| Source::Hub(id.to_owned());
        let gguf = |path: &str| Source::Gguf(PathBuf::from(path));
        assert_eq!(Source::of("Qwen/Qwen3-8B"), hub("Qwen/Qwen3-8B"));
        for path in ["/no/model", "./model", "~/m", "a/b/c", "model", "org/model.gguf"] {
            assert_eq!(Source::of(path), gguf(path), "{path}");
        }
        assert_eq!(Source::of("/tmp"), Source::Folder(PathBuf::from("/tmp")));
        assert_eq!(gguf("/x/SmolLM2.Q8_0.gguf").default_id(), "SmolLM2.Q8_0");
    }

    #[test]
    fn the_hash_is_that_of_the_files_in_order() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("b.safetensors"), "c").unwrap();
        std::fs::write(folder.path().join("a.safetensors"), "ab").unwrap();
        std::fs::write(folder.path().join("config.json"), "{}").unwrap();
        let hash = Source::Folder(folder.path().to_owned()).weights_hash().unwrap().unwrap();
        // SHA-256 of "abc", from FIPS 180-4.
        assert_eq!(hash, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn a_folder_without_weights_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = Source::Folder(folder.path().to_owned()).weights_hash().unwrap_err().to_string();
        assert!(error.contains("no .safetensors"), "{error}");
    }
}
