//! Secrets that sign, of minted tokens and of the ledger: 32 random bytes each in the data folder, for its owner's eyes only.
//!
//! A secret in the configuration was rejected: configurations are copied, committed and shown to others. Whoever has
//! this one can make tokens for every key whose id they know.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Bytes of the secret.
const LENGTH: usize = 32;

/// The secret. `Debug` shows nothing of it.
#[derive(Clone)]
pub struct TokenSecret([u8; LENGTH]);

/// Why there is no secret. One line that names the file.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The system refuses.
    #[error("cannot use the {what} {}: {cause}", path.display())]
    Unusable {
        /// What it is for.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// Others may read it.
    #[error("the {what} {} has mode {mode:o}: run `chmod 600` on it", path.display())]
    TooOpen {
        /// What it is for.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It is something else.
    #[error("{} is no {what}: move it away, and a new one is made (what the old one signed is then a stranger's)", path.display())]
    Corrupt {
        /// What it is for.
        what: &'static str,
        /// The file.
        path: PathBuf,
    },
}

impl TokenSecret {
    /// The secret in this file, which is made where it is missing.
    ///
    /// # Errors
    /// Where it cannot be read or made, is open to others, or is no secret.
    pub fn load_or_create(path: &Path) -> Result<Self, SecretError> {
        secret_bytes(path, "token secret").map(Self)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    #[cfg(test)]
    pub(super) fn of(byte: u8) -> Self {
        Self([byte; LENGTH])
    }
}

impl std::fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenSecret(…)")
    }
}

/// The secret bytes in this file, which is made where it is missing. `what`: what they are for, in words.
///
/// # Errors
/// Where it cannot be read or made, is open to others, or holds something else.
pub(crate) fn secret_bytes(path: &Path, what: &'static str) -> Result<[u8; LENGTH], SecretError> {
    let unusable = |cause| SecretError::Unusable { what, path: path.to_owned(), cause };
    if !path.exists() {
        create(path).map_err(unusable)?;
    }
    let file = File::open(path).map_err(unusable)?;
    let metadata = file.metadata().map_err(unusable)?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(SecretError::TooOpen { what, path: path.to_owned(), mode });
    }
    let mut bytes = Vec::new();
    // One byte more than there should be shows what is longer, and no more of it is read.
    file.take(LENGTH as u64 + 1).read_to_end(&mut bytes).map_err(unusable)?;
    bytes.try_into().map_err(|_| SecretError::Corrupt { what, path: path.to_owned() })
}

/// Writes a draft beside the file, readable to its owner only, and gives it its name in one step: a crash leaves no half
/// a secret, and who comes second finds the first one's.
fn create(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut draft = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o600)).tempfile_in(folder)?;
    draft.write_all(&rand::random::<[u8; LENGTH]>())?;
    draft.as_file().sync_all()?;
    match draft.persist_noclobber(path) {
        Err(lost) if lost.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        persisted => persisted.map(|_| ()).map_err(|lost| lost.error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_once_and_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token.key");
        let made = TokenSecret::load_or_create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(TokenSecret::load_or_create(&path).unwrap().bytes(), made.bytes());
        assert_ne!(made.bytes(), [0; LENGTH]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "a draft was left");
        assert_eq!(format!("{made:?}"), "TokenSecret(…)");

        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(TokenSecret::load_or_create(&path), Err(SecretError::TooOpen { mode: 0o644, .. })));
    }

    #[test]
    fn other_content_is_refused_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token.key");
        for content in [&b""[..], &[7; 31], &[7; 33]] {
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            assert!(matches!(TokenSecret::load_or_create(&path), Err(SecretError::Corrupt { .. })));
            assert_eq!(fs::read(&path).unwrap(), content);
        }
    }
}
