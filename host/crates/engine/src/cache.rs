//! Compiled code on the disk. Who can write here can run code in the host, so the
//! folder must be ours alone.
//!
//! A file's name is the component's digest and a key of everything that decides
//! whether its code is good: the engine's settings, the machine's features, the exact
//! version of wasmtime (which by itself compares the major one alone, and would keep
//! the code of a compiler with a fault that was mended).

use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use mhost_model::plugin::Digest;
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::EngineError;

/// The version that the workspace pins; a test compares them.
const WASMTIME: &str = "48.0.8";

/// Makes the folder where it is missing, and refuses one that others can write to.
pub fn check(folder: &Path) -> Result<(), EngineError> {
    let failed = |why: String| EngineError::Failed {
        operation: "use the cache of compiled code",
        why: format!("{}: {why}", folder.display()),
    };
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| failed(error.to_string()))?;
    // The folder itself: where a link leads may be anybody's, and no grant is kept from it.
    let metadata = fs::symlink_metadata(folder).map_err(|error| failed(error.to_string()))?;
    if !metadata.is_dir() {
        return Err(failed(
            "it is a link; code is kept in a folder of mhost's own".into(),
        ));
    }
    if !ours(&metadata) {
        return Err(failed(
            "others can write to it, and could run code in mhost; make it yours alone (chmod 700)"
                .into(),
        ));
    }
    Ok(())
}

/// One folder of compiled code.
pub(crate) struct Cache {
    folder: PathBuf,
    key: String,
}

impl Cache {
    pub(crate) fn new(folder: &Path, engine: &Engine) -> Self {
        let mut hasher = Sha(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut hasher);
        WASMTIME.hash(&mut hasher);
        let key = hex::encode(&hasher.0.finalize()[..8]);
        Self {
            folder: folder.to_owned(),
            key,
        }
    }

    /// The code, if it is there and good.
    pub(crate) fn load(&self, engine: &Engine, digest: Digest) -> Option<Component> {
        let path = self.path(digest);
        let metadata = fs::symlink_metadata(&path).ok()?;
        if !metadata.is_file() || !ours(&metadata) {
            return None;
        }
        // SAFETY: the file lies in a folder that only this user can write to, was
        // written whole by `keep`, and its name says that this engine's twin made it.
        #[allow(unsafe_code)]
        let component = unsafe { Component::deserialize_file(engine, &path) };
        match component {
            Ok(component) => Some(component),
            Err(error) => {
                tracing::warn!("compiled code {} is made anew: {error:#}", path.display());
                // Gone, it is not tried and warned of again.
                let _ = fs::remove_file(&path);
                None
            }
        }
    }

    /// Puts code there, whole or not at all.
    pub(crate) fn keep(&self, digest: Digest, code: &[u8]) -> Result<(), EngineError> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let aside = self
            .folder
            .join(format!(".{digest}-{}-{number}", std::process::id()));
        let write = || {
            let mut file = File::options()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&aside)?;
            file.write_all(code)?;
            file.sync_all()?;
            fs::rename(&aside, self.path(digest))
        };
        write().map_err(|error: std::io::Error| {
            let _ = fs::remove_file(&aside);
            EngineError::Failed {
                operation: "keep compiled code",
                why: format!("{}: {error}", self.folder.display()),
            }
        })
    }

    fn path(&self, digest: Digest) -> PathBuf {
        self.folder.join(format!("{digest}-{}.cwasm", self.key))
    }
}

/// Whether nobody else could have written it.
fn ours(metadata: &fs::Metadata) -> bool {
    let owner = metadata.uid();
    let trusted = owner == rustix::process::geteuid().as_raw() || owner == 0;
    trusted && metadata.mode() & 0o022 == 0
}

/// Lets a SHA-256 take what a hasher takes; std's own hasher may change.
struct Sha(Sha256);

impl Hasher for Sha {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest = self.0.clone().finalize();
        digest
            .iter()
            .take(8)
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_version_is_the_pinned_one() {
        let lock = include_str!("../../../../Cargo.lock");
        let pinned = format!("name = \"wasmtime\"\nversion = \"{WASMTIME}\"");
        assert!(lock.contains(&pinned));
    }

    #[test]
    fn a_folder_that_others_can_write_to_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for (mode, good) in [(0o700, true), (0o755, true), (0o770, false), (0o707, false)] {
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(check(folder.path()).is_ok(), good, "{mode:o}");
        }
        let (place, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let link = place.path().join("cache");
        std::os::unix::fs::symlink(elsewhere.path(), &link).unwrap();
        assert!(check(&link).is_err(), "a link");
    }
}
