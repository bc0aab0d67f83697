//! Builds this workspace's plugins as WebAssembly components with a nested
//! cargo: for the host's build script, which embeds them, and for tests, which
//! run them.
//!
//! It adds the wasm target where rustup lacks it, keeps its own target directory
//! (so that it never waits for the cargo that called it), and passes nothing of
//! that cargo's environment on that would change what is built. What a component
//! means is the engine's.

mod environment;
mod target;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use thiserror::Error;

/// What the components are compiled for.
pub const TARGET: &str = "wasm32-wasip2";
const PROFILE: &str = "plugin";

/// Why the plugins could not be built.
#[derive(Debug, Error)]
pub enum BuildError {
    #[error("cannot {operation} `{path}`: {source}", path = path.display())]
    Io {
        operation: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("cannot start `{program}`: {source}; it comes with rustup's Rust")]
    Start { program: String, source: io::Error },
    #[error(
        "the Rust target {TARGET} is not installed, and adding it failed; \
         run `rustup target add {TARGET}` or install your distribution's Rust for it\n{output}"
    )]
    Target { output: String },
    #[error("building the plugin `{package}` for {TARGET} failed:\n{output}")]
    Cargo { package: String, output: String },
    #[error("cargo built `{package}`, but there is no `{path}`: does it have `crate-type = [\"cdylib\"]`?", path = path.display())]
    NoComponent { package: String, path: PathBuf },
}

/// Builds `packages` of this workspace, and returns their components in the same
/// order. `near` is a directory in or below cargo's target directory (`OUT_DIR`,
/// `CARGO_TARGET_TMPDIR`): the components are built in that target directory's
/// `plugins`, which all callers share. Callers in other processes wait for each other.
pub fn build(packages: &[&str], near: &Path) -> Result<Vec<PathBuf>, BuildError> {
    let directory = shared_directory(near);
    fs::create_dir_all(&directory).map_err(io_error("create", &directory))?;
    let _lock = lock(&directory)?;
    target::ensure(&workspace())?;
    packages
        .iter()
        .map(|package| build_one(package, &directory))
        .collect()
}

/// For a build script: run again when a plugin, the contract or the profile changed.
pub fn print_rerun() {
    let root = workspace();
    for path in [
        "plugins",
        "wit",
        "Cargo.toml",
        "Cargo.lock",
        "rust-toolchain.toml",
    ] {
        // The protocol between a build script and cargo is its standard output.
        #[allow(clippy::print_stdout)]
        {
            println!("cargo::rerun-if-changed={}", root.join(path).display());
        }
    }
}

fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

/// `plugins` in the target directory around `near`, which cargo marks with a
/// `CACHEDIR.TAG`; below `near` itself where there is none.
fn shared_directory(near: &Path) -> PathBuf {
    near.ancestors()
        .find(|directory| directory.join("CACHEDIR.TAG").is_file())
        .unwrap_or(near)
        .join("plugins")
}

/// Held while building: rustup has no lock of its own, and cargo's covers only
/// its part.
fn lock(directory: &Path) -> Result<File, BuildError> {
    let path = directory.join(".mhost-plugin-build.lock");
    let file = File::create(&path).map_err(io_error("create", &path))?;
    file.lock().map_err(io_error("lock", &path))?;
    Ok(file)
}

fn io_error(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BuildError {
    move |source| BuildError::Io {
        operation,
        path: path.to_owned(),
        source,
    }
}

/// One package at a time: features of dependencies are unified over what is built
/// together, so the same plugin built in another company would be another component.
fn build_one(package: &str, directory: &Path) -> Result<PathBuf, BuildError> {
    let root = workspace();
    let mut cargo = environment::cargo(&root);
    cargo
        .args([
            "build",
            "--target",
            TARGET,
            "--profile",
            PROFILE,
            "--package",
            package,
        ])
        .arg("--target-dir")
        .arg(directory);
    if root.join("Cargo.lock").is_file() {
        cargo.arg("--locked");
    }
    let (done, output) = run(&mut cargo)?;
    if !done {
        let package = package.to_owned();
        return Err(BuildError::Cargo { package, output });
    }
    component(package, directory)
}

fn component(package: &str, directory: &Path) -> Result<PathBuf, BuildError> {
    let file = format!("{}.wasm", package.replace('-', "_"));
    let path = directory.join(TARGET).join(PROFILE).join(file);
    if path.is_file() {
        return Ok(path);
    }
    let package = package.to_owned();
    Err(BuildError::NoComponent { package, path })
}

/// Runs to the end; whether it succeeded, and what it wrote.
fn run(command: &mut Command) -> Result<(bool, String), BuildError> {
    let ended = command
        .stdin(Stdio::null())
        .output()
        .map_err(|source| BuildError::Start {
            program: display(command.get_program()),
            source,
        })?;
    let output = [ended.stdout, ended.stderr].concat();
    let output = String::from_utf8_lossy(&output).into_owned();
    Ok((ended.status.success(), output))
}

fn display(text: &OsStr) -> String {
    text.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_below_one_target_directory_share_one() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("target");
        let out = target.join("release/build/mhost-0123/out");
        fs::create_dir_all(&out).unwrap();
        assert_eq!(shared_directory(&out), out.join("plugins"));
        fs::write(target.join("CACHEDIR.TAG"), "").unwrap();
        for near in [&target, &out, &target.join("tmp")] {
            assert_eq!(shared_directory(near), target.join("plugins"));
        }
    }

    #[test]
    fn the_workspace_is_where_the_contract_is() {
        assert!(workspace().join("wit/world.wit").is_file());
    }

    #[test]
    fn an_unknown_package_is_named() {
        let near = tempfile::tempdir().unwrap();
        let error = build(&["mhost-plugin-none"], near.path()).unwrap_err();
        assert!(matches!(error, BuildError::Cargo { .. }), "{error}");
        assert!(error.to_string().contains("mhost-plugin-none"), "{error}");
    }
}
