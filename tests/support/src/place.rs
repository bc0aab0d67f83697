//! Where tests may write: below the target directory, wherever that is.

use std::env;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// The target directory of the running build: the one that the test's own
/// executable lies in, else `CARGO_TARGET_DIR`, else the workspace's `target`.
pub fn target_dir() -> PathBuf {
    let exe = env::current_exe().ok();
    exe.as_deref()
        .and_then(enclosing_target)
        .or_else(|| env::var_os("CARGO_TARGET_DIR").map(PathBuf::from))
        .unwrap_or_else(|| workspace_root().join("target"))
}

/// The workspace's root in the source tree.
pub fn workspace_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// A fresh folder that vanishes with the returned value.
pub fn scratch(label: &str) -> TempDir {
    let parent = target_dir().join("tmp");
    std::fs::create_dir_all(&parent).expect("the target directory can be written");
    tempfile::Builder::new()
        .prefix(&format!("{label}-"))
        .tempdir_in(parent)
        .expect("a folder can be made below the target directory")
}

/// Cargo marks a target directory that it made by one of these files.
fn enclosing_target(exe: &Path) -> Option<PathBuf> {
    let marked = |dir: &Path| {
        ["CACHEDIR.TAG", ".rustc_info.json"]
            .iter()
            .any(|mark| dir.join(mark).is_file())
    };
    exe.ancestors()
        .skip(1)
        .find(|dir| marked(dir))
        .map(Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_test_lies_in_the_target_directory() {
        let exe = env::current_exe().unwrap();
        assert!(exe.starts_with(target_dir()), "{exe:?} {:?}", target_dir());
    }

    #[test]
    fn a_marked_folder_above_is_the_target() {
        let dir = scratch("place");
        std::fs::write(dir.path().join("CACHEDIR.TAG"), "").unwrap();
        let exe = dir.path().join("release/deps/test-1");
        assert_eq!(enclosing_target(&exe).as_deref(), Some(dir.path()));
    }

    #[test]
    fn the_workspace_has_the_lock_file() {
        assert!(workspace_root().join("Cargo.lock").is_file());
    }
}
