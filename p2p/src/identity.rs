//! Who a peer is: an ed25519 key in a file.
//!
//! The key is what a node is known and paid by, so a file that others may read is refused instead of repaired: it may
//! already have been copied. The file holds libp2p's own encoding of a private key, which other libp2p tools read.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use libp2p::PeerId;
use libp2p::identity::{KeyType, Keypair};

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file cannot be read.
    #[error("the identity file {} cannot be read: {cause}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The file cannot be made.
    #[error("the identity file {} cannot be written: {cause}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// Others may read the file.
    #[error("the identity file {} is open to others (mode {mode:03o}); if nobody copied it, run: chmod 600 {}", path.display(), path.display())]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file holds no ed25519 key.
    #[error("the identity file {} holds no ed25519 key; restore it from a copy, or move it away for a new identity", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
    },
}

/// A peer's key.
#[derive(Clone)]
pub struct Identity(Keypair);

impl std::fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Identity").field(&self.peer_id()).finish()
    }
}

impl Identity {
    /// A new identity that is kept nowhere.
    #[must_use]
    pub fn generate() -> Self {
        Self(Keypair::generate_ed25519())
    }

    /// Reads the identity of this file, or makes one there with mode 0600. Of several processes that make one at the
    /// same time one wins and all get its key.
    ///
    /// # Errors
    /// `IdentityError` naming the file: it cannot be read or written, is open to others, or holds no key.
    pub fn load_or_create(path: &Path) -> Result<Self, IdentityError> {
        match File::open(path) {
            Ok(file) => Self::load(path, &file),
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => {
                create(path).map_err(|cause| IdentityError::Write { path: path.to_owned(), cause })?;
                let file = File::open(path).map_err(|cause| IdentityError::Read { path: path.to_owned(), cause })?;
                Self::load(path, &file)
            }
            Err(cause) => Err(IdentityError::Read { path: path.to_owned(), cause }),
        }
    }

    /// The name that others know this peer by.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        self.0.public().to_peer_id()
    }

    pub(crate) fn keypair(&self) -> &Keypair {
        &self.0
    }

    fn load(path: &Path, file: &File) -> Result<Self, IdentityError> {
        let read = |cause| IdentityError::Read { path: path.to_owned(), cause };
        let corrupt = || IdentityError::Corrupt { path: path.to_owned() };
        let metadata = file.metadata().map_err(read)?;
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(IdentityError::TooOpen { path: path.to_owned(), mode });
        }
        // A key has under 100 bytes: what is far larger is no key, and is not read.
        if !metadata.is_file() || metadata.len() > 4096 {
            return Err(corrupt());
        }
        let mut bytes = Vec::new();
        file.take(4096).read_to_end(&mut bytes).map_err(read)?;
        let key = Keypair::from_protobuf_encoding(&bytes).map_err(|_| corrupt())?;
        if key.key_type() == KeyType::Ed25519 { Ok(Self(key)) } else { Err(corrupt()) }
    }
}

/// Writes a new key beside the file and links it into place, which fails where another has been faster and never shows
/// half a key.
fn create(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let key = Keypair::generate_ed25519().to_protobuf_encoding().map_err(io::Error::other)?;
    let draft = path.with_extension(format!("{}-{:08x}.new", std::process::id(), rand::random::<u32>()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let linked = file.write_all(&key).and_then(|()| file.sync_all()).and_then(|()| fs::hard_link(&draft, path));
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
        Ok(()) => File::open(folder)?.sync_all(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_made_once_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/identity");
        let made = Identity::load_or_create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Identity::load_or_create(&path).unwrap().peer_id(), made.peer_id());
        let left: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().collect();
        assert_eq!(left.len(), 1, "the draft was left behind: {left:?}");
    }

    #[test]
    fn a_file_open_to_others_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity");
        Identity::load_or_create(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = Identity::load_or_create(&path).unwrap_err();
        assert!(matches!(error, IdentityError::TooOpen { mode: 0o640, .. }), "{error}");
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }

    #[test]
    fn other_content_is_refused_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity");
        for content in [&b""[..], b"hello", &[0; 8192]] {
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            assert!(matches!(Identity::load_or_create(&path), Err(IdentityError::Corrupt { .. })));
            assert_eq!(fs::read(&path).unwrap(), content);
        }
    }

    #[test]
    fn one_of_many_creators_wins() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity");
        let peers: Vec<PeerId> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..8).map(|_| scope.spawn(|| Identity::load_or_create(&path).unwrap().peer_id())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(peers.iter().all(|peer| *peer == peers[0]), "{peers:?}");
    }

    #[test]
    fn a_folder_in_its_place_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = Identity::load_or_create(&folder.path().join("missing\0name")).unwrap_err();
        assert!(error.to_string().contains("identity file"), "{error}");
    }
}
