//! The house's rules, held by a machine: who may import whom, which crate may name
//! which library, how large a file may grow, and that frozen contracts stay frozen.

#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

#[path = "tidy/files.rs"]
mod files;
#[path = "tidy/imports.rs"]
mod imports;
#[path = "tidy/wit.rs"]
mod wit;

use std::path::{Path, PathBuf};

/// The workspace's root.
fn root() -> PathBuf {
    let host = Path::new(env!("CARGO_MANIFEST_DIR"));
    host.parent().unwrap().to_owned()
}
