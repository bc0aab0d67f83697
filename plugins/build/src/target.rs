//! Whether the compiler can build for wasm, and adding that where rustup can.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{BuildError, TARGET, run};

/// Adds the target to the toolchain that builds the workspace `root`, if it is not there.
pub fn ensure(root: &Path) -> Result<(), BuildError> {
    if library(root)?.is_dir() {
        return Ok(());
    }
    let added = run(rustup(root).args(["target", "add", TARGET]));
    let output = match added {
        Ok((true, _)) if library(root)?.is_dir() => return Ok(()),
        Ok((_, output)) => output,
        Err(error) => error.to_string(),
    };
    Err(BuildError::Target { output })
}

/// Where the compiler keeps the target's standard library.
fn library(root: &Path) -> Result<PathBuf, BuildError> {
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    let (_, output) = run(rustc.current_dir(root).args(["--print", "sysroot"]))?;
    // What rustup has to say stands on lines of its own, the path on the last of rustc's.
    let sysroot = output.lines().find(|line| Path::new(line).is_absolute());
    Ok(Path::new(sysroot.unwrap_or_default())
        .join("lib/rustlib")
        .join(TARGET)
        .join("lib"))
}

/// In `root`, so that rustup sees the same `rust-toolchain.toml` as the compiler.
fn rustup(root: &Path) -> Command {
    let mut rustup = Command::new("rustup");
    rustup.current_dir(root);
    rustup
}
