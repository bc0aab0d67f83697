//! Where mhost keeps its state, and who may look at it.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::exit::{Outcomes, Problem};

/// The folder of one mhost: store, precompiled code, installed plugins, socket.
#[derive(Debug, Clone)]
pub struct Home {
    root: PathBuf,
}

impl Home {
    /// The folder asked for, else that of `MHOST_HOME`, else `/var/lib/mhost` for root and
    /// the XDG state folder for everybody else.
    pub fn locate(asked: Option<PathBuf>) -> Outcomes<Self> {
        let set = std::env::var_os("MHOST_HOME").filter(|set| !set.is_empty());
        let root = match asked.or_else(|| set.map(PathBuf::from)) {
            Some(path) if path.as_os_str().is_empty() => {
                return Err(Problem::usage("--home is empty: name a folder"));
            }
            Some(path) => {
                std::path::absolute(&path).map_err(|error| Problem::io("resolve", &path, &error))?
            }
            None => default_root()?,
        };
        Ok(Self { root })
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn store(&self) -> PathBuf {
        self.root.join("mhost.redb")
    }

    pub fn cache(&self) -> PathBuf {
        self.root.join("cache")
    }

    /// Installed components, named by their digest.
    pub fn components(&self) -> PathBuf {
        self.root.join("plugins")
    }

    /// The configuration that `apply` and `serve` take when none is named.
    pub fn config(&self) -> PathBuf {
        self.root.join("mhost.toml")
    }

    /// Where the process that holds the store listens.
    pub fn socket(&self) -> PathBuf {
        self.root.join("mhost.sock")
    }

    /// What no grant may cover.
    pub fn protected(&self) -> Vec<PathBuf> {
        vec![self.root.clone()]
    }

    /// Whether there is a state; fails where nobody lets us look.
    pub fn exists(&self) -> Outcomes<bool> {
        let store = self.store();
        store
            .try_exists()
            .map_err(|error| Problem::io("look at", &store, &error))
    }

    /// Makes the folders, for the owner alone; refuses a folder that others may
    /// write to, since who can write here can run code in the host.
    pub fn create(&self) -> Outcomes<()> {
        for folder in [self.root.clone(), self.cache(), self.components()] {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&folder)
                .map_err(|error| Problem::io("create", &folder, &error))?;
        }
        self.check_private()
    }

    /// Whether the folder belongs to us alone.
    pub fn check_private(&self) -> Outcomes<()> {
        let found =
            fs::metadata(&self.root).map_err(|error| Problem::io("look at", &self.root, &error))?;
        let root = self.root.display();
        let us = rustix::process::geteuid().as_raw();
        if found.uid() != us {
            return Err(Problem::refused(format!(
                "the state folder {root} belongs to user {}, not to {us}",
                found.uid()
            ))
            .hint("run mhost as its owner, or choose another folder with --home"));
        }
        if found.permissions().mode() & 0o022 != 0 {
            return Err(Problem::refused(format!(
                "the state folder {root} can be written by others, who could then run code as you"
            ))
            .hint(format!("chmod go-w {root}")));
        }
        Ok(())
    }
}

fn default_root() -> Outcomes<PathBuf> {
    if rustix::process::geteuid().is_root() {
        return Ok("/var/lib/mhost".into());
    }
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    set("XDG_STATE_HOME")
        .map(PathBuf::from)
        .or_else(|| set("HOME").map(|home| PathBuf::from(home).join(".local/state")))
        .map(|state| state.join("mhost"))
        .ok_or_else(|| {
            Problem::usage("no place for the state: HOME is not set")
                .hint("name a folder with --home or MHOST_HOME")
        })
}
